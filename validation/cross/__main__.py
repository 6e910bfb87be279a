"""``python -m validation.cross --aihwkit-python PATH``: run, compare, report."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

import refsim

from . import anchored, free, job, report

WORKER = Path(__file__).with_name("worker.py")


def arguments(given: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m validation.cross", description=__doc__)
    parser.add_argument(
        "--aihwkit-python", required=True, help="Python of an environment with aihwkit 1.1.0"
    )
    parser.add_argument("--steps", type=int, default=100, help="steps of training (100)")
    parser.add_argument("--report", type=Path, help="write the report to this file")
    parser.add_argument(
        "--only", nargs="+", choices=list(job.CONFIGURATIONS), help="some configurations"
    )
    parsed = parser.parse_args(given)
    if parsed.steps < 1:
        parser.error(f"--steps is {parsed.steps}, allowed are integers from 1")
    return parsed


def work(python: str, folder: Path) -> None:
    """Let the other side carry out the job in the folder."""
    subprocess.run([python, str(WORKER), str(folder)], check=True)


def compared(
    name: str, runs: list[job.Run], data: dict[str, np.ndarray], recorded: dict[str, Any]
) -> report.Outcome:
    """All comparisons of a configuration."""
    own = {run.data_type: run for run in runs if run.configuration == name}
    double = own["double"]
    return report.Outcome(
        name,
        double.steps,
        free.replay(double, data, recorded[double.name]),
        {
            data_type: anchored.replay(run, data, recorded[run.name])
            for data_type, run in own.items()
        },
    )


def outcomes(python: str, runs: list[job.Run], steps: int) -> tuple[list[Any], dict[str, str]]:
    """Run the other side, then compare; also the versions it reports."""
    data = job.arrays(steps)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        job.write(folder, runs, data)
        work(python, folder)
        versions = json.loads((folder / "versions.json").read_text(encoding="utf-8"))
        found = []
        for configuration in dict.fromkeys(run.configuration for run in runs):
            recorded = {
                run.name: dict(np.load(folder / f"{run.name}.npz", allow_pickle=False))
                for run in runs
                if run.configuration == configuration
            }
            found.append(compared(configuration, runs, data, recorded))
    return found, versions


def main(given: Sequence[str] | None = None) -> int:
    """Run the command; 1 if a difference stays unexplained, 2 if the other side does not run."""
    options = arguments(given)
    runs = job.runs(options.steps, options.only)
    try:
        found, versions = outcomes(options.aihwkit_python, runs, options.steps)
    except (OSError, subprocess.CalledProcessError) as error:
        sys.stderr.write(f"--aihwkit-python is {options.aihwkit_python}, which failed: {error}\n")
        return 2
    command = f"python -m validation.cross --aihwkit-python PATH --steps {options.steps}"
    if options.only:
        command += f" --only {' '.join(options.only)}"
    known = {"refsim": refsim.__version__, "NumPy of refsim": np.__version__} | versions
    text = report.markdown(found, runs, date.today().isoformat(), command, known)
    if options.report is not None:
        options.report.write_text(text, encoding="utf-8")
    sys.stdout.write("\n".join(report.summary(found)))
    return int(any(one.unexplained for one in found))


if __name__ == "__main__":
    sys.exit(main())

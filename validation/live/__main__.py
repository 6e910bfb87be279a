"""``python -m validation.live aihwkit --python PATH``: run the kit on a library, and report."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import refsim

from . import aihwkit, lightning

LIBRARIES = {"aihwkit": "aihwkit", "lightning": "aihwkit-lightning"}
VERSIONS = (
    "import json, sys; from importlib.metadata import version; "
    "print(json.dumps({name: version(name) for name in sys.argv[1:]}))"
)


def arguments(given: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m validation.live", description=__doc__)
    parser.add_argument("library", choices=sorted(LIBRARIES))
    parser.add_argument("--python", required=True, help="Python of an environment with the library")
    parser.add_argument("--seeds", type=int, default=3, help="how many seeds (3)")
    parser.add_argument("--max-examples", type=int, default=200, help="cases for each seed (200)")
    parser.add_argument("--report", type=Path, help="write the report to this file")
    parsed = parser.parse_args(given)
    for name in ("seeds", "max_examples"):
        if getattr(parsed, name) < 1:
            parser.error(f"--{name.replace('_', '-')} must be an integer from 1.")
    return parsed


def versions(python: str, library: str) -> dict[str, str]:
    """Versions in the other environment."""
    names = [LIBRARIES[library], "torch", "numpy"]
    done = subprocess.run(
        [python, "-c", VERSIONS, *names], capture_output=True, text=True, check=True
    )
    found: dict[str, str] = json.loads(done.stdout)
    return found


def introduction(options: argparse.Namespace, known: dict[str, str]) -> list[str]:
    """What was run, with what."""
    command = (
        f"python -m validation.live {options.library} --python PATH --seeds {options.seeds} "
        f"--max-examples {options.max_examples}"
    )
    listed = ", ".join(f"{name} {number}" for name, number in known.items())
    return [f"Command: `{command}`", "", f"Versions: {listed}, refsim {refsim.__version__}."]


def main(given: Sequence[str] | None = None) -> int:
    """Run the command; 1 if a finding is not explained, 2 if the library does not run."""
    options = arguments(given)
    try:
        known = versions(options.python, options.library)
    except (OSError, subprocess.CalledProcessError) as error:
        sys.stderr.write(f"--python is {options.python}, which does not run the library: {error}\n")
        return 2
    module = aihwkit if options.library == "aihwkit" else lightning
    intro, today = introduction(options, known), date.today().isoformat()
    text, unexplained = module.report(
        options.python, range(options.seeds), options.max_examples, intro, today
    )
    if options.report is not None:
        options.report.write_text(text, encoding="utf-8")
    sys.stdout.write(f"{unexplained} findings are not explained.\n")
    return int(unexplained > 0)


if __name__ == "__main__":
    sys.exit(main())

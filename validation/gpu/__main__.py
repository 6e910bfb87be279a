"""``python -m validation.gpu``: tests and benchmark on a GPU, and a dated record of them.

Each part has a time of its own and its own process, and the record is written again and again while they run, so that
nothing is lost that was seen. No git, no network and no installed refsim are needed.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from . import identity
from .parts import PARTS, Outcome, Part

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PAUSE = 5.0
"""Seconds between two versions of the record."""
GRACE = 5.0
"""Seconds that a part has to end when its time is up."""


class Record:
    """What was seen so far, as a file of Markdown that is written anew with every change."""

    def __init__(self, path: Path, head: dict[str, str]) -> None:
        self.path, self.head = path, head
        self.outcomes: list[Outcome] = []

    def write(self) -> None:
        """The file is whole at any time."""
        lines = [f"# Seen on a GPU, {self.head['date']}", ""]
        lines += [f"- {name}: {value}" for name, value in self.head.items()]
        lines += [f"- {outcome.part.name}: {outcome.verdict()}" for outcome in self.outcomes]
        for outcome in self.outcomes:
            lines += ["", f"## {outcome.part.title}", "", *outcome.lines()]
        new = self.path.with_suffix(".new")
        new.write_text("\n".join(lines) + "\n", encoding="utf-8")
        new.replace(self.path)

    @property
    def passed(self) -> bool:
        """Whether every part ended well."""
        return all(outcome.status == 0 for outcome in self.outcomes)


def ended(process: subprocess.Popen[Any]) -> None:
    """Ends a process and all that it started."""
    for number, seconds in ((signal.SIGTERM, GRACE), (signal.SIGKILL, GRACE)):
        if process.poll() is not None:
            return
        os.killpg(process.pid, number)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            continue


def run(part: Part, record: Record, work: Path, seconds: float) -> None:
    """Runs one part for at most some seconds; what it prints is in the record from the first line on."""
    outcome = Outcome(part, work / f"{part.name}.log", work / f"{part.name}.md")
    record.outcomes.append(outcome)
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    environment.pop("PYTEST_ADDOPTS", None)
    with outcome.log.open("wb") as log:
        process = subprocess.Popen(
            part.command(sys.executable, outcome.report),
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    begin = time.monotonic()
    try:
        while process.poll() is None and time.monotonic() - begin < seconds:
            record.write()
            try:
                process.wait(min(PAUSE, max(0.01, seconds - (time.monotonic() - begin))))
            except subprocess.TimeoutExpired:
                continue
        outcome.timed_out = process.poll() is None
    finally:
        ended(process)
        outcome.seconds, outcome.status = time.monotonic() - begin, process.returncode
        record.write()


def parsed(arguments: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser("validation/gpu/run.sh", description=__doc__)
    parser.add_argument("--seconds", type=float, default=450, help="Time for everything.")
    parser.add_argument("--out", type=Path, default=HERE, help="Folder of the record.")
    parser.add_argument("--commit", help="What is tested, where git cannot say it.")
    parser.add_argument("--only", help="Some of the parts, separated by commas.")
    return parser.parse_args(arguments)


def chosen(only: str | None) -> list[Part]:
    """The parts that are asked for, in their order."""
    names = [part.name for part in PARTS] if only is None else only.split(",")
    known = {part.name for part in PARTS}
    if wrong := set(names) - known:
        allowed = ", ".join(part.name for part in PARTS)
        raise SystemExit(f"--only is {', '.join(sorted(wrong))}, allowed are {allowed}.")
    return [part for part in PARTS if part.name in names]


def interrupted(number: int, frame: Any) -> None:
    """Ends as if it had been interrupted from the keyboard, so that the part under way is ended and recorded."""
    raise KeyboardInterrupt


def main(arguments: list[str]) -> int:
    """0 if all parts passed, 1 if one did not, 2 if nothing was run."""
    options = parsed(arguments)
    parts = chosen(options.only)
    if missing := identity.missing():
        sys.stderr.write(f"Nothing was run: {missing}.\n")
        return 2
    now = datetime.now(UTC)
    head = {"date": f"{now:%Y-%m-%d %H:%M} UTC", **identity.tested(ROOT, options.commit)}
    head |= identity.machine()
    name = re.sub(r"[^a-z0-9]+", "-", head["GPU"].lower()).strip("-")
    options.out.mkdir(parents=True, exist_ok=True)
    record = Record(options.out / f"{now:%Y-%m-%d-%H%M}-{name}.md", head)
    signal.signal(signal.SIGTERM, interrupted)
    end = time.monotonic() + options.seconds
    with tempfile.TemporaryDirectory() as work:
        try:
            for part in parts:
                left = end - time.monotonic() - GRACE
                if left > 0:
                    run(part, record, Path(work), min(part.seconds, left))
        except KeyboardInterrupt:
            record.head["ended"] = "early, by a signal"
        if rest := [part.name for part in parts[len(record.outcomes) :]]:
            record.head["not run"] = ", ".join(rest)
        record.write()
    sys.stdout.write(f"{record.path} written.\n")
    return 0 if record.passed and "not run" not in record.head else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

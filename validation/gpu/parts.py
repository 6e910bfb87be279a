"""What is run on a GPU, in which order, and how long at most."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

LINES = 60
"""Of what a part printed."""
PYTEST = ("-m", "pytest", "-m", "gpu", "-q", "-p", "no:cacheprovider", "-p", "no:benchmark")
PYTEST += ("-W", "default", "--durations=5", "--tb=short", "--maxfail=20")
"""Versions of packages that others chose warn of other things; here, bits and times are asked for."""
TOGETHER = min(8, (os.cpu_count() or 1) // 2)
"""Processes of a part that need not be alone on the GPU."""


def pytest(path: str, processes: int = 1) -> tuple[str, ...]:
    """Arguments for tests, in several processes where that is possible."""
    several = processes > 1 and find_spec("xdist") is not None
    return (*PYTEST, *(("-n", str(processes)) if several else ()), path)


class Part(NamedTuple):
    """A command of its own."""

    name: str
    title: str
    seconds: float
    arguments: tuple[str, ...]
    """For Python; ``REPORT`` stands for a file of Markdown that the command writes."""

    def command(self, python: str, report: Path) -> list[str]:
        """The command line."""
        return [python, *(str(report) if x == "REPORT" else x for x in self.arguments)]


BENCHMARK = ("-m", "validation.bench", "gpu", "--seconds", "2", "--report", "REPORT")
PARTS = (
    Part(
        "bits", "Bits, a few cases of each clause", 150, pytest("tests/gpu/test_quick.py", TOGETHER)
    ),
    Part("device", "Memory, streams, other libraries", 90, pytest("tests/gpu/test_device.py")),
    Part("benchmark", "Benchmark", 150, BENCHMARK),
    Part("suite", "Bits, the full suite", 600, pytest("tests/gpu/test_bits.py", TOGETHER)),
    Part("sanitizer", "Sanitizer", 600, pytest("tests/gpu/test_sanitizer.py")),
)


@dataclass
class Outcome:
    """What a part has shown so far."""

    part: Part
    log: Path
    report: Path
    status: int | None = None
    seconds: float = 0
    timed_out: bool = False

    def verdict(self) -> str:
        """One line."""
        if self.status is None:
            return "under way"
        how = "passed" if self.status == 0 else f"FAILED, status {self.status}"
        if self.timed_out:
            how = "NOT FINISHED, its time was up"
        return f"{how}, after {self.seconds:.0f} s"

    def lines(self) -> list[str]:
        """The report, where there is one, and the end of what was printed."""
        found = []
        if self.report.exists():
            found = re.sub(
                r"^#", "##", self.report.read_text(encoding="utf-8"), flags=re.M
            ).splitlines()
        if found and self.status == 0:
            return found
        printed = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return [*found, "```", *printed[-LINES:], "```"]

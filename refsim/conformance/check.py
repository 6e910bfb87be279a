"""The check of recorded vectors, group by group."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from refsim.config import Choices
from refsim.errors import InputError

from .comparison import CaseResult
from .replay import is_input, replay
from .vectors import Arrays, Case, Recording

__all__ = ["SUPPORTED_GROUPS", "GroupResult", "check_recording"]

SUPPORTED_GROUPS: Final = (
    "g01_input_range",
    "g02_mvm",
    "g03_range_mvm",
    "g04_mapping",
    "g05_post_update",
    "g06_periph_quant",
    "g07_act_quant",
    "g08_quantizer",
    "g09_estimator",
    "g10_array",
    "g11_calibration",
    "g12_manual_custom",
    "g13_rpucuda",
    "g14_lightning",
)
"""The groups of the recorded vectors whose every case this version replays."""


@dataclass
class GroupResult:
    """What the check of a group found.

    Parameters
    ----------
    group
        Its name.
    results
        One for each case.
    """

    group: str
    results: list[CaseResult] = field(default_factory=list)

    @property
    def compared(self) -> int:
        """Number of compared arrays."""
        return sum(len(result.compared) for result in self.results)

    @property
    def failures(self) -> list[tuple[str, str, str]]:
        """Case, array and what does not agree."""
        return [(r.case, name, text) for r in self.results for name, text in r.failures.items()]

    @property
    def unsupported(self) -> list[tuple[str, str]]:
        """Case and the reason why it was not compared."""
        return [(r.case, r.unsupported) for r in self.results if r.unsupported is not None]

    @property
    def largest(self) -> float:
        """Largest finite deviation relative to ``1 + |recorded|``."""
        return max((result.largest for result in self.results), default=0.0)

    @property
    def passed(self) -> bool:
        """Whether every case was compared and agrees."""
        return self.compared > 0 and not self.failures and not self.unsupported

    def as_json(self) -> dict[str, Any]:
        """The group as plain values."""
        return {
            "group": self.group,
            "cases": len(self.results),
            "compared_arrays": self.compared,
            "failures": len(self.failures),
            "unsupported": len(self.unsupported),
            "largest_deviation": self.largest,
            "failed": [
                dict(zip(("case", "array", "reason"), row, strict=True)) for row in self.failures
            ],
            "not_compared": [
                dict(zip(("case", "reason"), row, strict=True)) for row in self.unsupported
            ],
        }


def check_recording(
    recording: Recording,
    groups: Sequence[str] = (),
    choices: Choices | None = None,
    backend: str = "cpu",
    every: int = 1,
    progress: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> list[GroupResult]:
    """Replay the cases of a recording.

    Parameters
    ----------
    recording
        From :func:`~refsim.conformance.vectors.read_recording`.
    groups
        Which groups; all by default.
    choices
        The readings that tiles follow, ``Choices.aihwkit()`` by default.
    backend
        What computes.
    every
        Replay only every so-manieth case of a group.
    progress
        Called with what is being done, how much of it is done, and how much there is.

    Returns
    -------
    list of GroupResult
        In the order asked for.

    Raises
    ------
    InputError
        If a group is unknown.
    VectorError
        If a file cannot be read.
    """
    for group in groups:
        if group not in recording.files:
            raise InputError(f"group is {group!r}, allowed are {', '.join(recording.files)}.")
    readings = choices or Choices.aihwkit()
    reports = []
    for group in dict.fromkeys(groups or recording.files):
        listed = {case.id: case for case in recording.cases if case.group == group}
        arrays, report, cases = (
            recording.load(group),
            GroupResult(group),
            list(listed.values())[::every],
        )
        for done, case in enumerate(cases):
            progress(group, done, len(cases))
            result = replay(recording, case, arrays[case.id], readings, backend)
            twin = listed.get(case.id.removesuffix("/float32") + "/float64")
            if twin is not None and result.unsupported is None:
                _compare_inputs(case, twin, arrays, result)
            report.results.append(result)
        reports.append(report)
    return reports


def _compare_inputs(case: Case, twin: Case, arrays: dict[str, Arrays], result: CaseResult) -> None:
    """The inputs of a float32 case are those of its float64 twin, drawn from the same seed and rounded once."""
    if "seed" not in case.entries or case.entries["seed"] != twin.entries.get("seed"):
        return
    for name in arrays[case.id].keys() | arrays[twin.id].keys():
        if not is_input(case, name):
            continue
        narrow, wide = arrays[case.id].get(name), arrays[twin.id].get(name)
        with np.errstate(over="ignore", invalid="ignore"):
            agree = (
                narrow is not None
                and wide is not None
                and np.array_equal(narrow, wide.astype(np.float32))
            )
        if not agree:
            result.failures[name] = f"the input is not that of {twin.id}, rounded to float32."

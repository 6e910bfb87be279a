"""Verdicts in numbers and in words: which stage breaks first, at which element, and what would have been allowed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .flow import Admissible
from .interval import Floats, Mask
from .profile import Format
from .rounding import Margin

__all__ = ["Example", "Report", "StageVerdict", "verdict"]

SHOWN = 4


@dataclass(frozen=True)
class Example:
    """One element that no correct implementation returns.

    Parameters
    ----------
    index
        Where it stands.
    got
        What was returned.
    admissible
        The intervals that are allowed, by their ends.
    expected
        What refsim returns.
    """

    index: tuple[int, ...]
    got: float
    admissible: tuple[tuple[float, float], ...]
    expected: float | None


@dataclass(frozen=True)
class StageVerdict:
    """Verdict on one stage.

    Parameters
    ----------
    clause, name
        The stage, as in a trace.
    exact, admissible, violations
        Numbers of elements with the bits of refsim; with other ones, but in the set; and outside of it.
    example
        The violation that is farthest from its set.
    digits
        Format in which numbers are shown.
    """

    clause: str
    name: str
    exact: int
    admissible: int
    violations: int
    example: Example | None
    digits: Format

    @property
    def total(self) -> int:
        """Number of elements."""
        return self.exact + self.admissible + self.violations

    def __str__(self) -> str:
        if self.example is None:
            return f"{self.clause} {self.name}: {self.exact} exact, {self.admissible} admissible"
        e = self.example
        place = f"[{', '.join(map(str, e.index))}]" if e.index else ""
        allowed = " or ".join(self._interval(*ends) for ends in e.admissible[:SHOWN])
        more = " or more" if len(e.admissible) > SHOWN else ""
        count = f"{self.violations} of {self.total} elements" if self.total > 1 else "the element"
        expected = "" if e.expected is None else f", refsim returns {self._number(e.expected)}"
        return (
            f"VIOLATION {self.clause} {self.name}{place}: got {self._number(e.got)}, admissible {allowed}{more}"
            f"{expected} ({count})"
        )

    def _number(self, x: float) -> str:
        return str(np.float32(x)) if self.digits.precision <= 24 else str(np.float64(x))

    def _interval(self, lo: float, hi: float) -> str:
        if lo == hi:
            return self._number(lo)
        return f"[{self._number(lo)}, {self._number(hi)}]"


@dataclass(frozen=True)
class Report:
    """Verdict on one pass of an implementation.

    Parameters
    ----------
    profile
        Name of the profile it was judged by.
    stages
        Verdicts in order; the last one is on the result unless only gradients were given.
    margins
        For each rounding stage, how near its values are to a boundary between two codes.
    """

    profile: str
    stages: list[StageVerdict]
    margins: list[Margin] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether a correct implementation may have returned all of it, and anything was judged."""
        return bool(self.stages) and self.first is None

    @property
    def first(self) -> StageVerdict | None:
        """The first stage that breaks a clause."""
        return next((stage for stage in self.stages if stage.violations), None)

    def __getitem__(self, name: str) -> StageVerdict:
        """The verdict on a stage."""
        for stage in self.stages:
            if stage.name == name:
                return stage
        raise KeyError(f"{name!r} was not judged, but {', '.join(s.name for s in self.stages)}")

    def __str__(self) -> str:
        first = self.first
        head = [str(first)] if first else []
        tail = [str(stage) for stage in self.stages if stage is not first]
        verdict = "admissible" if self.passed else "NOT admissible"
        margins = [str(margin) for margin in self.margins]
        return "\n".join([*head, f"{verdict} ({self.profile})", *tail, *margins])


def verdict(found: Admissible, got: Any, expected: Any, digits: Format) -> StageVerdict:
    """Verdict on the values that an implementation returned for a stage, with refsim's own where they are known."""
    shape, given = np.shape(got), np.asarray(got, dtype=np.float64)
    rows = found.sets[0].lo.shape[-2:] if found.sets[0].lo.ndim == 3 else found.sets[0].lo.shape
    values = given.reshape(rows)
    inside: Mask = np.zeros(rows, dtype=bool)
    for each in found.sets:
        inside = inside | each.contains(values)
    if np.isnan(values).any():
        inside = inside | (np.isnan(values) & _without(found, rows))
    same = np.zeros(rows, dtype=bool)
    if expected is not None and np.size(expected) == values.size:
        own = np.asarray(expected, dtype=np.float64).reshape(rows)
        same = (values == own) & (np.signbit(values) == np.signbit(own))
        same = same | (np.isnan(values) & np.isnan(own))
    violations = int((~inside).sum())
    exact = int((inside & same).sum())
    example = _example(found, values, inside, expected, shape) if violations else None
    admissible = values.size - exact - violations
    return StageVerdict(found.clause, found.name, exact, admissible, violations, example, digits)


def _without(found: Admissible, rows: tuple[int, ...]) -> Mask:
    """Where there is no number at all, as in the parameters of a quantiser without a range."""
    none: Mask = np.ones(rows, dtype=bool)
    for each in found.sets:
        none = none & np.isnan(each.flat.lo)
    return none


def _example(
    found: Admissible, values: Floats, inside: Mask, expected: Any, shape: tuple[int, ...]
) -> Example:
    """The violation farthest from its set."""
    distance = np.full(values.shape, np.inf)
    for each in found.sets:
        gap = np.fmax(each.lo - values, values - each.hi)
        distance = np.fmin(distance, np.fmin.reduce(gap, axis=0) if gap.ndim == 3 else gap)
    distance = np.where(inside, -1.0, np.where(np.isnan(values), np.inf, distance))
    place = int(np.argmax(distance))
    ends = [
        (float(lo) + 0.0, float(hi) + 0.0)
        for each in found.sets
        for lo, hi in zip(*_pieces(each.lo, each.hi, values.size, place), strict=True)
        if lo <= hi
    ]
    own = None if expected is None else float(np.asarray(expected).reshape(-1)[place])
    index = tuple(int(i) for i in np.unravel_index(place, shape))
    return Example(index, float(values.reshape(-1)[place]), tuple(dict.fromkeys(ends)), own)


def _pieces(lo: Floats, hi: Floats, size: int, place: int) -> tuple[Floats, Floats]:
    return np.reshape(lo, (-1, size))[:, place], np.reshape(hi, (-1, size))[:, place]

"""The probable cause: the known mistake that returns the same as an implementation."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np

from refsim.conformance.adapters.guard import guarded
from refsim.conformance.adapters.own import Own
from refsim.conformance.mistakes import MISTAKES
from refsim.errors import RefsimError

from .behaviours import BEHAVIOURS
from .play import Observation, Recording, play
from .variant import Mistaken, Watched

__all__ = ["Cause", "Grades", "causes"]

NEAR: Final = {"float32": 1e-5, "float64": 1e-12}
"""Relative difference that rounding in another order may make; only for the search of a cause, not for a verdict."""


@dataclass(frozen=True)
class Cause:
    """A known mistake and how well it explains what an implementation returned.

    Parameters
    ----------
    clause, mistake
        The mistake.
    grades
        For each recording 2 if the mistake reproduces its bits, 1 if it does so up to rounding, else 0.
    """

    clause: str
    mistake: str
    grades: tuple[int, ...]

    @property
    def explained(self) -> frozenset[int]:
        """Positions of the recordings that it reproduces."""
        return frozenset(i for i, grade in enumerate(self.grades) if grade)

    def share_beyond(self, count: int) -> float:
        """Share of the recordings behind the first ``count`` that it reproduces; 1 if there are none."""
        further = self.grades[count:]
        return sum(map(bool, further)) / len(further) if further else 1.0

    def __str__(self) -> str:
        return f"{self.clause} {self.mistake}"


@dataclass(frozen=True)
class _Candidate:
    clause: str
    mistake: str
    make: Callable[[], Own]
    function: str | None = None
    """The function of the specification that is wrong, if it is one."""


def _candidates() -> Iterator[_Candidate]:
    for wrong in MISTAKES:
        yield _Candidate(wrong.clause, wrong.mistake, partial(Mistaken, wrong), wrong.name)
    for behaviour in BEHAVIOURS:
        yield _Candidate(behaviour.clause, behaviour.mistake, behaviour.make)


class Grades:
    """How well each known mistake explains each recording, each found once.

    Parameters
    ----------
    seconds
        For how long mistakes are tried; those that are left then explain nothing.
    """

    def __init__(self, seconds: float = float("inf")) -> None:
        self.until = time.monotonic() + seconds
        self._known: dict[tuple[str, str, int], int] = {}
        self._plain: dict[int, tuple[Recording, int, frozenset[str]]] = {}

    def of(self, candidate: _Candidate, recording: Recording) -> int:
        """The grade of one mistake on one recording; that of refsim itself if the wrong function is not called."""
        _, grade, called = self._right(recording)
        if candidate.function is not None and candidate.function not in called:
            return grade
        key = (candidate.clause, candidate.mistake, id(recording))
        if key not in self._known:
            late = time.monotonic() > self.until
            self._known[key] = 0 if late else _grade(candidate.make(), recording)
        return self._known[key]

    def beyond(self, candidate: _Candidate, recording: Recording) -> int:
        """The same if it is better than that of refsim itself, else 0."""
        grade = self.of(candidate, recording)
        return grade if grade > self._right(recording)[1] else 0

    def _right(self, recording: Recording) -> tuple[Recording, int, frozenset[str]]:
        """How well refsim itself explains a recording, and the functions that it calls."""
        if id(recording) not in self._plain:
            own = Watched()
            grade = _grade(own, recording)
            self._plain[id(recording)] = recording, grade, frozenset(own.called)
        return self._plain[id(recording)]


def causes(
    recordings: Sequence[Recording],
    further: Sequence[Recording] = (),
    needed: int = 1,
    grades: Grades | None = None,
) -> list[Cause]:
    """The known mistakes that explain at least one recording, best first.

    Parameters
    ----------
    recordings
        What an implementation did wrong, each cut off behind the step in which it did; small cases are told apart best.
    further
        More of what it did, right or wrong; a mistake that explains it is better than one that does not.
    needed
        How many of the recordings must be explained.
    grades
        What is known already, if several searches are about the same recordings.

    Returns
    -------
    list of Cause
        Sorted by the number of recordings explained, the further ones included, then by the number of equal bits.
    """
    known, found = grades or Grades(), []
    for candidate in _candidates():
        got = [known.beyond(candidate, recording) for recording in recordings]
        if sum(map(bool, got)) >= needed:
            got += [known.of(candidate, recording) for recording in further]
            found.append(Cause(candidate.clause, candidate.mistake, tuple(got)))
    return sorted(found, key=lambda cause: (-len(cause.explained), -sum(cause.grades)))


def _grade(made: Own, recording: Recording) -> int:
    """2 if a tile returns the same bits, 1 if the same up to rounding, else 0."""
    target = guarded(made)
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            own = play(target, recording.case)
    except RefsimError:
        return 0
    near, steps = NEAR[recording.case.T.name], len(own.observations)
    pairs = zip(recording.observations, own.observations, strict=False)
    grade = min((_likeness(a, b, near) for a, b in pairs), default=2)
    if steps == len(recording.observations) and own.failure is None:
        return grade if steps else 0
    if own.failure is None or steps >= len(recording.observations):
        return 0
    return min(grade, 1) if _broken(recording.observations[steps]) else 0


def _broken(seen: Observation) -> bool:
    """Whether a step has numbers that refsim refuses to go on with."""
    arrays = [seen.output, *(seen.gradients or {}).values()]
    return any(not np.isfinite(np.asarray(a, float)).all() for a in arrays)


def _likeness(seen: Observation, own: Observation, near: float) -> int:
    grade = 2
    tables = [
        ({"output": seen.output}, {"output": own.output}),
        (seen.gradients or {}, own.gradients or {}),
        (seen.passed, own.passed),
        (seen.after or {}, own.after or {}),
    ]
    for got, wanted in tables:
        for name in got.keys() & wanted.keys():
            grade = min(grade, _same(got[name], wanted[name], near))
        if not grade:
            return 0
    return 0 if (seen.gradients or {}).keys() < (own.gradients or {}).keys() else grade


def _same(got: Any, wanted: Any, near: float) -> int:
    a, b = np.ravel(got).astype(float), np.ravel(wanted).astype(float)
    if a.size != b.size:
        return 0
    if np.array_equal(a, b, equal_nan=True):
        return 2
    size = max(float(np.max(np.abs(b), initial=0.0)), 1e-30)
    return int(bool(np.all(np.abs(a - b) <= near * size)))

"""A law: what the results of two runs of one implementation have to do with each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from refsim.conformance.cases import Case, Step
from refsim.conformance.kit.play import Arrays, Observation, play

__all__ = ["Broken", "Law", "Run", "equal", "stepped"]

Run = Callable[[Case], tuple[Observation, ...]]
"""Puts the implementation through a case; raises its failure."""


class Broken(Exception):
    """Two results that contradict a law.

    Parameters
    ----------
    clause
        The clause that makes the law hold for this result.
    text
        What was returned, and what the law asks for.
    """

    def __init__(self, clause: str, text: str) -> None:
        super().__init__(text)
        self.clause, self.text = clause, text


@dataclass(frozen=True)
class Law:
    """A law that every right implementation keeps, whatever it sums in which order.

    Parameters
    ----------
    name
        What holds, in a few words.
    clause
        The clause that it follows from.
    check
        Compares runs of a case and of others made from it; raises :class:`Broken`.
    features
        What its cases may ask for.
    requires
        Features without which it says nothing.
    fits
        Whether a generated case is one that the law speaks about.
    needs
        Optional methods of the adapter that it uses.
    rounds
        Whether it holds where something is rounded, too, since it compares one computation with itself.
    """

    name: str
    clause: str
    check: Callable[[Run, Case], None]
    features: frozenset[str]
    requires: frozenset[str] = frozenset()
    fits: Callable[[Case], bool] = lambda case: True
    needs: tuple[str, ...] = ()
    rounds: bool = False


def run_on(target: Any) -> Run:
    """What puts a target through cases."""

    def run(case: Case) -> tuple[Observation, ...]:
        recording = play(target, case)
        if recording.failure is not None:
            raise recording.failure
        return recording.observations

    return run


def stepped(case: Case, **changes: Any) -> Case:
    """The case with its first step alone, changed."""
    return replace(case, steps=(replace(case.steps[0], **changes),))


def repeated(case: Case, *steps: Step) -> Case:
    """The case with other steps."""
    return replace(case, steps=steps)


def equal(clause: str, what: str, got: Any, wanted: Any, law: str) -> None:
    """Raise :class:`Broken` unless two arrays are equal; -0 equals 0."""
    if np.array_equal(got, wanted, equal_nan=True):
        return
    a, b = np.asarray(got), np.asarray(wanted)
    if a.shape != b.shape:
        raise Broken(clause, f"{what} has shape {a.shape}, but {law} {b.shape}")
    place = tuple(int(i) for i in np.argwhere(~((a == b) | (np.isnan(a) & np.isnan(b))))[0])
    where = f"[{', '.join(map(str, place))}]" if place else ""
    raise Broken(clause, f"{what}{where} is {a[place].item()!r}, but {law} {b[place].item()!r}")


def all_equal(clause: str, got: Arrays, wanted: Arrays, law: str) -> None:
    """:func:`equal` for every array of two tables with the same names."""
    for name in wanted:
        if name not in got:
            raise Broken(clause, f"{name} is missing, but {law} it is there")
        equal(clause, name, got[name], wanted[name], law)


GRADIENTS: Mapping[str, str] = {
    "input": "MV-3",
    "weight": "MV-4",
    "bias": "SU-3",
    "input_range": "IR-4",
    "out_scaling_alpha": "SU-2",
}
"""The clause of each gradient."""


def gradients(case: Case, seen: Observation) -> Iterator[tuple[str, str, Any]]:
    """Clause, name and value of each gradient of a step."""
    for name, value in (seen.gradients or {}).items():
        yield GRADIENTS.get(name, "QU-11"), name, value

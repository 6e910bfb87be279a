"""Differences that are no mistake if the program has a freedom that its profile does not declare."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING, Final

from refsim.conformance.admissible import BINARY64, FLOAT32, Profile

from .judge import judge

if TYPE_CHECKING:
    from .diagnosis import Failure
    from .verify import Session

__all__ = ["FREEDOMS", "freedom"]

FREEDOMS: Final[Mapping[str, Callable[[Profile], Profile]]] = {
    "reciprocals": Profile.reciprocals,
    "wider": Profile.wider,
    "codes": Profile.codes,
}
"""What may stand behind the name of a profile."""

ALIKE: Final = 12
"""Failures of the same kind that all have to be admissible with the freedom."""


def freedom(session: Session, failure: Failure) -> str | None:
    """The profile in which a failure and others of its kind are none, in the words of ``--profile``.

    None if there is no such profile: then something is wrong, or more than rounding.
    """
    if failure.finding.kind not in ("violation", "flips"):
        return None
    key = failure.finding.key[1:]
    alike = [each for each in session.failures if each.finding.key[1:] == key]
    alike = [failure, *sorted(alike, key=lambda each: each.weight)[:ALIKE]]
    for name, profile in _freer(session.declared.profile):
        if _all_right(session, alike, profile):
            return name
    return None


def _freer(declared: Profile) -> Iterator[tuple[str, Profile]]:
    """Profiles with more freedom, those with the least first."""
    if declared.lanes is not None:
        yield "float32", replace(declared, lanes=None)
    base = "float64" if declared.format == BINARY64 else "float32"
    for count in range(1, len(FREEDOMS) + 1):
        for names in combinations(FREEDOMS, count):
            freer = replace(declared, lanes=None)
            for name in names:
                freer = FREEDOMS[name](freer)
            if replace(freer, name=declared.name) != declared:
                yield ", ".join((base, *names)), freer
    if base == "float64":
        yield "float32", FLOAT32


def _all_right(session: Session, failures: Sequence[Failure], profile: Profile) -> bool:
    for each in failures:
        declared = session.profile_for(each.recording.case, profile)
        found = judge(each.recording, declared).findings
        if any(f.step == each.finding.step and f.kind != "law" for f in found):
            return False
    return True

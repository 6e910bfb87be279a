"""What ``refsim verify`` found: deviations, a row for each clause, and the verdict."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .check import GroupResult

__all__ = ["Deviation", "Row", "Verdict"]


@dataclass(frozen=True)
class Deviation:
    """A result that does not agree with the specification.

    Parameters
    ----------
    clause
        The clause that made it.
    case
        The generated case or run, which names its seed.
    participant
        Who computed it.
    text
        What differs.
    size
        Number of values of the case, by which the smallest one is found.
    reproduce
        Python statements that make the case again.
    """

    clause: str
    case: str
    participant: str
    text: str
    size: int
    reproduce: str

    def __str__(self) -> str:
        return f"{self.clause} on {self.participant} ({self.case}): {self.text}"


@dataclass
class Row:
    """What was found for one function of the specification, or for whole tiles.

    Parameters
    ----------
    clause, function
        Their names; a whole tile has the clause ``"all"``.
    cases
        Number of comparisons: one for each generated case and participant.
    deviations
        Number of comparisons that do not agree.
    seconds
        Time taken.
    smallest
        The smallest case that does not agree.
    """

    clause: str
    function: str
    cases: int = 0
    deviations: int = 0
    seconds: float = 0.0
    smallest: Deviation | None = None

    @property
    def equal(self) -> int:
        """Number of comparisons in which every bit agrees."""
        return self.cases - self.deviations

    def as_json(self) -> dict[str, Any]:
        """The row as plain values."""
        return {
            "clause": self.clause,
            "function": self.function,
            "cases": self.cases,
            "equal": self.equal,
            "deviations": self.deviations,
            "seconds": round(self.seconds, 6),
            "smallest": None if self.smallest is None else vars(self.smallest),
        }

    def count(self, found: Deviation | None) -> None:
        """Take one comparison into account."""
        self.cases += 1
        if found is not None:
            self.deviations += 1
            if self.smallest is None or found.size < self.smallest.size:
                self.smallest = found


@dataclass
class Verdict:
    """All that ``refsim verify`` found.

    Parameters
    ----------
    seed
        Seed of the generated cases.
    compared
        Labels of the participants that were compared with the specification.
    rows
        One for each clause, and one for whole tiles.
    groups
        Recorded groups, by backend.
    skipped
        Recorded groups that this version does not replay.
    """

    seed: int
    compared: list[str]
    rows: list[Row] = field(default_factory=list)
    groups: dict[str, list[GroupResult]] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)

    @property
    def deviations(self) -> list[Deviation]:
        """The smallest deviation of each row that has any."""
        return [row.smallest for row in self.rows if row.smallest is not None]

    @property
    def passed(self) -> bool:
        """Whether something was compared and all of it agrees."""
        groups = [group for found in self.groups.values() for group in found]
        compared = sum(row.cases for row in self.rows) + sum(group.compared for group in groups)
        return compared > 0 and not self.deviations and all(group.passed for group in groups)

    def sentence(self) -> str:
        """The verdict in plain words."""
        cases, deviations = (
            sum(row.cases for row in self.rows),
            sum(row.deviations for row in self.rows),
        )
        groups = [group for found in self.groups.values() for group in found]
        arrays, failures = (
            sum(group.compared for group in groups),
            sum(len(group.failures) for group in groups),
        )
        missed = sum(len(group.unsupported) for group in groups)
        bits = (
            f"{cases} comparisons with the specification, {deviations} deviations" if cases else ""
        )
        recorded = f"{arrays} recorded arrays, {failures} failures" if groups else ""
        unreplayed = f"{missed} recorded cases could not be replayed" if missed else ""
        counts = "; ".join(filter(None, (bits, recorded, unreplayed))) or "nothing was compared"
        return f"refsim {'agrees' if self.passed else 'does NOT agree'}: {counts}."

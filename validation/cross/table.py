"""Comparisons of recorded with own values, collected by quantity."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Difference:
    """One element that differs by more than rounding: where, and by which clause if it is explained."""

    clause: str
    quantity: str
    step: int
    layer: int
    element: tuple[int, ...]
    recorded: float
    own: float

    def __str__(self) -> str:
        return (
            f"{self.clause} step {self.step} layer {self.layer} {self.quantity}{list(self.element)}: "
            f"{self.recorded!r} and {self.own!r}"
        )


def listed(
    clause: str,
    quantity: str,
    place: tuple[int, int],
    mask: np.ndarray,
    recorded: np.ndarray,
    own: np.ndarray,
) -> list[Difference]:
    """The differences where the mask is true."""
    return [
        Difference(
            clause, quantity, *place, tuple(map(int, at)), float(recorded[*at]), float(own[*at])
        )
        for at in np.argwhere(mask)
    ]


@dataclass
class Row:
    """All comparisons of one quantity."""

    values: int = 0
    equal: int = 0
    largest: float = 0.0
    share: float = 0.0
    flips: list[Difference] = field(default_factory=list)
    unexplained: list[Difference] = field(default_factory=list)


@dataclass
class Table:
    """Rows by quantity, and how often something was met that a run could miss."""

    rows: dict[str, Row] = field(default_factory=dict)
    met: dict[str, int] = field(default_factory=dict)

    def meet(self, what: str, mask: np.ndarray) -> None:
        """Count the true elements."""
        self.met[what] = self.met.get(what, 0) + int(np.count_nonzero(mask))

    def compare(
        self,
        quantity: str,
        place: tuple[int, int],
        recorded: np.ndarray,
        own: np.ndarray,
        bound: np.ndarray | float,
        flipped: np.ndarray | float | None = None,
        clause: str = "",
    ) -> np.ndarray:
        """Compare arrays; returns where a difference is beyond ``bound`` but within ``flipped``."""
        row = self.rows.setdefault(quantity, Row())
        a, b = np.float64(recorded), np.float64(np.reshape(own, np.shape(recorded)))
        difference = np.abs(a - b)
        bound = np.broadcast_to(bound, a.shape)
        outside = ~(difference <= bound)
        flip = outside & (difference <= (bound if flipped is None else flipped))
        row.values += a.size
        row.equal += int(np.count_nonzero(a == b))
        row.largest = max(row.largest, float(np.max(difference, initial=0.0)))
        inside = ~outside & (difference > 0)
        row.share = max(row.share, float(np.max(difference[inside] / bound[inside], initial=0.0)))
        row.flips += listed(clause, quantity, place, flip, a, b)
        row.unexplained += listed("none", quantity, place, outside & ~flip, a, b)
        return flip

    @property
    def flips(self) -> list[Difference]:
        """The explained flips of all quantities."""
        return [flip for row in self.rows.values() for flip in row.flips]

    @property
    def unexplained(self) -> list[Difference]:
        """What nothing explains."""
        return [one for row in self.rows.values() for one in row.unexplained]

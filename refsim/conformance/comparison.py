"""What the replay of a recorded case found, and the comparison of one result with its recording."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from refsim.errors import RangeWarning, RefsimError

from .participants import FAILURES
from .vectors import Arrays

__all__ = ["BOUNDS", "EXCEPTIONS", "CaseResult", "Comparison"]

Bounds = Mapping[np.dtype[Any], float]
BOUNDS: Final[Bounds] = MappingProxyType({np.dtype(np.float32): 1e-5, np.dtype(np.float64): 1e-12})
"""Largest deviation, relative to 1 + |recorded|, by data type."""

EXCEPTIONS: Final[Mapping[tuple[str, str], str]] = MappingProxyType({})
"""Recorded results (case id, array name) that may deviate, each with the reason; there is none."""


@dataclass
class CaseResult:
    """What the replay of a case found.

    Parameters
    ----------
    case
        Its id.
    compared
        Names of the recorded arrays that were compared.
    failures
        What does not agree, by name of the array, in one sentence each.
    largest
        Largest finite deviation relative to ``1 + |recorded|``.
    unsupported
        Why the case cannot be replayed, None if it was.
    """

    case: str
    compared: list[str] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    largest: float = 0.0
    unsupported: str | None = None


@dataclass
class Comparison:
    """Recorded arrays of a case, and what comparing results with them has found.

    Parameters
    ----------
    arrays
        The recorded arrays.
    result
        Where the findings go.
    bounds
        Largest deviation, relative to 1 + |recorded|, by data type.
    """

    arrays: Arrays
    result: CaseResult
    bounds: Bounds = field(default_factory=lambda: BOUNDS)

    @contextmanager
    def until_an_error(self) -> Iterator[None]:
        """Run a replay, without warnings of a negative range; an error in it is a failure of the case."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RangeWarning)
            try:
                yield
            except (RefsimError, *FAILURES) as error:
                self.result.failures["replay"] = (
                    f"the replay stopped with {type(error).__name__}: {error}"
                )

    def compare(self, name: str, found: NDArray[Any] | None) -> None:
        """Compare a result with the recorded array of that name; both or none must exist."""
        recorded = self.arrays.get(name)
        if recorded is None and found is None:
            return
        if found is None or recorded is None:
            missing = "refsim has no such result" if found is None else "it is not recorded"
            self.result.failures[name] = f"{missing}, the other side has one."
            return
        self.result.compared.append(name)
        if found.shape != recorded.shape or found.dtype != recorded.dtype:
            self.result.failures[name] = (
                f"{found.dtype} {found.shape}, recorded is {recorded.dtype} {recorded.shape}."
            )
            return
        self.judge(name, found, recorded)

    def judge(self, name: str, found: NDArray[Any], recorded: NDArray[Any]) -> None:
        """Whether every element is within the bound; NaN and infinity never are."""
        if (self.result.case, name) in EXCEPTIONS:
            return
        reference = recorded.astype(np.float64)
        with np.errstate(invalid="ignore"):
            deviation = np.abs(found - reference) / (1 + np.abs(reference))
        outside = ~(deviation <= self.bounds[found.dtype])
        largest = deviation.max(initial=self.result.largest, where=np.isfinite(deviation))
        self.result.largest = float(largest)
        if outside.any():
            at = tuple(int(i) for i in np.argwhere(outside)[0])
            self.result.failures[name] = (
                f"{int(outside.sum())} of {outside.size} elements deviate, the first at {at}: "
                f"{float(found[at])!r}, recorded is {float(recorded[at])!r}."
            )

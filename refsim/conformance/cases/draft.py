"""What all parts of a generated case share: who picks, what is allowed, and which numbers are wanted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from refsim.config import Choices

from .picker import Picker

__all__ = ["Draft"]

Value = TypeVar("Value")


@dataclass(frozen=True)
class Draft:
    """The settings of one generated case.

    Parameters
    ----------
    pick
        What decides.
    allowed
        The features that the case may ask for.
    exact
        Whether numbers are small multiples of powers of two, so that sums are exact in every order.
    T
        Data type of the tile.
    choices
        The readings that the configuration follows.
    """

    pick: Picker
    allowed: frozenset[str]
    exact: bool
    T: np.dtype[Any]
    choices: Choices

    def may(self, feature: str, p: float = 0.5) -> bool:
        """Whether to use a feature: if it is allowed, with probability ``p``."""
        return feature in self.allowed and self.pick.chance(p)

    def of(self, dyadic: Sequence[Value], free: Sequence[Value]) -> Value:
        """One of the dyadic values in an exact case; else one of all."""
        return self.pick.choice(dyadic if self.exact else (*dyadic, *free))

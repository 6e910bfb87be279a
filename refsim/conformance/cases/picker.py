"""What a generator draws from: random numbers, or Hypothesis, which then shrinks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["Picker", "RandomPicker"]

Value = TypeVar("Value")


class Picker(Protocol):
    """Decisions of a generator; the simplest one is False, the first value, or the number nearest to 0."""

    @property
    def large(self) -> bool:
        """Whether arrays of some thousand elements may be drawn."""
        ...

    def chance(self, p: float) -> bool:
        """True with probability ``p``."""
        ...

    def choice(self, values: Sequence[Value]) -> Value:
        """One of the values."""
        ...

    def integers(self, count: int, low: int, high: int) -> NDArray[np.int64]:
        """Integers from ``low`` to ``high``, both included, ``(count,)``."""
        ...

    def reals(self, count: int, low: float, high: float) -> NDArray[np.float64]:
        """Numbers from ``low`` to ``high``, ``(count,)``."""
        ...


class RandomPicker:
    """Decisions by pseudo-random numbers, the same ones for the same seed.

    Parameters
    ----------
    entropy
        Integers from 0 that name the sequence.

    Examples
    --------
    >>> RandomPicker(7, 0).integers(3, 0, 9).tolist() == RandomPicker(7, 0).integers(3, 0, 9).tolist()
    True
    """

    large = True

    def __init__(self, *entropy: int) -> None:
        self.rng = np.random.Generator(np.random.PCG64(list(entropy)))

    def chance(self, p: float) -> bool:
        """True with probability ``p``."""
        return bool(self.rng.random() < p)

    def choice(self, values: Sequence[Value]) -> Value:
        """One of the values, each as likely as the others."""
        return values[int(self.rng.integers(len(values)))]

    def integers(self, count: int, low: int, high: int) -> NDArray[np.int64]:
        """Integers from ``low`` to ``high``, both included, ``(count,)``."""
        return self.rng.integers(low, high, size=count, endpoint=True)

    def reals(self, count: int, low: float, high: float) -> NDArray[np.float64]:
        """Numbers from ``low`` to ``high``, ``(count,)``."""
        drawn: NDArray[Any] = self.rng.uniform(low, high, size=count)
        return drawn

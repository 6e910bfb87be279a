"""The first stage in which two traces differ, compared bit by bit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from .trace import Stage


@dataclass(frozen=True)
class Difference:
    """Where two traces part.

    Attributes
    ----------
    position
        Number of the stage, from 0.
    clause, name
        The stage, of the first trace if it has one there.
    index
        First element that differs, ``()`` for a scalar; None if the stages are not comparable: another name, data
        type or shape, or no stage at all.
    values
        The two elements, or descriptions of the two stages.
    ulps
        Numbers of the data type from one value to the other, 0 between ``-0`` and ``+0``; None where one is not a
        finite floating-point number.
    """

    position: int
    clause: str
    name: str
    index: tuple[int, ...] | None
    values: tuple[Any, Any]
    ulps: int | None

    def __str__(self) -> str:
        if self.index is None:
            return f"stage {self.position}: {self.values[0]} and {self.values[1]}"
        place = f"[{', '.join(map(str, self.index))}]" if self.index else ""
        distance = "" if self.ulps is None else f", {self.ulps} ulps apart"
        one, other = self.values
        return f"{self.clause} {self.name}{place}: {one!s} and {other!s}{distance}"


def first_difference(one: Sequence[Stage], other: Sequence[Stage]) -> Difference | None:
    """The first difference of two lists of stages, None if they are equal bit for bit."""
    for position, (a, b) in enumerate(zip_longest(one, other)):
        if (found := _stage_difference(position, a, b)) is not None:
            return found
    return None


def ulps_between(a: Any, b: Any) -> int | None:
    """How many numbers of their data type two values are apart; None unless both are finite.

    >>> ulps_between(np.float32(1), np.nextafter(np.float32(1), np.float32(2)))
    1
    >>> ulps_between(np.float64(-0.0), np.float64(0.0))
    0
    """
    if a.dtype.kind != "f" or not (np.isfinite(a) and np.isfinite(b)):
        return None
    return abs(_ordinal(a) - _ordinal(b))


def _ordinal(x: Any) -> int:
    bits = int(np.abs(x).view(f"i{x.dtype.itemsize}"))
    return -bits if np.signbit(x) else bits


def _stage_difference(position: int, a: Stage | None, b: Stage | None) -> Difference | None:
    described = _described(a), _described(b)
    if a is None or b is None or described[0] != described[1]:
        stage = a or b
        assert stage is not None
        return Difference(position, stage.clause, stage.name, None, described, None)
    x, y = np.ascontiguousarray(a.value), np.ascontiguousarray(b.value)
    unequal = _bits(x) != _bits(y)
    if not unequal.any():
        return None
    index = tuple(map(int, np.unravel_index(int(unequal.argmax()), x.shape)))
    values = x[index], y[index]
    shown = index if np.ndim(a.value) else ()
    return Difference(position, a.clause, a.name, shown, values, ulps_between(*values))


def _described(stage: Stage | None) -> str:
    if stage is None:
        return "no stage"
    array = np.asarray(stage.value)
    return f"{stage.clause} {stage.name} {array.dtype} {array.shape}"


def _bits(array: Any) -> Any:
    return array.view(f"i{array.dtype.itemsize}") if array.dtype.kind == "f" else array

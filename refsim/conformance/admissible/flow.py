"""The sets of all stages, each computed from the values of the implementation where it shows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from refsim.errors import ShapeError

from .interval import Floats, Interval, hull, near
from .rounding import Margin

if TYPE_CHECKING:
    from .grid import Grid

__all__ = ["Admissible", "Flow"]


@dataclass
class Admissible:
    """What one stage may be: a set for each branch that is possible."""

    clause: str
    name: str
    sets: list[Interval] = field(default_factory=list)

    def holds(self, value: Floats) -> bool:
        """Whether all of a value is in one of the sets."""
        shape = self.sets[0].flat.lo.shape
        inside = [each.contains(value.reshape(shape)) for each in self.sets]
        return bool(np.logical_or.reduce(inside).all())


@dataclass
class Flow:
    """The stages in order.

    Parameters
    ----------
    given
        Stages of the implementation by name; what follows is judged from them.
    grids
        Grids that each quantiser may have had, by its name.
    hidden
        How much of itself a value may have lost when it was shown.

    Examples
    --------
    >>> from refsim.conformance.admissible.interval import point
    >>> flow = Flow({"scaled_input": point([0.5]).lo})
    >>> print(flow.add("IR-3", "scaled_input", point([0.25])).lo)
    [0.5]
    >>> print(flow.found["scaled_input"].sets[0].lo)
    [0.25]
    """

    given: Mapping[str, Floats]
    found: dict[str, Admissible] = field(default_factory=dict)
    margins: list[Margin] = field(default_factory=list)
    grids: dict[str, list[Grid]] = field(default_factory=dict)
    hidden: float = 0.0

    def add(self, clause: str, name: str, value: Interval) -> Interval:
        """Enter a set, and return what the next stage starts from."""
        self.found.setdefault(name, Admissible(clause, name)).sets.append(value)
        return self._shown(name, value) if name in self.given else value

    def _shown(self, name: str, value: Interval) -> Interval:
        """What is given, and the set in place of NaN."""
        array = self.given[name]
        shape = value.lo.shape[-2:] if value.lo.ndim == 3 else value.lo.shape
        if array.size != int(np.prod(shape)):
            raise ShapeError(f"the stage {name} has shape {array.shape}, allowed is {shape}.")
        array = array.reshape(shape)
        unknown = np.isnan(array)
        if not unknown.any():
            return near(array, value.flat, self.hidden)
        flat = value.flat
        return Interval(np.where(unknown, flat.lo, array), np.where(unknown, flat.hi, array))

    def __contains__(self, name: str) -> bool:
        return name in self.found

    def value(self, name: str) -> Interval:
        """What stages behind this one start from, whichever branch was taken."""
        whole = hull(*(each.flat for each in self.found[name].sets))
        return self._shown(name, whole) if name in self.given else whole

"""Known mistakes: wrong writings of every clause that an engineer might well produce.

The tests of refsim must reject each of them, and the conformance kit names the one that explains what an implementation
returns.
"""

from __future__ import annotations

from . import (
    arrays,
    core,
    crossbar,
    manual,
    network,
    numbers,
    periphery,
    quantisers,
    ranges,
)
from .mistake import Function, Wrong

__all__ = ["MISTAKES", "Function", "Wrong"]

MISTAKES: tuple[Wrong, ...] = (
    *numbers.WRONG,
    *core.WRONG,
    *crossbar.WRONG,
    *periphery.WRONG,
    *network.WRONG,
    *arrays.WRONG,
    *quantisers.WRONG,
    *ranges.WRONG,
    *manual.WRONG,
)
"""All of them, in the order of the specification."""

"""What a tile of the autograd path keeps of a forward pass for the way back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from refsim.spec.sums import Array, Scalar

from . import settings
from .core import CoreRecord


@dataclass
class Outputs:
    """The output of the tile, and what the way back through its scales needs."""

    y: Array
    s: Array | None
    kappa: Array | None
    a: Array | None
    scaled: Array


@dataclass
class ForwardRecord:
    """What the backward pass needs of the last forward pass."""

    lead: tuple[int, ...]
    x: Array
    r: Scalar | None
    range: settings.Range | None
    c: Array
    core: CoreRecord
    outputs: Any

    @property
    def s(self) -> Array | None:
        """Mapping scales of that pass."""
        scales: Array | None = self.outputs.s
        return scales

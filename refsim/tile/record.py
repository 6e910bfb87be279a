"""What a tile of the autograd path keeps of a forward pass for the way back."""

from __future__ import annotations

from dataclasses import dataclass

from refsim.spec.sums import Array, Scalar

from . import settings
from .core import CoreRecord


@dataclass
class Given:
    """What a forward pass starts from, copied: the batch, the range, and scales and bias behind the core."""

    lead: tuple[int, ...]
    x: Array
    r: Scalar | None
    range: settings.Range | None
    kappa: Array | None
    s: Array | None
    a: Array | None
    bias: Array | None
    step: int

    @property
    def periphery(self) -> tuple[Array | None, Array | None, Array | None]:
        """Two factors and a bias, applied in this order."""
        return self.kappa, self.a, self.bias


@dataclass
class Stages:
    """What the backward pass needs of the stages of a forward pass."""

    c: Array
    core: CoreRecord
    scaled: Array

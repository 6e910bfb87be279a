"""Right tiles of another form: reciprocals, other layouts, codes, other formulas."""

from __future__ import annotations

from typing import Any

import numpy as np

from refsim.config import RPUDataType
from refsim.conformance.admissible import FLOAT32, FLOAT64
from refsim.errors import Unsupported

from .registry import right

Array = Any


@right(FLOAT64, double=True)
class DoublePrecision:
    """float64 throughout."""

    def data_type(self, config: Any) -> Any:
        if config.runtime.data_type != RPUDataType.DOUBLE:
            raise Unsupported("float64 only")
        return np.float64


@right(FLOAT32.wider())
class WideInside:
    """float64 inside; inputs, outputs, gradients and what is stored are float32."""

    def data_type(self, config: Any) -> Any:
        return np.float64

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.stored()

    def stored(self) -> None:
        for name, value in self.values.items():
            self.values[name] = value.astype(np.float32).astype(value.dtype)

    def forward(self, x: Array, training: bool, noise: Any) -> Array:
        y = super().forward(np.asarray(x, np.float64), training, noise)
        self.stored()
        return y.astype(np.float32)

    def backward(self, dy: Array) -> Any:
        found = super().backward(np.asarray(dy, np.float64))
        return {name: value.astype(np.float32) for name, value in found.items()}

    def accumulate(self, name: str, gradient: Array) -> None:
        super().accumulate(name, gradient)
        kept = self.gradients[name]
        self.gradients[name] = kept.astype(np.float32).astype(kept.dtype)

    def optimise(self, **sgd: Any) -> None:
        super().optimise(**sgd)
        self.stored()

    def set_weights(self, weight: Array, bias: Array | None) -> None:
        super().set_weights(weight, bias)
        self.stored()

    def calibrate(self, kind: Any, batches: Any, **options: Any) -> None:
        super().calibrate(kind, batches, **options)
        self.stored()


@right(FLOAT32.reciprocals())
class Reciprocals:
    """Divisions are products with the reciprocal, where that is a normal number."""

    def quotient(self, a: Array, b: Array) -> Array:
        inverse = np.asarray(b).dtype.type(1) / b
        least = np.finfo(inverse.dtype).smallest_normal
        normal = np.isfinite(inverse) & (np.abs(inverse) >= least)
        return np.where(normal, a * inverse, a / b)[()]


@right(FLOAT32.reciprocals())
class ReciprocalSteps:
    """Levels are values times the number of steps per unit, which is formed in float64."""

    def on_grid(self, x: Array, step: Array, shift: Array | None) -> Array:
        if step == 0:
            return super().on_grid(x, step, shift)
        levels = x * self.T(1 / np.float64(step))
        levels = levels if shift is None else levels + shift
        return self.rounded(levels) * step


@right()
class Einsum:
    """Products by index notation, without BLAS."""

    def dots(self, a: Array, b: Array) -> Array:
        return np.einsum("ki,li->kl", a, b, optimize=False)


@right()
class TransposedWeights:
    """Weights stand in columns, and products are taken from the other side."""

    def dots(self, a: Array, b: Array) -> Array:
        return (np.asfortranarray(b) @ np.ascontiguousarray(a.T)).T


@right()
class RowByRow:
    """Each row of the batch is multiplied by itself."""

    def dots(self, a: Array, b: Array) -> Array:
        rows = [b @ row for row in a]
        return np.stack(rows) if rows else np.zeros((0, len(b)), a.dtype)


@right()
class InPlaceBuffers:
    """Results are written into buffers that all passes share."""

    def buffer(self, name: str, shape: tuple[int, ...]) -> Array:
        kept = vars(self).setdefault("buffers", {})
        if name not in kept or kept[name].shape != shape:
            kept[name] = np.empty(shape, self.T)
        return kept[name]

    def on_grid(self, x: Array, step: Array, shift: Array | None) -> Array:
        shape = np.shape(x) if shift is None else np.broadcast_shapes(np.shape(x), shift.shape)
        levels = self.buffer("levels", shape)
        np.divide(x, step, out=levels)
        if shift is not None:
            levels = np.add(levels, shift, out=levels)
        np.rint(levels, out=levels)
        return np.multiply(levels, step)

    def clipped_input(self, x: Array) -> Array:
        bound = np.abs(self.r)
        return np.clip(x, -bound, bound, out=self.buffer("clipped", x.shape))

    def outputs(self, z: Array) -> Array:
        y = super().outputs(z)
        out = self.buffer("outputs", y.shape)
        out[...] = y
        return out


@right()
class IntegerCodes:
    """Rounded values are integers until they meet the next operation."""

    def rounded(self, levels: Array) -> Array:
        whole = np.rint(levels)
        small = np.abs(whole) < self.T(2**53)
        return np.where(small, np.where(small, whole, 0).astype(np.int64), whole).astype(self.T)

    def codes(self, name: str, x: Array) -> Array:
        lowest, highest = self.code_range(name)
        n = np.clip(self.unclipped_codes(name, x), lowest, highest).astype(np.int64)
        return n.astype(self.T)


@right()
class ShiftedDeviation:
    """The standard deviation in one pass, around the first element, in float64."""

    def deviation(self, x: Array) -> Array:
        if x.size < 2:
            return x.dtype.type(np.nan)
        d = np.ravel(x).astype(np.float64)
        d = d - d[0]
        variance = (np.sum(d * d) - np.sum(d) ** 2 / d.size) / (d.size - 1)
        return x.dtype.type(np.sqrt(max(variance, 0.0)))


@right()
class ResidualTermByTerm:
    """The residual is the sum of outputs minus that of inputs, each term divided by the range."""

    def residual(self, rest: Array, dv: Array) -> Array:
        return self.output_sum(rest) - self.total(self.quotient(dv * self.v, self.r))


@right()
class RowsInOtherOrder:
    """Sums over the batch go through the rows backwards."""

    def total(self, a: Array, axis: int | None = None) -> Array:
        return super().total(a if axis == 1 else a[::-1].copy(), axis)

    def outer(self, g: Array, d: Array) -> Array:
        return super().outer(g[::-1], d[::-1])


@right()
class MasksInsteadOfClips:
    """Clips by comparison and selection."""

    def clipped_input(self, x: Array) -> Array:
        bound = np.abs(self.r)
        return np.where(x > bound, bound, np.where(x < -bound, -bound, x))

    def within(self, x: Array, bound: float) -> Array:
        b = self.setting(bound)
        return np.where(np.abs(x) > b, np.copysign(b, x), x) if bound > 0 else x

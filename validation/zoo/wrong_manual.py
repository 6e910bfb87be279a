"""Mistakes about the manual path, and about calibration."""

from __future__ import annotations

from typing import Any

import numpy as np

from .registry import mistake
from .sources import BACKWARD_NOT_IDEAL, CALIBRATION

Array = Any
INFERENCE, CUSTOM = ("inference_tile", "backward"), ("custom_tile", "sgd")


@mistake("MV-3", "IR-9", needs=INFERENCE)
class ManualPathBlocks:
    """Clipped inputs receive no gradient, as on the autograd path."""

    def core_backward(self, g: Array) -> Array:
        d = super().core_backward(g)
        return np.where(self.passes_range(self.x), d, self.T(0)) if self.ranged else d


@mistake("MV-4", "MS-5", needs=INFERENCE)
class WeightGradientWithRange:
    """The weight gradient takes the clipped input, not the one in units of the range."""

    def take_weight_gradient(self, h: Array, c: Array, found: dict[str, Array]) -> None:
        found["weight"] = self.outer(h, self.c)


@mistake("MS-5", "MV-4", "BP-4", needs=INFERENCE)
class WeightGradientMasked:
    """The mask of clipped outputs also acts on the weight gradient."""

    def unscaled(self, g0: Array) -> tuple[Array, Array]:
        clipped = self.output_mask()
        return super().unscaled(g0 if clipped is None else np.where(clipped, self.T(0), g0))


@mistake("BP-3", "BP-4", "MV-3", needs=INFERENCE)
class MaskForgotten:
    """Clipped outputs send their gradient on."""

    def output_mask(self) -> Array | None:
        return None


@mistake("MV-3", source=BACKWARD_NOT_IDEAL, needs=INFERENCE)
class BackwardNotIdeal:
    """The way back goes through the converters of the forward pass, although the backward settings are perfect."""

    def core_backward(self, g: Array) -> Array:
        self.config.backward = self.config.forward
        return super().core_backward(g)


@mistake("BM-3", needs=("inference_tile", "bound_management"))
class RowsManagedTogether:
    """One row that does not fit sends all rows through another pass."""

    def rows_fit(self, t: Array, io: Any) -> Array:
        return np.full(len(t), super().rows_fit(t, io).all())


@mistake("IR-7", "IR-8", "IR-5", needs=INFERENCE)
class ResidualOnManualPath:
    """The gradient of the range has the residual of the autograd path."""

    def decayed(self, gradient: Array, c: Array) -> Array:
        g = getattr(self, "upstream", None)
        result = super().decayed(gradient, c)
        return result if g is None else result + self.output_sum(g)

    def periphery_gradients(self, g: Array) -> Any:
        found, self.upstream = super().periphery_gradients(g)
        return found, self.upstream


@mistake("MS-5", "OP-1", "MV-4", needs=CUSTOM)
class UpdateWithOldRange:
    """The update of the weight takes the range from before the step."""

    def optimise(self, **sgd: Any) -> None:
        kept = self.values.get("input_range")
        pending, self.pending = self.pending, []
        before = kept if kept is None else kept.copy()
        super().optimise(**sgd)
        after = self.values.get("input_range")
        if before is not None:
            self.values["input_range"] = before
        self.apply(pending, sgd["lr"])
        if after is not None:
            self.values["input_range"] = after

    def apply(self, pending: Any, lr: float) -> None:
        for x, h, c in pending:
            v = self.scaled_input(self.clipped_input(x)) if self.ranged else x
            self.values["weight"] = self.values["weight"] - self.T(lr) * c * self.outer(h, v)


@mistake("MS-5", "OP-1", "MV-4", needs=CUSTOM)
class LatestUpdateOnly:
    """Of several backward passes only the last one updates the weight."""

    def take_weight_gradient(self, h: Array, c: Array, found: dict[str, Array]) -> None:
        self.pending.clear()
        super().take_weight_gradient(h, c, found)


@mistake("CA-1", source=CALIBRATION, needs=["input_range", "calibration"])
class SignedQuantile:
    """The quantile of a calibration is that of signed inputs."""

    def magnitudes(self, values: Array) -> Array:
        return values


@mistake("CA-1", "CA-2", "IR-1", needs=["input_range", "calibration"])
class ZeroRowsCalibrate:
    """Rows of zeros take part in a calibration."""

    def nonzero_rows(self, rows: Array) -> Array:
        return rows


@mistake("CA-2", "CA-1", "IR-1", needs=["input_range", "calibration"])
class CalibrationFromInitialValue:
    """A moving calibration averages with the range that was there before."""

    def move(self, value: Array) -> None:
        self.values["input_range_update_idx"][0] += 1
        super().move(value)
        self.values["input_range_update_idx"][0] -= 1

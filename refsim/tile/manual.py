"""The manual path: the way back is written by hand, not derived from the forward pass (clauses of docs/paths.md)."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import NDArray

from refsim.spec.sums import Array, Scalar

from . import output_clipping
from .core import CoreRecord, finite
from .manual_settings import ManualCore
from .noise import BackwardNoise
from .periphery_tile import PeripheryTile
from .record import Given, Stages
from .trace import Trace


class ManualTile(PeripheryTile):
    r"""What the tiles of the manual path share: the backward pass.

    With :math:`g_0 = g a` and :math:`g_1 = (g_0 s)(1 - M)`, the input gradient is what the core makes of
    :math:`g_1` on the way back, the range gradient is the rule with growth and decay, and the weight gradient is
    :math:`(g_0 / (s c))^\mathsf{T} v`. No converter of the forward pass has a part in it.
    """

    @overload
    def backward(
        self,
        dy: object,
        *,
        noise: Mapping[str, object] | None = None,
        trace: Literal[False] = False,
    ) -> Array: ...

    @overload
    def backward(
        self, dy: object, *, noise: Mapping[str, object] | None = None, trace: Literal[True]
    ) -> tuple[Array, Trace]: ...

    def backward(
        self, dy: object, *, noise: Mapping[str, object] | None = None, trace: bool = False
    ) -> Array | tuple[Array, Trace]:
        """Gradient of the input, and of all parameters, accumulated in ``tile.gradients``.

        Parameters
        ----------
        dy
            ``(..., out)``, gradient of the loss with respect to the output of the last forward pass.
        noise
            Noise arrays of the way back to use instead of addressed numbers, as for ``forward``: ``inp_noise`` and
            ``inp_sto_round`` have the shape of ``dy``, ``out_noise`` and ``out_sto_round`` that of ``x``.
        trace
            Whether to return the trace as well.

        Returns
        -------
        ``(..., in)``, the input gradient of the manual path; with ``trace=True`` also the trace.

        Raises
        ------
        StateError
            If there is no forward pass to go back through, or a sum overflows; nothing is changed.
        InputError, ShapeError
            If ``dy`` or ``noise`` does not fit; nothing is changed.
        """
        return self._run_backward(dy, trace, noise=noise)

    def _backward(
        self, given: Given, record: Stages, g: Array, trace: Trace, **options: Any
    ) -> tuple[Array, dict[str, Array]]:
        ops, s = self.ops, record.core.settings
        assert isinstance(s, ManualCore)
        trace.add("BP-1", "output_gradient", g)
        g, gradients = self._through_periphery(given, record, g, trace)
        g1 = g if given.s is None else ops.scaled_output(g, given.s)
        trace.add("PP-1", "core_output_gradient", g1)
        mask = self._clip_mask(record.core)
        if mask is not None:
            g1 = ops.masked_gradient(g1, mask)
            trace.add("BP-3", "output_clip_mask", mask)
            trace.add("BP-4", "masked_output_gradient", g1)
        noise = BackwardNoise(
            ops, self.seed, given.step, self.dtype, given.lead, s.back.iterative, options["noise"]
        )
        dx = self._core_backward(record.core, s, g1, noise, trace)
        if trace.keeps:
            trace.keep_noise(noise)
        trace.add("MV-3", "input_gradient", dx)
        h, c = self._weight_factor(given, s, g, trace)
        self._take_weight_gradient(given, record.core, h, c, gradients, trace)
        learned = "input_range" in self.parameters
        if given.r is not None and (learned or trace.keeps):
            dr = self._manual_range_gradient(given, record.core, dx, mask, trace)
            if learned:
                gradients["input_range"] = np.full(1, dr)
        return dx, gradients

    @abstractmethod
    def _core_backward(
        self, record: CoreRecord, s: ManualCore, g: Array, noise: BackwardNoise, trace: Trace
    ) -> Array:
        """The input gradient."""

    @abstractmethod
    def _take_weight_gradient(
        self,
        given: Given,
        record: CoreRecord,
        h: Array,
        c: Scalar,
        gradients: dict[str, Array],
        trace: Trace,
    ) -> None:
        """Do with the gradient of the outputs, over scale and compensation, what the tile does for its weight."""

    def _clip_mask(self, record: CoreRecord) -> NDArray[np.bool_] | None:
        """Outputs that count as clipped; None where the tile records none."""
        return output_clipping.clip_mask(self.ops, record)

    def _noise_spread(self, spread: float) -> float:
        return spread

    def rate_compensation(self, s: Array | None, compensated: bool) -> Scalar:
        """The factor ``c`` on the learning rate, 1 without compensation or scales."""
        if s is None or not compensated:
            return self.dtype.type(1)
        return finite(self.ops.rate_compensation(s), f"the compensation of the rate of {self.name}")

    def _weight_factor(
        self, given: Given, s: ManualCore, g: Array, trace: Trace
    ) -> tuple[Array, Scalar]:
        """Gradient of the outputs as the weight gradient takes it, clipped ones included; and the compensation."""
        if given.s is None:
            return g, self.dtype.type(1)
        c = self.rate_compensation(given.s, s.compensated)
        h = self.ops.unscaled_gradient(g, given.s, c)
        finite(h, f"the weight gradient of {self.name}")
        trace.add("MS-4", "rate_compensation", c)
        trace.add("MS-5", "unscaled_output_gradient", h)
        return h, c

    def _manual_range_gradient(
        self,
        given: Given,
        record: CoreRecord,
        d: Array,
        mask: NDArray[np.bool_] | None,
        trace: Trace,
    ) -> Scalar:
        """Rule, growth and decay; the raw input stands where the autograd path has the clipped one."""
        ops, r, s = self.ops, given.r, given.range
        assert s is not None
        upper, lower = ops.range_rule_sums(given.x, d, r)
        rule = ops.range_rule(upper, lower, r, s.relative, s.scale)
        trace.add("IR-4", "range_rule_upper", upper)
        trace.add("IR-4", "range_rule_lower", lower)
        trace.add("IR-5", "range_rule", rule)
        grown = rule
        if mask is not None:
            grown = output_clipping.grown(ops, rule, given, record, trace, mask)
        fraction = ops.unclipped_fraction(given.x, r)
        result = ops.range_decay(grown, r, s.decay, fraction, s.min_percentage)
        trace.add("IR-6", "unclipped_fraction", fraction)
        trace.add("IR-7", "range_gradient", result)
        return finite(result, f"the range gradient of {self.name}")

"""The tile of the autograd path: its way back, by the chain rule."""

from __future__ import annotations

from typing import Any

import numpy as np

from refsim.config.support import check_torch_inference
from refsim.spec.sums import Array, Scalar

from . import core, fused, output_clipping, post_update, settings
from .core import CoreRecord, finite
from .fused import FusedCore, RangeSums
from .periphery_tile import PeripheryTile
from .record import Given, Stages
from .trace import NoTrace, Trace


class TorchInferenceTile(PeripheryTile):
    """Analog tile whose gradients follow the chain rule through converters, plus the rule of the input range.

    The name is aihwkit's; no PyTorch is involved. Parameters as for :class:`refsim.tile.state.Tile`.

    Raises
    ------
    ConfigError
        If the configuration asks for something that this tile cannot honour.

    Examples
    --------
    >>> import numpy as np, refsim as rs
    >>> io = rs.IOParameters(inp_res=4, out_res=-1, out_noise=0.0,
    ...     noise_management=rs.NoiseManagementType.NONE, bound_management=rs.BoundManagementType.NONE)
    >>> tile = rs.TorchInferenceRPUConfig(forward=io).create_tile(out_size=1, in_size=2, backend="spec")
    >>> tile.set_weights([[2.0, -1.0]])
    >>> tile.forward([[0.6, 0.2]])
    array([[1.]], dtype=float32)
    >>> tile.backward([[1.0]])
    array([[ 2., -1.]], dtype=float32)
    >>> tile.gradients["weight"]
    array([[0.5, 0. ]], dtype=float32)
    """

    final_is_plain: bool = True
    """Whether nothing follows scales and bias."""

    def check_config(self) -> None:
        """Refuse what the autograd path cannot honour."""
        self._checked_settings()

    def _checked_settings(self) -> tuple[settings.Core, settings.Range | None]:
        check_torch_inference(self.config, self.has_bias)
        return self._settings()

    def _settings(self) -> tuple[settings.Core, settings.Range | None]:
        mask = self.config.choices.output_clip_mask
        return settings.core(self.config.forward, self.dtype, mask), self._range_settings()

    def _fuses(self, s: settings.Core, weight: Array) -> bool:
        """Whether the output does not need the stages one by one."""
        return fused.possible(s, weight)

    def stays_on_device(self, s: settings.Core, range_settings: settings.Range | None) -> bool:
        """Whether a pass with device arrays may leave them there: fused, and nothing is learned from the data first."""
        if not self.final_is_plain:
            return False
        if range_settings is None or not self.training:
            return True
        counter = self.buffers.get("input_range_update_idx", [np.inf])
        return bool(counter[0] >= range_settings.init_batches)

    def _gradients(
        self, given: Given, record: Stages | FusedCore, g: Array, trace: Trace, **options: Any
    ) -> tuple[Array, dict[str, Array]]:
        """Gradients of the input and of the parameters, fused where nothing needs the stages."""
        grows = given.range is not None and given.range.grows
        seen = trace.keeps or grows
        if isinstance(record, FusedCore) and not seen and self._fuses_back(given):
            back = fused.backward(self.ops, record, g, given.kappa, given.s, self.name)
            if back is not None:
                return back.x, self._fused_gradients(given, back, g)
        return self._backward(given, self._restored(given, record), g, trace)

    def _fuses_back(self, given: Given) -> bool:
        """Whether no gradient needs the output of the core."""
        return given.a is None

    def _fused_gradients(self, given: Given, back: fused.Gradients, g: Array) -> dict[str, Array]:
        s, gradients = given.s, {}
        if self.has_bias:
            gradients["bias"] = self.ops.column_totals(g)
        weight = back.weight if s is None else self.ops.stored_weight_gradient(back.weight, s)
        gradients["weight"] = weight
        if "input_range" in self.parameters:
            gradient = self._range_gradient(given, back.sums, NoTrace())
            gradients["input_range"] = np.full(1, gradient)
        return gradients

    def _backward(
        self, given: Given, record: Stages, g: Array, trace: Trace, **options: Any
    ) -> tuple[Array, dict[str, Array]]:
        ops, s = self.ops, given.s
        gradients: dict[str, Array] = {}
        trace.add("BP-1", "output_gradient", g)
        gz, rest = self._output_gradients(given, record, g, gradients, trace)
        trace.add("PP-1", "core_output_gradient", gz)
        back = core.backward(ops, record.core, gz, trace, self.name)
        if back.weight is not None:
            dw = back.weight if s is None else ops.stored_weight_gradient(back.weight, s)
            gradients["weight"] = dw
            trace.add("MV-4" if s is None else "MS-3", "weight_gradient", dw)
        if given.r is None:
            return back.v, gradients
        d, dx = ops.range_input_gradient(back.v, given.x, given.r)
        finite(d, f"the input gradient of {self.name}")
        trace.add("IR-9", "clipped_input_gradient", d)
        if trace.keeps:
            trace.add("IR-9", "clip_pass_mask", np.abs(given.x) <= np.abs(given.r))
        trace.add("IR-9", "input_gradient", dx)
        if "input_range" in self.parameters:
            sums = self._range_sums(given, record, rest, back.v, d)
            gradients["input_range"] = np.full(
                1, self._range_gradient(given, sums, trace, record.core)
            )
        return dx, gradients

    def _output_gradients(
        self, given: Given, record: Stages, g: Array, gradients: dict[str, Array], trace: Trace
    ) -> tuple[Array, Array]:
        """Gradient of the core output, and what the range gradient needs of that of the output; fills ``gradients``."""
        g, found = self._through_periphery(given, record, g, trace)
        gradients |= found
        return g if given.kappa is None else self.ops.scaled_output(g, given.kappa), g

    def _output_sum(self, given: Given, record: Stages, g: Array) -> Scalar:
        """Derivative of the loss with respect to the range as a factor of the output."""
        g_s = g if given.s is None else self.ops.scaled_output(g, given.s)
        return self.ops.product_total(g_s, record.core.z)

    def _range_sums(
        self, given: Given, record: Stages, rest: Array, dv: Array, d: Array
    ) -> RangeSums | None:
        """The sums of the range gradient, None after the all-zero shortcut."""
        ops, r = self.ops, given.r
        if record.core.shortcut:
            return None
        upper, lower = ops.range_rule_sums(record.c, d, r)
        fraction = ops.unclipped_fraction(record.c, r)
        output_sum = self._output_sum(given, record, rest)
        return RangeSums(upper, lower, fraction, output_sum, ops.product_total(dv, record.core.v))

    def _range_gradient(
        self, given: Given, sums: RangeSums | None, trace: Trace, record: CoreRecord | None = None
    ) -> Scalar:
        """Rule, growth, decay and residual; only zero after the all-zero shortcut."""
        ops, r, s = self.ops, given.r, given.range
        if sums is None:
            trace.add("IR-8", "range_gradient", self.dtype.type(0))
            return self.dtype.type(0)
        assert s is not None
        rule = ops.range_rule(sums.upper, sums.lower, r, s.relative, s.scale)
        trace.add("IR-4", "range_rule_upper", sums.upper)
        trace.add("IR-4", "range_rule_lower", sums.lower)
        trace.add("IR-5", "range_rule", rule)
        grown = output_clipping.grown(ops, rule, given, record, trace)
        decayed = ops.range_decay(grown, r, s.decay, sums.fraction, s.min_percentage)
        residual = ops.range_residual(sums.output_sum, sums.input_sum, r)
        for clause, name, value in (
            ("IR-6", "unclipped_fraction", sums.fraction),
            ("IR-7", "range_rule_with_decay", decayed),
            ("SU-2", "range_output_sum", sums.output_sum),
            ("SU-2", "range_input_sum", sums.input_sum),
            ("IR-8", "range_residual", residual),
            ("IR-8", "range_gradient", decayed + residual),
        ):
            trace.add(clause, name, value)
        return decayed + residual

    def after_update(self, values: dict[str, Array]) -> dict[str, Array]:
        """Values after clip and remap, as configured."""
        self.check_config()
        with np.errstate(all="ignore"):
            return post_update.remapped(self, post_update.clipped(self, values))

    def post_update(self) -> None:
        """Clip and remap the weights, as configured; :meth:`refsim.SGD.step` does so after each step."""
        self.assign(self.after_update(dict(self.parameters)))

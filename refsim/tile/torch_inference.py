"""The tile of the autograd path (clauses IR, NM, BM, DC, MV, PP, BP, WM, WP in their order)."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, Literal, overload

import numpy as np

from refsim.config.base import latest_change
from refsim.config.support import check_torch_inference
from refsim.errors import RangeWarning, ShapeError, StateError
from refsim.spec.sums import Array, Scalar

from . import core, fused, modifier, post_update, settings, stages
from .arrays import as_rows, check_finite
from .core import finite
from .fused import FusedCore, RangeSums
from .noise import NoiseSource
from .record import Given, Stages
from .state import Tile
from .trace import NoTrace, Trace


class TorchInferenceTile(Tile):
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

    _record: tuple[Given, Stages | FusedCore] | None = None
    _warned: bool = False
    _known: tuple[Any, Any, Any] = (None, None, None)

    def check_config(self) -> None:
        """Refuse what the autograd path cannot honour."""
        self._checked_settings()

    def _checked_settings(self) -> tuple[settings.Core, settings.Range | None]:
        check_torch_inference(self.config, self.has_bias)
        return self._settings()

    def _settings(self) -> tuple[settings.Core, settings.Range | None]:
        p, choices = self.config.pre_post.input_range, self.config.choices
        range_settings = settings.input_range(p, choices.gradient_scale_applies, self.dtype)
        return settings.core(self.config.forward, self.dtype), range_settings

    def _current_settings(self) -> tuple[settings.Core, settings.Range | None]:
        """The settings, checked again after a change of any configuration."""
        change = latest_change()
        if self._known[0] is not change or self._known[1] is not self.config:
            current = self._checked_settings()
            self.check_unchanged()
            self._known = change, self.config, current
        return self._known[2]

    def __call__(self, x: object, **options: Any) -> Any:
        """The same as :meth:`forward`."""
        return self.forward(x, **options)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(out_size={self.out_size}, in_size={self.in_size}, bias={self.has_bias}, "
            f"seed={self.seed}, backend={self.backend!r}, name={self.name!r}"
            f"{'' if self.golden else ', golden=False'})"
        )

    def _forget(self) -> None:
        self._record = None

    @overload
    def forward(
        self, x: object, *, noise: Mapping[str, object] | None = None, trace: Literal[False] = False
    ) -> Array: ...

    @overload
    def forward(
        self, x: object, *, noise: Mapping[str, object] | None = None, trace: Literal[True]
    ) -> tuple[Array, Trace]: ...

    def forward(
        self, x: object, *, noise: Mapping[str, object] | None = None, trace: bool = False
    ) -> Array | tuple[Array, Trace]:
        """Output of the tile for a batch.

        Parameters
        ----------
        x
            ``(..., in)``, real numbers that the data type of the tile holds exactly.
        noise
            Noise arrays to use instead of addressed numbers, by name: ``inp_noise``, ``out_noise``,
            ``weight_noise`` (unit deviates), ``inp_sto_round``, ``out_sto_round``, ``weight_sto_round`` (uniforms in
            [-0.5, 0.5)). With bound management those of inputs and outputs have a leading axis of passes.
        trace
            Whether to return the trace as well.

        Returns
        -------
        ``(..., out)``; with ``trace=True`` also a :class:`~refsim.tile.trace.Trace` with every intermediate and
        the noise used.

        Raises
        ------
        InputError, ShapeError
            If ``x`` or ``noise`` does not fit; nothing is changed.
        StateError
            If the range is 0, NaN or infinite, or a sum overflows; nothing is changed.
        ConfigError
            If the configuration was changed to something that the tile cannot honour.
        """
        s, range_settings = self._current_settings()
        self.check_live()
        self.check_step()
        rows, lead = as_rows(x, self.dtype, self.in_size, "x", checked=False)
        kept = Trace(golden=self.golden) if trace else NoTrace()
        with np.errstate(all="ignore"):
            y = self._forward(rows, lead, s, range_settings, noise, kept)
        y = y.reshape(*lead, self.out_size)
        return (y, kept) if trace else y

    def _forward(
        self,
        x: Array,
        lead: tuple[int, ...],
        s: settings.Core,
        range_settings: settings.Range | None,
        injected: Mapping[str, object] | None,
        trace: Trace,
    ) -> Array:
        ops = self.ops
        noise = NoiseSource(ops, self.seed, self.step, self.dtype, lead, s.iterative, injected)
        trace.add("IR-2", "input", x)
        r, counter = self._current_range(x, range_settings, trace)
        given = self._given(lead, x, r, range_settings)
        weight = (
            modifier.effective_weight(self, noise, len(x))
            if self.training
            else self.parameters["weight"].copy()
        )
        done = None
        if not trace.keeps and self._fuses(s, weight):
            out_noise = self._out_noise(s)
            done = fused.forward(ops, x, r, weight, s, out_noise, noise, *given.periphery)
        given.x = x.copy() if done is None else done[0].x
        record, y = done or self._stages(given, weight, s, noise, trace)
        y = self._final(given, y, trace)
        self._commit(x, r, counter, given)
        self._record = given, record
        return y

    def _given(
        self, lead: tuple[int, ...], x: Array, r: Scalar | None, s: settings.Range | None
    ) -> Given:
        """What the pass starts from; nothing in the state changes."""
        scales = (self._copied(name) for name in ("mapping_scales", "out_scaling_alpha", "bias"))
        return Given(lead, x, r, s, self._kappa(r), *scales)

    def _final(self, given: Given, y: Array, trace: Trace) -> Array:
        """The output, from the one behind scales and bias."""
        return y

    def _fuses(self, s: settings.Core, weight: Array) -> bool:
        """Whether the output does not need the stages one by one."""
        return fused.possible(s, weight)

    def _stages(
        self, given: Given, weight: Array, s: settings.Core, noise: NoiseSource, trace: Trace
    ) -> tuple[Stages, Array]:
        """The forward pass stage by stage, and the output."""
        ops, x, r = self.ops, given.x, given.r
        check_finite(x, "x")
        c = x if r is None else ops.clipped_input(x, r)
        v = c if r is None else ops.scaled_input(c, r)
        if trace.keeps:
            stages.clipped(trace, x, r, c, v)
            stages.modified(trace, self.config.modifier.type, noise, weight)
        record = core.forward(ops, v, weight, s, self._out_noise(s), noise, trace, self.name)
        scaled, y = self._outputs(given, record.z, trace)
        if trace.keeps:
            trace.keep_noise(noise)
        finite(y, f"the output of {self.name}")
        return Stages(c, record, scaled), y

    def _outputs(self, given: Given, z: Array, trace: Trace) -> tuple[Array, Array]:
        """The core output times the first factor, and the output behind scales and bias."""
        kappa, a, b = given.periphery
        y = scaled = self._scaled(given, z)
        if a is not None:
            y = self.ops.scaled_output(y, a)
        if b is not None:
            y = self.ops.shifted_output(y, b)
        if trace.keeps:
            stages.periphery(trace, kappa, scaled, a, b, y)
        return scaled, y

    def _scaled(self, given: Given, z: Array) -> Array:
        kappa = given.periphery[0]
        return z if kappa is None else self.ops.scaled_output(z, kappa)

    def _restored(self, given: Given, record: Stages | FusedCore) -> Stages:
        """The stages of a forward pass, computed again if it was fused."""
        if isinstance(record, Stages):
            return record
        c, core_record = record.restored(self.ops)
        return Stages(c, core_record, self._scaled(given, core_record.z))

    def _current_range(
        self, x: Array, s: settings.Range | None, trace: Trace
    ) -> tuple[Scalar | None, Scalar | None]:
        """Range for this batch and the counter after it, without changing state."""
        stored = self.value("input_range")
        if s is None or stored is None:
            return None, None
        r, T = stored[0], self.dtype.type
        k = self.buffers["input_range_update_idx"][0]
        trace.add("IR-1", "stored_range", r)
        trace.add("IR-1", "range_counter", k)
        if self.training and len(x) and k < s.init_batches:
            check_finite(x, "x")
            deviation = (
                finite(self.ops.standard_deviation(x), "the standard deviation of x")
                if x.size > 1
                else T(0)
            )
            trace.add("SU-7", "deviation", deviation)
            if deviation > 0:
                r, k = (
                    self.ops.range_from_data(r, T(k), deviation, s.init_std_alpha),
                    k + np.float32(1),
                )
            r = np.abs(r)
        self.checked_range(r)
        trace.add("IR-1", "input_range", r)
        if r < 0 and not self._warned:
            self._warned = True
            warnings.warn(
                f"the input range of {self.name} is negative ({r}).", RangeWarning, stacklevel=4
            )
        return r, k

    def _commit(self, x: Array, r: Scalar | None, counter: Scalar | None, given: Given) -> None:
        if len(x) == 0:
            return
        self.step += 1
        if r is not None and self.training:
            stored = self.value("input_range")
            assert stored is not None
            stored[0] = r
            self.buffers["input_range_update_idx"][0] = counter

    def _out_noise(self, s: settings.Core) -> Array:
        values = self.buffers.get("out_noise_values")
        return np.full(1, s.adc.noise) if values is None else values

    def _kappa(self, r: Scalar | None) -> Array | None:
        s = self.buffers.get("mapping_scales")
        if r is None:
            return None if s is None else s.copy()
        factor = np.full(1, r)
        return factor if s is None else self.ops.merged_scale(factor, s)

    def _copied(self, name: str) -> Array | None:
        value = self.value(name)
        return None if value is None else value.copy()

    @overload
    def backward(self, dy: object, *, trace: Literal[False] = False) -> Array: ...

    @overload
    def backward(self, dy: object, *, trace: Literal[True]) -> tuple[Array, Trace]: ...

    def backward(self, dy: object, *, trace: bool = False) -> Array | tuple[Array, Trace]:
        """Gradient of the input, and of all parameters, accumulated in ``tile.gradients``.

        Parameters
        ----------
        dy
            ``(..., out)``, gradient of the loss with respect to the output of the last forward pass.
        trace
            Whether to return the trace as well.

        Returns
        -------
        ``(..., in)``, gradient of the loss with respect to the input; with ``trace=True`` also the trace.

        Raises
        ------
        StateError
            If there is no forward pass to go back through, or a sum overflows; nothing is changed.
        InputError, ShapeError
            If ``dy`` does not fit; nothing is changed.
        """
        if self._record is None:
            raise StateError(
                f"backward of {self.name} needs a forward pass before it, each is used once."
            )
        g, lead = as_rows(dy, self.dtype, self.out_size, "dy")
        given, record = self._record
        if lead != given.lead:
            raise ShapeError(
                f"dy has shape {(*lead, self.out_size)}, allowed is {(*given.lead, self.out_size)}."
            )
        kept = Trace(golden=self.golden) if trace else NoTrace()
        with np.errstate(all="ignore"):
            dx, new = self._gradients(given, record, g, kept)
            sums = {name: self._accumulated(name, value) for name, value in new.items()}
        self.gradients.update(sums)
        self._record = None
        dx = dx.reshape(*lead, self.in_size)
        return (dx, kept) if trace else dx

    def _accumulated(self, name: str, value: Array) -> Array:
        before = self.checked_gradient(name) if name in self.gradients else None
        total = value if before is None else np.asarray(before + value)
        return finite(total, f"the gradient of {name} of {self.name}")

    def _gradients(
        self, given: Given, record: Stages | FusedCore, g: Array, trace: Trace
    ) -> tuple[Array, dict[str, Array]]:
        """Gradients of the input and of the parameters, fused where nothing needs the stages."""
        if isinstance(record, FusedCore) and not trace.keeps and self._fuses_back(given):
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
        self, given: Given, record: Stages, g: Array, trace: Trace
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
            gradients["input_range"] = np.full(1, self._range_gradient(given, sums, trace))
        return dx, gradients

    def _output_gradients(
        self, given: Given, record: Stages, g: Array, gradients: dict[str, Array], trace: Trace
    ) -> tuple[Array, Array]:
        """Gradient of the core output, and what the range gradient needs of that of the output; fills ``gradients``."""
        ops, a, kappa = self.ops, given.a, given.kappa
        if self.has_bias:
            gradients["bias"] = ops.column_totals(g)
            trace.add("SU-3", "bias_gradient", gradients["bias"])
        if a is not None:
            gradients["out_scaling_alpha"] = (
                ops.column_product_totals(g, record.scaled)
                if a.size > 1
                else np.full(1, ops.product_total(g, record.scaled))
            )
            g = ops.scaled_output(g, a)
            clause = "SU-4" if a.size > 1 else "SU-2"
            trace.add(clause, "out_scaling_gradient", gradients["out_scaling_alpha"])
            trace.add("PP-1", "scaled_output_gradient", g)
        return g if kappa is None else ops.scaled_output(g, kappa), g

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

    def _range_gradient(self, given: Given, sums: RangeSums | None, trace: Trace) -> Scalar:
        """Rule, decay and residual; only zero after the all-zero shortcut."""
        ops, r, s = self.ops, given.r, given.range
        if sums is None:
            trace.add("IR-8", "range_gradient", self.dtype.type(0))
            return self.dtype.type(0)
        assert s is not None
        rule = ops.range_rule(sums.upper, sums.lower, r, s.relative, s.scale)
        decayed = ops.range_decay(rule, r, s.decay, sums.fraction, s.min_percentage)
        residual = ops.range_residual(sums.output_sum, sums.input_sum, r)
        for clause, name, value in (
            ("IR-4", "range_rule_upper", sums.upper),
            ("IR-4", "range_rule_lower", sums.lower),
            ("IR-5", "range_rule", rule),
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

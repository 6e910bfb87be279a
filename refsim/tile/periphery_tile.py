"""Both passes of a tile around its core: range, scales and bias (clauses IR, PP)."""

from __future__ import annotations

import functools
import warnings
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, Literal, overload

import numpy as np

from refsim.config.base import latest_change
from refsim.errors import RangeWarning, ShapeError, StateError
from refsim.spec.sums import Array, Scalar

from . import core, fused, modifier, on_device, settings, stages
from .arrays import as_rows, check_finite
from .core import CoreRecord, finite
from .fused import FusedCore
from .noise import NoiseSource
from .record import Given, Stages
from .state import Tile
from .trace import NoTrace, Trace


class PeripheryTile(Tile):
    """Both passes around a core: range, scales and bias; the tile classes add the cores and the way back."""

    _record: tuple[Given, Stages | FusedCore] | None = None
    _warned: bool = False
    _known: tuple[Any, Any, Any] = (None, None, None)

    @abstractmethod
    def _checked_settings(self) -> tuple[settings.Core, settings.Range | None]:
        """Typed settings; a :class:`~refsim.ConfigError` if the tile cannot honour the configuration."""

    def _range_settings(self) -> settings.Range | None:
        p, choices = self.config.pre_post.input_range, self.config.choices
        return settings.input_range(
            p, choices.gradient_scale_applies, self.dtype, choices.output_percentage_of
        )

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
        ``(..., out)``, a device array if ``x`` was one; with ``trace=True`` also a
        :class:`~refsim.tile.trace.Trace` with every intermediate and the noise used.

        Raises
        ------
        InputError, ShapeError
            If ``x`` or ``noise`` does not fit; nothing is changed.
        StateError
            If the range is 0, NaN or infinite, or a sum overflows; nothing is changed.
        ConfigError
            If the configuration was changed to something that the tile cannot honour.
        """
        if on_device.concerns(self.ops, x):
            done = None if trace else on_device.forward(self, x, noise)
            if done is not None:
                return done
            return on_device.through_host(self.forward, self.ops, x, noise=noise, trace=trace)
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
        weight = self._effective_weight(noise, len(x))
        done = None
        if not trace.keeps and self._fuses(s, weight):
            out_noise = self._out_noise(s)
            done = fused.forward(ops, x, r, weight, s, out_noise, noise, *given.periphery)
        given.x = x.copy() if done is None else done[0].x
        record, y = done or self._stages(given, weight, s, noise, trace)
        y = self._final(given, y, trace)
        self._record = given, record
        self._commit(x, r, counter, given)
        return y

    def _given(
        self, lead: tuple[int, ...], x: Array, r: Scalar | None, s: settings.Range | None
    ) -> Given:
        """What the pass starts from; nothing in the state changes."""
        scales, a, b = (
            self._copied(name) for name in ("mapping_scales", "out_scaling_alpha", "bias")
        )
        return Given(lead, x, r, s, self._kappa(r), scales, a, b, self.step)

    def _final(self, given: Given, y: Array, trace: Trace) -> Array:
        """The output, from the one behind scales and bias."""
        return y

    def _fuses(self, s: settings.Core, weight: Array) -> bool:
        """Whether the output does not need the stages one by one."""
        return False

    def stays_on_device(self, s: settings.Core, range_settings: settings.Range | None) -> bool:
        """Whether a pass with device arrays may leave them there: fused, and nothing is learned from the data first."""
        return False

    def modified_weight(self, noise: NoiseSource, rows: int) -> Array:
        """The weight of this pass: modified in training, or the live one."""
        if not self.training:
            return self.parameters["weight"]
        return modifier.modified(self, noise, rows)

    def _effective_weight(self, noise: NoiseSource, rows: int) -> Array:
        """The weight of this pass, modified in training."""
        if not self.training:
            return self.parameters["weight"].copy()
        return modifier.effective_weight(self, noise, rows)

    def _core(
        self, v: Array, weight: Array, s: Any, noise: NoiseSource, trace: Trace
    ) -> CoreRecord:
        """The pass through the core."""
        return core.forward(self.ops, v, weight, s, self._out_noise(s), noise, trace, self.name)

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
            stages.modified(trace, self.config, noise, weight)
        record = self._core(v, weight, s, noise, trace)
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
        return self._run_backward(dy, trace)

    def _run_backward(self, dy: object, trace: bool, **options: Any) -> Array | tuple[Array, Trace]:
        """The way back with the options of the tile class; all or nothing."""
        if self._record is None:
            raise StateError(
                f"backward of {self.name} needs a forward pass before it, each is used once."
            )
        resident = on_device.is_resident(self)
        if on_device.concerns(self.ops, dy):
            done = on_device.backward(self, dy) if resident and not trace else None
            if done is not None:
                return done
            way = functools.partial(self._run_backward, **options)
            return on_device.through_host(way, self.ops, dy, trace=trace)
        if resident:
            on_device.fetch(self)
        g, lead = as_rows(dy, self.dtype, self.out_size, "dy")
        given, record = self._record
        if lead != given.lead:
            raise ShapeError(
                f"dy has shape {(*lead, self.out_size)}, allowed is {(*given.lead, self.out_size)}."
            )
        kept = Trace(golden=self.golden) if trace else NoTrace()
        with np.errstate(all="ignore"):
            dx, new = self._gradients(given, record, g, kept, **options)
            sums = {name: self._accumulated(name, value) for name, value in new.items()}
        self.gradients.update(sums)
        self._finish(given)
        dx = dx.reshape(*lead, self.in_size)
        return (dx, kept) if trace else dx

    def _finish(self, given: Given) -> None:
        """What a backward pass does to the tile besides its gradients."""
        self._record = None

    def _accumulated(self, name: str, value: Array) -> Array:
        before = self.checked_gradient(name) if name in self.gradients else None
        total = value if before is None else np.asarray(before + value)
        return finite(total, f"the gradient of {name} of {self.name}")

    def _gradients(
        self, given: Given, record: Stages | FusedCore, g: Array, trace: Trace, **options: Any
    ) -> tuple[Array, dict[str, Array]]:
        """Gradients of the input and of the parameters."""
        return self._backward(given, self._restored(given, record), g, trace, **options)

    @abstractmethod
    def _backward(
        self, given: Given, record: Stages, g: Array, trace: Trace, **options: Any
    ) -> tuple[Array, dict[str, Array]]:
        """Gradients of the input and of the parameters from the stages."""

    def _through_periphery(
        self, given: Given, record: Stages, g: Array, trace: Trace
    ) -> tuple[Array, dict[str, Array]]:
        """Gradient before the learned output scale, and those of bias and output scale."""
        ops, gradients, a = self.ops, {}, given.a
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
        return g, gradients

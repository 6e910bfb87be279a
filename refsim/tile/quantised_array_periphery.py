"""What stands behind the tiles of a quantised array: a bias and outputs on grids of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refsim.config import ActivationQuantConfig, RangeEstimators
from refsim.spec.sums import Array, Scalar

from . import quantised_state
from .array_periphery import ArrayPeriphery
from .core import finite
from .estimators import make_estimator
from .quantisation_manager import Pass, PeripheryManager, QuantisationManager, RangeState
from .quantised_periphery import BIAS, OUTPUT, Quantised, on_grid
from .quantiser import Quantiser
from .trace import Trace

COUNTER = "bias_quant_update_idx"


class ArrayBiasManager(PeripheryManager):
    """The manager of the bias of an array: a range that evaluation has fixed stays fixed in training."""

    def coming(
        self, training: bool, init_learning_after: int
    ) -> tuple[RangeState, bool, Scalar | None]:
        """State of the next pass, whether it estimates the range, and the count after it; None: the count stays."""
        if not training:
            return super().coming(training, init_learning_after)
        counter, state = self._count(), self.state
        if counter is not None and state is not RangeState.LEARN:
            counter = counter + np.float32(1)
            state = RangeState.LEARN if counter > init_learning_after else state
        estimates = state in (RangeState.ESTIMATE, RangeState.ESTIMATE_TRAIN)
        return state, estimates, counter


class QuantisedArrayPeriphery(ArrayPeriphery):
    """The bias of a quantised array on its grid, and then the outputs on theirs.

    Parameters
    ----------
    name, out_size, bias, dtype, backend
        As for :class:`refsim.tile.array_periphery.ArrayPeriphery`.
    config
        Configuration of the array; a copy that nobody else changes.
    """

    def __init__(
        self,
        name: str,
        out_size: int,
        bias: bool,
        dtype: np.dtype[Any],
        backend: str,
        config: Any,
    ) -> None:
        super().__init__(name, out_size, bias, dtype, backend)
        self.config = config
        self.quantizers: dict[str, QuantisationManager] = {}
        self._passes: dict[str, Quantised] = {}
        p, output = config.pre_post.periph_quant, config.act_quant_config
        if bias and p.n_bits > 0:
            minmax = ActivationQuantConfig(
                n_bits=p.n_bits,
                symmetric=p.symmetric,
                range_estimator=RangeEstimators.current_minmax,
            )
            counter = np.zeros(1, dtype=np.float32) if p.learn_quant_params else None
            if counter is not None:
                self.buffers[COUNTER] = counter
            self.quantizers[BIAS] = ArrayBiasManager(*self._made(BIAS, minmax), counter)
        if output is not None and output.n_bits > 0:
            self.quantizers[OUTPUT] = QuantisationManager(*self._made(OUTPUT, output))
        for quantiser in self.quantizers:
            self._place(quantiser)
        self._shapes = {
            name: (array.shape, array.dtype)
            for name, array in (self.parameters | self.buffers).items()
        }

    def _made(self, name: str, config: ActivationQuantConfig) -> tuple[Quantiser, Any]:
        """A quantiser and its estimator."""
        estimator = make_estimator(
            self.ops,
            config.range_estimator,
            config.range_estimator_params,
            n_bits=config.n_bits,
            symmetric=config.symmetric,
            choices=self.config.choices,
        )
        quantiser = Quantiser(
            config.n_bits,
            config.symmetric,
            data_type=self.dtype,
            backend=self.backend,
            name=f"{name} of {self.name}",
        )
        return quantiser, estimator

    def _place(self, name: str) -> None:
        """List the arrays of a quantiser among the parameters if they are learned, else among the buffers."""
        manager = self.quantizers[name]
        learned = manager.state is RangeState.LEARN
        if isinstance(manager, PeripheryManager):
            learned = manager.counter is not None
        quantiser = manager.quantiser
        for part, value in (("delta", quantiser.delta), ("zero_float", quantiser.zero_float)):
            for holder in (self.parameters, self.buffers):
                holder.pop(f"{name}.{part}", None)
            if value is not None:
                (self.parameters if learned else self.buffers)[f"{name}.{part}"] = value

    def check_live(self, out_size: int) -> None:
        """Refuse live arrays whose type or shape was changed from outside; arrays put in their place are taken over."""
        super().check_live(out_size)
        for name, layout in self._shapes.items():
            self.check_array(name, layout)
        self._adopt()

    def _adopt(self) -> None:
        """Let each manager work on the live arrays, and list these where they belong."""
        for name, manager in self.quantizers.items():
            delta = self.value(f"{name}.delta")
            assert delta is not None
            manager.quantiser.delta = delta
            manager.quantiser.zero_float = self.value(f"{name}.zero_float")
            if isinstance(manager, PeripheryManager) and manager.counter is not None:
                manager.counter = self.buffers[COUNTER]
            self._place(name)

    def forward(self, y: Array, trace: Trace) -> Array:
        """Output ``(N, O)`` from the sum of the partial results; quantisers keep what they estimated."""
        self._passes = {}
        bias = self.parameters.get("bias")
        if bias is not None:
            trace.add("PP-2", "bias", finite(bias, f"the bias of {self.name}"))
            y = self.ops.shifted_output(y, self._quantised(BIAS, bias.copy(), trace))
            trace.add("PP-2", "shifted_output", y)
        if OUTPUT in self.quantizers and len(y):
            finite(y, f"the output of {self.name}")
            y = self._quantised(OUTPUT, y, trace)
        trace.add("PP-2", "output", y)
        if len(y):
            for name, value in self._passes.items():
                assert value.done is not None
                self.quantizers[name].commit(value.done)
        return y

    def _quantised(self, name: str, x: Array, trace: Trace) -> Array:
        manager = self.quantizers.get(name)
        if manager is None:
            return x
        if isinstance(manager, PeripheryManager):
            after = self.config.pre_post.periph_quant.init_learning_after
            done = manager.scheduled(x, self.training, after)
        else:
            done = manager.begin(x, self.training)
        self._passes[name] = on_grid(manager, x, done)
        if trace.keeps:
            self._trace(name, manager.quantiser, done, trace)
        return self._passes[name].after

    def _trace(self, name: str, quantiser: Quantiser, done: Pass, trace: Trace) -> None:
        """The stages of one quantiser."""
        value, typed = self._passes[name], quantiser.typed(done.grid)
        for end, bound in zip(("lo", "hi"), done.range or (), strict=False):
            trace.add("QU-1", f"{name}_{end}", bound)
        trace.add("QU-6", f"{name}_step", typed.scale)
        trace.add("QU-7", f"{name}_zero_point", typed.zero)
        trace.add("QU-8", f"{name}_codes", quantiser.codes(value.before, done.grid))
        trace.add("QU-9", f"{name}_quantised", value.after)

    def backward(self, g: Array, trace: Trace) -> Array:
        """Gradient ``(N, O)`` of the sum of the partial results; those of bias and quantisers accumulate."""
        trace.add("BP-1", "output_gradient", g)
        g = self._gradient(OUTPUT, g, trace)
        if "bias" in self.parameters:
            total = finite(self.ops.column_totals(g), f"the gradient of the bias of {self.name}")
            trace.add("SU-3", "quantised_bias_gradient", total)
            db = self._gradient(BIAS, total, trace)
            trace.add("QU-10", "bias_gradient", db)
            self.accumulate("bias", db)
        return g

    def _gradient(self, name: str, g: Array, trace: Trace) -> Array:
        """Gradient before a quantiser; those of its parameters accumulate if they are learned."""
        value = self._passes.get(name)
        if value is None or value.done is None:
            return g
        found = self.quantizers[name].quantiser.gradients(g, value.before, value.done.grid)
        trace.add("QU-10", f"{name}_gradient", found.x)
        if value.done.learns:
            self.accumulate(f"{name}.delta", found.delta)
            trace.add("QU-12", f"{name}_delta_gradient", found.delta)
            if found.zero_float is not None:
                self.accumulate(f"{name}.zero_float", found.zero_float)
                trace.add("QU-14", f"{name}_zero_float_gradient", found.zero_float)
        return found.x

    # ----- state dict

    def may_be_unset(self, name: str) -> bool:
        """Whether an array is NaN until something sets it."""
        return name.partition(".")[2] in ("delta", "zero_float")

    def state_dict(self) -> dict[str, NDArray[Any]]:
        """Copies of all parameters and buffers, with the states of quantisers, managers and estimators."""
        state = super().state_dict()
        for name, manager in self.quantizers.items():
            state |= quantised_state.of(name, manager)
        return state

    def accepted(self, state: Mapping[str, object], strict: bool) -> dict[str, NDArray[Any]]:
        """The arrays of a state, checked."""
        holder: Any = self
        own = {key: value for key, value in state.items() if quantised_state.owner(holder, key)}
        rest = {key: value for key, value in state.items() if key not in own}
        accepted = super().accepted(rest, strict)
        return accepted | quantised_state.accepted(holder, own, accepted, strict)

    def assign(self, values: Mapping[str, Array]) -> None:
        """Write values into the live arrays; those of quantisers and estimators into these."""
        holder: Any = self
        own = {key: value for key, value in values.items() if quantised_state.owner(holder, key)}
        super().assign({key: value for key, value in values.items() if key not in own})
        self._adopt()
        quantised_state.assign(holder, own)
        self._adopt()

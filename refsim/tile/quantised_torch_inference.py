"""The tile of the autograd path with quantised scales, bias and outputs (clauses QU and RE)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refsim import backends
from refsim.config import ActivationQuantConfig, RangeEstimators
from refsim.config.support import check_quantised_inference
from refsim.spec.sums import Array, Scalar

from . import quantised_periphery, quantised_state, settings
from .estimators import make_estimator
from .quantisation_manager import PeripheryManager, QuantisationManager, RangeState
from .quantised_periphery import BIAS, OUTPUT, SCALE, Quantised, QuantisedGiven
from .quantiser import Quantiser
from .record import Given, Stages
from .torch_inference import TorchInferenceTile
from .trace import Trace

COUNTERS = {SCALE: "scale_quant_update_idx", BIAS: "bias_quant_update_idx"}


class QuantizedTorchInferenceTile(TorchInferenceTile):
    r"""Analog tile with a digital periphery of few bits.

    .. math:: y = Q_y\left(z\,Q_k((r s) a) + Q_b(b)\right)

    The merged scales, the bias and the output are each on the grid of a quantiser of their own, where configured; what
    a tile does not have is left out. Parameters and errors as for :class:`refsim.TorchInferenceTile`. The
    managers of the quantisers are ``tile.scale_quantizer``, ``tile.bias_quantizer`` and ``tile.out_quantizer``, None
    where there is none.

    Examples
    --------
    >>> import refsim as rs
    >>> config = rs.QuantizedTorchInferenceRPUConfig(
    ...     forward=rs.IOParameters(is_perfect=True),
    ...     act_quant_config=rs.ActivationQuantConfig(
    ...         n_bits=2, range_estimator=rs.RangeEstimators.current_minmax))
    >>> tile = config.create_tile(out_size=1, in_size=1, backend="spec")
    >>> tile.set_weights([[1.0]])
    >>> tile.forward([[3.0], [0.4], [1.5]])
    array([[3.],
           [0.],
           [2.]], dtype=float32)
    >>> tile.buffers["out_quantizer.delta"]
    array(1., dtype=float32)
    """

    final_is_plain = False
    may_be_unset = tuple(
        f"{name}.{part}" for name in (SCALE, BIAS, OUTPUT) for part in ("delta", "zero_float")
    )

    @property
    def scale_quantizer(self) -> QuantisationManager | None:
        """Manager of the quantiser of the merged scales."""
        return self.quantizers.get(SCALE)

    @property
    def bias_quantizer(self) -> QuantisationManager | None:
        """Manager of the quantiser of the bias."""
        return self.quantizers.get(BIAS)

    @property
    def out_quantizer(self) -> QuantisationManager | None:
        """Manager of the quantiser of the outputs."""
        return self.quantizers.get(OUTPUT)

    # ----- creation

    def _checked_settings(self) -> tuple[settings.Core, settings.Range | None]:
        check_quantised_inference(self.config, self.has_bias)
        return self._settings()

    def _fixed_values(self) -> dict[str, object]:
        p = self.config.pre_post.periph_quant
        return {
            **super()._fixed_values(),
            "pre_post.periph_quant.n_bits": p.n_bits,
            "pre_post.periph_quant.symmetric": p.symmetric,
            "pre_post.periph_quant.learn_quant_params": p.learn_quant_params,
            "act_quant_config": repr(self.config.act_quant_config),
        }

    def _create_state(self) -> None:
        super()._create_state()
        self.quantizers: dict[str, QuantisationManager] = {}
        p, output = self.config.pre_post.periph_quant, self.config.act_quant_config
        if p.n_bits > 0:
            minmax = ActivationQuantConfig(
                n_bits=p.n_bits,
                symmetric=p.symmetric,
                range_estimator=RangeEstimators.current_minmax,
            )
            for name in (SCALE, BIAS) if self.has_bias else (SCALE,):
                counter = np.zeros(1, dtype=np.float32) if p.learn_quant_params else None
                if counter is not None:
                    self.buffers[COUNTERS[name]] = counter
                self.quantizers[name] = PeripheryManager(*self._made(name, minmax), counter)
        if output is not None and output.n_bits > 0:
            self.quantizers[OUTPUT] = QuantisationManager(*self._made(OUTPUT, output))
        for name in self.quantizers:
            self._place(name)

    def _made(self, name: str, config: ActivationQuantConfig) -> tuple[Quantiser, Any]:
        """A quantiser and its estimator."""
        estimator = make_estimator(
            backends.load(self.backend),
            config.range_estimator,
            config.range_estimator_params,
            n_bits=config.n_bits,
            symmetric=config.symmetric,
            choices=self.config.choices,
        )
        what = f"{name} of {self.name}"
        quantiser = Quantiser(
            config.n_bits,
            config.symmetric,
            data_type=self.dtype,
            backend=self.backend,
            name=what,
        )
        return quantiser, estimator

    def _place(self, name: str) -> None:
        """List the parameters of a quantiser among those of the tile if they are learned, else among its buffers."""
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

    def check_live(self) -> None:
        """Refuse live arrays whose type or shape was changed from outside; arrays put in their place are taken over."""
        super().check_live()
        self._adopt()

    def _adopt(self) -> None:
        """Let each manager work on the live arrays, and list these where they belong."""
        for name, manager in self.quantizers.items():
            delta = self.value(f"{name}.delta")
            assert delta is not None
            manager.quantiser.delta = delta
            manager.quantiser.zero_float = self.value(f"{name}.zero_float")
            if isinstance(manager, PeripheryManager) and manager.counter is not None:
                manager.counter = self.buffers[COUNTERS[name]]
            self._place(name)

    # ----- forward and backward

    def periphery_quantised(self, name: str, x: Array) -> Quantised:
        """Scales or bias on their grid, by the schedule; nothing in the state changes."""
        manager = self.quantizers.get(name)
        if not isinstance(manager, PeripheryManager):
            return Quantised(x, x)
        after = self.config.pre_post.periph_quant.init_learning_after
        return quantised_periphery.on_grid(manager, x, manager.scheduled(x, self.training, after))

    def _given(
        self, lead: tuple[int, ...], x: Array, r: Scalar | None, s: settings.Range | None
    ) -> QuantisedGiven:
        return quantised_periphery.begun(self, super()._given(lead, x, r, s))

    def _outputs(self, given: Given, z: Array, trace: Trace) -> tuple[Array, Array]:
        return quantised_periphery.outputs(self, _quantised(given), z, trace)

    def _scaled(self, given: Given, z: Array) -> Array:
        return z  # no gradient needs the output before its bias

    def _final(self, given: Given, y: Array, trace: Trace) -> Array:
        return quantised_periphery.final(self, _quantised(given), y, trace)

    def _commit(self, x: Array, r: Scalar | None, counter: Scalar | None, given: Given) -> None:
        super()._commit(x, r, counter, given)
        if len(x) == 0:
            return
        for name, value in _quantised(given).used.items():
            if value.done is not None:
                self.quantizers[name].commit(value.done)

    def _fuses_back(self, given: Given) -> bool:
        return False

    def _output_gradients(
        self, given: Given, record: Stages, g: Array, gradients: dict[str, Array], trace: Trace
    ) -> tuple[Array, Array]:
        z = record.core.z
        return quantised_periphery.backward(self, _quantised(given), z, g, gradients, trace)

    def _output_sum(self, given: Given, record: Stages, g: Array) -> Scalar:
        return quantised_periphery.output_sum(self.ops, _quantised(given), g)

    # ----- state dict

    def state_dict(self) -> dict[str, NDArray[Any]]:
        """Copies of all parameters and buffers, with the states of quantisers, managers and estimators."""
        state = super().state_dict()
        for name, manager in self.quantizers.items():
            state |= quantised_state.of(name, manager)
        return state

    def accepted_state(self, state: Mapping[str, object], strict: bool) -> dict[str, NDArray[Any]]:
        """The arrays of a state, checked."""
        if not isinstance(state, Mapping):
            return super().accepted_state(state, strict)
        own = {key: value for key, value in state.items() if quantised_state.owner(self, key)}
        rest = {key: value for key, value in state.items() if key not in own}
        accepted = super().accepted_state(rest, strict)
        return accepted | quantised_state.accepted(self, own, accepted, strict)

    def assign(self, values: Mapping[str, Array]) -> None:
        """Write values into the live arrays; those of quantisers and estimators into these."""
        own = {key: value for key, value in values.items() if quantised_state.owner(self, key)}
        super().assign({key: value for key, value in values.items() if key not in own})
        self._adopt()
        quantised_state.assign(self, own)
        self._adopt()


def _quantised(given: Given) -> QuantisedGiven:
    assert isinstance(given, QuantisedGiven)
    return given

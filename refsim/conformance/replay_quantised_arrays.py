"""The replay of a case of an array of quantised tiles."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from refsim.config import (
    ActivationQuantConfig,
    Choices,
    PeripheryQuantizationParameter,
    PrePostProcessingParameterQuant,
    QuantizedTorchInferenceRPUConfig,
    TorchInferenceRPUConfig,
)
from refsim.errors import ConfigError
from refsim.tile import QuantizedTileModuleArray

from .comparison import Bounds, Comparison
from .recipe import Step, UnsupportedCase, parameters, plan
from .replay_arrays import INPUTS, ArrayReplay, as_tile, checked_states
from .vectors import Case, Recording

__all__ = ["BOUNDS", "INPUTS", "replay_quantised_array"]

BOUNDS: Final[Bounds] = MappingProxyType({np.dtype(np.float32): 1e-5, np.dtype(np.float64): 3e-5})
"""Largest deviation, relative to 1 + |recorded|: steps and zero points are float32 in arrays of any type."""
_QUANTISERS: Final = {
    "scaleq": "scale_quantizer",
    "biasq": "bias_quantizer",
    "outq": "out_quantizer",
}
_STATES: Final = re.compile(
    r"t\d+_\d+_range_counter|(t\d+_\d+|array)_(scaleq|biasq|outq)_(state|initialized|signed)"
)
_PARTS: Final = ("delta", "zero_float")


def replay_quantised_array(
    recording: Recording, case: Case, choices: Choices, backend: str, run: Comparison
) -> None:
    """Replay a case of a quantised array.

    Raises
    ------
    UnsupportedCase, ConfigError
        If there is something in the case that this version does not have.
    """
    states = checked_states(case.entries.get("states"), _STATES)
    recipe = dict(case.entries["spec"])
    periphery, output = recipe.pop("periph_quant", {}), recipe.pop("act_quant", None)
    plain = replace(case, entries={**case.entries, "spec": recipe})
    todo = plan(recording, as_tile(plain), choices)
    array = QuantizedTileModuleArray(
        todo.out_size,
        todo.in_size,
        _config(recording, todo.config, periphery, output),
        bias=todo.bias,
        backend=backend,
    )
    replayed = _QuantisedReplay(run.arrays, run.result, BOUNDS, array=array)
    replayed.whole(todo, states)


def _config(
    recording: Recording, plain: TorchInferenceRPUConfig, periphery: Any, output: Any
) -> QuantizedTorchInferenceRPUConfig:
    """The configuration of the tiles with the two sections of quantisers."""
    defaults = recording.defaults.get("PeripheryQuantizationParameter", {})
    try:
        periph_quant: Any = parameters(PeripheryQuantizationParameter, {**defaults, **periphery})
        act_quant: Any = None if output is None else parameters(ActivationQuantConfig, output)
    except (ConfigError, TypeError) as error:
        raise UnsupportedCase(str(error).rstrip(".")) from error
    if periph_quant.learn_quant_params:
        raise UnsupportedCase("learned quantisers of arrays are not in this version")
    shared = ("runtime", "choices", "forward", "mapping", "modifier", "clip", "remap")
    return QuantizedTorchInferenceRPUConfig(
        pre_post=PrePostProcessingParameterQuant(
            input_range=plain.pre_post.input_range, periph_quant=periph_quant
        ),
        act_quant_config=act_quant,
        **{name: getattr(plain, name) for name in shared},
    )


@dataclass
class _QuantisedReplay(ArrayReplay):
    """An array with quantisers on its way through the steps of a case."""

    ends: dict[str, Any] = field(default_factory=dict)

    def managers(self) -> Iterator[tuple[str, Any, Any, str]]:
        """Each quantiser: its name in the recording, its manager, its holder, and its name there."""
        for place, part in self.array.parts().items():
            for short, name in _QUANTISERS.items():
                manager = getattr(part, "quantizers", {}).get(name)
                if manager is not None:
                    yield f"{place or 'array_'}{short}_", manager, part, name

    def forward(self, k: int) -> NDArray[Any]:
        """The output of a step; the last ranges that were estimated are kept."""
        y, trace = self.array.forward(self.arrays[f"s{k}_x"], trace=True)
        for stage in trace:
            if stage.name.endswith(("out_quantizer_lo", "out_quantizer_hi")):
                self.ends[stage.name] = stage.value
        return y

    def step(self, k: int, step: Step, state: Mapping[str, Any], lr: float) -> None:
        """One step with its quantisers, and then their recorded state in place of refsim's."""
        super().step(k, step, state, lr)
        for recorded, manager, part, name in self.managers():
            for place in _PARTS:
                self.compare(f"s{k}_{recorded}{place}", part.value(f"{name}.{place}"))
            if recorded.endswith("outq_"):
                self.compare_ends(f"s{k}_{recorded}", recorded.removesuffix("outq_"))
            self.compare_state(k, recorded, manager, state)
            self.impose_quantiser(f"s{k}_{recorded}", manager, part, name)

    def compare_ends(self, prefix: str, place: str) -> None:
        """The last range of an output quantiser; that of the array itself is not recorded."""
        for recorded, own in (("xmin", "lo"), ("xmax", "hi")):
            if place != "array_":
                self.compare(prefix + recorded, self.ends.get(f"{place}out_quantizer_{own}"))

    def compare_state(self, k: int, recorded: str, manager: Any, state: Mapping[str, Any]) -> None:
        """The state of a manager, which must be that which was recorded."""
        found = {
            "state": manager.state.value,
            "initialized": manager.initialised,
            "signed": manager.quantiser.signed,
        }
        for name, value in found.items():
            key = recorded + name
            if key in state and state[key] != value:
                self.result.failures[f"states[{k}].{key}"] = f"{value}, recorded is {state[key]}."

    def impose_quantiser(self, prefix: str, manager: Any, part: Any, name: str) -> None:
        """Put recorded steps, zero points and memories into a quantiser."""
        for place in _PARTS:
            recorded, present = self.arrays.get(prefix + place), part.value(f"{name}.{place}")
            if recorded is not None and present is not None and recorded.shape == present.shape:
                present[...] = recorded
        ends = [self.arrays.get(prefix + end) for end in ("xmin", "xmax")]
        if manager.estimator.state() and ends[0] is not None and ends[1] is not None:
            shape = manager.estimator.state()["lo"].shape
            manager.estimator.load({"lo": ends[0].reshape(shape), "hi": ends[1].reshape(shape)})

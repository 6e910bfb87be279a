"""The replay of a case of one quantised tile.

Bounds are wider than those of plain tiles, because the recording library adds steps and their gradients in float32:
``1e-4`` in float64 and ``1e-3`` in float32 for a case with learned steps, ``3e-5`` in float64 for the others.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from refsim.config import Choices, OptMethod, RangeEstimators
from refsim.tile import QuantizedTorchInferenceTile
from refsim.tile.range_search import Loss

from . import replay_tile
from .comparison import BOUNDS, Bounds, Comparison
from .recipe_quantised import QuantisedPlan, quantised_plan
from .replay_tile import TileReplay
from .vectors import Case, Recording

__all__ = ["INPUTS", "replay_quantised"]

INPUTS: Final = replay_tile.INPUTS
_SINGLE, _DOUBLE = np.dtype(np.float32), np.dtype(np.float64)
LEARNED: Final[Bounds] = MappingProxyType({_SINGLE: 1e-3, _DOUBLE: 1e-4})
QUANTISED: Final[Bounds] = MappingProxyType({_SINGLE: BOUNDS[_SINGLE], _DOUBLE: 3e-5})
_NAMES: Final = {
    "scaleq": "scale_quantizer",
    "biasq": "bias_quantizer",
    "outq": "out_quantizer",
}
_PARTS: Final = ("delta", "zero_float")
SEARCHED_IN_SINGLE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "g07_act_quant/cross_entropy_grid-20_sym0_nb4_bias0/float64": (
            "the recording library searches in float32 also for float64 data; there the zero point of a range around "
            "zero, exactly 7.5, falls to 7, and to 8 in exact arithmetic"
        )
    }
)
"""Cases, with the reason, in which the recorded range is the best of a search in another arithmetic."""
_ONE_NUMBER: Final = re.compile(r"s\d+_(scale|bias|out)q_\w+")
"""Parameters and ranges of a quantiser of a tile: () or (1,) in the recording, () in refsim; some ranges of float64
tiles are recorded in float32."""


def replay_quantised(
    recording: Recording, case: Case, choices: Choices, backend: str, run: Comparison
) -> None:
    """Replay a case of one quantised tile.

    Raises
    ------
    UnsupportedCase, ConfigError
        If there is something in the case that this version does not have.
    """
    todo = quantised_plan(recording, case, choices)
    made = todo.tile
    tile = made.config.create_tile(made.out_size, made.in_size, bias=made.bias, backend=backend)
    todo = replace(todo, sensitive=todo.sensitive or case.id in SEARCHED_IN_SINGLE)
    learned = any("ddelta" in name for name in run.arrays)
    bounds = LEARNED if learned else QUANTISED
    if case.dtype == _DOUBLE:
        bounds = {_SINGLE: bounds[_DOUBLE], _DOUBLE: bounds[_DOUBLE]}
    replay = QuantisedReplay(run.arrays, run.result, bounds, tile=tile, todo=todo)
    with replay.until_an_error():
        replay.start(made)
        for k, step in enumerate(made.steps):
            replay.step(k, step, made.lr)


@dataclass
class QuantisedReplay(TileReplay):
    """A quantised tile on its way through the steps of a case."""

    gradients: ClassVar[Mapping[str, str]] = {
        **TileReplay.gradients,
        **{
            f"{short}_d{part}": f"{name}.{part}"
            for short, name in _NAMES.items()
            for part in _PARTS
        },
    }
    todo: QuantisedPlan = field(kw_only=True)
    ends: tuple[Any, Any] | None = None
    seen: list[NDArray[Any]] = field(default_factory=list)

    def forward(self, k: int) -> NDArray[Any]:
        """The output of a step; the quantisers are compared as well."""
        tile = self.tile
        assert isinstance(tile, QuantizedTorchInferenceTile)
        searched = self.todo.sensitive and tile.out_quantizer is not None
        if searched:
            self.impose_range(k, tile)
        y, trace = tile.forward(self.arrays[f"s{k}_x"], trace=True)
        stages = {stage.name: stage.value for stage in trace}
        if searched:
            self.judge_range(
                k, tile, stages["shifted_output" if tile.has_bias else "scaled_output"]
            )
        elif "out_quantizer_lo" in stages:
            self.ends = stages["out_quantizer_lo"], stages["out_quantizer_hi"]
        for short in _NAMES:
            if not (searched and short == "outq"):
                self.compare_parameters(k, short, tile)
        if not searched:
            for end, found in zip(("xmin", "xmax"), self.ends or (None, None), strict=True):
                self.compare(f"s{k}_outq_{end}", found)
        self.compare_states(k, tile)
        return y

    def recorded_range(self, k: int) -> list[NDArray[Any]]:
        """The range of the output quantiser that was found in a step."""
        return [
            self.arrays[f"s{k}_outq_{end}"].reshape(()).astype(np.float64)
            for end in ("xmin", "xmax")
        ]

    def impose_range(self, k: int, tile: QuantizedTorchInferenceTile) -> None:
        """The recorded range, and then step and place of zero, instead of those that refsim finds."""
        manager = tile.out_quantizer
        assert manager is not None
        manager.set_quant_range(*(end.astype(tile.dtype) for end in self.recorded_range(k)))
        manager.fix_ranges()
        self.compare_parameters(k, "outq", tile)
        for part in _PARTS:
            recorded, present = (
                self.arrays.get(f"s{k}_outq_{part}"),
                tile.value(f"out_quantizer.{part}"),
            )
            if recorded is not None and present is not None:
                present[...] = recorded.reshape(())

    def judge_range(self, k: int, tile: QuantizedTorchInferenceTile, y: NDArray[Any]) -> None:
        """Whether the range that refsim finds loses no more than the recorded one, within the bound.

        A grid counts the losses of all outputs so far, a golden section those of the present ones.
        """
        manager, config = tile.out_quantizer, tile.config.act_quant_config
        assert manager is not None
        manager.estimate_ranges_train()
        names = [f"s{k}_outq_xmin", f"s{k}_outq_xmax"]
        self.result.compared.extend(names)
        if not tile.training:
            return
        softmax = config.range_estimator is RangeEstimators.cross_entropy
        loss = Loss(tile.ops, config.n_bits, config.symmetric, softmax)
        ends = zip(self.recorded_range(k), manager.estimator.range(y), strict=True)
        manager.estimator.commit()
        lo, hi = (np.array(pair, dtype=tile.dtype) for pair in ends)
        self.seen.append(y)
        counted = (
            self.seen if config.range_estimator_params.range_opt_method is OptMethod.grid else [y]
        )
        recorded, found = sum(loss.losses(z, z.reshape(1, -1), lo, hi)[0] for z in counted)
        if not found <= recorded + self.bounds[tile.dtype] * (1 + recorded):
            self.result.failures[names[0]] = f"the range loses {found}, that recorded {recorded}."

    def compare_parameters(self, k: int, short: str, tile: QuantizedTorchInferenceTile) -> None:
        """Compare step and place of zero of a quantiser, which are recorded once they are set."""
        for part in _PARTS:
            found = tile.value(f"{_NAMES[short]}.{part}")
            unset = found is not None and bool(np.isnan(found).any())
            self.compare(f"s{k}_{short}_{part}", None if unset else found)

    def compare_states(self, k: int, tile: QuantizedTorchInferenceTile) -> None:
        """States of the managers, and their counters, which must be exact."""
        for key, recorded in self.todo.states[k].items():
            found = self._found(tile, key)
            if found != recorded:
                self.result.failures[f"states[{k}].{key}"] = f"{found}, recorded is {recorded}."

    def _found(self, tile: QuantizedTorchInferenceTile, key: str) -> object:
        if key.endswith("_update_idx"):
            counter = tile.value(key)
            return None if counter is None else float(counter[0])
        short, _, part = key.partition("_")
        manager = tile.quantizers.get(_NAMES[short])
        if manager is None:
            return None
        values: dict[str, object] = {
            "state": manager.state.value,
            "initialized": manager.initialised,
            "signed": manager.quantiser.signed,
        }
        return values[part]

    def compare(self, name: str, found: NDArray[Any] | None) -> None:
        """Compare a result; a parameter of a quantiser has one element, whatever its shape."""
        recorded = self.arrays.get(name)
        if _ONE_NUMBER.fullmatch(name) and found is not None and recorded is not None:
            found = np.asarray(found).reshape(recorded.shape if recorded.size == 1 else ())
            if name.endswith(("xmin", "xmax")):
                found = found.astype(recorded.dtype)
        super().compare(name, found)

"""The replay of a case of one quantised tile.

Bounds are wider than those of plain tiles, because the recording library adds steps and their gradients in float32:
``1e-4`` in float64 and ``1e-3`` in float32 for a case with learned steps, ``3e-5`` in float64 for the others.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from refsim.config import Choices
from refsim.tile import QuantizedTorchInferenceTile

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

    def forward(self, k: int) -> NDArray[Any]:
        """The output of a step; the quantisers are compared as well."""
        tile = self.tile
        assert isinstance(tile, QuantizedTorchInferenceTile)
        y, trace = tile.forward(self.arrays[f"s{k}_x"], trace=True)
        stages = {stage.name: stage.value for stage in trace}
        if "out_quantizer_lo" in stages:
            self.ends = stages["out_quantizer_lo"], stages["out_quantizer_hi"]
        for short, name in _NAMES.items():
            for part in _PARTS:
                self.compare_set(f"s{k}_{short}_{part}", tile.value(f"{name}.{part}"))
        for end, found in zip(("xmin", "xmax"), self.ends or (None, None), strict=True):
            self.compare(f"s{k}_outq_{end}", found)
        self.compare_states(k, tile)
        return y

    def compare_set(self, name: str, found: NDArray[Any] | None) -> None:
        """Compare a parameter of a quantiser, which is recorded once it is set."""
        unset = found is not None and bool(np.isnan(found).any())
        self.compare(name, None if unset else found)

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

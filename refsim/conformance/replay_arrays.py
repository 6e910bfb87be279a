"""The replay of a case of an array of tiles: each step starts from the recorded state of every tile."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from numpy.typing import NDArray

from refsim.config import Choices
from refsim.nn import SGD
from refsim.tile import TileModuleArray
from refsim.tile.state import Tile

from .comparison import Comparison
from .recipe import Plan, Step, UnsupportedCase, plan
from .vectors import Case, Recording

__all__ = ["INPUTS", "ArrayReplay", "as_tile", "checked_states", "replay_array"]

INPUTS: Final = re.compile(r"W|b|s\d+_[xg]")
"""Names of the arrays that were given to the array of tiles."""
_STATE: Final = {
    "W_analog": "weight",
    "r": "input_range",
    "mapping_scales": "mapping_scales",
    "out_scaling": "out_scaling_alpha",
}
_GRADIENTS: Final = {
    "dW_analog": "weight",
    "dr": "input_range",
    "dout_scaling": "out_scaling_alpha",
}
_COUNTER: Final = re.compile(r"t\d+_\d+_range_counter")


def replay_array(
    recording: Recording, case: Case, choices: Choices, backend: str, run: Comparison
) -> None:
    """Replay a case of an array.

    Raises
    ------
    UnsupportedCase, ConfigError
        If there is something in the case that this version does not have.
    """
    todo = plan(recording, as_tile(case), choices)
    states = checked_states(case.entries.get("states"), _COUNTER)
    array = TileModuleArray(
        todo.out_size, todo.in_size, todo.config, bias=todo.bias, backend=backend
    )
    ArrayReplay(run.arrays, run.result, array=array).whole(todo, states)


def as_tile(case: Case) -> Case:
    """The case with a recipe of one tile; what the states say of the tiles of an array is read apart."""
    recipe, states = case.entries["spec"], case.entries.get("states")
    plain = [{} for _ in states] if isinstance(states, list) else states
    return replace(
        case, entries={**case.entries, "spec": {**recipe, "tile": "torch"}, "states": plain}
    )


def checked_states(states: Any, known: re.Pattern[str]) -> list[Mapping[str, Any]]:
    """What the states say after each step; a name that is not known makes the case unsupported."""
    found = states if isinstance(states, list) else []
    for state in found:
        for name in state if isinstance(state, Mapping) else [repr(state)]:
            if known.fullmatch(name) is None:
                raise UnsupportedCase(f"a state has {name}, which is not in this version")
    return found


@dataclass
class ArrayReplay(Comparison):
    """An array on its way through the steps of a case."""

    array: TileModuleArray = field(kw_only=True)

    def whole(self, todo: Plan, states: list[Mapping[str, Any]]) -> None:
        """All steps."""
        with self.until_an_error():
            self.start(todo)
            for k, (step, state) in enumerate(zip(todo.steps, states, strict=True)):
                self.step(k, step, state, todo.lr)

    def start(self, todo: Plan) -> None:
        """Weights and bias as given to the recording library."""
        self.array.set_weights(self.arrays["W"], self.arrays.get("b"))
        for place, tile in self.array.named_tiles().items():
            if todo.out_scaling is not None:
                raise UnsupportedCase("learned output scales of arrays are not in this version")
            self.compare(f"{place}init_W_analog", tile.parameters["weight"])
            self.compare(f"{place}init_mapping_scales", tile.value("mapping_scales"))
            self.impose(tile, f"{place}init_")

    def step(self, k: int, step: Step, state: Mapping[str, Any], lr: float) -> None:
        """One step, and then the recorded state in place of refsim's."""
        array = self.array
        array.train(step.training).zero_grad()
        self.compare(f"s{k}_y", self.forward(k))
        for place, tile in array.named_tiles().items():
            self.compare(f"s{k}_{place}r", tile.value("input_range"))
            self.compare_counter(k, place, tile, state.get(f"{place}range_counter"))
        if step.backward:
            self.compare(f"s{k}_dx", array.backward(self.arrays[f"s{k}_g"]))
            self.compare(f"s{k}_db", array.gradients.get("bias"))
            for place, tile in array.named_tiles().items():
                for name, target in _GRADIENTS.items():
                    self.compare(f"s{k}_{place}{name}", tile.gradients.get(target))
        if step.update:
            SGD([array], lr=lr).step()
            self.compare(f"s{k}_after_b", array.value("bias"))
            for place, tile in array.named_tiles().items():
                for name, target in _STATE.items():
                    self.compare(f"s{k}_{place}after_{name}", tile.value(target))
        self.impose_all(k)

    def forward(self, k: int) -> NDArray[Any]:
        """The output of a step."""
        return self.array.forward(self.arrays[f"s{k}_x"])

    def impose_all(self, k: int) -> None:
        """Put the recorded state after a step into all tiles, and the bias into the array."""
        for place, tile in self.array.named_tiles().items():
            self.impose(tile, f"s{k}_{place}")
            self.impose(tile, f"s{k}_{place}after_")
        bias, recorded = self.array.value("bias"), self.arrays.get(f"s{k}_after_b")
        if bias is not None and recorded is not None and bias.shape == recorded.shape:
            bias[...] = recorded

    def impose(self, tile: Tile, prefix: str) -> None:
        """Put recorded state into a tile."""
        for name, target in _STATE.items():
            recorded, present = self.arrays.get(prefix + name), tile.value(target)
            if recorded is not None and present is not None and recorded.shape == present.shape:
                present[...] = recorded

    def compare_counter(self, k: int, place: str, tile: Tile, recorded: Any) -> None:
        """The counter of the initialisation from data, which must be exact; then the recorded one is in force."""
        counter = tile.value("input_range_update_idx")
        found = None if counter is None else float(counter[0])
        if found != recorded:
            self.result.failures[f"states[{k}].{place}range_counter"] = (
                f"{found}, recorded is {recorded}."
            )
        if counter is not None and recorded is not None:
            counter[0] = recorded

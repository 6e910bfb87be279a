"""The replay of a case of one tile: each step starts from the recorded state."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

from numpy.typing import NDArray

from refsim.config import Choices
from refsim.nn import SGD

from .comparison import Comparison
from .recipe import Plan, Step, plan
from .vectors import Case, Recording

__all__ = ["INPUTS", "TileReplay", "replay_tile"]

INPUTS: Final = re.compile(r"W|b|s\d+_[xg]")
"""Names of the arrays that were given to the tile."""
_STATE: Final = {
    "W_analog": "weight",
    "b": "bias",
    "r": "input_range",
    "mapping_scales": "mapping_scales",
    "out_scaling": "out_scaling_alpha",
}
_GRADIENTS: Final = {
    "dW_analog": "weight",
    "db": "bias",
    "dr": "input_range",
    "dout_scaling": "out_scaling_alpha",
}


def _need_not_be_recorded(name: str, found: NDArray[Any]) -> bool:
    """Whether aihwkit has no such array: after its all-zero shortcut the input has no gradient, where refsim returns
    zeros; before the first weights there are no columnwise scales, where refsim has ones (erratum E-5)."""
    zeros, ones = not found.any(), bool((found == 1).all())
    return (name.endswith("_dx") and zeros) or (name.endswith("mapping_scales") and ones)


def replay_tile(
    recording: Recording, case: Case, choices: Choices, backend: str, run: Comparison
) -> None:
    """Replay a case of one tile.

    Raises
    ------
    UnsupportedCase, ConfigError
        If there is something in the case that this version does not have.
    """
    todo = plan(recording, case, choices)
    tile = todo.config.create_tile(todo.out_size, todo.in_size, bias=todo.bias, backend=backend)
    TileReplay(run.arrays, run.result, tile=tile).run(todo)


@dataclass
class TileReplay(Comparison):
    """A tile on its way through the steps of a case."""

    gradients: ClassVar[Mapping[str, str]] = _GRADIENTS
    tile: Any = field(kw_only=True)

    def run(self, todo: Plan) -> None:
        """The whole case."""
        with self.until_an_error():
            self.start(todo)
            for k, step in enumerate(todo.steps):
                self.step(k, step, todo.lr)

    def start(self, todo: Plan) -> None:
        """Weights, bias and scales as given to the recording library."""
        tile = self.tile
        tile.set_weights(self.arrays["W"], self.arrays.get("b"))
        if todo.out_scaling is not None:
            tile.parameters["out_scaling_alpha"][...] = todo.out_scaling
        self.compare("init_W_analog", tile.parameters["weight"])
        self.compare("init_mapping_scales", tile.value("mapping_scales"))
        self.impose("init_")

    def step(self, k: int, step: Step, lr: float) -> None:
        """One step, and then the recorded state in place of refsim's."""
        tile = self.tile
        tile.train(step.training).zero_grad()
        self.compare(f"s{k}_y", self.forward(k))
        self.compare(f"s{k}_r", tile.value("input_range"))
        self.compare_counter(k, step)
        if step.backward:
            self.go_back(k)
        if step.update:
            SGD([tile], lr=lr).step()
            for name, target in _STATE.items():
                self.compare(f"s{k}_after_{name}", tile.value(target))
        self.impose(f"s{k}_")
        self.impose(f"s{k}_after_")

    def forward(self, k: int) -> NDArray[Any]:
        """The output for the input of a step."""
        y: NDArray[Any] = self.tile.forward(self.arrays[f"s{k}_x"])
        return y

    def go_back(self, k: int) -> None:
        """The backward pass of a step."""
        self.compare(f"s{k}_dx", self.tile.backward(self.arrays[f"s{k}_g"]))
        self.compare_gradients(k, self.tile.gradients)

    def compare_gradients(self, k: int, found: Mapping[str, NDArray[Any]]) -> None:
        """The gradients of the parameters."""
        for name, target in self.gradients.items():
            self.compare(f"s{k}_{name}", found.get(target))

    def impose(self, prefix: str) -> None:
        """Put the recorded state into the tile."""
        for name, target in _STATE.items():
            recorded, present = self.arrays.get(prefix + name), self.tile.value(target)
            if recorded is not None and present is not None and recorded.shape == present.shape:
                present[...] = recorded

    def compare_counter(self, k: int, step: Step) -> None:
        """The counter of the initialisation from data, which must be exact; then the recorded one is in force."""
        counter = self.tile.value("input_range_update_idx")
        found = None if counter is None else float(counter[0])
        if found != step.range_counter:
            self.result.failures[f"states[{k}].range_counter"] = (
                f"{found}, recorded is {step.range_counter}."
            )
        if counter is not None and step.range_counter is not None:
            counter[0] = step.range_counter

    def compare(self, name: str, found: NDArray[Any] | None) -> None:
        """Compare a result with the recorded array of that name, unless it need not be recorded."""
        if name in self.arrays or found is None or not _need_not_be_recorded(name, found):
            super().compare(name, found)

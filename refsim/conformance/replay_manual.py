"""The replay of a case of one tile of the manual path."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from refsim.config import Choices, CustomRPUConfig, InferenceRPUConfig

from .comparison import Comparison
from .recipe import Plan, plan
from .replay_tile import TileReplay
from .vectors import Case, Recording

__all__ = ["replay_custom", "replay_inference"]


def replay_inference(
    recording: Recording, case: Case, choices: Choices, backend: str, run: Comparison
) -> None:
    """Replay a case of one tile with the compiled core.

    Raises
    ------
    UnsupportedCase, ConfigError
        If there is something in the case that this version does not have.
    """
    _replay(plan(recording, case, choices, "inference", InferenceRPUConfig), backend, run)


def replay_custom(
    recording: Recording, case: Case, choices: Choices, backend: str, run: Comparison
) -> None:
    """Replay a case of one tile of the manual path with the core of the autograd path.

    The recipes do not speak of the way back, which was perfect in the recording.

    Raises
    ------
    UnsupportedCase, ConfigError
        If there is something in the case that this version does not have.
    """
    todo = plan(recording, case, choices, "custom", CustomRPUConfig)
    todo.config.backward.is_perfect = True
    _replay(todo, backend, run)


def _replay(todo: Plan, backend: str, run: Comparison) -> None:
    tile = todo.config.create_tile(todo.out_size, todo.in_size, bias=todo.bias, backend=backend)
    _ManualReplay(run.arrays, run.result, tile=tile).run(todo)


@dataclass
class _ManualReplay(TileReplay):
    """A tile of the manual path on its way through the steps of a case."""

    def go_back(self, k: int) -> None:
        """The backward pass of a step.

        aihwkit collects the gradient of a range that is not learned, too. The tile does not (erratum E-14), but its
        trace shows what it would be.
        """
        dx, trace = self.tile.backward(self.arrays[f"s{k}_g"], trace=True)
        self.compare(f"s{k}_dx", dx)
        found = dict(self.tile.gradients)
        if "input_range" in self.tile.buffers:
            found["input_range"] = np.full(1, trace["range_gradient"])
        self.compare_gradients(k, found)

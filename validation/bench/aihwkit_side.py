"""One process of the benchmark: aihwkit's tile and PyTorch's products. Arguments: seconds, then files of inputs."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch
from aihwkit.simulator import configs
from aihwkit.simulator.tiles.inference_torch import TorchInferenceTile
from aihwkit.version import __version__

from .setup import Inputs, Task, configuration, interleaved, load_inputs


def products(inputs: Inputs) -> dict[str, Task]:
    """PyTorch's product of the forward pass, and all three of a training step."""
    x, w, dy = inputs

    def three() -> None:
        x @ w.T, dy @ w, dy.T @ x

    return {"torch float32": lambda: x @ w.T, "torch float32, three products": three}


def tile_tasks(inputs: Inputs, noise: bool) -> dict[str, Task]:
    """Forward in evaluation, and forward and backward in training."""
    (O, I), suffix = inputs.weight.shape, ", noise" if noise else ""
    evaluated, trained = (
        TorchInferenceTile(O, I, configuration(configs, noise), bias=False) for _ in range(2)
    )
    for tile in (evaluated.eval(), trained.train()):
        tile.set_weights(inputs.weight)
    x = inputs.x.clone().requires_grad_()

    def forward() -> None:
        with torch.no_grad():
            evaluated(inputs.x)

    def step() -> None:
        trained(x).backward(inputs.dy)
        trained.zero_grad()
        x.grad = None

    return {f"aihwkit forward{suffix}": forward, f"aihwkit forward + backward{suffix}": step}


def measured(inputs: Inputs, seconds: float) -> dict[str, Any]:
    """Times for one shape."""
    tiles = tile_tasks(inputs, noise=False) | tile_tasks(inputs, noise=True)
    return {"seconds": interleaved(products(inputs) | tiles, seconds)}


def main(seconds: str, *paths: str) -> None:
    """Measure and write one JSON document."""
    environment = {
        "aihwkit": __version__,
        "torch": torch.__version__,
        "torch threads": torch.get_num_threads(),
        "torch MKL": torch.backends.mkl.is_available(),
    }
    arrays = (Inputs(*map(torch.from_numpy, load_inputs(Path(path)))) for path in paths)
    results = [measured(inputs, float(seconds)) for inputs in arrays]
    json.dump({"environment": environment, "results": results}, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])

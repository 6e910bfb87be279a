"""The whole training by refsim alone, beside the recorded one."""

from __future__ import annotations

from typing import Any

import numpy as np

from refsim import nn

from .job import Run, network
from .table import Table

LIMIT = 1e-9


def forward(model: Any, x: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Inputs and outputs of the tiles."""
    inputs, outputs = [], []
    for layer in model.layers:
        y = layer.forward(x)
        if isinstance(layer, nn.Linear):
            inputs.append(x)
            outputs.append(y)
        x = y
    return inputs, outputs


def backward(model: Any, g: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Gradients of inputs and outputs of the tiles, in the order of the layers."""
    inputs, outputs = [], []
    for layer in reversed(model.layers):
        dx = layer.backward(g)
        if isinstance(layer, nn.Linear):
            inputs.append(dx)
            outputs.append(g)
        g = dx
    return inputs[::-1], outputs[::-1]


def compare_states(table: Table, t: int, model: Any, recorded: Any) -> None:
    """Parameters, ranges and scales after a step."""
    for k, tile in enumerate(model.tiles()):
        for name, value in (tile.parameters | tile.buffers).items():
            table.compare(name, (t, k), recorded[f"after.{name}.{k}"][t], value, LIMIT)


def replay(run: Run, data: Any, recorded: Any, backend: str = "cpu") -> Table:
    """Train from the weights of the job and compare every step with the recorded one, within 1e-9."""
    model, table = network(run, data, backend), Table()
    tiles = list(model.tiles())
    optimiser = nn.SGD(tiles, lr=run.lr, momentum=run.momentum)
    for t in range(run.steps):
        optimiser.zero_grad()
        x, y = forward(model, data["x"][t].astype(tiles[0].dtype))
        losses, g = nn.softmax_cross_entropy(y[-1], data["labels"][t], backend)
        dx, dy = backward(model, g)
        found = {"x": x, "y": y, "dx": dx, "dy": dy}
        for name, values in found.items():
            for k, value in enumerate(values):
                table.compare(name, (t, k), recorded[f"{name}.{k}"][t], value, LIMIT)
        for k, tile in enumerate(tiles):
            for name, value in tile.gradients.items():
                table.compare(
                    f"d {name}", (t, k), recorded[f"gradient.{name}.{k}"][t], value, LIMIT
                )
        mean = np.mean(losses, dtype=np.float64)
        table.compare("loss", (t, 0), recorded["loss"][t], mean, LIMIT)
        optimiser.step()
        compare_states(table, t, model, recorded)
    return table

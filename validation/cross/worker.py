"""Trains the networks of a job on aihwkit's torch tiles and records every stage.

    python worker.py FOLDER

Runs in an environment of its own and imports neither refsim nor anything else of this folder. ``FOLDER`` holds
``job.json`` and ``job.npz``; for each run it receives ``NAME.npz``, and at the end ``versions.json``.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from aihwkit.nn import AnalogLinear
from aihwkit.optim import AnalogSGD
from aihwkit.simulator.configs import TorchInferenceRPUConfig

TYPES = {"float": torch.float32, "double": torch.float64}


def configured(settings: dict[str, Any]) -> Any:
    """A configuration with the given fields, named by their dotted paths."""
    config = TorchInferenceRPUConfig()
    for path, value in settings.items():
        *parents, name = path.split(".")
        owner = config
        for parent in parents:
            owner = getattr(owner, parent)
        present = getattr(owner, name)
        setattr(owner, name, type(present)(value) if hasattr(present, "name") else value)
    return config


def network(run: dict[str, Any], data: Any) -> list[Any]:
    """One analog layer for each weight, with its first weight and bias."""
    layers = []
    for k in range(run["layers"]):
        weight, bias = (
            torch.from_numpy(data[f"{name}.{k}"]).to(TYPES[run["data_type"]])
            for name in ("weight", "bias")
        )
        layer = AnalogLinear(
            weight.shape[1], weight.shape[0], True, rpu_config=configured(run["settings"])
        )
        layer.set_weights(weight, bias)
        layers.append(layer.train())
    return layers


def state(layer: Any) -> dict[str, Any]:
    """The tensors of a layer that training changes, by refsim's names."""
    tile = next(layer.analog_tiles())
    found = {
        "weight": tile.tile.weight,
        "bias": tile.bias,
        "input_range": tile.input_range,
        "input_range_update_idx": tile.input_range_update_idx,
        "out_scaling_alpha": tile.out_scaling_alpha,
        "mapping_scales": tile.mapping_scales,
    }
    return {name: value for name, value in found.items() if value is not None}


class Recorder:
    """Arrays by name, one for each step."""

    def __init__(self) -> None:
        self.arrays: dict[str, list[Any]] = {}

    def add(self, name: str, tensor: Any) -> None:
        """Append the present value."""
        self.arrays.setdefault(name, []).append(tensor.detach().numpy().copy())

    def add_state(self, prefix: str, layers: list[Any]) -> None:
        """Append the state of every layer."""
        for k, layer in enumerate(layers):
            for name, tensor in state(layer).items():
                self.add(f"{prefix}.{name}.{k}", tensor)


def forward(layers: list[Any], x: Any, recorder: Recorder) -> tuple[Any, list[Any], list[Any]]:
    """Logits, and the input and output of every layer with their gradients retained."""
    inputs, outputs = [], []
    h = x.requires_grad_()
    for k, layer in enumerate(layers):
        h = h if k == 0 else torch.relu(h)
        h.retain_grad()
        inputs.append(h)
        h = layer(h)
        h.retain_grad()
        outputs.append(h)
        recorder.add(f"x.{k}", inputs[k])
        recorder.add(f"y.{k}", h)
    recorder.add_state("used", layers)
    return h, inputs, outputs


def step(layers: list[Any], optimiser: Any, x: Any, labels: Any, recorder: Recorder) -> None:
    """One step of training."""
    recorder.add_state("before", layers)
    optimiser.zero_grad()
    logits, inputs, outputs = forward(layers, x, recorder)
    loss = torch.nn.functional.cross_entropy(logits, labels)
    loss.backward()
    recorder.add("loss", loss)
    for k, layer in enumerate(layers):
        recorder.add(f"dx.{k}", inputs[k].grad)
        recorder.add(f"dy.{k}", outputs[k].grad)
        for name, tensor in state(layer).items():
            if tensor.grad is not None:
                recorder.add(f"gradient.{name}.{k}", tensor.grad)
    optimiser.step()
    for k, layer in enumerate(layers):
        for name, tensor in state(layer).items():
            velocity = optimiser.state.get(tensor, {}).get("momentum_buffer")
            if velocity is not None:
                recorder.add(f"velocity.{name}.{k}", velocity)
    recorder.add_state("after", layers)


def train(run: dict[str, Any], data: Any) -> dict[str, Any]:
    """All steps of a run."""
    layers, recorder = network(run, data), Recorder()
    model = torch.nn.Sequential(*layers)
    optimiser = AnalogSGD(model.parameters(), lr=run["lr"], momentum=run["momentum"])
    optimiser.regroup_param_groups(model)
    for t in range(run["steps"]):
        x = torch.from_numpy(data["x"][t]).to(TYPES[run["data_type"]])
        step(layers, optimiser, x, torch.from_numpy(data["labels"][t]), recorder)
    return {name: np.stack(values) for name, values in recorder.arrays.items()}


def main(folder: Path) -> None:
    """Carry out the job."""
    torch.set_num_threads(1)
    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    with np.load(folder / "job.npz", allow_pickle=False) as data:
        arrays = dict(data)
    for run in job:
        np.savez(folder / f"{run['name']}.npz", **train(run, arrays))
    versions = {name: version(name) for name in ("aihwkit", "torch", "numpy")}
    (folder / "versions.json").write_text(json.dumps(versions), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

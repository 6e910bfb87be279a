"""What both sides run: configurations, network, batches and optimiser."""

from __future__ import annotations

import itertools
import json
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np

import refsim as rs
from refsim import nn, random

WIDTHS = (64, 16, 10)
BATCH = 16
SEED = 7

QUIET: dict[str, Any] = {
    "forward.inp_res": -1.0,
    "forward.out_res": -1.0,
    "forward.out_noise": 0.0,
    "forward.noise_management": "None",
    "forward.bound_management": "None",
    "pre_post.input_range.enable": True,
    "pre_post.input_range.init_value": 0.71,
    "pre_post.input_range.init_from_data": 0,
    "pre_post.input_range.decay": 0.01,
    "pre_post.input_range.input_min_percentage": 0.9,
}
CONVERTERS = {"forward.inp_res": 62.0, "forward.out_res": 254.0}
CONFIGURATIONS: dict[str, dict[str, Any]] = {
    "range": {},
    "converters": CONVERTERS,
    "abs-max": CONVERTERS | {"forward.noise_management": "AbsMax", "forward.nm_thres": 0.83},
    "iterative": CONVERTERS
    | {"forward.bound_management": "Iterative", "forward.out_bound": 1.3, "forward.inp_res": 254.0},
    "mapping": CONVERTERS
    | {
        "mapping.weight_scaling_omega": 0.6,
        "mapping.weight_scaling_columnwise": True,
        "mapping.learn_out_scaling": True,
        "mapping.out_scaling_columnwise": True,
    },
    "clip-remap": CONVERTERS
    | {
        "clip.type": "LayerGaussian",
        "clip.sigma": 1.5,
        "remap.type": "ChannelwiseSymmetric",
    },
    "adc-clip": CONVERTERS | {"forward.out_bound": 1.1},
    "fine-adc": {"forward.inp_res": 62.0, "forward.out_res": 65534.0},
    "data-init": CONVERTERS | {"pre_post.input_range.init_from_data": 20},
}


@dataclass(frozen=True)
class Run:
    """One configuration in one data type."""

    name: str
    configuration: str
    data_type: str
    settings: dict[str, Any]
    steps: int
    layers: int = len(WIDTHS) - 1
    lr: float = 0.05
    momentum: float = 0.9


def runs(steps: int, names: list[str] | None = None) -> list[Run]:
    """Every configuration in float64 and float32."""
    return [
        Run(
            f"{name}.{data_type}",
            name,
            data_type,
            QUIET | CONFIGURATIONS[name] | {"runtime.data_type": data_type},
            steps,
        )
        for name in names or CONFIGURATIONS
        for data_type in ("double", "float")
    ]


def arrays(steps: int) -> dict[str, np.ndarray]:
    """Weights, biases and batches, float32 so that both data types hold them.

    Pixels are multiples of 1/16. They are scaled and shifted by numbers with no common grid, so that no input
    stands exactly on a tie of the converter.
    """
    data = nn.digits()
    order = np.argsort(random.uniform(SEED, "shuffle", 0, np.arange(len(data.train_y))))
    index = np.resize(order, (steps, BATCH))
    x = data.train_x * np.float32(0.8371) + np.float32(0.0137)
    made = {"x": x[index], "labels": data.train_y[index]}
    for k, (inputs, outputs) in enumerate(itertools.pairwise(WIDTHS)):
        layer = nn.Linear(inputs, outputs, rs.TorchInferenceRPUConfig(), seed=SEED + k)
        made[f"weight.{k}"] = layer.tile.parameters["weight"]
        deviates = random.normal(SEED + k, "weight_init", 1, np.arange(outputs))
        made[f"bias.{k}"] = (np.float32(0.1) * deviates).astype(np.float32)
    return made


def configured(settings: dict[str, Any]) -> rs.TorchInferenceRPUConfig:
    """refsim's configuration with the given fields, under the choices of aihwkit."""
    config = rs.TorchInferenceRPUConfig(choices=rs.Choices.aihwkit())
    for path, value in settings.items():
        *parents, name = path.split(".")
        owner: Any = config
        for parent in parents:
            owner = getattr(owner, parent)
        present = getattr(owner, name)
        setattr(owner, name, type(present)(value) if isinstance(present, Enum) else value)
    return config


def network(run: Run, data: dict[str, np.ndarray], backend: str = "cpu") -> nn.Sequential:
    """refsim's network with the weights and biases of the job."""
    layers: list[Any] = []
    for k in range(run.layers):
        outputs, inputs = data[f"weight.{k}"].shape
        layer = nn.Linear(inputs, outputs, configured(run.settings), backend=backend)
        T = layer.tile.dtype
        layer.tile.set_weights(data[f"weight.{k}"].astype(T), data[f"bias.{k}"].astype(T))
        layers += [layer] if k == 0 else [nn.ReLU(backend), layer]
    return nn.Sequential(*layers).train()


def write(folder: Path, job: list[Run], data: dict[str, np.ndarray]) -> None:
    """Write the job for the worker."""
    text = json.dumps([asdict(run) for run in job], indent=1)
    (folder / "job.json").write_text(text, encoding="utf-8")
    np.savez(folder / "job.npz", **data)  # type: ignore[arg-type]

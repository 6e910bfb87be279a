"""One process of the benchmark: refsim's tile and NumPy's products. Arguments: seconds, then files of inputs."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_info

import refsim
from refsim.kernels.cpu import exact, threads

from .setup import Inputs, Task, configuration, interleaved, load_inputs


def environment() -> dict[str, Any]:
    """What the times depend on."""
    blas = [library for library in threadpool_info() if library["user_api"] == "blas"]
    keys = ("internal_api", "version", "architecture", "num_threads")
    return {
        "refsim": refsim.__version__,
        "numpy": np.__version__,
        "processors": os.cpu_count(),
        "refsim threads": threads.get_num_threads(),
        "BLAS": [{key: library.get(key) for key in keys} for library in blas],
        "variables": {name: value for name, value in os.environ.items() if "OPENBLAS" in name},
    }


def products(inputs: Inputs, T: type) -> dict[str, Task]:
    """NumPy's product of the forward pass, and all three of a training step."""
    x, w, dy = (array.astype(T) for array in inputs)

    def three() -> None:
        np.matmul(x, w.T), np.matmul(dy, w), np.matmul(dy.T, x)

    name = np.dtype(T).name
    return {f"numpy {name}": lambda: np.matmul(x, w.T), f"numpy {name}, three products": three}


def tile_tasks(inputs: Inputs, noise: bool, matmul: str) -> dict[str, Task]:
    """Forward in evaluation, and forward and backward in training."""
    (O, I), suffix = inputs.weight.shape, ", noise" if noise else ""
    config = configuration(refsim, noise)
    config.runtime.matmul = matmul
    evaluated, trained = (config.create_tile(out_size=O, in_size=I) for _ in range(2))
    for tile in (evaluated.eval(), trained):
        tile.set_weights(inputs.weight)

    def step() -> None:
        trained.forward(inputs.x)
        trained.backward(inputs.dy)
        trained.zero_grad()

    return {
        f"refsim {matmul} forward{suffix}": lambda: evaluated.forward(inputs.x),
        f"refsim {matmul} forward + backward{suffix}": step,
    }


def fallback_share(tasks: dict[str, Task], inputs: Inputs) -> dict[str, float]:
    """Share of the elements of the products that the first attempt left open, by task."""
    x, w, dy = (array.size for array in inputs)
    shares = {}
    for name, task in tasks.items():
        before = exact.fallbacks("open")
        task()
        shares[name] = (exact.fallbacks("open") - before) / (
            x + w + dy if "backward" in name else dy
        )
    return shares


def measured(inputs: Inputs, seconds: float) -> dict[str, Any]:
    """Times and fallback shares for one shape."""
    tiles = {
        name: task
        for matmul in ("fast", "exact")
        for noise in (False, True)
        for name, task in tile_tasks(inputs, noise, matmul).items()
    }
    shares = fallback_share(tiles, inputs)
    tasks = products(inputs, np.float32) | products(inputs, np.float64) | tiles
    return {"seconds": interleaved(tasks, seconds), "fallback": shares}


def main(seconds: str, *paths: str) -> None:
    """Measure and write one JSON document."""
    results = [measured(load_inputs(Path(path)), float(seconds)) for path in paths]
    json.dump({"environment": environment(), "results": results}, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])

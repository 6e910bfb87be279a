"""The tile on a GPU beside cuBLAS's float32 product and aihwkit's tile there, and the floor of its memory traffic."""

from __future__ import annotations

import importlib.util
import statistics
import time
from collections.abc import Iterator
from datetime import date
from typing import Any

import numpy as np

import refsim as rs
from refsim import backends
from refsim.kernels import gpu

from .setup import Inputs, Task, configuration, make_inputs

SHAPES = (
    (1, 512, 512),
    (128, 512, 512),
    (1024, 1024, 1024),
    (8192, 1024, 1024),
    (8192, 4096, 4096),
)
COPIED = 2**10 if gpu.simulated() else 2**26
"""Bytes that are read and written by the copy that measures the bandwidth."""
CUBLAS, COPY = "cuBLAS float32", "copy on the device"
HEAD = ("Shape", "Task", "ms", f"/ {CUBLAS}", "/ aihwkit", "/ traffic floor", "/ copy bandwidth")
Document = dict[str, Any]


def traffic(shape: tuple[int, int, int]) -> int:
    """Bytes that a forward pass has to move: input and weight read once, output written once."""
    N, I, O = shape
    return 4 * (N * I + O * I + N * O)


def timed(tasks: dict[str, Task], wait: Task, seconds: float) -> dict[str, float]:
    """Median seconds of each task with all it started on the device; the tasks take turns, five times at least."""
    times: dict[str, list[float]] = {name: [] for name in tasks}
    rounds, end = 0, time.perf_counter() + seconds
    while rounds < 5 or time.perf_counter() < end:
        for name, task in tasks.items():
            task()
            wait()
            begin = time.perf_counter()
            task()
            wait()
            times[name].append(time.perf_counter() - begin)
        rounds += 1
    return {name: statistics.median(values) for name, values in times.items()}


def tile_tasks(inputs: Inputs, matmul: str, noise: bool) -> dict[str, Task]:
    """Forward in evaluation, and forward and backward in training, with device arrays."""
    resident = backends.load("cuda").resident
    config, (O, I) = configuration(rs, noise), inputs.weight.shape
    config.runtime.matmul = matmul
    evaluated, trained = (config.create_tile(O, I, backend="cuda") for _ in range(2))
    for tile in (evaluated.eval(), trained.train()):
        tile.set_weights(inputs.weight)
    x, dy = resident.on_device(inputs.x), resident.on_device(inputs.dy)

    def step() -> None:
        trained.forward(x)
        trained.backward(dy)
        trained.zero_grad()

    suffix = ", noise" if noise else ""
    return {
        f"refsim {matmul} forward{suffix}": lambda: evaluated.forward(x),
        f"refsim {matmul} forward + backward{suffix}": step,
    }


def stage_tasks(inputs: Inputs) -> dict[str, Task]:
    """The chain before the product alone, which reads and writes the input once, and a copy on the device."""
    ops = backends.load("cuda")
    x = ops.resident.on_device(inputs.x)
    sigma = ops.resident.on_device(np.ones(len(inputs.x), np.float32))
    settings = (np.float32(n) for n in (3, 1 / 62, 1, 0, 1))
    r, step, bound, scale, factor = settings
    given = x, r, sigma, step, bound, None, None, scale, factor
    large = ops.resident.on_device(np.ones(COPIED // 8, np.float32))
    return {
        "refsim input chain": lambda: ops.crossbar_input(*given),
        COPY: lambda: ops.resident.copied(large, np.float32),
    }


def torch_tasks(inputs: Inputs) -> dict[str, Task]:
    """cuBLAS's product without TF32 and aihwkit's tile, as far as they are installed."""
    if importlib.util.find_spec("torch") is None:
        return {}
    import torch

    if not torch.cuda.is_available():
        return {}
    torch.backends.cuda.matmul.allow_tf32 = False
    x, w, dy = (torch.from_numpy(array).cuda() for array in inputs)
    tasks: dict[str, Task] = {CUBLAS: lambda: x @ w.T}
    if importlib.util.find_spec("aihwkit") is None:
        return tasks
    from aihwkit.simulator import configs
    from aihwkit.simulator.tiles.inference_torch import TorchInferenceTile

    (O, I) = inputs.weight.shape
    tile = TorchInferenceTile(O, I, configuration(configs, True), bias=False)
    tile.set_weights(torch.from_numpy(inputs.weight))
    tile = tile.cuda()
    start = x.clone().requires_grad_()

    def forward() -> None:
        with torch.no_grad():
            tile.eval()(x)

    def step() -> None:
        tile.train()(start).backward(dy)
        tile.zero_grad()

    return {
        **tasks,
        "aihwkit forward, noise": forward,
        "aihwkit forward + backward, noise": step,
    }


def measure(shapes: list[tuple[int, int, int]], seconds: float) -> Document:
    """Times for all shapes, and what they are compared with.

    Raises
    ------
    BackendError
        If there is no GPU that refsim can use.
    """
    from refsim.kernels.cuda import device

    backends.load("cuda")
    results = []
    for shape in shapes:
        inputs = make_inputs(shape)
        tasks = stage_tasks(inputs) | torch_tasks(inputs)
        for matmul in ("exact", "fast"):
            for noise in (False, True):
                tasks |= tile_tasks(inputs, matmul, noise)
        found = timed(tasks, device.synchronise, seconds)
        results.append({"shape": list(shape), "seconds": found, **compared(shape, found)})
    environment = {**gpu.description(), "refsim": rs.__version__, "NumPy": np.__version__}
    return {"environment": environment, "results": results}


def compared(shape: tuple[int, int, int], seconds: dict[str, float]) -> Document:
    """Ratios of each of refsim's tasks to the others'."""
    bandwidth = COPIED / seconds[COPY]  # read and written
    floor, chain = traffic(shape) / bandwidth, 8 * shape[0] * shape[1] / bandwidth
    ratios: Document = {}
    for task, taken in seconds.items():
        if not task.startswith("refsim"):
            continue
        other = task.replace("refsim exact", "aihwkit").replace("refsim fast", "aihwkit")
        found = {
            f"/ {CUBLAS}": seconds.get(CUBLAS),
            "/ aihwkit": seconds.get(other),
            "/ traffic floor": floor if "forward" in task else None,
            "/ copy bandwidth": chain if "chain" in task else None,
        }
        ratios[task] = {name: taken / base for name, base in found.items() if base}
    return {"bandwidth": bandwidth, "floor": floor, "ratios": ratios}


def table(document: Document) -> Iterator[tuple[str, ...]]:
    """Rows of shape, task, milliseconds and ratios."""
    for result in document["results"]:
        for task, seconds in result["seconds"].items():
            ratios = result["ratios"].get(task, {})
            yield (
                " x ".join(map(str, result["shape"])),
                task,
                f"{1000 * seconds:.3f}",
                *(f"{ratios[base]:.2f}" if base in ratios else "" for base in HEAD[3:]),
            )


def markdown(document: Document, command: str) -> str:
    """A dated report."""
    rows = [HEAD, ("---", "---", *("---:" for _ in HEAD[2:])), *table(document)]
    return (
        "\n\n".join(
            [
                f"# The tile on a GPU, {date.today().isoformat()}",
                f"Command: `{command}`",
                "Medians; the tasks took turns. The traffic floor is the time of a copy of as many bytes as input, "
                "weight and output have; the input chain is compared with a copy of its input.",
                "\n".join(f"| {' | '.join(row)} |" for row in rows),
                "\n".join(f"- {name}: {value}" for name, value in document["environment"].items()),
            ]
        )
        + "\n"
    )

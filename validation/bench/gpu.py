"""The tile on a GPU beside cuBLAS's float32 product and aihwkit's tile there, and the floor of its memory traffic."""

from __future__ import annotations

import importlib.util
import statistics
import time
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import numpy as np

import refsim as rs
from refsim import backends
from refsim.kernels import gpu

from . import gpu_kernels
from .setup import Inputs, Task, configuration, make_inputs

SHAPES = (
    (1, 512, 512),
    (128, 512, 512),
    (1024, 1024, 1024),
    (8192, 1024, 1024),
    (8192, 4096, 4096),
)
CUBLAS = "cuBLAS float32"
HEAD = ("Shape", "Task", "ms", f"/ {CUBLAS}", "/ aihwkit", "/ traffic floor")
KERNELS = ("Shape", "Kernel", "Launches", "ms", "Of the copy bandwidth")
PROFILED = "refsim exact forward, noise"
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


def measured(shape: tuple[int, int, int], seconds: float, bandwidth: float) -> Document:
    """Times for one shape, what they are compared with, and where that of an exact forward pass goes."""
    from refsim.kernels.cuda import device

    inputs = make_inputs(shape)
    tasks = torch_tasks(inputs)
    for matmul in ("exact", "fast"):
        for noise in (True, False):
            tasks |= tile_tasks(inputs, matmul, noise)
    kernels = gpu_kernels.by_kernel(tasks[PROFILED])
    found = timed(tasks, device.synchronise, seconds)
    return {
        "shape": list(shape),
        "seconds": found,
        **compared(shape, found, bandwidth),
        "kernels": {name: list(values) for name, values in kernels.items()},
        "shares": gpu_kernels.shares(shape, kernels, bandwidth),
    }


def measure(
    shapes: list[tuple[int, int, int]],
    seconds: float,
    seen: Callable[[Document], None] = lambda document: None,
) -> Document:
    """Times for all shapes, and what they are compared with; ``seen`` gets what there is after each shape.

    Raises
    ------
    BackendError
        If there is no GPU that refsim can use.
    """
    backends.load("cuda")
    environment = {**gpu.description(), "refsim": rs.__version__, "NumPy": np.__version__}
    bandwidth = gpu_kernels.copy_bandwidth()
    document: Document = {"environment": environment, "bandwidth": bandwidth, "results": []}
    for shape in shapes:
        document["results"].append(measured(shape, seconds, bandwidth))
        seen(document)
    return document


def compared(shape: tuple[int, int, int], seconds: dict[str, float], bandwidth: float) -> Document:
    """Ratios of each of refsim's tasks to the others'."""
    floor, ratios = traffic(shape) / bandwidth, {}
    for task, taken in seconds.items():
        if not task.startswith("refsim"):
            continue
        other = task.replace("refsim exact", "aihwkit").replace("refsim fast", "aihwkit")
        found = {
            f"/ {CUBLAS}": seconds.get(CUBLAS),
            "/ aihwkit": seconds.get(other),
            "/ traffic floor": floor,
        }
        ratios[task] = {name: taken / base for name, base in found.items() if base}
    return {"floor": floor, "ratios": ratios}


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


def kernel_table(document: Document) -> Iterator[tuple[str, ...]]:
    """Rows of shape, kernel, launches, milliseconds and share of the bandwidth; the longest first."""
    for result in document["results"]:
        for name, (launches, seconds) in sorted(
            result["kernels"].items(), key=lambda item: -item[1][1]
        ):
            share = result["shares"].get(name)
            yield (
                " x ".join(map(str, result["shape"])),
                name,
                f"{launches:g}",
                f"{1000 * seconds:.3f}",
                "" if share is None else f"{100 * share:.0f} %",
            )


def _rows(head: tuple[str, ...], body: Iterator[tuple[str, ...]]) -> str:
    rows = [head, ("---", "---", *("---:" for _ in head[2:])), *body]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def markdown(document: Document, command: str) -> str:
    """A dated report."""
    bandwidth = document["bandwidth"] / 1e9
    return (
        "\n\n".join(
            [
                f"# The tile on a GPU, {date.today().isoformat()}",
                f"Command: `{command}`",
                "Medians of calls, from the call to the end of all it started; the tasks took turns. The traffic floor "
                "is the time of a copy of as many bytes as input, weight and output have.",
                _rows(HEAD, table(document)),
                f"A copy on the device reads and writes {bandwidth:.0f} GB in a second. Kernels of one pass of "
                f"`{PROFILED}`, by events on the device:",
                _rows(KERNELS, kernel_table(document)),
                "\n".join(f"- {name}: {value}" for name, value in document["environment"].items()),
            ]
        )
        + "\n"
    )

"""Seconds of each kernel on the device, by its events, and how near the element-wise ones come to a copy."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from refsim.kernels import gpu

COPIED = 2**10 if gpu.simulated() else 2**30
"""Bytes that are read, and written again, by the copy that measures the bandwidth."""
REPEATS = 5
Mark = Callable[[], float]


class Launch(NamedTuple):
    """A kernel, or a product of the library, and the marks before and behind it."""

    name: str
    before: Any
    behind: Any


def _mark() -> Any:
    """A point in the order of the current stream."""
    from refsim.kernels.cuda import streams

    if gpu.simulated():
        return time.perf_counter()
    event = streams.CUDA.event()
    event.record(streams.current())
    return event


def _between(launch: Launch) -> float:
    if gpu.simulated():
        return float(launch.behind - launch.before)
    return float(launch.before.elapsed_time(launch.behind)) / 1000


@contextmanager
def watched() -> Iterator[list[Launch]]:
    """Notes each launch of a kernel, and each product of cuBLAS."""
    from refsim.kernels.cuda import cublas, device, tiles

    found: list[Launch] = []
    start, multiply = device.start, cublas.Library.multiply

    def noted(name: str, call: Any, *given: Any) -> None:
        before = _mark()
        call(*given)
        found.append(Launch(name, before, _mark()))

    def started(kernel: Any, *given: Any) -> None:
        function = kernel.fn if gpu.simulated() else kernel.py_func
        noted(function.__name__.lstrip("_"), start, kernel, *given)

    def multiplied(library: Any, *given: Any) -> None:
        noted("cuBLAS", multiply, library, *given)

    device.start = tiles.start = started
    cublas.Library.multiply = multiplied  # type: ignore[method-assign]
    try:
        yield found
    finally:
        device.start = tiles.start = start
        cublas.Library.multiply = multiply  # type: ignore[method-assign]


def by_kernel(task: Callable[[], object]) -> dict[str, tuple[float, float]]:
    """Launches and seconds of each kernel in one run of a task; medians of several runs, after one that compiles."""
    from refsim.kernels.cuda import device

    task()
    runs: list[dict[str, list[float]]] = []
    for _ in range(REPEATS):
        with watched() as launches:
            task()
        device.synchronise()
        times: dict[str, list[float]] = {}
        for launch in launches:
            times.setdefault(launch.name, []).append(_between(launch))
        runs.append(times)
    return {
        name: (
            statistics.median(len(run.get(name, ())) for run in runs),
            statistics.median(sum(run.get(name, ())) for run in runs),
        )
        for name in runs[0]
    }


def copy_bandwidth() -> float:
    """Bytes that are read or written in a second of a copy on the device."""
    from refsim.kernels.cuda import device

    x, y = (device.empty(COPIED, np.uint8) for _ in range(2))
    seconds = []
    for _ in range(2 * REPEATS):
        before = _mark()
        y.copy_to_device(x, stream=device.current())
        launch = Launch("copy", before, _mark())
        device.synchronise()
        seconds.append(_between(launch))
    return 2 * COPIED / statistics.median(seconds)


def moved(shape: tuple[int, int, int]) -> dict[str, int]:
    """Bytes that the element-wise kernels of a forward pass with noise have to move."""
    N, I, O = shape
    return {"crossbar_input": 8 * N * I, "crossbar_output": 16 * N * O, "normal": 4 * N * O}


def shares(
    shape: tuple[int, int, int], kernels: dict[str, tuple[float, float]], bandwidth: float
) -> dict[str, float]:
    """How near the element-wise kernels come to the bandwidth of the copy."""
    found = {}
    for name, size in moved(shape).items():
        if name in kernels and kernels[name][1] > 0:
            launches, seconds = kernels[name]
            found[name] = launches * size / seconds / bandwidth
    return found


__all__ = ["by_kernel", "copy_bandwidth", "moved", "shares", "watched"]

"""What all sides of the benchmark share: shapes, inputs, the configuration of the tile and the way to measure."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

SHAPES = ((128, 512, 512), (256, 1024, 1024), (1024, 512, 512), (16, 256, 256), (1, 512, 512))
NOISE = 0.04
PAUSE = 0.06
"""Seconds before a series of calls, in which the threads of other libraries stop spinning."""
WARM = 0.02
"""Seconds of calls before those that are timed, in which the threads of this one find their processors."""
SERIES = 5
"""Timed calls in a row."""
Task = Callable[[], object]


class Inputs(NamedTuple):
    """Batch ``(N, I)``, weight ``(O, I)`` and output gradient ``(N, O)``, in float32."""

    x: Any
    weight: Any
    dy: Any


def make_inputs(shape: tuple[int, int, int]) -> Inputs:
    """Normal inputs and gradients, and weights of a usual initialisation, the same at each call."""
    N, I, O = shape
    random = np.random.default_rng(0)
    sizes = {"x": ((N, I), 1.0), "weight": ((O, I), I**-0.5), "dy": ((N, O), 1.0)}
    return Inputs(
        *(np.float32(scale) * random.standard_normal(s, np.float32) for s, scale in sizes.values())
    )


def save_inputs(path: Path, inputs: Inputs) -> None:
    """Write inputs for the other processes."""
    np.savez(path, **inputs._asdict())


def load_inputs(path: Path) -> Inputs:
    """Read what :func:`save_inputs` wrote."""
    with np.load(path) as arrays:
        return Inputs(*(arrays[name] for name in Inputs._fields))


def configuration(names: Any, noise: bool) -> Any:
    """The tile of all benchmarks, from refsim's or aihwkit's names: 6-bit DAC, 8-bit ADC, a learned range."""
    return names.TorchInferenceRPUConfig(
        forward=names.IOParameters(
            inp_res=2**6 - 2,
            out_res=2**8 - 2,
            out_noise=NOISE if noise else 0.0,
            noise_management=names.NoiseManagementType.NONE,
            bound_management=names.BoundManagementType.NONE,
        ),
        pre_post=names.PrePostProcessingParameter(
            input_range=names.InputRangeParameter(enable=True, init_from_data=0, init_value=3.0)
        ),
    )


def interleaved(tasks: dict[str, Task], seconds: float) -> dict[str, float]:
    """Median seconds of a call of each task; the tasks take turns until the time is over, five times at least."""
    times: dict[str, list[float]] = {name: [] for name in tasks}
    rounds, end = 0, time.perf_counter() + seconds
    while rounds < 5 or time.perf_counter() < end:
        for name, task in tasks.items():
            time.sleep(PAUSE)
            warm = time.perf_counter() + WARM
            while time.perf_counter() < warm:
                task()
            for _ in range(SERIES):
                begin = time.perf_counter()
                task()
                times[name].append(time.perf_counter() - begin)
        rounds += 1
    return {name: statistics.median(values) for name, values in times.items()}

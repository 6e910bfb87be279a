"""Configuration unpacked: settings combined in float64, rounded once to the data type of the tile."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from refsim.config import (
    BoundManagementType,
    InputRangeParameter,
    IOParameters,
    NoiseManagementType,
    RPUDataType,
)
from refsim.errors import ConfigError
from refsim.spec.sums import Scalar

DType = np.dtype[Any]
DATA_TYPES: dict[RPUDataType, DType] = {
    RPUDataType.FLOAT: np.dtype(np.float32),
    RPUDataType.DOUBLE: np.dtype(np.float64),
}


def typed(value: float, T: DType, name: str) -> Scalar:
    """The setting rounded to ``T``; a :class:`ConfigError` if it is too large for ``T`` or vanishes in it."""
    number = _rounded(value, math.copysign(1.0, value), T)
    if math.isfinite(value) != math.isfinite(number) or (value == 0) != (number == 0):
        raise ConfigError(
            f"{name} is {value!r}, allowed are numbers that {T} does not turn into {number}."
        )
    return number


@lru_cache(maxsize=4096, typed=True)
def _rounded(value: float, sign: float, T: DType) -> Scalar:
    """The setting rounded to ``T``; ``sign`` tells the two zeros apart."""
    with np.errstate(over="ignore", under="ignore"):
        return T.type(value)


def grid_step(res: float, bound: float) -> float:
    """Grid step of a resolution: a fraction of ``2 * |bound|``, or a number of steps if above 1; 0 if off.

    >>> grid_step(0.25, 1.0), grid_step(4, 1.0), grid_step(-1, 1.0)
    (0.5, 0.5, 0.0)
    """
    if res <= 0:
        return 0.0
    return (1 / res if res > 1 else res) * 2 * abs(bound)


def typed_step(res: float, bound: float, T: DType, name: str) -> Scalar:
    """Grid step rounded to ``T``; a :class:`ConfigError` if it vanishes although there is a grid."""
    step = grid_step(res, bound)
    if step == 0 and res > 0 and bound != 0:
        raise ConfigError(f"{name} is {res!r}, allowed are resolutions with a grid step above 0.")
    return typed(step, T, f"the grid step of {name}")


@dataclass(frozen=True)
class Converter:
    """Typed settings of one converter."""

    step: Scalar
    bound: Scalar
    stochastic: bool
    noise: Scalar
    negative_factor: Scalar


@dataclass(frozen=True)
class ClipMask:
    """Which outputs count as clipped: rounded ones beyond a bound, or (inclusive) core outputs that reach one."""

    inclusive: bool
    bound: Scalar


@dataclass(frozen=True)
class Core:
    """Typed settings of the analog product and its converters."""

    perfect: bool
    dac: Converter
    adc: Converter
    out_scale: Scalar
    noise_management: NoiseManagementType
    noise_cap: Scalar
    iterative: bool
    beta_limit: float
    mask: ClipMask


def clip_mask(io: IOParameters, choice: str, T: DType) -> ClipMask:
    """Typed settings of the mask of clipped outputs, with an infinite bound if there is none."""
    inclusive = choice == "scaled_0_999"
    bound = 0.999 * io.out_scale * io.out_bound if inclusive else io.out_bound
    return ClipMask(inclusive, typed(bound if io.out_bound > 0 else math.inf, T, "the clip bound"))


def converter(
    side: str,
    res: float,
    bound: float,
    stochastic: bool,
    noise: float,
    asymmetry: float,
    T: DType,
    way: str = "forward",
) -> Converter:
    """Settings of the converter on one side, ``inp`` or ``out``, of one pass."""
    return Converter(
        step=typed_step(res, bound, T, f"{way}.{side}_res"),
        bound=typed(bound if bound > 0 else math.inf, T, f"{way}.{side}_bound"),
        stochastic=stochastic and res > 0,
        noise=typed(noise, T, f"{way}.{side}_noise"),
        negative_factor=T.type(1 - asymmetry),
    )


def core(io: IOParameters, T: DType, mask: str = "adc", way: str = "forward") -> Core:
    """Typed settings of a pass; ``mask`` is the choice ``output_clip_mask``."""
    step = grid_step(io.inp_res, 1.0)
    limits = [float(io.max_bm_factor)]
    if step > 0 and io.inp_bound > 0:
        limits.append(io.max_bm_res / io.inp_bound / step)
    management = io.noise_management
    return Core(
        perfect=io.is_perfect,
        dac=converter(
            "inp",
            io.inp_res,
            io.inp_bound,
            io.inp_sto_round,
            io.inp_noise,
            io.inp_asymmetry,
            T,
            way,
        ),
        adc=converter(
            "out",
            io.out_res,
            io.out_bound,
            io.out_sto_round,
            io.out_noise,
            io.out_asymmetry,
            T,
            way,
        ),
        out_scale=typed(io.out_scale, T, f"{way}.out_scale"),
        noise_management=management,
        noise_cap=typed(io.nm_thres if io.nm_thres > 0 else math.inf, T, f"{way}.nm_thres"),
        iterative=io.bound_management != BoundManagementType.NONE,
        beta_limit=min(limits),
        mask=clip_mask(io, mask, T),
    )


@dataclass(frozen=True)
class Range:
    """Typed settings of the input range."""

    learned: bool
    init_batches: int
    init_std_alpha: Scalar
    decay: Scalar
    min_percentage: np.float32
    relative: bool
    scale: Scalar
    grows: bool
    min_output_percentage: np.float32
    share_of_inputs: bool


def input_range(
    p: InputRangeParameter, scale_applies: str, T: DType, percentage_of: str = "outputs"
) -> Range | None:
    """Typed settings of the input range, None if there is none; two choices say how they are read."""
    if not p.enable:
        return None
    scaled = p.gradient_relative or scale_applies == "always"
    return Range(
        learned=p.learn_input_range,
        init_batches=int(p.init_from_data),
        init_std_alpha=typed(p.init_std_alpha, T, "input_range.init_std_alpha"),
        decay=typed(p.decay, T, "input_range.decay"),
        min_percentage=np.float32(p.input_min_percentage),
        relative=p.gradient_relative,
        scale=typed(p.gradient_scale if scaled else 1.0, T, "input_range.gradient_scale"),
        grows=p.manage_output_clipping,
        min_output_percentage=np.float32(p.output_min_percentage),
        share_of_inputs=percentage_of == "inputs",
    )

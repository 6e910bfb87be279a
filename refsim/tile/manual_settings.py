"""Typed settings of the manual path: both passes, and the rules of the compiled core."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from refsim.config import BoundManagementType, IOParameters
from refsim.spec.sums import Scalar

from . import settings
from .settings import Core, DType, typed

ASSUMED_LARGEST_WEIGHT = 0.6
AVERAGE_DECAY = 0.001
"""Constants of the compiled core of aihwkit, as observed; they are no fields of the configuration."""


@dataclass(frozen=True)
class ManualCore(Core):
    """Typed settings of a forward pass with those of the way back."""

    back: Core
    compensated: bool


@dataclass(frozen=True)
class RowCore(Core):
    """Typed settings of one pass through the compiled core, which manages each row by itself."""

    keeps_out_scale: bool
    worst_case: bool
    tests_negative: bool
    sum_factor: Scalar
    sum_limit: Scalar
    keep: Scalar
    weight: Scalar


@dataclass(frozen=True)
class ManualRowCore(RowCore, ManualCore):
    """Typed settings of a forward pass through the compiled core with those of the way back."""


def row_core(io: IOParameters, T: DType, choices: Any, way: str = "forward") -> RowCore:
    """Typed settings of one pass through the compiled core.

    It ignores a negative output asymmetry, and rounds no outputs where there is no output bound.
    """
    base = settings.core(io, T, choices.output_clip_mask, way)
    step = base.adc.step if io.out_bound > 0 else T.type(0)
    adc = replace(base.adc, step=step, negative_factor=T.type(1 - max(io.out_asymmetry, 0.0)))
    return RowCore(
        **(vars(base) | {"adc": adc}),
        keeps_out_scale=choices.perfect_out_scale == "by_path",
        worst_case=io.bound_management is BoundManagementType.ITERATIVE_WORST_CASE,
        tests_negative=io.bm_test_negative_bound,
        sum_factor=T.type(ASSUMED_LARGEST_WEIGHT / io.out_bound if io.out_bound > 0 else 0.0),
        sum_limit=_sum_limit(io, T),
        keep=T.type(1 - AVERAGE_DECAY),
        weight=T.type(AVERAGE_DECAY),
    )


def _sum_limit(io: IOParameters, T: DType) -> Scalar:
    """Largest multiple of the peak that the sum may make of it; infinite where no input is rounded."""
    step = settings.grid_step(io.inp_res, io.inp_bound)
    return typed(io.max_bm_res / step, T, "max_bm_res") if step > 0 else T.type(math.inf)

"""Whole tiles of the manual path as Hypothesis draws them."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from hypothesis import strategies as st

import refsim as rs
from tests.exact import Type
from tests.tile import manual_oracle
from tests.tile.cases import (
    BM,
    NM,
    input_ranges,
    io_parameters,
    manage_output_clipping,
    mappings,
    modifiers,
    mostly,
    readings,
    runtime,
)

ORACLES: dict[type, Any] = {
    rs.InferenceRPUConfig: manual_oracle.InferenceTile,
    rs.CustomRPUConfig: manual_oracle.CustomTile,
    rs.FloatingPointRPUConfig: manual_oracle.FloatingPointTile,
}
row_managements = st.sampled_from(
    [NM.NONE, NM.ABS_MAX, NM.MAX, NM.CONSTANT, NM.ABS_MAX_NP_SUM, NM.AVERAGE_ABS_MAX]
)
readings_of_the_core = readings | st.just(rs.Choices(perfect_out_scale="by_path"))


@st.composite
def passes(draw: st.DrawFn, compiled: bool, perfect: st.SearchStrategy[bool]) -> rs.IOParameters:
    """Parameters of one pass."""
    io = rs.IOParameters(**draw(io_parameters))
    io.is_perfect = draw(perfect)
    if compiled:
        io.noise_management = draw(row_managements)
        io.bm_test_negative_bound = draw(mostly(True, False))
        if io.noise_management is not NM.NONE:
            io.inp_bound = 1.0
    return io


def parts(draw: st.DrawFn, T: Type) -> dict[str, Any]:
    """What every configuration has."""
    mapping = rs.MappingParameter(**draw(mappings))
    mapping.weight_scaling_lr_compensation = draw(st.booleans())
    ranged = rs.InputRangeParameter(**draw(input_ranges))
    return {
        "runtime": runtime(T),
        "pre_post": rs.PrePostProcessingParameter(input_range=ranged),
        "mapping": mapping,
        "choices": copy.deepcopy(draw(readings_of_the_core)),
    }


@st.composite
def inference(draw: st.DrawFn, T: Type) -> Any:
    """Configurations that an ``InferenceTile`` honours."""
    made = rs.InferenceRPUConfig(
        forward=draw(passes(True, mostly(False, False, False, True))),
        backward=draw(passes(True, st.booleans())),
        modifier=rs.WeightModifierParameter(**draw(modifiers)),
        **parts(draw, T),
    )
    return manage_output_clipping(draw, made)


@st.composite
def custom(draw: st.DrawFn, T: Type) -> Any:
    """Configurations that a ``CustomTile`` honours."""
    made = rs.CustomRPUConfig(
        forward=draw(passes(False, mostly(False, False, False, True))),
        backward=draw(passes(False, st.booleans())),
        **parts(draw, T),
    )
    return manage_output_clipping(draw, made)


@st.composite
def floating_point(draw: st.DrawFn, T: Type) -> Any:
    """Configurations that a ``FloatingPointTile`` honours."""
    return rs.FloatingPointRPUConfig(**parts(draw, T))


def manual(T: Type) -> st.SearchStrategy[Any]:
    """Configurations of the manual path."""
    return st.one_of(inference(T), inference(T), custom(T), floating_point(T))


def oracle_of(case: Any, state: dict[str, Any]) -> Any:
    """The tile of a case in exact arithmetic."""
    kept = {name: np.copy(value) for name, value in state.items()}
    return ORACLES[type(case.config)](case.config, case.T, case.training, kept)


__all__ = ["BM", "custom", "floating_point", "inference", "manual", "oracle_of"]

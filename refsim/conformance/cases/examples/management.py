"""Examples of noise and bound management (clauses NM, BM)."""

from __future__ import annotations

from typing import Any

import numpy as np

from refsim.config import BoundManagementType, InferenceRPUConfig, NoiseManagementType

from ..model import Case
from .small import Asked, asked, example, tile

__all__ = ["bounds", "compiled", "scales", "slopes"]

NM, BM = NoiseManagementType, BoundManagementType
ONES = [[1.0, 1.0]]
BOUNDED: Asked = {"inp_bound": 1.0}
GRID: Asked = {"inp_res": 0.25, "inp_bound": 1.0}


def _managed(kind: NoiseManagementType, **settings: Any) -> Asked:
    return {**BOUNDED, "noise_management": kind, **settings}


def scales() -> list[Case]:
    """The scale of each row (NM-1, NM-2, NM-3)."""
    row = asked([[-2.0, 1.0]])
    rows = asked([[4.0, -2.0], [0.5, 0.25]])

    def of(clauses: str, catches: str, name: str, io: Asked, step: Asked, **parts: Any) -> Case:
        return example(clauses, catches, name, tile(io=io, **parts), ONES, step)

    grid = {**GRID, "noise_management": NM.ABS_MAX}
    noisy = {"out_noise": 0.5, **_managed(NM.ABS_MAX)}
    return [
        of("NM-1 NM-3", "Signed", "magnitudes decide", _managed(NM.ABS_MAX), row),
        of("NM-1 NM-3", "WholeBatch", "each row has a scale of its own", grid, rows),
        of(
            "NM-1 NM-3",
            "InnerAxis",
            "the last axis is the row",
            grid,
            asked([[[4.0, -2.0]], [[0.5, 0.25]]]),
        ),
        of("NM-2 NM-3", "Magnitudes", "the largest value decides", _managed(NM.MAX), row),
        of(
            "NM-2 NM-3",
            "NegativeScale",
            "a row without positive values has scale 1",
            _managed(NM.MAX),
            asked([[-2.0, -0.5], [0.0, -4.0]]),
        ),
        of(
            "NM-3",
            "CapIgnored",
            "the cap limits the scale",
            _managed(NM.ABS_MAX, nm_thres=2.0),
            asked([[4.0, 1.0]]),
        ),
        of(
            "NM-3",
            "CapAsFloor",
            "the cap does not raise the scale",
            _managed(NM.ABS_MAX, nm_thres=2.0, inp_res=0.25),
            asked([[1.0, 0.25]]),
        ),
        of(
            "NM-3",
            "ConstantIgnored",
            "a constant scale",
            _managed(NM.CONSTANT, nm_thres=4.0),
            asked([[2.0, 8.0]]),
        ),
        of(
            "NM-3",
            "ZeroRow",
            "a row of zeros has scale 1",
            _managed(NM.ABS_MAX),
            asked([[0.0, 0.0], [1.0, 2.0]], [[1.0], [1.0]]),
        ),
        of(
            "NM-3",
            "NoShortcut",
            "a batch of zeros gives zeros, without noise",
            noisy,
            asked([[0.0, 0.0]], noise={"out_noise": [[1.0]]}),
        ),
        example(
            "NM-3 IR-7",
            "NoShortcut",
            "a batch of zeros leaves the range alone",
            tile(1.0, _managed(NM.ABS_MAX), {"decay": 0.5}),
            ONES,
            asked([[0.0, 0.0]], [[1.0]]),
        ),
        example(
            "NM-3 IR-3",
            "BeforeTheRange",
            "the scale is taken behind the range",
            tile(2.0, grid),
            ONES,
            asked([[8.0, 1.0]]),
        ),
    ]


def slopes() -> list[Case]:
    """The derivative by the scale (NM-4, NM-5, SU-5)."""

    def of(clauses: str, catches: str, name: str, io: Asked, x: Any, dy: Any) -> Case:
        return example(clauses, catches, name, tile(io=io), [[1.0, 2.0]], asked(x, dy))

    grid = {**GRID, "noise_management": NM.ABS_MAX}
    return [
        of(
            "NM-4 NM-5",
            "ScaleIsConstant",
            "the scale passes gradients, too",
            grid,
            [[2.0, 0.75]],
            [[1.0]],
        ),
        of(
            "NM-4 NM-5",
            "SignLost",
            "the sign of the largest magnitude",
            grid,
            [[-2.0, 0.75]],
            [[1.0]],
        ),
        of(
            "NM-4 NM-5",
            "OutScaleIgnored",
            "the output scale is part of it",
            {**grid, "out_scale": 0.5},
            [[2.0, 0.75]],
            [[1.0]],
        ),
        of(
            "NM-5",
            "EveryElement",
            "the first of equal magnitudes gets it",
            grid,
            [[0.75, 0.25], [2.0, -2.0]],
            [[1.0], [4.0]],
        ),
        of(
            "NM-5 NM-3",
            "CappedScale",
            "a capped scale passes nothing",
            {**grid, "nm_thres": 1.0},
            [[2.0, 0.75]],
            [[1.0]],
        ),
        of(
            "NM-5 NM-3",
            "ScaleOfOne",
            "a scale put in place of 0 passes nothing",
            grid,
            [[0.0, 0.0], [2.0, 0.75]],
            [[1.0], [1.0]],
        ),
        example(
            "NM-1 NM-5",
            "LastPeak",
            "the first of equal magnitudes is the peak",
            tile(io=grid),
            [[1.0, 2.0, 1.0]],
            asked([[2.0, -2.0, 0.75]], [[1.0]]),
        ),
        example(
            "NM-2 NM-5",
            "LastPeak",
            "the first of equal values is the peak",
            tile(io={**grid, "noise_management": NM.MAX}),
            [[1.0, 2.0, 1.0]],
            asked([[2.0, 2.0, 0.75]], [[1.0]]),
        ),
        of(
            "NM-3 NM-4",
            "LostAtTheCap",
            "a scale at the cap passes its gradient",
            {**grid, "nm_thres": 2.0},
            [[2.0, 0.75]],
            [[1.0]],
        ),
        example(
            "SU-5 NM-4",
            "AcrossRows",
            "the slope of a row sums over that row",
            tile(io=grid),
            [[1.0, 2.0], [-4.0, 0.5]],
            asked([[2.0, 0.75], [-0.25, 4.0]], [[1.0, 2.0], [4.0, -1.0]]),
        ),
    ]


def bounds() -> list[Case]:
    """Bound management of the batch (BM-1, BM-2)."""

    def of(
        clauses: str,
        catches: str,
        name: str,
        x: Any,
        *,
        dy: Any = None,
        weight: Any = ((4.0,),),
        **io: Any,
    ) -> Case:
        settings = {"bound_management": BM.ITERATIVE, "out_bound": 1.0, **io}
        return example(clauses, catches, name, tile(io=settings), weight, asked(x, dy))

    coarse = {"out_res": 0.25}
    scaled = {"noise_management": NM.ABS_MAX, **coarse}
    return [
        of("BM-2", "NoSecondPass", "clipped outputs are computed again", [[0.75]], **coarse),
        of("BM-2", "LowerSideForgotten", "outputs below the bound are, too", [[-0.75]], **coarse),
        of(
            "BM-2",
            "ThresholdStrict",
            "an output at the bound is within it",
            [[0.25]],
            inp_res=0.25,
            inp_bound=0.5,
            max_bm_res=8.0,
        ),
        of("BM-2", "RowByRow", "the whole batch is computed again", [[1.0], [0.25]], **coarse),
        of("BM-2", "EmptyBatch", "an empty batch needs one pass", np.zeros((0, 1)), **coarse),
        of("BM-2", "BeforeRounding", "the rounded output decides", [[0.28125]], **coarse),
        of("BM-1", "ScaleKept", "each pass halves the inputs", [[3.0]], dy=[[1.0]], **coarse),
        of(
            "BM-1 NM-3",
            "AlphaForgotten",
            "passes and noise management act together",
            [[3.0]],
            dy=[[1.0]],
            **scaled,
        ),
        of(
            "BM-1 BM-2",
            "FactorExceeded",
            "the largest factor ends it",
            [[3.0]],
            max_bm_factor=2,
            **coarse,
        ),
        of(
            "BM-1 BM-2",
            "FactorStrict",
            "a factor at the limit may still grow",
            [[3.0]],
            max_bm_factor=4,
            **coarse,
        ),
        of(
            "BM-1 BM-2",
            "ResolutionLimit",
            "the resolution of the inputs ends it",
            [[0.75]],
            inp_res=0.125,
            inp_bound=1.0,
            max_bm_res=0.25,
        ),
        of(
            "BM-1 BM-2",
            "UnboundedInputs",
            "without an input bound there is no such limit",
            [[0.75]],
            max_bm_res=0.0,
        ),
        of(
            "BM-1 BM-2",
            "WorstCaseDiffers",
            "the worst-case variant is the same here",
            [[0.75]],
            bound_management=BM.ITERATIVE_WORST_CASE,
            **coarse,
        ),
    ]


def compiled() -> list[Case]:
    """Management of the compiled core, row by row (NM-6, NM-7, NM-8, BM-3)."""
    rows = asked([[1.0, 0.5], [0.5, -0.5]], [[1.0], [1.0]])

    def of(clauses: str, catches: str, name: str, step: Asked, **io: Any) -> Case:
        config = tile(io={"inp_bound": 1.0, "inp_res": 0.25, **io}, made=InferenceRPUConfig)
        return example(clauses, catches, name, config, [[4.0, 2.0]], step)

    bounded = {"bound_management": BM.ITERATIVE, "out_bound": 1.0, "max_bm_res": 8.0}
    summed = {"noise_management": NM.ABS_MAX_NP_SUM, "out_bound": 0.5, "max_bm_res": 8.0}
    running = {"noise_management": NM.AVERAGE_ABS_MAX}
    rounded = {"noise_management": NM.ABS_MAX, "inp_res": -1.0, "out_res": 0.25}
    return [
        of("BM-3", "WholeBatch", "each row is computed again by itself", rows, **bounded),
        of(
            "BM-3",
            "NegativeTested",
            "the lower bound need not be tested",
            asked([[-1.0, 0.0]]),
            bm_test_negative_bound=False,
            **bounded,
        ),
        of("BM-3", "NegativeIgnored", "the lower bound is tested", asked([[-1.0, 0.0]]), **bounded),
        of(
            "NM-6 NM-7",
            "OneSideOnly",
            "the larger of both sums counts",
            asked([[0.5, -1.0], [1.0, 0.5]]),
            **summed,
        ),
        of(
            "NM-7 NM-6",
            "BelowThePeak",
            "the scale is at least the peak",
            asked([[1.0, 0.0], [0.25, 0.25]]),
            **{**summed, "out_bound": 8.0},
        ),
        of(
            "NM-6 NM-7",
            "NegativeSide",
            "negative inputs may be the larger sum",
            asked([[1.0, 0.75], [-1.0, -0.75], [1.0, -0.25]]),
            **summed,
        ),
        of(
            "NM-7 NM-6",
            "LimitForgotten",
            "the resolution limits the scale",
            asked([[1.0, 0.75]]),
            **{**summed, "max_bm_res": 0.75},
        ),
        of(
            "NM-8",
            "ZeroIsUnset",
            "a row of zeros sets the scale",
            asked([[0.0, 0.0], [1.0, 0.5]]),
            **running,
        ),
        of(
            "NM-7 BM-3",
            "WorstCaseForgotten",
            "from the second pass on the worst case decides",
            asked([[1.0, 0.75]]),
            **{**bounded, **rounded, "bound_management": BM.ITERATIVE_WORST_CASE},
        ),
        example(
            "NM-8",
            "MovedInEvaluation",
            "an evaluation leaves the scale alone",
            tile(io={"inp_bound": 1.0, "inp_res": 0.25, **running}, made=InferenceRPUConfig),
            [[4.0, 2.0]],
            asked([[1.0, 0.5]]),
            asked([[4.0, 2.0]], training=False),
            asked([[0.5, 0.25]]),
        ),
        example(
            "NM-8",
            "NotRunning",
            "the scale follows from row to row",
            tile(io={"inp_bound": 1.0, "inp_res": 0.25, **running}, made=InferenceRPUConfig),
            [[4.0, 2.0]],
            asked([[1.0, 0.5], [2.0, 0.5]]),
            asked([[0.5, 0.25]]),
        ),
    ]

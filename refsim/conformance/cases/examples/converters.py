"""Examples of the converters and their way back (clauses DC, BP)."""

from __future__ import annotations

from refsim.config import InferenceRPUConfig, NoiseManagementType

from ..model import Case
from .small import Asked, asked, example, tile

__all__ = ["gates", "inputs", "masks", "outputs"]

ONE = [[1.0]]
TIES = [[0.25], [0.75], [-0.25], [-0.75]]
BESIDE = [[0.25000003], [0.24999999], [-0.75000006], [-0.74999994]]
GRID: Asked = {"inp_res": 0.25, "inp_bound": 1.0}
OFF_GRID: Asked = {"inp_res": 0.375, "inp_bound": 1.0}
"""A step of 3/4, so that the bound lies between two codes."""
OUT_GRID: Asked = {"out_res": 0.25, "out_bound": 1.0}
OUT_OFF_GRID: Asked = {"out_res": 0.375, "out_bound": 1.0}


def _one(clauses: str, catches: str, name: str, io: Asked, *steps: Asked) -> Case:
    return example(clauses, catches, name, tile(io=io), ONE, *steps)


def inputs() -> list[Case]:
    """The input converter (DC-1, DC-2, DC-3)."""
    noise = {"inp_noise": [[1.0]]}
    uniforms = {"inp_sto_round": [[0.25], [-0.5], [0.25]]}
    return [
        _one("DC-1 DC-3", "RoundHalfUp", "halves go to the even code", GRID, asked(TIES)),
        _one(
            "DC-1 DC-3", "TieSmeared", "one unit beside a half there is no tie", GRID, asked(BESIDE)
        ),
        _one(
            "DC-1 DC-3",
            "ResolutionIsSteps",
            "a resolution above 1 is a number of steps",
            {"inp_res": 4, "inp_bound": 1.0},
            asked(TIES),
        ),
        _one(
            "DC-1 DC-3",
            "ResolutionOfOne",
            "a resolution of 1 is the whole range",
            {"inp_res": 1, "inp_bound": 1.0},
            asked([[0.9375], [1.0625], [3.0]]),
        ),
        _one(
            "DC-1 DC-3",
            "NoiseIgnored",
            "stochastic rounding adds its deviate before it rounds",
            {**GRID, "inp_sto_round": True},
            asked([[0.25], [0.25], [0.0625]], noise=uniforms),
        ),
        _one(
            "DC-2 DC-3",
            "NoClip",
            "inputs are clipped on both sides",
            {"inp_bound": 0.5},
            asked([[2.0], [-2.0], [0.25]]),
        ),
        _one(
            "DC-2 DC-3",
            "BoundOfNothing",
            "a bound below 0 does not clip",
            {},
            asked([[2.0], [-2.0]]),
        ),
        _one(
            "DC-3",
            "ClampBeforeRound",
            "inputs are rounded before they are clipped",
            OFF_GRID,
            asked([[5.0], [-5.0]]),
        ),
        _one(
            "DC-3",
            "SaturatesAboveTheBound",
            "with 2**n - 1 levels a saturated input is a tie",
            {"inp_res": 3, "inp_bound": 1.0},
            asked([[1.0], [-1.0], [2.0]], [[1.0], [1.0], [1.0]]),
        ),
        _one(
            "DC-3",
            "NoiseClipped",
            "noise is added behind the clip",
            {**GRID, "inp_noise": 0.25},
            asked([[2.0]], noise=noise),
        ),
        _one(
            "DC-3",
            "AsymmetrySwapped",
            "asymmetry weakens negative inputs",
            {"inp_asymmetry": 0.25},
            asked([[1.0], [-1.0]]),
        ),
        _one(
            "DC-3",
            "AsymmetryBeforeRound",
            "asymmetry acts on the code",
            {**GRID, "inp_asymmetry": 0.25},
            asked([[-1.0], [-0.75]]),
        ),
    ]


def outputs() -> list[Case]:
    """The output converter (DC-1, DC-2, DC-4, DC-5)."""
    skew = {"out_asymmetry": 0.25}
    noisy = {**OUT_GRID, "out_noise": 0.25, **skew}
    managed = {"noise_management": NoiseManagementType.ABS_MAX}
    return [
        _one(
            "DC-1 DC-4",
            "RoundHalfUp",
            "halves of outputs go to the even code",
            OUT_GRID,
            asked(TIES),
        ),
        _one(
            "DC-1 DC-4",
            "TieSmeared",
            "one unit beside half a level there is no tie",
            OUT_GRID,
            asked(BESIDE),
        ),
        _one(
            "DC-1 DC-4",
            "NoiseIgnored",
            "stochastic rounding of outputs adds its deviate before it rounds",
            {**OUT_GRID, "out_sto_round": True},
            asked([[0.25], [0.25], [0.0625]], noise={"out_sto_round": [[0.25], [-0.5], [0.25]]}),
        ),
        _one(
            "DC-2 DC-4",
            "NoClip",
            "outputs are clipped on both sides",
            {"out_bound": 0.5},
            asked([[2.0], [-2.0], [0.25]]),
        ),
        _one(
            "DC-4",
            "ClampBeforeRound",
            "outputs are rounded before they are clipped",
            OUT_OFF_GRID,
            asked([[5.0], [-5.0]]),
        ),
        _one(
            "DC-4",
            "AsymmetrySwapped",
            "asymmetry weakens negative outputs",
            skew,
            asked([[1.0], [-1.0]]),
        ),
        _one(
            "DC-4",
            "AsymmetryAfterRound",
            "asymmetry comes before rounding",
            {**OUT_GRID, **skew},
            asked([[-1.0], [1.0]]),
        ),
        _one(
            "DC-4",
            "NoiseBeforeAsymmetry",
            "noise is not weakened",
            noisy,
            asked([[-1.0]], noise={"out_noise": [[2.0]]}),
        ),
        _one(
            "DC-4",
            "NoiseAfterClip",
            "noise is clipped",
            {"out_bound": 1.0, "out_noise": 0.25},
            asked([[2.0]], noise={"out_noise": [[1.0]]}),
        ),
        _one(
            "DC-4",
            "NoiseInTrainingOnly",
            "noise is there in evaluation, too",
            {"out_noise": 0.25},
            asked([[1.0]], noise={"out_noise": [[1.0]]}, training=False),
        ),
        _one(
            "DC-5",
            "OutScaleIgnored",
            "outputs are multiplied with the output scale",
            {"out_scale": 0.5},
            asked([[3.0]], [[1.0]]),
        ),
        _one(
            "DC-5",
            "Reciprocal",
            "the output scale is divided by that of the input",
            {**managed, "out_scale": 1.7},
            asked([[-1.5]]),
        ),
        _one(
            "DC-5 DC-3 BP-1",
            "ScaleNotUndone",
            "outputs are divided by the scale of the input",
            {**managed, "out_scale": 0.5},
            asked([[4.0]], [[1.0]]),
        ),
    ]


def gates() -> list[Case]:
    """What the converters let back (BP-1, BP-2)."""
    edge = asked([[1.0], [-1.0], [2.0], [-2.0]], [[1.0], [2.0], [4.0], [8.0]])
    skew = [[1.0], [2.0], [4.0]]
    return [
        _one(
            "BP-1 DC-4",
            "ThresholdStrict",
            "a product at the bound passes",
            {"out_bound": 1.0},
            edge,
        ),
        _one(
            "BP-1",
            "GateOfTheProduct",
            "the rounded product decides",
            OUT_OFF_GRID,
            asked([[1.0625], [1.25], [-1.0625]], skew),
        ),
        _one(
            "BP-1",
            "AsymmetryForgotten",
            "gradients of negative products are weakened",
            {"out_asymmetry": 0.25},
            asked([[-1.0], [1.0], [0.0]], skew),
        ),
        _one(
            "BP-1",
            "AsymmetryByTheCode",
            "the sign is that of the product, not of its code",
            {**OUT_GRID, "out_asymmetry": 0.25},
            asked([[-0.125], [0.125]], [[1.0], [1.0]]),
        ),
        _one(
            "BP-1",
            "OutScaleIgnored",
            "gradients are multiplied with the output scale",
            {"out_scale": 0.5},
            asked([[1.0]], [[1.0]]),
        ),
        _one("BP-2", "ThresholdStrict", "an input at the bound passes", {"inp_bound": 1.0}, edge),
        _one(
            "BP-2",
            "GateOfTheInput",
            "the rounded input decides",
            OFF_GRID,
            asked([[1.0625], [1.25], [-1.0625]], skew),
        ),
        _one(
            "BP-2",
            "AsymmetryForgotten",
            "gradients of negative inputs are weakened",
            {"inp_asymmetry": 0.25},
            asked([[-1.0], [1.0], [0.0]], skew),
        ),
        _one(
            "BP-2",
            "RoundingBlocks",
            "rounding lets gradients through",
            GRID,
            asked([[0.1875], [0.6875]], [[1.0], [1.0]]),
        ),
        _one(
            "BP-2 DC-3",
            "AsymmetryByTheCode",
            "the sign is that of the code with its noise",
            {**GRID, "inp_asymmetry": 0.25, "inp_noise": 1.0},
            asked([[0.5], [-0.5]], [[1.0], [1.0]], {"inp_noise": [[-1.0], [1.0]]}),
        ),
        example(
            "BP-2 IR-4",
            "RuleBehindTheGate",
            "a saturated code above the bound disables the rule",
            tile(1.0, {"inp_res": 3, "inp_bound": 1.0}),
            ONE,
            asked([[2.0]], [[-1.0]]),
        ),
    ]


def masks() -> list[Case]:
    """The mask of clipped outputs on the manual path (BP-3, BP-4)."""
    io = {"out_bound": 1.0}
    x, dy = [[2.0], [1.0], [-2.0], [0.5]], [[1.0], [2.0], [4.0], [8.0]]

    def manual(clauses: str, catches: str, name: str, r: float | None = None) -> Case:
        return example(
            clauses, catches, name, tile(r, io, made=InferenceRPUConfig), ONE, asked(x, dy)
        )

    return [
        manual("BP-3 BP-4", "EdgeClipped", "an output at the bound is not clipped"),
        manual("BP-4 BP-3", "MaskIgnored", "gradients of clipped outputs are dropped", 2.0),
    ]

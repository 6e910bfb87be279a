"""Examples of the input range (clauses IR)."""

from __future__ import annotations

from typing import Any

import numpy as np

from refsim.config import RPUDataType, RuntimeParameter

from ..model import Case
from .small import Asked, asked, example, tile

__all__ = ["clipping", "decay", "from_data", "residual", "rule"]

ONE = [[1.0]]


def clipping() -> list[Case]:
    """Clip, division by the range, and the way back through both (IR-2, IR-3, IR-9)."""
    beyond = asked([[2.0], [-2.0], [0.5]])
    edges = asked([[2.0], [-2.0], [3.0], [-3.0]], [[1.0], [2.0], [4.0], [8.0]])
    coarse = {"inp_res": 0.25, "inp_bound": 1.0}
    skew = {"inp_asymmetry": 0.5}
    return [
        example("IR-2", "NoClip", "inputs beyond the range are clipped", tile(1.0), ONE, beyond),
        example(
            "IR-2",
            "SignedClip",
            "a negative range clips at its magnitude",
            tile(-2.0),
            ONE,
            asked([[3.0], [-3.0], [1.0]]),
        ),
        example(
            "IR-3",
            "NotDivided",
            "the converter sees the input in units of the range",
            tile(2.0, coarse),
            ONE,
            asked([[0.75]], [[1.0]]),
        ),
        example(
            "IR-3",
            "RangeSignDropped",
            "a negative range turns the sign of the input",
            tile(-1.0, skew),
            ONE,
            asked([[1.0], [-1.0]]),
        ),
        example(
            "IR-3",
            "Reciprocal",
            "41 divided by 41 is 1",
            tile(41.0, {"inp_res": 2, "inp_bound": 0.5}),
            ONE,
            asked([[41.0]]),
        ),
        example(
            "IR-9",
            "ThresholdStrict",
            "the clip lets gradients of inputs at the range through",
            tile(2.0),
            ONE,
            edges,
        ),
        example(
            "IR-9",
            "NotDivided",
            "the gradient of the input is divided by the range",
            tile(2.0),
            [[4.0]],
            asked([[1.0]], [[1.0]]),
        ),
        example(
            "IR-9",
            "SignedClip",
            "inputs within the magnitude of a negative range",
            tile(-2.0),
            ONE,
            edges,
        ),
    ]


def rule() -> list[Case]:
    """The rule of the gradient (IR-4, IR-5)."""
    both = asked([[2.0], [-2.0]], [[-1.0], [1.0]])

    def at(x: float, dy: float) -> Asked:
        return asked([[x]], [[dy]])

    def plain(catches: str, name: str, *steps: Asked, **learning: Any) -> Case:
        clause = "IR-5 IR-4" if learning else "IR-4 IR-5"
        return example(clause, catches, name, tile(2.0, learning=learning), ONE, *steps)

    return [
        plain("ThresholdStrict", "an input at the range counts as clipped", at(2.0, -1.0)),
        plain("StrictLowerEdge", "an input at minus the range counts, too", at(-2.0, 1.0)),
        plain("ClipDerivative", "no pull where the clip hides nothing wanted", at(3.0, 1.0)),
        plain("ClipDerivative", "no pull at the lower edge either", at(-3.0, -1.0)),
        plain("Magnitude", "the pull at the upper edge grows the range", at(3.0, -1.0)),
        plain("MeanForSum", "the pulls of all inputs add up", both),
        plain(
            "MinimumOfSum",
            "each input counts by its own sign",
            asked([[2.0], [2.0]], [[-1.0], [2.0]]),
        ),
        plain(
            "LowerAdded", "both edges pull the same way", asked([[2.0], [-4.0]], [[-1.0], [2.0]])
        ),
        plain(
            "NeverRelative",
            "a relative rule is in units of the range",
            both,
            gradient_relative=True,
        ),
        plain("ScaleIgnored", "the scale acts without a relative rule", both, gradient_scale=0.5),
        plain(
            "ScaleIgnored",
            "the scale acts on a relative rule",
            both,
            gradient_scale=0.5,
            gradient_relative=True,
        ),
        example(
            "IR-4 IR-5",
            "SumOfOutputs",
            "the pull is that of the input, not of an output",
            tile(2.0),
            [[1.0], [1.0]],
            asked([[2.0]], [[-2.0, 1.0]]),
        ),
        example(
            "IR-4 IR-5",
            "RangeSignDropped",
            "with a negative range every input is above it",
            tile(-2.0, learning={"gradient_relative": True}),
            ONE,
            asked([[1.0]], [[-1.0]]),
        ),
        plain(
            "GradientOfFixedRange",
            "a range that is not learned has no gradient",
            both,
            learn_input_range=False,
        ),
        example(
            "SU-1 IR-4",
            "SingleRoundings",
            "a sum of pulls is rounded once",
            tile(2.0),
            ONE,
            asked([[2.0]] * 3, [[-1.0], [-(2.0**-24)], [-(2.0**-24)]]),
        ),
    ]


def decay() -> list[Case]:
    """The fraction of unclipped inputs and decay (IR-6, IR-7)."""

    def with_decay(name: str, catches: str, x: list[float], **learning: Any) -> Case:
        settings = {"decay": 0.5, "input_min_percentage": 0.5, **learning}
        of_fraction = catches in ("EdgeInside", "EmptyBatch")
        clauses = "IR-6 IR-7" if of_fraction else "IR-7 IR-6"
        config = tile(2.0, learning=settings)
        batch = np.reshape(x, (-1, 1))
        return example(clauses, catches, name, config, ONE, asked(batch, np.zeros_like(batch)))

    double = RuntimeParameter(data_type=RPUDataType.DOUBLE)
    two_thirds = {"decay": 0.5, "input_min_percentage": 2 / 3}
    rows = asked([[1.0], [1.0], [3.0]], [[0.0]] * 3)
    return [
        with_decay("the range decays if few inputs are clipped", "NoDecay", [1.0]),
        with_decay("an input at the range is not within it", "EdgeInside", [2.0, 1.0]),
        with_decay("a fraction at the threshold is not above it", "ThresholdInclusive", [3.0, 1.0]),
        with_decay("no decay if many inputs are clipped", "Unconditional", [3.0, 3.0, 1.0]),
        with_decay(
            "a threshold that rounds to the fraction is not exceeded",
            "ThresholdUnrounded",
            [1.0, 3.0, 3.0],
            input_min_percentage=0.333333333,
        ),
        with_decay("an empty batch has no fraction", "EmptyBatch", []),
        with_decay("decay is not scaled", "DecayScaled", [1.0], gradient_scale=4.0),
        with_decay("a negative decay is none", "NegativeDecay", [1.0], decay=-0.5),
        with_decay("decay is proportional to the range", "DecayConstant", [1.0, -1.0, 0.5]),
        example(
            "IR-7 IR-6",
            "ThresholdInDouble",
            "the threshold is a float32 number",
            tile(2.0, learning=two_thirds),
            ONE,
            rows,
        ),
        example(
            "IR-6 IR-7",
            "FractionInDouble",
            "the fraction is a float32 number in a float64 tile",
            tile(2.0, learning=two_thirds, runtime=double),
            ONE,
            rows,
        ),
        example(
            "IR-7",
            "SkippedInEvaluation",
            "a backward pass after evaluation decays, too",
            tile(2.0, learning={"decay": 0.5}),
            ONE,
            asked([[1.0]], [[0.0]], training=False),
        ),
        example(
            "IR-6 IR-7",
            "RangeSignDropped",
            "no input is within a negative range",
            tile(-2.0, learning={"decay": 0.5}),
            ONE,
            asked([[1.0]], [[0.0]]),
        ),
    ]


def residual() -> list[Case]:
    """What the chain rule leaves beside the rule (IR-8)."""
    coarse = {"inp_res": 0.25, "inp_bound": 1.0}
    saturated = {"out_bound": 1.0}
    return [
        example(
            "IR-8 SU-2",
            "NoResidual",
            "a saturated output pulls at the range",
            tile(1.0, saturated),
            [[2.0]],
            asked([[0.75]], [[1.0]]),
        ),
        example(
            "IR-8 SU-2",
            "NoResidual",
            "the rounding of inputs pulls at the range",
            tile(2.0, coarse),
            ONE,
            asked([[1.5]], [[1.0]]),
        ),
        example(
            "IR-8",
            "RangeSignDropped",
            "the residual of a negative range",
            tile(-2.0, coarse),
            ONE,
            asked([[1.5]], [[1.0]]),
        ),
        example(
            "IR-8",
            "ResidualOfLinear",
            "a linear core leaves no residual",
            tile(2.0),
            [[3.0]],
            asked([[1.5]], [[1.0]]),
        ),
        example(
            "IR-8 PP-3",
            "ScaleTwice",
            "mapping scales count once in the residual",
            tile(1.0, saturated),
            [[2.0], [4.0]],
            asked([[0.75]], [[1.0, 1.0]]),
            mapping_scales=[2.0, 4.0],
        ),
    ]


def from_data() -> list[Case]:
    """Initialisation from data (IR-1, SU-7)."""
    three = asked([[-4.0], [0.0], [4.0]])

    def started(
        catches: str,
        name: str,
        *steps: Asked,
        r: float = 5.0,
        batches: int = 2,
        alpha: float = 0.5,
        clauses: str = "IR-1 SU-7",
        **state: Any,
    ) -> Case:
        learning = {"init_from_data": batches, "init_std_alpha": alpha}
        config = tile(r, learning=learning)
        return example(clauses, catches, name, config, ONE, *steps, **state)

    wide = asked([[-8.0], [0.0], [8.0]])
    return [
        started("BiasedStd", "the deviation divides by one less", three, clauses="SU-7 IR-1"),
        started("InitAveraged", "the first batch replaces the initial value", three, r=64.0),
        started("AlphaIgnored", "the range is a multiple of the deviation", three, alpha=2.0),
        started("RunningUpdate", "the second batch is averaged with the first", three, wide),
        started(
            "OneTooMany", "after the last counted batch the range stays", three, wide, batches=1
        ),
        started("OneTooFew", "the last counted batch counts", three, wide, batches=2, r=1.0),
        started(
            "ZeroStdCounted",
            "a constant batch does not count, but the range loses its sign",
            asked([[1.0], [1.0]]),
            three,
            r=-2.0,
            clauses="IR-1 SU-7 SU-6",
        ),
        started("OneElement", "a batch of one element does not count", asked([[3.0]]), r=2.0),
        started(
            "InitInEvaluation", "evaluation does not count", asked([[8.0], [-8.0]], training=False)
        ),
        started(
            "SignLost",
            "after the last counted batch a range keeps its sign",
            asked([[1.0]]),
            r=-2.0,
            batches=1,
            input_range_update_idx=[1.0],
        ),
        started(
            "SignKept",
            "a deviation of negative weight gives a positive range",
            three,
            alpha=-0.5,
        ),
        started(
            "SignDroppedFirst",
            "the average of a negative range and a deviation is made positive",
            three,
            alpha=0.5,
            batches=3,
            input_range=[-8.0],
            input_range_update_idx=[1.0],
        ),
        started(
            "CounterLost",
            "the counter is saved and loaded",
            three,
            asked([[-8.0], [0.0], [8.0]], reload=True),
        ),
        started(
            "CounterByRows",
            "a batch counts once, whatever its axes",
            asked([[[-4.0]], [[0.0]], [[4.0]]]),
        ),
    ]

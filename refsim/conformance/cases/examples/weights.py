"""Examples of weight modifiers and clips (clauses WM, WP)."""

from __future__ import annotations

from typing import Any

from refsim.config import (
    WeightClipParameter,
    WeightClipType,
    WeightModifierParameter,
    WeightModifierType,
)

from ..model import Case
from .small import asked, example, tile

__all__ = ["clips", "modifiers"]

WM = WeightModifierType
WEIGHT = [[-2.0, 0.75]]


def modifiers() -> list[Case]:
    """Weights for the duration of a pass (WM-1 to WM-4)."""
    rows = [[1.0, 0.0], [0.0, 1.0]]
    step = asked(rows, [[1.0], [2.0]])
    noise = {"weight_noise": [[1.0, -1.0]]}

    def of(
        clauses: str,
        catches: str,
        name: str,
        *steps: Any,
        weight: Any = WEIGHT,
        **settings: Any,
    ) -> Case:
        config = tile(modifier=WeightModifierParameter(**settings))
        return example(clauses, catches, name, config, weight, *(steps or (step,)))

    noisy = {"type": WM.ADD_NORMAL, "std_dev": 0.5}
    deviated = asked(rows, [[1.0], [2.0]], noise)
    return [
        of(
            "WM-1 WM-4",
            "SignedMaximum",
            "the largest magnitude is the scale",
            type=WM.DISCRETIZE,
            res=0.25,
        ),
        of(
            "WM-1 WM-4",
            "AssumedIgnored",
            "an assumed largest weight",
            type=WM.DISCRETIZE,
            res=0.25,
            rel_to_actual_wmax=False,
            assumed_wmax=4.0,
        ),
        of(
            "WM-1 WM-4",
            "FirstRow",
            "the largest weight of all rows",
            asked(rows),
            weight=[[1.0, 0.75], [-2.0, 0.5]],
            type=WM.DISCRETIZE,
            res=0.25,
        ),
        of(
            "WM-4",
            "RoundHalfAway",
            "a half goes to the level 0",
            weight=[[-2.0, 0.25]],
            type=WM.DISCRETIZE,
            res=0.125,
        ),
        of(
            "WM-4",
            "NoiseIgnored",
            "stochastic levels add their deviate before they round",
            asked(rows, noise={"weight_sto_round": [[0.25, -0.5]]}),
            type=WM.DISCRETIZE,
            res=0.25,
            sto_round=True,
        ),
        of(
            "WM-4",
            "OneNoiseForAll",
            "each row has stochastic levels of its own",
            asked(rows, noise={"weight_sto_round": [[[0.25, -0.5]], [[0.25, 0.25]]]}),
            type=WM.DISCRETIZE,
            res=0.25,
            sto_round=True,
            per_batch_sample=True,
        ),
        of(
            "WM-3",
            "OneNoiseForAll",
            "each row has its deviates",
            asked(rows, [[1.0], [2.0]], {"weight_noise": [[[1.0, -1.0]], [[0.0, 2.0]]]}),
            type=WM.MULT_NORMAL,
            std_dev=0.5,
            per_batch_sample=True,
        ),
        of(
            "WM-4",
            "RoundHalfUp",
            "halves go to the even level",
            type=WM.DISCRETIZE,
            res=0.125,
            rel_to_actual_wmax=False,
            assumed_wmax=2.0,
        ),
        of(
            "WM-4",
            "ModifiedForGood",
            "evaluation uses the weight itself",
            step,
            asked(rows, training=False),
            type=WM.DISCRETIZE,
            res=0.25,
        ),
        of(
            "WM-4",
            "Clipped",
            "levels go beyond an assumed largest weight",
            type=WM.DISCRETIZE,
            res=0.25,
            rel_to_actual_wmax=False,
            assumed_wmax=1.0,
        ),
        of(
            "WM-4",
            "GradientOfRounding",
            "gradients of weights pass straight through",
            asked(rows, [[1.0], [2.0]], update=True),
            type=WM.DISCRETIZE,
            res=0.25,
        ),
        of(
            "WM-2 WM-1",
            "InProportion",
            "additive noise is in units of the largest weight",
            deviated,
            **noisy,
        ),
        of(
            "WM-3",
            "Added",
            "multiplicative noise is in proportion",
            deviated,
            **{**noisy, "type": WM.MULT_NORMAL},
        ),
        of(
            "WM-2",
            "NoiseInEvaluation",
            "evaluation has no noise",
            asked(rows, training=False),
            **noisy,
        ),
    ]


def clips() -> list[Case]:
    """Clips after an update (WP-1, WP-2)."""
    kinds = WeightClipType

    def of(clauses: str, catches: str, name: str, weight: Any, **settings: Any) -> Case:
        config = tile(clip=WeightClipParameter(**settings))
        rows = [[0.0] * len(weight[0])]
        step = asked(rows, [[0.0] * len(weight)], update=True)
        return example(
            clauses, catches, name, config, weight, step, asked([[1.0] * len(weight[0])])
        )

    three = [[-4.0, 0.0, 4.0]]
    gaussian = {"type": kinds.LAYER_GAUSSIAN, "sigma": 0.5}
    return [
        of(
            "WP-2",
            "NoLowerBound",
            "weights are clipped on both sides",
            [[-2.0, 0.25], [0.5, 3.0]],
            type=kinds.FIXED_VALUE,
            fixed_value=0.5,
        ),
        of(
            "WP-1 WP-2 SU-7",
            "BiasedStd",
            "the bound is a multiple of the deviation",
            three,
            **gaussian,
        ),
        of(
            "WP-1 WP-2",
            "FixedValueIgnored",
            "a fixed value limits the bound",
            three,
            fixed_value=0.5,
            **gaussian,
        ),
        of(
            "WP-1 WP-2",
            "FixedValueWins",
            "a fixed value does not widen the bound",
            three,
            fixed_value=3.0,
            **gaussian,
        ),
        of(
            "WP-1 WP-2",
            "ZeroCounts",
            "a fixed value of 0 is no limit",
            three,
            fixed_value=0.0,
            **gaussian,
        ),
        of("WP-1 WP-2", "OneElement", "a single weight has no deviation", [[4.0]], **gaussian),
        of(
            "WP-1 WP-2",
            "OneElement",
            "a fixed value limits a single weight",
            [[4.0]],
            fixed_value=0.5,
            **gaussian,
        ),
    ]

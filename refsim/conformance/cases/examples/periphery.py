"""Examples of scales, bias and the mapping of weights (clauses PP, MS)."""

from __future__ import annotations

from refsim.config import (
    CustomRPUConfig,
    InferenceRPUConfig,
    MappingParameter,
    WeightRemapParameter,
    WeightRemapType,
)

from ..model import Case
from .small import asked, example, tile

__all__ = ["compensation", "mapped", "outputs"]

WEIGHT = [[1.0], [2.0]]
EACH = MappingParameter(learn_out_scaling=True, out_scaling_columnwise=True)
COMPENSATED = MappingParameter(weight_scaling_omega=1.0, weight_scaling_lr_compensation=True)
LAYER = WeightRemapParameter(type=WeightRemapType.LAYERWISE_SYMMETRIC)
CHANNEL = WeightRemapParameter(type=WeightRemapType.CHANNELWISE_SYMMETRIC)


def outputs() -> list[Case]:
    """What happens to the outputs (PP-1, PP-2, PP-3)."""
    step = asked([[1.0], [-2.0]], [[1.0, 2.0], [4.0, 8.0]])
    return [
        example(
            "PP-1",
            "FirstScaleForAll",
            "each output has its scale",
            tile(),
            WEIGHT,
            step,
            mapping_scales=[2.0, 4.0],
        ),
        example(
            "PP-1",
            "CommonScaleRefused",
            "one scale for all outputs",
            tile(),
            WEIGHT,
            step,
            mapping_scales=[2.0],
        ),
        example(
            "PP-1",
            "AlphaForgotten",
            "learned scales act on the output",
            tile(mapping=EACH),
            WEIGHT,
            step,
            out_scaling_alpha=[2.0, -4.0],
        ),
        example(
            "PP-2", "BiasForgotten", "the bias is added", tile(), WEIGHT, step, bias=[0.5, -1.0]
        ),
        example(
            "PP-2",
            "BiasScaled",
            "the bias is added behind range and scales",
            tile(2.0, mapping=EACH),
            WEIGHT,
            step,
            bias=[0.5, -1.0],
            mapping_scales=[2.0, 4.0],
            out_scaling_alpha=[2.0, 0.5],
        ),
        example(
            "PP-3",
            "ScaleForgotten",
            "range and scales form one factor",
            tile(4.0),
            WEIGHT,
            step,
            mapping_scales=[2.0, 4.0],
        ),
        example(
            "PP-3",
            "RangeMagnitude",
            "a negative range turns the sign back",
            tile(-4.0),
            WEIGHT,
            step,
            mapping_scales=[2.0, 4.0],
        ),
        example(
            "PP-3",
            "ScaleTwice",
            "scales act once",
            tile(2.0, {"out_bound": 1.0}),
            WEIGHT,
            step,
            mapping_scales=[2.0, 4.0],
        ),
    ]


def mapped() -> list[Case]:
    """Weights mapped anew after a step, and their gradients (MS-1, MS-2, MS-3, PP-4)."""
    weight = [[1.0, -4.0], [0.5, 0.25]]
    step = asked([[1.0, 2.0]], [[0.0, 0.0]], update=True)
    again = asked([[1.0, 2.0]], [[1.0, 2.0]])
    return [
        example(
            "MS-1 MS-2 PP-4",
            "ColumnwiseAlways",
            "one scale for the layer",
            tile(remap=LAYER),
            weight,
            step,
            again,
            mapping_scales=[2.0, 8.0],
        ),
        example(
            "MS-1 MS-2 PP-4",
            "SignedMaximum",
            "one scale for each output",
            tile(remap=CHANNEL),
            weight,
            step,
            again,
            mapping_scales=[2.0, 8.0],
        ),
        example(
            "MS-1",
            "ZeroRow",
            "a row of zeros has scale 1",
            tile(remap=CHANNEL),
            [[0.0, 0.0], [1.0, 2.0]],
            step,
            again,
        ),
        example(
            "MS-1",
            "ZeroRow",
            "a layer of zeros has scale 1",
            tile(remap=LAYER),
            [[0.0, 0.0], [0.0, 0.0]],
            step,
            again,
        ),
        example(
            "MS-2 PP-4",
            "AlphaKept",
            "learned scales move into the weight's",
            tile(remap=CHANNEL, mapping=EACH),
            weight,
            step,
            again,
            out_scaling_alpha=[2.0, 0.5],
        ),
        example(
            "MS-3",
            "DividedOnce",
            "the weight gradient is divided by the square of the scale",
            tile(),
            WEIGHT,
            asked([[1.0]], [[4.0, 8.0]]),
            mapping_scales=[2.0, 4.0],
        ),
        example(
            "MS-3",
            "FirstScaleForAll",
            "one scale divides all rows",
            tile(),
            WEIGHT,
            asked([[1.0]], [[4.0, 8.0]]),
            mapping_scales=[2.0],
        ),
    ]


def compensation() -> list[Case]:
    """The compensated learning rate of the manual path (MS-4, MS-5, SU-6)."""
    step = asked([[1.0]], [[4.0, 8.0]], update=True)

    def of(clauses: str, catches: str, name: str, made: type, scales: list[float]) -> Case:
        config = tile(made=made, mapping=COMPENSATED)
        if made is CustomRPUConfig:
            config.backward.is_perfect = True
        return example(clauses, catches, name, config, WEIGHT, step, mapping_scales=scales)

    return [
        of(
            "MS-4 MS-5",
            "CompensationIgnored",
            "the mean of the scales compensates",
            InferenceRPUConfig,
            [1.0, 3.0],
        ),
        of(
            "MS-5 MS-4",
            "ScaleIgnored",
            "gradients are divided by the scales",
            CustomRPUConfig,
            [2.0, 2.0],
        ),
        of(
            "SU-6 MS-4",
            "SumForMean",
            "the compensation is that of the mean",
            CustomRPUConfig,
            [2.0, 6.0],
        ),
    ]

"""Examples of products and sums (clauses MV, SU)."""

from __future__ import annotations

import numpy as np

from refsim.config import MappingParameter, WeightModifierParameter, WeightModifierType

from ..model import Case
from .small import asked, example, tile

__all__ = ["products", "sums"]

TINY = 2.0**-24
EMPTY = np.zeros((0, 2))
WEIGHT = [[1.0, 2.0], [4.0, -8.0]]


def products() -> list[Case]:
    """Products with the weight, with one weight for each row, and the way back (MV-1 to MV-5)."""
    step = asked([[1.0, 0.5], [2.0, -1.0]], [[1.0, 2.0], [-4.0, 0.5]])
    each = tile(
        modifier=WeightModifierParameter(
            type=WeightModifierType.ADD_NORMAL, std_dev=0.5, per_batch_sample=True
        )
    )
    deviates = {"weight_noise": [[[1.0, 0.0]], [[0.0, -1.0]]]}
    rows = asked([[1.0, 1.0], [1.0, 2.0]], [[1.0], [1.0]], deviates)
    turned = {"weight_noise": [[[1.0, 0.0], [-2.0, 0.0]], [[0.0, -1.0], [1.0, 2.0]]]}
    square = asked([[1.0, 1.0], [1.0, 2.0]], [[1.0, 2.0], [4.0, -1.0]], turned)
    return [
        example("MV-1", "Transposed", "inputs times weights", tile(), WEIGHT, step),
        example(
            "MV-1",
            "SingleRoundings",
            "a product is rounded once",
            tile(),
            [[1.0, TINY, TINY]],
            asked([[1.0, 1.0, 1.0]]),
        ),
        example(
            "MV-1",
            "NegativeZero",
            "a sum of nothing but zeros is plus zero",
            tile(),
            [[-1.0, 1.0]],
            asked([[0.0, -0.0], [1.0, 1.0]]),
        ),
        example(
            "MV-1",
            "LastAxis",
            "the last axis is that of the inputs",
            tile(),
            WEIGHT,
            asked([[[1.0, 0.5]], [[2.0, -1.0]]], [[[1.0, 2.0]], [[-4.0, 0.5]]]),
        ),
        example(
            "MV-1",
            "OneAxis",
            "a batch may be a single row",
            tile(),
            WEIGHT,
            asked([1.0, 0.5], [1.0, 2.0]),
        ),
        example(
            "MV-1",
            "EmptyBatch",
            "an empty batch has no outputs and no effect",
            tile(2.0),
            [[1.0, 1.0]],
            asked(EMPTY),
            asked([[1.0, 1.0]], [[1.0]]),
        ),
        example(
            "MV-3",
            "NotTransposed",
            "gradients go back through the transposed weight",
            tile(),
            WEIGHT,
            step,
        ),
        example(
            "MV-4",
            "MeanForSum",
            "the weight gradient is a sum over the batch",
            tile(),
            WEIGHT,
            step,
        ),
        example(
            "MV-4",
            "StaleInput",
            "the weight gradient is that of the converted input",
            tile(io={"inp_bound": 1.0}),
            [[1.0]],
            asked([[3.0]], [[1.0]]),
        ),
        example(
            "MV-2 WM-2",
            "OneWeightForAll",
            "each row has a weight of its own",
            each,
            [[1.0, 1.0]],
            rows,
        ),
        example(
            "MV-5 WM-2",
            "NotTransposed",
            "gradients go back through each row's transposed weight",
            each,
            WEIGHT,
            square,
        ),
        example(
            "MV-5 WM-2",
            "OneWeightForAll",
            "each row goes back through its own weight",
            each,
            [[1.0, 1.0]],
            rows,
        ),
    ]


def sums() -> list[Case]:
    """Sums outside of products (SU-1 to SU-5)."""
    common = MappingParameter(learn_out_scaling=True)
    each = MappingParameter(learn_out_scaling=True, out_scaling_columnwise=True)
    three = asked([[1.0]] * 3, [[1.0], [TINY], [TINY]])
    two = asked([[1.0, 2.0], [3.0, -1.0]], [[1.0, 2.0], [0.5, -4.0]])
    return [
        example(
            "SU-3",
            "MeanForSum",
            "the bias gradient is a sum over the batch",
            tile(),
            WEIGHT,
            two,
            bias=[0.5, -1.0],
        ),
        example(
            "SU-3",
            "SingleRoundings",
            "the bias gradient is rounded once",
            tile(),
            [[1.0]],
            three,
            bias=[0.0],
        ),
        example(
            "SU-2",
            "MeanForSum",
            "the gradient of a common output scale sums over everything",
            tile(mapping=common),
            WEIGHT,
            two,
            out_scaling_alpha=[2.0],
        ),
        example(
            "SU-4",
            "MeanForSum",
            "the gradient of each output scale sums over the batch",
            tile(mapping=each),
            WEIGHT,
            two,
            out_scaling_alpha=[2.0, 0.5],
        ),
    ]

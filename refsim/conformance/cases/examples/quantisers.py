"""Examples of quantisers (clauses QU)."""

from __future__ import annotations

from typing import Any

from refsim.config import (
    ActivationQuantConfig,
    CurrentMinMaxEstimatorParams,
    PeripheryQuantizationParameter,
    PrePostProcessingParameterQuant,
    QuantizedTorchInferenceRPUConfig,
    RangeEstimators,
)

from ..model import Case
from .small import Asked, asked, example, ranged, tile

__all__ = ["column", "learning", "outputs", "periphery", "quantised"]

RE = RangeEstimators
ONE = [[1.0]]


def quantised(
    periphery: Asked | None = None,
    n_bits: int = 0,
    kind: RangeEstimators = RE.current_minmax,
    params: Any = None,
    symmetric: bool = True,
    r: float | None = None,
) -> Any:
    """A tile with quantisers of the periphery and of the outputs, on a perfect core."""
    plain = ranged(r or 1.0, enable=r is not None)
    pre_post = PrePostProcessingParameterQuant(
        input_range=plain.input_range,
        periph_quant=PeripheryQuantizationParameter(**(periphery or {})),
    )
    output = ActivationQuantConfig(
        n_bits=n_bits, symmetric=symmetric, range_estimator=kind, range_estimator_params=params
    )
    return tile(made=QuantizedTorchInferenceRPUConfig, pre_post=pre_post, act_quant_config=output)


def column(*values: float) -> list[list[float]]:
    """Numbers as the rows of a batch of one input."""
    return [[value] for value in values]


def outputs() -> list[Case]:
    """The output quantiser (QU-1 to QU-10)."""

    def of(
        clauses: str,
        catches: str,
        name: str,
        x: Any,
        dy: Any = None,
        n_bits: int = 2,
        **settings: Any,
    ) -> Case:
        return example(
            clauses, catches, name, quantised(n_bits=n_bits, **settings), ONE, asked(x, dy)
        )

    ties = column(-3.0, 1.0, 0.5, -0.5, 1.5)
    ones = column(1.0, 2.0, 4.0, 8.0, 16.0)
    asymmetric: Asked = {"symmetric": False}
    given: Asked = {"out_quantizer__delta": 0.5, "out_quantizer__zero_float": 5.0}
    return [
        of(
            "QU-1 QU-4",
            "ZeroOutside",
            "the range of positive data reaches down to 0",
            column(4.0, 12.0, 6.0),
            **asymmetric,
        ),
        of(
            "QU-1 QU-4 QU-2",
            "ZeroOutside",
            "the range of negative data reaches up to 0",
            column(-4.0, -12.0, -6.0),
            **asymmetric,
        ),
        of(
            "QU-2 QU-3",
            "AlwaysSigned",
            "positive data have codes without sign",
            column(3.0, 1.0, 1.5),
        ),
        of("QU-2 QU-3", "NeverSigned", "a negative number makes all codes signed", ties, n_bits=3),
        of(
            "QU-2 QU-3",
            "OppositeCodeOnly",
            "the least code has no opposite",
            column(-8.0, 1.0),
            n_bits=2,
        ),
        of(
            "QU-3",
            "WidthOfTheRange",
            "the larger magnitude sets the step",
            column(-1.0, 3.0),
            n_bits=3,
        ),
        of(
            "QU-4 QU-7",
            "ZeroNotRounded",
            "the zero point is rounded",
            column(-1.0, 3.5, 0.25),
            **asymmetric,
        ),
        of("QU-8 QU-9", "RoundHalfUp", "halves go to the even code", ties, ones, n_bits=3),
        of("QU-8 QU-9", "NotClipped", "codes are clipped", column(-3.0, 3.0, 1.0), n_bits=3),
        of(
            "QU-9 QU-8",
            "ZeroPointKept",
            "the zero point is taken off again",
            column(-1.0, 2.0, 0.5),
            **asymmetric,
        ),
        of(
            "QU-10",
            "StrictMask",
            "gradients pass within the codes",
            column(-3.0, 3.0, 1.0),
            column(1.0, 2.0, 4.0),
            n_bits=2,
        ),
        of(
            "QU-10",
            "NotMasked",
            "a clipped code blocks its gradient",
            column(-4.0, 3.0, 1.0),
            column(1.0, 2.0, 4.0),
            kind=RE.current_minmax,
            params=CurrentMinMaxEstimatorParams(percentile=50.0),
            n_bits=3,
        ),
        of(
            "QU-5 QU-6 QU-1",
            "NoSmallestStep",
            "data of zeros leave the smallest step",
            column(0.0, 0.0),
        ),
        of("QU-6 QU-5", "NoSmallestStep", "a step is at least 1e-8", column(8e-9, 2e-9)),
        example(
            "QU-7",
            "RoundHalfUp",
            "half a zero point goes to the even code",
            quantised(n_bits=2, **asymmetric),
            ONE,
            asked(column(-1.0, 3.0, 2.0), training=False),
            out_quantizer__delta=1.0,
            out_quantizer__zero_float=0.5,
        ),
        example(
            "QU-7",
            "NotLimited",
            "a zero point is one of the codes",
            quantised(n_bits=2, **asymmetric),
            ONE,
            asked(column(1.0, -0.5, -2.0), training=False),
            **given,
        ),
        example(
            "QU-7",
            "NotLimited",
            "a zero point is not negative",
            quantised(n_bits=2, **asymmetric),
            ONE,
            asked(column(1.0, -0.5, 3.0), training=False),
            **{**given, "out_quantizer__zero_float": -2.0},
        ),
        example(
            "QU-2 QU-8 QU-10",
            "NoCodeWithoutOpposite",
            "the least code has no opposite and is used",
            quantised(n_bits=3),
            ONE,
            asked(column(-4.0, -5.0, 3.0, 4.0), column(1.0, 2.0, 4.0, 8.0), training=False),
            out_quantizer__delta=1.0,
            out_quantizer__signed=[1],
        ),
        example(
            "QU-9",
            "RangeMovesInEvaluation",
            "evaluation keeps the range",
            quantised(n_bits=3),
            ONE,
            asked(column(3.0, -3.0)),
            asked(column(6.0, 1.5), training=False),
        ),
    ]


def periphery() -> list[Case]:
    """Quantised scales and bias (QU-1 to QU-9, PP-3)."""
    scales: Asked = {"mapping_scales": [1.0, 3.0]}
    step = asked([[2.0]], [[1.0, 2.0]])
    weight = [[1.0], [2.0]]

    def of(
        catches: str,
        name: str,
        settings: Asked,
        *steps: Asked,
        clauses: str = "QU-9 PP-3",
        **state: Any,
    ) -> Case:
        config = quantised({"n_bits": 2, **settings}, r=2.0)
        return example(clauses, catches, name, config, weight, *(steps or (step,)), **state)

    evaluated = asked([[2.0]], [[1.0, 2.0]], training=False)
    return [
        of("ScalesNotQuantised", "scales are quantised", {}, bias=[0.5, -1.0], **scales),
        of(
            "AsSymmetric",
            "scales with a zero point",
            {"symmetric": False},
            bias=[0.5, -1.0],
            **scales,
        ),
        of("BiasNotQuantised", "the bias is quantised", {}, bias=[0.25, -1.0], clauses="QU-9 PP-2"),
        of(
            "FixedForGood",
            "a range fixed in evaluation is estimated anew in training",
            {},
            evaluated,
            asked([[2.0]], [[1.0, 2.0]], update=True),
            step,
            bias=[0.5, -1.0],
            clauses="QU-9",
            **scales,
        ),
        of("OneBit", "one bit without sign", {"n_bits": 1}, **scales),
    ]


def learning() -> list[Case]:
    """Learned quantisers of the periphery (QU-11 to QU-14)."""
    settings = {"n_bits": 2, "learn_quant_params": True, "init_learning_after": 1}
    weight = [[1.0], [2.0]]

    started: Asked = {"scale_quantizer__state": [3], "scale_quant_update_idx": [2.0]}

    def train(**what: Any) -> Asked:
        return asked([[2.0]], [[1.0, 2.0]], update=True, **what)

    def of(clauses: str, catches: str, name: str, *steps: Asked, symmetric: bool = True) -> Case:
        config = quantised({**settings, "symmetric": symmetric}, r=2.0)
        return example(
            clauses,
            catches,
            name,
            config,
            weight,
            *steps,
            bias=[0.75, -1.0],
            mapping_scales=[1.0, 3.0],
            sgd={"lr": 0.25},
        )

    return [
        of(
            "QU-11 QU-12",
            "CodesAlone",
            "the step learns from the rounding errors",
            train(),
            train(),
            train(),
        ),
        of(
            "QU-13 QU-14 QU-11 QU-10",
            "InverseMask",
            "the zero point learns from what it clips",
            train(),
            train(),
            train(),
            symmetric=False,
        ),
        of("QU-12", "LearnsTooEarly", "a step is learned after it was estimated", train(), train()),
        of(
            "QU-12",
            "LostOnLoad",
            "a learned step is saved and loaded",
            train(),
            train(),
            train(reload=True),
        ),
        example(
            "QU-12 QU-11",
            "NoGate",
            "a step below the smallest one learns nothing",
            quantised(settings, r=2.0),
            weight,
            train(),
            mapping_scales=[1.0, 3.0],
            scale_quantizer__delta=1e-9,
            **started,
        ),
        example(
            "QU-12 QU-11",
            "StrictGate",
            "the smallest step learns",
            quantised(settings, r=2.0),
            weight,
            train(),
            mapping_scales=[1.0, 3.0],
            scale_quantizer__delta=1e-8,
            **started,
        ),
        *(
            example(
                "QU-14 QU-13",
                "NoGate" if zero in (5.0, -2.0) else "StrictGate",
                f"a zero point of {zero:g} {'learns nothing' if zero in (5.0, -2.0) else 'learns'}",
                quantised({**settings, "symmetric": False}, r=2.0),
                weight,
                train(),
                mapping_scales=[1.0, 3.0],
                scale_quantizer__delta=1.0,
                scale_quantizer__zero_float=zero,
                **started,
            )
            for zero in (5.0, -2.0, 3.25, -0.25)
        ),
        of(
            "QU-14",
            "LostOnLoad",
            "a learned zero point is saved and loaded",
            train(),
            train(),
            train(reload=True),
            symmetric=False,
        ),
    ]

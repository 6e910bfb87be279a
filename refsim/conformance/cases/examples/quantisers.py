"""Examples of quantisers and range estimators (clauses QU, RE, EF)."""

from __future__ import annotations

from typing import Any

from refsim.config import (
    ActivationQuantConfig,
    CrossEntropyEstimatorParams,
    CurrentMinMaxEstimatorParams,
    MSEEstimatorParams,
    OptMethod,
    PeripheryQuantizationParameter,
    PrePostProcessingParameterQuant,
    QuantizedTorchInferenceRPUConfig,
    RangeEstimators,
    RunningMinMaxEstimatorParams,
)

from ..model import Case
from .small import Asked, asked, example, ranged, tile

__all__ = ["estimators", "learning", "outputs", "periphery"]

RE = RangeEstimators
ONE = [[1.0]]


def _tile(
    periphery: Asked | None = None,
    n_bits: int = 0,
    kind: RangeEstimators = RE.current_minmax,
    params: Any = None,
    symmetric: bool = True,
    r: float | None = None,
) -> Any:
    plain = ranged(r or 1.0, enable=r is not None)
    pre_post = PrePostProcessingParameterQuant(
        input_range=plain.input_range,
        periph_quant=PeripheryQuantizationParameter(**(periphery or {})),
    )
    output = ActivationQuantConfig(
        n_bits=n_bits, symmetric=symmetric, range_estimator=kind, range_estimator_params=params
    )
    return tile(made=QuantizedTorchInferenceRPUConfig, pre_post=pre_post, act_quant_config=output)


def _column(*values: float) -> list[list[float]]:
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
        return example(clauses, catches, name, _tile(n_bits=n_bits, **settings), ONE, asked(x, dy))

    ties = _column(-3.0, 1.0, 0.5, -0.5, 1.5)
    ones = _column(1.0, 2.0, 4.0, 8.0, 16.0)
    asymmetric: Asked = {"symmetric": False}
    given: Asked = {"out_quantizer__delta": 0.5, "out_quantizer__zero_float": 5.0}
    return [
        of(
            "QU-1 QU-4",
            "ZeroOutside",
            "the range of positive data reaches down to 0",
            _column(4.0, 12.0, 6.0),
            **asymmetric,
        ),
        of(
            "QU-1 QU-4 QU-2",
            "ZeroOutside",
            "the range of negative data reaches up to 0",
            _column(-4.0, -12.0, -6.0),
            **asymmetric,
        ),
        of(
            "QU-2 QU-3",
            "AlwaysSigned",
            "positive data have codes without sign",
            _column(3.0, 1.0, 1.5),
        ),
        of("QU-2 QU-3", "NeverSigned", "a negative number makes all codes signed", ties, n_bits=3),
        of(
            "QU-2 QU-3",
            "OppositeCodeOnly",
            "the least code has no opposite",
            _column(-8.0, 1.0),
            n_bits=2,
        ),
        of(
            "QU-3",
            "WidthOfTheRange",
            "the larger magnitude sets the step",
            _column(-1.0, 3.0),
            n_bits=3,
        ),
        of(
            "QU-4 QU-7",
            "ZeroNotRounded",
            "the zero point is rounded",
            _column(-1.0, 3.5, 0.25),
            **asymmetric,
        ),
        of("QU-8 QU-9", "RoundHalfUp", "halves go to the even code", ties, ones, n_bits=3),
        of("QU-8 QU-9", "NotClipped", "codes are clipped", _column(-3.0, 3.0, 1.0), n_bits=3),
        of(
            "QU-9 QU-8",
            "ZeroPointKept",
            "the zero point is taken off again",
            _column(-1.0, 2.0, 0.5),
            **asymmetric,
        ),
        of(
            "QU-10",
            "StrictMask",
            "gradients pass within the codes",
            _column(-3.0, 3.0, 1.0),
            _column(1.0, 2.0, 4.0),
            n_bits=2,
        ),
        of(
            "QU-10",
            "NotMasked",
            "a clipped code blocks its gradient",
            _column(-4.0, 3.0, 1.0),
            _column(1.0, 2.0, 4.0),
            kind=RE.current_minmax,
            params=CurrentMinMaxEstimatorParams(percentile=50.0),
            n_bits=3,
        ),
        of(
            "QU-5 QU-6 QU-1",
            "NoSmallestStep",
            "data of zeros leave the smallest step",
            _column(0.0, 0.0),
        ),
        of("QU-6 QU-5", "NoSmallestStep", "a step is at least 1e-8", _column(8e-9, 2e-9)),
        example(
            "QU-7",
            "RoundHalfUp",
            "half a zero point goes to the even code",
            _tile(n_bits=2, **asymmetric),
            ONE,
            asked(_column(-1.0, 3.0, 2.0), training=False),
            out_quantizer__delta=1.0,
            out_quantizer__zero_float=0.5,
        ),
        example(
            "QU-7",
            "NotLimited",
            "a zero point is one of the codes",
            _tile(n_bits=2, **asymmetric),
            ONE,
            asked(_column(1.0, -0.5, -2.0), training=False),
            **given,
        ),
        example(
            "QU-7",
            "NotLimited",
            "a zero point is not negative",
            _tile(n_bits=2, **asymmetric),
            ONE,
            asked(_column(1.0, -0.5, 3.0), training=False),
            **{**given, "out_quantizer__zero_float": -2.0},
        ),
        example(
            "QU-2 QU-8 QU-10",
            "NoCodeWithoutOpposite",
            "the least code has no opposite and is used",
            _tile(n_bits=3),
            ONE,
            asked(_column(-4.0, -5.0, 3.0, 4.0), _column(1.0, 2.0, 4.0, 8.0), training=False),
            out_quantizer__delta=1.0,
            out_quantizer__signed=[1],
        ),
        example(
            "QU-9",
            "RangeMovesInEvaluation",
            "evaluation keeps the range",
            _tile(n_bits=3),
            ONE,
            asked(_column(3.0, -3.0)),
            asked(_column(6.0, 1.5), training=False),
        ),
    ]


def estimators() -> list[Case]:
    """Range estimators (RE, EF)."""
    first, second = _column(-2.0, 3.0, 1.0), _column(-1.0, 6.0, 2.0)

    def of(
        clauses: str,
        catches: str,
        name: str,
        kind: RangeEstimators,
        params: Any = None,
        *steps: Asked,
        weight: Any = ONE,
        symmetric: bool = False,
    ) -> Case:
        config = _tile(n_bits=3, kind=kind, params=params, symmetric=symmetric)
        return example(
            clauses, catches, name, config, weight, *(steps or (asked(first), asked(second)))
        )

    def grid(made: Any = MSEEstimatorParams, margin: float = 0.5) -> Any:
        return made(range_opt_method=OptMethod.grid, num_candidates=4, range_margin=margin)

    steps = asked(_column(-1.0, 3.0, 0.5, 2.0)), asked(_column(-4.0, 1.0, 2.0, 0.5))
    positive = asked(_column(1.0, 3.0, 0.5, 2.0)), asked(_column(4.0, 1.0, 2.0, 0.5))
    rows = asked([[1.0], [-1.0]]), asked([[2.0], [0.5]])
    two = [[1.0], [-0.5]]
    return [
        of("RE-1 QU-9", "Symmetric", "smallest and largest value", RE.current_minmax),
        of(
            "RE-2",
            "NearestNumber",
            "a percentile lies between two numbers",
            RE.current_minmax,
            CurrentMinMaxEstimatorParams(percentile=25.0),
            asked(_column(-2.0, 3.0, 1.0, 8.0)),
        ),
        of("RE-3", "TheLatest", "the widest range so far", RE.allminmax),
        of(
            "RE-4 QU-4",
            "WeightsSwapped",
            "old and new range are averaged",
            RE.running_minmax,
            RunningMinMaxEstimatorParams(momentum=0.75),
        ),
        of(
            "RE-4 QU-4",
            "MemoryLostOnLoad",
            "the average goes on after saving and loading",
            RE.running_minmax,
            RunningMinMaxEstimatorParams(momentum=0.75),
            asked(first),
            asked(second, reload=True),
        ),
        of(
            "RE-3",
            "MemoryLostOnLoad",
            "the widest range is saved and loaded",
            RE.allminmax,
            None,
            asked(first),
            asked(_column(-1.0, 0.5, 1.0), reload=True),
        ),
        of(
            "RE-5 RE-6",
            "NoMargin",
            "the search goes beyond the data by a margin",
            RE.MSE,
            grid(),
            *steps,
            symmetric=True,
        ),
        of(
            "RE-6 RE-5 RE-1",
            "NeverOneSided",
            "positive data are searched from 0 up",
            RE.MSE,
            grid(margin=0.0),
            *positive,
        ),
        of("RE-7 RE-5", "OneSide", "ranges are shifted to both sides", RE.MSE, grid(), *steps),
        of(
            "RE-9 RE-6",
            "AbsoluteError",
            "squares of the errors decide",
            RE.MSE,
            grid(margin=0.0),
            *steps,
            symmetric=True,
        ),
        of(
            "RE-11 RE-9",
            "CallsForgotten",
            "losses add up over the batches",
            RE.MSE,
            grid(margin=1.0),
            *steps,
            symmetric=True,
        ),
        of(
            "RE-8 RE-9",
            "NeverOneSided",
            "positive data are searched from 0 up",
            RE.MSE,
            MSEEstimatorParams(),
            asked(_column(1.0, 3.0, 0.5, 2.0)),
        ),
        of(
            "RE-5 RE-6",
            "UpperEndAlone",
            "the larger magnitude limits the search",
            RE.MSE,
            grid(margin=0.0),
            asked(_column(-4.0, 1.0, 0.5)),
            symmetric=True,
        ),
        of(
            "RE-11 RE-9",
            "ThisCallAlone",
            "an earlier batch still counts",
            RE.MSE,
            grid(margin=0.0),
            asked(_column(-8.0, 8.0, 4.0)),
            asked(_column(-1.0, 1.0, 0.25)),
            symmetric=True,
        ),
        of(
            "RE-8 RE-9",
            "ShiftedTheOtherWay",
            "golden section shifts the range",
            RE.MSE,
            MSEEstimatorParams(),
            asked(_column(-1.0, 3.0, 0.5, 2.0)),
        ),
        of(
            "RE-11 RE-9",
            "MemoryLostOnLoad",
            "losses are saved and loaded",
            RE.MSE,
            grid(margin=0.0),
            asked(_column(-8.0, 8.0, 4.0)),
            asked(_column(-1.0, 1.0, 0.25), reload=True),
            symmetric=True,
        ),
        of(
            "RE-10 EF-1 EF-2 RE-11",
            "RolesSwapped",
            "the cross entropy of softmax values decides",
            RE.cross_entropy,
            grid(CrossEntropyEstimatorParams),
            *rows,
            weight=two,
            symmetric=True,
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
        config = _tile({"n_bits": 2, **settings}, r=2.0)
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
        config = _tile({**settings, "symmetric": symmetric}, r=2.0)
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
            _tile(settings, r=2.0),
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
            _tile(settings, r=2.0),
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
                _tile({**settings, "symmetric": False}, r=2.0),
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

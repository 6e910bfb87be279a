"""Examples of the optimiser, and of what goes on from step to step (clauses OP)."""

from __future__ import annotations

from typing import Any

from refsim.config import CustomRPUConfig, InferenceRPUConfig, IOParameters, MappingParameter

from ..model import Case
from .small import Asked, asked, example, tile

__all__ = ["manual", "optimiser", "sequences"]

ONE = [[1.0]]


def _train(x: float = 1.0, dy: float = 1.0, **what: Any) -> Asked:
    return asked([[x]], [[dy]], update=True, **what)


def optimiser() -> list[Case]:
    """Steps of gradient descent (OP-1)."""

    def of(catches: str, name: str, *steps: Asked, r: float | None = None, **sgd: Any) -> Case:
        return example("OP-1", catches, name, tile(r), ONE, *steps, bias=[0.5], sgd=sgd)

    two = _train(), _train(2.0, 0.5)
    clipped = _train(4.0, -1.0)
    return [
        of("Ascent", "parameters go against their gradients", _train(), lr=0.25),
        of(
            "DampenedAtFirst",
            "the first velocity is the gradient",
            *two,
            momentum=0.5,
            dampening=0.5,
        ),
        of("MomentumLost", "velocities go on", *two, _train(0.5), momentum=0.5),
        of("NesterovSwapped", "Nesterov looks ahead", *two, momentum=0.5, nesterov=True),
        of(
            "Decoupled",
            "weight decay is part of the gradient",
            *two,
            weight_decay=0.5,
            momentum=0.5,
        ),
        of("RangeForgotten", "the range is trained", clipped, r=2.0, lr=0.25),
        of(
            "RangeNotDecayed",
            "weight decay acts on the range",
            _train(1.0, 0.0),
            r=2.0,
            weight_decay=0.5,
        ),
        of(
            "RangeWithoutMomentum",
            "momentum acts on the range",
            clipped,
            clipped,
            r=2.0,
            momentum=0.5,
            lr=0.25,
        ),
        of(
            "AbsoluteRange",
            "a step may turn the sign of the range",
            _train(1.0, 0.0),
            r=2.0,
            weight_decay=4.0,
        ),
    ]


def sequences() -> list[Case]:
    """Gradients that add up, and modes (OP-1)."""
    grads = asked([[1.0]], [[1.0]]), asked([[2.0]], [[0.5]])
    learned = tile(1.0, mapping=MappingParameter(learn_out_scaling=True))

    def of(clauses: str, catches: str, name: str, *steps: Asked) -> Case:
        return example(
            clauses, catches, name, learned, ONE, *steps, bias=[0.0], out_scaling_alpha=[2.0]
        )

    return [
        of("OP-1 IR-4", "GradientsReplaced", "gradients of two passes add up", *grads, _train()),
        of("OP-1", "StaleGradients", "a step clears the gradients", _train(), _train(2.0, 0.0)),
        of(
            "OP-1 IR-4",
            "EvaluationWithoutGradients",
            "a pass after evaluation has gradients",
            asked([[2.0]], [[-1.0]], training=False),
        ),
        of(
            "OP-1",
            "LostOnLoad",
            "parameters are saved and loaded",
            _train(2.0, -1.0),
            asked([[4.0]], [[1.0]], reload=True),
        ),
        of(
            "IR-4",
            "AllZeroGradients",
            "gradients of 0 give gradients of 0",
            asked([[2.0]], [[0.0]]),
        ),
    ]


def manual() -> list[Case]:
    """The manual path: no clip on the way back, no residual, updates inside the step (IR-9, IR-8, OP-1)."""
    beyond = asked([[3.0], [1.0]], [[-1.0], [1.0]], update=True)
    coarse = {"inp_res": 0.25, "inp_bound": 1.0}
    perfect = IOParameters(is_perfect=True)

    def of(
        catches: str, name: str, made: Any, clauses: str, r: float = 2.0, io: Asked | None = None
    ) -> Case:
        parts: Asked = {"backward": perfect} if made is CustomRPUConfig else {}
        return example(clauses, catches, name, tile(r, io, made=made, **parts), ONE, beyond)

    return [
        of(
            "ClipBlocks",
            "the clip does not block gradients of inputs",
            InferenceRPUConfig,
            "MV-3 IR-4",
        ),
        of(
            "ResidualAdded",
            "rounding leaves no residual",
            InferenceRPUConfig,
            "IR-5 IR-4",
            io=coarse,
        ),
        of(
            "OldRange",
            "the weight update uses the range that was just updated",
            CustomRPUConfig,
            "OP-1 IR-3",
        ),
        of(
            "RangeForgotten",
            "the weight gradient is one of scaled inputs",
            InferenceRPUConfig,
            "MV-4 IR-3",
        ),
    ]

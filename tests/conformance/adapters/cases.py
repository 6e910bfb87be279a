"""Small cases and adapters for the tests of this folder."""

from __future__ import annotations

from typing import Any

import numpy as np

import refsim as rs
from refsim.conformance.cases import Case, SGDSettings, Step

F = np.float32


def config(**changes: Any) -> Any:
    """A plain autograd tile with a learned range and both converters."""
    io = {
        "inp_res": 254,
        "out_res": 254,
        "out_noise": 0.0,
        "noise_management": rs.NoiseManagementType.NONE,
        "bound_management": rs.BoundManagementType.NONE,
    }
    return rs.TorchInferenceRPUConfig(
        pre_post=rs.PrePostProcessingParameter(
            input_range=rs.InputRangeParameter(enable=True, init_value=1.5, init_from_data=0)
        ),
        forward=rs.IOParameters(**io | changes),
    )


def case(rows: int = 4, out: int = 3, into: int = 5, seed: int = 0, **changes: Any) -> Case:
    """Three training steps with a momentum and a reload, then an evaluation."""
    draw = np.random.default_rng(seed)

    def step(**options: Any) -> Step:
        x, dy = draw.normal(size=(rows, into)).astype(F), draw.normal(size=(rows, out)).astype(F)
        return Step(x=x, dy=dy, update=True, **options)

    steps = step(), step(), step(reload=True)
    last = Step(x=draw.normal(size=(rows, into)).astype(F), training=False)
    return Case(
        config(**changes),
        weight=draw.normal(0, 0.3, (out, into)).astype(F),
        bias=draw.normal(size=out).astype(F),
        steps=(*steps, last),
        state={"input_range": np.full(1, 1.25, F)},
        sgd=SGDSettings(momentum=0.5),
        clauses=("IR-5",),
    )

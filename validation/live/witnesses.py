"""The smallest case for each situation in which aihwkit 1.1.0 differs from refsim."""

from __future__ import annotations

from typing import Any

import numpy as np

import refsim as rs
from refsim.conformance.cases import Case, SGDSettings, Step

F = np.float32
PERFECT = {"is_perfect": True}


def array(*rows: Any) -> Any:
    """float32 numbers, a row for each argument."""
    return np.array(rows, dtype=F)


def plain(forward: dict[str, Any] = PERFECT, **settings: Any) -> Any:
    """A tile of the autograd path."""
    return rs.TorchInferenceRPUConfig(
        forward=rs.IOParameters(**forward), choices=rs.Choices.aihwkit(), **settings
    )


def quantised(output: dict[str, Any] | None = None, n_bits: int = 0, **settings: Any) -> Any:
    """A quantised tile, with so many bits of its periphery."""
    return rs.QuantizedTorchInferenceRPUConfig(
        forward=rs.IOParameters(**PERFECT),
        choices=rs.Choices.aihwkit(),
        pre_post=rs.PrePostProcessingParameterQuant(
            periph_quant=rs.PeripheryQuantizationParameter(n_bits=n_bits)
        ),
        act_quant_config=None if output is None else rs.ActivationQuantConfig(**output),
        **settings,
    )


def searched(method: rs.OptMethod, **settings: Any) -> dict[str, Any]:
    """An output quantiser of 3 bits whose range is searched."""
    params = rs.MSEEstimatorParams(range_opt_method=method, num_candidates=4, **settings)
    kind = rs.RangeEstimators.MSE
    return {"n_bits": 3, "range_estimator": kind, "range_estimator_params": params}


def ranged(cls: Any = rs.PrePostProcessingParameter, **settings: Any) -> Any:
    """An input range without decay."""
    return cls(input_range=rs.InputRangeParameter(enable=True, decay=0.0, **settings))


def case(
    config: Any,
    weight: Any,
    *steps: Step,
    bias: Any = None,
    state: Any = None,
    **sgd: Any,
) -> Case:
    """A case of a few steps."""
    return Case(config, weight, bias, steps, state or {}, SGDSettings(**sgd))


ONE, TWO = array([1.0]), array([1.0], [3.0])
GRID, GOLDEN = rs.OptMethod.grid, rs.OptMethod.golden_section


def witnesses() -> dict[str, Case]:
    """Cases by the number of the erratum and, where there are several, what is meant."""
    remap = rs.WeightRemapParameter(type=rs.WeightRemapType.CHANNELWISE_SYMMETRIC)
    clip = rs.WeightClipParameter(type=rs.WeightClipType.LAYER_GAUSSIAN)
    scaled = rs.MappingParameter(weight_scaling_omega=1.0)
    grid = rs.WeightModifierParameter(type=rs.WeightModifierType.DISCRETIZE, res=0.25)
    update, train = Step(x=ONE, update=True), Step(x=ONE)
    evaluated = Step(x=ONE, training=False)
    wide = Step(x=np.ones((1, 1, 1), dtype=F), dy=np.ones((1, 1, 1), dtype=F))
    tiny = {"input_range": array(1e-42)}
    return {
        "E-1": case(plain(remap=remap), 0 * ONE, update),
        "E-2": case(plain(clip=clip), ONE, update),
        "E-6": case(
            plain(mapping=scaled),
            ONE,
            Step(x=ONE, dy=ONE, reload=True),
            state={"mapping_scales": array(2.0)},
        ),
        "E-29": case(quantised(searched(GRID, range_margin=0.0)), 0 * ONE, train),
        "E-34": case(quantised(searched(GOLDEN)), ONE, Step(x=TWO)),
        "E-35": case(plain(modifier=grid), 0 * ONE, train),
        "E-36 (range)": case(
            plain(pre_post=ranged(init_from_data=0)), 0 * ONE, Step(x=ONE, dy=ONE), state=tiny
        ),
        "E-36 (scale)": case(
            plain(mapping=scaled),
            ONE,
            Step(x=ONE, dy=0 * ONE),
            state={"mapping_scales": array(1e-30)},
        ),
        "E-38 (range)": case(
            plain(pre_post=ranged()),
            ONE,
            Step(x=np.zeros((0, 1), dtype=F)),
            state={"input_range": array(-1.0)},
        ),
        "E-38 (quantiser)": case(
            quantised(n_bits=4, mapping=rs.MappingParameter(learn_out_scaling=True)),
            ONE,
            Step(x=np.zeros((0, 1), dtype=F), training=False),
        ),
        "E-39 (state)": case(
            quantised(n_bits=4, mapping=rs.MappingParameter(learn_out_scaling=True)),
            ONE,
            evaluated,
            Step(x=ONE, training=False, reload=True),
        ),
        "E-39 (search)": case(quantised(searched(GRID)), ONE, train, Step(x=-TWO, reload=True)),
        "E-37": case(
            rs.CustomRPUConfig(
                forward=rs.IOParameters(**PERFECT),
                backward=rs.IOParameters(**PERFECT),
                choices=rs.Choices.aihwkit(),
            ),
            ONE,
            wide,
            Step(x=ONE, dy=ONE, update=True),
        ),
        "E-41": case(
            rs.CustomRPUConfig(
                forward=rs.IOParameters(**PERFECT),
                backward=rs.IOParameters(**PERFECT),
                choices=rs.Choices.aihwkit(),
            ),
            0 * ONE,
            Step(x=ONE, dy=-2 * ONE),
            Step(x=-ONE, dy=-ONE, update=True),
            bias=np.zeros(1, dtype=F),
            lr=1.0,
        ),
        "E-5": case(
            quantised(
                n_bits=4,
                mapping=rs.MappingParameter(
                    weight_scaling_omega=-1.0, weight_scaling_columnwise=True
                ),
            ),
            ONE,
            train,
        ),
        "E-40": case(quantised(searched(GRID)), array([2.0**70]), Step(x=TWO)),
    }

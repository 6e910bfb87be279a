"""Configurations of generated cases: every part on or off, and settings where bugs live."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from refsim.config import (
    BoundManagementType,
    CustomRPUConfig,
    FloatingPointRPUConfig,
    InferenceRPUConfig,
    InputRangeParameter,
    IOParameters,
    MappingParameter,
    NoiseManagementType,
    PrePostProcessingParameter,
    RPUDataType,
    RuntimeParameter,
    TorchInferenceRPUConfig,
    WeightClipParameter,
    WeightClipType,
    WeightModifierParameter,
    WeightModifierType,
    WeightRemapParameter,
    WeightRemapType,
)

from .draft import Draft
from .generate_quantised import quantised_config

__all__ = ["build_config"]

NM, BM, WM = NoiseManagementType, BoundManagementType, WeightModifierType
COMPILED_MANAGEMENT: Final = (NM.ABS_MAX_NP_SUM, NM.AVERAGE_ABS_MAX)


def build_config(d: Draft) -> Any:
    """A configuration that asks for allowed features only; refsim may still refuse it."""
    makers: dict[str, Callable[[Draft], Any]] = {
        "quantised_tile": lambda d: quantised_config(d, _torch(d)),
        "inference_tile": _inference,
        "custom_tile": _custom,
        "floating_point_tile": lambda d: FloatingPointRPUConfig(**_common(d)),
    }
    others = [make for feature, make in makers.items() if feature in d.allowed]
    made = d.pick.choice([_torch, *others])(d) if others else _torch(d)
    return _with_output_clipping(d, made)


def _torch(d: Draft) -> TorchInferenceRPUConfig:
    return TorchInferenceRPUConfig(**_common(d), **_weights(d), forward=_io(d))


def _inference(d: Draft) -> InferenceRPUConfig:
    backward = IOParameters(is_perfect=True) if d.pick.chance(0.6) else _quiet(_io(d))
    forward = _compiled(d, _io(d))
    return InferenceRPUConfig(
        **_common(d), **_weights(d), forward=forward, backward=_compiled(d, backward)
    )


def _custom(d: Draft) -> CustomRPUConfig:
    backward = IOParameters(is_perfect=True) if d.pick.chance(0.5) else _quiet(_io(d))
    return CustomRPUConfig(**_common(d), forward=_io(d), backward=backward)


def _common(d: Draft) -> dict[str, Any]:
    double = np.float64 == d.T
    return {
        "runtime": RuntimeParameter(data_type=RPUDataType.DOUBLE if double else RPUDataType.FLOAT),
        "pre_post": PrePostProcessingParameter(input_range=_range(d)),
        "mapping": _mapping(d),
        "choices": copy.deepcopy(d.choices),
    }


def _range(d: Draft) -> InputRangeParameter:
    if not d.may("input_range", 0.8):
        return InputRangeParameter(init_from_data=0)
    learned = d.may("learned_range", 0.85)
    return InputRangeParameter(
        enable=True,
        learn_input_range=learned,
        init_value=d.of((1.0, 2.0, 0.5, 4.0), (3.0, 0.7, -1.0, 1e-3, 1e-30)),
        init_from_data=d.pick.choice((1, 2, 3, 100)) if d.may("data_init", 0.35) else 0,
        init_std_alpha=d.of((1.0, 2.0, 0.5), (3.0, -0.5)),
        decay=d.of((0.125, 0.5), (0.001, 0.1)) if learned and d.may("decay") else 0.0,
        input_min_percentage=d.of((0.5, 0.0, 0.75, 1.0), (0.95, 0.9, 0.8, 2 / 3, 0.6)),
        gradient_scale=d.of((1.0, 1.0, 2.0, 0.5), (-2.0, 0.3)),
        gradient_relative=not d.pick.chance(0.4),
    )


def _io(d: Draft) -> IOParameters:
    if d.pick.chance(0.15):
        return IOParameters(is_perfect=True)
    io = IOParameters(
        inp_bound=d.of((1.0, 1.0, -1.0, 0.5, 2.0), (0.3, 0.8)),
        inp_res=_resolution(d) if d.may("dac", 0.6) else -1.0,
        out_bound=d.of((-1.0, 4.0, 1.0, 2.0, 8.0), (12.0, 0.6, 0.3)),
        out_res=_resolution(d) if d.may("adc", 0.6) else -1.0,
        out_noise=0.0,
        out_scale=d.of((1.0, 1.0, 1.0, 0.5, 2.0), (1.7, -1.0)),
        noise_management=NM.NONE,
        bound_management=BM.NONE,
    )
    _asymmetric(d, io)
    _managed(d, io)
    _noisy(d, io)
    return io


def _resolution(d: Draft) -> float:
    """A resolution as a number of steps or as a fraction of the range."""
    return float(d.of((4, 8, 0.25, 16, 0.125, 2, 128), (254, 255, 1 / 126, 127, 15, 7, 0.1, 1)))


def _asymmetric(d: Draft, io: IOParameters) -> None:
    if not d.may("asymmetry", 0.25):
        return
    values = (0.25, 0.5, -0.5, 1.0), (0.1, 0.015)
    io.inp_asymmetry = d.of(*values) if d.pick.chance(0.6) else 0.0
    io.out_asymmetry = d.of(*values) if d.pick.chance(0.6) else 0.0


def _managed(d: Draft, io: IOParameters) -> None:
    if d.may("noise_management", 0.35):
        io.noise_management = d.pick.choice((NM.ABS_MAX, NM.MAX, NM.CONSTANT))
        io.nm_thres = d.of((0.0, 0.5, 2.0), (0.6, -1.0))
    if d.may("bound_management", 0.3):
        io.bound_management = d.pick.choice((BM.ITERATIVE, BM.ITERATIVE_WORST_CASE))
        io.max_bm_factor = d.pick.choice((1000, 1, 2, 3, 4))
        io.max_bm_res = d.of((0.25, 1.0, 0.0), (0.3,))
        io.out_bound = d.of((1.0, 0.5, 2.0, 4.0), (0.3, 12.0))


def _noisy(d: Draft, io: IOParameters) -> None:
    if not d.may("noise", 0.4):
        return
    io.inp_noise = d.of((0.0, 0.25, 0.5), (0.1,))
    io.out_noise = d.of((0.25, 0.0, 0.5), (0.06,))
    if io.out_noise > 0 and d.may("noise_spread", 0.7):
        io.out_noise_std = d.of((0.5, 0.25), (0.1,))
    io.inp_sto_round = io.inp_res > 0 and d.pick.chance(0.3)
    io.out_sto_round = io.out_res > 0 and d.pick.chance(0.3)


def _quiet(io: IOParameters) -> IOParameters:
    """The settings of a way back, which no deviates can be given for."""
    io.inp_noise = io.out_noise = io.out_noise_std = 0.0
    io.inp_sto_round = io.out_sto_round = False
    return io


def _compiled(d: Draft, io: IOParameters) -> IOParameters:
    """The settings with what only the compiled core of the manual path honours, and what it needs."""
    if io.is_perfect or io.noise_management == NM.NONE:
        return io
    io.inp_bound = 1.0
    if d.pick.chance(0.3):
        io.noise_management = d.pick.choice(COMPILED_MANAGEMENT)
    io.bm_test_negative_bound = not d.pick.chance(0.3)
    return io


def _mapping(d: Draft) -> MappingParameter:
    scaled = d.may("mapping_scales", 0.4)
    return MappingParameter(
        weight_scaling_omega=d.of((0.0, 1.0, 0.5), (0.6, -1.0)) if scaled else 0.0,
        weight_scaling_columnwise=d.pick.chance(0.5),
        weight_scaling_lr_compensation=scaled and d.pick.chance(0.3),
        learn_out_scaling=d.may("out_scaling", 0.35),
        out_scaling_columnwise=d.pick.chance(0.5),
    )


def _weights(d: Draft) -> dict[str, Any]:
    return {"modifier": _modifier(d), "clip": _clip(d), "remap": _remap(d)}


def _modifier(d: Draft) -> WeightModifierParameter:
    if not d.may("weight_modifier", 0.3):
        return WeightModifierParameter()
    noisy = (WM.ADD_NORMAL, WM.MULT_NORMAL) if d.may("noise", 0.6) else ()
    kind = d.pick.choice((WM.DISCRETIZE, WM.COPY, *noisy))
    return WeightModifierParameter(
        type=kind,
        std_dev=d.of((0.25, 0.5), (0.1,)),
        res=d.of((0.25, 4, 0.125), (1 / 14, 127, 15)),
        sto_round=bool(noisy) and d.pick.chance(0.3),
        per_batch_sample=bool(noisy) and d.pick.chance(0.3),
        rel_to_actual_wmax=not d.pick.chance(0.4),
        assumed_wmax=d.of((1.0, 2.0), (0.3,)),
    )


def _clip(d: Draft) -> WeightClipParameter:
    if not d.may("clip", 0.25):
        return WeightClipParameter()
    return WeightClipParameter(
        type=d.pick.choice((WeightClipType.FIXED_VALUE, WeightClipType.LAYER_GAUSSIAN)),
        fixed_value=d.of((0.5, 1.0, 0.25), (0.4,)),
        sigma=d.of((2.0, 1.0), (2.5, 0.3)),
    )


def _remap(d: Draft) -> WeightRemapParameter:
    if not d.may("remap", 0.2):
        return WeightRemapParameter()
    kinds = (WeightRemapType.LAYERWISE_SYMMETRIC, WeightRemapType.CHANNELWISE_SYMMETRIC)
    return WeightRemapParameter(type=d.pick.choice(kinds))


def _with_output_clipping(d: Draft, made: Any) -> Any:
    """The configuration, sometimes with output clipping managed, and with what that needs."""
    p, io = made.pre_post.input_range, getattr(made, "forward", None)
    if io is None or io.is_perfect or not p.enable or not d.may("output_clipping", 0.3):
        return made
    p.manage_output_clipping = True
    p.output_min_percentage = d.of((0.5, 0.75, 1.0), (0.95, 2 / 3))
    io.noise_management, io.bound_management = NM.NONE, BM.NONE
    io.out_bound = d.of((1.0, 0.5, 0.25), (0.3,))
    return made

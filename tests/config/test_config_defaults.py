"""Every enumeration, class, field and default of the documented interface, written out."""

from __future__ import annotations

from dataclasses import MISSING, fields
from enum import Enum
from typing import Any

import pytest

from refsim import config as package
from refsim.config import (
    ActivationQuantConfig,
    AnalogMVType,
    BoundManagementType,
    Choices,
    CrossEntropyEstimatorParams,
    CurrentMinMaxEstimatorParams,
    CustomRPUConfig,
    FloatingPointRPUConfig,
    InferenceRPUConfig,
    InputRangeParameter,
    IOParameters,
    MappingParameter,
    MSEEstimatorParams,
    NoiseManagementType,
    OptMethod,
    Parameters,
    PeripheryQuantizationParameter,
    PrePostProcessingParameter,
    PrePostProcessingParameterQuant,
    PrePostProcessingRPU,
    QuantizedTorchInferenceRPUConfig,
    RangeEstimators,
    RPUDataType,
    RunningMinMaxEstimatorParams,
    RuntimeParameter,
    TorchInferenceRPUConfig,
    WeightClipParameter,
    WeightClipType,
    WeightModifierParameter,
    WeightModifierType,
    WeightNoiseType,
    WeightRemapParameter,
    WeightRemapType,
)

ENUMS: dict[type[Enum], dict[str, str]] = {
    AnalogMVType: {
        "IDEAL": "Ideal",
        "ONE_PASS": "OnePass",
        "POS_NEG_SEPARATE": "PosNegSeparate",
        "POS_NEG_SEPARATE_DIGITAL_SUM": "PosNegSeparateDigitalSum",
        "SPLIT_MODE": "SplitMode",
        "BIT_WISE": "BitWise",
    },
    BoundManagementType: {
        "NONE": "None",
        "ITERATIVE": "Iterative",
        "ITERATIVE_WORST_CASE": "IterativeWorstCase",
        "SHIFT": "Shift",
    },
    NoiseManagementType: {
        "NONE": "None",
        "ABS_MAX": "AbsMax",
        "ABS_MAX_NP_SUM": "AbsMaxNPSum",
        "MAX": "Max",
        "CONSTANT": "Constant",
        "AVERAGE_ABS_MAX": "AverageAbsMax",
    },
    RPUDataType: {"FLOAT": "float", "DOUBLE": "double", "HALF": "half"},
    WeightClipType: {
        "NONE": "None",
        "FIXED_VALUE": "FixedValue",
        "LAYER_GAUSSIAN": "LayerGaussian",
        "AVERAGE_CHANNEL_MAX": "AverageChannelMax",
    },
    WeightModifierType: {
        "NONE": "None",
        "DISCRETIZE": "Discretize",
        "MULT_NORMAL": "MultNormal",
        "ADD_NORMAL": "AddNormal",
        "DISCRETIZE_ADD_NORMAL": "DiscretizeAddNormal",
        "DOREFA": "DoReFa",
        "POLY": "Poly",
        "PCM_NOISE": "PCMNoise",
        "PROG_NOISE": "ProgNoise",
        "DROP_CONNECT": "DropConnect",
        "COPY": "Copy",
    },
    WeightNoiseType: {
        "NONE": "None",
        "ADDITIVE_CONSTANT": "AdditiveConstant",
        "PCM_READ": "PCMRead",
    },
    WeightRemapType: {
        "NONE": "None",
        "LAYERWISE_SYMMETRIC": "LayerwiseSymmetric",
        "CHANNELWISE_SYMMETRIC": "ChannelwiseSymmetric",
    },
    RangeEstimators: {
        name: name
        for name in ("current_minmax", "allminmax", "running_minmax", "MSE", "cross_entropy")
    },
    OptMethod: {"grid": "grid", "golden_section": "golden_section"},
}

SEED_PAGE: dict[type[Parameters], dict[str, Any]] = {
    InputRangeParameter: {
        "enable": False,
        "learn_input_range": True,
        "init_value": 3.0,
        "init_from_data": 100,
        "init_std_alpha": 3.0,
        "decay": 0.001,
        "input_min_percentage": 0.95,
        "manage_output_clipping": False,
        "output_min_percentage": 0.95,
        "gradient_scale": 1.0,
        "gradient_relative": True,
        "calibration_info": None,
    },
    PeripheryQuantizationParameter: {
        "n_bits": 0,
        "symmetric": True,
        "learn_quant_params": False,
        "init_learning_after": 100,
    },
    PrePostProcessingParameter: {"input_range": InputRangeParameter()},
    PrePostProcessingParameterQuant: {
        "input_range": InputRangeParameter(),
        "periph_quant": PeripheryQuantizationParameter(),
    },
}

OTHERS: dict[type[Parameters], dict[str, Any]] = {
    IOParameters: {
        "is_perfect": False,
        "mv_type": AnalogMVType.ONE_PASS,
        "inp_bound": 1.0,
        "inp_noise": 0.0,
        "inp_res": 0.007936507936507936,
        "inp_sto_round": False,
        "inp_asymmetry": 0.0,
        "out_bound": 12.0,
        "out_noise": 0.06,
        "out_noise_std": 0.0,
        "out_res": 0.00196078431372549,
        "out_sto_round": False,
        "out_scale": 1.0,
        "out_asymmetry": 0.0,
        "bound_management": BoundManagementType.ITERATIVE,
        "noise_management": NoiseManagementType.ABS_MAX,
        "w_noise": 0.0,
        "w_noise_type": WeightNoiseType.NONE,
        "ir_drop": 0.0,
        "ir_drop_g_ratio": 571428.5714285714,
        "out_nonlinearity": 0.0,
        "out_nonlinearity_std": 0.0,
        "slope_calibration": 0.0,
        "v_offset_std": 0.0,
        "v_offset_w_min": -1.0,
        "r_series": 0.0,
        "w_read_asymmetry_dtod": 0.0,
        "max_bm_factor": 1000,
        "max_bm_res": 0.25,
        "bm_test_negative_bound": True,
        "nm_thres": 0.0,
    },
    MappingParameter: {
        "digital_bias": True,
        "weight_scaling_omega": 0.0,
        "weight_scaling_columnwise": False,
        "weight_scaling_lr_compensation": False,
        "learn_out_scaling": False,
        "out_scaling_columnwise": False,
        "max_input_size": 512,
        "max_output_size": 512,
    },
    RuntimeParameter: {
        "data_type": RPUDataType.FLOAT,
        "on_the_fly_bindings": False,
        "offload_input": False,
        "offload_gradient": False,
        "matmul": "exact",
    },
    WeightModifierParameter: {
        "std_dev": 0.0,
        "per_batch_sample": False,
        "res": 0.0,
        "sto_round": False,
        "dorefa_clip": 0.6,
        "pdrop": 0.0,
        "enable_during_test": False,
        "rel_to_actual_wmax": True,
        "assumed_wmax": 1.0,
        "copy_last_column": False,
        "coeffs": [0.0105392, 0.0768, -0.046925],
        "type": WeightModifierType.NONE,
        "g_max": 25.0,
        "pcm_zero_thres": 0.0,
        "pcm_t_inference": 0.0,
        "pcm_prob_at_reset": 0.0,
        "pcm_prob_at_gmax": 0.0,
        "pcm_prob_at_random": 0.0,
        "pcm_t0": 20.0,
    },
    WeightClipParameter: {"fixed_value": -1.0, "sigma": 2.5, "type": WeightClipType.NONE},
    WeightRemapParameter: {
        "remapped_wmax": 1.0,
        "max_scale_range": 0.0,
        "max_scale_ref": 0.0,
        "type": WeightRemapType.NONE,
    },
    CurrentMinMaxEstimatorParams: {"percentile": None},
    RunningMinMaxEstimatorParams: {"momentum": 0.9},
    MSEEstimatorParams: {
        "range_opt_method": OptMethod.golden_section,
        "num_candidates": 100,
        "range_margin": 0.5,
    },
    CrossEntropyEstimatorParams: {
        "range_opt_method": OptMethod.golden_section,
        "num_candidates": 100,
        "range_margin": 0.5,
    },
    ActivationQuantConfig: {
        "n_bits": 0,
        "symmetric": True,
        "range_estimator": RangeEstimators.running_minmax,
        "range_estimator_params": RunningMinMaxEstimatorParams(),
    },
}

CHOICES = {
    "gradient_scale_applies": ("always", "when_relative"),
    "output_percentage_of": ("outputs", "inputs"),
    "output_clip_mask": ("adc", "scaled_0_999"),
    "output_clipping_on_autograd_path": ("supported", "refused"),
    "out_noise_std": ("fraction", "unit_on_autograd_path"),
    "percentile": ("two_sided", "lower_only"),
    "calibration_quantile_of": ("absolute", "signed"),
    "calibration_counter": ("reset", "continue"),
    "calibration_batches": ("exact", "one_more"),
    "perfect_out_scale": ("dropped", "by_path"),
    "fixed_clip_nonpositive": ("error", "apply"),
}

MAPPABLE = {
    "runtime": RuntimeParameter(),
    "pre_post": PrePostProcessingParameter(),
    "mapping": MappingParameter(),
    "choices": Choices(),
}
INFERENCE = MAPPABLE | {
    "forward": IOParameters(),
    "backward": IOParameters(is_perfect=True),
    "clip": WeightClipParameter(),
    "remap": WeightRemapParameter(),
    "modifier": WeightModifierParameter(),
}
CONFIGS: dict[type[PrePostProcessingRPU], tuple[str, dict[str, Any]]] = {
    FloatingPointRPUConfig: ("FloatingPointTile", MAPPABLE),
    CustomRPUConfig: (
        "CustomTile",
        MAPPABLE | {"forward": IOParameters(), "backward": IOParameters()},
    ),
    InferenceRPUConfig: ("InferenceTile", INFERENCE),
    TorchInferenceRPUConfig: ("TorchInferenceTile", INFERENCE),
    QuantizedTorchInferenceRPUConfig: (
        "QuantizedTorchInferenceTile",
        INFERENCE | {"pre_post": PrePostProcessingParameterQuant(), "act_quant_config": None},
    ),
}


@pytest.mark.parametrize("enum", ENUMS, ids=lambda enum: enum.__name__)
def test_members_and_values(enum: type[Enum]) -> None:
    assert {member.name: member.value for member in enum} == ENUMS[enum]
    assert list(enum.__members__) == list(ENUMS[enum])


@pytest.mark.parametrize("cls", [*SEED_PAGE, *OTHERS], ids=lambda cls: cls.__name__)
def test_fields_and_defaults_in_order(cls: Any) -> None:
    expected = (SEED_PAGE | OTHERS)[cls]
    values = vars(cls())
    assert [item.name for item in fields(cls)] == list(expected)
    for name, value in expected.items():
        assert (type(values[name]), values[name]) == (type(value), value), name


def test_defaults_are_not_shared() -> None:
    first, second = TorchInferenceRPUConfig(), TorchInferenceRPUConfig()
    first.pre_post.input_range.enable = True
    first.modifier.coeffs.append(1.0)
    assert second.pre_post.input_range.enable is False
    assert second.modifier.coeffs == [0.0105392, 0.0768, -0.046925]


def test_choices_hold_every_choice_with_both_readings() -> None:
    default, aihwkit = vars(Choices()), vars(Choices.aihwkit())
    assert {name: (default[name], aihwkit[name]) for name in default} == CHOICES
    for name, readings in CHOICES.items():
        assert name in (Choices.__doc__ or "")
        for reading in readings:
            assert f'"{reading}"' in (Choices.__doc__ or "")


@pytest.mark.parametrize("cls", CONFIGS, ids=lambda cls: cls.__name__)
def test_configurations(cls: type[PrePostProcessingRPU]) -> None:
    tile, expected = CONFIGS[cls]
    values = dict(vars(cls()))
    assert values.pop("tile_class") == f"refsim.tile:{tile}"
    assert values == expected
    assert [item.name for item in fields(cls)][:3] == ["tile_class", "runtime", "pre_post"]


def test_the_common_configuration_requires_its_tile_class() -> None:
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'tile_class'"):
        PrePostProcessingRPU()
    required = [item.name for item in fields(PrePostProcessingRPU) if item.default is MISSING]
    assert required == ["tile_class", "runtime", "pre_post"]


def test_every_public_name_is_there_and_documented() -> None:
    assert len(set(package.__all__)) == len(package.__all__)
    for name in package.__all__:
        assert (getattr(package, name).__doc__ or "").strip(), name


def test_every_field_is_documented() -> None:
    for cls in [*SEED_PAGE, *OTHERS, Choices]:
        for item in fields(cls):
            documented = any(item.name in (base.__doc__ or "") for base in cls.__mro__)
            assert documented, f"{cls.__name__}.{item.name}"

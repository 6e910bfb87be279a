"""Each thing that aihwkit accepts, or refuses late, and a `TorchInferenceTile` refuses at once."""

from __future__ import annotations

import copy
from operator import attrgetter
from typing import Any

import pytest

import refsim as rs
from refsim.config import (
    ActivationQuantConfig,
    AnalogMVType,
    BoundManagementType,
    Choices,
    CustomRPUConfig,
    InferenceRPUConfig,
    IOParameters,
    NoiseManagementType,
    PeripheryQuantizationParameter,
    PrePostProcessingParameterQuant,
    QuantizedTorchInferenceRPUConfig,
    RPUDataType,
    TorchInferenceRPUConfig,
    WeightClipType,
    WeightModifierType,
    WeightNoiseType,
    WeightRemapType,
    check_torch_inference,
)
from refsim.errors import ConfigError

INF = float("inf")

REFUSED: list[tuple[str, Any]] = [
    *[
        ("forward.mv_type", member)
        for member in AnalogMVType
        if member is not AnalogMVType.ONE_PASS
    ],
    ("forward.bound_management", BoundManagementType.SHIFT),
    ("forward.noise_management", NoiseManagementType.AVERAGE_ABS_MAX),
    ("forward.noise_management", NoiseManagementType.ABS_MAX_NP_SUM),
    ("forward.w_noise", 0.1),
    ("forward.w_noise_type", WeightNoiseType.ADDITIVE_CONSTANT),
    ("forward.w_noise_type", WeightNoiseType.PCM_READ),
    ("forward.ir_drop", 0.1),
    ("forward.out_nonlinearity", 0.1),
    ("forward.out_nonlinearity", -0.1),
    ("forward.out_nonlinearity_std", 0.1),
    ("forward.slope_calibration", 0.1),
    ("forward.v_offset_std", 0.1),
    ("forward.v_offset_w_min", 0.1),
    ("forward.r_series", 0.1),
    ("forward.w_read_asymmetry_dtod", 0.1),
    ("clip.type", WeightClipType.AVERAGE_CHANNEL_MAX),
    ("modifier.enable_during_test", True),
    ("modifier.copy_last_column", True),
    ("modifier.pdrop", 0.1),
    *[
        ("modifier.type", member)
        for member in (
            WeightModifierType.DISCRETIZE_ADD_NORMAL,
            WeightModifierType.DOREFA,
            WeightModifierType.POLY,
            WeightModifierType.PCM_NOISE,
            WeightModifierType.PROG_NOISE,
            WeightModifierType.DROP_CONNECT,
        )
    ],
    ("remap.remapped_wmax", 0.5),
    ("remap.max_scale_range", 0.5),
    ("remap.max_scale_ref", 0.5),
    ("backward.is_perfect", False),
    ("runtime.on_the_fly_bindings", True),
    ("runtime.offload_input", True),
    ("runtime.offload_gradient", True),
]

HONOURED: list[tuple[str, Any]] = [
    ("runtime.matmul", "fast"),
    *[
        ("forward.bound_management", member)
        for member in BoundManagementType
        if member is not BoundManagementType.SHIFT
    ],
    ("forward.noise_management", NoiseManagementType.NONE),
    ("forward.noise_management", NoiseManagementType.MAX),
    ("forward.noise_management", NoiseManagementType.CONSTANT),
    ("forward.ir_drop_g_ratio", 3.0),
    ("forward.v_offset_w_min", 0),
    ("forward.out_noise_std", 0.5),
    ("forward.nm_thres", 0.9),
    ("forward.out_bound", -1),
    ("forward.bm_test_negative_bound", False),
    ("clip.type", WeightClipType.LAYER_GAUSSIAN),
    ("clip.fixed_value", 0),
    ("modifier.type", WeightModifierType.MULT_NORMAL),
    ("modifier.type", WeightModifierType.ADD_NORMAL),
    ("modifier.type", WeightModifierType.COPY),
    ("modifier.coeffs", [1.0]),
    ("remap.type", WeightRemapType.LAYERWISE_SYMMETRIC),
    ("remap.type", WeightRemapType.CHANNELWISE_SYMMETRIC),
    ("runtime.data_type", RPUDataType.DOUBLE),
    ("backward.out_noise", 1.0),
    ("pre_post.input_range.manage_output_clipping", True),
]


def _with(*settings: tuple[str, Any]) -> TorchInferenceRPUConfig:
    config = TorchInferenceRPUConfig()
    for path, value in settings:
        owner, _, name = path.rpartition(".")
        setattr(attrgetter(owner)(config), name, value)
    return config


def _message(config: Any, bias: bool = False) -> str:
    with pytest.raises(ConfigError) as caught:
        check_torch_inference(config, bias)
    return str(caught.value)


def test_the_default_is_honoured() -> None:
    check_torch_inference(TorchInferenceRPUConfig(), bias=True)
    check_torch_inference(InferenceRPUConfig(), bias=False)


@pytest.mark.parametrize("perfect", [False, True])
@pytest.mark.parametrize(("path", "value"), REFUSED)
def test_refused_with_a_perfect_forward_too(path: str, value: Any, perfect: bool) -> None:
    text = _message(_with(("forward.is_perfect", perfect), (path, value)))
    assert text.startswith(f"{path} is ")
    assert text.endswith(".")
    assert str(value) in text


@pytest.mark.parametrize(("path", "value"), HONOURED)
def test_honoured(path: str, value: Any) -> None:
    check_torch_inference(_with((path, value)), bias=True)


def test_a_bias_must_be_digital() -> None:
    config = _with(("mapping.digital_bias", False))
    assert _message(config, bias=True).startswith("mapping.digital_bias is False")
    check_torch_inference(config, bias=False)


MANAGED: list[tuple[str, Any]] = [
    ("pre_post.input_range.enable", True),
    ("pre_post.input_range.manage_output_clipping", True),
    ("forward.noise_management", NoiseManagementType.NONE),
    ("forward.bound_management", BoundManagementType.NONE),
]


def test_managing_output_clipping_is_a_choice() -> None:
    config = _with(*MANAGED)
    check_torch_inference(config, bias=True)
    config.choices = Choices.aihwkit()
    assert _message(config) == (
        "pre_post.input_range.manage_output_clipping is True, which "
        "choices.output_clipping_on_autograd_path='refused' forbids."
    )
    config.pre_post.input_range.enable = False
    check_torch_inference(config, bias=True)


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("forward.noise_management", NoiseManagementType.ABS_MAX, "NoiseManagementType.ABS_MAX"),
        ("forward.noise_management", NoiseManagementType.CONSTANT, "NoiseManagementType.CONSTANT"),
        (
            "forward.bound_management",
            BoundManagementType.ITERATIVE,
            "BoundManagementType.ITERATIVE",
        ),
        ("forward.is_perfect", True, "so that no output is clipped"),
        ("forward.out_bound", 0.0, "forward.out_bound is 0.0"),
        ("forward.out_bound", -1.0, "forward.out_bound is -1.0"),
        ("forward.out_bound", INF, "forward.out_bound is inf"),
    ],
)
def test_managing_output_clipping_needs_a_bound_and_no_management(
    path: str, value: Any, said: str
) -> None:
    config = _with(*MANAGED, ("forward.out_res", -1), (path, value))
    text = _message(config)
    assert text.startswith("pre_post.input_range.manage_output_clipping is True, but forward.")
    assert said in text
    config.pre_post.input_range.enable = False
    check_torch_inference(config, bias=True)


@pytest.mark.parametrize("side", ["inp", "out"])
@pytest.mark.parametrize("bound", [0, 0.0, INF, -INF])
def test_rounding_needs_a_grid(side: str, bound: float) -> None:
    grid = (f"forward.{side}_bound", bound)
    for res in (1 / 126, 254):
        text = _message(_with(grid, (f"forward.{side}_res", res)))
        assert text.startswith(f"forward.{side}_bound is {bound}, but rounding")
    check_torch_inference(_with(grid, (f"forward.{side}_res", -1)), bias=False)
    check_torch_inference(_with(grid, ("forward.is_perfect", True)), bias=False)


@pytest.mark.parametrize("res", [0.0, -1])
def test_discretising_needs_a_resolution(res: float) -> None:
    kind = ("modifier.type", WeightModifierType.DISCRETIZE)
    assert _message(_with(kind, ("modifier.res", res))).startswith(f"modifier.res is {res}, but")
    check_torch_inference(_with(kind, ("modifier.res", 1 / 14)), bias=False)


@pytest.mark.parametrize("value", [-1.0, 0])
def test_clipping_to_a_value_that_is_not_positive_is_a_choice(value: float) -> None:
    config = _with(("clip.type", WeightClipType.FIXED_VALUE), ("clip.fixed_value", value))
    assert _message(config).startswith(f"clip.fixed_value is {value}, but")
    config.choices = Choices(fixed_clip_nonpositive="apply")
    check_torch_inference(config, bias=False)


def test_a_quantised_periphery_needs_another_tile() -> None:
    config = TorchInferenceRPUConfig(pre_post=PrePostProcessingParameterQuant())
    check_torch_inference(config, bias=True)
    config.pre_post = PrePostProcessingParameterQuant(
        periph_quant=PeripheryQuantizationParameter(n_bits=4)
    )
    assert _message(config).startswith("pre_post.periph_quant.n_bits is 4, but")


def test_quantised_outputs_need_another_tile() -> None:
    config = QuantizedTorchInferenceRPUConfig(act_quant_config=ActivationQuantConfig(n_bits=0))
    check_torch_inference(config, bias=True)
    config.act_quant_config = ActivationQuantConfig(n_bits=8)
    assert _message(config).startswith("act_quant_config.n_bits is 8, but")


@pytest.mark.parametrize("config", [CustomRPUConfig(), IOParameters(), None, {}])
def test_another_configuration_is_refused(config: object) -> None:
    text = _message(config)
    assert text == (
        f"config is {type(config).__name__!r}, but TorchInferenceTile takes a "
        "TorchInferenceRPUConfig."
    )


def test_a_deep_copy_shares_nothing_that_can_change() -> None:
    def made() -> rs.QuantizedTorchInferenceRPUConfig:
        return rs.QuantizedTorchInferenceRPUConfig(
            act_quant_config=rs.ActivationQuantConfig(n_bits=8)
        )

    config = made()
    twin = copy.deepcopy(config)
    assert twin == config
    assert repr(twin) == repr(config)
    twin.pre_post.input_range.decay = 0.5
    twin.modifier.coeffs.append(1.0)
    twin.act_quant_config.range_estimator_params.momentum = 0.5
    assert config == made()
    pair = copy.deepcopy([config, config])
    assert pair[0] is pair[1] is not config

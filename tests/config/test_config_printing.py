"""The printed form, against strings that aihwkit 1.1.0 printed for the same objects."""

from __future__ import annotations

import pytest

from refsim.config import (
    ActivationQuantConfig,
    AnalogMVType,
    BoundManagementType,
    Choices,
    CurrentMinMaxEstimatorParams,
    CustomRPUConfig,
    FloatingPointRPUConfig,
    InferenceRPUConfig,
    InputRangeParameter,
    IOParameters,
    MappingParameter,
    NoiseManagementType,
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
    WeightRemapParameter,
    WeightRemapType,
)

INF = float("inf")

RECORDED = [
    (InputRangeParameter(), "InputRangeParameter(enable=False)"),
    (InputRangeParameter(enable=True), "InputRangeParameter(enable=True)"),
    (InputRangeParameter(enable=True, init_value=3), "InputRangeParameter(enable=True)"),
    (
        InputRangeParameter(enable=True, init_value=2),
        "InputRangeParameter(enable=True, init_value=2)",
    ),
    (
        InputRangeParameter(enable=True, init_from_data=False),
        "InputRangeParameter(enable=True, init_from_data=False)",
    ),
    (
        InputRangeParameter(enable=True, init_from_data=0, decay=1e-05),
        "InputRangeParameter(enable=True, init_from_data=0, decay=1e-05)",
    ),
    (
        InputRangeParameter(enable=True, init_from_data=0, decay=0.1, gradient_scale=0.5),
        """InputRangeParameter(
    enable=True,
    init_from_data=0,
    decay=0.1,
    gradient_scale=0.5
)""",
    ),
    (
        InputRangeParameter(calibration_info="max"),
        "InputRangeParameter(enable=False, calibration_info=max)",
    ),
    (
        InputRangeParameter(calibration_info="two\nlines"),
        """InputRangeParameter(
    enable=False,
    calibration_info=two
    lines
)""",
    ),
    (
        InputRangeParameter(calibration_info=""),
        "InputRangeParameter(enable=False, calibration_info=)",
    ),
    (
        InputRangeParameter(learn_input_range=False, init_std_alpha=1e20),
        "InputRangeParameter(enable=False, learn_input_range=False, init_std_alpha=1e+20)",
    ),
    (
        PrePostProcessingParameter(),
        "PrePostProcessingParameter(input_range=InputRangeParameter(enable=False))",
    ),
    (
        PrePostProcessingParameter(
            input_range=InputRangeParameter(
                enable=True, init_from_data=0, decay=0.1, gradient_scale=0.5
            )
        ),
        """PrePostProcessingParameter(
    input_range=InputRangeParameter(
        enable=True,
        init_from_data=0,
        decay=0.1,
        gradient_scale=0.5
    )
)""",
    ),
    (
        PrePostProcessingParameterQuant(periph_quant=PeripheryQuantizationParameter(n_bits=8)),
        "PrePostProcessingParameterQuant(input_range=InputRangeParameter(enable=False), "
        "periph_quant=PeripheryQuantizationParameter(n_bits=8))",
    ),
    (
        PrePostProcessingParameterQuant(
            InputRangeParameter(True), PeripheryQuantizationParameter(8, False, True, 5)
        ),
        """PrePostProcessingParameterQuant(
    input_range=InputRangeParameter(enable=True),
    periph_quant=PeripheryQuantizationParameter(
        n_bits=8,
        symmetric=False,
        learn_quant_params=True,
        init_learning_after=5
    )
)""",
    ),
    (IOParameters(), "IOParameters()"),
    (IOParameters(is_perfect=True), "IOParameters(is_perfect=True)"),
    (IOParameters(is_perfect=True, inp_res=3, out_noise=0.5), "IOParameters(is_perfect=True)"),
    (IOParameters(inp_bound=INF, out_bound=-INF), "IOParameters(inp_bound=inf, out_bound=-inf)"),
    (IOParameters(inp_bound=1, out_bound=12, max_bm_factor=1000), "IOParameters()"),
    (
        IOParameters(
            inp_res=254,
            out_res=254,
            out_noise=0.04,
            noise_management=NoiseManagementType.NONE,
            bound_management=BoundManagementType.NONE,
        ),
        """IOParameters(
    inp_res=254,
    out_noise=0.04,
    out_res=254,
    bound_management=BoundManagementType.NONE,
    noise_management=NoiseManagementType.NONE
)""",
    ),
    (
        IOParameters(mv_type=AnalogMVType.BIT_WISE, inp_sto_round=True),
        "IOParameters(mv_type=AnalogMVType.BIT_WISE, inp_sto_round=True)",
    ),
    (IOParameters(out_noise=1e-300), "IOParameters(out_noise=1e-300)"),
    (
        MappingParameter(weight_scaling_omega=0.6, max_input_size=0, learn_out_scaling=True),
        "MappingParameter(weight_scaling_omega=0.6, learn_out_scaling=True, max_input_size=0)",
    ),
    (
        MappingParameter(True, 0.6, True, True),
        "MappingParameter(weight_scaling_omega=0.6, weight_scaling_columnwise=True, "
        "weight_scaling_lr_compensation=True)",
    ),
    (RuntimeParameter(), "RuntimeParameter()"),
    (
        RuntimeParameter(data_type=RPUDataType.DOUBLE),
        "RuntimeParameter(data_type=RPUDataType.DOUBLE)",
    ),
    (RuntimeParameter(offload_input=True), "RuntimeParameter(offload_input=True)"),
    (WeightModifierParameter(), "WeightModifierParameter(type=WeightModifierType.NONE)"),
    (
        WeightModifierParameter(type=WeightModifierType.ADD_NORMAL, std_dev=0.1),
        "WeightModifierParameter(std_dev=0.1, type=WeightModifierType.ADD_NORMAL)",
    ),
    (
        WeightModifierParameter(coeffs=[1.0, 2]),
        """WeightModifierParameter(
    coeffs=[
        1.0,
        2
    ],
    type=WeightModifierType.NONE
)""",
    ),
    (
        WeightModifierParameter(coeffs=[]),
        "WeightModifierParameter(coeffs=[], type=WeightModifierType.NONE)",
    ),
    (
        WeightModifierParameter(coeffs=[0.0105392, 0.0768, -0.046925]),
        "WeightModifierParameter(type=WeightModifierType.NONE)",
    ),
    (
        WeightModifierParameter(type=WeightModifierType.ADD_NORMAL, std_dev=1, res=0.5, pdrop=0.25),
        """WeightModifierParameter(
    std_dev=1,
    res=0.5,
    pdrop=0.25,
    type=WeightModifierType.ADD_NORMAL
)""",
    ),
    (WeightClipParameter(), "WeightClipParameter(type=WeightClipType.NONE)"),
    (WeightClipParameter(fixed_value=-1), "WeightClipParameter(type=WeightClipType.NONE)"),
    (
        WeightClipParameter(type=WeightClipType.LAYER_GAUSSIAN, sigma=2.0),
        "WeightClipParameter(sigma=2.0, type=WeightClipType.LAYER_GAUSSIAN)",
    ),
    (
        WeightClipParameter(fixed_value=0.5, sigma=2.0, type=WeightClipType.FIXED_VALUE),
        "WeightClipParameter(fixed_value=0.5, sigma=2.0, type=WeightClipType.FIXED_VALUE)",
    ),
    (
        WeightRemapParameter(type=WeightRemapType.CHANNELWISE_SYMMETRIC),
        "WeightRemapParameter(type=WeightRemapType.CHANNELWISE_SYMMETRIC)",
    ),
    (
        WeightRemapParameter(0.5, 1.0, 2.0, WeightRemapType.LAYERWISE_SYMMETRIC),
        """WeightRemapParameter(
    remapped_wmax=0.5,
    max_scale_range=1.0,
    max_scale_ref=2.0,
    type=WeightRemapType.LAYERWISE_SYMMETRIC
)""",
    ),
    (
        PrePostProcessingRPU(dict),
        "PrePostProcessingRPU(tile_class=<class 'dict'>, runtime=RuntimeParameter(), "
        "pre_post=PrePostProcessingParameter(input_range=InputRangeParameter(enable=False)))",
    ),
    (
        PrePostProcessingRPU(
            dict,
            RuntimeParameter(RPUDataType.DOUBLE),
            PrePostProcessingParameter(InputRangeParameter(True, False, 2.0, 0)),
        ),
        """PrePostProcessingRPU(
    tile_class=<class 'dict'>,
    runtime=RuntimeParameter(data_type=RPUDataType.DOUBLE),
    pre_post=PrePostProcessingParameter(
        input_range=InputRangeParameter(
            enable=True,
            learn_input_range=False,
            init_value=2.0,
            init_from_data=0
        )
    )
)""",
    ),
    (
        InputRangeParameter(calibration_info="a\n\n b\r\nc\n"),
        "InputRangeParameter(\n    enable=False,\n    calibration_info=a\n\n     b\r\n    c\n\n)",
    ),
    (
        InputRangeParameter(calibration_info="a\n"),
        "InputRangeParameter(\n    enable=False,\n    calibration_info=a\n\n)",
    ),
    (CurrentMinMaxEstimatorParams(), "CurrentMinMaxEstimatorParams(percentile=None)"),
    (RunningMinMaxEstimatorParams(), "RunningMinMaxEstimatorParams(momentum=0.9)"),
]


@pytest.mark.parametrize(("parameters", "text"), RECORDED)
def test_prints_what_aihwkit_prints(parameters: object, text: str) -> None:
    assert str(parameters) == text


COMMON = """{name}(
    runtime=RuntimeParameter(),
    pre_post=PrePostProcessingParameter(input_range=InputRangeParameter(enable=False)),
    mapping=MappingParameter(),
    forward=IOParameters(),
    backward=IOParameters(is_perfect=True),
    clip=WeightClipParameter(type=WeightClipType.NONE),
    remap=WeightRemapParameter(type=WeightRemapType.NONE),
    modifier=WeightModifierParameter(type=WeightModifierType.NONE)
)"""


@pytest.mark.parametrize("cls", [TorchInferenceRPUConfig, InferenceRPUConfig])
def test_default_inference_configuration(cls: type[InferenceRPUConfig]) -> None:
    """aihwkit prints the same and besides the fields that refsim does not have."""
    assert str(cls()) == COMMON.format(name=cls.__name__)


def test_default_quantised_configuration() -> None:
    plain = "PrePostProcessingParameter(input_range=InputRangeParameter(enable=False))"
    quantised = (
        "PrePostProcessingParameterQuant(input_range=InputRangeParameter(enable=False), "
        "periph_quant=PeripheryQuantizationParameter())"
    )
    expected = COMMON.format(name="QuantizedTorchInferenceRPUConfig").replace(plain, quantised)
    assert str(QuantizedTorchInferenceRPUConfig()) == expected


def test_default_floating_point_and_custom_configuration() -> None:
    assert (
        str(FloatingPointRPUConfig())
        == """FloatingPointRPUConfig(runtime=RuntimeParameter(), \
pre_post=PrePostProcessingParameter(input_range=InputRangeParameter(enable=False)), \
mapping=MappingParameter())"""
    )
    assert (
        str(CustomRPUConfig())
        == """CustomRPUConfig(
    runtime=RuntimeParameter(),
    pre_post=PrePostProcessingParameter(input_range=InputRangeParameter(enable=False)),
    mapping=MappingParameter(),
    forward=IOParameters(),
    backward=IOParameters()
)"""
    )


def test_changed_configuration() -> None:
    config = TorchInferenceRPUConfig(
        runtime=RuntimeParameter(data_type=RPUDataType.DOUBLE),
        pre_post=PrePostProcessingParameter(
            InputRangeParameter(enable=True, init_value=1.5, init_from_data=0, decay=0.25)
        ),
        mapping=MappingParameter(weight_scaling_omega=1),
        forward=IOParameters(out_noise=0.0, inp_res=-1),
        backward=IOParameters(),
        modifier=WeightModifierParameter(type=WeightModifierType.POLY, coeffs=[1.0, 2.0]),
    )
    assert (
        str(config)
        == """TorchInferenceRPUConfig(
    runtime=RuntimeParameter(data_type=RPUDataType.DOUBLE),
    pre_post=PrePostProcessingParameter(
        input_range=InputRangeParameter(
            enable=True,
            init_value=1.5,
            init_from_data=0,
            decay=0.25
        )
    ),
    mapping=MappingParameter(weight_scaling_omega=1),
    forward=IOParameters(inp_res=-1, out_noise=0.0),
    backward=IOParameters(),
    clip=WeightClipParameter(type=WeightClipType.NONE),
    remap=WeightRemapParameter(type=WeightRemapType.NONE),
    modifier=WeightModifierParameter(
        coeffs=[
            1.0,
            2.0
        ],
        type=WeightModifierType.POLY
    )
)"""
    )


def test_matmul_and_choices_print_only_when_they_differ() -> None:
    assert str(RuntimeParameter(matmul="fast")) == "RuntimeParameter(matmul=fast)"
    config = TorchInferenceRPUConfig(choices=Choices(percentile="lower_only"))
    assert "choices=Choices(percentile=lower_only)" in str(config)
    assert "choices" not in str(TorchInferenceRPUConfig())
    assert "matmul" not in str(TorchInferenceRPUConfig())
    assert len(str(Choices.aihwkit()).splitlines()) == 13


def test_output_quantiser_prints_its_arguments() -> None:
    quantiser = ActivationQuantConfig(8, range_estimator=RangeEstimators.MSE)
    assert (
        str(quantiser)
        == """ActivationQuantConfig(n_bits=8, range_estimator=RangeEstimators.MSE, \
range_estimator_params=MSEEstimatorParams(range_opt_method=OptMethod.golden_section, \
num_candidates=100, range_margin=0.5))"""
    )


def test_tile_class_prints_only_when_it_differs() -> None:
    assert "tile_class" not in str(
        TorchInferenceRPUConfig(tile_class="refsim.tile:TorchInferenceTile")
    )
    assert "tile_class=refsim.tile:CustomTile," in str(
        TorchInferenceRPUConfig(tile_class="refsim.tile:CustomTile")
    )


def test_repr_holds_every_field() -> None:
    text = repr(TorchInferenceRPUConfig())
    assert text.startswith("TorchInferenceRPUConfig(tile_class='refsim.tile:TorchInferenceTile', ")
    assert "max_bm_factor=1000" in text
    assert "choices=Choices(gradient_scale_applies='always'" in text
    assert repr(WeightClipParameter()) == (
        "WeightClipParameter(fixed_value=-1.0, sigma=2.5, type=<WeightClipType.NONE: 'None'>)"
    )

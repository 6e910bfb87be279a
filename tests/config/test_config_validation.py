"""What a field takes, what it refuses and what the refusal says."""

from __future__ import annotations

from dataclasses import fields
from enum import IntEnum
from typing import Any

import numpy as np
import pytest

from refsim.config import (
    ActivationQuantConfig,
    BoundManagementType,
    Choices,
    CrossEntropyEstimatorParams,
    CurrentMinMaxEstimatorParams,
    InferenceRPUConfig,
    InputRangeParameter,
    IOParameters,
    MappingParameter,
    MSEEstimatorParams,
    NoiseManagementType,
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
)
from refsim.errors import ConfigError, RefsimError

INF, NAN = float("inf"), float("nan")


class Level(IntEnum):
    ONE = 1


REFUSED: list[tuple[type[Parameters], str, Any]] = [
    # a wrong type
    (InputRangeParameter, "enable", 1),
    (InputRangeParameter, "enable", None),
    (InputRangeParameter, "enable", "yes"),
    (InputRangeParameter, "init_value", "3"),
    (InputRangeParameter, "init_value", True),
    (InputRangeParameter, "init_value", None),
    (InputRangeParameter, "init_value", 1j),
    (InputRangeParameter, "init_value", [1.0]),
    (InputRangeParameter, "init_value", np.array(1.0)),
    (InputRangeParameter, "init_value", np.bool_(True)),
    (InputRangeParameter, "init_value", Level.ONE),
    (InputRangeParameter, "init_from_data", True),
    (InputRangeParameter, "init_from_data", 1.0),
    (InputRangeParameter, "init_from_data", np.float32(1)),
    (InputRangeParameter, "calibration_info", 3),
    (InputRangeParameter, "calibration_info", "\ud800"),
    (PeripheryQuantizationParameter, "n_bits", 8.0),
    (PeripheryQuantizationParameter, "n_bits", True),
    (PeripheryQuantizationParameter, "n_bits", 2**63),
    (IOParameters, "inp_bound", 10**400),
    (IOParameters, "bound_management", "None"),
    (IOParameters, "bound_management", NoiseManagementType.NONE),
    (IOParameters, "bound_management", None),
    (IOParameters, "max_bm_factor", 1000.0),
    (WeightModifierParameter, "coeffs", 1.0),
    (WeightModifierParameter, "coeffs", ["1"]),
    (WeightModifierParameter, "coeffs", [NAN]),
    (WeightModifierParameter, "coeffs", "123"),
    (RuntimeParameter, "data_type", RPUDataType.HALF),
    (RuntimeParameter, "data_type", "float"),
    (RuntimeParameter, "matmul", "quick"),
    (RuntimeParameter, "matmul", None),
    (PrePostProcessingParameter, "input_range", PeripheryQuantizationParameter()),
    (PrePostProcessingParameter, "input_range", {"enable": True}),
    (PrePostProcessingParameter, "input_range", InputRangeParameter),
    (TorchInferenceRPUConfig, "forward", None),
    (TorchInferenceRPUConfig, "forward", MappingParameter()),
    (TorchInferenceRPUConfig, "choices", "aihwkit"),
    (TorchInferenceRPUConfig, "tile_class", None),
    (TorchInferenceRPUConfig, "tile_class", "refsim.tile:TorchInferenceTyle"),
    (TorchInferenceRPUConfig, "tile_class", "TorchInferenceTile"),
    (TorchInferenceRPUConfig, "tile_class", "os:system"),
    (QuantizedTorchInferenceRPUConfig, "pre_post", PrePostProcessingParameter()),
    (QuantizedTorchInferenceRPUConfig, "act_quant_config", 8),
    # NaN, and infinities but for the bounds
    *[
        (InputRangeParameter, name, value)
        for name in ("init_value", "init_std_alpha", "decay", "gradient_scale")
        for value in (NAN, INF, -INF)
    ],
    (IOParameters, "inp_bound", NAN),
    (IOParameters, "out_bound", np.float32(NAN)),
    (IOParameters, "inp_res", INF),
    (IOParameters, "out_noise", INF),
    (IOParameters, "out_scale", -INF),
    # out of range
    (InputRangeParameter, "input_min_percentage", 95),
    (InputRangeParameter, "input_min_percentage", -0.1),
    (InputRangeParameter, "output_min_percentage", 1.0000000000000002),
    (WeightModifierParameter, "pdrop", 1.5),
    (WeightModifierParameter, "pcm_prob_at_reset", 2),
    (WeightModifierParameter, "pcm_prob_at_gmax", 2),
    (WeightModifierParameter, "pcm_prob_at_random", -1),
    (WeightModifierParameter, "std_dev", -0.1),
    (WeightModifierParameter, "assumed_wmax", 0),
    (WeightModifierParameter, "dorefa_clip", 0),
    (WeightModifierParameter, "g_max", 0.0),
    (WeightModifierParameter, "pcm_zero_thres", -1),
    (WeightModifierParameter, "pcm_t_inference", -1),
    (WeightModifierParameter, "pcm_t0", 0),
    (WeightClipParameter, "sigma", 0.0),
    (WeightClipParameter, "sigma", -1),
    (IOParameters, "inp_noise", -1e-300),
    (IOParameters, "out_noise", -1),
    (IOParameters, "out_noise_std", -1),
    (IOParameters, "w_noise", -1),
    (IOParameters, "ir_drop", -1),
    (IOParameters, "out_nonlinearity_std", -1),
    (IOParameters, "v_offset_std", -1),
    (IOParameters, "w_read_asymmetry_dtod", -1),
    (IOParameters, "max_bm_factor", -1),
    (IOParameters, "max_bm_res", -0.25),
    (CurrentMinMaxEstimatorParams, "percentile", 100.5),
    (CurrentMinMaxEstimatorParams, "percentile", -1),
    (RunningMinMaxEstimatorParams, "momentum", 1.5),
    (MSEEstimatorParams, "num_candidates", 0),
    (MSEEstimatorParams, "range_opt_method", "grid"),
    (ActivationQuantConfig, "range_estimator", "MSE"),
    (ActivationQuantConfig, "range_estimator_params", MSEEstimatorParams()),
    *[(Choices, item.name, "sometimes") for item in fields(Choices)],
]

TAKEN: list[tuple[type[Parameters], str, Any, Any]] = [
    (InputRangeParameter, "init_value", 3, 3),
    (InputRangeParameter, "init_value", -2.0, -2.0),
    (InputRangeParameter, "init_value", 0, 0),
    (InputRangeParameter, "init_value", 10**20, 10**20),
    (InputRangeParameter, "init_value", np.float32(0.1), float(np.float32(0.1))),
    (InputRangeParameter, "init_value", np.float64(0.1), 0.1),
    (InputRangeParameter, "init_value", np.int8(3), 3),
    (InputRangeParameter, "init_from_data", False, False),
    (InputRangeParameter, "init_from_data", np.False_, False),
    (InputRangeParameter, "init_from_data", -1, -1),
    (InputRangeParameter, "init_from_data", np.uint64(5), 5),
    (InputRangeParameter, "enable", np.True_, True),
    (InputRangeParameter, "decay", -1.0, -1.0),
    (InputRangeParameter, "input_min_percentage", 0, 0),
    (InputRangeParameter, "output_min_percentage", 1, 1),
    (InputRangeParameter, "calibration_info", "max", "max"),
    (InputRangeParameter, "calibration_info", None, None),
    (PeripheryQuantizationParameter, "n_bits", -8, -8),
    (IOParameters, "inp_bound", INF, INF),
    (IOParameters, "inp_bound", -1, -1),
    (IOParameters, "out_bound", -INF, -INF),
    (IOParameters, "out_bound", np.float16(INF), INF),
    (IOParameters, "inp_res", -1, -1),
    (IOParameters, "inp_res", 254, 254),
    (IOParameters, "max_bm_factor", 1, 1),
    (IOParameters, "inp_asymmetry", -0.5, -0.5),
    (WeightModifierParameter, "coeffs", (1, np.float64(2.5)), [1, 2.5]),
    (WeightModifierParameter, "coeffs", [], []),
    (WeightClipParameter, "fixed_value", -1, -1),
    (CurrentMinMaxEstimatorParams, "percentile", 100, 100),
    (MappingParameter, "weight_scaling_omega", -1.0, -1.0),
    (MappingParameter, "max_input_size", 0, 0),
    (Choices, "percentile", np.str_("lower_only"), "lower_only"),
]


@pytest.mark.parametrize(("cls", "name", "value"), REFUSED)
def test_refused_at_construction_and_assignment(
    cls: type[Parameters], name: str, value: Any
) -> None:
    message = rf"^{cls.__name__}\.{name} is .*, but (it must be|RangeEstimators\.).+\.$"
    with pytest.raises(ConfigError, match=message) as caught:
        cls(**{name: value})
    assert "\n" not in str(caught.value)
    parameters = cls()
    before = str(parameters)
    with pytest.raises(ConfigError, match=message):
        setattr(parameters, name, value)
    assert str(parameters) == before


@pytest.mark.parametrize(("cls", "name", "value", "stored"), TAKEN)
def test_taken_at_construction_and_assignment(
    cls: type[Parameters], name: str, value: Any, stored: Any
) -> None:
    assigned = cls()
    setattr(assigned, name, value)
    for parameters in (cls(**{name: value}), assigned):
        found = getattr(parameters, name)
        assert (type(found), found) == (type(stored), stored)


def test_messages_say_what_is_allowed() -> None:
    def message(cls: type[Parameters], **values: Any) -> str:
        with pytest.raises(ConfigError) as caught:
            cls(**values)
        return str(caught.value)

    assert message(IOParameters, bound_management="None") == (
        "IOParameters.bound_management is 'None', but it must be one of BoundManagementType.NONE, "
        "BoundManagementType.ITERATIVE, BoundManagementType.ITERATIVE_WORST_CASE, "
        "BoundManagementType.SHIFT."
    )
    assert message(RuntimeParameter, data_type=RPUDataType.HALF) == (
        "RuntimeParameter.data_type is RPUDataType.HALF, but it must be one of RPUDataType.FLOAT, "
        "RPUDataType.DOUBLE."
    )
    assert message(InputRangeParameter, init_from_data=True) == (
        "InputRangeParameter.init_from_data is True, but it must be a 64-bit integer or False."
    )
    assert message(CurrentMinMaxEstimatorParams, percentile=101) == (
        "CurrentMinMaxEstimatorParams.percentile is 101, but it must be a number in [0, 100] or "
        "None."
    )
    assert message(WeightClipParameter, sigma=0) == (
        "WeightClipParameter.sigma is 0, but it must be a number in (0, inf)."
    )
    assert message(WeightModifierParameter, coeffs=1) == (
        "WeightModifierParameter.coeffs is 1, but it must be a list whose items are each a finite "
        "number."
    )
    assert message(Choices, percentile="both") == (
        "Choices.percentile is 'both', but it must be one of 'two_sided', 'lower_only'."
    )
    assert message(TorchInferenceRPUConfig, forward=3) == (
        "TorchInferenceRPUConfig.forward is 3, but it must be an object of class IOParameters."
    )
    assert message(PeripheryQuantizationParameter, n_bits=10**5000) == (
        "PeripheryQuantizationParameter.n_bits is an int beyond 64 bits, but it must be a 64-bit "
        "integer."
    )
    assert len(message(IOParameters, inp_res=np.zeros(1000))) < 200


def test_config_error_is_a_value_error_of_refsim() -> None:
    with pytest.raises(RefsimError):
        IOParameters(inp_res="fine")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="inp_res"):
        IOParameters(inp_res="fine")  # type: ignore[arg-type]


def test_unknown_field_names_the_nearest_one() -> None:
    message = r"^IOParameters\.inp_rez is not a field; did you mean inp_res\?$"
    with pytest.raises(ConfigError, match=message):
        IOParameters(inp_rez=254)  # type: ignore[call-arg]
    parameters = IOParameters()
    with pytest.raises(ConfigError, match=message):
        parameters.inp_rez = 254
    assert not hasattr(parameters, "inp_rez")
    with pytest.raises(
        ConfigError, match=r"^PrePostProcessingParameter\.zzz is not a field; it has"
    ):
        PrePostProcessingParameter(zzz=1)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("update", "pulsed update"),
        ("noise_model", "programming noise"),
        ("drift_compensation", "drift"),
        ("device", "devices"),
        ("tile_array_class", "arrays"),
        ("simulator_tile_class", "backend"),
    ],
)
def test_fields_of_aihwkit_that_refsim_does_not_model(name: str, reason: str) -> None:
    message = rf"^\w+\.{name} is not a field; .*{reason}.*\.$"
    classes: list[Any] = [TorchInferenceRPUConfig, InferenceRPUConfig]
    for cls in classes:
        with pytest.raises(ConfigError, match=message):
            cls(**{name: None})
        with pytest.raises(ConfigError, match=message):
            setattr(cls(), name, None)


def test_a_field_cannot_be_deleted() -> None:
    config = TorchInferenceRPUConfig()
    with pytest.raises(ConfigError, match=r"TorchInferenceRPUConfig\.forward cannot be deleted"):
        del config.forward


def test_a_nested_object_checks_itself() -> None:
    config = TorchInferenceRPUConfig()
    with pytest.raises(ConfigError, match=r"^InputRangeParameter\.decay"):
        config.pre_post.input_range.decay = "slow"  # type: ignore[assignment]
    config.pre_post.input_range.decay = 0.5
    assert config.pre_post.input_range.decay == 0.5


def test_a_list_is_copied() -> None:
    coefficients = [1.0]
    modifier = WeightModifierParameter(coeffs=coefficients)
    coefficients.append(2.0)
    assert modifier.coeffs == [1.0]


def test_a_subclass_is_an_instance_of_its_base() -> None:
    pre_post = PrePostProcessingParameterQuant()
    assert TorchInferenceRPUConfig(pre_post=pre_post).pre_post is pre_post


def test_positional_arguments_follow_the_declaration() -> None:
    assert InputRangeParameter(True, False, 2.0, 0) == InputRangeParameter(
        enable=True, learn_input_range=False, init_value=2.0, init_from_data=0
    )
    runtime, pre_post = RuntimeParameter(RPUDataType.DOUBLE), PrePostProcessingParameter()
    rpu = PrePostProcessingRPU(dict, runtime, pre_post)
    assert (rpu.tile_class, rpu.runtime, rpu.pre_post) == (dict, runtime, pre_post)


def test_comparison_leaves_out_the_runtime() -> None:
    double = RuntimeParameter(data_type=RPUDataType.DOUBLE)
    assert double != RuntimeParameter()
    assert TorchInferenceRPUConfig(runtime=double) == TorchInferenceRPUConfig()
    assert TorchInferenceRPUConfig() != InferenceRPUConfig()
    assert TorchInferenceRPUConfig() != TorchInferenceRPUConfig(choices=Choices.aihwkit())
    assert TorchInferenceRPUConfig() != TorchInferenceRPUConfig(tile_class=dict)
    assert IOParameters(inp_bound=1) == IOParameters()
    assert IOParameters(bound_management=BoundManagementType.NONE) != IOParameters()
    with pytest.raises(TypeError, match="unhashable"):
        hash(TorchInferenceRPUConfig())


def test_assigning_an_estimator_resets_its_parameters() -> None:
    quantiser = ActivationQuantConfig(n_bits=8)
    expected = {
        RangeEstimators.current_minmax: CurrentMinMaxEstimatorParams(),
        RangeEstimators.allminmax: None,
        RangeEstimators.running_minmax: RunningMinMaxEstimatorParams(),
        RangeEstimators.MSE: MSEEstimatorParams(),
        RangeEstimators.cross_entropy: CrossEntropyEstimatorParams(),
    }
    for estimator, parameters in expected.items():
        quantiser.range_estimator = estimator
        assert quantiser.range_estimator_params == parameters
        assert ActivationQuantConfig(range_estimator=estimator) == ActivationQuantConfig(
            0, True, estimator, parameters
        )


def test_estimator_parameters_must_belong_to_the_estimator() -> None:
    mse = ActivationQuantConfig(
        range_estimator=RangeEstimators.MSE,
        range_estimator_params=CrossEntropyEstimatorParams(num_candidates=5),
    )
    assert mse.range_estimator_params == CrossEntropyEstimatorParams(num_candidates=5)
    mse.range_estimator_params = None
    assert mse.range_estimator_params == MSEEstimatorParams()
    cases: list[tuple[RangeEstimators, Any, str]] = [
        (RangeEstimators.MSE, CurrentMinMaxEstimatorParams(), "MSEEstimatorParams"),
        (RangeEstimators.cross_entropy, MSEEstimatorParams(), "CrossEntropyEstimatorParams"),
        (RangeEstimators.allminmax, RunningMinMaxEstimatorParams(), "None"),
    ]
    for estimator, value, takes in cases:
        with pytest.raises(ConfigError, match=rf"but {estimator} takes {takes}\.$"):
            ActivationQuantConfig(range_estimator=estimator, range_estimator_params=value)


def test_type_of_clip_accepts_members_only() -> None:
    assert WeightClipParameter(type=WeightClipType.FIXED_VALUE).type is WeightClipType.FIXED_VALUE
    with pytest.raises(ConfigError, match=r"WeightClipParameter\.type"):
        WeightClipParameter(type=BoundManagementType.NONE)  # type: ignore[arg-type]

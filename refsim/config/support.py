"""What the tiles of the autograd path cannot honour, refused rather than ignored."""

from __future__ import annotations

from collections.abc import Iterator
from math import isinf
from operator import attrgetter
from typing import Any, Final

from refsim.config.checks import shown
from refsim.config.enums import (
    AnalogMVType,
    BoundManagementType,
    NoiseManagementType,
    WeightClipType,
    WeightModifierType,
    WeightNoiseType,
)
from refsim.config.output_clipping import output_clipping_conflicts
from refsim.config.pre_post import PrePostProcessingParameterQuant
from refsim.config.rpu import InferenceRPUConfig, QuantizedTorchInferenceRPUConfig
from refsim.errors import ConfigError

__all__ = ["check_quantised_inference", "check_torch_inference"]

_HONOURED: Final[dict[str, tuple[Any, ...]]] = {
    "runtime.on_the_fly_bindings": (False,),
    "runtime.offload_input": (False,),
    "runtime.offload_gradient": (False,),
    "forward.mv_type": (AnalogMVType.ONE_PASS,),
    "forward.bound_management": (
        BoundManagementType.NONE,
        BoundManagementType.ITERATIVE,
        BoundManagementType.ITERATIVE_WORST_CASE,
    ),
    "forward.noise_management": (
        NoiseManagementType.NONE,
        NoiseManagementType.ABS_MAX,
        NoiseManagementType.MAX,
        NoiseManagementType.CONSTANT,
    ),
    "forward.w_noise": (0,),
    "forward.w_noise_type": (WeightNoiseType.NONE,),
    "forward.ir_drop": (0,),
    "forward.out_nonlinearity": (0,),
    "forward.out_nonlinearity_std": (0,),
    "forward.slope_calibration": (0,),
    "forward.v_offset_std": (0,),
    "forward.r_series": (0,),
    "forward.w_read_asymmetry_dtod": (0,),
    "backward.is_perfect": (True,),
    "clip.type": (
        WeightClipType.NONE,
        WeightClipType.FIXED_VALUE,
        WeightClipType.LAYER_GAUSSIAN,
    ),
    "modifier.type": (
        WeightModifierType.NONE,
        WeightModifierType.DISCRETIZE,
        WeightModifierType.MULT_NORMAL,
        WeightModifierType.ADD_NORMAL,
        WeightModifierType.COPY,
    ),
    "modifier.enable_during_test": (False,),
    "modifier.copy_last_column": (False,),
    "modifier.pdrop": (0,),
    "remap.remapped_wmax": (1,),
    "remap.max_scale_range": (0,),
    "remap.max_scale_ref": (0,),
}
"""Each field that the tile honours for some values only, and these values."""

MOST_BITS: Final = 24
"""Most bits of a quantiser: its codes are float32 numbers."""
_READ: Final = {path: attrgetter(path) for path in _HONOURED}


def check_torch_inference(config: Any, bias: bool) -> None:
    """Refuse a configuration that a `TorchInferenceTile` cannot honour.

    Parameters
    ----------
    config
        The configuration of the tile, an `InferenceRPUConfig` or a subclass.
    bias
        Whether the tile has a bias.

    Raises
    ------
    ConfigError
        On the first field that asks for what the tile does not do.

    Notes
    -----
    What aihwkit refuses at the creation of its torch tile is refused here, with a perfect forward
    pass as well. Refused too is what it accepts and then ignores or fails on later.

    Examples
    --------
    >>> from refsim.config import IOParameters, TorchInferenceRPUConfig
    >>> check_torch_inference(TorchInferenceRPUConfig(), bias=True)
    >>> check_torch_inference(TorchInferenceRPUConfig(forward=IOParameters(ir_drop=1.0)), bias=True)
    Traceback (most recent call last):
        ...
    refsim.errors.ConfigError: forward.ir_drop is 1.0, but TorchInferenceTile supports only 0.
    """
    _check(config, bias, "TorchInferenceTile")
    for problem in _quantised(config):
        raise ConfigError(problem)


def check_quantised_inference(config: Any, bias: bool) -> None:
    """Refuse a configuration that a `QuantizedTorchInferenceTile` cannot honour.

    Parameters and errors as for :func:`check_torch_inference`; quantisers are honoured here.

    Examples
    --------
    >>> from refsim.config import PeripheryQuantizationParameter
    >>> learned = PeripheryQuantizationParameter(
    ...     n_bits=8, learn_quant_params=True, init_learning_after=0)
    >>> config = QuantizedTorchInferenceRPUConfig(
    ...     pre_post=PrePostProcessingParameterQuant(periph_quant=learned))
    >>> check_quantised_inference(config, bias=True)
    Traceback (most recent call last):
        ...
    refsim.errors.ConfigError: pre_post.periph_quant.init_learning_after is 0, but it must be at
    least 1 to learn from an estimate.
    """
    if not isinstance(config, QuantizedTorchInferenceRPUConfig):
        raise ConfigError(
            f"config is {shown(type(config).__name__)}, but QuantizedTorchInferenceTile takes a "
            "QuantizedTorchInferenceRPUConfig."
        )
    _check(config, bias, "QuantizedTorchInferenceTile")
    for problem in _quantisers(config):
        raise ConfigError(problem)


def _check(config: Any, bias: bool, tile: str) -> None:
    if not isinstance(config, InferenceRPUConfig):
        raise ConfigError(
            f"config is {shown(type(config).__name__)}, but TorchInferenceTile takes a "
            "TorchInferenceRPUConfig."
        )
    for path, values in _HONOURED.items():
        value = _READ[path](config)
        if value not in values:
            allowed = " or ".join(shown(item) for item in values)
            raise ConfigError(f"{path} is {shown(value)}, but {tile} supports only {allowed}.")
    for problem in _conflicts(config, bias, tile):
        raise ConfigError(problem)


def _conflicts(config: InferenceRPUConfig, bias: bool, tile: str) -> Iterator[str]:
    """The sentences for fields that are refused depending on others."""
    if bias and not config.mapping.digital_bias:
        yield f"mapping.digital_bias is False, but {tile} has only a digital bias."
    input_range = config.pre_post.input_range
    refused = config.choices.output_clipping_on_autograd_path == "refused"
    if input_range.enable and input_range.manage_output_clipping and refused:
        path = "pre_post.input_range.manage_output_clipping"
        yield f"{path} is True, which choices.output_clipping_on_autograd_path='refused' forbids."
    yield from output_clipping_conflicts(config)
    yield from _forward(config, tile)
    yield from _weights(config)


def _quantised(config: InferenceRPUConfig) -> Iterator[str]:
    takes = "but only QuantizedTorchInferenceTile quantises"
    if isinstance(config.pre_post, PrePostProcessingParameterQuant):
        n_bits = config.pre_post.periph_quant.n_bits
        if n_bits > 0:
            yield f"pre_post.periph_quant.n_bits is {n_bits}, {takes} its periphery."
    if isinstance(config, QuantizedTorchInferenceRPUConfig):
        quantiser = config.act_quant_config
        if quantiser is not None and quantiser.n_bits > 0:
            yield f"act_quant_config.n_bits is {quantiser.n_bits}, {takes} its outputs."


def _quantisers(config: QuantizedTorchInferenceRPUConfig) -> Iterator[str]:
    p, output = config.pre_post.periph_quant, config.act_quant_config
    given = {"pre_post.periph_quant": p.n_bits, "act_quant_config": output.n_bits if output else 0}
    for path, n_bits in given.items():
        if n_bits > MOST_BITS:
            yield (
                f"{path}.n_bits is {n_bits}, but at most {MOST_BITS} are allowed, whose codes "
                "float32 holds exactly."
            )
    if p.n_bits > 0 and p.learn_quant_params and p.init_learning_after < 1:
        yield (
            f"pre_post.periph_quant.init_learning_after is {p.init_learning_after}, but it must be "
            "at least 1 to learn from an estimate."
        )


def _forward(config: InferenceRPUConfig, tile: str) -> Iterator[str]:
    forward = config.forward
    if forward.v_offset_w_min > 0:
        yield (
            f"forward.v_offset_w_min is {forward.v_offset_w_min}, but {tile} supports "
            "only 0 or a negative number."
        )
    converters = {"inp": (forward.inp_res, forward.inp_bound)}
    converters["out"] = (forward.out_res, forward.out_bound)
    for side, (res, bound) in converters.items():
        if not forward.is_perfect and res > 0 and (bound == 0 or isinf(bound)):
            yield (
                f"forward.{side}_bound is {bound}, but rounding (forward.{side}_res is {res}) "
                "needs a finite bound other than 0."
            )


def _weights(config: InferenceRPUConfig) -> Iterator[str]:
    modifier, clip = config.modifier, config.clip
    if modifier.type is WeightModifierType.DISCRETIZE and modifier.res <= 0:
        yield (
            f"modifier.res is {modifier.res}, but WeightModifierType.DISCRETIZE needs a resolution "
            "above 0."
        )
    refuses = config.choices.fixed_clip_nonpositive == "error"
    if clip.type is WeightClipType.FIXED_VALUE and clip.fixed_value <= 0 and refuses:
        yield (
            f"clip.fixed_value is {clip.fixed_value}, but WeightClipType.FIXED_VALUE needs a value "
            "above 0."
        )

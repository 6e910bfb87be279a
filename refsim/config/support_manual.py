"""What the tiles of the manual path cannot honour, refused rather than ignored."""

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
from refsim.config.rpu import CustomRPUConfig, FloatingPointRPUConfig, InferenceRPUConfig
from refsim.errors import ConfigError

__all__ = ["check_custom", "check_floating_point", "check_inference"]

Honoured = dict[str, tuple[Any, ...]]
_RUNTIME: Final[Honoured] = {
    "runtime.on_the_fly_bindings": (False,),
    "runtime.offload_input": (False,),
    "runtime.offload_gradient": (False,),
}
_IO: Final[Honoured] = {
    "mv_type": (AnalogMVType.ONE_PASS,),
    "bound_management": (
        BoundManagementType.NONE,
        BoundManagementType.ITERATIVE,
        BoundManagementType.ITERATIVE_WORST_CASE,
    ),
    "w_noise": (0,),
    "w_noise_type": (WeightNoiseType.NONE,),
    "ir_drop": (0,),
    "out_nonlinearity": (0,),
    "out_nonlinearity_std": (0,),
    "slope_calibration": (0,),
    "v_offset_std": (0,),
    "r_series": (0,),
    "w_read_asymmetry_dtod": (0,),
}
_TORCH_CORE: Final[Honoured] = {
    "noise_management": (
        NoiseManagementType.NONE,
        NoiseManagementType.ABS_MAX,
        NoiseManagementType.MAX,
        NoiseManagementType.CONSTANT,
    ),
}
_WEIGHTS: Final[Honoured] = {
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
PASSES: Final = ("forward", "backward")


def check_inference(config: Any, bias: bool) -> None:
    """Refuse a configuration that an `InferenceTile` cannot honour.

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

    Examples
    --------
    >>> from refsim.config import IOParameters
    >>> check_inference(InferenceRPUConfig(), bias=True)
    >>> check_inference(InferenceRPUConfig(forward=IOParameters(inp_bound=0.5)), bias=True)
    Traceback (most recent call last):
        ...
    refsim.errors.ConfigError: forward.inp_bound is 0.5, but InferenceTile supports only 1 with noise
    management.
    """
    tile = "InferenceTile"
    _of_class(config, InferenceRPUConfig, tile)
    _honours(config, tile, _RUNTIME | _of_passes(_IO) | _WEIGHTS)
    _refuse(
        *_conflicts(config, bias, tile),
        *_row_management(config),
        *_passes(config, compiled=True),
        *_weights(config),
    )


def check_custom(config: Any, bias: bool) -> None:
    """Refuse a configuration that a `CustomTile` cannot honour.

    Parameters
    ----------
    config
        The configuration of the tile, a `CustomRPUConfig`.
    bias
        Whether the tile has a bias.

    Raises
    ------
    ConfigError
        On the first field that asks for what the tile does not do.

    Examples
    --------
    >>> from refsim.config import IOParameters
    >>> check_custom(CustomRPUConfig(), bias=True)
    >>> check_custom(CustomRPUConfig(forward=IOParameters(ir_drop=1.0)), bias=True)
    Traceback (most recent call last):
        ...
    refsim.errors.ConfigError: forward.ir_drop is 1.0, but CustomTile supports only 0.
    """
    tile = "CustomTile"
    _of_class(config, CustomRPUConfig, tile)
    _honours(config, tile, _RUNTIME | _of_passes(_IO | _TORCH_CORE))
    _refuse(*_conflicts(config, bias, tile), *_passes(config, compiled=False))


def check_floating_point(config: Any, bias: bool) -> None:
    """Refuse a configuration that a `FloatingPointTile` cannot honour.

    Parameters
    ----------
    config
        The configuration of the tile, a `FloatingPointRPUConfig`.
    bias
        Whether the tile has a bias.

    Raises
    ------
    ConfigError
        On the first field that asks for what the tile does not do.

    Examples
    --------
    >>> check_floating_point(FloatingPointRPUConfig(), bias=True)
    """
    tile = "FloatingPointTile"
    _of_class(config, FloatingPointRPUConfig, tile)
    _honours(config, tile, _RUNTIME)
    _refuse(*_conflicts(config, bias, tile))


def _of_class(config: Any, allowed: type, tile: str) -> None:
    if not isinstance(config, allowed):
        name = shown(type(config).__name__)
        raise ConfigError(f"config is {name}, but {tile} takes a {allowed.__name__}.")


def _of_passes(table: Honoured) -> Honoured:
    return {f"{way}.{name}": values for way in PASSES for name, values in table.items()}


def _honours(config: Any, tile: str, table: Honoured) -> None:
    for path, values in table.items():
        value = attrgetter(path)(config)
        if value not in values:
            allowed = " or ".join(shown(item) for item in values)
            raise ConfigError(f"{path} is {shown(value)}, but {tile} supports only {allowed}.")


def _refuse(*problems: str) -> None:
    for problem in problems:
        raise ConfigError(problem)


def _conflicts(config: Any, bias: bool, tile: str) -> Iterator[str]:
    if bias and not config.mapping.digital_bias:
        yield f"mapping.digital_bias is False, but {tile} has only a digital bias."
    if isinstance(config.pre_post, PrePostProcessingParameterQuant):
        n_bits = config.pre_post.periph_quant.n_bits
        if n_bits > 0:
            yield (
                f"pre_post.periph_quant.n_bits is {n_bits}, but only QuantizedTorchInferenceTile "
                "quantises its periphery."
            )
    quantiser = getattr(config, "act_quant_config", None)
    if quantiser is not None and quantiser.n_bits > 0:
        yield (
            f"act_quant_config.n_bits is {quantiser.n_bits}, but only QuantizedTorchInferenceTile "
            "quantises its outputs."
        )
    yield from output_clipping_conflicts(config)


def _passes(config: Any, compiled: bool) -> Iterator[str]:
    """A grid needs a finite bound (the compiled core rounds no outputs without one)."""
    for way in PASSES:
        io = getattr(config, way)
        if io.v_offset_w_min > 0:
            yield (
                f"{way}.v_offset_w_min is {io.v_offset_w_min}, allowed are 0 and negative numbers."
            )
        if io.is_perfect:
            continue
        for side, res, bound in (
            ("inp", io.inp_res, io.inp_bound),
            ("out", io.out_res, io.out_bound),
        ):
            unrounded = compiled and side == "out" and bound <= 0
            if res > 0 and (bound == 0 or isinf(bound)) and not unrounded:
                yield (
                    f"{way}.{side}_bound is {bound}, but rounding ({way}.{side}_res is {res}) "
                    "needs a finite bound other than 0."
                )


def _row_management(config: Any) -> Iterator[str]:
    """The compiled core manages noise only for inputs between -1 and 1."""
    for way in PASSES:
        io = getattr(config, way)
        managed = io.noise_management is not NoiseManagementType.NONE
        if managed and not io.is_perfect and io.inp_bound != 1:
            yield (
                f"{way}.inp_bound is {io.inp_bound}, but InferenceTile supports only 1 with noise "
                "management."
            )


def _weights(config: Any) -> Iterator[str]:
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

"""The configurations of whole tiles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, ClassVar, Self

from refsim.config.base import Parameters
from refsim.config.choices import Choices
from refsim.config.io import IOParameters
from refsim.config.mapping import MappingParameter
from refsim.config.pre_post import PrePostProcessingParameter, PrePostProcessingParameterQuant
from refsim.config.printing import hidden
from refsim.config.quantisation import ActivationQuantConfig
from refsim.config.runtime import RuntimeParameter
from refsim.config.tile_class import TileClass, tile_name
from refsim.config.weights import (
    WeightClipParameter,
    WeightModifierParameter,
    WeightRemapParameter,
)

__all__ = [
    "CustomRPUConfig",
    "FloatingPointRPUConfig",
    "InferenceRPUConfig",
    "MappableRPU",
    "PrePostProcessingRPU",
    "QuantizedTorchInferenceRPUConfig",
    "TorchInferenceRPUConfig",
]


def _perfect() -> IOParameters:
    return IOParameters(is_perfect=True)


@dataclass(eq=False, repr=False)
class PrePostProcessingRPU(Parameters):
    """What every configuration has: the tile it makes, its runtime, its digital processing.

    Parameters
    ----------
    tile_class
        The class of the tile, required here; a refsim tile may be named as ``"refsim.tile:NAME"``.
    runtime
        Data type and matrix product; left out of the comparison of configurations.
    pre_post
        The digital processing around the crossbar.

    Raises
    ------
    ConfigError
        If a field is unknown or a value is not allowed.
    TypeError
        If `tile_class` is missing.

    Examples
    --------
    >>> rpu = PrePostProcessingRPU("refsim.tile:TorchInferenceTile")
    >>> rpu.compatible_with("TorchInferenceTile")
    True
    """

    absent: ClassVar[Mapping[str, str]] = {
        "update": "refsim does not model the pulsed update of aihwkit",
        "noise_model": "refsim does not model the programming noise of aihwkit",
        "drift_compensation": "refsim does not model drift",
        "device": "refsim does not model the devices of aihwkit",
        "tile_array_class": "refsim arrays are made directly, not through a configuration",
        "simulator_tile_class": "a refsim tile chooses what computes by its backend",
    }

    tile_class: TileClass = TileClass()  # noqa: RUF009 - a descriptor, shared on purpose
    runtime: RuntimeParameter = field(default_factory=RuntimeParameter, compare=False)
    pre_post: PrePostProcessingParameter = field(default_factory=PrePostProcessingParameter)

    def create_tile(
        self,
        out_size: int,
        in_size: int,
        bias: bool = False,
        seed: int = 0,
        backend: str = "cpu",
        name: str | None = None,
        **settings: Any,
    ) -> Any:
        """Make a tile of `tile_class` with this configuration.

        Parameters
        ----------
        out_size, in_size
            The number of outputs and inputs.
        bias
            Whether the tile has a bias.
        seed
            The seed of its random numbers.
        backend
            ``"spec"``, ``"cpu"`` or ``"cuda"``.
        name
            A name for messages.
        **settings
            Further arguments of a tile class of your own.

        Returns
        -------
        object
            The tile.

        Raises
        ------
        ConfigError
            If the tile is not part of this version of refsim, or cannot honour the configuration.
        """
        return self.tile_class(
            out_size,
            in_size,
            config=self,
            bias=bias,
            seed=seed,
            backend=backend,
            name=name,
            **settings,
        )

    def as_bindings(self) -> Self:
        """Return the configuration itself: refsim has no bindings to translate it for."""
        return self

    def compatible_with(self, tile_class_name: str) -> bool:
        """Whether a tile class of that name can use this configuration."""
        return tile_class_name == tile_name(self)


@dataclass(eq=False, repr=False)
class MappableRPU(PrePostProcessingRPU):
    """A configuration that says how weights are mapped and which readings are followed.

    Parameters
    ----------
    mapping
        Weight scaling, output scales, bias and tile sizes.
    choices
        The reading of the documentation; printed only where it is not the default.
    """

    _: KW_ONLY
    mapping: MappingParameter = field(default_factory=MappingParameter)
    choices: Choices = hidden(Choices)


@dataclass(eq=False, repr=False)
class FloatingPointRPUConfig(MappableRPU):
    """A tile without converters and noise.

    Examples
    --------
    >>> FloatingPointRPUConfig().mapping
    MappingParameter(digital_bias=True, weight_scaling_omega=0.0, weight_scaling_columnwise=False,
    weight_scaling_lr_compensation=False, learn_out_scaling=False, out_scaling_columnwise=False,
    max_input_size=512, max_output_size=512)
    """

    tile_class: TileClass = TileClass("FloatingPointTile")  # noqa: RUF009


@dataclass(eq=False, repr=False)
class CustomRPUConfig(MappableRPU):
    """A tile on the manual path whose weights are updated inside the optimiser step.

    Parameters
    ----------
    forward, backward
        The non-idealities of the two passes.

    Examples
    --------
    >>> CustomRPUConfig().backward.is_perfect
    False
    """

    tile_class: TileClass = TileClass("CustomTile")  # noqa: RUF009
    _: KW_ONLY
    forward: IOParameters = field(default_factory=IOParameters)
    backward: IOParameters = field(default_factory=IOParameters)


@dataclass(eq=False, repr=False)
class InferenceRPUConfig(MappableRPU):
    """A tile for hardware-aware training on the manual path, with a perfect backward pass.

    Parameters
    ----------
    forward, backward
        The non-idealities of the two passes; the backward pass is perfect.
    clip, remap
        What happens to the weights after an optimiser step.
    modifier
        What happens to the weights for the duration of a training forward pass.

    Examples
    --------
    >>> config = InferenceRPUConfig()
    >>> config.compatible_with("TorchInferenceTile")
    True
    >>> config.drift_compensation = None
    Traceback (most recent call last):
        ...
    refsim.errors.ConfigError: InferenceRPUConfig.drift_compensation is not a field; refsim does not
    model drift.
    """

    tile_class: TileClass = TileClass("InferenceTile")  # noqa: RUF009
    _: KW_ONLY
    forward: IOParameters = field(default_factory=IOParameters)
    backward: IOParameters = field(default_factory=_perfect)
    clip: WeightClipParameter = field(default_factory=WeightClipParameter)
    remap: WeightRemapParameter = field(default_factory=WeightRemapParameter)
    modifier: WeightModifierParameter = field(default_factory=WeightModifierParameter)

    def compatible_with(self, tile_class_name: str) -> bool:
        """Whether a tile class of that name can use this configuration."""
        return tile_class_name == "TorchInferenceTile" or super().compatible_with(tile_class_name)


@dataclass(eq=False, repr=False)
class TorchInferenceRPUConfig(InferenceRPUConfig):
    """A tile for hardware-aware training on the autograd path; the fields of `InferenceRPUConfig`.

    Examples
    --------
    >>> config = TorchInferenceRPUConfig()
    >>> config.forward.out_noise = 0.04
    >>> config.choices = Choices(percentile="lower_only")
    >>> print(config)
    TorchInferenceRPUConfig(
        runtime=RuntimeParameter(),
        pre_post=PrePostProcessingParameter(input_range=InputRangeParameter(enable=False)),
        mapping=MappingParameter(),
        choices=Choices(percentile=lower_only),
        forward=IOParameters(out_noise=0.04),
        backward=IOParameters(is_perfect=True),
        clip=WeightClipParameter(type=WeightClipType.NONE),
        remap=WeightRemapParameter(type=WeightRemapType.NONE),
        modifier=WeightModifierParameter(type=WeightModifierType.NONE)
    )
    """

    tile_class: TileClass = TileClass("TorchInferenceTile")  # noqa: RUF009


@dataclass(eq=False, repr=False)
class QuantizedTorchInferenceRPUConfig(TorchInferenceRPUConfig):
    """A tile on the autograd path with quantised scales, bias and outputs.

    Parameters
    ----------
    pre_post
        The digital processing, with the quantisation of the periphery.
    act_quant_config
        The quantiser of the outputs; None: there is none.

    Examples
    --------
    >>> QuantizedTorchInferenceRPUConfig(act_quant_config=ActivationQuantConfig(n_bits=8)).pre_post
    PrePostProcessingParameterQuant(input_range=InputRangeParameter(enable=False,
    learn_input_range=True, init_value=3.0, init_from_data=100, init_std_alpha=3.0, decay=0.001,
    input_min_percentage=0.95, manage_output_clipping=False, output_min_percentage=0.95,
    gradient_scale=1.0, gradient_relative=True, calibration_info=None),
    periph_quant=PeripheryQuantizationParameter(n_bits=0, symmetric=True, learn_quant_params=False,
    init_learning_after=100))
    """

    tile_class: TileClass = TileClass("QuantizedTorchInferenceTile")  # noqa: RUF009
    pre_post: PrePostProcessingParameterQuant = field(
        default_factory=PrePostProcessingParameterQuant
    )
    _: KW_ONLY
    act_quant_config: ActivationQuantConfig | None = None

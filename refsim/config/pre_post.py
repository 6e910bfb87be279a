"""Digital processing before and after the crossbar: input range and quantised periphery."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from refsim.config.base import Parameters
from refsim.config.checks import Integer, Percentage, Real
from refsim.config.printing import always

__all__ = [
    "InputRangeParameter",
    "PeripheryQuantizationParameter",
    "PrePostProcessingParameter",
    "PrePostProcessingParameterQuant",
]


@dataclass
class InputRangeParameter(Parameters):
    r"""The static input range :math:`r` of a tile and how it is learned.

    The input is clipped to :math:`[-|r|, |r|]` and divided by :math:`r` before the crossbar, and
    the output is multiplied by :math:`r`.

    Parameters
    ----------
    enable
        Whether there is a range at all; always printed.
    learn_input_range
        True: the range is a trainable parameter; False: a buffer.
    init_value
        The first value of the range, in units of the input.
    init_from_data
        The number of training batches that set the range from their spread; not positive: off.
    init_std_alpha
        The range that a batch suggests, in standard deviations.
    decay
        Coefficient of the shrinking gradient :math:`\text{decay} \cdot r`; not positive: off.
    input_min_percentage
        The range shrinks only if the fraction of unclipped inputs is above this one, in [0, 1].
    manage_output_clipping
        The range grows when outputs are clipped.
    output_min_percentage
        It grows only if the fraction of unclipped outputs is below this one, in [0, 1].
    gradient_scale
        Factor of the gradient of the range (see `Choices`).
    gradient_relative
        The gradient is multiplied by the range.
    calibration_info
        How the range was calibrated, as text; None: it was not.

    Raises
    ------
    ConfigError
        If a field is unknown or a value is not allowed.

    Examples
    --------
    >>> print(InputRangeParameter(enable=True, init_from_data=0))
    InputRangeParameter(enable=True, init_from_data=0)
    >>> InputRangeParameter(input_min_percentage=95)
    Traceback (most recent call last):
        ...
    refsim.errors.ConfigError: InputRangeParameter.input_min_percentage is 95, but it must be a
    number in [0, 1].
    """

    enable: bool = always(False)
    learn_input_range: bool = True
    init_value: Real = 3.0
    init_from_data: Integer | Literal[False] = 100
    init_std_alpha: Real = 3.0
    decay: Real = 0.001
    input_min_percentage: Percentage = 0.95
    manage_output_clipping: bool = False
    output_min_percentage: Percentage = 0.95
    gradient_scale: Real = 1.0
    gradient_relative: bool = True
    calibration_info: str | None = None


@dataclass
class PeripheryQuantizationParameter(Parameters):
    """Quantisation of the output scales and of the bias.

    Parameters
    ----------
    n_bits
        The number of bits; not positive: no quantisation.
    symmetric
        A grid around zero, else one with an offset.
    learn_quant_params
        The step (and offset) is trained after the estimation.
    init_learning_after
        The number of batches that estimate the step before it is trained.

    Raises
    ------
    ConfigError
        If a field is unknown or a value is not allowed.

    Examples
    --------
    >>> print(PeripheryQuantizationParameter(n_bits=8))
    PeripheryQuantizationParameter(n_bits=8)
    """

    n_bits: Integer = 0
    symmetric: bool = True
    learn_quant_params: bool = False
    init_learning_after: Integer = 100


@dataclass
class PrePostProcessingParameter(Parameters):
    """The digital processing around the crossbar.

    Parameters
    ----------
    input_range
        The static input range.

    Raises
    ------
    ConfigError
        If a field is unknown or a value is not allowed.

    Examples
    --------
    >>> print(PrePostProcessingParameter())
    PrePostProcessingParameter(input_range=InputRangeParameter(enable=False))
    """

    input_range: InputRangeParameter = field(default_factory=InputRangeParameter)


@dataclass
class PrePostProcessingParameterQuant(PrePostProcessingParameter):
    """The digital processing around the crossbar, with a quantised periphery.

    Parameters
    ----------
    input_range
        The static input range.
    periph_quant
        The quantisation of scales and bias.

    Raises
    ------
    ConfigError
        If a field is unknown or a value is not allowed.

    Examples
    --------
    >>> PrePostProcessingParameterQuant().periph_quant.n_bits
    0
    """

    periph_quant: PeripheryQuantizationParameter = field(
        default_factory=PeripheryQuantizationParameter
    )

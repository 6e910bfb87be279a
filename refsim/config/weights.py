"""What happens to weights: modified in training, clipped and mapped anew after a step."""

from __future__ import annotations

from dataclasses import dataclass

from refsim.config.base import Parameters
from refsim.config.checks import Percentage, Positive, Real, Strength
from refsim.config.enums import WeightClipType, WeightModifierType, WeightRemapType
from refsim.config.printing import always, hidden

__all__ = ["WeightClipParameter", "WeightModifierParameter", "WeightRemapParameter"]


def _default_coefficients() -> list[float]:
    return [0.0105392, 0.0768, -0.046925]


@dataclass
class WeightModifierParameter(Parameters):
    """The modification of the weights for the duration of a training forward pass.

    Parameters
    ----------
    std_dev
        Standard deviation of the noise, relative to the largest weight or to each weight.
    per_batch_sample
        A fresh sample for each row of the batch.
    res, sto_round
        Resolution of the discretisation and whether it rounds stochastically.
    dorefa_clip
        Bound of the DoReFa quantisation.
    pdrop
        Probability of dropping a weight, in [0, 1].
    enable_during_test
        Modify in evaluation as well.
    rel_to_actual_wmax, assumed_wmax
        The largest weight is that of the tile, or the assumed one.
    copy_last_column
        Leave the last column (an analogue bias) alone.
    coeffs
        Coefficients of the noise polynomial.
    type
        The kind of modification; always printed.
    g_max
        Largest conductance, in microsiemens.
    pcm_zero_thres, pcm_t_inference, pcm_t0
        Phase-change memory: conductance below which a device is off, time of the inference and of
        the programming, in seconds.
    pcm_prob_at_reset, pcm_prob_at_gmax, pcm_prob_at_random
        Probabilities of a device stuck off, stuck on or stuck at random, in [0, 1].

    Raises
    ------
    ConfigError
        If a field is unknown or a value is not allowed.

    Examples
    --------
    >>> print(WeightModifierParameter(type=WeightModifierType.ADD_NORMAL, std_dev=0.1))
    WeightModifierParameter(std_dev=0.1, type=WeightModifierType.ADD_NORMAL)
    """

    std_dev: Strength = 0.0
    per_batch_sample: bool = False
    res: Real = 0.0
    sto_round: bool = False
    dorefa_clip: Positive = 0.6
    pdrop: Percentage = 0.0
    enable_during_test: bool = False
    rel_to_actual_wmax: bool = True
    assumed_wmax: Positive = 1.0
    copy_last_column: bool = False
    coeffs: list[Real] = hidden(_default_coefficients)
    type: WeightModifierType = always(WeightModifierType.NONE)
    g_max: Positive = 25.0
    pcm_zero_thres: Strength = 0.0
    pcm_t_inference: Strength = 0.0
    pcm_prob_at_reset: Percentage = 0.0
    pcm_prob_at_gmax: Percentage = 0.0
    pcm_prob_at_random: Percentage = 0.0
    pcm_t0: Positive = 20.0


@dataclass
class WeightClipParameter(Parameters):
    """The clipping of the weights after an optimiser step.

    Parameters
    ----------
    fixed_value
        The bound of ``FIXED_VALUE``, and if positive an upper limit for ``LAYER_GAUSSIAN``.
    sigma
        The bound of ``LAYER_GAUSSIAN`` in standard deviations of the weights, above 0.
    type
        The kind of clipping; always printed.

    Raises
    ------
    ConfigError
        If a field is unknown or a value is not allowed.

    Examples
    --------
    >>> print(WeightClipParameter(fixed_value=0.5, type=WeightClipType.FIXED_VALUE))
    WeightClipParameter(fixed_value=0.5, type=WeightClipType.FIXED_VALUE)
    """

    fixed_value: Real = -1.0
    sigma: Positive = 2.5
    type: WeightClipType = always(WeightClipType.NONE)


@dataclass
class WeightRemapParameter(Parameters):
    """The new mapping of the weights to the analogue range after an optimiser step.

    Parameters
    ----------
    remapped_wmax
        The largest stored weight after the mapping.
    max_scale_range, max_scale_ref
        Limits of the scales among each other.
    type
        One scale for the layer or one for each channel; always printed.

    Raises
    ------
    ConfigError
        If a field is unknown or a value is not allowed.

    Examples
    --------
    >>> print(WeightRemapParameter())
    WeightRemapParameter(type=WeightRemapType.NONE)
    """

    remapped_wmax: Real = 1.0
    max_scale_range: Real = 0.0
    max_scale_ref: Real = 0.0
    type: WeightRemapType = always(WeightRemapType.NONE)

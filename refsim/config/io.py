"""The non-idealities of one pass through the crossbar: converters, noise, management."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Annotated

from refsim.config.base import Parameters
from refsim.config.checks import Interval, Number, Real, Strength
from refsim.config.enums import (
    AnalogMVType,
    BoundManagementType,
    NoiseManagementType,
    WeightNoiseType,
)

__all__ = ["IOParameters"]


@dataclass
class IOParameters(Parameters):
    r"""Converters, noise and management of an analogue matrix-vector product.

    Values are in normalised units: inputs after the division by the input range and by the noise
    management, outputs before the multiplication back. A bound that is not positive does not clip;
    a resolution that is not positive does not round, one in (0, 1] is a step as a fraction of the
    full range, and one above 1 is the number of steps:

    .. math:: \Delta = 2 \, \text{bound} \cdot
        \begin{cases} \text{res} & \text{res} \le 1 \\ 1 / \text{res} & \text{res} > 1 \end{cases}

    Parameters
    ----------
    is_perfect
        The exact product, without converters, noise and management; no other field is then printed.
    mv_type
        How the product is carried out.
    inp_bound, inp_noise, inp_res, inp_sto_round, inp_asymmetry
        Input converter: clipping bound, standard deviation of the noise, resolution, stochastic
        rounding, relative loss of negative inputs.
    out_bound, out_noise, out_noise_std, out_res, out_sto_round, out_scale, out_asymmetry
        Output converter: likewise, with the spread of the noise level from output to output (as a
        fraction of it, see `Choices`) and a factor on the result.
    bound_management, noise_management
        Dynamic scaling when an output is clipped, and of each input row.
    w_noise, w_noise_type
        Noise of reading the weights.
    ir_drop, ir_drop_g_ratio, out_nonlinearity, out_nonlinearity_std, slope_calibration
        Voltage drop along the wires and output non-linearity.
    v_offset_std, v_offset_w_min, r_series, w_read_asymmetry_dtod
        Voltage offset, series resistance, dependence of the read on polarity.
    max_bm_factor, max_bm_res, bm_test_negative_bound
        Largest reduction by bound management, its limit from the input resolution, whether the
        negative bound is tested.
    nm_thres
        Cap of the noise management (its value for ``CONSTANT``); not positive: none.

    Raises
    ------
    ConfigError
        If a field is unknown or a value is not allowed.

    Examples
    --------
    >>> print(IOParameters(inp_res=254, out_noise=0.04))
    IOParameters(inp_res=254, out_noise=0.04)
    >>> print(IOParameters(is_perfect=True, inp_res=254))
    IOParameters(is_perfect=True)
    """

    is_perfect: bool = False
    mv_type: AnalogMVType = AnalogMVType.ONE_PASS
    inp_bound: Number = 1.0
    inp_noise: Strength = 0.0
    inp_res: Real = 1 / 126
    inp_sto_round: bool = False
    inp_asymmetry: Real = 0.0
    out_bound: Number = 12.0
    out_noise: Strength = 0.06
    out_noise_std: Strength = 0.0
    out_res: Real = 1 / 510
    out_sto_round: bool = False
    out_scale: Real = 1.0
    out_asymmetry: Real = 0.0
    bound_management: BoundManagementType = BoundManagementType.ITERATIVE
    noise_management: NoiseManagementType = NoiseManagementType.ABS_MAX
    w_noise: Strength = 0.0
    w_noise_type: WeightNoiseType = WeightNoiseType.NONE
    ir_drop: Strength = 0.0
    ir_drop_g_ratio: Real = 1 / 0.35 / 5e-6
    out_nonlinearity: Real = 0.0
    out_nonlinearity_std: Strength = 0.0
    slope_calibration: Real = 0.0
    v_offset_std: Strength = 0.0
    v_offset_w_min: Real = -1.0
    r_series: Real = 0.0
    w_read_asymmetry_dtod: Strength = 0.0
    max_bm_factor: Annotated[int, Interval(0, inf, "[)")] = 1000
    max_bm_res: Strength = 0.25
    bm_test_negative_bound: bool = True
    nm_thres: Real = 0.0

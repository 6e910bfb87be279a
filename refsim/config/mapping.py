"""How logical weights are mapped to a tile, and how large a tile may be."""

from __future__ import annotations

from dataclasses import dataclass

from refsim.config.base import Parameters
from refsim.config.checks import Integer, Real

__all__ = ["MappingParameter"]


@dataclass
class MappingParameter(Parameters):
    r"""Weight scaling, learned output scales, bias and tile sizes.

    With :math:`\omega > 0` the stored weight is the logical one over the mapping scale

    .. math:: s = \max |W| / \omega ,

    taken over the tile or over each output (columnwise).

    Parameters
    ----------
    digital_bias
        The bias is added digitally.
    weight_scaling_omega
        :math:`\omega`, the largest stored weight; 0 turns the scaling off.
    weight_scaling_columnwise
        One scale per output.
    weight_scaling_lr_compensation
        Compensates the learning rate for the scales (where the update runs on the tile).
    learn_out_scaling, out_scaling_columnwise
        Trainable output scales, one or one per output.
    max_input_size, max_output_size
        Size above which an array splits a layer into tiles; not positive: the axis is not split.

    Raises
    ------
    ConfigError
        If a field is unknown or a value is not allowed.

    Examples
    --------
    >>> print(MappingParameter(weight_scaling_omega=0.6))
    MappingParameter(weight_scaling_omega=0.6)
    """

    digital_bias: bool = True
    weight_scaling_omega: Real = 0.0
    weight_scaling_columnwise: bool = False
    weight_scaling_lr_compensation: bool = False
    learn_out_scaling: bool = False
    out_scaling_columnwise: bool = False
    max_input_size: Integer = 512
    max_output_size: Integer = 512

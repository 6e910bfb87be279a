"""The data type of a tile and how exactly it multiplies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from refsim.config.base import Parameters
from refsim.config.enums import RPUDataType

__all__ = ["RuntimeParameter"]


@dataclass
class RuntimeParameter(Parameters):
    """What a tile computes with; it takes no part in the comparison of RPU configurations.

    Parameters
    ----------
    data_type
        ``FLOAT`` (float32) or ``DOUBLE`` (float64).
    on_the_fly_bindings, offload_input, offload_gradient
        Settings of aihwkit's runtime that do not change a number; a refsim tile takes False.
    matmul
        ``"exact"``: every product correctly rounded; ``"fast"``: the BLAS product, not golden.

    Raises
    ------
    ConfigError
        If a field is unknown or a value is not allowed, ``RPUDataType.HALF`` for one.

    Examples
    --------
    >>> print(RuntimeParameter(data_type=RPUDataType.DOUBLE))
    RuntimeParameter(data_type=RPUDataType.DOUBLE)
    """

    data_type: Literal[RPUDataType.FLOAT, RPUDataType.DOUBLE] = RPUDataType.FLOAT
    on_the_fly_bindings: bool = False
    offload_input: bool = False
    offload_gradient: bool = False
    matmul: Literal["exact", "fast"] = "exact"

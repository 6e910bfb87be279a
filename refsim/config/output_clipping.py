"""What the management of output clipping needs, as the parameter page demands it."""

from __future__ import annotations

from collections.abc import Iterator
from math import isinf
from typing import Any

from refsim.config.checks import shown
from refsim.config.enums import BoundManagementType, NoiseManagementType

__all__ = ["output_clipping_conflicts"]

_PATH = "pre_post.input_range.manage_output_clipping is True, but"


def output_clipping_conflicts(config: Any) -> Iterator[str]:
    """The sentences for what `manage_output_clipping` cannot work with; none if it is off.

    Parameters
    ----------
    config
        The configuration of a tile.

    Examples
    --------
    >>> from refsim.config import (InferenceRPUConfig, InputRangeParameter, IOParameters,
    ...     PrePostProcessingParameter)
    >>> managed = PrePostProcessingParameter(
    ...     input_range=InputRangeParameter(enable=True, manage_output_clipping=True))
    >>> perfect = IOParameters(is_perfect=True)
    >>> for problem in output_clipping_conflicts(InferenceRPUConfig(pre_post=managed, forward=perfect)):
    ...     print(problem)
    pre_post.input_range.manage_output_clipping is True, but forward.is_perfect is True, so that no
    output is clipped.
    """
    p = config.pre_post.input_range
    if not (p.enable and p.manage_output_clipping):
        return
    io = getattr(config, "forward", None)
    if io is None:
        yield f"{_PATH} {type(config).__name__} has no forward.out_bound."
    elif io.is_perfect:
        yield f"{_PATH} forward.is_perfect is True, so that no output is clipped."
    else:
        yield from _converter_conflicts(io)


def _converter_conflicts(io: Any) -> Iterator[str]:
    for name, kind in (
        ("noise_management", NoiseManagementType),
        ("bound_management", BoundManagementType),
    ):
        value = getattr(io, name)
        if value is not kind["NONE"]:
            yield f"{_PATH} forward.{name} is {shown(value)}, allowed is {shown(kind['NONE'])}."
    if io.out_bound <= 0 or isinf(io.out_bound):
        yield f"{_PATH} forward.out_bound is {io.out_bound}, allowed are finite numbers above 0."

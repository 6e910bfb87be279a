"""What a case may ask for, so that a file from anywhere cannot fill the memory or run for ever."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from refsim.errors import VectorError

from .model import Array, Case, Step

__all__ = ["check_limits"]

MOST_STEPS: Final = 1000
MOST_PRODUCTS: Final = 2**28
"""Most multiplications of all steps together."""


def check_limits(case: Case) -> None:
    """Refuse a case whose arrays do not fit one another, or that asks for too much.

    Parameters
    ----------
    case
        The case.

    Raises
    ------
    VectorError
        Naming the array and what is allowed.

    Examples
    --------
    >>> import refsim as rs
    >>> one = np.ones((1, 1), np.float32)
    >>> check_limits(Case(rs.TorchInferenceRPUConfig(), one, None, (Step(x=one[:, [0, 0]]),)))
    Traceback (most recent call last):
        ...
    refsim.errors.VectorError: steps[0].x has the shape (1, 2), allowed are shapes that end in 1.
    """
    if len(case.steps) > MOST_STEPS:
        raise VectorError(f"the case has {len(case.steps)} steps, allowed are {MOST_STEPS}.")
    if case.weight.ndim != 2 or case.weight.size == 0:
        raise VectorError(f"weight has the shape {case.weight.shape}, allowed is (out, in).")
    out_size, in_size = case.weight.shape
    _check_array("weight", case.weight, case.T)
    if case.bias is not None:
        _check_array("bias", case.bias, case.T, (out_size,))
    for k, step in enumerate(case.steps):
        _check_step(f"steps[{k}]", step, case)
    rows = sum(step.x.size // in_size for step in case.steps)
    if rows * out_size * in_size > MOST_PRODUCTS:
        raise VectorError(f"the case asks for more than {MOST_PRODUCTS} multiplications.")


def _check_step(where: str, step: Step, case: Case) -> None:
    out_size, in_size = case.weight.shape
    if step.x.ndim == 0 or step.x.shape[-1] != in_size:
        raise VectorError(
            f"{where}.x has the shape {step.x.shape}, allowed are shapes that end in {in_size}."
        )
    _check_array(f"{where}.x", step.x, case.T)
    if step.dy is not None:
        _check_array(f"{where}.dy", step.dy, case.T, (*step.x.shape[:-1], out_size))
    elif step.update:
        raise VectorError(f"{where} has an update without dy, the gradient that it needs.")
    for name, array in step.noise.items():
        _check_array(f"{where}.noise.{name}", array, case.T)


def _check_array(
    where: str, array: Array, T: np.dtype[Any], shape: tuple[int, ...] | None = None
) -> None:
    if array.dtype != T:
        raise VectorError(f"{where} has the type {array.dtype}, allowed is that of the tile, {T}.")
    if shape is not None and array.shape != shape:
        raise VectorError(f"{where} has the shape {array.shape}, allowed is {shape}.")
    if not np.isfinite(array).all():
        raise VectorError(f"{where} contains NaN or infinity, allowed are finite numbers.")

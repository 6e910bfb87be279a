"""Arrays from outside: taken as they are in the tile's data type, converted if that loses nothing, else refused."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refsim.errors import InputError, ShapeError
from refsim.spec.sums import Array, Scalar

DType = np.dtype[Any]


def as_array(value: object, T: DType, name: str, checked: bool = True) -> Array:
    """C-contiguous array of ``T`` with the values of anything array-like or with ``__dlpack__``.

    Python numbers, alone or in lists, have no data type of their own and are rounded once to ``T``. Not ``checked``, an
    array of ``T`` may contain NaN and infinity.

    Raises
    ------
    InputError
        If the values are not real numbers, not finite, or not exactly numbers of ``T``.
    """
    given = _from_outside(value, name)
    if given.dtype.kind not in "fiub":
        raise InputError(
            f"{name} has dtype {given.dtype}, allowed are real numbers that {T} holds exactly."
        )
    if given.dtype == T and not checked:
        return np.asarray(given, dtype=T, order="C")
    check_finite(given, name)
    if given.dtype == T:
        return np.asarray(given, dtype=T, order="C")
    if _python_numbers(value) and np.all(np.abs(given) <= np.finfo(T).max):
        return given.astype(T, order="C")
    with np.errstate(over="ignore", under="ignore"):
        converted = given.astype(T, order="C")
    if not _same_values(given, converted):
        raise InputError(
            f"{name} has dtype {given.dtype} and values that {T} cannot hold exactly, "
            f"allowed are numbers of {T}; convert with .astype({T.name!r}) to accept the rounding."
        )
    return converted


def check_finite(given: NDArray[Any], name: str) -> None:
    """Refuse NaN and infinity with an :class:`~refsim.InputError`."""
    if given.dtype.kind == "f" and not np.isfinite(given).all():
        raise InputError(f"{name} contains NaN or infinity, allowed are finite numbers.")


def _from_outside(value: object, name: str) -> NDArray[Any]:
    if isinstance(value, np.ma.MaskedArray):
        raise InputError(f"{name} is a masked array, allowed are arrays without a mask.")
    if hasattr(value, "__cuda_array_interface__"):
        raise InputError(
            f"{name} is an array on a GPU, allowed are arrays of the host; "
            'inputs and gradients of tiles with backend="cuda" may be there.'
        )
    try:
        if hasattr(value, "__dlpack__") and not isinstance(value, (np.ndarray, np.generic)):
            return np.from_dlpack(value)
        return np.asarray(value)
    except (TypeError, ValueError, RuntimeError, BufferError) as error:
        raise InputError(f"{name} cannot be read as an array of numbers: {error}") from None


def _python_numbers(value: object) -> bool:
    if isinstance(value, (list, tuple)):
        return all(_python_numbers(item) for item in value)
    return type(value) in (int, float)


def _same_values(given: NDArray[Any], converted: Array) -> bool:
    if given.dtype.kind == "f":
        wide = np.promote_types(given.dtype, converted.dtype)
        return bool(np.array_equal(given.astype(wide), converted.astype(wide)))
    exact_below = 2 ** (np.finfo(converted.dtype).nmant + 1)
    if given.size == 0 or -exact_below <= int(given.min()) <= int(given.max()) <= exact_below:
        return True
    return [int(v) for v in given.ravel().tolist()] == [int(v) for v in converted.ravel().tolist()]


def as_rows(
    value: object, T: DType, columns: int, name: str, checked: bool = True
) -> tuple[Array, tuple[int, ...]]:
    """Batch ``(..., columns)`` as ``(N, columns)``, and its leading shape; ``checked`` as for :func:`as_array`.

    Raises
    ------
    InputError
        As for :func:`as_array`.
    ShapeError
        If the last axis does not have ``columns`` elements.
    """
    array = as_array(value, T, name, checked)
    if array.ndim == 0 or array.shape[-1] != columns:
        raise ShapeError(f"{name} has shape {array.shape}, allowed is (..., {columns}).")
    lead = array.shape[:-1]
    return array.reshape(math.prod(lead), columns), lead


def of_shape(value: object, T: DType, shape: tuple[int, ...], name: str) -> Array:
    """Array of ``T`` with exactly the given shape; errors as for :func:`as_rows`."""
    array = as_array(value, T, name)
    if array.shape != shape:
        raise ShapeError(f"{name} has shape {array.shape}, allowed is {shape}.")
    return array


def as_scalar(value: object, T: DType, name: str) -> Scalar:
    """A Python or NumPy number rounded once to ``T``, or the one element of an array.

    Raises
    ------
    InputError
        If it is not one finite real number.
    """
    if isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool):
        try:
            with np.errstate(over="ignore"):
                number: Scalar = T.type(value)
        except OverflowError:
            number = T.type(np.inf)
        if not np.isfinite(number):
            raise InputError(f"{name} is {number}, allowed are finite numbers of {T}.")
        return number
    if isinstance(value, (bool, np.bool_)):
        raise InputError(f"{name} is {value}, allowed are numbers.")
    array = as_array(value, T, name)
    if array.size != 1:
        raise InputError(f"{name} has shape {array.shape}, allowed is one number.")
    return array.ravel()[0]

"""Arrays as plain values, exact to the last bit, and back."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from refsim.errors import VectorError

__all__ = ["DTYPES", "MOST_ELEMENTS", "array_document", "array_from_document", "given_array"]

DTYPES: Final = {
    name: np.dtype(name) for name in ("float32", "float64", "bool", "uint8", "int64", "uint64")
}
"""Data types that a case may hold."""
MOST_ELEMENTS: Final = 2**24
"""No array of a case has more elements, and no axis is longer."""
MOST_AXES: Final = 8
_WORDS: Final = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


def array_document(array: NDArray[Any]) -> dict[str, Any]:
    """An array as plain values: ``dtype``, ``shape``, and ``values`` as a flat list.

    Parameters
    ----------
    array
        Any array of one of :data:`DTYPES`.

    Returns
    -------
    dict
        What JSON can write; a number that is not finite is the text ``"nan"``, ``"inf"`` or ``"-inf"``.

    Raises
    ------
    VectorError
        If the data type is another one.

    Examples
    --------
    >>> array_document(np.float32([[0.1, -0.0]]))
    {'dtype': 'float32', 'shape': [1, 2], 'values': [0.10000000149011612, -0.0]}
    """
    if array.dtype.name not in DTYPES:
        raise VectorError(f"an array has the type {array.dtype}, allowed are {', '.join(DTYPES)}.")
    values = [_written(value) for value in array.reshape(-1).tolist()]
    return {"dtype": array.dtype.name, "shape": list(array.shape), "values": values}


def array_from_document(document: object, where: str) -> NDArray[Any]:
    """The array that :func:`array_document` wrote.

    Parameters
    ----------
    document
        Anything.
    where
        What the array is, for messages.

    Returns
    -------
    array
        With the same bits; every NaN is the usual one.

    Raises
    ------
    VectorError
        If it is not such a document, or a number is not exactly one of the data type.

    Examples
    --------
    >>> array_from_document({"dtype": "float32", "shape": [2], "values": [1, 0.1]}, "x")
    Traceback (most recent call last):
        ...
    refsim.errors.VectorError: x has the value 0.1, which is no number of type float32.
    """
    if not isinstance(document, dict) or document.keys() != {"dtype", "shape", "values"}:
        raise VectorError(f"{where} is no array: it must have dtype, shape and values.")
    dtype = DTYPES.get(document["dtype"]) if isinstance(document["dtype"], str) else None
    if dtype is None:
        raise VectorError(f"{where} has an unknown dtype, allowed are {', '.join(DTYPES)}.")
    shape, values = checked_shape(document["shape"], where), document["values"]
    if not isinstance(values, list) or len(values) != math.prod(shape):
        raise VectorError(f"{where} must have {math.prod(shape)} values for its shape.")
    return np.array([_read(v, dtype, where) for v in values], dtype=dtype).reshape(shape)


def checked_shape(shape: object, where: str) -> tuple[int, ...]:
    """The shape as a tuple; a :class:`~refsim.VectorError` if it is none, or too large."""
    listed: list[Any] = shape if isinstance(shape, list) else [None]
    fits = all(type(n) is int and 0 <= n <= MOST_ELEMENTS for n in listed)
    if not fits or len(listed) > MOST_AXES:
        raise VectorError(
            f"{where} has the shape {str(shape)[:80]}, allowed are at most {MOST_AXES} lengths "
            f"from 0 to {MOST_ELEMENTS}."
        )
    if math.prod(n for n in listed if n) > MOST_ELEMENTS:
        raise VectorError(f"{where} has more than {MOST_ELEMENTS} elements.")
    return tuple(listed)


def _written(value: Any) -> Any:
    return value if isinstance(value, int) or math.isfinite(value) else str(value)


def _read(value: object, dtype: np.dtype[Any], where: str) -> Any:
    number = _WORDS.get(value) if isinstance(value, str) else value
    if type(number) in (int, float, bool) and _holds(dtype, number):
        return number
    raise VectorError(
        f"{where} has the value {str(value)[:40]}, which is no number of type {dtype}."
    )


def _holds(dtype: np.dtype[Any], number: Any) -> bool:
    if dtype.kind == "b" or isinstance(number, bool):
        return dtype.kind == "b" and isinstance(number, bool)
    if dtype.kind != "f":
        info = np.iinfo(dtype)
        return type(number) is int and info.min <= number <= info.max
    if isinstance(number, int) and abs(number) > 2**53:
        return False
    with np.errstate(over="ignore"):
        return math.isnan(number) or float(dtype.type(number)) == number


def given_array(leaf: object, where: str) -> NDArray[Any]:
    """The leaf of a tree that was read from a file of arrays; a :class:`~refsim.VectorError` if it is no array."""
    if not isinstance(leaf, np.ndarray):
        raise VectorError(f"{where} is no array.")
    return leaf

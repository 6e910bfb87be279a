"""Arrays on the wire: base64, a flat list of values, a file, or nested lists."""

from __future__ import annotations

import base64
import binascii
import math
import os
import re
import stat
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from .answers import LARGEST, malformed, shown

__all__ = ["DTYPES", "FORMS", "Folder", "decoded", "encoded"]

Array = NDArray[Any]

DTYPES: Final = {
    name: np.dtype(name).newbyteorder("<")
    for name in (
        *("float16", "float32", "float64", "int8", "int16", "int32", "int64"),
        *("uint8", "uint16", "uint32", "uint64", "bool"),
    )
}
"""Data types by name; bytes are little-endian."""
FORMS: Final = ("base64", "values", "npy")
"""How a target may ask for arrays."""
IN_FILE: Final = 2**16
"""With the form ``npy``, an array of more bytes comes as a file."""
_HEADER: Final = (
    re.compile(rb"""['"]descr['"]\s*:\s*['"]([<>|=])(\w\d{1,2})['"]"""),
    re.compile(rb"""['"]fortran_order['"]\s*:\s*(True|False)"""),
    re.compile(rb"""['"]shape['"]\s*:\s*\(([\d,\s]{0,200})\)"""),
)
_DESCRIPTIONS: Final = {dtype.str[1:]: name for name, dtype in DTYPES.items()}
_WORDS: Final = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}
_DEEPEST: Final = 8
_LONGEST_HEADER: Final = 10_000


class Folder:
    """Where array files lie, and which of them this side has written.

    Parameters
    ----------
    path
        A folder that both sides can read and write.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._written: list[Path] = []

    def write(self, value: Array) -> str:
        """The name of a new file with an array."""
        path = self.path / f"{uuid4().hex}.npy"
        with path.open("xb") as file:
            np.lib.format.write_array(file, np.ascontiguousarray(value), allow_pickle=False)
        self._written.append(path)
        return path.name

    def read(self, name: Any, what: str) -> Array:
        """The array of a file, which is removed; sizes are checked before anything is read."""
        if not isinstance(name, str) or Path(name).name != name or not name.endswith(".npy"):
            raise malformed(
                f"{what} is in the file {shown(name)}, allowed are names in the folder."
            )
        path = self.path / name
        try:
            handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
            with open(handle, "rb") as file:
                status = os.fstat(handle)
                if not stat.S_ISREG(status.st_mode) or status.st_size > LARGEST + 2**16:
                    raise malformed(
                        f"{what} is in {name}, which is no plain file of at most {LARGEST} bytes."
                    )
                found = _npy(file.read(LARGEST + 2**16), what)
            path.unlink(missing_ok=True)
        except (OSError, ValueError) as error:
            raise malformed(f"{what} is not readable in {name}: {str(error)[:200]}.") from error
        return found

    def forget(self) -> None:
        """Remove the files that this side has written."""
        for path in self._written:
            path.unlink(missing_ok=True)
        self._written.clear()


def _npy(data: bytes, what: str) -> Array:
    """The array of an ``.npy`` file, whose header must agree with the bytes behind it; nothing is evaluated."""
    lengths = {b"\x93NUMPY\x01": 2, b"\x93NUMPY\x02": 4, b"\x93NUMPY\x03": 4}
    if data[:7] not in lengths:
        raise ValueError("it is no file in the format .npy")
    begin = 8 + lengths[data[:7]]
    end = begin + int.from_bytes(data[8:begin], "little")
    if end > min(len(data), begin + _LONGEST_HEADER):
        raise ValueError("its header is too long")
    descr, order, shape = (part.search(data, begin, end) for part in _HEADER)
    if descr is None or order is None or shape is None:
        raise ValueError("its header is damaged")
    kind = _DESCRIPTIONS.get(descr[2].decode())
    if kind is None:
        raise malformed(
            f"{what} has dtype {descr[1].decode()}{descr[2].decode()}, allowed are {', '.join(DTYPES)}."
        )
    dtype = DTYPES[kind].newbyteorder(">" if descr[1] == b">" else "<")
    sizes = _shape([int(size) for size in re.findall(rb"\d+", shape[1])], what)
    if math.prod(sizes) * dtype.itemsize != len(data) - end:
        raise ValueError(f"{len(data) - end} bytes are no array {kind} of shape {tuple(sizes)}")
    if dtype.kind == "b":
        flat = np.frombuffer(data, np.uint8, offset=end).astype(np.bool_)
    else:
        flat = np.frombuffer(data, dtype, offset=end)
    return flat.reshape(sizes, order="F" if order[1] == b"True" else "C")


def encoded(value: Any, form: str = "base64", folder: Folder | None = None) -> dict[str, Any]:
    """An array as it stands in a message.

    Parameters
    ----------
    value
        The array.
    form
        ``"base64"``, ``"values"``, or ``"npy"``: files for all but small arrays.
    folder
        Where files go; without it there are none.

    Examples
    --------
    >>> encoded(np.float32([[1, 2]]))
    {'dtype': 'float32', 'shape': [1, 2], 'base64': 'AACAPwAAAEA='}
    >>> encoded(np.array([1.5, np.nan]), "values")
    {'dtype': 'float64', 'shape': [2], 'values': [1.5, 'nan']}
    """
    array = np.asarray(value)
    dtype = DTYPES.get(array.dtype.name)
    if dtype is None:
        array = array.astype(np.float64)
        dtype = DTYPES["float64"]
    if form == "npy" and folder is not None and array.nbytes > IN_FILE:
        return {"npy": folder.write(array.astype(dtype, copy=False))}
    head = {"dtype": dtype.name, "shape": list(array.shape)}
    if form == "values":
        return {**head, "values": [_written(number) for number in array.reshape(-1).tolist()]}
    data = np.ascontiguousarray(array).astype(dtype, copy=False).tobytes()
    return {**head, "base64": base64.b64encode(data).decode()}


def _written(number: Any) -> Any:
    return number if isinstance(number, int) or math.isfinite(number) else str(number)


def decoded(value: Any, what: str, folder: Folder | None = None) -> Array:
    """The array of a message.

    Parameters
    ----------
    value
        What stands there: any of the forms above, or numbers in nested lists.
    what
        What it is, for the message.
    folder
        Where files lie; without it there may be none.

    Returns
    -------
    array
        Read-only; its size is that of the message or file, whatever its shape claims.

    Raises
    ------
    TargetFailure
        If it is none, or its shape does not fit its values.

    Examples
    --------
    >>> decoded({"dtype": "float32", "shape": [1, 2], "base64": "AACAPwAAAEA="}, "the output")
    array([[1., 2.]], dtype=float32)
    >>> decoded({"dtype": "float32", "shape": [1000000000000], "base64": ""}, "the output")
    Traceback (most recent call last):
        ...
    refsim.errors.TargetFailure: the output has 0 bytes, a float32 array of shape [1000000000000]
    has 4000000000000.
    """
    if isinstance(value, (list, int, float)):
        found = _nested(value, what)
        if found.dtype.hasobject:
            raise malformed(f"{what} has an integer of more than 64 bits.")
        return found
    match value:
        case {"npy": name, **rest} if not rest and folder is not None:
            return folder.read(name, what)
        case {"dtype": str(dtype), "shape": [*shape], "base64": str(text), **rest} if not rest:
            return _from_base64(_dtype(dtype, what), _shape(shape, what), text, what)
        case {"dtype": str(dtype), "shape": [*shape], "values": [*values], **rest} if not rest:
            return _from_values(_dtype(dtype, what), _shape(shape, what), values, what)
    raise malformed(
        f"{what} is {shown(value)}, allowed are dtype, shape and base64 or values, or npy, or lists."
    )


def _dtype(name: str, what: str) -> np.dtype[Any]:
    if name not in DTYPES:
        raise malformed(f"{what} has dtype {shown(name)}, allowed are {', '.join(DTYPES)}.")
    return DTYPES[name]


def _shape(shape: list[Any], what: str) -> list[int]:
    if len(shape) > _DEEPEST or not all(type(n) is int and 0 <= n < 2**48 for n in shape):
        raise malformed(
            f"{what} has shape {shown(shape)}, allowed are at most {_DEEPEST} integers from 0."
        )
    if math.prod(n or 1 for n in shape) > 2**56:
        raise malformed(f"{what} has shape {shown(shape)}, which no machine can hold.")
    return shape


def _from_base64(dtype: np.dtype[Any], shape: list[int], text: str, what: str) -> Array:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise malformed(f"{what} is not in base64: {error}.") from error
    wanted = math.prod(shape) * dtype.itemsize
    if len(data) != wanted:
        raise malformed(
            f"{what} has {len(data)} bytes, a {dtype.name} array of shape {shape} has {wanted}."
        )
    if dtype.kind == "b":
        return np.frombuffer(data, np.uint8).reshape(shape).astype(np.bool_)
    return np.frombuffer(data, dtype).reshape(shape)


def _from_values(dtype: np.dtype[Any], shape: list[int], values: list[Any], what: str) -> Array:
    if len(values) != math.prod(shape):
        raise malformed(
            f"{what} has {len(values)} values, an array of shape {shape} has {math.prod(shape)}."
        )
    numbers = [_number(value, what) for value in values]
    if dtype.kind in "iu" and not all(isinstance(number, int) for number in numbers):
        raise malformed(f"{what} does not fit {dtype.name}: allowed are integers.")
    try:
        with np.errstate(over="ignore"):
            return np.array(numbers, dtype=dtype).reshape(shape)
    except (OverflowError, ValueError) as error:
        raise malformed(f"{what} does not fit {dtype.name}: {str(error)[:100]}.") from error


def _nested(value: Any, what: str, depth: int = 0) -> Array:
    if not isinstance(value, list):
        return np.asarray(_number(value, what))
    if depth >= _DEEPEST:
        raise malformed(f"{what} is nested more than {_DEEPEST} lists deep.")
    if not any(isinstance(item, list) for item in value):
        return np.asarray([_number(item, what) for item in value], dtype=None if value else float)
    parts = [_nested(item, what, depth + 1) for item in value]
    if len({part.shape for part in parts}) > 1:
        raise malformed(f"{what} has lists of different lengths, allowed are arrays.")
    return np.stack(parts)


def _number(value: Any, what: str) -> Any:
    if isinstance(value, (int, float)):
        return value
    if isinstance(value, str) and value in _WORDS:
        return _WORDS[value]
    raise malformed(
        f"{what} has the value {shown(value)}, allowed are numbers, "
        f"and the texts {', '.join(_WORDS)}."
    )

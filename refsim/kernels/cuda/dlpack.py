"""Capsules of DLPack: a description of memory that other libraries take in place, and that keeps its owner alive.

Both layouts are made: the one of ``"dltensor"``, and for consumers that ask for version 1 that of
``"dltensor_versioned"``. Whoever takes a capsule renames it and calls its deleter when done; a capsule that nobody took
calls it itself.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable
from typing import Any

import numpy as np

HOST, DEVICE = 1, 2
"""DLPack's numbers for memory of the host and of a CUDA device."""
KINDS = {"i": 0, "u": 1, "f": 2, "b": 6}
"""DLPack's numbers for integers, unsigned integers, floats and booleans."""
NAMES = b"dltensor", b"dltensor_versioned"
"""Of capsules before version 1 and since."""
VERSION, COPIED = (1, 0), 2
"""The version of the later layout, and its flag for a copy."""
_held: dict[int, tuple[Any, ...]] = {}
"""What each description that somebody may still read keeps alive, by its address."""


class Tensor(ctypes.Structure):
    """Where an array stands, and how."""

    _fields_ = (
        ("data", ctypes.c_void_p),
        ("device_type", ctypes.c_int32),
        ("device_id", ctypes.c_int32),
        ("ndim", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.c_void_p),
        ("strides", ctypes.c_void_p),
        ("byte_offset", ctypes.c_uint64),
    )


class Managed(ctypes.Structure):
    """The description with its deleter."""

    _fields_ = (
        ("tensor", Tensor),
        ("context", ctypes.c_void_p),
        ("deleter", ctypes.c_void_p),
    )


class VersionedManaged(ctypes.Structure):
    """The same from version 1 on."""

    _fields_ = (
        ("major", ctypes.c_uint32),
        ("minor", ctypes.c_uint32),
        ("context", ctypes.c_void_p),
        ("deleter", ctypes.c_void_p),
        ("flags", ctypes.c_uint64),
        ("tensor", Tensor),
    )


def _python(name: str, result: Any, *arguments: Any) -> Callable[..., Any]:
    """A function of Python's own library."""
    function = ctypes.PYFUNCTYPE(result, *arguments)
    return function((name, ctypes.pythonapi))


_new = _python("PyCapsule_New", ctypes.py_object, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)
_is_valid = _python("PyCapsule_IsValid", ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p)
_pointer = _python("PyCapsule_GetPointer", ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p)


def _release(address: int) -> None:
    """The deleter: what the description kept alive may go."""
    _held.pop(address, None)


def _destroy(capsule: int) -> None:
    """The destructor of a capsule, which is called while it is torn down: nobody may own it again."""
    for name in NAMES:  # a capsule that was taken has another name
        if _is_valid(capsule, name):
            _release(_pointer(capsule, name))


def _callback(function: Callable[[int], None]) -> int:
    """The address of a function for C; it stays, as others may call it as long as the process lives."""
    made = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(function)
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(made))
    return ctypes.cast(made, ctypes.c_void_p).value or 0


_RELEASE, _DESTROY = _callback(_release), _callback(_destroy)


def capsule(
    owner: object,
    address: int,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    place: tuple[int, int],
    version: int = 0,
    flags: int = 0,
) -> Any:
    """A capsule for C-contiguous memory.

    Parameters
    ----------
    owner
        What has to live as long as the memory is used.
    address, shape, dtype
        The memory.
    place
        DLPack's number for the kind of device, and the number of the device.
    version
        0 for the layout before version 1 of DLPack, or 1.
    flags
        What version 1 says of the memory.

    Raises
    ------
    BufferError
        If DLPack knows no such data type.

    Examples
    --------
    >>> x = np.arange(3.0)
    >>> made = capsule(x, x.ctypes.data, x.shape, x.dtype, (HOST, 0))
    >>> made  # doctest: +ELLIPSIS
    <capsule object "dltensor" at 0x...>
    """
    if dtype.kind not in KINDS:
        known = "integers, floats and booleans"
        raise BufferError(f"DLPack exchanges {known}, not arrays of {dtype}.")
    steps = [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]
    layout = (ctypes.c_int64 * (2 * len(shape)))(*shape, *steps)
    where = ctypes.addressof(layout)
    kind = KINDS[dtype.kind], 8 * dtype.itemsize, 1
    described = Tensor(address or None, *place, len(shape), *kind, where, where + 8 * len(shape), 0)
    managed: Any
    if version:
        managed = VersionedManaged(*VERSION, None, _RELEASE, flags, described)
    else:
        managed = Managed(described, None, _RELEASE)
    here = ctypes.addressof(managed)
    _held[here] = managed, layout, owner
    return _new(here, NAMES[version], _DESTROY)


__all__ = ["DEVICE", "HOST", "capsule"]

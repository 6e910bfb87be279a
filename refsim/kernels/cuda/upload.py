"""Live arrays of the host on the way to the device.

The driver reads memory that is locked in place several times faster than other memory. A weight is copied in each
pass, so a large one is locked at its first copy, and let go with the array.
"""

from __future__ import annotations

import weakref
from typing import Any

from ..cpu.arrays import Array
from .device import DeviceArray, on_device
from .points import SIMULATED

WORTHWHILE = 2**25 + 1
"""Bytes from which memory is locked; the C library gives such arrays pages of their own."""
_locked: set[int] = set()
"""Arrays whose memory is locked, or cannot be, by their identity."""


def _driver() -> Any:
    from numba.cuda.cudadrv.driver import driver

    return driver


def _errors() -> Any:
    from numba.cuda.cudadrv.driver import CudaAPIError

    return CudaAPIError


def _lock(x: Array) -> None:
    """Locks the memory of an array as long as it lives; where that cannot be had, copies are slower."""
    key, address = id(x), x.ctypes.data
    _locked.add(key)
    weakref.finalize(x, _locked.discard, key).atexit = False
    try:
        _driver().cuMemHostRegister(address, x.nbytes, 0)
    except _errors():
        return
    weakref.finalize(x, _driver().cuMemHostUnregister, address).atexit = False


def uploaded(x: Array) -> DeviceArray:
    """A copy of a live array on the device.

    The copy may still be under way; whoever changes the array afterwards has to wait for the current stream first.
    """
    if not SIMULATED and x.nbytes >= WORTHWHILE and id(x) not in _locked:
        _lock(x)
    return on_device(x)


__all__ = ["uploaded"]

"""Products by NVIDIA's cuBLAS, where it is there; loaded at the first product.

It adds in an order of its own, and rounds each step to nearest, as IEEE 754 has it: so it keeps the bound of the
clauses MV, and the bits are those of the project's own product. Emulation of float64, which would not, stays off.
"""

from __future__ import annotations

import ctypes
import functools
import importlib.util
import os
import threading
import weakref
from pathlib import Path
from typing import Any

from ...errors import BackendError
from .device import NoMemory
from .points import CUDA, SIMULATED

EMULATION = "CUBLAS_EMULATE_DOUBLE_PRECISION"
"""With it, cuBLAS makes a float64 product from integers of a few bits, outside of the bound."""
DEFAULT_MATH = 0
"""The mode in which nothing is emulated and no digits are left out."""
NO_MEMORY = 3
NAMES = {4: "cublasSgemm_v2_64", 8: "cublasDgemm_v2_64"}
SCALARS: dict[int, Any] = {4: ctypes.c_float, 8: ctypes.c_double}
Pointer, Size = ctypes.c_void_p, ctypes.c_int64


class Absent(Exception):
    """Why the library is not used."""


class Handle:
    """A handle of the library, given back when it is forgotten."""

    def __init__(self, functions: Any) -> None:
        made = ctypes.c_void_p()
        status = functions.cublasCreate_v2(ctypes.byref(made))
        status = status or functions.cublasSetMathMode(made, DEFAULT_MATH)
        if status:
            raise Absent(f"cuBLAS cannot be set up (its status is {status})")
        self.value = made.value
        weakref.finalize(self, functions.cublasDestroy_v2, made.value).atexit = False


class Library:
    """The functions of a loaded cuBLAS, and a handle for each thread and device.

    Parameters
    ----------
    functions
        The shared library, or what stands in for it.
    """

    def __init__(self, functions: Any) -> None:
        self.functions, self._local = functions, threading.local()
        for size, name in NAMES.items():
            scalar = ctypes.POINTER(SCALARS[size])
            left, right, out = (Pointer, Size), (Pointer, Size), (scalar, Pointer, Size)
            shape = Pointer, ctypes.c_int, ctypes.c_int, Size, Size, Size, scalar
            getattr(functions, name).argtypes = *shape, *left, *right, *out
        functions.cublasSetStream_v2.argtypes = Pointer, Pointer
        functions.cublasSetMathMode.argtypes = Pointer, ctypes.c_int
        functions.cublasDestroy_v2.argtypes = (Pointer,)

    def version(self) -> str:
        """Major, minor and patch number."""
        found = ctypes.c_int()
        parts = []
        for which in range(3):
            self.functions.cublasGetProperty(which, ctypes.byref(found))
            parts.append(str(found.value))
        return ".".join(parts)

    def handle(self) -> Any:
        """The handle of this thread on the current device.

        Raises
        ------
        Absent
            If the library cannot be set up.
        """
        device, handles = _device(), vars(self._local).setdefault("handles", {})
        if device not in handles:
            handles[device] = Handle(self.functions)
        return handles[device].value

    def multiply(self, item: int, stream: int, *given: Any) -> None:
        """``C = op(A) op(B)`` in the memory order of Fortran.

        Parameters
        ----------
        item
            4 for float32, 8 for float64.
        stream
            The number of the stream.
        given
            Whether ``A`` and ``B`` are transposed, the lengths of ``C`` and of its sums, then address and distance of
            columns of ``A``, ``B`` and ``C``.

        Raises
        ------
        BackendError
            If the library refuses.
        """
        (ta, tb, m, n, k), a, b, c = given[:5], given[5:7], given[7:9], given[9:11]
        one, zero = (ctypes.byref(SCALARS[item](value)) for value in (1, 0))
        handle = self.handle()
        status = self.functions.cublasSetStream_v2(handle, stream)
        gemm = getattr(self.functions, NAMES[item])
        status = status or gemm(handle, int(ta), int(tb), m, n, k, one, *a, *b, zero, *c)
        if status == NO_MEMORY:
            raise NoMemory("the GPU has no memory left for cuBLAS; use smaller batches.")
        if status:
            raise BackendError(f"a product of cuBLAS failed (its status is {status}).")


def _device() -> int:
    """The number of the current device, whose context is there afterwards."""
    return int(CUDA.current_context().device.id)


def _path() -> Path | str:
    """Where the library lies: where NVIDIA's packages look for it, or in a package anywhere on the path."""
    from cuda.pathfinder import load_nvidia_dynamic_lib

    try:
        return str(load_nvidia_dynamic_lib("cublas").abs_path)
    except RuntimeError:
        spec = importlib.util.find_spec("nvidia")
        for folder in (spec and spec.submodule_search_locations) or ():
            for path in sorted(Path(folder).glob("*/lib/libcublas.so.*")):
                for other in path.parent.glob("libcublasLt.so.*"):
                    ctypes.CDLL(str(other))  # which the library needs
                return path
    raise Absent("cuBLAS is not installed")


def _load() -> Library | str:
    """The library, or why there is none; from now on, the environment says that emulation is off."""
    os.environ.setdefault(EMULATION, "0")
    try:
        library = Library(ctypes.CDLL(str(_path())))
        library.handle()
    except Absent as reason:
        return str(reason)
    except (OSError, AttributeError, ImportError) as error:
        return f"cuBLAS cannot be loaded ({' '.join(str(error).split())})"
    return library


_loaded = functools.cache(_load)


def library() -> Library | str:
    """cuBLAS, or the reason why products are the project's own."""
    if SIMULATED:
        return "there is no GPU but a simulator"
    if os.environ.get(EMULATION, "0") not in ("", "0"):
        return f"{EMULATION} is set, with which cuBLAS rounds otherwise"
    return _loaded()


def description() -> str:
    """What computes products, for a reader."""
    found = library()
    return f"refsim's own; {found}" if isinstance(found, str) else f"cuBLAS {found.version()}"


__all__ = ["Absent", "Library", "description", "library"]

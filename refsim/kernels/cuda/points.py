"""The scalar bodies, compiled for CUDA, and how a kernel is declared.

CUDA contracts a product and a sum unless both name their rounding. So ``mul`` and ``add`` become the instructions
``mul.rn`` and ``add.rn``, which are never contracted; ``whole``, ``floor`` and ``root`` are those of libdevice.
In the simulator, which is Python, the bodies are taken as they are.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import FunctionType
from typing import Any, TypeVar

import numpy as np
from numba import cuda

from .. import _jit, manual_points, points, quantiser_points, superaccumulator

CUDA: Any = cuda
SIMULATED = bool(_jit.NUMBA.config.ENABLE_CUDASIM)
"""Whether kernels run in the simulator, where each thread is one of Python's."""
BODIES = points, quantiser_points, manual_points, superaccumulator
Function = TypeVar("Function", bound=Callable[..., None])


def _product_sum(a: Any, b: Any, c: Any) -> Any:
    """``a * b + c`` where the product is exact, so that it does not matter how often it is rounded."""
    return a * b + c


def _same(function: Any) -> Any:
    return function


def _quiet(function: Any) -> Any:
    """The kernel without NumPy's warnings, which each thread of the simulator has to switch off."""
    quiet = np.errstate

    def call(*arguments: Any) -> None:
        with quiet(all="ignore"):
            function(*arguments)

    # the simulator looks for `cuda` in the names of the kernel's module
    made = FunctionType(
        call.__code__, function.__globals__, function.__name__, None, call.__closure__
    )
    return functools.update_wrapper(made, function)


def kernel(function: Function) -> Any:
    """A kernel, compiled at its first launch."""
    return CUDA.jit(_quiet(function) if SIMULATED else function)


def device_function(function: Any) -> Any:
    """A function that kernels call, compiled into each of them."""
    return function if SIMULATED else CUDA.jit(device=True)(function)


def _bound() -> Any:
    if SIMULATED:
        return _jit.bind(_same, *BODIES, product_sum=_product_sum)
    from .instructions import INSTRUCTIONS

    return _jit.bind(device_function, *BODIES, **INSTRUCTIONS)


P: Any = _bound()

"""Arrays on the device and the launch of kernels.

A public function computes on device arrays. Arrays of the host are copied to the device before it and back after it,
unless an argument is a device array already: then that is used in place and the results are device arrays, too.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar, cast

import numpy as np

from ...errors import BackendError, InputError
from . import streams
from .points import CUDA, SIMULATED
from .results import leaving
from .streams import current
from .streams import stream as stream
from .streams import synchronise as synchronise

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
DeviceArray = Any

THREADS = 2 if SIMULATED else 256
"""Threads of a block; a thread of the simulator costs a millisecond."""
MOST_BLOCKS = 2 if SIMULATED else 2**15
"""Beyond them, each thread takes several elements."""
COUNTING_BLOCKS = 2 if SIMULATED else 2**10
"""Of kernels in which each thread adds to one and the same number at its end."""
FEWEST_BLOCKS = 1 if SIMULATED else 128
"""numba warns of fewer; a block without an element ends at once."""
KINDS_OF_DEVICE = (2, 13)
"""DLPack's numbers for memory of CUDA and managed memory."""


class NoMemory(BackendError):
    """The memory of the device is used up."""


# arrays


def is_device_array(x: object) -> bool:
    """Whether the memory of an array is that of a CUDA device."""
    if isinstance(x, np.ndarray | np.generic):
        return False
    if hasattr(x, "__cuda_ndarray__"):
        return True
    place = getattr(x, "__dlpack_device__", None)
    if place is not None:
        return place()[0] in KINDS_OF_DEVICE
    return hasattr(x, "__cuda_array_interface__")


def taken(x: Any) -> DeviceArray:
    """A device array in place, without a copy; the current stream waits for the one of the array."""
    if hasattr(x, "__cuda_ndarray__"):
        found = x
    elif hasattr(x, "__dlpack_device__"):
        found = _from_dlpack(x)
    else:
        found = CUDA.as_cuda_array(x, sync=False)
    if not found.is_c_contiguous():
        raise InputError(
            f"a device array of shape {tuple(found.shape)} is not C-contiguous, "
            "allowed are C-contiguous device arrays; copy it first."
        )
    if found.stream:
        streams.follow(current(), found.stream)
    return found


def _from_dlpack(x: Any) -> DeviceArray:
    """A view of the memory behind ``__dlpack__``, which keeps its owner alive; its library orders the streams."""
    from cuda.core.utils import StridedMemoryView

    try:
        view = StridedMemoryView.from_dlpack(x, stream_ptr=streams.number(current()))
    except (BufferError, RuntimeError) as error:
        raise InputError(f"a device array cannot be used in place: {error}") from None
    strides = None if view.strides is None else [n * view.dtype.itemsize for n in view.strides]
    described = {
        "shape": tuple(view.shape),
        "strides": None if strides is None else tuple(strides),
        "typestr": view.dtype.str,
        "data": (view.ptr, bool(view.readonly)),
        "version": 3,
    }
    return CUDA.from_cuda_array_interface(described, owner=view)


@contextmanager
def _enough_memory(size: int) -> Iterator[None]:
    """Says in one sentence that the device has no memory left."""
    try:
        yield
    except Exception as error:
        if "out of memory" not in str(error).lower() and "OUT_OF_MEMORY" not in str(error):
            raise
        message = f"the GPU has no memory left for {size} bytes; use smaller batches."
        raise NoMemory(message) from None


def empty(shape: int | tuple[int, ...], T: Any) -> DeviceArray:
    """A new array on the device, its contents undefined."""
    T = np.dtype(T)
    with _enough_memory(math.prod(np.atleast_1d(shape).tolist()) * T.itemsize):
        return CUDA.device_array(shape, T, stream=current())


def on_device(x: Any) -> DeviceArray:
    """The array on the device: in place if it is there already, else a copy."""
    if is_device_array(x):
        return taken(x)
    with _enough_memory(x.nbytes):
        return CUDA.to_device(np.ascontiguousarray(x), stream=current())


def copied_there(x: Any) -> DeviceArray:
    """A copy on the device, as it leaves."""
    return leaving(on_device(x))


def on_host(x: DeviceArray) -> Any:
    """A copy on the host; waits for what the current stream has to compute."""
    x = taken(x)
    found = x.copy_to_host(stream=current())
    if waited := current() or x.stream:
        waited.synchronize()
    return found


def first(x: DeviceArray) -> Any:
    """The first element, as a scalar of the host."""
    return on_host(x)[0]


def flat(x: DeviceArray) -> DeviceArray:
    """The elements on one axis; in place of an empty array, which has no address, one that is not read."""
    return x.reshape(x.size) if x.size else empty(1, x.dtype)


def rows(x: DeviceArray, count: int, width: int) -> DeviceArray:
    """The elements on two axes."""
    return x.reshape(count, width) if x.size else empty((count, width), x.dtype)


def _gone_over(change: Callable[[Any], Any], wanted: Callable[[Any], bool], value: Any) -> Any:
    """The value, or the parts of a tuple, with some of them changed."""
    if isinstance(value, tuple):
        return tuple(_gone_over(change, wanted, part) for part in value)
    return change(value) if wanted(value) else value


def _is_host_array(x: object) -> bool:
    return isinstance(x, np.ndarray) and x.ndim > 0


def _any_device_array(values: Any) -> bool:
    return any(_any_device_array(x) if isinstance(x, tuple) else is_device_array(x) for x in values)


def computed_on_device(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """A public function: arrays of the host travel to the device and back, device arrays stay where they are."""

    @functools.wraps(function)
    def call(*given: Arguments.args, **named: Arguments.kwargs) -> Result:
        stays = _any_device_array([*given, *named.values()])

        def placed(value: Any) -> Any:
            return _gone_over(on_device, lambda x: _is_host_array(x) or is_device_array(x), value)

        result = function(
            *map(placed, given), **{name: placed(value) for name, value in named.items()}
        )
        return cast(Result, _gone_over(leaving if stays else on_host, is_device_array, result))

    return call


def computed_on_host(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """A public function that computes on the host: device arrays are copied there and the resulting arrays back."""

    @functools.wraps(function)
    def call(*given: Arguments.args, **named: Arguments.kwargs) -> Result:
        stays = _any_device_array([*given, *named.values()])

        def placed(value: Any) -> Any:
            return _gone_over(on_host, is_device_array, value)

        result = function(
            *map(placed, given), **{name: placed(value) for name, value in named.items()}
        )
        return cast(Result, _gone_over(copied_there, _is_host_array, result)) if stays else result

    return call


# launches


def start(kernel: Any, blocks: Any, threads: Any, *arguments: Any) -> None:
    """Launches a kernel on the current stream."""
    kernel[blocks, threads, current()](*arguments)


def blocks(wanted: int, most: int | None = None) -> int:
    """How many blocks to launch."""
    return max(min(wanted, most or MOST_BLOCKS), FEWEST_BLOCKS)


def launch(kernel: Any, count: int, *arguments: Any, most: int | None = None) -> None:
    """Launches a kernel that goes over ``count`` elements."""
    if count:
        start(kernel, blocks(-(-count // THREADS), most), THREADS, *arguments)


def launch_rows(
    kernel: Any, shape: tuple[int, int], *arguments: Any, most: int | None = None
) -> None:
    """Launches a kernel that goes over rows and columns."""
    count, width = shape
    if not count or not width:
        return
    across = min(1 << (width - 1).bit_length(), THREADS)
    along, limit = THREADS // across, most or MOST_BLOCKS
    wide = min(-(-width // across), limit)
    tallest = MOST_BLOCKS if most is None else max(1, most // wide)
    high = max(min(-(-count // along), tallest), -(-FEWEST_BLOCKS // wide))
    start(kernel, (wide, high), (across, along), *arguments)

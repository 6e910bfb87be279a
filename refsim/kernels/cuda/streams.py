"""The stream that work is put on, and the order between streams."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from ...errors import InputError
from .points import CUDA, SIMULATED

DEFAULT = 1
"""The number of the legacy default stream, which numba calls 0."""
_stream: ContextVar[Any] = ContextVar("stream", default=0)


def number(handle: Any) -> int:
    """The number of a stream of any library.

    Raises
    ------
    InputError
        If it is none.

    Examples
    --------
    >>> number(0), number(2), number(94021)
    (1, 2, 94021)
    """
    if hasattr(handle, "__cuda_stream__"):
        protocol = handle.__cuda_stream__
        handle = (protocol() if callable(protocol) else protocol)[1]
    found = getattr(handle, "ptr", getattr(handle, "cuda_stream", handle))
    try:
        return int(found) or DEFAULT
    except (TypeError, ValueError):
        kinds = "streams of numba, CuPy, PyTorch or cuda.core and numbers of handles"
        raise InputError(f"stream is {handle!r}, allowed are {kinds}.") from None


def numbas(handle: Any) -> Any:
    """A stream as numba takes it, 0 for the default one; it keeps alive what it was made from."""
    if SIMULATED or number(handle) == DEFAULT:
        return 0
    made = CUDA.external_stream(number(handle))
    made.owner = handle
    return made


@contextmanager
def stream(handle: Any) -> Iterator[None]:
    """Whatever is computed inside runs on a stream: numba's, CuPy's, PyTorch's, or the number of its handle."""
    token = _stream.set(numbas(handle))
    try:
        yield
    finally:
        _stream.reset(token)


def current() -> Any:
    """The stream of this thread as numba takes it, 0 for the default one."""
    return _stream.get()


def synchronise() -> None:
    """Waits for all that was started on the current stream."""
    chosen = current()
    if chosen:
        chosen.synchronize()
    else:
        CUDA.synchronize()


def follow(later: Any, earlier: Any) -> None:
    """What is put on one stream from now on waits for what has been put on another; the host does not."""
    if number(later) != number(earlier):
        event = CUDA.event(timing=False)
        event.record(earlier)
        event.wait(later)


__all__ = ["current", "follow", "numbas", "number", "stream", "synchronise"]

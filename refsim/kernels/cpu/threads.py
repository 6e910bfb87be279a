"""A small pool of threads for kernels that run over a range of rows; the results do not depend on it.

To hand a part to another thread and to wait for it takes about 0.1 ms, so only long kernels are worth it. The pool does
not go together with the threads of BLAS, which keep their processors busy for a while after each product.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock, local
from typing import Any

from ...errors import InputError
from . import blas
from .arrays import QUIET

ELEMENTS = 2_000_000
"""Elements from which an element-wise kernel is worth more than one thread."""
MULTIPLY_ADDS = 100_000_000
"""Multiply-adds of one instruction each from which a product is worth more than one thread."""


BESIDE_BLAS = 20
"""The same in multiples, for a product that BLAS could share among its threads."""


class Pool:
    """Threads that are started at the first use and forgotten in a forked child."""

    def __init__(self) -> None:
        self.size = 0
        self.forget()

    def forget(self) -> None:
        """Drops the threads; the next use starts new ones."""
        self.executor: ThreadPoolExecutor | None = None
        self.lock = Lock()

    def resize(self, size: int) -> None:
        """Changes the number of threads once the running kernels are done."""
        with self.lock:
            if self.executor is not None:
                self.executor.shutdown(wait=False)
            self.executor, self.size = None, size

    def submit(
        self, kernel: Callable[..., None], parts: list[tuple[object, ...]]
    ) -> list[Future[None]]:
        """Starts the kernel on each list of arguments."""
        with self.lock:
            if self.executor is None:
                self.executor = ThreadPoolExecutor(max(1, self.size - 1), "refsim")
            return [self.executor.submit(kernel, *part) for part in parts]


def available() -> int:
    """``REFSIM_NUM_THREADS``, or the number of CPUs that this process may use."""
    if chosen := os.environ.get("REFSIM_NUM_THREADS"):
        if not chosen.isascii() or not chosen.isdigit() or int(chosen) == 0:
            raise InputError(f"REFSIM_NUM_THREADS is {chosen!r}; it must be a positive integer.")
        return int(chosen)
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


_pool = Pool()
_here = local()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.forget)


def get_num_threads() -> int:
    """Number of threads that large operations use."""
    if _pool.size == 0:
        _pool.resize(available())
    return _pool.size


def set_num_threads(n: int) -> None:
    """Sets the number of threads that large operations use."""
    if type(n) is not int or n < 1:
        raise InputError(f"n is {n!r}; the number of threads must be a positive integer.")
    _pool.resize(n)


def run_elements(kernel: Callable[..., None], arrays: Sequence[Any], *scalars: object) -> None:
    """Runs ``kernel(*arrays, *scalars)`` on flat arrays of one size (or 0), in parts on several threads if large."""
    size = max(x.size for x in arrays)

    def part(begin: int, end: int) -> None:
        kernel(*(x[begin:end] for x in arrays), *scalars)

    run(part, size, size > ELEMENTS)


def run(kernel: Callable[..., None], count: int, worthwhile: bool, *arguments: object) -> None:
    """Runs ``kernel(begin, end, *arguments)`` over ``range(count)``, in parts on several threads if worthwhile."""
    within_part = getattr(_here, "within", False)
    parts = min(get_num_threads(), count) if worthwhile and not within_part else 1
    if parts < 2:
        return kernel(0, count, *arguments)
    edges = [count * part // parts for part in range(parts + 1)]
    given = [(kernel, edges[p], edges[p + 1], *arguments) for p in range(1, parts)]
    with blas.one_thread.held():
        others = _pool.submit(_part, given)
        _part(kernel, edges[0], edges[1], *arguments)
        for other in others:
            other.result()


@QUIET
def _part(kernel: Callable[..., None], *arguments: object) -> None:
    """Runs a part, and what that runs in turn on this thread alone; each thread has NumPy's settings of its own."""
    _here.within = True
    try:
        kernel(*arguments)
    finally:
        _here.within = False


def worth(multiply_adds: int) -> bool:
    """Whether a product is worth the pool; while BLAS may use threads of its own, only a far larger one is."""
    return multiply_adds > MULTIPLY_ADDS * (1 if alone() else BESIDE_BLAS)


def alone() -> bool:
    """Whether a product needs BLAS kept to one thread: the pool has been used, or there is to be one only."""
    needed = _pool.executor is not None or get_num_threads() == 1
    return needed and not getattr(_here, "within", False)  # there it is already

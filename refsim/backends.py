"""The writings of the clauses by name; each is a module with the same functions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache, partial
from importlib import import_module
from types import SimpleNamespace
from typing import Any

from .errors import BackendError

_replaced: ContextVar[dict[str, Any]] = ContextVar("replaced", default={})  # noqa: B039  never changed
_MODULES = {
    "spec": "refsim.spec",
    "cpu": "refsim.kernels.cpu",
    "cuda": "refsim.kernels.cuda",
}


def available() -> tuple[str, ...]:
    """Names that ``load`` accepts on this machine; ``"cuda"`` is among them where it runs.

    >>> available()[:2]
    ('spec', 'cpu')
    """
    absent = import_module("refsim.kernels.gpu").missing()
    return tuple(name for name in _MODULES if name != "cuda" or absent is None)


@cache
def _with_fast_products(name: str) -> SimpleNamespace:
    """The functions of a backend, products in plain BLAS."""
    fast = import_module("refsim.kernels.cuda.fast" if name == "cuda" else "refsim.kernels.fast")
    module = load(name)
    functions = {function: getattr(module, function) for function in module.__all__}
    functions |= {function: getattr(fast, function) for function in fast.__all__}
    functions |= {part: getattr(module, part, None) for part in ("threads", "resident")}
    functions["crossbar_output"] = partial(module.crossbar_output, product=fast.matrix_product)
    return SimpleNamespace(**functions)


def load(name: str, matmul: str = "exact") -> Any:
    """The functions of a backend, imported at the first request.

    Parameters
    ----------
    name
        ``"spec"``, the readable NumPy writing, ``"cpu"``, the compiled one, or ``"cuda"``, the one for NVIDIA GPUs;
        all return the same bits.
    matmul
        ``"exact"``, or ``"fast"`` for matrix products in plain BLAS, whose bits depend on the machine.

    Returns
    -------
    A module with one function for each clause, or for ``"fast"`` an object with the same functions.

    Raises
    ------
    BackendError
        If the name is unknown, or names a backend that lacks something on this machine.

    Examples
    --------
    >>> load("spec").__name__
    'refsim.spec'
    """
    if name in _replaced.get():
        return _replaced.get()[name]
    if name not in tuple(_MODULES):
        allowed = ", ".join(f'"{known}"' for known in _MODULES)
        raise BackendError(f"backend is {name!r}; the allowed names are {allowed}.")
    if name == "cuda" and (absent := import_module("refsim.kernels.gpu").missing()):
        raise BackendError(f'backend "cuda" does not run here: {absent}.')
    return import_module(_MODULES[name]) if matmul == "exact" else _with_fast_products(name)


@contextmanager
def replaced(name: str, functions: Any) -> Iterator[None]:
    """Within the block, and in this thread alone, a backend has these functions; for the study of mistakes.

    Parameters
    ----------
    name
        The backend.
    functions
        An object with one function for each clause.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> with replaced("spec", SimpleNamespace(total=sum)):
    ...     load("spec").total([1, 2])
    3
    """
    token = _replaced.set({**_replaced.get(), name: functions})
    try:
        yield
    finally:
        _replaced.reset(token)


__all__ = ["available", "load", "replaced"]

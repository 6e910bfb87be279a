"""The writings of the clauses by name; each is a module with the same functions."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from .errors import BackendError

_MODULES = {"spec": "refsim.spec", "cpu": "refsim.kernels.cpu"}


def available() -> tuple[str, ...]:
    """Names that ``load`` accepts.

    >>> available()
    ('spec', 'cpu')
    """
    return tuple(_MODULES)


def load(name: str) -> Any:
    """The module of a backend, imported at the first request.

    Parameters
    ----------
    name
        ``"spec"``, the readable NumPy writing, or ``"cpu"``, the compiled one; both return the same bits.

    Returns
    -------
    A module with one function for each clause.

    Raises
    ------
    BackendError
        If the name is unknown, or names a backend that this version does not have.

    Examples
    --------
    >>> load("spec").__name__
    'refsim.spec'
    """
    if name == "cuda":
        raise BackendError('This version has no CUDA kernels; use backend "cpu" or "spec".')
    if name not in available():
        allowed = ", ".join(f'"{known}"' for known in _MODULES)
        raise BackendError(f"backend is {name!r}; the allowed names are {allowed}.")
    return import_module(_MODULES[name])


__all__ = ["available", "load"]

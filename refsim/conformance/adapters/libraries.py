"""Libraries that an adapter needs and refsim does not: imported when they are used."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from refsim.errors import BackendError

__all__ = ["library"]


def library(name: str) -> Any:
    """A module of a library that refsim does not depend on.

    Parameters
    ----------
    name
        Its dotted name.

    Raises
    ------
    BackendError
        If it cannot be imported here.

    Examples
    --------
    >>> library("json").loads("1")
    1
    >>> library("no_such_library.tiles")
    Traceback (most recent call last):
        ...
    refsim.errors.BackendError: no_such_library.tiles cannot be imported (No module named 'no_such_library'), which
    this adapter needs; run it in an environment that has it.
    """
    try:
        return import_module(name)
    except (ImportError, OSError) as error:
        raise BackendError(
            f"{name} cannot be imported ({error}), which this adapter needs; run it in an environment that has it."
        ) from error

"""A mistake: the function of the specification that it is made in, written wrongly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from refsim import spec

Function = Callable[..., Any]


@dataclass(frozen=True)
class Wrong:
    """One mistake in one clause.

    Parameters
    ----------
    clause
        The clause that is broken.
    mistake
        The mistake in a few words.
    name
        The function of the specification that it is made in.
    function
        The wrong function.
    """

    clause: str
    mistake: str
    name: str
    function: Function

    @property
    def ops(self) -> SimpleNamespace:
        """The specification with the function replaced."""
        right = {name: getattr(spec, name) for name in spec.__all__}
        return SimpleNamespace(**{**right, self.name: self.function})

    def __str__(self) -> str:
        return f"{self.clause} {self.mistake}"


def mistakes(clause: str, name: str, **functions: Function) -> list[Wrong]:
    """The mistakes in one function of a clause, each named in a few words."""
    return [Wrong(clause, key.replace("_", " "), name, f) for key, f in functions.items()]


def zero(x: Any) -> Any:
    """Zero of the type of ``x``."""
    return x.dtype.type(0)


def one(x: Any) -> Any:
    """One of the type of ``x``."""
    return x.dtype.type(1)

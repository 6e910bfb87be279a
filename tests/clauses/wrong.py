"""Wrong writings of the clauses that an engineer might well produce; the checks must reject each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from refsim import spec

Function = Callable[..., Any]


@dataclass(frozen=True)
class Wrong:
    """One mistake in one clause: the specification with a function replaced."""

    clause: str
    mistake: str
    name: str
    function: Function

    @property
    def ops(self) -> SimpleNamespace:
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

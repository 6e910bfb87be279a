"""The base of every parameter class: validation, comparison and printing, written once."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import fields
from enum import Enum
from functools import cache
from types import NoneType
from typing import Any, ClassVar, Final, Self, cast, get_type_hints

from refsim.config.checks import checked, nearest
from refsim.config.printing import printed
from refsim.errors import ConfigError

__all__ = ["Parameters", "field_hints", "latest_change", "unknown_field"]


FIXED: Final = (bool, int, float, str, Enum, type, NoneType)
"""Types of values that cannot change."""

_latest: dict[str, object] = {"change": object()}


def latest_change() -> object:
    """An object that stands for the last assignment to a field of any parameters: another one after each."""
    return _latest["change"]


class Parameters:
    """Base of the parameter dataclasses: values are checked when given and when assigned.

    Raises
    ------
    ConfigError
        If a field is unknown, or a value has the wrong type or is impossible.

    Examples
    --------
    >>> from refsim.config import IOParameters
    >>> io = IOParameters(out_noise=0.04)
    >>> io.out_noise = "high"
    Traceback (most recent call last):
        ...
    refsim.errors.ConfigError: IOParameters.out_noise is 'high', but it must be a number in
    [0, inf).
    >>> IOParameters(inp_rez=254)
    Traceback (most recent call last):
        ...
    refsim.errors.ConfigError: IOParameters.inp_rez is not a field; did you mean inp_res?
    """

    absent: ClassVar[Mapping[str, str]] = {}
    """Fields that aihwkit has and refsim has not, with the reason."""

    def __new__(cls, *_values: object, **named: object) -> Self:
        """Refuse an unknown field before the constructor of the dataclass sees it."""
        for name in named:
            if name not in field_hints(cls):
                raise unknown_field(cls, name)
        return super().__new__(cls)

    def __setattr__(self, name: str, value: object) -> None:
        hint = field_hints(type(self)).get(name)
        if hint is None:
            raise unknown_field(type(self), name)
        super().__setattr__(name, checked(f"{type(self).__name__}.{name}", value, hint))
        _latest["change"] = object()

    def __delattr__(self, name: str) -> None:
        raise ConfigError(f"{type(self).__name__}.{name} cannot be deleted.")

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """A copy that shares nothing that can change; its values were checked when they were given."""
        made = object.__new__(type(self))
        memo[id(self)] = made
        for name, value in vars(self).items():
            vars(made)[name] = value if isinstance(value, FIXED) else deepcopy(value, memo)
        return made

    def __str__(self) -> str:
        return printed(self)

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={vars(self)[name]!r}" for name in field_hints(type(self)))
        return f"{type(self).__name__}({values})"

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        compared = [item.name for item in fields(cast(Any, self)) if item.compare]
        return all(vars(self)[name] == vars(other)[name] for name in compared)


def field_hints(cls: type) -> dict[str, Any]:
    """The annotation of each field of a parameter class, in the order of declaration."""
    return _field_hints(cls)


@cache
def _field_hints(cls: Any) -> dict[str, Any]:
    hints = get_type_hints(cls, include_extras=True)
    return {item.name: hints[item.name] for item in fields(cls)}


def unknown_field(cls: type[Parameters], name: str, in_file: bool = False) -> ConfigError:
    """The error for a *name* that is no field of *cls*; in a file it begins with the name."""
    subject = f"{name} is not a field of {cls.__name__}"
    reason = cls.absent.get(name)
    text = f"{reason}." if reason else nearest(name, list(field_hints(cls)))
    return ConfigError(f"{subject if in_file else f'{cls.__name__}.{name} is not a field'}; {text}")

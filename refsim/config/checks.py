"""Whether a value fits the annotation of a field, and the sentence that says why it does not.

The annotation is the rule: ``bool``, ``str``, an enumeration, a ``Literal``, a class, a list, a
union, or one of the numeric types defined here. NumPy scalars become Python scalars; an ``int`` is
accepted for a ``float`` and kept; a ``bool`` is no number; NaN is refused everywhere.

>>> checked("InputRangeParameter.decay", 1, Real)
1
>>> checked("InputRangeParameter.decay", float("inf"), Real)
Traceback (most recent call last):
    ...
refsim.errors.ConfigError: InputRangeParameter.decay is inf, but it must be a finite number.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from difflib import get_close_matches
from enum import Enum
from sys import float_info
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

import numpy as np

from refsim.errors import ConfigError

__all__ = [
    "REFUSED",
    "Integer",
    "Interval",
    "Number",
    "Percentage",
    "Positive",
    "Real",
    "Strength",
    "checked",
    "nearest",
    "shown",
]

REFUSED: Final = object()
"""What a check returns for a value that does not fit (``None`` may fit)."""

_INT64: Final = range(-(2**63), 2**63)


@dataclass(frozen=True)
class Interval:
    """An interval of numbers; ``ends`` holds its brackets, and a round one excludes the end."""

    low: float
    high: float
    ends: Literal["[]", "[)", "(]", "()"] = "[]"

    def __contains__(self, value: float) -> bool:
        above = self.low <= value if self.ends[0] == "[" else self.low < value
        below = value <= self.high if self.ends[1] == "]" else value < self.high
        return above and below

    def described(self, kind: str) -> str:
        """What lies in the interval, as words: *kind* is "a number" or "a 64-bit integer"."""
        if math.isinf(self.low) and math.isinf(self.high):
            return kind if self.ends == "[]" else kind.replace("a number", "a finite number")
        return f"{kind} in {self.ends[0]}{self.low:g}, {self.high:g}{self.ends[1]}"


Integer = int
"""Any integer of 64 bits."""
Number = float
"""Any number, the infinities included."""
Real = Annotated[float, Interval(-math.inf, math.inf, "()")]
"""A finite number."""
Strength = Annotated[float, Interval(0, math.inf, "[)")]
"""A finite number that is not negative, for example a standard deviation."""
Positive = Annotated[float, Interval(0, math.inf, "()")]
"""A finite number above zero."""
Percentage = Annotated[float, Interval(0, 1)]
"""A fraction or probability from 0 to 1."""


def checked(where: str, value: object, hint: Any) -> Any:
    """Return *value* as the field stores it, or raise a `ConfigError` that names *where*."""
    result = _accepted(value, hint)
    if result is REFUSED:
        raise ConfigError(f"{where} is {shown(value)}, but it must be {_described(hint)}.")
    return result


def shown(value: object) -> str:
    """The value as one short line for a message."""
    try:
        text = " ".join(str(value).split() if isinstance(value, Enum) else repr(value).split())
    except ValueError:  # an integer with too many digits to print
        return f"an {type(value).__name__} beyond 64 bits"
    return text if len(text) <= 80 else f"{text[:77]}..."


def nearest(name: str, names: list[str]) -> str:
    """A hint for a misspelt *name*: the closest of *names*, or all of them."""
    close = get_close_matches(name, names, n=1)
    return f"did you mean {close[0]}?" if close else f"it has {', '.join(names)}."


def _accepted(value: Any, hint: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if hasattr(hint, "accepted"):
        return hint.accepted(value)
    origin = get_origin(hint)
    if origin is None:
        return value if _is_instance(value, hint) else REFUSED
    arguments = get_args(hint)
    if origin is Annotated:
        result = _accepted(value, arguments[0])
        return result if result is not REFUSED and result in arguments[1] else REFUSED
    if origin is Literal:
        fits = any(type(value) is type(choice) and value == choice for choice in arguments)
        return value if fits else REFUSED
    if origin in (Union, UnionType):
        results = (_accepted(value, member) for member in arguments)
        return next((result for result in results if result is not REFUSED), REFUSED)
    return _accepted_list(value, arguments[0])


def _accepted_list(value: Any, hint: Any) -> Any:
    if type(value) not in (list, tuple):
        return REFUSED
    items = [_accepted(item, hint) for item in value]
    return REFUSED if REFUSED in items else items


def _is_instance(value: Any, kind: type) -> bool:
    if kind is float:
        exact = type(value) is int and abs(value) <= float_info.max
        return exact or (type(value) is float and not math.isnan(value))
    if kind is int:
        return type(value) is int and value in _INT64
    if kind is str:
        return type(value) is str and not any("\ud800" <= char <= "\udfff" for char in value)
    return isinstance(value, kind)


_KINDS: Final = {
    bool: "True or False",
    int: "a 64-bit integer",
    float: "a number",
    str: "text",
    NoneType: "None",
}


def _described(hint: Any) -> str:
    if hasattr(hint, "accepted"):
        return str(hint.described())
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return str(arguments[1].described(_described(arguments[0])))
    if origin is Literal:
        return _one_of(list(arguments))
    if origin in (Union, UnionType):
        return " or ".join(_described(member) for member in arguments)
    if origin is list:
        return f"a list whose items are each {_described(arguments[0])}"
    if issubclass(hint, Enum):
        return _one_of(list(hint))
    return _KINDS.get(hint) or f"an object of class {hint.__name__}"


def _one_of(choices: list[Any]) -> str:
    texts = [shown(choice) for choice in choices]
    return texts[0] if len(texts) == 1 else f"one of {', '.join(texts)}"

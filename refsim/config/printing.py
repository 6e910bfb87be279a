"""The printed form of a configuration, the one that aihwkit uses.

Fields stand in the order of their declaration. A field that still equals its plain default is left
out; a field that holds parameters of its own is always shown. An object that is perfect says
nothing else. Up to three fields share one line; more of them, or one that spans several lines, get
a line each.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, Field, field, fields
from textwrap import indent
from typing import Any, Final

__all__ = ["always", "hidden", "printed"]

_SHOW: Final = "show"
_INDENT: Final = "    "
_FIELDS_ON_A_LINE: Final = 3


def always(default: object) -> Any:
    """A field that is printed even when it has its *default*."""
    return field(default=default, metadata={_SHOW: True})


def hidden(factory: Callable[[], object]) -> Any:
    """A field made by a *factory* that is printed only when it differs from what that makes."""
    return field(default_factory=factory, metadata={_SHOW: False})


def printed(parameters: Any) -> str:
    """The printed form of a parameter object, as its ``str`` returns it."""
    name = type(parameters).__name__
    values = vars(parameters)
    if values.get("is_perfect"):
        return f"{name}(is_perfect=True)"
    texts = [
        f"{item.name}={_text(values[item.name])}"
        for item in fields(parameters)
        if _is_shown(item, values[item.name])
    ]
    if len(texts) > _FIELDS_ON_A_LINE or any("\n" in text for text in texts):
        return f"{name}(\n{_lines(texts)}\n)"
    return f"{name}({', '.join(texts)})"


def _is_shown(item: Field[Any], value: object) -> bool:
    show = item.metadata.get(_SHOW)
    if show is None and item.default is MISSING:
        return True
    if show is False and item.default_factory is not MISSING:
        return bool(value != item.default_factory())
    return bool(show or value != item.default)


def _text(value: object) -> str:
    if isinstance(value, list) and value:
        return f"[\n{_lines([str(item) for item in value])}\n]"
    return str(value)


def _lines(texts: list[str]) -> str:
    return indent(",\n".join(texts), _INDENT)

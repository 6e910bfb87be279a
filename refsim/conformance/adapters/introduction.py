"""How a program introduces itself: the answer to ``hello``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from refsim.errors import ConfigError

from .answers import malformed, shown
from .capabilities import Capabilities
from .capability_file import capabilities_from
from .wire import METHODS, PROTOCOL
from .wire_arrays import FORMS

__all__ = ["Introduction", "introduction"]


@dataclass(frozen=True)
class Introduction:
    """What a program told of itself.

    Parameters
    ----------
    name, version
        As it calls itself.
    methods
        The optional operations that it has.
    form
        The form in which it wants arrays.
    capabilities
        What it declares, None if it does not say.
    """

    name: str
    version: str
    methods: tuple[str, ...]
    form: str
    capabilities: Capabilities | None


def introduction(hello: Mapping[str, Any]) -> Introduction:
    """The introduction in a result of ``hello``.

    Raises
    ------
    TargetFailure
        If it speaks another version of the protocol, or something in it is not allowed.

    Examples
    --------
    >>> introduction({"protocol": 1, "name": "my tile", "methods": ["close"]}).form
    'base64'
    >>> introduction({"protocol": 2, "name": "my tile"})
    Traceback (most recent call last):
        ...
    refsim.errors.TargetFailure: the target speaks version 2 of the protocol, this refsim speaks 1
    (hello).
    """
    if hello["protocol"] != PROTOCOL or type(hello["protocol"]) is not int:
        raise malformed(
            f"the target speaks version {shown(hello['protocol'])} of the protocol, "
            f"this refsim speaks {PROTOCOL} (hello)."
        )
    methods, form = hello.get("methods", []), hello.get("arrays", FORMS[0])
    if not isinstance(methods, list) or not all(method in METHODS for method in methods):
        raise malformed(
            f"methods is {shown(methods)}, allowed are lists of {', '.join(METHODS)} (hello)."
        )
    if form not in FORMS:
        raise malformed(f"arrays is {shown(form)}, allowed are {', '.join(FORMS)} (hello).")
    name, version = _line(hello, "name"), _line(hello, "version")
    return Introduction(name, version, tuple(methods), form, _declared(hello))


def _line(hello: Mapping[str, Any], key: str) -> str:
    text = hello.get(key, "unknown")
    if not isinstance(text, str) or not 0 < len(text) <= 100 or not text.isprintable():
        raise malformed(f"{key} is {shown(text)}, allowed are texts of 1 to 100 letters (hello).")
    return text


def _declared(hello: Mapping[str, Any]) -> Capabilities | None:
    table = hello.get("capabilities")
    if table is None:
        return None
    try:
        if not isinstance(table, dict):
            raise ConfigError(f"they are {shown(table)}, but must be an object.")
        return capabilities_from({"name": hello["name"], **table})
    except ConfigError as error:
        raise malformed(f"the capabilities are wrong: {str(error).rstrip('.')} (hello).") from error

"""Messages: one request and one response a line, each a JSON object.

A request is ``{"id": 7, "op": "forward", ...}``, the response ``{"id": 7, "result": {...}}`` or
``{"id": 7, "error": {"kind": "unsupported", "text": "..."}}``. The page :doc:`/protocol` tells what each operation asks
for and answers; ``protocol.schema.json`` beside this file says the same to programs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from refsim.errors import TargetFailure, Unsupported

from .answers import malformed, plain_text, shown

__all__ = [
    "LONGEST_LINE",
    "METHODS",
    "PROTOCOL",
    "Answered",
    "line",
    "parsed",
    "request",
    "result",
    "schema",
]

PROTOCOL: Final = 1
"""The version of the protocol that this refsim speaks."""
LONGEST_LINE: Final = 2**25
"""No response may have more bytes."""
METHODS: Final = ("stages", "save", "load", "set_weights", "calibrate", "close")
"""Operations that a target may lack; it names those that it has."""
_MOST_BRACKETS: Final = 10**6
KINDS: Final = ("error", "unsupported", "memory", "malformed")
RESULTS: Final[Mapping[str, tuple[str, ...]]] = {
    "hello": ("protocol", "name"),
    "forward": ("output",),
    "backward": ("gradients",),
    "state": ("state",),
    "stages": ("stages",),
    "save": ("saved",),
}
MORE: Final[Mapping[str, tuple[str, ...]]] = {
    "hello": ("version", "methods", "arrays", "capabilities"),
    "forward": ("overwritten",),
    "backward": ("overwritten",),
}


class Answered(Exception):
    """A target answered with an error, in good form; it can be asked again.

    Parameters
    ----------
    failure
        What it answered.
    """

    def __init__(self, failure: TargetFailure | Unsupported) -> None:
        super().__init__(str(failure))
        self.failure = failure


def schema() -> dict[str, Any]:
    """The JSON Schema of all messages."""
    path = Path(__file__).with_name("protocol.schema.json")
    return json.loads(path.read_text(encoding="utf-8"))  # type: ignore[no-any-return]


def request(number: int, op: str, fields: Mapping[str, Any]) -> bytes:
    """The line of a request.

    Examples
    --------
    >>> request(3, "close", {"handle": 1})
    b'{"id":3,"op":"close","handle":1}\\n'
    """
    return line({"id": number, "op": op, **fields})


def line(message: Mapping[str, Any]) -> bytes:
    """A message as a line."""
    return json.dumps(message, separators=(",", ":"), allow_nan=False).encode() + b"\n"


def parsed(given: bytes) -> dict[str, Any]:
    """The JSON object of a line; a :class:`TargetFailure` if it is none, or larger than it looks.

    Examples
    --------
    >>> parsed(b'{"id": 3, "result": NaN}')
    Traceback (most recent call last):
        ...
    refsim.errors.TargetFailure: a line is not JSON (NaN must be written as "nan"): '{"id": 3,
    "result": NaN}'.
    """
    if given.count(b"[") + given.count(b"{") > _MOST_BRACKETS:
        raise malformed(f"a line has more than {_MOST_BRACKETS} brackets.")
    try:
        message = json.loads(
            given.decode("utf-8"), parse_constant=_no_constant, object_pairs_hook=_unique
        )
    except (ValueError, RecursionError) as error:
        begin = plain_text(given[:100].decode("utf-8", "replace"), 80)
        reason = str(error)[:100] if isinstance(error, ValueError) else "nested too deeply"
        raise malformed(f"a line is not JSON ({reason}): {begin!r}.") from error
    if not isinstance(message, dict):
        raise malformed(f"a line is {type(message).__name__}, allowed are JSON objects.")
    return message


def result(answer: bytes, number: int, op: str) -> dict[str, Any]:
    """The result in a response.

    Parameters
    ----------
    answer
        The line of the response.
    number, op
        Of the request.

    Raises
    ------
    TargetFailure
        If it is no response to this request.
    Answered
        If it is an error.

    Examples
    --------
    >>> result(b'{"id": 3, "result": {"output": [[1.0]]}}', 3, "forward")
    {'output': [[1.0]]}
    """
    message = parsed(answer)
    if message.keys() not in ({"id", "result"}, {"id", "error"}):
        names = ", ".join(map(repr, message))[:80] or "nothing"
        raise malformed(f"a response has {names}, allowed are id and either result or error.")
    if type(message["id"]) is not int or message["id"] != number:
        raise malformed(f"a response has the id {shown(message['id'])}, asked was {number}.")
    if "error" in message:
        raise Answered(_error(message["error"]))
    return _fields(message["result"], op)


def _fields(found: Any, op: str) -> dict[str, Any]:
    needed = RESULTS.get(op, ())
    if not isinstance(found, dict):
        raise malformed(f"the result is {type(found).__name__}, allowed are objects.")
    for name in needed:
        if name not in found:
            raise malformed(f"the result has no {name}.")
    for name in found:
        if name not in (*needed, *MORE.get(op, ())):
            allowed = ", ".join((*needed, *MORE.get(op, ()))) or "no keys"
            raise malformed(f"the result has the key {shown(name)}, allowed are {allowed}.")
    return found


def _error(found: Any) -> TargetFailure | Unsupported:
    match found:
        case {"kind": str(kind), "text": str(text), **rest} if kind in KINDS and not rest:
            words = plain_text(text, 500) or "no reason was given"
            return Unsupported(words) if kind == "unsupported" else TargetFailure(kind, words)
    raise malformed(f"an error is {shown(found)}, allowed are kind ({', '.join(KINDS)}) and text.")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        raise ValueError("an object has the same key twice")
    return table


def _no_constant(name: str) -> None:
    word = {"NaN": "nan", "Infinity": "inf", "-Infinity": "-inf"}[name]
    raise ValueError(f'{name} must be written as "{word}"')

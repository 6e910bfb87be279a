"""The names of an array's contents: those of a tile with its place before them, ``t0_1_weight``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any, Final, TypeVar

from refsim.spec.sums import Array

from .holder import Holder

PREFIX: Final = re.compile(r"t\d+_\d+_")
Value = TypeVar("Value")


def prefix(i: int, o: int) -> str:
    """What stands before the names of the tile of input split ``i`` and output split ``o``.

    >>> prefix(0, 1)
    't0_1_'
    """
    return f"t{i}_{o}_"


def split_name(name: str) -> tuple[str, str]:
    """The place of a tile (empty for what is not of a tile) and the name within it.

    >>> split_name("t0_1_weight"), split_name("bias")
    (('t0_1_', 'weight'), ('', 'bias'))
    """
    match = PREFIX.match(name)
    place = match[0] if match else ""
    return place, name[len(place) :]


def by_place(named: Mapping[Any, Value]) -> dict[str, dict[str, Value]]:
    """Values by the place of their tile, then by name.

    >>> by_place({"t0_0_weight": 1, "t0_0_input_range": 2, "bias": 3})
    {'t0_0_': {'weight': 1, 'input_range': 2}, '': {'bias': 3}}
    """
    places: dict[str, dict[str, Value]] = {}
    for name, value in named.items():
        place, rest = split_name(name) if isinstance(name, str) else ("", name)
        places.setdefault(place, {})[rest] = value
    return places


class Joined(MutableMapping[str, Array]):
    """The parameters, buffers or gradients of all parts of an array as one dict; reading and writing act on the parts.

    Parameters
    ----------
    parts
        The parts by the place that stands before their names.
    kind
        ``"parameters"``, ``"buffers"`` or ``"gradients"``.
    """

    def __init__(self, parts: Mapping[str, Holder], kind: str) -> None:
        self._tables: dict[str, dict[str, Array]] = {
            place: getattr(part, kind) for place, part in parts.items()
        }

    def _found(self, name: Any) -> tuple[dict[str, Array], str]:
        place, rest = split_name(name) if isinstance(name, str) else ("", name)
        if place not in self._tables:
            raise KeyError(name)
        return self._tables[place], rest

    def __getitem__(self, name: str) -> Array:
        table, rest = self._found(name)
        if rest not in table:
            raise KeyError(name)
        return table[rest]

    def __setitem__(self, name: str, value: Array) -> None:
        table, rest = self._found(name)
        table[rest] = value

    def __delitem__(self, name: str) -> None:
        table, rest = self._found(name)
        del table[rest]

    def __iter__(self) -> Iterator[str]:
        return (place + name for place, table in self._tables.items() for name in table)

    def __len__(self) -> int:
        return sum(map(len, self._tables.values()))

    def __repr__(self) -> str:
        return repr(dict(self))

"""All or nothing for several tiles: an error undoes what was done before it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from .holder import Holder


class _Kept:
    """The state of a part as it was."""

    def __init__(self, part: Holder, weights: bool) -> None:
        self.attributes = [(owner, _attributes(owner)) for owner in _owners(part)]
        self.tables = [(t, dict(t)) for t in (part.parameters, part.buffers, part.gradients)]
        self.values = [
            (array, array.copy())
            for table in (part.parameters, part.buffers)
            for name, array in table.items()
            if weights or name != "weight"
        ]

    def restore(self) -> None:
        """Put it back; the dicts and arrays stay the same objects."""
        for owner, before in self.attributes:
            attributes = vars(owner)
            attributes.clear()
            attributes.update(before)
        for table, content in self.tables:
            table.clear()
            table.update(content)
        for array, values in self.values:
            array[...] = values


def _attributes(owner: object) -> dict[str, Any]:
    """The attributes; lists are copied, for they may be added to."""
    return {k: list(v) if isinstance(v, list) else v for k, v in vars(owner).items()}


def _owners(part: Any) -> Iterator[object]:
    """The part, and whatever else holds state of it: managers, quantisers and estimators."""
    yield part
    for manager in getattr(part, "quantizers", {}).values():
        yield from (manager, manager.quantiser, manager.estimator)


@contextmanager
def all_or_nothing(parts: Iterable[Holder], weights: bool = False) -> Iterator[None]:
    """Undo what was done to any part if an error ends the block.

    Parameters
    ----------
    parts
        Tiles, or parts of an array. Their configurations are not looked at.
    weights
        Whether the block may change weights; they are large, and copied only then.
    """
    kept, done = [_Kept(part, weights) for part in parts], False
    try:
        yield
        done = True
    finally:
        if not done:
            for one in kept:
                one.restore()

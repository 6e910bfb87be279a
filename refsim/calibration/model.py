"""What can be calibrated, its tiles, and its state while it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sized
from contextlib import contextmanager
from typing import Any

from refsim.errors import InputError
from refsim.progress import progress_bar
from refsim.tile.array import TileModuleArray
from refsim.tile.layer import single_tiles
from refsim.tile.rollback import all_or_nothing
from refsim.tile.state import Tile


def layers(model: Any) -> list[Any]:
    """The tiles and arrays of a tile, an array or a network, in order.

    Raises
    ------
    InputError
        If it is none of these, or has no tile.
    """
    if isinstance(model, (Tile, TileModuleArray)):
        return [model]
    if not all(callable(getattr(model, name, None)) for name in ("tiles", "forward", "train")):
        raise InputError(
            f"model is {type(model).__name__}, allowed are tiles, arrays of tiles and networks."
        )
    found = list(model.tiles())
    if not found:
        raise InputError("model has no tile, allowed are networks with one tile or more.")
    return found


def tiles(model: Any) -> list[Any]:
    """The single tiles of a model, those of arrays row by row."""
    return [tile for layer in layers(model) for tile in single_tiles(layer)]


def parts(model: Any) -> list[Any]:
    """The single tiles of a model, and what stands behind those of an array."""
    return [
        part
        for layer in layers(model)
        for part in (layer.parts().values() if isinstance(layer, TileModuleArray) else [layer])
    ]


@contextmanager
def in_evaluation(model: Any) -> Iterator[None]:
    """The model in evaluation mode, and after that each part in the mode in which it was."""
    before = [(layer, layer.training) for layer in layers(model)]
    single = [(tile, tile.training) for tile in tiles(model)]
    model.train(False)
    try:
        yield
    finally:
        model.train(before[0][1])
        for part, training in (*before, *single):
            part.train(training)


@contextmanager
def undone_on_error(model: Any) -> Iterator[None]:
    """State and settings of all tiles as they were, if an error ends the block."""
    configs = [_settings(tile) for tile in tiles(model)]
    done = False
    with all_or_nothing(parts(model)):
        try:
            yield
            done = True
        finally:
            for settings in () if done else configs:
                for owner, values in settings:
                    vars(owner).update(values)


def _settings(tile: Any) -> list[tuple[Any, dict[str, Any]]]:
    """The parts of a configuration that a calibration may change, with their values."""
    owners = [tile.config.pre_post.input_range, getattr(tile.config, "forward", None)]
    return [(owner, dict(vars(owner))) for owner in owners if owner is not None]


def run(model: Any, batches: object, progress: bool, limit: int | None = None) -> None:
    """Forward passes of all batches, or of the first ones.

    Raises
    ------
    InputError
        If there is no batch.
    """
    if not isinstance(batches, Iterable) or isinstance(batches, (str, bytes)):
        raise InputError(f"batches is {type(batches).__name__}, allowed are iterables of arrays.")
    total = len(batches) if isinstance(batches, Sized) else None
    done = 0
    with progress_bar(progress) as report:
        for batch in batches:
            model.forward(batch)
            done += 1
            report("calibration", done, total if limit is None else limit)
            if done == limit:
                break
    if not done:
        raise InputError("batches is empty, allowed are iterables of one array or more.")

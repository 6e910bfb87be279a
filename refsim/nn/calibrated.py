"""Input ranges of a network before its training, from the first batches of it."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from refsim.calibration import calibrate_input_ranges
from refsim.calibration.model import parts, tiles
from refsim.errors import ConfigError, InputError

from .layers import Sequential
from .training import order


def first_batches(x: NDArray[Any], count: int, batch_size: int, seed: int) -> list[NDArray[Any]]:
    """The first batches of the first epoch of :func:`refsim.nn.train`; all of them if ``count`` is larger.

    >>> import numpy as np
    >>> first_batches(np.arange(5), 2, 2, seed=7)
    [array([0, 2]), array([1, 3])]
    """
    if count < 1:
        raise InputError(f"calibration_batches is {count}, allowed are integers from 1.")
    rows = order(seed, 0, len(x))[: count * batch_size]
    return [x[rows[begin : begin + batch_size]] for begin in range(0, len(rows), batch_size)]


def calibrate(model: Sequential, kind: str, batches: list[NDArray[Any]], seed: int) -> None:
    """Set the input ranges of all tiles from batches.

    Meanwhile each quantiser takes its range from the batch at hand, and it has none afterwards, as before.

    Parameters
    ----------
    model
        A network that was not trained yet.
    kind, batches, seed
        As for :func:`refsim.calibrate_input_ranges`.

    Raises
    ------
    ConfigError
        If a tile has no input range.
    """
    if not all(tile.config.pre_post.input_range.enable for tile in tiles(model)):
        raise ConfigError("calibration was given, but pre_post.input_range.enable is False.")
    managers = [m for part in parts(model) for m in getattr(part, "quantizers", {}).values()]
    for manager in managers:
        manager.estimate_ranges()
    calibrate_input_ranges(model, kind, batches, seed=seed)
    for manager in managers:
        manager.reset_ranges()


__all__ = ["calibrate", "first_batches"]

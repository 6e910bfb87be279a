"""Input ranges from data, after the training."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from refsim.config import InputRangeCalibrationType, NoiseManagementType
from refsim.errors import ConfigError, InputError
from refsim.random import checked_seed
from refsim.spec.sums import Array
from refsim.tile.arrays import as_rows

from .model import in_evaluation, run, tiles, undone_on_error
from .observers import OBSERVERS, Observer, Settings

WHOLE = (InputRangeCalibrationType.MAX, InputRangeCalibrationType.CACHE_QUANTILE)
"""Types that look at all batches and set the range at the end; meanwhile the product is perfect."""


def calibrate_input_ranges(
    model: Any,
    calibration_type: InputRangeCalibrationType | str,
    batches: Iterable[Any],
    quantile: float = 0.99995,
    max_samples: int = 1000,
    std_alpha: float | None = None,
    force_all_layers: bool = True,
    seed: int = 0,
    progress: bool = False,
) -> None:
    r"""Set the input range of each tile from the inputs that it sees.

    The model evaluates all batches, and each tile sees its own inputs, without rows of zeros, before it clips them at
    its range so far. The types are

    ``MAX``
        the largest magnitude of all inputs, :math:`r = \max |x|`;
    ``CACHE_QUANTILE``
        the quantile (CA-1) of a sample of at most ``max_samples`` rows: a batch is added to the sample, and if that is
        too large then, the rows with the smallest uniform deviates of the stream ``calibration_cache`` stay;
    ``MOVING_QUANTILE``
        the average (CA-2) of the quantile of each batch, which counts if it is positive;
    ``MOVING_STD``
        the average (IR-1) of ``init_std_alpha`` standard deviations of each of the first ``max_samples`` batches;
    ``NONE``
        nothing at all.

    The moving types set the range before the tile clips the batch; the others set it at the end, store it as
    ``init_value`` and the type as ``calibration_info``, and meanwhile calculate with ``forward.is_perfect``. With
    `Choices` a quantile is that of absolute or of signed inputs, and the counter of a moving average starts at 0 or
    goes on from the training. The initialisation from data is off afterwards: ``init_from_data`` is 0.

    Parameters
    ----------
    model
        A tile, an array of tiles, or a network such as :class:`refsim.nn.Sequential`; each part keeps its mode.
    calibration_type
        A member of `InputRangeCalibrationType`, or its name or value as text.
    batches
        Inputs of the model, one array for each batch; it is read once.
    quantile
        In [0, 1]; an average of the quantile 1 takes the largest magnitude.
    max_samples
        Rows of the sample, or batches that `MOVING_STD` counts; at least 1.
    std_alpha
        Replaces ``init_std_alpha`` of all tiles; None leaves it.
    force_all_layers
        Whether tiles without an input range get one (that is not learned), and noise management is switched off for
        good. If not, tiles without a range are left out, and noise management is an error.
    seed
        Seed of the samples; the tile with the number j in the model has the seed ``derived_seed(seed, j)``.
    progress
        Whether to draw a bar on the standard error, if that is a terminal.

    Raises
    ------
    InputError, ShapeError
        If an argument or a batch does not fit, or there is no batch.
    ConfigError
        If a tile has noise management and ``force_all_layers`` is False.
    StateError
        If a range would be 0 or infinite. Whatever is raised, the model is as it was.

    Notes
    -----
    The last forward pass of each tile is then that of the last batch: run a new one before the next backward pass.

    Examples
    --------
    >>> import numpy as np, refsim as rs
    >>> config = rs.TorchInferenceRPUConfig()
    >>> config.pre_post.input_range.enable = True
    >>> tile = config.create_tile(out_size=1, in_size=2, backend="spec")
    >>> rs.calibrate_input_ranges(tile, "MAX", [[[1.0, -2.5]], [[0.5, 1.5]]])
    >>> print(tile.input_range(), tile.config.pre_post.input_range.calibration_info)
    2.5 Max
    """
    kind = _kind(calibration_type)
    settings = _settings(quantile, max_samples, seed)
    alpha = None if std_alpha is None else _number(std_alpha, "std_alpha", -math.inf, math.inf)
    if not isinstance(force_all_layers, bool):
        raise InputError(f"force_all_layers is {force_all_layers!r}, allowed are True and False.")
    numbered = list(enumerate(tiles(model)))
    if kind is InputRangeCalibrationType.NONE:
        return
    with undone_on_error(model):
        chosen = [(j, tile) for j, tile in numbered if _prepared(tile, alpha, force_all_layers)]
        observers = [OBSERVERS[kind](tile, settings, j) for j, tile in chosen]
        with in_evaluation(model), _watched(observers), _perfect(observers, kind in WHOLE):
            run(model, batches, progress)
        for observer in observers:
            observer.finish(kind)


def _kind(value: object) -> InputRangeCalibrationType:
    for member in InputRangeCalibrationType:
        if value is member or (isinstance(value, str) and value in (member.name, member.value)):
            return member
    allowed = ", ".join(member.name for member in InputRangeCalibrationType)
    raise InputError(f"calibration_type is {value!r}, allowed are {allowed}.")


def _number(value: object, name: str, low: float, high: float) -> float:
    real = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    number = float(value) if real else math.nan  # type: ignore[arg-type]
    if not (math.isfinite(number) and low <= number <= high):
        raise InputError(
            f"{name} is {value!r}, allowed are finite numbers from {low:g} to {high:g}."
        )
    return number


def _settings(quantile: object, max_samples: object, seed: object) -> Settings:
    whole = isinstance(max_samples, (int, np.integer)) and not isinstance(max_samples, bool)
    if not whole or max_samples < 1:  # type: ignore[operator]
        raise InputError(f"max_samples is {max_samples!r}, allowed are integers from 1.")
    share = _number(quantile, "quantile", 0.0, 1.0)
    return Settings(share, int(max_samples), checked_seed(seed))  # type: ignore[call-overload]


def _prepared(tile: Any, std_alpha: float | None, force: bool) -> bool:
    """Whether a tile takes part; its settings are changed accordingly."""
    p, forward = tile.config.pre_post.input_range, getattr(tile.config, "forward", None)
    if tile.value("input_range") is None:
        if not force:
            return False
        tile.enable_input_range()
    if forward is not None and forward.noise_management is not NoiseManagementType.NONE:
        if not force:
            raise ConfigError(
                f"forward.noise_management of {tile.name} is {forward.noise_management}, "
                "allowed in a calibration without force_all_layers is NONE."
            )
        tile.switch_noise_management_off()
    p.init_from_data = 0
    if std_alpha is not None:
        p.init_std_alpha = std_alpha
    return True


@contextmanager
def _watched(observers: Sequence[Observer]) -> Iterator[None]:
    """Each tile shows its inputs to its observer before it goes forward."""
    for observer in observers:
        vars(observer.tile)["forward"] = _showing(observer, observer.tile.forward)
    try:
        yield
    finally:
        for observer in observers:
            vars(observer.tile).pop("forward", None)


def _showing(observer: Observer, forward: Any) -> Any:
    tile = observer.tile

    def shown(x: object, **options: Any) -> Any:
        rows: Array = as_rows(x, tile.dtype, tile.in_size, "x")[0]
        with np.errstate(all="ignore"):
            observer.see(rows[rows.any(axis=1)])
        return forward(x, **options)

    return shown


@contextmanager
def _perfect(observers: Sequence[Observer], wanted: bool) -> Iterator[None]:
    """The products of the tiles without noise and converters, if wanted, and then as before."""
    forwards = [getattr(observer.tile.config, "forward", None) for observer in observers]
    before = [(io, io.is_perfect) for io in forwards if io is not None and wanted]
    try:
        for io, _ in before:
            io.is_perfect = True
        yield
    finally:
        for io, perfect in before:
            io.is_perfect = perfect


__all__ = ["calibrate_input_ranges"]

"""Is this what a calibration may make of an input range? The verdict on a tile that has seen all batches."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from refsim.calibration import calibrate_input_ranges
from refsim.config import InputRangeCalibrationType as Type
from refsim.errors import InputError, RangeWarning, ShapeError, StateError
from refsim.tile.state import Tile

from .arithmetic import Arithmetic
from .deviation import deviation
from .entries import checked_entries, judged, unchanged, without_random_state
from .flow import Admissible
from .initial_range import averaged, magnitude
from .interval import Floats, Interval, hull, point
from .profile import FLOAT32, Profile
from .ranges import quantile as of_ordered
from .report import Report
from .wide import arithmetic_of

__all__ = ["judge_calibration"]


def judge_calibration(
    tile: Tile,
    calibration_type: Type | str,
    batches: Iterable[object],
    after: Mapping[str, object],
    profile: Profile = FLOAT32,
    *,
    quantile: float = 0.99995,
    max_samples: int = 1000,
    std_alpha: float | None = None,
    sample: object = None,
) -> Report:
    """Whether a correct implementation may have this input range after a calibration.

    Parameters
    ----------
    tile
        A tile with an input range, in the state before the calibration; it is not changed.
    calibration_type, quantile, max_samples, std_alpha
        As for :func:`refsim.calibrate_input_ranges`.
    batches
        All inputs of the tile, one array ``(..., in)`` for each batch.
    after
        Parameters and buffers of the implementation after the calibration, or some of them. All but the range and its
        counter must be as before.
    profile
        The arithmetic that it declares.
    sample
        ``(rows, in)``, the rows that ``CACHE_QUANTILE`` kept, if there were more than ``max_samples``.

    Returns
    -------
    Report
        The verdict on each entry given.

    Raises
    ------
    InputError, ShapeError
        If an argument or an array does not fit, or the sample is needed and not given.

    Examples
    --------
    >>> import numpy as np, refsim as rs
    >>> config = rs.TorchInferenceRPUConfig()
    >>> config.pre_post.input_range.enable = True
    >>> tile = config.create_tile(out_size=1, in_size=2)
    >>> batches = [[[1.0, -2.5]], [[0.5, 1.5]]]
    >>> judge_calibration(tile, "MAX", batches, {"input_range": [2.5]}).passed
    True
    >>> print(judge_calibration(tile, "MOVING_QUANTILE", batches, {"input_range": [2.5]}, quantile=1.0).first)
    VIOLATION CA-2 input_range[0]: got 2.5, admissible 2.0, refsim returns 2.0 (the element)
    """
    kind, A = _kind(calibration_type), arithmetic_of(profile)
    if tile.value("input_range") is None:
        raise InputError("tile has no input range, allowed are single tiles with one.")
    shown = checked_entries(tile, without_random_state(after), "after")
    seen = list(batches)
    rows = [_rows(tile, batch) for batch in seen]
    alpha = tile.config.pre_post.input_range.init_std_alpha if std_alpha is None else std_alpha
    with np.errstate(all="ignore"):
        found = unchanged(tile)
        ways: list[dict[str, Admissible]] = []
        for given in _stored(A, rows):
            if kind in (Type.MAX, Type.CACHE_QUANTILE):
                ways.append(_from_all(A, tile, kind, given, quantile, max_samples, sample))
            elif kind is not Type.NONE:
                ways.append(_from_each(A, tile, kind, given, quantile, max_samples, float(alpha)))
        for name in {name for way in ways for name in way}:
            sets = [each for way in ways for each in way[name].sets]
            found[name] = replace(ways[0][name], sets=sets)
        options = {"quantile": quantile, "max_samples": max_samples, "std_alpha": std_alpha}
        own = {} if sample is not None else _own(tile, kind, seen, options)
        verdicts = [
            judged(tile, each, profile, shown, own) for each in found.values() if each.name in shown
        ]
    return Report(profile.name, verdicts)


def _kind(value: object) -> Type:
    for member in Type:
        if value is member or (isinstance(value, str) and value in (member.name, member.value)):
            return member
    allowed = ", ".join(member.name for member in Type)
    raise InputError(f"calibration_type is {value!r}, allowed are {allowed}.")


def _stored(A: Arithmetic, rows: list[Floats]) -> list[list[Floats]]:
    """The rows rounded to the format, and as they are if more digits may be kept."""
    rounded = [A.format.rounded(each) for each in rows]
    kept = A.hidden > 0 and any((a != b).any() for a, b in zip(rows, rounded, strict=True))
    return [rounded, rows] if kept else [rounded]


def _rows(tile: Tile, batch: object) -> Floats:
    """The rows of a batch that are not all zero."""
    array = np.asarray(batch)
    if array.dtype.kind not in "fiub" or array.ndim == 0 or array.shape[-1] != tile.in_size:
        raise ShapeError(
            f"a batch has shape {array.shape} and dtype {array.dtype}, allowed are real numbers (..., {tile.in_size})."
        )
    rows: Floats = array.astype(np.float64).reshape(-1, tile.in_size)
    return rows[rows.any(axis=1)]


def _one(r: Interval) -> Interval:
    return Interval(r.lo.reshape(1), r.hi.reshape(1))


# ----- all batches at once


def _from_all(
    A: Arithmetic,
    tile: Tile,
    kind: Type,
    rows: list[Floats],
    quantile: float,
    max_samples: int,
    sample: object,
) -> dict[str, Admissible]:
    """The range from all batches, nothing if there was no input."""
    count = sum(len(each) for each in rows)
    if not count:
        return {}
    if kind is Type.MAX:
        peak = point([max(np.abs(each).max() for each in rows if each.size)])
        return {"input_range": Admissible("CA-1", "input_range", [peak])}
    kept = np.concatenate(rows)
    if sample is not None:
        kept = A.format.rounded(_rows(tile, sample))
    elif count > max_samples:
        raise InputError(
            f"the batches have {count} rows, of which {max_samples} were kept; give these as sample."
        )
    r = _one(magnitude(_quantile(A, tile, kept, quantile)))
    return {"input_range": Admissible("CA-1", "input_range", [r])}


def _quantile(A: Arithmetic, tile: Tile, values: Floats, q: float) -> Interval:
    """The quantile of signed values or of their magnitudes."""
    signed = tile.config.choices.calibration_quantile_of != "absolute"
    ordered = np.sort(values if signed else np.abs(values), axis=None)
    found = of_ordered(A, point(ordered.reshape(1, -1)), q, capped=True)
    return Interval(found.lo.reshape(()), found.hi.reshape(()))


# ----- batch by batch


def _from_each(
    A: Arithmetic,
    tile: Tile,
    kind: Type,
    rows: list[Floats],
    quantile: float,
    max_samples: int,
    alpha: float,
) -> dict[str, Admissible]:
    """The range and its counter after a moving average."""
    branches = _moving(A, tile, kind, rows, quantile, max_samples, alpha)
    clause = "CA-2" if kind is Type.MOVING_QUANTILE else "IR-1"
    sets = {
        "input_range": [_one(r) for r in branches.values()],
        "input_range_update_idx": [point([float(k)]) for k in branches],
    }
    return {name: Admissible(clause, name, each) for name, each in sets.items()}


def _moving(
    A: Arithmetic,
    tile: Tile,
    kind: Type,
    rows: list[Floats],
    quantile: float,
    max_samples: int,
    alpha: float,
) -> dict[int, Interval]:
    """The range by the number of batches in the average; there are several where it is open whether one counts."""
    stored = tile.value("input_range")
    start = int(tile.buffers["input_range_update_idx"][0])
    if tile.config.choices.calibration_counter == "reset":
        start = 0
    branches = {start: point(stored)}
    for batch in rows:
        if not batch.size:
            continue
        new: dict[int, Interval] = {}
        for k, r in branches.items():
            value = _suggested(A, tile, kind, batch, quantile, alpha, k < max_samples)
            if value.hi > 0:
                _enter(new, k + 1, _averaged(A, kind, r, k, value, alpha))
            if not value.lo > 0:
                _enter(new, k, r)
        branches = new
    return branches


def _suggested(
    A: Arithmetic, tile: Tile, kind: Type, batch: Floats, q: float, alpha: float, open_: bool
) -> Interval:
    """What a batch suggests: its quantile, or its standard deviation; not positive if it does not count."""
    if kind is Type.MOVING_QUANTILE:
        return point(np.abs(batch).max()) if q == 1 else _quantile(A, tile, batch, q)
    if batch.size < 2 or alpha <= 0 or not open_:
        return point(0.0)
    return deviation(A, point(batch))


def _averaged(
    A: Arithmetic, kind: Type, r: Interval, k: int, value: Interval, alpha: float
) -> Interval:
    """The mean of the ranges so far and the new one."""
    if kind is Type.MOVING_STD:
        return averaged(A, r, float(k), A.setting(alpha), value)
    both = A.product_sum(r, point(float(k)), value)
    return magnitude(A.quotient(both, point(float(k + 1))))


def _enter(branches: dict[int, Interval], k: int, r: Interval) -> None:
    branches[k] = r if k not in branches else hull(branches[k], r)


def _own(
    tile: Tile, kind: Type, batches: list[object], options: Mapping[str, Any]
) -> dict[str, Any]:
    """The state of a copy of the tile after the calibration; nothing where refsim refuses it."""
    twin = copy.deepcopy(tile)
    if not batches or kind is Type.NONE:
        return dict(twin.state_dict())
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RangeWarning)
            calibrate_input_ranges(twin, kind, batches, **options)
    except StateError:
        return {}
    return dict(twin.state_dict())

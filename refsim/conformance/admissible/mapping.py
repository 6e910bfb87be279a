"""Is this how a weight may be stored? The verdict on what ``set_weights`` leaves in the state (clauses MS)."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from refsim.config import RPUDataType
from refsim.errors import InputError, ShapeError
from refsim.tile.array import TileModuleArray
from refsim.tile.names import by_place
from refsim.tile.settings import DATA_TYPES, typed
from refsim.tile.state import Tile

from .arithmetic import Arithmetic
from .entries import checked_entries, judged, unchanged, without_random_state
from .flow import Admissible
from .interval import Floats, Interval, near, point
from .post_update import mapping_scales, stored_weight
from .profile import FLOAT32, Profile
from .report import Report
from .wide import arithmetic_of

__all__ = ["judge_mapping"]

WIDE = DATA_TYPES[RPUDataType.DOUBLE]


def judge_mapping(
    tile: Tile | TileModuleArray,
    weight: object,
    after: Mapping[str, object],
    profile: Profile = FLOAT32,
    *,
    bias: object = None,
    weight_scaling_omega: float | None = None,
) -> Report:
    """Whether a correct implementation may store a weight like this.

    Parameters
    ----------
    tile
        A tile, or an array, in the state before ``set_weights``; it is not changed.
    weight
        ``(out, in)``, the logical weight.
    after
        Parameters and buffers of the implementation after ``set_weights``, or some of them: the stored weight, the
        mapping scales, the learned output scales, which are 1 again if there was a scaling. All others must be as
        before.
    profile
        The arithmetic that it declares.
    bias, weight_scaling_omega
        As for ``tile.set_weights``.

    Returns
    -------
    Report
        The verdict on each entry given; the weight is judged from the scales, if they are given.

    Raises
    ------
    InputError, ShapeError
        If an array does not fit, or the tile has no entry of a name.

    Examples
    --------
    >>> import numpy as np, refsim as rs
    >>> mapping = rs.MappingParameter(weight_scaling_omega=0.5)
    >>> tile = rs.TorchInferenceRPUConfig(mapping=mapping).create_tile(out_size=1, in_size=2)
    >>> judge_mapping(tile, [[1.0, -3.0]], {"weight": [[1 / 6, -0.5]], "mapping_scales": [6.0]}).first.name
    'weight'
    >>> stored = np.float32([[1 / 6, -0.5]])
    >>> judge_mapping(tile, [[1.0, -3.0]], {"weight": stored, "mapping_scales": [6.0]}).passed
    True
    >>> print(judge_mapping(tile, [[1.0, -3.0]], {"mapping_scales": [3.0]}).first)
    VIOLATION MS-1 mapping_scales[0]: got 3.0, admissible 6.0, refsim returns 6.0 (the element)
    """
    with np.errstate(all="ignore"):
        if not isinstance(tile, TileModuleArray):
            return _judged_tile(tile, weight, after, profile, bias, weight_scaling_omega)
        return _judged_array(tile, weight, after, profile, bias, weight_scaling_omega)


def _judged_tile(
    tile: Any,
    weight: object,
    after: Mapping[str, object],
    profile: Profile,
    bias: object,
    omega: float | None,
) -> Report:
    names = list(dict.fromkeys([*unchanged(tile), "mapping_scales"]))
    shown = checked_entries(tile, without_random_state(after), "after", names)
    W = _checked(weight, (tile.out_size, tile.in_size), "weight")
    twin = copy.deepcopy(tile)
    twin.set_weights(W, bias, omega)
    own = dict(twin.state_dict())
    found = _stored(tile, arithmetic_of(profile), W, own, shown, bias, omega)
    verdicts = [judged(tile, each, profile, shown, own) for each in found if each.name in shown]
    return Report(profile.name, verdicts)


def _stored(
    tile: Any,
    A: Arithmetic,
    W: Floats,
    own: Mapping[str, Any],
    shown: Mapping[str, Floats],
    bias: object,
    omega: float | None,
) -> list[Admissible]:
    """The entries in the order of the clauses."""
    found, logical = unchanged(tile), A.given(W)
    found["weight"] = Admissible("MS-2", "weight", [logical])
    if bias is not None:
        found["bias"] = Admissible("PP-2", "bias", [point(own["bias"])])
    mapping = tile.config.mapping
    used = mapping.weight_scaling_omega if omega is None else float(omega)
    if used <= 0:
        return list(found.values())
    columnwise, target = mapping.weight_scaling_columnwise, A.setting(typed(used, WIDE, "omega"))
    scales = mapping_scales(A, logical, target, columnwise)
    size = np.size(own["mapping_scales"])
    scales = Interval(*(np.broadcast_to(end, size) for end in (scales.lo, scales.hi)))
    given = shown.get("mapping_scales")
    usable = given is not None and np.isfinite(given).all() and bool(given.all())
    taken = (
        near(
            np.broadcast_to(given.reshape(-1), tile.out_size),
            Interval(*(np.broadcast_to(end, tile.out_size) for end in (scales.lo, scales.hi))),
            A.hidden,
        )
        if given is not None and usable
        else scales
    )
    stored = stored_weight(A, logical, taken, float(target.hi))
    if "out_scaling_alpha" in found:
        ones = point(np.ones(np.size(tile.value("out_scaling_alpha"))))
        found["out_scaling_alpha"] = Admissible("MS-1", "out_scaling_alpha", [ones])
    first = Admissible("MS-1", "mapping_scales", [scales])
    rest = [each for name, each in found.items() if name not in ("weight", "mapping_scales")]
    return [first, Admissible("MS-2", "weight", [stored]), *rest]


def _judged_array(
    array: TileModuleArray,
    weight: object,
    after: Mapping[str, object],
    profile: Profile,
    bias: object,
    omega: float | None,
) -> Report:
    """The verdict on each tile of an array, whose part of the weight it scales by itself, and on the bias."""
    W, shown, found = (
        _checked(weight, (array.out_size, array.in_size), "weight"),
        by_place(after),
        [],
    )
    for place in shown:
        if place not in array.parts():
            raise InputError(
                f"{place!r} is the place of no tile, allowed are {', '.join(array.parts())}."
            )
    for place, tile in array.named_tiles().items():
        i, o = (int(n) for n in place[1:-1].split("_"))
        part = W[array.outputs[o], array.inputs[i]]
        report = _judged_tile(tile, part, shown.get(place, {}), profile, None, omega)
        found += [replace(stage, name=place + stage.name) for stage in report.stages]
    own = array.periphery
    rest = checked_entries(own, shown.get("", {}), "after", [*own.parameters])
    value = own.parameters.get("bias") if bias is None else np.asarray(bias, dtype=array.dtype)
    if "bias" in rest:
        entry = Admissible("PP-2", "bias", [point(value)])
        found.append(judged(own, entry, profile, rest, {"bias": value}))
    return Report(profile.name, found)


def _checked(weight: object, shape: tuple[int, int], name: str) -> Floats:
    array = np.asarray(weight)
    if array.dtype.kind not in "fiub":
        raise InputError(f"{name} has dtype {array.dtype}, allowed are real numbers.")
    if array.shape != shape:
        raise ShapeError(f"{name} has shape {array.shape}, allowed is {shape}.")
    return array.astype(np.float64)

"""Arrays of tiles on sets: each tile by itself, and the sums of their partial results (clauses TA)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from refsim.errors import InputError, ShapeError
from refsim.tile import QuantizedTileModuleArray
from refsim.tile.array import TileModuleArray
from refsim.tile.array_parts import noise_by_place
from refsim.tile.names import by_place, prefix

from .arithmetic import Arithmetic
from .flow import Admissible, Flow
from .interval import Floats, Interval, point
from .passes import (
    GRADIENTS,
    Passed,
    accumulate,
    backward_pass,
    by_stage,
    check_lead,
    fitting,
    forward_pass,
)
from .problem import arrays
from .profile import Profile
from .quantised_array import (
    array_entries,
    array_finished,
    array_own,
    array_through,
    is_quantised,
)
from .report import Report, StageVerdict, verdict
from .rounding import Margin
from .sums import total
from .wide import arithmetic_of

__all__ = ["array_backward", "array_forward", "array_state"]

MOST = 24
"""Pieces of a union of partial results that go on one by one."""


def array_forward(
    array: TileModuleArray,
    x: object,
    profile: Profile,
    noise: Mapping[str, object] | None,
    given: Mapping[str, object],
) -> Report:
    """The verdict on a forward pass; stages of a tile have its place before their names."""
    A, stages = arithmetic_of(profile), _places(array, given)
    batch, noises = _parts_of_batch(array, x), noise_by_place(noise, array.named_tiles())
    check_lead(given["output"], x, array.out_size, "output")
    passed = {
        place: forward_pass(tile, batch[place], profile, noises.get(place), stages.get(place, {}))
        for place, tile in array.named_tiles().items()
    }
    sums, own = _sums(array, A, passed, "output")
    flow = Flow(
        {name: value for name, value in arrays(stages[""]).items() if name != "output"},
        hidden=A.hidden,
    )
    _behind(array, A, flow, sums)
    bias = array.value("bias")
    expected = {"partial_sum": own, "output": own if bias is None or own is None else own + bias}
    if is_quantised(array):
        expected |= array_own(array, x, noise)[0]
    return _joined_report(profile, passed, flow, stages[""], expected)


def _behind(array: TileModuleArray, A: Arithmetic, flow: Flow, sums: list[Interval]) -> None:
    """Enter the stages behind the tiles."""
    for each in sums:
        y = flow.add("TA-2", "partial_sum", each)
        if is_quantised(array):
            array_finished(array, A, flow, y)
        else:
            clause = "TA-2" if array.value("bias") is None else "PP-2"
            flow.add(clause, "output", _shifted(array, A, y))


def array_backward(
    array: TileModuleArray,
    x: object,
    dy: object,
    gradients: Mapping[str, object],
    profile: Profile,
    noise: Mapping[str, object] | None,
    stages: Mapping[str, object],
    before: Mapping[str, object],
    backward_noise: Mapping[str, object] | None,
) -> Report:
    """The verdict on a backward pass; gradients of a tile have its place before their names."""
    A, shown, earlier = arithmetic_of(profile), _places(array, stages), _places(array, before)
    results, batch, own = _places(array, gradients), _parts_of_batch(array, x), dict[str, Passed]()
    noises = noise_by_place(noise, array.named_tiles())
    ways = noise_by_place(backward_noise, array.named_tiles())
    check_lead(dy, x, array.out_size, "dy")
    g, sets, flow = np.asarray(dy, dtype=np.float64), None, Flow({})
    if is_quantised(array):
        flow, sets = _through_quantisers(array, A, x, g, noise, shown)
        expected, g = array_own(array, x, noise, dy, earlier[""])
    for place, (tile, _, rows) in _splits(array).items():
        given = {**shown.get(place, {}), **by_stage(results.get(place, {}), "gradients", GRADIENTS)}
        arguments = (batch[place], g[..., rows], profile, noises.get(place), given)
        own[place] = backward_pass(
            tile,
            *arguments,
            earlier.get(place),
            ways.get(place) if ways else None,
            None if sets is None else sets[:, rows],
        )
    known = GRADIENTS if is_quantised(array) else {n: GRADIENTS[n] for n in ("bias", "input")}
    given = {**shown[""], **by_stage(results[""], "gradients", known)}
    if is_quantised(array):
        accumulate(A, flow, arrays(by_stage(earlier[""], "before", known)))
    else:
        expected = _bias_gradient(array, A, flow, g, earlier[""])
    sums, expected["input_gradient"] = _sums(array, A, own, "input_gradient")
    for each in sums:
        flow.add("TA-2", "input_gradient", each)
    return _joined_report(profile, own, flow, given, expected)


def _through_quantisers(
    array: TileModuleArray,
    A: Arithmetic,
    x: object,
    g: Floats,
    noise: Mapping[str, object] | None,
    shown: Mapping[str, Mapping[str, Any]],
) -> tuple[Flow, Interval]:
    """The stages of the way back through the quantisers of an array, and the gradient that its tiles get."""
    ahead = _array_flow(array, A, x, noise, shown, shown[""])
    ways = set(ahead.found)
    sets = array_through(array, A, ahead, A.given(g.reshape(-1, array.out_size)))
    found = {name: each for name, each in ahead.found.items() if name not in ways}
    return Flow({}, found), sets


def _array_flow(
    array: TileModuleArray,
    A: Arithmetic,
    x: object,
    noise: Mapping[str, object] | None,
    shown: Mapping[str, Mapping[str, Any]],
    own: Mapping[str, Any],
) -> Flow:
    """The forward stages of an array, from those of its tiles that are shown, and from its own."""
    batch, noises = _parts_of_batch(array, x), noise_by_place(noise, array.named_tiles())
    passed = {
        place: forward_pass(tile, batch[place], A.profile, noises.get(place), shown.get(place, {}))
        for place, tile in array.named_tiles().items()
    }
    flow = Flow(
        {name: value for name, value in arrays(own).items() if name != "output"}, hidden=A.hidden
    )
    _behind(array, A, flow, _sums(array, A, passed, "output")[0])
    return flow


def array_state(
    array: TileModuleArray,
    x: object,
    state: Mapping[str, object],
    profile: Profile,
    judge: Callable[..., Report],
    noise: Mapping[str, object] | None,
    stages: Mapping[str, object],
    dy: object,
) -> Report:
    """The verdict on the state after a forward pass; ``judge`` is the function for a tile."""
    after, shown = _places(array, state), _places(array, stages)
    batch, noises = _parts_of_batch(array, x), noise_by_place(noise, array.named_tiles())
    reports = {
        place: judge(
            tile,
            batch[place],
            after.get(place, {}),
            profile,
            noise=noises.get(place),
            stages=shown.get(place),
            dy=None if dy is None else np.asarray(dy)[..., rows],
        )
        for place, (tile, _, rows) in _splits(array).items()
    }
    found, margins = _joined(reports)
    stored, sets = array_entries(array), dict[str, Admissible]()
    own = {**stored}
    if is_quantised(array) and len(batch[next(iter(batch))]):
        own = array_own(array, x, noise)[0]
        given = {**after[""], **shown[""]}
        places = {place: {**after.get(place, {}), **shown.get(place, {})} for place in batch}
        sets = _array_flow(array, arithmetic_of(profile), x, noise, places, given).found
    plain = [name for name in stored if name not in sets]
    for name in dict.fromkeys([*plain, *sets, *after[""]]):
        if name not in after[""]:
            continue
        if name not in sets and name not in stored:
            raise InputError(f"state has the entry {name!r}, allowed are those of the array.")
        clause = "QU-1" if "." in name else "PP-2"
        each = sets.get(name) or Admissible(clause, name, [point(stored[name])])
        found.append(_verdict(each, after[""][name], own.get(name), profile))
    return Report(profile.name, found, margins)


def _splits(array: TileModuleArray) -> dict[str, tuple[Any, slice, slice]]:
    """Each tile with its inputs and its outputs, by place."""
    return {
        prefix(i, o): (array.tiles[i][o], columns, rows)
        for i, columns in enumerate(array.inputs)
        for o, rows in enumerate(array.outputs)
    }


def _parts_of_batch(array: TileModuleArray, x: object) -> dict[str, Any]:
    """The inputs of each tile, by place."""
    batch = np.asarray(x)
    if batch.ndim == 0 or batch.shape[-1] != array.in_size:
        raise ShapeError(f"the batch has shape {batch.shape}, allowed is (..., {array.in_size}).")
    return {place: batch[..., columns] for place, (_, columns, _) in _splits(array).items()}


def _places(array: TileModuleArray, named: Mapping[str, object]) -> dict[str, dict[str, Any]]:
    """Stages or gradients by the place of their tile, with those of the array itself under ``""``."""
    if type(array) not in (TileModuleArray, QuantizedTileModuleArray):
        raise InputError(
            f"tile is a {type(array).__name__}, allowed are TileModuleArray and QuantizedTileModuleArray."
        )
    found: dict[str, dict[str, Any]] = {"": {}, **by_place(named)}
    for place in found:
        if place and place not in array.named_tiles():
            names = ", ".join(array.named_tiles())
            raise InputError(f"{place!r} is the place of no tile, allowed are {names}.")
    return found


def _sums(
    array: TileModuleArray, A: Arithmetic, passed: Mapping[str, Passed], name: str
) -> tuple[list[Interval], Any]:
    """Sums of what the tiles return, left to right, for all columns; and those of refsim."""
    splits = _splits(array)
    forward = name == "output"
    size = array.out_size if forward else array.in_size
    columns: dict[tuple[int, int], list[str]] = {}
    for place, (_, inputs, outputs) in splits.items():
        part = outputs if forward else inputs
        columns.setdefault((part.start, part.stop), []).append(place)
    found: dict[tuple[int, int], Interval] = {}
    own: list[Any] = []
    for (start, stop), places in columns.items():
        sums = _pieces(passed[places[0]], name)
        for place in places[1:]:
            sums = _added(A, sums, _pieces(passed[place], name))
        found[start, stop] = sums
        values = [passed[place].expected.get(name) for place in places]
        own.append(
            None if any(value is None for value in values) else _left_to_right(array, values)
        )
    rows = next(iter(found.values())).lo.shape[1]
    whole: Any = None if any(each is None for each in own) else np.concatenate(own, axis=1)
    return [_assembled(found, rows, size)], whole


def _left_to_right(array: TileModuleArray, values: list[Any]) -> Any:
    parts = [np.asarray(value).reshape(-1, np.shape(value)[-1]) for value in values]
    return array.ops.split_sum(np.stack(parts))


def _pieces(passed: Passed, name: str) -> Interval:
    """What a tile may return, as a union with a leading axis; as shown, if it is."""
    found = passed.flow.found[name]
    shape = found.sets[0].lo.shape[-2:]
    if name in passed.given:
        shown = arrays({name: passed.given[name]})[name]
        return point(fitting(shown, found.sets[0].lo, name).reshape(1, *shape))
    sets = [each if each.lo.ndim == 3 else each[None] for each in found.sets]
    return Interval(
        *(np.concatenate([getattr(each, end) for each in sets]) for end in ("lo", "hi"))
    )


def _added(A: Arithmetic, a: Interval, b: Interval) -> Interval:
    """Sums of all pieces with all others, or of the hulls if there are very many."""
    if len(a.lo) * len(b.lo) > MOST:
        a, b = a.flat[None], b.flat[None]
    sums = A.sum(a[:, None], b[None])
    shape = (len(a.lo) * len(b.lo), *a.lo.shape[1:])
    return Interval(sums.lo.reshape(shape), sums.hi.reshape(shape))


def _assembled(found: Mapping[tuple[int, int], Interval], rows: int, size: int) -> Interval:
    """The columns side by side."""
    count = max(len(each.lo) for each in found.values())
    ends = np.full((2, count, rows, size), np.nan)
    for (start, stop), each in found.items():
        ends[0, : len(each.lo), :, start:stop] = each.lo
        ends[1, : len(each.lo), :, start:stop] = each.hi
    return Interval(ends[0], ends[1]) if count > 1 else Interval(ends[0, 0], ends[1, 0])


def _shifted(array: TileModuleArray, A: Arithmetic, y: Interval) -> Interval:
    bias = array.value("bias")
    return y if bias is None else A.sum(y, point(bias))


def _bias_gradient(
    array: TileModuleArray, A: Arithmetic, flow: Flow, g: Floats, earlier: Mapping[str, object]
) -> dict[str, Any]:
    """Enter the gradient of the bias of the array; that of refsim."""
    if array.value("bias") is None:
        return {}
    rows = g.reshape(-1, array.out_size)
    found, own = total(A, A.given(rows), axis=0), array.ops.column_totals(rows.astype(array.dtype))
    if "bias" in earlier:
        start = arrays({"before": earlier["bias"]})["before"]
        start = fitting(start, own, "before, bias,").reshape(own.shape).astype(array.dtype)
        found, own = A.sum(point(start), found), start + own
    flow.add("SU-3", "bias_gradient", found)
    return {"bias_gradient": own}


def _joined_report(
    profile: Profile,
    passed: Mapping[str, Passed],
    flow: Flow,
    given: Mapping[str, object],
    expected: Mapping[str, Any],
) -> Report:
    """Verdicts on the tiles, and then on the array."""
    reports = {place: each.report() for place, each in passed.items()}
    stages, margins = _joined(reports)
    for name, each in flow.found.items():
        if name in given:
            stages.append(_verdict(each, given[name], expected.get(name), profile))
    return Report(profile.name, stages, margins)


def _joined(reports: Mapping[str, Report]) -> tuple[list[StageVerdict], list[Margin]]:
    """The verdicts on all tiles, with the place of the tile before their names."""
    stages = [
        replace(s, name=place + s.name) for place, each in reports.items() for s in each.stages
    ]
    margins = [
        replace(m, stage=place + m.stage) for place, each in reports.items() for m in each.margins
    ]
    return stages, margins


def _verdict(found: Admissible, value: object, expected: Any, profile: Profile) -> StageVerdict:
    array = arrays({found.name: value})[found.name]
    return verdict(found, fitting(array, found.sets[0].lo, found.name), expected, profile.format)

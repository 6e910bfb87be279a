"""What a forward pass may leave in the state of a tile."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from refsim.errors import InputError, RangeWarning, ShapeError
from refsim.tile import QuantizedTorchInferenceTile
from refsim.tile.array import TileModuleArray
from refsim.tile.stages import MODIFIER
from refsim.tile.state import Tile
from refsim.tile.state_dict import RANDOM_STATE

from .array import array_state
from .entries import KEPT, without_random_state
from .flow import Admissible, Flow
from .forward import forward, scaled_input
from .interval import Floats, Interval, point
from .manual_backward import running_peak_of_gradients
from .passes import check_lead
from .plan import quantised_entries
from .problem import Problem, arrays, problem
from .profile import FLOAT32, Profile
from .quantised_state import quantised_flow
from .report import Report, verdict
from .row_divisors import last_running_peak

__all__ = ["ENTRIES", "Pass", "judge_state"]


@dataclass(frozen=True)
class Pass:
    """A forward pass whose state is judged.

    Parameters
    ----------
    tile
        The tile before the pass.
    problem
        What the pass starts from.
    after
        The state of the implementation after the pass, by name, as far as it is given.
    flow
        What becomes of the entries of quantisers, as stages.
    way_back
        The problem with the weight that was used, the stages that are shown, and the gradient of the output; None if
        there was no way back.
    """

    tile: Any
    problem: Problem
    after: Mapping[str, Floats]
    flow: Flow
    way_back: tuple[Problem, Mapping[str, Floats], Interval] | None = None


def _range(pass_: Pass) -> Admissible:
    """The range that the pass made; the counter tells whether the batch was counted."""
    start = pass_.problem.start
    assert start is not None
    shown = pass_.after.get("input_range_update_idx")
    agreeing = [r for r, counter in start.branches if shown is None or (shown == counter).all()]
    return Admissible("IR-1", "input_range", _stored(pass_, agreeing or start.ranges))


def _stored(pass_: Pass, sets: list[Interval]) -> list[Interval]:
    return sets if pass_.tile.training else [point(pass_.tile.value("input_range"))]


def _counter(pass_: Pass) -> Admissible:
    """The counter, one up if the batch was counted."""
    start = pass_.problem.start
    assert start is not None
    return Admissible("IR-1", "input_range_update_idx", [point([n]) for n in start.counters])


def _average(pass_: Pass) -> Admissible:
    """The running peak of noise management, which training moves on."""
    p, name = pass_.problem, "average_abs_max"
    after = last_running_peak(p, scaled_input(p)) if pass_.tile.training else None
    kept = point(pass_.tile.value(name))
    return Admissible("NM-8", name, [kept if after is None else after])


def _back_average(pass_: Pass) -> Admissible:
    """The running peak of the way back, which it moves on in training."""
    name, after = "backward_average_abs_max", None
    if pass_.way_back is not None and pass_.tile.training:
        p, shown, g = pass_.way_back
        flow = Flow(shown, hidden=p.A.hidden)
        forward(p, flow)
        after = running_peak_of_gradients(p, flow, g)
    kept = point(pass_.tile.value(name))
    return Admissible("NM-8", name, [kept if after is None else after])


ENTRIES: dict[str, Callable[[Pass], Admissible]] = {
    "input_range": _range,
    "input_range_update_idx": _counter,
    "average_abs_max": _average,
    "backward_average_abs_max": _back_average,
}
"""What a pass may make of the entries that it changes; all others must stay as they are."""


def judge_state(
    tile: Tile | TileModuleArray,
    x: object,
    state: Mapping[str, object],
    profile: Profile = FLOAT32,
    *,
    noise: Mapping[str, object] | None = None,
    stages: Mapping[str, object] | None = None,
    dy: object = None,
) -> Report:
    """Whether a correct implementation may have this state after a forward pass, or after both passes.

    Parameters
    ----------
    tile
        A tile in the state and mode before the pass; it is not changed.
    x
        ``(..., in)``, the batch.
    state
        Parameters and buffers of the implementation after the pass, named as in ``tile.state_dict()``, or some of them.
        What the pass has no business with must be as before.
    profile, noise, stages
        As for :func:`judge_forward`.
    dy
        Gradient of the output, if there was a backward pass, too: it moves on a running peak of its own.

    Returns
    -------
    Report
        The verdict on each entry given. Seed and step of the random numbers of refsim are not judged.

    Raises
    ------
    InputError, ShapeError
        If an array does not fit, or the tile has no entry of a name.
    StateError
        As for :func:`judge_forward`.

    Examples
    --------
    >>> import numpy as np, refsim as rs
    >>> config = rs.TorchInferenceRPUConfig(forward=rs.IOParameters(is_perfect=True))
    >>> config.pre_post.input_range = rs.InputRangeParameter(enable=True, init_from_data=5, init_std_alpha=2.0)
    >>> tile = config.create_tile(out_size=1, in_size=4)
    >>> x = [[1.25, 0.25, 0.25, 0.25]]  # with the standard deviation 0.5
    >>> print(judge_state(tile, x, {"input_range": [1.0], "input_range_update_idx": [1]}))
    admissible (float32, sums in any order, FMA or not)
    IR-1 input_range: 1 exact, 0 admissible
    IR-1 input_range_update_idx: 1 exact, 0 admissible
    >>> biased = judge_state(tile, x, {"input_range": [0.8660254]})  # divided by 4 and not by 3
    >>> biased.first.clause, biased.passed
    ('IR-1', False)
    """
    if isinstance(tile, TileModuleArray):
        return array_state(tile, x, state, profile, judge_state, noise, stages or {}, dy)
    after = without_random_state(state)
    with np.errstate(all="ignore"):
        shown = arrays(after)
        quantised = isinstance(tile, QuantizedTorchInferenceTile)  # whose state depends on outputs
        plain = {} if quantised else {"effective_weight": tile.parameters["weight"]}
        anchors: dict[str, object] = {**plain, **(stages or {})}
        anchors |= {name: after[name] for name in ("input_range",) if name in after}
        p = problem(tile, x, profile, noise, arrays(anchors))
        expected = _after(tile, x, noise, dy)
        _check_entries(tile, shown, expected)
        flow = quantised_flow(p, arrays(stages or {}), shown)
        way_back = None
        if dy is not None and "backward_average_abs_max" in after:
            way_back = _way_back(tile, x, dy, profile, noise, {**(stages or {}), **anchors})
        pass_ = Pass(tile, p, shown, flow, way_back)
        found = [
            verdict(_entry(pass_, name), after[name], expected.get(name), profile.format)
            for name in _in_order(tile, flow, expected)
            if name in after
        ]
    return Report(profile.name, found)


def _way_back(
    tile: Tile,
    x: object,
    dy: object,
    profile: Profile,
    noise: Mapping[str, object] | None,
    stages: Mapping[str, object],
) -> tuple[Problem, Mapping[str, Floats], Interval]:
    """What a way back starts from, with the weight of the pass in place of the stored one."""
    check_lead(dy, x, tile.out_size, "dy")
    if stages.get("effective_weight") is tile.parameters["weight"]:
        stages = {name: value for name, value in stages.items() if name != "effective_weight"}
    shown = arrays({name: value for name, value in stages.items() if name != "output"})
    p = problem(tile, x, profile, noise, shown)
    g = np.asarray(dy, dtype=np.float64).reshape(len(p.x.lo), tile.out_size)
    return p, shown, p.A.given(g)


def _in_order(tile: Any, flow: Flow, after: Mapping[str, Any]) -> list[str]:
    """All entries, those of quantisers behind the others and in the order of the pass."""
    plain = [name for name in [*tile.parameters, *tile.buffers] if name not in flow.found]
    return list(dict.fromkeys([*plain, *flow.found, *after]))


def _check_entries(tile: Any, state: Mapping[str, Floats], after: Mapping[str, Any]) -> None:
    for name, array in state.items():
        stored = tile.value(name) if name not in after else after[name]
        if stored is None:
            allowed = [each for each in after if each not in RANDOM_STATE]
            raise InputError(f"state has the entry {name!r}, allowed are {', '.join(allowed)}.")
        if array.size != stored.size:
            raise ShapeError(f"state[{name!r}] has shape {array.shape}, allowed is {stored.shape}.")


def _entry(pass_: Pass, name: str) -> Admissible:
    """What the entry may be after the pass."""
    if name in ENTRIES:
        return ENTRIES[name](pass_)
    if name in pass_.flow.found:
        return pass_.flow.found[name]
    if name in quantised_entries(pass_.tile):
        return Admissible("QU-1", name, [point(quantised_entries(pass_.tile)[name])])
    modifier = getattr(pass_.tile.config, "modifier", None)
    kind = MODIFIER.get(modifier.type, "WM-2") if modifier is not None else "WM-2"
    clause = kind if name == "weight" else KEPT[name]
    return Admissible(clause, name, [point(pass_.tile.value(name))])


def _after(tile: Any, x: object, noise: Mapping[str, object] | None, dy: object) -> dict[str, Any]:
    """The state of a copy of the tile after the pass, or after both."""
    twin = copy.deepcopy(tile)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RangeWarning)
        twin.forward(x, noise=noise)
        if dy is not None:
            twin.backward(dy)
    return dict(twin.state_dict())

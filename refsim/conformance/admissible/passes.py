"""One pass of a tile on sets, beside that of refsim, and the verdicts on it."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from refsim.errors import InputError, RangeWarning, ShapeError, StateError
from refsim.tile.quantised_periphery import BIAS, OUTPUT, SCALE
from refsim.tile.state import Tile

from .arithmetic import Arithmetic
from .backward import backward
from .flow import Flow
from .forward import forward
from .grid_over import SINGLE
from .interval import Floats, Interval, point
from .plan import quantised_entries
from .problem import NOISE, Problem, arrays, problem
from .profile import Profile
from .report import Report, verdict

__all__ = [
    "GRADIENTS",
    "Passed",
    "accumulate",
    "backward_pass",
    "by_stage",
    "check_lead",
    "fitting",
    "forward_pass",
]

GRADIENTS = {
    "input": "input_gradient",
    "weight": "weight_gradient",
    "bias": "bias_gradient",
    "out_scaling_alpha": "out_scaling_gradient",
    "input_range": "range_gradient",
    **{
        f"{name}.{part}": f"{name}_{part}_gradient"
        for name in (SCALE, BIAS, OUTPUT)
        for part in ("delta", "zero_float")
    },
}
"""The stage of each gradient by the name that the tile gives it."""


@dataclass(frozen=True)
class Passed:
    """A pass.

    Parameters
    ----------
    problem, flow
        What it started from, and the sets of its stages.
    given
        Stages of the implementation that are judged.
    expected
        Stages of refsim.
    """

    problem: Problem
    flow: Flow
    given: Mapping[str, object]
    expected: Mapping[str, Any]

    def report(self) -> Report:
        """Verdicts on all stages that are given and that the tile has, in the order of the tile."""
        digits = self.problem.A.format
        found = [
            verdict(
                each,
                fitting(self.given[name], each.sets[0].lo, name),
                self.expected.get(name),
                digits,
            )
            for name, each in self.flow.found.items()
            if name in self.given
        ]
        return Report(self.problem.A.profile.name, found, self.flow.margins)


def forward_pass(
    tile: Tile,
    x: object,
    profile: Profile,
    noise: Mapping[str, object] | None,
    given: Mapping[str, object],
) -> Passed:
    """A forward pass, with the stages of the implementation, its output among them if it is given."""
    shown = arrays(given)
    p = problem(tile, x, profile, noise, shown)
    flow = Flow({name: shown[name] for name in shown if name != "output"}, hidden=p.A.hidden)
    forward(p, flow)
    return Passed(p, flow, given, _own(flow, {}, partial(_expected, tile, x, p, noise, None)))


def backward_pass(
    tile: Tile,
    x: object,
    dy: object,
    profile: Profile,
    noise: Mapping[str, object] | None,
    given: Mapping[str, object],
    before: Mapping[str, object] | None,
    backward_noise: Mapping[str, object] | None,
    sets: Interval | None = None,
) -> Passed:
    """Both passes, of which the way back is judged; the gradients are among the stages that are given.

    ``sets`` are what ``dy`` may be, by default itself.
    """
    kept = {name: stage for name, stage in GRADIENTS.items() if name != "input"}
    earlier = arrays(by_stage(before or {}, "before", kept))
    shown = arrays(given)
    p = problem(tile, x, profile, noise, shown, backward_noise)
    results = set(GRADIENTS.values()) - ({"input_gradient"} if p.manual else set())
    flow = Flow({name: shown[name] for name in shown if name not in results}, hidden=p.A.hidden)
    forward(p, flow)
    ways = set(flow.found)
    flow.margins.clear()
    check_lead(dy, x, tile.out_size, "dy")
    g = p.A.given(np.asarray(dy, dtype=np.float64).reshape(len(p.x.lo), tile.out_size))
    backward(p, flow, g if sets is None else sets)
    accumulate(p.A, flow, earlier)
    twin = partial(_expected, tile, x, p, noise, dy, before, backward_noise)
    expected = _own(flow, earlier, twin)
    back = {name: value for name, value in given.items() if name not in ways}
    return Passed(p, flow, back, expected)


def by_stage(
    gradients: Mapping[str, object], what: str, allowed: Mapping[str, str]
) -> dict[str, object]:
    """Gradients by the names of their stages."""
    for name in gradients:
        if name not in allowed:
            raise InputError(f"{what} has the key {name!r}, allowed are {', '.join(allowed)}.")
    return {allowed[name]: value for name, value in gradients.items()}


def accumulate(A: Arithmetic, flow: Flow, earlier: Mapping[str, Floats]) -> None:
    """Add what was accumulated before to the gradients of the pass."""
    for name, value in earlier.items():
        found = flow.found.get(name)
        if found is not None:
            shape = found.sets[0].lo.shape
            start = point(fitting(value, found.sets[0].lo, f"before, {name},").reshape(shape))
            own = SINGLE if name.endswith(OF_QUANTISERS) else A
            found.sets = [own.sum(start, each) for each in found.sets]


def check_lead(value: object, x: object, columns: int, name: str) -> None:
    """Refuse what has not the rows of the batch and so many columns."""
    wanted = (*np.shape(np.asarray(x))[:-1], columns)
    if np.shape(np.asarray(value)) != wanted:
        raise ShapeError(f"{name} has shape {np.shape(np.asarray(value))}, allowed is {wanted}.")


def fitting(value: object, like: Any, name: str) -> Any:
    """An array of the size of a set; a :class:`~refsim.ShapeError` if it has another one."""
    shape = like.shape[-2:] if like.ndim == 3 else like.shape
    array = np.asarray(value)
    if array.size != int(np.prod(shape)):
        raise ShapeError(f"{name} has shape {array.shape}, allowed is {shape}.")
    return array


OF_QUANTISERS = ("_delta_gradient", "_zero_float_gradient")
"""Gradients of parameters that are float32 in every tile."""
ANCHORS = ("deviation", "input_range", "effective_weight")
"""Stages of the implementation that the copy of the tile starts from."""


def _own(
    flow: Flow, earlier: Mapping[str, Floats], twin: Callable[[], dict[str, Any]]
) -> dict[str, Any]:
    """The stages of refsim; none if it cannot go on from what the implementation shows, which is wrong then."""
    try:
        return twin()
    except StateError:
        shown = [
            (name, flow.found[name]) for name in ANCHORS if name in flow.given and name in flow
        ]
        sound = all(found.holds(flow.given[name]) for name, found in shown)
        if sound and all(np.isfinite(value).all() for value in earlier.values()):
            raise
        return {}


def _expected(
    tile: Tile,
    x: object,
    p: Problem,
    noise: Mapping[str, object] | None,
    dy: object | None,
    before: Mapping[str, object] | None = None,
    backward_noise: Mapping[str, object] | None = None,
) -> dict[str, Any]:
    """The stages of a copy of the tile, for the verdict that all bits agree."""
    twin: Any = copy.deepcopy(tile)
    twin.zero_grad()
    weight = np.asarray(p.modified.own, dtype=twin.dtype)
    vars(twin)["_effective_weight"] = lambda noise, rows: weight.copy()
    stored = twin.value("input_range")
    if stored is not None and p.r is not None and not p.uncertain_range:
        stored[0] = p.r.lo[0]
        twin.config.pre_post.input_range.init_from_data = 0
    used = {name: np.asarray((noise or {})[name]) for name in NOISE if name in p.noise}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RangeWarning)
        _, trace = twin.forward(x, noise=used, trace=True)
    found = {stage.name: stage.value for stage in trace}
    found |= quantised_entries(twin)
    found |= {} if p.start is None else p.start.own
    found["effective_weight"] = p.modified.ideal
    if dy is not None:
        for name, value in (before or {}).items():
            like = twin.parameters[name]
            twin.gradients[name] = np.asarray(value, dtype=like.dtype).reshape(like.shape)
        options = {} if p.manual is None else {"noise": backward_noise}
        dx, back = twin.backward(dy, trace=True, **options)
        found |= {stage.name: stage.value for stage in back}
        results = {"input": dx, **twin.gradients}
        found |= {GRADIENTS[name]: value for name, value in results.items()}
    return found

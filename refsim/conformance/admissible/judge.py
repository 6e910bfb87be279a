"""Is this what a correct implementation may return? The verdict on a forward or backward pass of one tile."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from refsim.errors import InputError, RangeWarning, ShapeError
from refsim.tile.quantised_periphery import BIAS, OUTPUT, SCALE
from refsim.tile.state import Tile

from .backward import backward
from .flow import Flow
from .forward import forward
from .interval import Floats, point
from .plan import quantised_entries
from .problem import NOISE, Problem, arrays, problem
from .profile import FLOAT32, Profile
from .report import Report, verdict

__all__ = ["judge_backward", "judge_forward"]

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


def judge_forward(
    tile: Tile,
    x: object,
    output: object,
    profile: Profile = FLOAT32,
    *,
    noise: Mapping[str, object] | None = None,
    stages: Mapping[str, object] | None = None,
) -> Report:
    """Whether a correct implementation of the declared arithmetic may return this output.

    Parameters
    ----------
    tile
        A tile in the state before the pass; it is not changed.
    x
        ``(..., in)``, the batch.
    output
        ``(..., out)``, what the implementation returned.
    profile
        The arithmetic that it declares.
    noise
        The noise that it used, for all that is switched on, as for ``tile.forward``.
    stages
        Intermediates of the implementation, named as in a trace: what follows is judged from them, so that the first
        clause that breaks is found. Without its deviates a noisy ``effective_weight`` is taken as it is.

    Returns
    -------
    Report
        The verdict on each stage given and on the output.

    Raises
    ------
    InputError, ShapeError
        If an array does not fit, or noise that is switched on is missing.
    StateError
        If the pass depends on a weight that only the implementation knows, or if a sum overflows; a
        :class:`~refsim.RangeError` if the range cannot be divided by.

    Examples
    --------
    >>> import numpy as np, refsim as rs
    >>> io = rs.IOParameters(inp_res=4, out_res=-1, out_noise=0.0,
    ...     noise_management=rs.NoiseManagementType.NONE, bound_management=rs.BoundManagementType.NONE)
    >>> tile = rs.TorchInferenceRPUConfig(forward=io).create_tile(out_size=1, in_size=2)
    >>> tile.set_weights([[2.0, -1.0]])
    >>> judge_forward(tile, [[0.6, 0.2]], [[1.0]]).passed
    True
    >>> print(judge_forward(tile, [[0.6, 0.2]], [[1.5]]).first)
    VIOLATION PP-2 output[0, 0]: got 1.5, admissible 1.0, refsim returns 1.0 (the element)
    """
    given = dict(stages or {})
    given["output"] = output
    with np.errstate(all="ignore"):
        shown = arrays(given)
        p = problem(tile, x, profile, noise, shown)
        flow = Flow({name: shown[name] for name in shown if name != "output"})
        forward(p, flow)
        _check_lead(output, x, tile.out_size, "output")
        expected = _expected(tile, x, p, noise, None)
        return _report(p, flow, given, expected)


def judge_backward(
    tile: Tile,
    x: object,
    dy: object,
    gradients: Mapping[str, object],
    profile: Profile = FLOAT32,
    *,
    noise: Mapping[str, object] | None = None,
    stages: Mapping[str, object] | None = None,
    before: Mapping[str, object] | None = None,
    backward_noise: Mapping[str, object] | None = None,
) -> Report:
    """Whether a correct implementation may return these gradients after a forward pass, term by term.

    Parameters
    ----------
    tile, x, profile, noise
        As for :func:`judge_forward`; gradients are those of this pass alone, unless ``before`` is given.
    dy
        ``(..., out)``, gradient of the loss with respect to the output.
    gradients
        What the implementation returned: ``input``, ``weight``, ``bias``, ``input_range``, ``out_scaling_alpha``, or
        some of them.
    stages
        Intermediates of both passes. Where a clip mask or a sign is ambiguous, sums are judged with and without
        the term; with ``rounded_input``, ``rounded_output`` and ``product`` nothing is ambiguous.
    before
        Gradients that the implementation had accumulated before this pass, by the names of ``gradients``. To these
        the pass adds, and its result is rounded once more.
    backward_noise
        On the manual path the noise of the way back, as for its ``tile.backward``.

    Returns
    -------
    Report
        The verdict on each stage of the way back that was given.

    Raises
    ------
    InputError, ShapeError, StateError
        As for :func:`judge_forward`.

    Examples
    --------
    >>> import numpy as np, refsim as rs
    >>> pre_post = rs.PrePostProcessingParameter(
    ...     input_range=rs.InputRangeParameter(enable=True, init_value=2.0, init_from_data=0, decay=0.0))
    >>> config = rs.TorchInferenceRPUConfig(pre_post=pre_post, forward=rs.IOParameters(is_perfect=True))
    >>> tile = config.create_tile(out_size=1, in_size=1)
    >>> tile.set_weights([[1.0]])
    >>> print(judge_backward(tile, [[2.0]], [[-1.0]], {"input_range": [-2.0]}).passed)
    True
    >>> strict = judge_backward(tile, [[2.0]], [[-1.0]], {"input_range": [0.0]}, stages={"range_rule_upper": 0.0})
    >>> print(strict.first)
    VIOLATION IR-4 range_rule_upper: got 0.0, admissible -1.0, refsim returns -1.0 (the element)
    """
    given = dict(stages or {}) | _by_stage(gradients, "gradients", GRADIENTS)
    kept = {name: stage for name, stage in GRADIENTS.items() if name != "input"}
    earlier = _by_stage(before or {}, "before", kept)
    with np.errstate(all="ignore"):
        shown = arrays(given)
        p = problem(tile, x, profile, noise, shown, backward_noise)
        results = set(GRADIENTS.values()) - ({"input_gradient"} if p.manual else set())
        flow = Flow({name: shown[name] for name in shown if name not in results})
        forward(p, flow)
        ways = set(flow.found)
        flow.margins.clear()
        _check_lead(dy, x, tile.out_size, "dy")
        g = p.A.format.rounded(np.asarray(dy, dtype=np.float64).reshape(len(p.x.lo), tile.out_size))
        backward(p, flow, point(g))
        _accumulate(p, flow, arrays(earlier))
        expected = _expected(tile, x, p, noise, dy, before, backward_noise)
        back = {name: value for name, value in given.items() if name not in ways}
        return _report(p, flow, back, expected)


def _by_stage(
    gradients: Mapping[str, object], what: str, allowed: Mapping[str, str]
) -> dict[str, object]:
    """Gradients by the names of their stages."""
    for name in gradients:
        if name not in allowed:
            raise InputError(f"{what} has the key {name!r}, allowed are {', '.join(allowed)}.")
    return {allowed[name]: value for name, value in gradients.items()}


def _accumulate(p: Problem, flow: Flow, earlier: Mapping[str, Floats]) -> None:
    """Add what was accumulated before to the gradients of the pass."""
    for name, value in earlier.items():
        found = flow.found.get(name)
        if found is not None:
            shape = found.sets[0].lo.shape
            start = point(_fitting(value, found.sets[0].lo, f"before, {name},").reshape(shape))
            found.sets = [p.A.sum(start, each) for each in found.sets]


def _check_lead(value: object, x: object, columns: int, name: str) -> None:
    wanted = (*np.shape(np.asarray(x))[:-1], columns)
    if np.shape(np.asarray(value)) != wanted:
        raise ShapeError(f"{name} has shape {np.shape(np.asarray(value))}, allowed is {wanted}.")


def _report(
    p: Problem, flow: Flow, given: Mapping[str, object], expected: Mapping[str, Any]
) -> Report:
    """Verdicts on all stages that are given and that the tile has, in the order of the tile."""
    found = [
        verdict(each, _fitting(given[name], each.sets[0].lo, name), expected.get(name), p.A.format)
        for name, each in flow.found.items()
        if name in given
    ]
    return Report(p.A.profile.name, found, flow.margins)


def _fitting(value: object, like: Any, name: str) -> Any:
    shape = like.shape[-2:] if like.ndim == 3 else like.shape
    array = np.asarray(value)
    if array.size != int(np.prod(shape)):
        raise ShapeError(f"{name} has shape {array.shape}, allowed is {shape}.")
    return array


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

"""The verdict on a quantiser alone: what it returns, what it remembers, and its gradients."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np

from refsim.errors import InputError, ShapeError
from refsim.tile import QuantisationManager, Quantiser
from refsim.tile.arrays import as_array
from refsim.tile.quantisation_manager import RangeState

from .arithmetic import Arithmetic
from .flow import Flow
from .grid import quantised
from .grid_gradients import value_gradient
from .interval import Interval, hull, point
from .learned_grid import stored_gradients
from .plan import Plan, in_rows, scheduled
from .possible_grids import possible_grids
from .problem import arrays
from .profile import FLOAT32, Profile
from .report import Report, verdict
from .wide import arithmetic_of

__all__ = ["judge_quantiser"]

NAME = "quantiser"
GRADIENTS = {"x": "gradient", "delta": "delta_gradient", "zero_float": "zero_float_gradient"}
RESULT = f"{NAME}_quantised"


def judge_quantiser(
    quantiser: Quantiser | QuantisationManager,
    x: object,
    output: object,
    profile: Profile = FLOAT32,
    *,
    training: bool = True,
    state: Mapping[str, object] | None = None,
    stages: Mapping[str, object] | None = None,
    dy: object | None = None,
    gradients: Mapping[str, object] | None = None,
) -> Report:
    """Whether a correct fake-quantiser of the declared arithmetic may do this.

    Parameters
    ----------
    quantiser
        A quantiser with a range, or a manager, whose estimator finds one if its state says so; before the call, and
        not changed.
    x
        The values, of any shape that the quantiser takes.
    output
        What the implementation returned for them.
    profile
        The arithmetic that it declares.
    training
        Whether a manager is asked in training.
    state
        What the implementation has after the call: ``delta``, ``zero_float``, ``signed``, ``state``, and
        ``estimator.lo`` and the like, or some of them.
    stages
        Its intermediates: ``lo`` and ``hi``, ``step``, ``zero_point``, ``codes``.
    dy, gradients
        The gradient of the loss with respect to the output, and what came back: ``x``, ``delta``, ``zero_float``,
        or some of them.

    Returns
    -------
    Report
        The verdict on all that was given, in the order of the clauses. Along an axis, the first index is that of
        the axis.

    Raises
    ------
    InputError, ShapeError
        If an array does not fit, or a name is not known.
    StateError
        If there is no range, or a search does not show what it found.

    Examples
    --------
    >>> import numpy as np
    >>> from refsim.tile import Quantiser
    >>> three_bits = Quantiser(3, backend="spec")
    >>> three_bits.set_quant_range(-0.5, 1.5)
    >>> judge_quantiser(three_bits, [0.2, 0.75, 9.0], [0.0, 1.0, 1.5]).passed
    True
    >>> up = judge_quantiser(three_bits, [0.2, 0.25, 9.0], [0.0, 0.5, 1.5], stages={"codes": [0, 1, 3]})
    >>> print(up.first)
    VIOLATION QU-8 quantiser_codes[1]: got 1.0, admissible 0.0, refsim returns 0.0 (1 of 3 elements)
    """
    A, plan = arithmetic_of(profile), _plan(quantiser, training)
    own = plan.quantiser
    values = as_array(x, own.dtype, "x")
    given = {f"{NAME}.{key}": value for key, value in (state or {}).items()}
    given |= {f"{NAME}_{key}": value for key, value in (stages or {}).items()}
    shown = _rows_of(arrays(given), values.shape, own)
    results = {RESULT: output} | _by_stage(gradients or {})
    _check_shape(dy, values.shape, "dy")
    _check_shape(output, values.shape, "output")
    with np.errstate(all="ignore"):
        flow = Flow(shown, hidden=A.hidden)
        rows = _forward(A, flow, plan, A.given(values.astype(np.float64)))
        back: Any = None
        if dy is not None:
            back = as_array(dy, own.dtype, "dy")
            _backward(A, flow, plan, rows, in_rows(point(back.astype(np.float64)), own.axis))
        expected = _expected(quantiser, plan, values, training, back)
        got = shown | _rows_of(arrays(results), values.shape, own)
        return _report(A, flow, got, expected)


def _check_shape(value: object | None, shape: tuple[int, ...], name: str) -> None:
    if value is not None and np.shape(np.asarray(value)) != shape:
        raise ShapeError(f"{name} has shape {np.shape(np.asarray(value))}, allowed is {shape}.")


def _plan(quantiser: Quantiser | QuantisationManager, training: bool) -> Plan:
    if isinstance(quantiser, Quantiser):
        return Plan(NAME, quantiser, quantiser.grid(), state=RangeState.LEARN)
    if not isinstance(quantiser, QuantisationManager):
        raise InputError(
            f"quantiser is a {type(quantiser).__name__}, allowed are Quantiser and QuantisationManager."
        )
    own = quantiser.quantiser
    grid = None if quantiser.estimates(training) else own.grid()
    return Plan(NAME, own, grid, quantiser.estimator, quantiser.state)


def _by_stage(gradients: Mapping[str, object]) -> dict[str, object]:
    for name in gradients:
        if name not in GRADIENTS:
            raise InputError(f"gradients has the key {name!r}, allowed are {', '.join(GRADIENTS)}.")
    return {f"{NAME}_{GRADIENTS[name]}": value for name, value in gradients.items()}


def _rows_of(
    given: Mapping[str, Any], shape: tuple[int, ...], quantiser: Quantiser
) -> dict[str, Any]:
    """Arrays of values in rows that share a step; those of the quantiser as they are."""
    of_values = {f"{NAME}_codes", RESULT, f"{NAME}_gradient"}
    found = {}
    for name, array in given.items():
        if name in of_values:
            _check_shape(array, shape, name)
        in_order = quantiser.axis is None or name not in of_values
        found[name] = array if in_order else in_rows(point(array), quantiser.axis).lo
    return found


def _forward(A: Arithmetic, flow: Flow, plan: Plan, x: Interval) -> Interval:
    """Enter the stages of the values; they are returned in rows."""
    if plan.estimator is not None:
        scheduled(flow, plan)
    rows = in_rows(x, plan.quantiser.axis)
    flow.grids[NAME] = possible_grids(A, flow, plan, x)
    quantised(A, flow, NAME, rows, flow.grids[NAME])
    return rows


def _backward(A: Arithmetic, flow: Flow, plan: Plan, x: Interval, g: Interval) -> None:
    codes = flow.value(f"{NAME}_codes")
    found = hull(*(value_gradient(A, g, x, codes, grid) for grid in flow.grids[NAME]))
    flow.add("QU-10", f"{NAME}_gradient", found)
    if plan.learns:
        stored_gradients(A, flow, plan, g, x, codes)


def _expected(
    quantiser: Quantiser | QuantisationManager, plan: Plan, x: Any, training: bool, g: Any
) -> dict[str, Any]:
    """What refsim has for the same."""
    own = plan.quantiser
    found: dict[str, Any] = {}
    if isinstance(quantiser, QuantisationManager):
        manager = copy.deepcopy(quantiser)
        done = manager.begin(x, training)
        manager.commit(done)
        own = manager.quantiser
        found |= {f"{NAME}.estimator.{k}": v for k, v in manager.estimator.state().items()}
        found |= {
            f"{NAME}_{end}": v for end, v in zip(("lo", "hi"), done.range or (), strict=False)
        }
    typed = own.typed(own.grid())
    values = {f"{NAME}_codes": own.codes(x), RESULT: own.quantised(x)}
    found |= {f"{NAME}.delta": own.delta, f"{NAME}.signed": float(own.signed)}
    found |= {f"{NAME}_step": typed.scale, f"{NAME}_zero_point": typed.zero}
    if own.zero_float is not None:
        found[f"{NAME}.zero_float"] = own.zero_float
    if g is not None:
        back = own.gradients(g, x)
        values[f"{NAME}_gradient"] = back.x
        found |= {
            f"{NAME}_delta_gradient": back.delta,
            f"{NAME}_zero_float_gradient": back.zero_float,
        }
    return found | _rows_of(values, x.shape, own)


def _report(
    A: Arithmetic, flow: Flow, given: Mapping[str, Any], expected: Mapping[str, Any]
) -> Report:
    found = []
    for name in given:
        if name not in flow.found:
            allowed = [each[len(NAME) + 1 :] for each in flow.found]
            raise InputError(
                f"there is no {name[len(NAME) + 1 :]!r} here, allowed are {', '.join(allowed)}."
            )
    for name, each in flow.found.items():
        if name in given:
            size = int(np.prod(each.sets[0].lo.shape[-2:]))
            if given[name].size != size:
                raise ShapeError(
                    f"{name} has shape {given[name].shape}, allowed are {size} numbers."
                )
            found.append(verdict(each, given[name], expected.get(name), A.format))
    return Report(A.profile.name, found, flow.margins)

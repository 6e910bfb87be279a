"""Estimators of the range of a quantiser: what they remember from call to call, and the ranges they return."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from importlib import import_module
from typing import Any, Protocol

import numpy as np

from refsim.config import (
    ActivationQuantConfig,
    Choices,
    CurrentMinMaxEstimatorParams,
    MSEEstimatorParams,
    OptMethod,
    RangeEstimators,
    RunningMinMaxEstimatorParams,
)
from refsim.config.quantisation import EstimatorParams
from refsim.errors import ConfigError, InputError, ShapeError, StateError
from refsim.spec.sums import Array

from .quantiser import MOST_BITS
from .range_search import GoldenSection, GridSearch, Loss

State = dict[str, Array]
Recipe = tuple[str, RangeEstimators, EstimatorParams | None, dict[str, Any]]
"""Backend module, and what else made an estimator."""
Estimate = tuple[Array, Array, State]


class Method(Protocol):
    """How ranges follow from data and from what was remembered; it remembers nothing itself."""

    names: tuple[str, ...]
    """The arrays of the state once there is one."""

    def estimate(self, x: Array, rows: Array, state: Mapping[str, Array]) -> Estimate:
        """Ends of the range of each row, and the state after this call."""


class CurrentMinMax:
    """The extremes or percentiles of the data at hand; nothing is remembered."""

    names: tuple[str, ...] = ()

    def __init__(self, ops: Any, percentile: float | None, two_sided: bool) -> None:
        self.ops, self.percentile, self.two_sided = ops, percentile, two_sided
        if percentile and two_sided and percentile > 50:
            raise ConfigError(
                f"CurrentMinMaxEstimatorParams.percentile is {percentile}, but it cuts both ends "
                "(choice percentile='two_sided'), so that 50 is the most."
            )

    def estimate(self, x: Array, rows: Array, state: Mapping[str, Array]) -> Estimate:
        """Clauses RE-1 and RE-2."""
        if not self.percentile:
            return *self.ops.value_range(rows), {}
        place = np.float64(self.percentile)
        return *self.ops.percentile_range(rows, place, self.two_sided), {}


class AllMinMax:
    """The extremes of all data so far."""

    names: tuple[str, ...] = ("lo", "hi")

    def __init__(self, ops: Any) -> None:
        self.ops = ops

    def estimate(self, x: Array, rows: Array, state: Mapping[str, Array]) -> Estimate:
        """Clauses RE-1 and RE-3."""
        lo, hi = self.ops.value_range(rows)
        if state:
            lo, hi = self.ops.widest_range(lo, hi, state["lo"], state["hi"])
        return lo, hi, {"lo": lo, "hi": hi}


class RunningMinMax:
    """The moving average of the extremes; the first data set it."""

    names: tuple[str, ...] = ("lo", "hi")

    def __init__(self, ops: Any, momentum: float) -> None:
        self.ops, self.momentum = ops, momentum

    def estimate(self, x: Array, rows: Array, state: Mapping[str, Array]) -> Estimate:
        """Clauses RE-1 and RE-4."""
        lo, hi = self.ops.value_range(rows)
        if state:
            T = rows.dtype.type
            weights = T(1.0 - self.momentum), T(self.momentum)
            lo, hi = self.ops.moving_range(lo, hi, state["lo"], state["hi"], *weights)
        return lo, hi, {"lo": lo, "hi": hi}


class Estimator:
    """An estimator with its memory, which changes by :meth:`commit` alone.

    Made by :func:`make_estimator`.
    """

    def __init__(
        self, method: Method, axis: int | None, n_groups: int | None, recipe: Recipe
    ) -> None:
        self._method, self._axis, self._groups = method, axis, n_groups
        self._recipe = recipe
        self._state: State = {}
        self._pending: State | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        """How a copy is made, also in another process: the same estimator with a memory of its own."""
        return _made_again, (self._recipe, self.state())

    @property
    def method(self) -> Method:
        """How ranges follow from data."""
        return self._method

    @np.errstate(all="ignore")
    def range(self, x: Array) -> tuple[Array, Array]:
        """Lower and upper end of the range, as if the data came next.

        Parameters
        ----------
        x
            Array of finite numbers of ``T``, with at least one element.

        Returns
        -------
        Two arrays of ``T``: of shape () for the whole tensor, else one number for each channel.

        Raises
        ------
        ShapeError
            If there are no elements, or the axis or the groups do not fit.
        InputError
            If it is no such array, or an element is NaN or infinite.
        StateError
            If the range is not finite, or the memory is of another data type or number of channels.
        """
        self._pending = None
        rows, repeat = self._rows(x)
        self._fits(rows)
        lo, hi, pending = self._method.estimate(x, rows, self._state)
        if not (np.isfinite(lo).all() and np.isfinite(hi).all()):
            raise StateError(f"the range of a quantiser overflows {x.dtype}.")
        self._pending = pending
        if self._axis is None:
            return lo.reshape(()).copy(), hi.reshape(()).copy()
        return np.repeat(lo, repeat), np.repeat(hi, repeat)

    def commit(self) -> None:
        """Remember the data of the last :meth:`range`; without one since the last time, nothing happens."""
        if self._pending is not None:
            self._state, self._pending = self._pending, None

    def reset(self) -> None:
        """Forget all data."""
        self._state, self._pending = {}, None

    def state(self) -> State:
        """Copies of what is remembered, by name; empty before the first data."""
        return {name: value.copy() for name, value in self._state.items()}

    def load(self, state: Mapping[str, Array]) -> None:
        """Put what :meth:`state` returned in place of the memory.

        Raises
        ------
        StateError
            If the arrays are not those of this kind of estimator.
        """
        if state and set(state) != set(self._method.names):
            expected = ", ".join(self._method.names) or "none"
            raise StateError(
                f"the state of the estimator has the arrays {', '.join(sorted(state))}, "
                f"expected {expected}."
            )
        copies = {name: np.array(value) for name, value in state.items()}
        for name, value in copies.items():
            _check(name, value, len(copies["lo"]) if copies["lo"].ndim else 0)
        self._state, self._pending = copies, None

    def _rows(self, x: Array) -> tuple[Array, int]:
        """Numbers that share a range in one row each, and the number of channels of a row."""
        _check_data(x)
        if self._axis is None:
            return x.reshape(1, -1), 1
        if not -x.ndim <= self._axis < x.ndim:
            raise ShapeError(
                f"x has the shape {x.shape}, but the range is along axis {self._axis}."
            )
        channels = np.moveaxis(x, self._axis, 0)
        groups = self._groups or len(channels)
        if len(channels) % groups:
            raise ShapeError(
                f"x has {len(channels)} channels, which do not divide into n_groups={groups}."
            )
        return np.ascontiguousarray(channels).reshape(groups, -1), len(channels) // groups

    def _fits(self, rows: Array) -> None:
        """Raises unless the memory fits the data."""
        lo = self._state.get("lo")
        if lo is not None and (lo.dtype != rows.dtype or lo.shape != rows.shape[:1]):
            raise StateError(
                f"the estimator remembers {lo.size} ranges in {lo.dtype}, "
                f"the data have {len(rows)} in {rows.dtype}."
            )


def _check_data(x: object) -> None:
    """Raises unless the data are an array of floats, all of them finite, and not empty."""
    if not isinstance(x, np.ndarray) or x.dtype not in (np.float32, np.float64):
        kind = x.dtype if isinstance(x, np.ndarray) else type(x).__name__
        raise InputError(f"x is of the type {kind}, allowed are arrays of float32 or float64.")
    if x.size == 0:
        raise ShapeError(f"x has the shape {x.shape}, a range needs at least one element.")
    if not np.isfinite(x).all():
        raise InputError("x contains NaN or infinity, allowed are finite numbers.")


def _check(name: str, value: Array, rows: int) -> None:
    """Raises unless an array of a state has the type and shape of its name, and finite numbers."""
    axes = 2 if name == "losses" else 1
    usable = value.dtype in ((np.float64,) if axes == 2 else (np.float32, np.float64))
    if not usable or value.ndim != axes or len(value) != rows or not np.isfinite(value).all():
        raise StateError(
            f"{name} of the state of the estimator is of {value.dtype} and shape {value.shape}, expected are "
            f"finite floating-point numbers along {axes} {'axes' if axes == 2 else 'axis'}, {rows} rows."
        )


def make_estimator(
    ops: Any,
    kind: RangeEstimators,
    params: EstimatorParams | None = None,
    *,
    n_bits: int = 8,
    symmetric: bool = True,
    axis: int | None = None,
    per_channel: bool = False,
    n_groups: int | None = None,
    choices: Choices | None = None,
) -> Estimator:
    """An estimator of the range of a quantiser.

    Parameters
    ----------
    ops
        What computes, a module of :mod:`refsim.backends`.
    kind
        Which estimator.
    params
        Its parameters; None: the defaults.
    n_bits, symmetric
        The quantiser for which a search looks for a range.
    axis
        A range for each index of this axis; None: one for the whole tensor.
    per_channel
        The same with axis 0.
    n_groups
        Number of groups of consecutive channels that share a range; None: each has its own.
    choices
        The readings in force; ``percentile`` acts here.

    Raises
    ------
    ConfigError
        If the settings exclude one another, or a setting is impossible.

    Examples
    --------
    >>> from refsim import backends
    >>> spec = backends.load("spec")
    >>> estimator = make_estimator(spec, RangeEstimators.running_minmax)
    >>> for value in (1.0, 2.0):
    ...     lo, hi = estimator.range(np.array([[0.0, value]]))
    ...     estimator.commit()
    >>> round(float(hi), 6)
    1.1
    """
    axis = _axis(axis, per_channel, n_groups)
    choices = choices or Choices()
    two_sided = choices.percentile == "two_sided" or axis is not None
    given = ActivationQuantConfig(range_estimator=kind, range_estimator_params=params)
    settings = given.range_estimator_params
    if isinstance(settings, CurrentMinMaxEstimatorParams):
        method: Method = CurrentMinMax(ops, settings.percentile, two_sided)
    elif isinstance(settings, RunningMinMaxEstimatorParams):
        method = RunningMinMax(ops, settings.momentum)
    elif settings is None:
        method = AllMinMax(ops)
    else:
        of_softmax = kind is RangeEstimators.cross_entropy
        method = _search(Loss(ops, _bits(n_bits), symmetric, of_softmax), settings, axis)
    layout = {"n_bits": n_bits, "symmetric": symmetric, "axis": axis, "n_groups": n_groups}
    recipe = (ops.__name__, kind, copy.copy(settings), {**layout, "choices": choices})
    return Estimator(method, axis, n_groups, recipe)


def _made_again(recipe: Recipe, state: State) -> Estimator:
    ops, kind, params, layout = recipe
    made = make_estimator(import_module(ops), kind, params, **layout)
    made.load(state)
    return made


def _search(loss: Loss, params: MSEEstimatorParams, axis: int | None) -> Method:
    if loss.of_softmax and axis is not None:
        raise ConfigError(
            f"axis is {axis}, but cross_entropy has one range for the whole tensor, allowed is None."
        )
    grid = params.range_opt_method is OptMethod.grid
    return GridSearch(loss, params) if grid else GoldenSection(loss, params)


def _bits(n_bits: object) -> int:
    if isinstance(n_bits, bool) or not isinstance(n_bits, int) or not 1 <= n_bits <= MOST_BITS:
        raise ConfigError(f"n_bits is {n_bits!r}, allowed are integers from 1 to {MOST_BITS}.")
    return n_bits


def _axis(axis: int | None, per_channel: bool, n_groups: int | None) -> int | None:
    if per_channel and axis not in (None, 0):
        raise ConfigError(
            f"axis is {axis}, but per_channel=True means axis 0; give one of the two."
        )
    axis = 0 if per_channel else axis
    if n_groups is not None and (axis is None or n_groups < 1):
        raise ConfigError(
            f"n_groups is {n_groups}, allowed is a positive number together with axis or per_channel."
        )
    return axis


__all__ = ["Estimator", "make_estimator"]

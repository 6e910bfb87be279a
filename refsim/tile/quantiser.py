"""A uniform quantiser with its state: stored step, place of zero, and whether its codes are signed (clauses QU)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from refsim import backends
from refsim.errors import ConfigError, InputError, ShapeError, StateError
from refsim.spec.sums import Array, Scalar

from .arrays import DType, as_array

MOST_BITS = 24
"""Codes are whole numbers that float32, the type of steps and zero points, must hold exactly."""


@dataclass(frozen=True)
class Grid:
    """What quantises: the stored step and place of zero, float32, and whether the codes are signed."""

    delta: Array
    zero_float: Array | None
    signed: bool


@dataclass(frozen=True)
class Gradients:
    """Gradients of the values, of the stored step, and of the place of zero if there is one."""

    x: Array
    delta: Array
    zero_float: Array | None


@dataclass(frozen=True)
class Typed:
    """A grid as the clauses take it: scale and zero point of each row in ``T``, and the code range."""

    scale: Array
    zero: Array
    int_min: Scalar
    int_max: Scalar

    @property
    def arguments(self) -> tuple[Array, Array, Scalar, Scalar]:
        """In the order of the clauses."""
        return self.scale, self.zero, self.int_min, self.int_max


class Quantiser:
    """Uniform quantiser of a tensor, or of each channel of it.

    The step ``delta`` and, on an asymmetric grid, the place of zero ``zero_float`` are float32 for data of any type;
    they are NaN until a range is set.

    Parameters
    ----------
    n_bits
        Number of bits, 1 to 24.
    symmetric
        A grid around zero, signed if a range reaches below zero, else one with a zero point.
    scale_domain
        ``"linear"``: the step is stored; ``"log"``: its logarithm.
    per_channel
        A step for each index of the first axis.
    axis
        A step for each index of this axis.
    data_type
        Type of the data, float32 or float64.
    backend, name
        What computes, and the name for messages.

    Raises
    ------
    ConfigError
        If a setting is not possible.

    Examples
    --------
    >>> quantiser = Quantiser(3, backend="spec")
    >>> quantiser.set_quant_range(-0.5, 1.5)
    >>> quantiser.quantised(np.float32([-9.0, 0.25, 0.75, 9.0]))
    array([-2. ,  0. ,  1. ,  1.5], dtype=float32)
    >>> quantiser.codes(np.float32([-9.0, 0.25, 0.75, 9.0]))
    array([-4.,  0.,  2.,  3.], dtype=float32)
    """

    def __init__(
        self,
        n_bits: int,
        symmetric: bool = True,
        scale_domain: str = "linear",
        *,
        per_channel: bool = False,
        axis: int | None = None,
        data_type: Any = np.float32,
        backend: str = "cpu",
        name: str = "the quantiser",
    ) -> None:
        self.n_bits = _whole(n_bits, "n_bits", MOST_BITS)
        if scale_domain not in ("linear", "log"):
            raise ConfigError(f"scale_domain is {scale_domain!r}, allowed are 'linear' and 'log'.")
        if per_channel and axis is not None:
            raise ConfigError(f"per_channel is True and axis is {axis}, allowed is one of the two.")
        self.axis = 0 if per_channel else axis
        self.symmetric, self.logarithmic = bool(symmetric), scale_domain == "log"
        self.dtype: DType = np.dtype(data_type)
        self.backend, self.name = backend, name
        backends.load(backend)
        self.trainable = False
        self.delta: Array = np.array(np.nan, dtype=np.float32)
        self.zero_float = None if self.symmetric else self.delta.copy()
        self.signed = False

    @property
    def ops(self) -> Any:
        """The pure functions of the backend."""
        return backends.load(self.backend)

    # ----- range

    def reset(self) -> None:
        """Forget the range; live arrays of one number stay the same arrays."""
        unset = np.array(np.nan, dtype=np.float32)
        self.take(Grid(unset, None if self.symmetric else unset, False))

    @property
    def initialised(self) -> bool:
        """Whether a range was set."""
        return not np.isnan(self.delta).any()

    def set_quant_range(self, lo: object, hi: object) -> None:
        """Place the grid over a range, which is extended to hold zero.

        Parameters
        ----------
        lo, hi
            Numbers, or one for each channel.

        Raises
        ------
        ShapeError
            If there are several numbers but no axis, or not one for each end.
        InputError
            If they are not finite, or a lower end lies above its upper end.
        StateError
            If the step is being trained, or float32 cannot hold it.
        """
        if self.trainable:
            raise StateError(
                f"the range of {self.name} is being learned; return to an estimating state before setting it."
            )
        low, high = (as_array(end, self.dtype, f"the range of {self.name}") for end in (lo, hi))
        if low.shape == high.shape and (low > high).any():
            raise InputError(
                f"the range of {self.name} is from {low} to {high}, allowed are lower ends up to the upper ones."
            )
        self.take(self.grid_over(low, high))

    def grid_over(self, lo: object, hi: object) -> Grid:
        """The grid over a range, without keeping it; errors as for :meth:`set_quant_range`.

        A search may end with a lower end above the upper one, both on one side of zero; QU-1 makes it a range.
        """
        low, high = (as_array(end, self.dtype, f"the range of {self.name}") for end in (lo, hi))
        if low.shape != high.shape or low.ndim > (self.axis is not None):
            raise ShapeError(
                f"the range of {self.name} has shapes {low.shape} and {high.shape}, allowed are "
                f"{'two numbers or ' if self.axis is not None else ''}two "
                f"{'vectors of one length' if self.axis is not None else 'numbers'}."
            )
        with np.errstate(all="ignore"):
            return self._grid(low.reshape(-1), high.reshape(-1), low.shape)

    def _grid(self, lo: Array, hi: Array, shape: tuple[int, ...]) -> Grid:
        ops = self.ops
        lo, hi = ops.quantiser_range(lo, hi)
        int_min, int_max = ops.code_range(lo, self.n_bits, self.symmetric)
        if int_max == 0:
            raise StateError(
                f"{self.name} has 1 bit and a range below zero, allowed are 2 bits or more, or symmetric=False."
            )
        zero = None
        if self.symmetric:
            step = ops.symmetric_step(lo, hi, int_max)
        else:
            step, zero = ops.asymmetric_step(lo, hi, int_max)
        if not np.isfinite(step).all():
            raise StateError(
                f"the range of {self.name} has a step that float32 cannot hold, allowed are narrower ranges."
            )
        delta = ops.stored_step(step, self.logarithmic).reshape(shape)
        return Grid(delta, None if zero is None else zero.reshape(shape), bool(int_min < 0))

    def take(self, grid: Grid) -> None:
        """Make a grid the present one, in the live arrays where their shape allows."""
        self.delta = _written(self.delta, grid.delta)
        if self.zero_float is not None and grid.zero_float is not None:
            self.zero_float = _written(self.zero_float, grid.zero_float)
        self.signed = grid.signed

    def grid(self) -> Grid:
        """A copy of the present grid; a :class:`~refsim.StateError` if no range was set or training spoilt it."""
        if not self.initialised:
            raise StateError(
                f"{self.name} has no range yet; estimate one in a training pass or give it one with set_quant_range."
            )
        zero = None if self.zero_float is None else self.zero_float.copy()
        grid = Grid(self.delta.copy(), zero, self.signed)
        typed = self.typed(grid)
        if not (
            np.isfinite(typed.scale).all() and typed.scale.all() and np.isfinite(typed.zero).all()
        ):
            raise StateError(
                f"the step of {self.name} is {typed.scale} and its zero point {typed.zero}, allowed are "
                "finite numbers and steps above 0."
            )
        return grid

    @np.errstate(all="ignore")
    def typed(self, grid: Grid) -> Typed:
        """The grid as the clauses take it."""
        ops, T = self.ops, self.dtype.type
        sign = np.array([-1 if grid.signed else 0], dtype=T)
        int_min, int_max = ops.code_range(sign, self.n_bits, self.symmetric)
        scale = ops.quantiser_scale(grid.delta.reshape(-1), self.logarithmic)
        zero = np.zeros_like(scale)
        if grid.zero_float is not None:
            zero = ops.zero_point(grid.zero_float.reshape(-1), np.float32(int_max))
        return Typed(scale.astype(T), zero.astype(T), int_min, int_max)

    def representable(self) -> tuple[Array, Array]:
        """The smallest and the largest value of the present grid, of the shape of ``delta``."""
        typed = self.typed(self.grid())
        ends = np.array([[-np.inf, np.inf]], dtype=self.dtype).repeat(typed.scale.size, axis=0)
        values = self.ops.quantised(ends, *typed.arguments)
        return values[:, 0].reshape(self.delta.shape), values[:, 1].reshape(self.delta.shape)

    # ----- values

    def quantised(self, x: object, grid: Grid | None = None) -> Array:
        """Values on the grid, QU-9; the present grid by default."""
        return self._of(self.ops.quantised, x, grid)

    def codes(self, x: object, grid: Grid | None = None) -> Array:
        """Integer codes, QU-8; the present grid by default."""
        return self._of(self.ops.quantised_codes, x, grid)

    def gradients(self, g: object, x: object, grid: Grid | None = None) -> Gradients:
        """Gradients of values and parameters from the gradient of the quantised values, QU-10 to QU-14.

        Parameters
        ----------
        g
            Gradient of the quantised values, of the shape of ``x``.
        x
            The values before quantisation.
        grid
            The grid that quantised them; the present one by default.
        """
        x, g = as_array(x, self.dtype, "x"), as_array(g, self.dtype, "g")
        if g.shape != x.shape:
            raise ShapeError(f"g has shape {g.shape}, allowed is that of x, {x.shape}.")
        grid = self.grid() if grid is None else grid
        typed, ops = self.typed(grid), self.ops
        rows = self._rows(g, typed), self._rows(x, typed)
        with np.errstate(all="ignore"):
            dx = self._restored(ops.quantised_gradient(*rows, *typed.arguments), x.shape)
            ds = ops.scale_gradient(*rows, *typed.arguments)
            stored = grid.delta.reshape(-1)
            delta = ops.stored_step_gradient(ds, stored, self.logarithmic)
            zero = None
            if grid.zero_float is not None:
                zero = ops.zero_float_gradient(
                    ops.zero_point_gradient(*rows, *typed.arguments),
                    grid.zero_float.reshape(-1),
                    np.float32(typed.int_max),
                ).reshape(grid.delta.shape)
        return Gradients(dx, delta.reshape(grid.delta.shape), zero)

    def _of(self, function: Any, x: object, grid: Grid | None) -> Array:
        values = as_array(x, self.dtype, "x")
        typed = self.typed(self.grid() if grid is None else grid)
        with np.errstate(all="ignore"):
            result = function(self._rows(values, typed), *typed.arguments)
        return self._restored(result, values.shape)

    def _rows(self, x: Array, typed: Typed) -> Array:
        """The values in rows that share a step."""
        if self.axis is None:
            return x.reshape(1, -1)
        if not -x.ndim <= self.axis < x.ndim:
            raise ShapeError(f"x has shape {x.shape}, allowed are shapes with an axis {self.axis}.")
        count, channels = typed.scale.size, x.shape[self.axis]
        if count not in (1, channels):
            raise ShapeError(
                f"x has {channels} channels along axis {self.axis}, but {self.name} has {count} steps."
            )
        return np.ascontiguousarray(np.moveaxis(x, self.axis, 0)).reshape(count, -1)

    def _restored(self, rows: Array, shape: tuple[int, ...]) -> Array:
        if self.axis is None:
            return rows.reshape(shape)
        axis = self.axis % len(shape)
        moved = (shape[axis], *shape[:axis], *shape[axis + 1 :])
        return np.ascontiguousarray(np.moveaxis(rows.reshape(moved), 0, axis))


def _written(present: Array, value: Array) -> Array:
    if present.shape != value.shape:
        return value.copy()
    present[...] = value
    return present


def _whole(value: object, name: str, most: int) -> int:
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)):
        raise ConfigError(f"{name} is {value!r}, allowed are integers from 1 to {most}.")
    if not 1 <= value <= most:
        raise ConfigError(f"{name} is {value}, allowed are integers from 1 to {most}.")
    return int(value)

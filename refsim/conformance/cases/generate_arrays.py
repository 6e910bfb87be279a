"""Numbers of generated cases: at thresholds and one unit beside, at ties of converters, at the ends of the range."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refsim.config import IOParameters, NoiseManagementType

from .draft import Draft

__all__ = [
    "batch",
    "bias_vector",
    "gradient",
    "noise_strengths",
    "ranges",
    "scales",
    "weight_matrix",
]

Array = NDArray[Any]
Shape = tuple[int, ...]


def weight_matrix(d: Draft, shape: Shape) -> Array:
    """A stored weight, sometimes with a row or column of zeros."""
    if d.exact:
        values = _multiples(d, shape, 8) / d.pick.choice((8, 4, 2, 1))
    else:
        values = _mixed(d, shape, (1.0, -1.0, 0.5, 0.0, *_small(d.T)), 1.0)
    return _with_lines(d, values.astype(d.T))


def bias_vector(d: Draft, count: int) -> Array:
    """A bias."""
    if d.exact:
        return (_multiples(d, (count,), 8) / 4).astype(d.T)
    return _mixed(d, (count,), (0.0, 1.0, -0.5, *_small(d.T)), 2.0)


def scales(d: Draft, count: int) -> Array:
    """Factors of the outputs, one or one for each, never 0."""
    sizes = (1, count) if d.pick.chance(0.4) else (count,)
    n = d.pick.choice(sizes)
    table = d.of((1.0, 0.5, 2.0, 4.0), (0.7, 3.0, -2.0)), *d.of(((1.0, 2.0),), ((0.3, 1.1),))
    return np.array(table, d.T)[d.pick.integers(n, 0, len(table) - 1)]


def noise_strengths(d: Draft, count: int) -> Array:
    """Strengths of the noise of each output, ``(count,)``."""
    table = d.of((0.25, 0.5, 0.125), (0.1, 0.06)), d.of((0.5, 0.0, 1.0), (0.3,)), 0.25
    return np.array(table, d.T)[d.pick.integers(count, 0, len(table) - 1)]


def ranges(d: Draft) -> Array:
    """An input range, positive, negative or close to 0, ``(1,)``."""
    info = np.finfo(d.T)
    exact = (1.0, 2.0, 0.5, 4.0, 0.25, -1.0, 2.0**-60)
    free = (3.0, 0.7, -1.5, 1e-30, 1e30, float(info.tiny), float(info.smallest_subnormal) * 100)
    return np.array([d.of(exact, free)], d.T)


def gradient(d: Draft, shape: Shape) -> Array:
    """Gradients of the output: small integers, any numbers, all 0, huge or tiny."""
    size = d.pick.choice((1.0, 1.0, 1.0, 0.0, 2.0**-40, 2.0**30))
    if d.exact:
        return (_multiples(d, shape, 4) * size).astype(d.T)
    drawn: Array = _mixed(d, shape, (0.0, 1.0, -1.0), 2.0) * d.T.type(size)
    return drawn


def batch(d: Draft, shape: Shape, r: float | None, io: Any, counting: bool) -> Array:
    """Inputs for a range and converters.

    Parameters
    ----------
    d
        The draft.
    shape
        ``(..., in)``.
    r
        The input range in force, None without one.
    io
        The settings of the forward pass, None without.
    counting
        Whether the range is about to be taken from the spread of this batch.
    """
    edge = abs(float(r)) if r else 1.0
    x = _dyadic(d, shape, edge, io) if d.exact else _free(d, shape, edge, io)
    if counting and d.pick.chance(0.6):
        x = _spread(d, x, edge)
    return _with_lines(d, _patterned(d, x, edge))


def _dyadic(d: Draft, shape: Shape, edge: float, io: Any) -> Array:
    """Multiples of half an input step, up to twice the range; rows whose largest entry is a power of two if managed."""
    step = _step(io, "inp") or 0.25
    unit = min(step / 2, 1.0) * edge
    most = max(1, min(round(2 * edge / unit), 64))
    x = (_multiples(d, shape, most) * unit).astype(d.T)
    managed = io is not None and io.noise_management != NoiseManagementType.NONE
    if not managed or not x.size:
        return x
    rows = x.reshape(-1, shape[-1])
    for row in rows:
        top = d.T.type(edge * d.pick.choice((1.0, 0.5, 2.0)))
        np.clip(row, -top, top, out=row)
        row[int(d.pick.integers(1, 0, len(row) - 1)[0])] = top * d.T.type(d.pick.choice((1, -1)))
    return rows.reshape(shape)


def _free(d: Draft, shape: Shape, edge: float, io: Any) -> Array:
    """Numbers of any size between twice the range, most of them at an edge, a tie, or a unit beside."""
    T = d.T.type
    marks = [edge, -edge]
    for side in ("inp", "out"):
        step = _step(io, side)
        if step:
            halves = d.pick.integers(3, -8, 8) + 0.5
            marks += [float(T(T(h) * T(step)) * T(edge)) for h in halves]
    with np.errstate(all="ignore"):
        exact = np.array(marks, d.T)
        beside = [np.nextafter(exact, T(to)) for to in (-np.inf, np.inf)]
    table = np.concatenate([exact, *beside, np.array(_small(d.T), d.T)])
    table = table[np.isfinite(table)]
    return _mixed(d, shape, [*table.tolist(), 0.0, -0.0], 1.5 * edge)


def _spread(d: Draft, x: Array, edge: float) -> Array:
    """A batch whose standard deviation is a power of two, is 0, or is any."""
    flat = np.zeros(x.size, d.T)
    if d.pick.chance(0.25):
        flat[...] = d.T.type(edge)
    elif x.size % 2:
        half = x.size // 2
        a = d.T.type(edge * d.pick.choice((1.0, 0.5, 2.0)))
        flat[:half], flat[half : 2 * half] = a, -a
    else:
        return x
    return flat.reshape(x.shape)


def _patterned(d: Draft, x: Array, edge: float) -> Array:
    """The batch, sometimes all of it 0, negative or beyond the range."""
    if not d.pick.chance(0.2):
        return x
    T = d.T.type
    kind = d.pick.choice(("zero", "negative", "clipped", "constant"))
    if kind == "zero":
        return np.zeros_like(x)
    if kind == "negative":
        return -np.abs(x)
    if kind == "clipped":
        with np.errstate(over="ignore"):
            beyond = np.where(np.signbit(x), T(-1.5 * edge), T(1.5 * edge))
        return np.where(np.isfinite(beyond), beyond, x).astype(d.T)
    return np.full_like(x, x.flat[0] if x.size else 0)


def _with_lines(d: Draft, values: Array) -> Array:
    """The matrix, sometimes with a row or a column of zeros, or a negative row."""
    if values.ndim < 2 or not values.size or not d.pick.chance(0.25):
        return values
    rows = values.reshape(-1, values.shape[-1])
    kind, line = d.pick.choice(("row", "column", "negative")), d.pick.integers(1, 0, 7)[0]
    if kind == "column":
        rows[:, line % rows.shape[1]] = 0
    else:
        row = rows[line % len(rows)]
        row[...] = 0 if kind == "row" else -np.abs(row)
    return rows.reshape(values.shape)


def _multiples(d: Draft, shape: Shape, most: int) -> NDArray[np.float64]:
    count = int(np.prod(shape))
    return d.pick.integers(count, -most, most).reshape(shape).astype(np.float64)


def _mixed(d: Draft, shape: Shape, marks: Sequence[float], size: float) -> Array:
    """Numbers of which half are one of the marks, the others any up to ``size``."""
    count = int(np.prod(shape))
    places = d.pick.integers(count, 0, 2 * len(marks) - 1)
    table = np.array(marks, d.T)
    others = d.pick.reals(count, -1.0, 1.0) * size
    chosen = np.where(places < len(marks), table[places % len(marks)], others.astype(d.T))
    return chosen.reshape(shape)


def _small(T: np.dtype[Any]) -> tuple[float, ...]:
    info = np.finfo(T)
    return float(info.smallest_subnormal), float(info.tiny), -float(info.tiny)


def _step(io: IOParameters | None, side: str) -> float:
    """The step of a converter, 0 if it does not round."""
    if io is None or io.is_perfect or getattr(io, f"{side}_res") <= 0:
        return 0.0
    res = getattr(io, f"{side}_res")
    return float(2 * abs(getattr(io, f"{side}_bound")) * (1 / res if res > 1 else res))

"""Numbers and arrays that look where bugs live: ties, edges, zeros, subnormals, cancellation, single elements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from refsim.spec.sums import Array, Scalar

__all__ = ["Draw"]

SMALL: Final = (
    (1, 1, 1),
    (0, 3, 2),
    (2, 1, 3),
    (1, 5, 1),
    (3, 4, 2),
    (2, 6, 5),
    (5, 3, 4),
    (4, 9, 3),
)
"""Batch, input and output sizes: single elements, an empty batch, and sizes around vector widths."""
LARGE: Final = ((17, 33, 9), (7, 130, 5), (40, 24, 31), (64, 70, 20))
LARGE_EVERY: Final = 16


class Draw:
    """Reproducible draws of one generated case.

    Parameters
    ----------
    entropy
        Integers that name the case; the same ones draw the same case.
    T
        Data type of the arrays.
    index
        Number of the case, from which its sizes follow.
    """

    def __init__(self, entropy: Sequence[int], T: np.dtype[Any], index: int) -> None:
        self.rng = np.random.Generator(np.random.PCG64(list(entropy)))
        self.T = T
        self.info = np.finfo(T)
        large = index % LARGE_EVERY == LARGE_EVERY - 1
        sizes = LARGE if large else SMALL
        self.N, self.I, self.O = sizes[(index // LARGE_EVERY if large else index) % len(sizes)]

    # ----- choices and scalars

    def chance(self, p: float = 0.5) -> bool:
        """True with probability ``p``."""
        return bool(self.rng.random() < p)

    def of(self, *values: float) -> Scalar:
        """One of the values, rounded to ``T``."""
        chosen: Scalar = self.T.type(values[self.rng.integers(len(values))])
        return chosen

    def integer(self, high: int) -> int:
        """An integer below ``high``, often an end of the range."""
        ends = (0, 1, high - 1, high // 2)
        return (
            ends[self.rng.integers(4)] % high
            if self.chance(0.4)
            else int(self.rng.integers(high, dtype=np.uint64))
        )

    def number(self) -> Scalar:
        """Any finite number."""
        return self.array(1)[0]

    def positive(self) -> Scalar:
        """A positive number, mostly of the size of data."""
        tiny, huge = float(self.info.smallest_subnormal), float(self.info.max)
        usual = self.T.type(self.rng.uniform(0.05, 8))
        return (
            usual
            if self.chance(0.7)
            else self.of(0.5, 1, 2, 3, tiny, float(self.info.tiny), 1e-30, 1e30, huge)
        )

    def factor(self) -> Scalar:
        """A setting such as ``1 - asymmetry``, a learning rate or a noise scale."""
        return self.of(0, 1, 0.5, 0.9, 0.1, 0.001, 2, -0.5) if self.chance(0.8) else self.number()

    def bound(self) -> Scalar:
        """A clip bound, often absent (infinite)."""
        return self.of(1, 12, 0.5, 0.3, np.inf, np.inf) if self.chance(0.7) else self.positive()

    def step(self) -> Scalar:
        """A grid step, 0 for none."""
        return (
            self.of(0, 0.25, 2 / 254, 2 / 255, 1 / 7, 0.5) if self.chance(0.8) else self.positive()
        )

    def signed_range(self) -> Scalar:
        """An input range: positive, seldom negative, never 0."""
        r = self.positive()
        return -r if self.chance(0.15) else r

    # ----- arrays

    def array(self, *shape: int) -> Array:
        """Finite numbers in one of several characters."""
        styles = (
            self._normal,
            self._normal,
            self._grid,
            self._wide,
            self._subnormal,
            self._cancelling,
            self._special,
        )
        values = styles[self.rng.integers(len(styles))](shape).astype(self.T)
        return self._with_lines(values)

    def moderate(self, *shape: int) -> Array:
        """Numbers of the size of data, with many or few digits."""
        styles = (self._normal, self._normal, self._grid, self._special)
        return self._with_lines(styles[self.rng.integers(len(styles))](shape).astype(self.T))

    def moderate_near(self, shape: tuple[int, ...], edge: Scalar) -> Array:
        """Numbers of the size of data, a third of them exactly at an edge or one unit beside it."""
        with np.errstate(all="ignore"):
            around = [np.nextafter(edge, self.T.type(to)) for to in (-np.inf, np.inf)]
        table = np.array([edge, *around, -edge], dtype=self.T)
        return np.where(
            self.rng.random(shape) < 0.3, self.rng.choice(table, size=shape), self.moderate(*shape)
        )

    def near(self, shape: tuple[int, ...], *edges: Scalar) -> Array:
        """Numbers of which most lie exactly at an edge or one unit beside it, on both sides of 0."""
        finite = [edge for edge in edges if np.isfinite(edge)] or [self.T.type(1)]
        with np.errstate(all="ignore"):
            around = [
                np.nextafter(edge, self.T.type(to)) for edge in finite for to in (-np.inf, np.inf)
            ]
        usable = np.array(
            [value for value in (*finite, *around) if np.isfinite(value)], dtype=self.T
        )
        planted = self.rng.choice(usable, size=shape) * self.rng.choice(
            np.array([-1, 1], self.T), size=shape
        )
        return np.where(self.rng.random(shape) < 0.6, planted, self.array(*shape))

    def ties(self, shape: tuple[int, ...], step: Scalar) -> Array:
        """Numbers half-way between two grid points, one unit beside, and on the grid."""
        if step == 0:
            return self.array(*shape)
        halves = self.rng.integers(-300, 300, size=shape).astype(self.T) * self.T.type(0.5)
        with np.errstate(all="ignore"):
            exact = halves * step
            moved = np.nextafter(
                exact, self.rng.choice(np.array([-np.inf, np.inf], self.T), size=shape)
            )
        values = np.where(self.rng.random(shape) < 0.5, exact, moved)
        finite: Array = np.where(np.isfinite(values), values, self.T.type(0))
        return finite

    def row_scales(self, count: int) -> Array:
        """A positive factor for each row, powers of two among them."""
        powers = np.ldexp(self.T.type(1), self.rng.integers(-6, 6, size=count))
        values = np.where(self.rng.random(count) < 0.5, powers, self.rng.uniform(0.1, 4, count))
        return values.astype(self.T)

    def scales(self, count: int) -> Array:
        """Scales of the outputs, common (1,) or one for each, never 0."""
        values = self.row_scales(1 if self.chance() else count)
        return -values if self.chance(0.1) else values

    def mask(self, *shape: int) -> NDArray[np.bool_]:
        """A mask."""
        return self.rng.random(shape) < 0.5

    def deviates(self, *shape: int) -> Array | None:
        """Noise, or none."""
        return None if self.chance(0.4) else self.array(*shape)

    def uniforms(self, *shape: int) -> Array | None:
        """Uniform deviates of stochastic rounding in [-0.5, 0.5), or none."""
        if self.chance(0.4):
            return None
        return ((self.rng.integers(0, 2**24, size=shape) - 2**23) / 2**24).astype(self.T)

    def terms(self, *shape: int) -> Array:
        """Summands: like :meth:`array`, with NaN, infinities and overflow now and then."""
        values = self.array(*shape)
        if values.size and self.chance(0.1):
            extreme = (np.nan, np.inf, -np.inf, float(self.info.max), float(self.info.max))
            places = self.rng.integers(values.size, size=2)
            values.flat[places] = [self.of(*extreme), self.of(*extreme)]
        return values

    def factors_of_ties(self, rows: int, columns: int, K: int) -> tuple[Array, Array]:
        """Two matrices whose row-by-row products sum exactly to half-way cases, or a hair beside them.

        Each pair of rows holds ``1 * 1``, ``2**-a * 2**-b`` worth half a unit in the last place of 1,
        perhaps a tiny term of either sign, and pairs of terms that cancel.
        """
        half = self.info.nmant + 1
        a, b = np.zeros((rows, K), self.T), np.zeros((columns, K), self.T)
        a[:, :1] = b[:, :1] = 1
        if K > 1:
            a[:, 1], b[:, 1] = (
                np.ldexp(self.T.type(1), -(half // 2)),
                np.ldexp(self.T.type(1), half // 2 - half),
            )
        if K > 2:
            a[:, 2] = self.rng.choice([-1, 0, 1], size=rows)
            b[:, 2] = np.ldexp(self.T.type(1), int(self.rng.integers(-100, -half - 4)))
        for k in range(3, K - 1, 2):
            a[:, k] = self.rng.standard_normal(rows)
            a[:, k + 1] = -a[:, k]
            b[:, k] = b[:, k + 1] = self.rng.standard_normal(columns)
        order, sign = (
            self.rng.permutation(K),
            self.rng.choice(np.array([-1, 1], self.T), size=(rows, 1)),
        )
        return np.ascontiguousarray(a[:, order] * sign), np.ascontiguousarray(b[:, order])

    # ----- characters of arrays

    def _normal(self, shape: tuple[int, ...]) -> NDArray[Any]:
        return self.rng.standard_normal(shape)

    def _grid(self, shape: tuple[int, ...]) -> NDArray[Any]:
        return self.rng.integers(-(2**11), 2**11, size=shape, endpoint=True) * 2.0**-11

    def _wide(self, shape: tuple[int, ...]) -> NDArray[Any]:
        third = int(self.info.maxexp) // 3
        exponents = self.rng.integers(-third, third, size=shape)
        return np.ldexp(self.rng.uniform(-1, 1, size=shape), exponents)

    def _subnormal(self, shape: tuple[int, ...]) -> NDArray[Any]:
        largest = 2 ** min(self.info.nmant + 2, 50)
        units = self.rng.integers(-largest, largest, size=shape).astype(self.T)
        values: Array = units * self.info.smallest_subnormal
        return values

    def _cancelling(self, shape: tuple[int, ...]) -> NDArray[Any]:
        values = self.rng.standard_normal(shape).astype(self.T)
        flat = values.reshape(-1)
        half = flat.size // 2
        flat[half : 2 * half] = -flat[:half]
        if flat.size:
            flat[0] += self.T.type(1e-6)
        return self.rng.permutation(flat).reshape(shape)

    def _special(self, shape: tuple[int, ...]) -> NDArray[Any]:
        one, eps = self.T.type(1), self.info.eps
        small = [
            self.info.smallest_subnormal,
            self.info.tiny,
            self.info.tiny - self.info.smallest_subnormal,
        ]
        values = [
            self.T.type(0),
            one,
            one + eps,
            one - eps / 2,
            self.T.type(0.5),
            self.T.type(2),
            *small,
        ]
        table = np.array([*values, *(-value for value in values)], dtype=self.T)
        return self.rng.choice(table, size=shape)

    def _with_lines(self, values: Array) -> Array:
        """Sometimes one line of a matrix made all zero, all negative or constant."""
        if values.ndim < 2 or not values.size or not self.chance(0.3):
            return values
        row = values[int(self.rng.integers(len(values)))]
        kind = int(self.rng.integers(4))
        row[...] = (self.T.type(0), self.T.type(-0.0), -np.abs(row), row.flat[0])[kind]
        return values

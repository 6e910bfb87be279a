"""Hypothesis strategies that look where bugs live: ties, edges, zeros, subnormals, single elements.

A builder takes the data type ``T`` and returns a strategy; ``typed`` joins builders over both data types.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

Type = type[np.floating[Any]]
Array = NDArray[np.floating[Any]]
Scalar = np.floating[Any]
Strategy = st.SearchStrategy[Any]
Builder = Callable[[Type], Strategy]
Shape = tuple[int, ...]

DTYPES: tuple[Type, ...] = (np.float32, np.float64)
dtypes = st.sampled_from(DTYPES)
sizes = st.integers(1, 4)
shapes = st.tuples(st.integers(0, 3), sizes)


def typed(*builders: Builder) -> Strategy:
    """One draw of each builder, all of one data type, as a tuple."""
    return dtypes.flatmap(lambda T: st.tuples(*(build(T) for build in builders)))


# --- numbers ------------------------------------------------------------------------------------


def ends(T: Type) -> list[Scalar]:
    """Zeros, ones and the ends of the normal and subnormal range, with both signs."""
    info = np.finfo(T)
    sizes = [T(0), info.smallest_subnormal, info.smallest_normal, info.eps, T(1), T(2), info.max]
    below = [np.nextafter(info.smallest_normal, T(0)), np.nextafter(T(1), T(0)), T(1) + info.eps]
    return [T(sign * size) for size in sizes + below for sign in (1, -1)]


def wide(T: Type) -> Strategy:
    """Finite numbers over the full range, and its ends."""
    width = np.finfo(T).bits
    anywhere = st.floats(allow_nan=False, allow_infinity=False, width=width)
    return st.sampled_from(ends(T)) | anywhere.map(T)


def moderate(T: Type) -> Strategy:
    """Numbers of the size of data, with few digits or with all of them."""
    width = np.finfo(T).bits
    coarse = st.integers(-64, 64).map(lambda k: T(k / 16))
    return coarse | st.floats(-8, 8, width=width).map(T)


def numbers(T: Type) -> Strategy:
    """Finite numbers."""
    return moderate(T) | wide(T)


def positive(T: Type) -> Strategy:
    """Positive numbers: mostly of the size of data, sometimes at the ends of the range."""
    info = np.finfo(T)
    data = st.floats(float(T(0.0625)), 16, width=info.bits).map(T)
    return data | st.sampled_from([T(1), T(2), T(0.5), info.smallest_subnormal, info.max])


def factors(T: Type) -> Strategy:
    """Scalars such as ``1 - asymmetry``, a learning rate or a noise scale."""
    return st.sampled_from([T(v) for v in (0, 1, 0.5, 0.9, 0.1, 0.001, 2, -0.5)]) | moderate(T)


def around(x: Scalar) -> list[Scalar]:
    """The number and its two neighbours, where they are finite."""
    T = x.dtype.type
    near = [x, np.nextafter(x, T(-np.inf)), np.nextafter(x, T(np.inf))]
    return [value for value in near if np.isfinite(value)]


def near(*edges: Scalar) -> Strategy:
    """Numbers exactly at an edge, one ulp beside it, on both sides of zero; and any others."""
    T = edges[0].dtype.type
    values = [v for edge in edges if np.isfinite(edge) for v in around(edge) + around(-edge)]
    return st.sampled_from([*values, T(0)]) | numbers(T)


def ranges(T: Type) -> Strategy:
    """Input ranges: positive, close to zero, negative; never zero."""
    info = np.finfo(T)
    usual = [
        0.5,
        0.7,
        1,
        2,
        3,
        -1,
        -1.5,
        info.smallest_normal,
        info.smallest_subnormal,
        1e-30,
        1e30,
    ]
    return st.sampled_from([T(v) for v in usual]) | moderate(T).filter(bool)


def bounds(T: Type) -> Strategy:
    """Clip bounds: infinity is no bound."""
    return st.sampled_from([T(v) for v in (1, 12, 0.5, 0.3, 0, np.inf)]) | positive(T)


def counters(T: Type) -> Strategy:
    """Numbers of batches, up to where ``k + 1`` is no longer exact in float32."""
    return st.sampled_from([T(k) for k in (0, 1, 2, 3, 99, 100, 2**24 - 1, 2**24)])


# --- arrays -------------------------------------------------------------------------------------


def arrays(T: Type, shape: Any, elements: Strategy | None = None) -> Strategy:
    """Arrays of finite numbers, or of the given elements."""
    chosen = numbers(T) if elements is None else elements
    return hnp.arrays(T, shape, elements=chosen, fill=st.nothing())


def planted(batch: Array, rows: Sequence[int], kind: str) -> Array:
    """The batch with some rows made all zero, all negative or all equal."""
    batch = batch.copy()
    for n in rows:
        if kind == "zero":
            batch[n] = 0
        elif kind == "negative":
            batch[n] = -np.abs(batch[n])
        else:
            batch[n] = batch[n, 0]
    return batch


@st.composite
def batches(
    draw: st.DrawFn,
    T: Type,
    shape: Strategy = shapes,
    elements: Strategy | None = None,
) -> Array:
    """Batches ``(N, I)``: also empty, single elements, zero, negative and constant rows and columns."""
    size = draw(shape)
    batch: Array = draw(arrays(T, size, elements))
    kind = draw(st.sampled_from(["as drawn", "as drawn", "zero", "negative", "equal"]))
    if kind == "as drawn" or not batch.size:
        return batch
    columns = draw(st.booleans())
    count = size[1] if columns else size[0]
    lines = draw(st.lists(st.integers(0, count - 1), min_size=1, unique=True))
    view = batch.T if columns else batch
    result = planted(view, lines, kind)
    return np.ascontiguousarray(result.T if columns else result)


@st.composite
def batch_pairs(draw: st.DrawFn, T: Type, elements: Strategy | None = None) -> tuple[Array, Array]:
    """Two batches of one shape."""
    size = draw(shapes)
    one = draw(batches(T, st.just(size), elements))
    return one, draw(batches(T, st.just(size)))


def vectors(T: Type, size: int, elements: Strategy | None = None) -> Strategy:
    """One number for each row, output or element."""
    return arrays(T, (size,), elements)


# --- the grid of a converter --------------------------------------------------------------------


@st.composite
def grids(draw: st.DrawFn, T: Type) -> tuple[Scalar, Scalar]:
    """Step and bound of a converter with ``2**n - 1`` or ``2**n - 2`` levels, or none of the two."""
    bound = draw(st.sampled_from([1.0, 1.0, 12.0, 0.5, 0.3, np.inf]))
    bits = draw(st.integers(2, 12))
    levels = 2**bits - draw(st.sampled_from([1, 2]))
    step = 2 * (bound if np.isfinite(bound) else 1.0) / levels
    steps = [step, step, step, 2.0**-bits, 0.0]
    return T(draw(st.sampled_from(steps))), T(bound)


def ties(T: Type, step: Scalar, most: int = 70) -> Strategy:
    """Values half way between two codes, on a code, and one ulp beside them."""

    def value(halves: int, side: int) -> Scalar:
        exact = T(halves / 2) * step
        return T(exact) if side == 0 else np.nextafter(T(exact), T(side * np.inf))

    return st.builds(value, st.integers(-2 * most, 2 * most), st.sampled_from([0, 0, -1, 1]))


def analog(T: Type, grid: tuple[Scalar, Scalar]) -> Strategy:
    """Values in front of a converter: ties, codes, the bound, far beyond it."""
    step, bound = grid
    edges = [bound, bound + step] if np.isfinite(bound) else [T(1)]
    return (ties(T, step) | near(*edges)) if step else near(*edges)


def uniforms(T: Type, shape: Any) -> Strategy:
    """Deviates of stochastic rounding, ``k * 2**-24 - 1/2``, their ends included."""
    k = st.sampled_from([0, 1, 2**23, 2**24 - 1]) | st.integers(0, 2**24 - 1)
    return arrays(T, shape, k.map(lambda n: T(n * 2.0**-24 - 0.5)))


def normals(T: Type, shape: Any) -> Strategy:
    """Noise: float32 numbers, widened."""
    return arrays(T, shape, st.floats(-5.75, 5.75, width=32).map(T))


# --- the terms of sums --------------------------------------------------------------------------


def grid_terms(T: Type, n: int) -> Strategy:
    """Integers on a coarse grid, as DAC codes: their products sum to exact ties."""
    bits = (np.finfo(T).nmant + 1) // 2
    whole = st.integers(-(2**bits), 2**bits)
    return st.builds(
        lambda k, e: np.ldexp(np.array(k, dtype=T), e),
        st.lists(whole, min_size=n, max_size=n),
        st.sampled_from([0, -7, 20]),
    )


@st.composite
def tied_terms(draw: st.DrawFn, T: Type, n: int) -> Array:
    """Terms whose sum lies half way between two numbers, or a hair beside, behind cancelling pairs."""
    p = np.finfo(T).nmant
    digits = draw(st.integers(2**p, 2 ** (p + 1) - 1))
    e = draw(st.integers(-60, 60))
    hair = draw(st.sampled_from([Fraction(0), Fraction(1), Fraction(-1)]))
    distance = draw(st.integers(p + 4, p + 60))
    terms = [Fraction(digits), Fraction(1, 2), hair * Fraction(1, 2**distance)][:n]
    while len(terms) < n:
        terms.append(-terms[-1] if len(terms) % 2 else Fraction(draw(st.integers(1, 2**p))))
    if n > 3 and n % 2 == 0:
        terms[-1] = Fraction(0)
    sign = draw(st.sampled_from([1, -1]))
    order = draw(st.permutations(range(n)))
    return np.array([float(sign * terms[i] * Fraction(2) ** e) for i in order], dtype=T)


@st.composite
def cancelling_terms(draw: st.DrawFn, T: Type, n: int) -> Array:
    """Terms over the full range that come with their opposites; an exactly zero sum where n is even."""
    half = draw(arrays(T, (n // 2,), wide(T)))
    rest = draw(arrays(T, (n % 2,)))
    terms = np.concatenate([half, -half, rest])
    return np.ascontiguousarray(terms[list(draw(st.permutations(range(n))))])


def terms(T: Type, n: int) -> Strategy:
    """``n`` terms of a sum, where naive summation fails."""
    kinds = [tied_terms(T, n), cancelling_terms(T, n), grid_terms(T, n)]
    return st.one_of(*kinds, arrays(T, (n,)))


def sums(T: Type) -> Strategy:
    """The terms of a sum, none included."""
    return st.integers(0, 7).flatmap(lambda n: terms(T, n))


@st.composite
def term_pairs(draw: st.DrawFn, T: Type, n: int) -> tuple[Array, Array]:
    """Two vectors whose products are the terms of a sum; the partner of a planted sum is a power of two."""
    power = T(2.0) ** T(draw(st.sampled_from([0, 3, -5])))
    if draw(st.booleans()):
        signs = np.full(n, power, dtype=T)
        x, y = draw(terms(T, n)), signs
    else:
        kind = draw(st.sampled_from([grid_terms, terms]))
        x, y = draw(kind(T, n)), draw(kind(T, n))
    return (y, x) if draw(st.booleans()) else (x, y)


@st.composite
def term_tables(draw: st.DrawFn, T: Type) -> tuple[Array, Array]:
    """Two tables ``(C, N)``; the products of each row are the terms of a sum."""
    C, n = draw(st.integers(1, 3)), draw(st.integers(0, 6))
    pairs = [draw(term_pairs(T, n)) for _ in range(C)]
    x, y = (np.array([pair[i] for pair in pairs], dtype=T).reshape(C, n) for i in (0, 1))
    return x, y


@st.composite
def matrices(draw: st.DrawFn, T: Type, per_sample: bool = False) -> tuple[Array, Array]:
    """Factors ``(N, K)`` and ``(O, K)``, or ``(N, K)`` and ``(N, O, K)`` of a product."""
    N = draw(st.integers(0, 3))
    O, K = draw(st.integers(1, 3)), draw(st.integers(1, 6))
    kind = draw(st.sampled_from([terms, grid_terms]))
    a = [draw(kind(T, K)) for _ in range(N)]
    flat = draw(st.booleans())
    outputs = N * O if per_sample else O
    b = [np.ones(K, dtype=T) if flat else draw(kind(T, K)) for _ in range(outputs)]
    shape = (N, O, K) if per_sample else (O, K)
    return np.array(a, dtype=T).reshape(N, K), np.array(b, dtype=T).reshape(shape)


# --- addresses of random numbers ----------------------------------------------------------------

seeds = st.sampled_from([0, 1, 2**32 - 1, 2**32, 2**64 - 1]) | st.integers(0, 2**64 - 1)
halfwords = st.sampled_from([0, 1, 2**16 - 1]) | st.integers(0, 2**16 - 1)
words = st.sampled_from([0, 1, 2**31, 2**32 - 1]) | st.integers(0, 2**32 - 1)
addresses = st.tuples(seeds, halfwords, words, halfwords)

"""Wrong sums, products, random numbers and elementary functions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from refsim import spec
from refsim.spec.elementary import horner
from refsim.spec.random import taylor

from .mistake import mistakes

F32 = np.float32


# --- sums ---------------------------------------------------------------------------------------


def naive(x: Any, T: Any = None) -> Any:
    """One term after the other, in ``T``."""
    T = T or x.dtype.type
    return x.dtype.type(np.concatenate([[T(0)], x.ravel().astype(T)]).cumsum()[-1])


def wide_then_rounded(x: Any) -> Any:
    """Correctly rounded in float64, then once more."""
    if not np.isfinite(x).all():
        return x.dtype.type(np.nan)
    try:
        return x.dtype.type(math.fsum(x.ravel().tolist()))
    except OverflowError:
        return spec.total(x)


def signed_zero(x: Any) -> Any:
    result = spec.total(x)
    return -result if result == 0 and x.size and np.signbit(x).all() else result


def without_subnormals(x: Any) -> Any:
    result = spec.total(x)
    return result * x.dtype.type(0) if abs(result) < np.finfo(x.dtype).smallest_normal else result


def columns(f: Any) -> Any:
    """A function of vectors, column by column."""

    def by_column(*tables: Any) -> Any:
        T, C = tables[0].dtype, tables[0].shape[1]
        return np.array([f(*(x[:, j] for x in tables)) for j in range(C)], dtype=T)

    return by_column


def rows(f: Any) -> Any:
    by_column = columns(f)
    return lambda *tables: by_column(*(x.T for x in tables))


def rounded_products(x: Any, y: Any) -> Any:
    return spec.total(x * y)


def wide_products(x: Any, y: Any) -> Any:
    return naive(x.astype(np.float64) * y, np.float64).astype(x.dtype)


def deviation(x: Any, ddof: int = 1) -> Any:
    e = (x - spec.mean(x)).ravel()
    return np.sqrt(spec.product_total(e, e) / x.dtype.type(x.size - ddof))


def deviation_from_moments(x: Any) -> Any:
    T, n = x.dtype.type, x.size
    squares = spec.product_total(x.ravel(), x.ravel())
    return np.sqrt(np.maximum(squares - T(n) * spec.mean(x) ** 2, T(0)) / T(n - 1))


def deviation_with_rounded_squares(x: Any) -> Any:
    e = x - spec.mean(x)
    return np.sqrt(spec.total(e * e) / x.dtype.type(x.size - 1))


def quotient_of_roots(x: Any) -> Any:
    e = (x - spec.mean(x)).ravel()
    return np.sqrt(spec.product_total(e, e)) / np.sqrt(x.dtype.type(x.size - 1))


SUMS = [
    *mistakes(
        "SU-1",
        "total",
        one_term_after_the_other=naive,
        summed_in_float64=lambda x: naive(x, np.float64),
        rounded_twice=wide_then_rounded,
        a_sum_of_negative_zeros_keeps_its_sign=signed_zero,
        subnormal_results_are_flushed=without_subnormals,
        an_infinite_term_gives_infinity=lambda x: x.sum() if np.isinf(x).any() else spec.total(x),
        magnitudes=lambda x: spec.total(np.abs(x)),
    ),
    *mistakes(
        "SU-2",
        "product_total",
        products_are_rounded=rounded_products,
        summed_in_float64=wide_products,
        product_of_the_sums=lambda x, y: spec.total(x) * spec.total(y),
    ),
    *mistakes(
        "SU-3",
        "column_totals",
        one_term_after_the_other=columns(naive),
        rounded_twice=columns(wide_then_rounded),
        rows=rows(spec.total),
    ),
    *mistakes(
        "SU-4",
        "column_product_totals",
        products_are_rounded=columns(rounded_products),
        summed_in_float64=columns(wide_products),
        rows=rows(spec.product_total),
    ),
    *mistakes(
        "SU-5",
        "row_product_totals",
        products_are_rounded=rows(rounded_products),
        summed_in_float64=rows(wide_products),
        columns=columns(spec.product_total),
    ),
    *mistakes(
        "SU-6",
        "mean",
        sum_and_quotient_are_rounded=lambda x: spec.total(x) / x.dtype.type(x.size),
        multiplied_with_the_reciprocal=lambda x: spec.total(x) * (1 / x.dtype.type(x.size)),
        one_term_after_the_other=lambda x: naive(x) / x.dtype.type(x.size),
        sum=spec.total,
    ),
    *mistakes(
        "SU-7",
        "standard_deviation",
        biased=lambda x: deviation(x, ddof=0),
        from_moments=deviation_from_moments,
        squares_are_rounded=deviation_with_rounded_squares,
        quotient_of_roots=quotient_of_roots,
        variance=lambda x: spec.standard_deviation(x) ** 2,
        in_float64=lambda x: np.std(x, ddof=1, dtype=np.float64).astype(x.dtype),
    ),
]


# --- products -----------------------------------------------------------------------------------


def entries(f: Any) -> Any:
    """A matrix product from a function of two rows."""

    def product(a: Any, b: Any) -> Any:
        values = [f(row, column) for row in a for column in b]
        return np.array(values, dtype=a.dtype).reshape(len(a), len(b))

    return product


def per_sample(product: Any) -> Any:
    def each(a: Any, b: Any) -> Any:
        parts = [product(a[n : n + 1], b[n]) for n in range(len(a))]
        return np.concatenate([np.zeros((0, b.shape[1]), a.dtype), *parts])

    return each


def transpose_if_square(w: Any) -> Any:
    return w.swapaxes(-1, -2) if w.shape[-1] == w.shape[-2] else w


blas = lambda a, b: np.matmul(a, b.T)  # noqa: E731
in_float64 = lambda a, b: np.matmul(a.astype(np.float64), b.T).astype(a.dtype)  # noqa: E731
rounded_matrix, wide_matrix = entries(rounded_products), entries(wide_products)

PRODUCTS = [
    *mistakes(
        "MV-1",
        "matrix_product",
        blas=blas,
        summed_in_float64=in_float64,
        products_are_rounded=rounded_matrix,
        one_term_after_the_other=entries(lambda x, y: naive(x * y)),
    ),
    *mistakes(
        "MV-2",
        "per_sample_product",
        blas=per_sample(blas),
        products_are_rounded=per_sample(rounded_matrix),
        the_last_matrix_for_all=lambda a, b: spec.per_sample_product(a, b[::-1]),
    ),
    *mistakes(
        "MV-3",
        "transposed_product",
        blas=lambda g, w: np.matmul(g, w),
        products_are_rounded=lambda g, w: rounded_matrix(g, w.T),
        not_transposed=lambda g, w: spec.transposed_product(g, transpose_if_square(w)),
    ),
    *mistakes(
        "MV-4",
        "outer_product_sum",
        blas=lambda g, d: np.matmul(g.T, d),
        products_are_rounded=lambda g, d: rounded_matrix(g.T, d.T),
        mean_over_the_batch=lambda g, d: spec.outer_product_sum(g, d) / g.dtype.type(len(g) or 1),
        transposed=lambda g, d: spec.outer_product_sum(d, g),
    ),
    *mistakes(
        "MV-5",
        "per_sample_transposed_product",
        blas=lambda g, w: np.matmul(g[:, None], w)[:, 0],
        products_are_rounded=lambda g, w: per_sample(rounded_matrix)(g, w.swapaxes(1, 2)),
        not_transposed=lambda g, w: spec.per_sample_transposed_product(g, transpose_if_square(w)),
        the_last_matrix_for_all=lambda g, w: spec.per_sample_transposed_product(g, w[::-1]),
    ),
]


# --- random numbers -----------------------------------------------------------------------------


def philox(
    key: Any, counter: Any, rounds: int = 10, swapped: bool = False, early: bool = False
) -> Any:
    """Philox with another number of rounds, swapped multipliers or the key grown too early."""
    one, two = (0xD2511F53, 0xCD9E8D57)[:: -1 if swapped else 1]
    (k0, k1), (a, b, c, d) = key, counter
    low, half = np.uint64(0xFFFFFFFF), np.uint64(32)
    for n in range(rounds):
        if n or early:
            k0, k1 = (k0 + 0x9E3779B9) % 2**32, (k1 + 0xBB67AE85) % 2**32
        x, y = a * np.uint64(one), c * np.uint64(two)
        a, b, c, d = y >> half ^ b ^ np.uint64(k0), y & low, x >> half ^ d ^ np.uint64(k1), x & low
    return a, b, c, d


def word_table(seed: int, stream: int, step: int, pass_: int, count: int) -> Any:
    block = np.arange(-(-count // 4), dtype=np.uint64)
    zero, last = np.zeros_like(block), np.full_like(block, stream << 16 | pass_)
    counter = block, zero, np.full_like(block, step), last
    return np.stack(spec.philox((seed % 2**32, seed >> 32), counter), axis=-1)


def from_words(f: Any) -> Any:
    return lambda *address: f(word_table(*address)).ravel()[: address[-1]]


def box_muller(u: Any, log: Any = spec.log, first: Any = lambda u: F32(1) - u) -> Any:
    radius = np.sqrt(F32(-2) * log(first(u[:, 0::2])))
    cosine, sine = spec.unit_circle(u[:, 1::2])
    return radius * cosine, radius * sine


def unit(words: Any) -> Any:
    return (words >> np.uint64(8)).astype(F32) * F32(2**-24)


def normals(pairs: Any) -> Any:
    return from_words(lambda w: np.stack(pairs(unit(w)), axis=-1).reshape(w.shape))


def in_double(u: Any) -> Any:
    radius = np.sqrt(-2 * np.log(1 - u[:, 0::2].astype(np.float64)))
    angle = 2 * np.pi * u[:, 1::2].astype(np.float64)
    return (radius * np.cos(angle)).astype(F32), (radius * np.sin(angle)).astype(F32)


def floored_quarters(u: Any) -> Any:
    k = np.floor(u * F32(4))
    f = u - k * F32(0.25)
    cosine, sine = horner(f * f, taylor(0, 6)), f * horner(f * f, taylor(1, 5))
    turns = [(cosine, sine), (-sine, cosine), (-cosine, -sine), (sine, -cosine)]
    return tuple(np.choose(k.astype(int), [turn[side] for turn in turns]) for side in (0, 1))


RANDOM = [
    *mistakes(
        "RN-1",
        "philox",
        nine_rounds=lambda key, counter: philox(key, counter, rounds=9),
        seven_rounds=lambda key, counter: philox(key, counter, rounds=7),
        multipliers_swapped=lambda key, counter: philox(key, counter, swapped=True),
        key_grows_before_the_first_round=lambda key, counter: philox(key, counter, early=True),
        key_words_swapped=lambda key, counter: spec.philox(key[::-1], counter),
    ),
    *mistakes(
        "RN-2",
        "uniform",
        all_32_bits=from_words(lambda w: w.astype(F32) * F32(2**-32)),
        the_low_bits=from_words(lambda w: unit(w << np.uint64(8) & np.uint64(0xFFFFFFFF))),
        twenty_three_bits=from_words(lambda w: (w >> np.uint64(9)).astype(F32) * F32(2**-23)),
        centred=from_words(lambda w: unit(w) + F32(2**-25)),
        words_by_column=from_words(lambda w: unit(np.ascontiguousarray(w.T))),
        high_half_of_the_seed_is_dropped=lambda seed, *rest: spec.uniform(seed % 2**32, *rest),
        stream_and_pass_swapped=lambda a, b, c, d, n: spec.uniform(a, d, c, b, n),
        float64=lambda *address: spec.uniform(*address).astype(np.float64),
    ),
    *mistakes(
        "RN-3",
        "normal",
        in_float64=normals(in_double),
        logarithm_of_the_machine=normals(lambda u: box_muller(u, np.log)),
        logarithm_of_u=normals(lambda u: box_muller(u, first=lambda v: np.maximum(v, 2**-24))),
        sine_before_cosine=normals(lambda u: box_muller(u)[::-1]),
        angle_from_the_first_word=normals(lambda u: box_muller(u[:, ::-1])),
        words_paired_across=normals(lambda u: box_muller(u[:, [0, 2, 1, 3]])),
    ),
    *mistakes(
        "RN-4",
        "unit_circle",
        of_the_machine=lambda u: (np.cos(F32(2 * np.pi) * u), np.sin(F32(2 * np.pi) * u)),
        rounded_from_float64=lambda u: tuple(
            f(2 * np.pi * u.astype(np.float64)).astype(F32) for f in (np.cos, np.sin)
        ),
        quarters_rounded_down=floored_quarters,
        turned_backwards=lambda u: (spec.unit_circle(u)[0], -spec.unit_circle(u)[1]),
    ),
]


# --- elementary functions -----------------------------------------------------------------------


def log_with_one_constant(x: Any) -> Any:
    m, k = np.frexp(x)
    return k.astype(x.dtype) * x.dtype.type(np.log(2)) + spec.log(m)


def short_exponential(x: Any) -> Any:
    y, T = np.clip(np.nan_to_num(x), -1100, 1100), x.dtype.type
    k = np.rint(y * T(1 / np.log(2)))
    t = y - k * T(np.log(2))
    p = T(1) + t * (T(1) + t * (T(1 / 2) + t * (T(1 / 6) + t * T(1 / 24))))
    return np.where(np.isnan(x), x, np.ldexp(p, k.astype(int)))


def flushed_exponential(x: Any) -> Any:
    y = spec.exp(x)
    return np.where(y < np.finfo(x.dtype).smallest_normal, x.dtype.type(0), y)


ELEMENTARY = [
    *mistakes(
        "EF-1",
        "log",
        of_the_machine=np.log,
        from_float64=lambda x: np.log(x.astype(np.longdouble)).astype(x.dtype),
        one_constant_for_the_exponent=log_with_one_constant,
        zero_gives_nan=lambda x: np.where(x > 0, spec.log(x), x.dtype.type(np.nan)),
        logarithm_of_the_magnitude=lambda x: spec.log(np.abs(x)),
    ),
    *mistakes(
        "EF-2",
        "exp",
        of_the_machine=np.exp,
        from_float64=lambda x: np.exp(x.astype(np.longdouble)).astype(x.dtype),
        four_terms=short_exponential,
        subnormal_results_are_flushed=flushed_exponential,
    ),
]

WRONG = [*SUMS, *PRODUCTS, *RANDOM, *ELEMENTARY]

"""Matrix products: each stage, from the certificate to the superaccumulator, returns the bits of the specification."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refsim import spec
from refsim.kernels import cpu
from refsim.kernels.cpu import exact, product
from tests.exact import Array, Type, round_to, same, ulp
from tests.kernels import data
from tests.strategies import dtypes

SHAPES = [(5, 64, 7), (3, 33, 2), (1, 1, 1), (2, 1, 3), (4, 2, 5), (0, 4, 3), (3, 0, 2), (2, 5, 0)]
kinds = pytest.mark.parametrize("kind", data.PAIRS)
shapes = pytest.mark.parametrize("shape", SHAPES, ids=str)


@kinds
@shapes
@pytest.mark.clause("MV-1", "MV-3", "MV-4")
def test_products(T: Type, kind: str, shape: tuple[int, int, int]) -> None:
    N, K, O = shape
    a, b = data.pair(kind, T, (N, K), (O, K))
    expected = spec.matrix_product(a, b)
    at, bt = np.ascontiguousarray(a.T), np.ascontiguousarray(b.T)
    same(cpu.matrix_product(a, b), expected)
    same(cpu.transposed_product(a, bt), expected)
    same(cpu.outer_product_sum(at, bt), expected)


@kinds
@pytest.mark.parametrize("shape", [(3, 40, 5), (2, 1, 1), (0, 2, 3), (2, 0, 3), (2, 3, 0)], ids=str)
@pytest.mark.clause("MV-2", "MV-5")
def test_products_of_each_sample(T: Type, kind: str, shape: tuple[int, int, int]) -> None:
    N, K, O = shape
    a, b = data.pair(kind, T, (N, K), (N, O, K))
    expected = spec.per_sample_product(a, b)
    same(cpu.per_sample_product(a, b), expected)
    turned = np.ascontiguousarray(b.transpose(0, 2, 1))
    same(cpu.per_sample_transposed_product(a, turned), expected)


@pytest.mark.clause("MV-1")
def test_ties_of_coarse_grids_are_certified(T: Type) -> None:
    a, b = data.pair("grid" if T is np.float32 else "half grid", T, (32, 256), (32, 256))
    left, right = product.rows(a), product.rows(b)
    _, undecided = (product._single if T is np.float32 else product._double)(left, right)
    assert not undecided.any()
    same(cpu.matrix_product(a, b), spec.matrix_product(a, b))


@st.composite
def planted(draw: st.DrawFn, T: Type) -> tuple[Array, Array, Fraction]:
    """Factors whose products sum to a tie of ``T`` plus a hair, behind large terms that cancel."""
    p = np.finfo(T).nmant
    digits = draw(st.integers(2**p, 2 ** (p + 1) - 1))
    hair = Fraction(draw(st.sampled_from([0, 1, -1]))) / 2 ** draw(st.integers(p + 2, 2 * p + 30))
    noise = [draw(st.integers(-(2**p), 2**p)) for _ in range(draw(st.integers(0, 40)))]
    lift = draw(st.integers(0, 30))
    terms = [Fraction(digits), Fraction(1, 2), hair]
    terms += [sign * Fraction(n) * 2**lift for n in noise for sign in (1, -1)]
    order = draw(st.permutations(range(len(terms))))
    powers = [draw(st.integers(-20, 20)) for _ in terms]
    x = [float(terms[i] * Fraction(2) ** e) for i, e in zip(order, powers, strict=True)]
    y = [float(Fraction(2) ** -e) for e in powers]
    return np.array([x], T), np.array([y], T), sum(terms, Fraction(0))


@given(case=dtypes.flatmap(planted))
@pytest.mark.clause("MV-1")
def test_planted_ties(case: tuple[Array, Array, Fraction]) -> None:
    x, y, total = case
    expected = np.array([[round_to(x.dtype.type, total)]])
    same(cpu.matrix_product(x, y), expected)
    same(cpu.outer_product_sum(x.T, y.T), expected)
    same(cpu.per_sample_product(x, y[None]), expected)


@pytest.mark.parametrize("scale", [0.25, 0.5, 0.9, 0.99, 1, 1.01, 1.1, 2, 4])
@pytest.mark.parametrize("side", [-1, 1])
@pytest.mark.clause("MV-1")
def test_the_boundary_of_the_filter(T: Type, scale: float, side: int) -> None:
    """A sum at a multiple of the error bound beside a rounding boundary."""
    rng = np.random.default_rng(int(scale * 100))
    x, y = data.repeated(T, rng, (1, 66)), data.cancelling(T, rng, (1, 66))
    left, right = product.rows(x), product.rows(y)
    g, p = Fraction(product.gamma(70)), Fraction(float(left.size[0] * right.size[0]))
    bound = g * p if T is np.float32 else g * g * p
    boundary = Fraction(3) + ulp(T(3)) / 2
    total = sum(Fraction(float(u)) * Fraction(float(v)) for u, v in zip(x[0], y[0], strict=True))
    for _ in range(4):  # each product brings the sum closer to the boundary and the multiple
        step = round_to(T, boundary + side * Fraction(scale) * bound - total)
        x, y = np.append(x, [[step]], axis=1), np.append(y, [[T(1)]], axis=1)
        total += Fraction(float(step))
    filtered = product._single if T is np.float32 else product._double
    _, undecided = filtered(product.rows(x), product.rows(y))
    assert undecided[0, 0] or scale > 0.5
    assert not undecided[0, 0] or scale < 4
    same(cpu.matrix_product(x, y), np.array([[round_to(T, total)]]))


@pytest.mark.parametrize("exponent", range(-6, 8))
@pytest.mark.parametrize("hair", [0, 1, -1])
@pytest.mark.parametrize("scale", [0, 300])
@pytest.mark.clause("MV-1")
def test_the_boundary_of_the_certificate(T: Type, exponent: int, hair: int, scale: int) -> None:
    """A tie of ``T`` and a hair, which float64 holds, or its running error, as long as the certificate does."""
    if T is np.float32:
        digits, top, scale = 24, 53 + exponent, scale // 10
    else:
        digits, top = 53, 105 + exponent
    for last in (1, 3):
        x = [2.0 ** (digits - 1) + last, 2.0 ** (top // 2 - digits // 2), hair]
        y = [2.0 ** (top - digits), 2.0 ** (top - digits - 1 - top // 2 + digits // 2), 1]
        a = np.array([x], T) * T(2.0 ** -(2 * scale))
        b = np.array([y], T) * T(2.0**scale)
        same(cpu.matrix_product(a, b), spec.matrix_product(a, b))
        same(cpu.matrix_product(b, -a), spec.matrix_product(b, -a))


@pytest.mark.clause("MV-1")
def test_the_sign_of_a_sum_that_underflows() -> None:
    x, y = np.float32(1.1 * 2.0**-60), np.float32(1.3 * 2.0**-60)
    for hair in (2.0**-90, -(2.0**-90)):
        a, b = np.float32([[x, x, hair]]), np.float32([[y, -y, 2.0**-90]])
        same(cpu.matrix_product(a, b), np.float32([[np.copysign(0, hair)]]))


@pytest.mark.clause("MV-1", "MV-2")
def test_products_close_to_overflow() -> None:
    """The product is finite, the product of its upper halves is not."""
    x = np.float64([[2.0**512 * (1 - 2.0**-30)]])
    for y in (x, -x):
        same(cpu.matrix_product(x, y), x * y)
        same(cpu.per_sample_product(x, y[None]), x * y)
        same(cpu.transposed_product(x, y), x * y)


@pytest.mark.clause("MV-1")
def test_what_the_filter_leaves_open_is_summed_again(T: Type) -> None:
    p = np.finfo(T).nmant + 1
    x = T([[2.0**p, 1, 2.0 ** (-2 * p), 2.0**-120]])
    for last, expected in [(1, 2.0**p + 2), (-1, 2.0**p)]:
        y = T([[1, 1, 0, last]])
        before = exact.fallbacks()
        same(cpu.matrix_product(x, y), T([[expected]]))
        assert exact.fallbacks() - before <= 1


@given(seed=st.integers(0, 2**32), kind=st.sampled_from(sorted(data.PAIRS)), T=dtypes)
@pytest.mark.clause("MV-1")
def test_the_error_bound_holds(seed: int, kind: str, T: Type) -> None:
    """The float64 sum, or the compensated one, stands as close to the exact sum as the filter assumes."""
    a, b = data.pair(kind, T, (1, 24), (1, 24), seed)
    left, right = product.rows(a), product.rows(b)
    p = float(left.size[0] * right.size[0])
    unit = float(left.unit[0] * right.unit[0])
    if not (np.isfinite(a).all() and np.isfinite(b).all() and p < 2.0**1000 and unit > 0):
        return
    terms = [
        Fraction(float(u)) * Fraction(float(v))
        for u, v in zip(left.wide[0], right.wide[0], strict=True)
    ]
    assert sum(map(abs, terms)) <= Fraction(float(left.size[0])) * Fraction(float(right.size[0]))
    assert unit == np.inf or all(term % Fraction(unit) == 0 for term in terms)
    g = Fraction(product.gamma(24))
    if T is np.float32:
        s = np.matmul(left.wide, right.wide.T)
        error, bound = abs(sum(terms) - Fraction(float(s[0, 0]))), g * Fraction(p)
        certified = p < 2.0**53 * unit
    else:
        s, c = np.zeros((1, 1)), np.zeros((1, 1))
        columns = np.ascontiguousarray(right.wide.T)
        high = np.empty_like(columns)
        product._upper_halves(0, 24, columns, high)
        product._dot2(0, 1, left.wide, columns, high, s, c)
        error = abs(sum(terms) - Fraction(float(s[0, 0])) - Fraction(float(c[0, 0])))
        bound = g * g * Fraction(p)
        certified = product.gamma(24) * p < 2.0**53 * unit
    assert error <= (0 if certified else bound)

"""Clauses MV: matrix products with one rounding for each element."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

from tests.clauses.checks import agree, awkward, cases
from tests.exact import Array, Type, same
from tests.strategies import matrices, typed

Pair = tuple[tuple[Array, Array]]


def transposed(T: Type) -> Any:
    """``(N, O)`` and ``(O, I)`` with the planted sums along ``O``."""
    return matrices(T).map(lambda pair: (pair[0], np.ascontiguousarray(pair[1].T)))


def outer(T: Type) -> Any:
    """``(N, O)`` and ``(N, I)`` with the planted sums along the batch."""
    return matrices(T).map(lambda pair: tuple(np.ascontiguousarray(x.T) for x in pair))


def per_sample(T: Type) -> Any:
    """``(N, K)`` and ``(N, O, K)``."""
    return matrices(T, per_sample=True)


def per_sample_transposed(T: Type) -> Any:
    """``(N, O)`` and ``(N, O, I)``."""
    return per_sample(T).map(lambda p: (p[0], np.ascontiguousarray(p[1].transpose(0, 2, 1))))


@pytest.mark.clause("MV-1")
@cases(case=typed(matrices))
def test_matrix_product(ops: Any, case: Pair) -> None:
    agree(ops, "matrix_product", *case[0])


@pytest.mark.clause("MV-2")
@cases(case=typed(per_sample))
def test_per_sample_product(ops: Any, case: Pair) -> None:
    agree(ops, "per_sample_product", *case[0])


@pytest.mark.clause("MV-3")
@cases(case=typed(transposed))
def test_transposed_product(ops: Any, case: Pair) -> None:
    agree(ops, "transposed_product", *case[0])


@pytest.mark.clause("MV-4")
@cases(case=typed(outer))
def test_outer_product_sum(ops: Any, case: Pair) -> None:
    agree(ops, "outer_product_sum", *case[0])


@pytest.mark.clause("MV-5")
@cases(case=typed(per_sample_transposed))
def test_per_sample_transposed_product(ops: Any, case: Pair) -> None:
    agree(ops, "per_sample_transposed_product", *case[0])


@pytest.mark.clause("MV-1")
def test_matrix_product_by_hand(ops: Any, T: Type) -> None:
    big, eps = T(2.0 ** (np.finfo(T).nmant + 1)), np.finfo(T).eps
    ones = np.ones((1, 3), dtype=T)
    same(ops.matrix_product(T([[big, 1, 0]]), ones), T([[big]]))
    same(ops.matrix_product(T([[big, 1, 2.0**-60]]), ones), T([[big + 2]]))
    same(ops.matrix_product(T([[1, -1, -0.0]]), ones), T([[0]]))
    a, b = T([[1 + eps, -1]]), T([[1 + eps, 1 + 2 * eps]])
    same(ops.matrix_product(a, b), T([[eps * eps]]))


@pytest.mark.clause("MV-2")
@pytest.mark.clause("MV-3")
@pytest.mark.clause("MV-4")
@pytest.mark.clause("MV-5")
def test_products_of_awkward_numbers(ops: Any, T: Type) -> None:
    """Square matrices, so that no mistaken axis changes a shape."""
    g, w, each = awkward(T, 3, 3), awkward(T, 4, 3)[1:], awkward(T, 4, 3, 3)[1:]
    agree(ops, "per_sample_product", g, each)
    agree(ops, "transposed_product", g, w)
    agree(ops, "outer_product_sum", g, w)
    agree(ops, "per_sample_transposed_product", g, each)


@pytest.mark.clause("MV-1")
def test_special_elements_spoil_their_own_sums_only(ops: Any, T: Type) -> None:
    a, w = T([[np.inf, 1], [0, 2], [np.finfo(T).max] * 2]), T([[0, 1], [1, np.nan], [1, 1]])
    nan, top = np.nan, np.inf
    expected = T([[nan, nan, nan], [2, nan, 2], [np.finfo(T).max, nan, top]])
    same(ops.matrix_product(a, w), expected)


@pytest.mark.clause("MV-1")
@pytest.mark.clause("MV-3")
@pytest.mark.clause("MV-4")
def test_empty_sums_and_batches(ops: Any, T: Type) -> None:
    def zeros(*shape: int) -> Array:
        return np.zeros(shape, dtype=T)

    same(ops.matrix_product(zeros(2, 0), zeros(3, 0)), zeros(2, 3))
    same(ops.matrix_product(zeros(0, 2), zeros(3, 2)), zeros(0, 3))
    same(ops.transposed_product(zeros(0, 3), zeros(3, 2)), zeros(0, 2))
    same(ops.outer_product_sum(zeros(0, 3), zeros(0, 2)), zeros(3, 2))


@pytest.mark.clause("MV-2")
@pytest.mark.clause("MV-5")
def test_empty_batches_of_matrices(ops: Any, T: Type) -> None:
    def zeros(*shape: int) -> Array:
        return np.zeros(shape, dtype=T)

    same(ops.per_sample_product(zeros(0, 2), zeros(0, 3, 2)), zeros(0, 3))
    same(ops.per_sample_transposed_product(zeros(0, 3), zeros(0, 3, 2)), zeros(0, 2))


@pytest.mark.clause("MV-1")
@cases(case=typed(matrices), data=st.data())
def test_the_order_of_terms_does_not_matter(ops: Any, case: Pair, data: Any) -> None:
    a, b = case[0]
    order = list(data.draw(st.permutations(range(a.shape[1]))))
    shuffled = [np.ascontiguousarray(x[:, order]) for x in (a, b)]
    same(ops.matrix_product(*shuffled), ops.matrix_product(a, b))


@pytest.mark.clause("MV-1")
@pytest.mark.clause("MV-4")
@cases(case=typed(matrices))
def test_rows_are_independent_and_the_product_commutes(ops: Any, case: Pair) -> None:
    a, b = case[0]
    whole = ops.matrix_product(a, b)
    for n in range(len(a)):
        same(ops.matrix_product(a[n : n + 1], b), whole[n : n + 1])
    same(np.ascontiguousarray(ops.matrix_product(b, a).T), whole)
    same(ops.outer_product_sum(*(np.ascontiguousarray(x.T) for x in (a, b))), whole)


@pytest.mark.clause("MV-2")
@pytest.mark.clause("MV-3")
@pytest.mark.clause("MV-5")
@cases(case=typed(matrices))
def test_the_five_products_are_one(ops: Any, case: Pair) -> None:
    a, b = case[0]
    whole = ops.matrix_product(a, b)
    repeated = np.repeat(b[None], len(a), axis=0)
    turned = np.ascontiguousarray(repeated.transpose(0, 2, 1))
    same(ops.transposed_product(a, np.ascontiguousarray(b.T)), whole)
    same(ops.per_sample_product(a, repeated), whole)
    same(ops.per_sample_transposed_product(a, turned), whole)


@pytest.mark.clause("MV-1")
@pytest.mark.parametrize("bits", [8, 12])
def test_products_of_codes_and_coarse_weights(ops: Any, T: Type, bits: int) -> None:
    """Exact ties in large numbers: 12-bit codes times 12-bit weights, 300 terms."""
    generator = np.random.default_rng(bits)
    half = 2 ** (bits - 1)
    a, b = (generator.integers(-half, half, (4, 300)) for _ in range(2))
    expected = (a @ b.T).astype(np.float64)  # below 2**53: exact
    scale = T(2.0**-bits)
    got = ops.matrix_product(a.astype(T) * scale, b.astype(T))
    same(got, (expected * 2.0**-bits).astype(T))


@pytest.mark.clause("MV-1")
def test_products_of_random_data_agree_at_a_larger_size(ops: Any, T: Type) -> None:
    generator = np.random.default_rng(3)
    a, b = (generator.normal(size=(5, 200)).astype(T) for _ in range(2))
    b[0] = np.where(np.arange(200) % 2, a[0], -a[0])  # strong cancellation against itself reversed
    agree(ops, "matrix_product", a, b)
    wild = np.ldexp(a, generator.integers(-40, 40, a.shape)).astype(T)
    agree(ops, "matrix_product", wild, wild[:, ::-1].copy())

"""Clauses PP and MS: scales, bias and the mapping of weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

from tests.clauses.checks import agree, awkward, cases
from tests.exact import Array, Type, same
from tests.strategies import batches, numbers, positive, sizes, typed, vectors, wide

matrix_shapes = st.tuples(sizes, sizes)


@st.composite
def outputs_and_scales(draw: Any, T: Type) -> tuple[Array, Array]:
    z = draw(batches(T))
    return z, draw(vectors(T, draw(st.sampled_from([1, z.shape[1]]))))


@st.composite
def outputs_and_biases(draw: Any, T: Type) -> tuple[Array, Array]:
    y = draw(batches(T))
    return y, draw(vectors(T, y.shape[1]))


@st.composite
def rows_and_scales(draw: Any, T: Type) -> tuple[Array, Array]:
    x = draw(batches(T, matrix_shapes))
    return x, draw(vectors(T, draw(st.sampled_from([1, len(x)]))))


@st.composite
def weights_and_scales(draw: Any, T: Type) -> tuple[Array, Array]:
    w = draw(batches(T, matrix_shapes))
    return w, draw(vectors(T, draw(st.sampled_from([1, len(w)])), positive(T)))


def weights(T: Type) -> Any:
    return batches(T, matrix_shapes) | batches(T, matrix_shapes, wide(T))


@pytest.mark.clause("PP-1")
@cases(case=typed(outputs_and_scales))
def test_scaled_output(ops: Any, case: Any) -> None:
    agree(ops, "scaled_output", *case[0])


@pytest.mark.clause("PP-2")
@cases(case=typed(outputs_and_biases))
def test_shifted_output(ops: Any, case: Any) -> None:
    agree(ops, "shifted_output", *case[0])


@pytest.mark.clause("PP-3")
@cases(case=typed(lambda T: vectors(T, 1), lambda T: sizes.flatmap(lambda n: vectors(T, n))))
def test_merged_scale(ops: Any, case: Any) -> None:
    agree(ops, "merged_scale", *case)


@pytest.mark.clause("PP-4")
@cases(case=typed(rows_and_scales))
def test_row_scaled(ops: Any, case: Any) -> None:
    agree(ops, "row_scaled", *case[0])


@pytest.mark.clause("PP-1")
@pytest.mark.clause("PP-2")
@pytest.mark.clause("PP-3")
@pytest.mark.clause("PP-4")
def test_periphery_by_hand(ops: Any, T: Type) -> None:
    z = T([[1, 2], [3, -4]])
    same(ops.scaled_output(z, T([3, 0.5])), T([[3, 1], [9, -2]]))
    same(ops.scaled_output(z, T([-2])), T([[-2, -4], [-6, 8]]))
    same(ops.shifted_output(z, T([0.5, -2])), T([[1.5, 0], [3.5, -6]]))
    same(ops.merged_scale(T([-2]), T([0.5, 3])), T([-1, -6]))
    same(ops.row_scaled(z, T([2, 0.5])), T([[2, 4], [1.5, -2]]))
    same(ops.row_scaled(z, T([2])), T([[2, 4], [6, -8]]))


@pytest.mark.clause("PP-1")
@pytest.mark.clause("PP-3")
def test_range_and_scales_are_merged_before_they_meet_the_output(ops: Any, T: Type) -> None:
    z, r, s = T([[T(1) / T(3)]]), T([0.7]), T([0.1])
    got = ops.scaled_output(z, ops.merged_scale(r, s))
    same(got, z * (r * s))


@pytest.mark.clause("PP-1")
@cases(case=typed(outputs_and_scales))
def test_scales_act_in_columns(ops: Any, case: Any) -> None:
    z, scale = case[0]
    whole = ops.scaled_output(z, scale)
    for o in range(z.shape[1]):
        own = scale[o : o + 1] if scale.size > 1 else scale
        same(ops.scaled_output(z[:, o : o + 1].copy(), own.copy()), whole[:, o : o + 1])


@pytest.mark.clause("MS-1")
@cases(case=typed(weights, positive), columnwise=st.booleans())
def test_mapping_scales(ops: Any, case: Any, columnwise: bool) -> None:
    agree(ops, "mapping_scales", *case, columnwise)


@pytest.mark.clause("MS-1")
def test_mapping_scales_by_hand(ops: Any, T: Type) -> None:
    w = T([[1, -3], [0, -0.0], [0.5, 2]])
    same(ops.mapping_scales(w, T(0.5), True), T([6, 1, 4]))
    same(ops.mapping_scales(w, T(0.5), False), T([6]))
    same(ops.mapping_scales(w * T(0), T(0.5), False), T([1]))
    same(ops.mapping_scales(w[:1], T(0.3), False), T([T(3) / T(0.3)]))


@pytest.mark.clause("MS-2")
@cases(case=typed(weights_and_scales))
def test_stored_weight(ops: Any, case: Any) -> None:
    agree(ops, "stored_weight", *case[0])


@pytest.mark.clause("MS-3")
@cases(case=typed(weights_and_scales))
def test_stored_weight_gradient(ops: Any, case: Any) -> None:
    agree(ops, "stored_weight_gradient", *case[0])


@pytest.mark.clause("MS-2")
@pytest.mark.clause("MS-3")
def test_stored_weights_by_hand(ops: Any, T: Type) -> None:
    w = T([[1, -3], [5, 0]])
    same(ops.stored_weight(w, T([2, 4])), T([[0.5, -1.5], [1.25, 0]]))
    same(ops.stored_weight(w, T([2])), T([[0.5, -1.5], [2.5, 0]]))
    same(ops.stored_weight_gradient(w, T([2, 4])), T([[0.25, -0.75], [0.3125, 0]]))
    same(ops.stored_weight_gradient(w, T([2])), T([[0.25, -0.75], [1.25, 0]]))
    ten = np.arange(1, 11, dtype=T)[None]
    scale = T([0.7])
    same(ops.stored_weight(ten, scale), ten / scale)
    same(ops.stored_weight_gradient(ten, scale), ten / scale / scale)
    huge = np.array([[np.finfo(T).max]])  # whose square would overflow
    same(ops.stored_weight_gradient(huge, huge[0]), T([[1]]) / huge)


@pytest.mark.clause("MS-1")
@pytest.mark.clause("MS-2")
@cases(case=typed(lambda T: batches(T, matrix_shapes)), columnwise=st.booleans())
def test_the_largest_stored_weight_is_one(ops: Any, case: Any, columnwise: bool) -> None:
    (w,) = case
    T = w.dtype.type
    stored = ops.stored_weight(w, ops.mapping_scales(w, T(1), columnwise))
    groups = list(zip(w, stored, strict=True)) if columnwise else [(w, stored)]
    for logical, row in groups:
        assert np.abs(row).max() == (1 if np.any(logical) else 0)


@pytest.mark.clause("MS-3")
@pytest.mark.clause("PP-4")
@cases(k=st.integers(-6, 6), lr=st.sampled_from([0.5, 0.25]))
def test_a_step_moves_the_logical_weight_as_if_there_were_no_scale(
    ops: Any, T: Type, k: int, lr: float
) -> None:
    w, g = T([[1.5, -0.25], [2, 0.75]]), T([[0.5, 1], [-1, 0.125]])
    s = T([2.0**k, 1])
    raw = ops.row_scaled(g, s)  # the chain rule multiplies with s once
    stored = ops.stored_weight(w, s) - T(lr) * ops.stored_weight_gradient(raw, s)
    same(ops.row_scaled(stored, s), w - T(lr) * g)


@pytest.mark.clause("PP-3")
@cases(case=typed(numbers, numbers))
def test_merged_scale_commutes(ops: Any, case: Any) -> None:
    r, s = (np.array([value]) for value in case)
    same(ops.merged_scale(r, s), ops.merged_scale(s, r))


@pytest.mark.clause("MS-4")
@cases(case=typed(lambda T: sizes.flatmap(lambda n: vectors(T, n, positive(T)))))
def test_rate_compensation(ops: Any, case: Any) -> None:
    agree(ops, "rate_compensation", *case)


@pytest.mark.clause("MS-4")
def test_rate_compensation_by_hand(ops: Any, T: Type) -> None:
    same(ops.rate_compensation(T([4])), T(0.25))
    same(ops.rate_compensation(T([1, 3])), T(0.5))
    same(ops.rate_compensation(T([1, 2, 4])), T(1) / (T(7) / T(3)))
    for n in range(2, 9):
        agree(ops, "rate_compensation", np.abs(awkward(T, n)))


@st.composite
def gradients_and_scales(draw: Any, T: Type) -> tuple[Any, ...]:
    g = draw(batches(T))
    s = draw(vectors(T, draw(st.sampled_from([1, g.shape[1]])), positive(T)))
    return g, s, draw(positive(T))


@pytest.mark.clause("MS-5")
@cases(case=typed(gradients_and_scales))
def test_unscaled_gradient(ops: Any, case: Any) -> None:
    agree(ops, "unscaled_gradient", *case[0])


@pytest.mark.clause("MS-5")
def test_unscaled_gradient_by_hand(ops: Any, T: Type) -> None:
    same(ops.unscaled_gradient(T([[1, -3]]), T([2, 4]), T(0.5)), T([[1, -1.5]]))
    same(ops.unscaled_gradient(T([[1, -3]]), T([2]), T(1)), T([[0.5, -1.5]]))
    agree(ops, "unscaled_gradient", awkward(T, 3, 7), np.abs(awkward(T, 7)), T(1) / T(7))

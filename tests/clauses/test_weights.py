"""Clauses WM and WP: weight modifiers and the post-update clip."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

from tests.clauses.checks import agree, awkward, cases
from tests.exact import Array, Type, same
from tests.strategies import (
    analog,
    arrays,
    batches,
    bounds,
    factors,
    grids,
    near,
    normals,
    positive,
    sizes,
    typed,
    uniforms,
)

matrix_shapes = st.tuples(sizes, sizes)


def weights(T: Type) -> Any:
    return batches(T, matrix_shapes)


@st.composite
def noisy(draw: Any, T: Type) -> tuple[Any, ...]:
    """A weight, noise for the whole batch or for each of its rows, and a scale."""
    w = draw(weights(T))
    batch = draw(st.sampled_from([(), (1,), (2,)]))
    return w, draw(normals(T, (*batch, *w.shape))), draw(factors(T))


@st.composite
def discretised(draw: Any, T: Type) -> tuple[Any, ...]:
    grid = draw(grids(T))
    w = draw(batches(T, matrix_shapes, analog(T, grid)))
    shape = draw(st.sampled_from([None, w.shape, (2, *w.shape)]))
    return w, grid[0], None if shape is None else draw(uniforms(T, shape))


@st.composite
def clipped(draw: Any, T: Type) -> tuple[Any, ...]:
    bound = draw(bounds(T) | factors(T))
    return draw(batches(T, matrix_shapes, near(bound))), bound


@pytest.mark.clause("WM-1")
@cases(case=typed(weights))
def test_abs_max(ops: Any, case: tuple[Array]) -> None:
    agree(ops, "abs_max", case[0])


@pytest.mark.clause("WM-1")
def test_abs_max_by_hand(ops: Any, T: Type) -> None:
    same(ops.abs_max(T([[1, 2], [-3, 0]])), T(3))
    same(ops.abs_max(T([[-0.0]])), T(0))


@pytest.mark.clause("WM-2")
@cases(case=typed(noisy))
def test_additive_noise_weight(ops: Any, case: Any) -> None:
    agree(ops, "additive_noise_weight", *case[0])


@pytest.mark.clause("WM-3")
@cases(case=typed(noisy))
def test_multiplicative_noise_weight(ops: Any, case: Any) -> None:
    agree(ops, "multiplicative_noise_weight", *case[0])


@pytest.mark.clause("WM-2")
@pytest.mark.clause("WM-3")
def test_noise_by_hand(ops: Any, T: Type) -> None:
    w, xi = T([[1, 2]]), T([[[1, -2]], [[0, 4]]])
    same(ops.additive_noise_weight(w, xi, T(0.5)), T([[[1.5, 1]], [[1, 4]]]))
    same(ops.multiplicative_noise_weight(w, xi, T(0.5)), T([[[1.5, 0]], [[1, 6]]]))
    w = awkward(T, 3, 3)
    same(ops.multiplicative_noise_weight(w, -w, T(0.1)), w * (T(1) + T(0.1) * -w))


@pytest.mark.clause("WM-2")
@pytest.mark.clause("WM-3")
@cases(case=typed(noisy))
def test_each_row_of_the_batch_has_its_own_noise(ops: Any, case: Any) -> None:
    w, noise, scale = case[0]
    if noise.ndim == 3:
        for name in ("additive_noise_weight", "multiplicative_noise_weight"):
            whole = getattr(ops, name)(w, noise, scale)
            for n in range(len(noise)):
                same(getattr(ops, name)(w, noise[n], scale), whole[n])


@pytest.mark.clause("WM-4")
@cases(case=typed(discretised))
def test_discretised_weight(ops: Any, case: Any) -> None:
    agree(ops, "discretised_weight", *case[0])


@pytest.mark.clause("WM-4")
def test_discretised_weight_by_hand(ops: Any, T: Type) -> None:
    w = T([[0.25, 0.75, -0.25, 9]])
    same(ops.discretised_weight(w, T(0.5), None), T([[0, 1, -0.0, 9]]))  # no clip
    u = T([[[0.25] * 4], [[-0.5] * 4]])
    same(ops.discretised_weight(w, T(0.5), u), T([[[0.5, 1, -0.0, 9]], [[0, 0.5, -0.5, 9]]]))
    same(ops.discretised_weight(w, T(0), u), T([[[0.25, 0.75, -0.25, 9]]] * 2))


@pytest.mark.clause("WP-1")
@cases(case=typed(positive, factors, factors))
def test_gaussian_bound(ops: Any, case: Any) -> None:
    agree(ops, "gaussian_bound", *case)


@pytest.mark.clause("WP-1")
def test_gaussian_bound_by_hand(ops: Any, T: Type) -> None:
    same(ops.gaussian_bound(T(0.5), T(2.5), T(-1)), T(1.25))
    same(ops.gaussian_bound(T(0.5), T(2.5), T(0)), T(1.25))
    same(ops.gaussian_bound(T(0.5), T(2.5), T(1)), T(1))
    same(ops.gaussian_bound(T(0.5), T(2.5), T(2)), T(1.25))


@pytest.mark.clause("WP-2")
@cases(case=typed(clipped))
def test_clipped_weight(ops: Any, case: Any) -> None:
    agree(ops, "clipped_weight", *case[0])


@pytest.mark.clause("WP-2")
def test_clipped_weight_by_hand(ops: Any, T: Type) -> None:
    w = T([[-3, -1, -0.0, 0.5, 2]])
    same(ops.clipped_weight(w, T(1)), T([[-1, -1, -0.0, 0.5, 1]]))
    same(ops.clipped_weight(w, T(-1)), T([[-1, -1, -1, -1, -1]]))
    same(ops.clipped_weight(w, T(np.inf)), w)


@pytest.mark.clause("WP-2")
@cases(case=typed(lambda T: arrays(T, (2, 3)), positive))
def test_clipped_weight_is_idempotent_and_odd(ops: Any, case: Any) -> None:
    w, bound = case
    once = ops.clipped_weight(w, bound)
    same(ops.clipped_weight(once, bound), once)
    same(ops.clipped_weight(-w, bound), -once)
    same(once, ops.clip(w, bound))

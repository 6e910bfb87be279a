"""Clauses DC: grids, clips and the two converters."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

from tests.clauses.checks import agree, cases
from tests.exact import Array, Scalar, Type, same
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
    vectors,
)

Draw = Any


@st.composite
def grid_cases(draw: Draw, T: Type) -> tuple[Array, Scalar, Array | None]:
    """Values, a step, and the deviates of stochastic rounding or none."""
    grid = draw(grids(T))
    a = draw(batches(T, elements=analog(T, grid)))
    rounding = draw(uniforms(T, a.shape)) if draw(st.booleans()) else None
    return a, grid[0], rounding


@st.composite
def clip_cases(draw: Draw, T: Type) -> tuple[Array, Scalar]:
    bound = draw(bounds(T))
    return draw(batches(T, elements=near(bound))), bound


@st.composite
def converter_cases(draw: Draw, T: Type) -> tuple[Any, ...]:
    """Values, the grid, and for every kind of noise some or none."""
    step, bound = grid = draw(grids(T))
    a = draw(batches(T, elements=analog(T, grid)))
    rounding = draw(uniforms(T, a.shape)) if draw(st.booleans()) else None
    noise = draw(normals(T, a.shape)) if draw(st.booleans()) else None
    return a, step, bound, rounding, noise


@st.composite
def dac_cases(draw: Draw, T: Type) -> tuple[Any, ...]:
    v, step, bound, rounding, noise = draw(converter_cases(T))
    sigma = draw(vectors(T, len(v), st.sampled_from([T(1), T(0.5), T(0.25)]) | positive(T)))
    return v, sigma, step, bound, rounding, noise, draw(factors(T)), draw(factors(T))


@st.composite
def adc_cases(draw: Draw, T: Type) -> tuple[Any, ...]:
    m, step, bound, rounding, noise = draw(converter_cases(T))
    scales = draw(vectors(T, draw(st.sampled_from([1, m.shape[1]])), factors(T)))
    return m, step, bound, rounding, noise, scales, draw(factors(T))


@st.composite
def rescaling_cases(draw: Draw, T: Type) -> tuple[Any, ...]:
    z = draw(batches(T))
    return z, draw(vectors(T, len(z), positive(T))), draw(factors(T))


# --- the grid -----------------------------------------------------------------------------------


@pytest.mark.clause("DC-1")
@cases(case=typed(grid_cases))
def test_on_grid(ops: Any, case: Any) -> None:
    agree(ops, "on_grid", *case[0])


@pytest.mark.clause("DC-1")
def test_half_way_values_take_the_even_code(ops: Any, T: Type) -> None:
    halves = T([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5])
    same(ops.on_grid(halves, T(1), None), T([-2, -2, -0.0, 0, 2, 2]))
    same(ops.on_grid(halves / T(4), T(0.25), None), T([-2, -2, -0.0, 0, 2, 2]) / T(4))


@pytest.mark.clause("DC-1")
def test_one_ulp_beside_a_tie_decides(ops: Any, T: Type) -> None:
    tie = T([0.5, 1.5, 2.5])
    above, below = np.nextafter(tie, T(9)), np.nextafter(tie, T(-9))
    same(ops.on_grid(above, T(1), None), T([1, 2, 3]))
    same(ops.on_grid(below, T(1), None), T([0, 1, 2]))


@pytest.mark.clause("DC-1")
def test_a_saturated_input_on_two_kinds_of_grid(ops: Any, T: Type) -> None:
    one = np.ones(1, dtype=T)
    same(ops.on_grid(one, T(1 / 63), None), one)  # 2**7 - 2 levels: 1 is a code
    beyond = ops.on_grid(one, T(2 / 127), None)  # 2**7 - 1 levels: 63.5 steps, to the even code
    same(beyond, T([64]) * T(2 / 127))
    assert beyond[0] > 1


@pytest.mark.clause("DC-1")
def test_every_tie_of_a_grid(ops: Any, T: Type) -> None:
    """The quotient is rounded before it is judged a tie; a reciprocal would judge 6 % of these otherwise."""
    for levels in (6, 7, 30, 31, 126, 127):
        for bound in (1.0, 12.0, 0.3):
            step = T(2 * bound / levels)
            ties = np.arange(-levels - 2, levels + 3, dtype=T) / T(2) * step
            agree(ops, "on_grid", ties, step, None)


@pytest.mark.clause("DC-1")
def test_no_step_is_no_rounding(ops: Any, T: Type) -> None:
    a = T([0.3, -0.0, 1e30])
    same(ops.on_grid(a, T(0), None), a)
    same(ops.on_grid(a, T(0), T([0.25, 0.25, 0.25])), a)


@pytest.mark.clause("DC-1")
@cases(case=typed(lambda T: arrays(T, (4,), st.integers(-60, 60).map(lambda k: T(k / 8)))))
def test_codes_are_odd_monotone_and_stay(ops: Any, case: tuple[Array]) -> None:
    (a,) = case
    step = a.dtype.type(0.25)
    q = ops.on_grid(a, step, None)
    same(ops.on_grid(q, step, None), q)
    same(ops.on_grid(-a, step, None), -q)
    order = np.argsort(a, kind="stable")
    assert np.all(np.diff(q[order]) >= 0)
    assert np.all(np.abs(q - a) <= step / a.dtype.type(2))


@pytest.mark.clause("DC-1")
@cases(case=typed(grid_cases), k=st.integers(-8, 8))
def test_the_grid_scales_with_powers_of_two(ops: Any, case: Any, k: int) -> None:
    a, step, rounding = case[0]
    factor = a.dtype.type(2.0**k)
    plain = np.all((a == 0) | ((np.abs(a) > 1e-20) & (np.abs(a) < 1e20)))
    if plain and step > 1e-6:
        same(
            ops.on_grid(a * factor, step * factor, rounding),
            ops.on_grid(a, step, rounding) * factor,
        )


@pytest.mark.clause("DC-1")
def test_stochastic_rounding_has_no_bias(ops: Any, T: Type) -> None:
    """Over 64 evenly spaced deviates the mean code is the value itself, for multiples of 1/64."""
    u = (np.arange(64, dtype=T) + T(0.5)) / T(64) - T(0.5)
    for value in (T(1 / 64), T(0.25), T(-0.75), T(2.5), T(-31 / 64)):
        codes = ops.on_grid(np.full(64, value), T(1), u)
        assert sum(map(Fraction, codes.tolist())) / 64 == Fraction(float(value))


@pytest.mark.clause("DC-1")
def test_stochastic_rounding_adds_before_it_rounds(ops: Any, T: Type) -> None:
    a = T([0.75, 0.75, 0.75, 0.25])
    same(ops.on_grid(a, T(0.5), T([-0.5, 0.25, 0, -0.5])), T([0.5, 1, 1, 0]))


# --- the clip -----------------------------------------------------------------------------------


@pytest.mark.clause("DC-2")
@cases(case=typed(clip_cases))
def test_clip(ops: Any, case: Any) -> None:
    agree(ops, "clip", *case[0])


@pytest.mark.clause("DC-2")
def test_clip_by_hand(ops: Any, T: Type) -> None:
    a = T([-3, -2, -0.0, 0.5, 2, 3, np.inf, -np.inf, np.nan])
    same(ops.clip(a, T(2)), T([-2, -2, -0.0, 0.5, 2, 2, 2, -2, np.nan]))
    same(ops.clip(a, T(np.inf)), a)
    same(ops.clip(T([0, -0.0, 1, -1]), T(0)), T([0, -0.0, 0, -0.0]))


@pytest.mark.clause("DC-2")
@cases(case=typed(clip_cases))
def test_clip_is_idempotent_and_odd(ops: Any, case: Any) -> None:
    a, bound = case[0]
    once = ops.clip(a, bound)
    same(ops.clip(once, bound), once)
    same(ops.clip(-a, bound), -once)
    assert np.all(np.abs(once) <= bound)


# --- input conversion ---------------------------------------------------------------------------


@pytest.mark.clause("DC-3")
@cases(case=typed(dac_cases))
def test_digital_to_analog(ops: Any, case: Any) -> None:
    agree(ops, "digital_to_analog", *case[0])


@pytest.mark.clause("DC-3")
def test_digital_to_analog_by_hand(ops: Any, T: Type) -> None:
    v, one, noise = T([[0.25, 0.75, -0.25, -3]]), np.ones(1, dtype=T), T([[1, 1, -1, 1]])
    q, d, negative = ops.digital_to_analog(v, one, T(0.5), T(0.75), None, noise, T(0.5), T(0.5))
    same(q, T([[0, 1, -0.0, -3]]))
    same(d, T([[0.5, 1.25, -0.25, -0.125]]))  # clipped to 0.75, plus noise, negatives halved
    same(negative, np.array([[False, False, True, True]]))
    scaled, scale = v * T(4), one / T(4)
    got = ops.digital_to_analog(scaled, scale, T(0.5), T(0.75), None, noise, T(0.5), T(0.5))
    same(got, (q, d, negative))


@pytest.mark.clause("DC-3")
def test_rounding_precedes_the_clip_and_noise_follows_it(ops: Any, T: Type) -> None:
    none = np.ones(1, dtype=T)
    q, d, _ = ops.digital_to_analog(T([[1]]), none, T(0.75), T(0.9), None, None, T(0), T(1))
    same(q, T([[0.75]]))
    q, d, _ = ops.digital_to_analog(T([[5]]), none, T(0.75), T(1), None, None, T(0), T(1))
    same((q, d), (T([[5.25]]), T([[1]])))  # the bound itself, off the grid
    _, d, _ = ops.digital_to_analog(T([[5]]), none, T(0), T(1), None, T([[2]]), T(0.25), T(1))
    same(d, T([[1.5]]))  # beyond the bound


@pytest.mark.clause("DC-3")
@cases(case=typed(dac_cases))
def test_codes_stay_within_the_bound_and_rows_are_independent(ops: Any, case: Any) -> None:
    v, sigma, step, bound, rounding, _, _, _ = case[0]
    T = v.dtype.type
    q, d, negative = ops.digital_to_analog(v, sigma, step, bound, rounding, None, T(0), T(1))
    finite = np.isfinite(q)
    assert np.all(np.abs(d[finite]) <= bound)
    same(negative, d < 0)
    for n in range(len(v)):
        row = slice(n, n + 1)
        noise = None if rounding is None else rounding[row]
        one = ops.digital_to_analog(v[row], sigma[row], step, bound, noise, None, T(0), T(1))
        same(one, (q[row], d[row], negative[row]))


# --- output conversion --------------------------------------------------------------------------


@pytest.mark.clause("DC-4")
@cases(case=typed(adc_cases))
def test_analog_to_digital(ops: Any, case: Any) -> None:
    agree(ops, "analog_to_digital", *case[0])


@pytest.mark.clause("DC-4")
def test_analog_to_digital_by_hand(ops: Any, T: Type) -> None:
    none = np.zeros(1, dtype=T)
    m = T([[-2, 9, 0.75, -1.25]])
    same(
        ops.analog_to_digital(m, T(0.5), T(4), None, None, none, T(0.5)),
        (T([[-1, 9, 1, -0.5]]), T([[-1, 4, 1, -0.5]])),
    )
    noise = T([[1, 1, 1, -1]])
    same(
        ops.analog_to_digital(m, T(0.5), T(4), None, noise, T([0.5]), T(0.5)),
        (T([[-0.5, 9.5, 1, -1]]), T([[-0.5, 4, 1, -1]])),
    )


@pytest.mark.clause("DC-4")
def test_asymmetry_precedes_the_noise_which_may_turn_the_sign(ops: Any, T: Type) -> None:
    t, z = ops.analog_to_digital(
        T([[-1, 1]]), T(0), T(np.inf), None, T([[3, -3]]), T([1, 2]), T(0.5)
    )
    same((t, z), (T([[2.5, -5]]), T([[2.5, -5]])))


@pytest.mark.clause("DC-4")
@cases(case=typed(adc_cases))
def test_output_codes_stay_within_the_bound(ops: Any, case: Any) -> None:
    m, step, bound, rounding, noise, scales, factor = case[0]
    t, z = ops.analog_to_digital(m, step, bound, rounding, noise, scales, factor)
    finite = ~np.isnan(t)
    assert np.all(np.abs(z[finite]) <= bound)
    same(z[finite & (np.abs(t) <= bound)], t[finite & (np.abs(t) <= bound)])


@pytest.mark.clause("DC-4")
@cases(case=typed(converter_cases))
def test_without_asymmetry_and_noise_output_conversion_is_odd(ops: Any, case: Any) -> None:
    m, step, bound, _, _ = case[0]
    T = m.dtype.type
    none = np.zeros(1, dtype=T)
    t, z = ops.analog_to_digital(m, step, bound, None, None, none, T(1))
    same(ops.analog_to_digital(-m, step, bound, None, None, none, T(1)), (-t, -z))


# --- scaling back -------------------------------------------------------------------------------


@pytest.mark.clause("DC-5")
@cases(case=typed(rescaling_cases))
def test_rescaled_output(ops: Any, case: Any) -> None:
    agree(ops, "rescaled_output", *case[0])


@pytest.mark.clause("DC-5")
def test_rescaled_output_by_hand(ops: Any, T: Type) -> None:
    z, sigma = T([[3, -1], [5, 0]]), T([0.5, 3])
    third = T(1) / T(3)
    same(ops.rescaled_output(z, sigma, T(1)), T([[6, -2], [T(5) * third, 0]]))
    same(ops.rescaled_output(z, sigma, T(0.5)), T([[3, -1], [T(5) * (T(0.5) / T(3)), 0]]))


@pytest.mark.clause("DC-5")
@cases(shape=st.tuples(sizes, sizes), k=st.integers(-5, 5))
def test_a_power_of_two_goes_in_and_out_without_a_trace(
    ops: Any, T: Type, shape: Any, k: int
) -> None:
    v = np.linspace(-1, 1, shape[0] * shape[1], dtype=T).reshape(shape)
    sigma = np.full(shape[0], 2.0**k, dtype=T)
    one, top = T(1), T(np.inf)
    _, d, _ = ops.digital_to_analog(v, sigma, T(0), top, None, None, T(0), one)
    same(ops.rescaled_output(d, sigma, one), v)

"""The quantiser with its state: layouts, ranges, domains, gradients and what it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import refsim as rs
from refsim.tile import Quantiser
from refsim.tile.quantiser import Grid
from tests.clauses.checks import awkward
from tests.exact import Array, Type, same

F32 = np.float32


def made(T: Type = F32, n_bits: int = 3, **settings: Any) -> Quantiser:
    return Quantiser(n_bits, backend="spec", data_type=T, **settings)


def test_a_quantiser_has_no_range_at_first() -> None:
    quantiser = made(symmetric=False)
    assert not quantiser.initialised
    assert (quantiser.delta.shape, quantiser.delta.dtype) == ((), F32)
    assert np.isnan(quantiser.delta)
    assert quantiser.zero_float is not None
    assert np.isnan(quantiser.zero_float)
    assert made().zero_float is None


@pytest.mark.parametrize("symmetric", [True, False])
def test_parameters_are_float32_for_any_data(T: Type, symmetric: bool) -> None:
    quantiser = made(T, symmetric=symmetric)
    quantiser.set_quant_range(T(-0.7), T(1.1))
    assert quantiser.delta.dtype == F32
    assert quantiser.zero_float is None or quantiser.zero_float.dtype == F32
    assert quantiser.quantised(awkward(T, 5)).dtype == T


def test_the_sign_of_the_codes_follows_each_range() -> None:
    quantiser = made()
    for lo, signed, low, high in (
        (-1.0, True, -2.0, 1.5),
        (0.0, False, 0.0, 3.5),
        (-1.0, True, -2, 1.5),
    ):
        quantiser.set_quant_range(lo, 1.5 if lo else 3.5)
        assert quantiser.signed is signed
        assert [float(end) for end in quantiser.representable()] == [low, high]


def test_live_parameters_stay_the_same_arrays() -> None:
    quantiser = made(symmetric=False)
    delta, zero = quantiser.delta, quantiser.zero_float
    quantiser.set_quant_range(-0.5, 3.0)
    assert quantiser.delta is delta
    assert quantiser.zero_float is zero
    assert (float(delta), float(zero)) == (0.5, 1.0)
    quantiser.reset()
    assert quantiser.delta is delta
    assert not quantiser.initialised


def per_row(x: Array, axis: int) -> tuple[Array, Array]:
    others = tuple(i for i in range(x.ndim) if i != axis % x.ndim)
    return x.min(axis=others), x.max(axis=others)


@pytest.mark.parametrize(
    ("settings", "axis"), [({"per_channel": True}, 0), ({"axis": 1}, 1), ({"axis": -1}, 2)]
)
@pytest.mark.parametrize("symmetric", [True, False])
def test_each_index_of_an_axis_is_a_quantiser_of_its_own(
    T: Type, settings: dict[str, Any], axis: int, symmetric: bool
) -> None:
    x, g = awkward(T, 3, 4, 2), awkward(T, 2, 4, 3).T.copy()
    x[0, 0, 0], g = -9, g[:3, :4, :2].copy()
    whole = made(T, symmetric=symmetric, **settings)
    whole.set_quant_range(*per_row(x, axis))
    y, found = whole.quantised(x), whole.gradients(g, x)
    assert y.flags.c_contiguous
    for k in range(x.shape[axis]):
        own = made(T, symmetric=symmetric)
        part, gradient = (np.take(a, k, axis=axis) for a in (x, g))
        own.take(Grid(whole.delta[k], None if symmetric else whole.zero_float[k], whole.signed))  # type: ignore[index]
        same(np.take(y, k, axis=axis), own.quantised(part))
        same(np.take(whole.codes(x), k, axis=axis), own.codes(part))
        alone = own.gradients(gradient, part)
        same(np.take(found.x, k, axis=axis), alone.x)
        same(found.delta[k], alone.delta[()])
        if not symmetric:
            same(found.zero_float[k], alone.zero_float[()])  # type: ignore[index]


def test_one_range_serves_all_channels() -> None:
    quantiser = made(per_channel=True)
    quantiser.set_quant_range(-1.0, 3.0)
    x = awkward(F32, 3, 4)
    other = made()
    other.set_quant_range(-1.0, 3.0)
    same(quantiser.quantised(x), other.quantised(x))


def test_groups_share_a_range_through_their_estimator() -> None:
    from refsim import backends
    from refsim.tile.estimators import make_estimator

    estimator = make_estimator(
        backends.load("spec"), rs.RangeEstimators.current_minmax, per_channel=True, n_groups=2
    )
    quantiser = made(per_channel=True)
    x = awkward(F32, 4, 3)
    quantiser.set_quant_range(*estimator.range(x))
    assert quantiser.delta.shape == (4,)
    same(quantiser.delta[:2], quantiser.delta[:1].repeat(2))
    same(quantiser.delta[2:], quantiser.delta[2:3].repeat(2))


def test_the_logarithm_of_the_step_is_stored(ops: Any) -> None:
    linear, log = made(), made(scale_domain="log")
    for quantiser in (linear, log):
        quantiser.set_quant_range(-1.3, 0.8)
    same(log.delta, ops.log(linear.delta.reshape(1))[0].reshape(()))
    scale = ops.exp(log.delta.reshape(1))
    x, g = F32([0.3, -0.9, 5]), F32([1, 2, 3])
    same(log.quantised(x), log.codes(x) * scale)
    step = ops.scale_gradient(g[None], x[None], scale, F32([0]), F32(-4), F32(3))
    same(log.gradients(g, x).delta, (step * scale)[0].reshape(()))


def test_gradients_by_hand(T: Type) -> None:
    quantiser = made(T, symmetric=False)
    quantiser.set_quant_range(-0.5, 3.0)
    found = quantiser.gradients(T([1, 2, 4]), T([-9, 0.625, 9]))
    same(found.x, T([0, 2, 0]))
    same(found.delta, F32(-1 - 0.25 * 2 + 6 * 4).reshape(()))
    assert found.zero_float is not None
    same(found.zero_float, F32(-0.5 * 5).reshape(()))


def test_a_step_that_training_drove_below_zero_acts_as_the_smallest() -> None:
    quantiser = made()
    quantiser.set_quant_range(-1.0, 3.0)
    quantiser.delta[...] = -1
    same(quantiser.quantised(F32([1])), F32([1e-8]) * F32(3))
    assert float(quantiser.gradients(F32([1]), F32([1])).delta) == 0


def test_scalars_and_empty_arrays() -> None:
    quantiser = made()
    quantiser.set_quant_range(-1.0, 3.0)
    same(quantiser.quantised(F32(1.2)), np.array(F32(1)))
    assert quantiser.quantised(np.zeros((0, 3), F32)).shape == (0, 3)
    found = quantiser.gradients(np.zeros((0, 3), F32), np.zeros((0, 3), F32))
    assert (found.x.shape, float(found.delta)) == ((0, 3), 0.0)


@pytest.mark.parametrize(
    "settings",
    [
        {"n_bits": 0},
        {"n_bits": 25},
        {"n_bits": 2.0},
        {"n_bits": True},
        {"scale_domain": "cubic"},
        {"per_channel": True, "axis": 1},
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(rs.ConfigError, match="allowed"):
        made(**settings)


@pytest.mark.parametrize(
    ("lo", "hi", "error"),
    [
        ([-1.0, -2.0], [1.0, 2.0], rs.ShapeError),
        (-1.0, [1.0], rs.ShapeError),
        (1.0, -1.0, rs.InputError),
        (np.nan, 1.0, rs.InputError),
        (-1.0, np.inf, rs.InputError),
        ("low", "high", rs.InputError),
    ],
)
def test_impossible_ranges_are_refused_and_change_nothing(lo: Any, hi: Any, error: Any) -> None:
    quantiser = made()
    quantiser.set_quant_range(-1.0, 3.0)
    with pytest.raises(error, match="range"):
        quantiser.set_quant_range(lo, hi)
    assert float(quantiser.delta) == 1.0


def test_a_range_that_float32_cannot_divide_is_refused() -> None:
    with pytest.raises(rs.StateError, match="float32"):
        made(np.float64).set_quant_range(-1e300, 1.0)
    with pytest.raises(rs.StateError, match="float32"):
        made(symmetric=False).set_quant_range(F32(-3e38), F32(3e38))


def test_one_bit_holds_no_sign() -> None:
    quantiser = made(n_bits=1)
    quantiser.set_quant_range(0.0, 2.0)
    same(quantiser.quantised(F32([0.9, 1.1])), F32([0, 2]))
    with pytest.raises(rs.StateError, match="1 bit"):
        quantiser.set_quant_range(-1.0, 2.0)


def test_use_without_a_range_says_how_to_set_one() -> None:
    with pytest.raises(rs.StateError, match="set_quant_range"):
        made().quantised(F32([1]))


def test_data_that_do_not_fit_are_refused() -> None:
    quantiser = made(axis=1)
    quantiser.set_quant_range([-1.0, -1.0], [1.0, 1.0])
    for x in (np.zeros((2, 3), F32), np.zeros(2, F32)):
        with pytest.raises(rs.ShapeError):
            quantiser.quantised(x)
    with pytest.raises(rs.ShapeError, match="g has shape"):
        quantiser.gradients(np.zeros((1, 2), F32), np.zeros((2, 2), F32))
    with pytest.raises(rs.InputError, match="NaN"):
        quantiser.quantised(F32([[np.nan, 0]]))


def test_a_learned_logarithm_that_overflows_is_refused() -> None:
    quantiser = made(scale_domain="log")
    quantiser.set_quant_range(-1.0, 3.0)
    quantiser.delta[...] = 1000
    with pytest.raises(rs.StateError, match="finite"):
        quantiser.quantised(F32([1]))

"""Estimators of ranges: what they find, what they remember, and what they refuse."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import refsim as rs
from refsim import backends
from refsim.config import OptMethod, RangeEstimators
from refsim.tile.estimators import Estimator, make_estimator
from tests.clauses.quantiser_oracle import quantised
from tests.clauses.range_oracle import skewed_candidates, symmetric_candidates
from tests.exact import Array, Type, same
from tests.strategies import arrays, moderate

KINDS = RangeEstimators
GRID, GOLDEN = OptMethod.grid, OptMethod.golden_section


def searching(method: OptMethod, count: int = 7, margin: float = 0.5) -> rs.MSEEstimatorParams:
    return rs.MSEEstimatorParams(range_opt_method=method, num_candidates=count, range_margin=margin)


def entropy(method: OptMethod, count: int = 7) -> rs.CrossEntropyEstimatorParams:
    return rs.CrossEntropyEstimatorParams(range_opt_method=method, num_candidates=count)


ALL: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "current": (KINDS.current_minmax, None, {}),
    "percentile": (KINDS.current_minmax, rs.CurrentMinMaxEstimatorParams(percentile=10), {}),
    "all": (KINDS.allminmax, None, {}),
    "running": (KINDS.running_minmax, None, {}),
    "channels": (KINDS.running_minmax, None, {"axis": 1}),
    "grid": (KINDS.MSE, searching(GRID), {"n_bits": 3}),
    "skewed grid": (KINDS.MSE, searching(GRID), {"n_bits": 3, "symmetric": False}),
    "grid of channels": (KINDS.MSE, searching(GRID), {"n_bits": 3, "per_channel": True}),
    "golden": (KINDS.MSE, searching(GOLDEN), {"n_bits": 3}),
    "skewed golden": (KINDS.MSE, searching(GOLDEN), {"n_bits": 3, "symmetric": False}),
    "golden of channels": (KINDS.MSE, searching(GOLDEN), {"n_bits": 3, "axis": -1}),
    "entropy": (KINDS.cross_entropy, entropy(GRID), {"n_bits": 3}),
    "golden entropy": (KINDS.cross_entropy, entropy(GOLDEN), {"n_bits": 3}),
}
every = pytest.mark.parametrize("name", ALL)


def made(ops: Any, name: str, **more: Any) -> Estimator:
    kind, params, given = ALL[name]
    return make_estimator(ops, kind, params, **{**given, **more})


def data(T: Type, k: int) -> Array:
    return (np.random.default_rng(k).standard_normal((6, 4)) * (k + 1)).astype(T)


def last(estimator: Estimator, T: Type, *numbers: int) -> tuple[Array, Array]:
    """The range after several tensors, each of them remembered."""
    for k in numbers:
        found = estimator.range(data(T, k))
        estimator.commit()
    return found


# --- laws of all estimators ---------------------------------------------------------------------


@every
def test_both_backends_find_and_remember_the_same_bits(T: Type, name: str) -> None:
    spec, cpu = (made(backends.load(backend), name) for backend in ("spec", "cpu"))
    for k in (0, 2, 1):
        same(cpu.range(data(T, k)), spec.range(data(T, k)))
        spec.commit()
        cpu.commit()
        assert spec.state().keys() == cpu.state().keys()
        for key, value in spec.state().items():
            same(cpu.state()[key], value)


@every
def test_the_order_of_the_data_does_not_matter(ops: Any, T: Type, name: str) -> None:
    """Neither within a channel nor, without channels, between them."""
    x, y = data(T, 0), data(T, 0)[::-1].copy()
    found = made(ops, name).range(x)
    other = made(ops, name).range(y)
    channels_first = "channels" in name and ALL[name][2].get("per_channel")
    expected = tuple(end[::-1] for end in found) if channels_first else found
    same(tuple(np.array(end) for end in other), tuple(np.array(end) for end in expected))


@every
def test_only_commit_changes_the_memory(ops: Any, T: Type, name: str) -> None:
    estimator, untouched = made(ops, name), made(ops, name)
    last(estimator, T, 0)
    last(untouched, T, 0)
    estimator.range(data(T, 3))
    same(last(estimator, T, 1), last(untouched, T, 1))
    estimator.range(data(T, 3))
    with pytest.raises(rs.InputError):
        estimator.range(data(T, 3) * T(np.nan))
    estimator.commit()
    same(last(estimator, T, 2), last(untouched, T, 2))


@every
def test_a_restored_estimator_goes_on_to_the_same_bits(ops: Any, T: Type, name: str) -> None:
    estimator, restored = made(ops, name), made(ops, name)
    last(estimator, T, 0, 3)
    restored.load(estimator.state())
    estimator.state().clear()
    same(last(restored, T, 1, 2), last(estimator, T, 1, 2))


@every
def test_reset_forgets(ops: Any, T: Type, name: str) -> None:
    estimator = made(ops, name)
    last(estimator, T, 3)
    estimator.range(data(T, 2))
    estimator.reset()
    estimator.commit()
    assert estimator.state() == {}
    same(last(estimator, T, 0, 1), last(made(ops, name), T, 0, 1))


@every
def test_nobody_else_holds_the_memory(ops: Any, T: Type, name: str) -> None:
    estimator = made(ops, name)
    lo, hi = last(estimator, T, 0)
    state = estimator.state()
    expected = {key: value.copy() for key, value in state.items()}
    for array in (lo, hi, *state.values()):
        array[...] = 99
    for key, value in expected.items():
        same(estimator.state()[key], value)


@every
def test_the_range_has_the_type_of_the_data_and_the_shape_of_the_channels(
    ops: Any, T: Type, name: str
) -> None:
    axis = 0 if ALL[name][2].get("per_channel") else ALL[name][2].get("axis")
    for end in made(ops, name).range(data(T, 0)):
        assert end.dtype == T
        assert end.shape == (() if axis is None else (data(T, 0).shape[axis],))


# --- min-max ------------------------------------------------------------------------------------


@pytest.mark.clause("RE-1")
def test_channels_and_groups(ops: Any, T: Type) -> None:
    x = T([[1, -2, 3, 0], [5, -6, -7, 8]])

    def found(**given: Any) -> Any:
        return tuple(e.tolist() for e in make_estimator(ops, KINDS.allminmax, **given).range(x))

    assert found() == (-7, 8)
    assert found(axis=1) == found(axis=-1) == ([1, -6, -7, 0], [5, -2, 3, 8])
    assert found(per_channel=True) == found(axis=0) == ([-2, -7], [3, 8])
    assert found(axis=1, n_groups=2) == ([-6, -6, -7, -7], [5, 5, 8, 8])
    assert found(axis=1, n_groups=1) == ([-7] * 4, [8] * 4)


@pytest.mark.clause("RE-2")
def test_choices_of_a_percentile(ops: Any, T: Type) -> None:
    x = np.arange(11).astype(T).reshape(1, 11)
    params = rs.CurrentMinMaxEstimatorParams(percentile=20)

    def found(**given: Any) -> Any:
        estimator = make_estimator(ops, KINDS.current_minmax, params, **given)
        return tuple(float(end.reshape(-1)[0]) for end in estimator.range(x))

    assert found() == (2, 8)
    assert found(choices=rs.Choices.aihwkit()) == (2, 10)
    assert found(choices=rs.Choices.aihwkit(), per_channel=True) == (2, 8)
    zero = make_estimator(ops, KINDS.current_minmax, rs.CurrentMinMaxEstimatorParams(percentile=0))
    assert [float(end) for end in zero.range(x)] == [0, 10]


@pytest.mark.clause("RE-3")
def test_the_widest_range_of_all_calls(ops: Any, T: Type) -> None:
    estimator = make_estimator(ops, KINDS.allminmax)
    for values, expected in (([1, 2], (1, 2)), ([-3, 1], (-3, 2)), ([0, 9], (-3, 9))):
        assert estimator.range(T(values)) == expected
        estimator.commit()


@pytest.mark.clause("RE-4")
def test_the_moving_average_starts_with_the_first_range(ops: Any, T: Type) -> None:
    params = rs.RunningMinMaxEstimatorParams(momentum=0.75)
    estimator = make_estimator(ops, KINDS.running_minmax, params)
    for values, expected in (
        ([-1, 2], (-1, 2)),
        ([-2, 4], (-1.25, 2.5)),
        ([0, 0], (-0.9375, 1.875)),
    ):
        assert estimator.range(T(values)) == expected
        estimator.commit()


# --- searches -----------------------------------------------------------------------------------


def exact_loss(x: Array, lo: Any, hi: Any, n_bits: int, symmetric: bool) -> Fraction:
    """The squared error of a grid over a range, in fractions."""
    T, F32 = x.dtype.type, np.float32
    lo, hi = min(lo, T(0)), max(hi, T(1e-8))
    signed = symmetric and lo < 0
    low, high = (-(2 ** (n_bits - 1)), 2 ** (n_bits - 1) - 1) if signed else (0, 2**n_bits - 1)
    step = (max(-lo, hi) if symmetric else hi - lo) / T(high)
    zero = T(0) if symmetric else T(min(max(np.rint(F32(-lo / step)), 0), high))
    scale = T(max(F32(step), F32(1e-8)))
    y = quantised(x.reshape(1, -1), np.array([scale]), np.array([zero]), T(low), T(high))[0]
    pairs = zip(x.ravel(), y, strict=True)
    return sum(((Fraction(float(a)) - Fraction(float(b))) ** 2 for a, b in pairs), Fraction(0))


@st.composite
def tensors(draw: Any) -> Array:
    """One to six numbers: equal, negative, a single one, with zeros."""
    T = draw(st.sampled_from([np.float32, np.float64]))
    x = draw(arrays(T, (draw(st.integers(1, 6)),), moderate(T)))
    kind = draw(st.sampled_from(["as drawn", "as drawn", "negative", "positive", "equal"]))
    if kind == "equal":
        x[...] = x[0]
    return {"negative": -np.abs(x) + T(0), "positive": np.abs(x)}.get(kind, x)


@pytest.mark.clause("RE-6", "RE-7", "RE-9", "RE-11")
@given(
    x=tensors(),
    symmetric=st.booleans(),
    n_bits=st.integers(2, 4),
    backend=st.sampled_from(["spec", "cpu"]),
)
def test_the_grid_finds_the_first_of_the_best_candidates(
    x: Array, symmetric: bool, n_bits: int, backend: str
) -> None:
    T, count = x.dtype.type, 5
    estimator = make_estimator(
        backends.load(backend),
        KINDS.MSE,
        searching(GRID, count),
        n_bits=n_bits,
        symmetric=symmetric,
    )
    lower, upper = x.min() - T(0.5), x.max() + T(0.5)
    size, one_sided = T(max(abs(lower), abs(upper))), bool(x.min() >= 0)
    if symmetric or one_sided:
        lo, hi = symmetric_candidates(size, count, one_sided)
    else:
        lo, hi = skewed_candidates(lower, upper, size, count, n_bits)
    losses = [float(exact_loss(x, a, b, n_bits, symmetric)) for a, b in zip(lo, hi, strict=True)]
    best = losses.index(min(losses))
    assert estimator.range(x) == (lo[best], hi[best])


@pytest.mark.clause("RE-5")
def test_the_first_data_fix_the_limits_and_the_sides(ops: Any, T: Type) -> None:
    estimator = make_estimator(ops, KINDS.MSE, searching(GRID, 10), n_bits=8)
    estimator.range(T([0.5, 1.5]))
    estimator.commit()
    lo, hi = estimator.range(T([-9, 20]))
    assert (lo, hi) == (0, 2)
    estimator.reset()
    lo, hi = estimator.range(T([-9, 20]))
    assert lo < -9
    assert hi > 2


@pytest.mark.clause("RE-11")
@pytest.mark.parametrize("symmetric", [True, False])
def test_losses_of_calls_add_up(ops: Any, T: Type, symmetric: bool) -> None:
    """The same tensor again changes nothing; another one counts as much."""
    params = searching(GRID, 20)
    estimator = make_estimator(ops, KINDS.MSE, params, n_bits=3, symmetric=symmetric)
    x, y = data(T, 0), data(T, 0) * T(0.4)
    first = estimator.range(x)
    estimator.commit()
    once = estimator.state()["losses"]
    same(estimator.range(x), first)
    estimator.commit()
    same(estimator.state()["losses"], 2 * once)
    assert estimator.range(y)[1] <= first[1]
    estimator.commit()
    alone = make_estimator(ops, KINDS.MSE, params, n_bits=3, symmetric=symmetric)
    alone.load({**estimator.state(), "losses": 0 * once})
    alone.range(y)
    alone.commit()
    same(estimator.state()["losses"], 2 * once + alone.state()["losses"])


@pytest.mark.clause("RE-9")
def test_channels_share_the_candidates_but_not_the_losses(ops: Any, T: Type) -> None:
    x = data(T, 0)
    x[2] *= T(0.1)
    lo, hi = made(ops, "grid of channels").range(x)
    alone = made(ops, "grid")
    for channel, row in enumerate(x):
        alone.load({})
        alone.range(x)
        alone.commit()
        state = alone.state()
        alone.load({**state, "losses": 0 * state["losses"]})
        assert alone.range(row) == (lo[channel], hi[channel])


@pytest.mark.clause("RE-8")
@pytest.mark.parametrize("name", ["golden", "skewed golden"])
def test_golden_section_beats_the_extremes(ops: Any, T: Type, name: str) -> None:
    """Few bits and an outlier: the best range clips."""
    x = np.append(data(T, 0).ravel(), T(6))
    lo, hi = made(ops, name).range(x)
    symmetric = name == "golden"
    extremes = exact_loss(x, x.min(), x.max(), 3, symmetric)
    assert exact_loss(x, lo, hi, 3, symmetric) < extremes
    assert hi < 6


@pytest.mark.clause("RE-8")
@pytest.mark.parametrize("name", ["golden", "skewed golden", "golden entropy"])
def test_golden_section_of_data_without_negative_numbers_starts_at_zero(
    ops: Any, T: Type, name: str
) -> None:
    lo, hi = made(ops, name).range(np.abs(data(T, 0)))
    assert lo == 0
    assert hi > 0


@pytest.mark.parametrize("method", [GRID, GOLDEN])
@pytest.mark.parametrize("symmetric", [True, False])
def test_only_zeros_without_margin(ops: Any, T: Type, method: OptMethod, symmetric: bool) -> None:
    params = searching(method, 3, 0.0)
    estimator = make_estimator(ops, KINDS.MSE, params, n_bits=4, symmetric=symmetric)
    assert estimator.range(T([0, -0.0])) == (0, 0)


@pytest.mark.clause("RE-10")
def test_classes_are_along_axis_1(ops: Any, T: Type) -> None:
    x = data(T, 0).reshape(2, 3, 4)
    rows = np.ascontiguousarray(x.transpose(0, 2, 1)).reshape(-1, 3)
    same(made(ops, "entropy").range(x), made(ops, "entropy").range(rows))


def test_one_bit_on_an_asymmetric_grid(ops: Any, T: Type) -> None:
    estimator = make_estimator(ops, KINDS.MSE, searching(GRID), n_bits=1, symmetric=False)
    lo, hi = estimator.range(T([-1, 1]))
    assert lo < 0 < hi


# --- what is refused ----------------------------------------------------------------------------

SPEC = backends.load("spec")


@pytest.mark.parametrize(
    ("kind", "params", "given", "message"),
    [
        (KINDS.MSE, None, {"n_bits": 0}, "n_bits is 0, allowed are integers from 1 to 24."),
        (KINDS.MSE, None, {"n_bits": True}, "n_bits is True, allowed"),
        (KINDS.MSE, None, {"n_bits": "8"}, "n_bits is '8', allowed"),
        (
            KINDS.MSE,
            searching(GRID, 7, -1.0),
            {},
            "range_margin is -1.0, allowed are numbers of at",
        ),
        (
            KINDS.MSE,
            searching(GRID, 100),
            {"n_bits": 20, "symmetric": False},
            "n_bits=20 and num_candidates=100 make 52428800 ranges to try, allowed are 8388608",
        ),
        (KINDS.cross_entropy, None, {"axis": 1}, "axis is 1, but cross_entropy has one range"),
        (KINDS.cross_entropy, None, {"per_channel": True}, "axis is 0, but cross_entropy has one"),
        (KINDS.allminmax, None, {"n_groups": 2}, "n_groups is 2, allowed is a positive number to"),
        (KINDS.allminmax, None, {"n_groups": 0, "axis": 1}, "n_groups is 0, allowed"),
        (KINDS.allminmax, None, {"per_channel": True, "axis": 1}, "axis is 1, but per_channel=Tr"),
        (
            KINDS.current_minmax,
            rs.CurrentMinMaxEstimatorParams(percentile=60),
            {},
            "percentile is 60, but it cuts both ends",
        ),
        (KINDS.MSE, rs.RunningMinMaxEstimatorParams(), {}, "range_estimator_params is"),
    ],
)
def test_impossible_settings(kind: Any, params: Any, given: Any, message: str) -> None:
    with pytest.raises(rs.ConfigError) as caught:
        make_estimator(SPEC, kind, params, **given)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("name", "x", "error", "message"),
    [
        ("current", np.zeros((0, 3)), rs.ShapeError, "x has the shape (0, 3), a range needs at"),
        ("current", np.array([1.0, np.inf]), rs.InputError, "x contains NaN or infinity"),
        ("current", [1.0, 2.0], rs.InputError, "x is of the type list, allowed are arrays of"),
        ("current", np.arange(3), rs.InputError, "x is of the type int64, allowed are arrays"),
        ("channels", np.ones(3), rs.ShapeError, "x has the shape (3,), but the range is along ax"),
        ("entropy", np.ones(3), rs.ShapeError, "x has the shape (3,), but cross_entropy needs cl"),
        ("grid", np.array([1e200, -1e200]), rs.StateError, "the loss of a range overflows float6"),
        ("grid", np.array([1.7e308, -1.7e308]), rs.StateError, "overflow"),
        ("running", np.ones(3, np.float32), rs.StateError, "the estimator remembers 1 ranges in "),
    ],
)
def test_data_that_have_no_range(name: str, x: Any, error: Any, message: str) -> None:
    estimator = made(SPEC, name)
    if name == "running":
        last(estimator, np.float64, 0)
    with pytest.raises(error) as caught:
        estimator.range(x)
    assert message in str(caught.value)


def test_limits_that_overflow() -> None:
    estimator = make_estimator(SPEC, KINDS.MSE, searching(GRID, 3, 3e38))
    with pytest.raises(
        rs.StateError, match="the limits of the search for a range overflow float32"
    ):
        estimator.range(np.float32([3e38, -1]))


def test_one_bit_for_negative_data() -> None:
    estimator = make_estimator(SPEC, KINDS.MSE, searching(GRID), n_bits=1)
    with pytest.raises(
        rs.StateError, match="1 bit met data below zero, allowed are 2 bits or more"
    ):
        estimator.range(np.float32([-1, 1]))


def test_channels_that_do_not_divide() -> None:
    estimator = make_estimator(SPEC, KINDS.allminmax, axis=1, n_groups=3)
    with pytest.raises(
        rs.ShapeError, match="x has 4 channels, which do not divide into n_groups=3"
    ):
        estimator.range(np.ones((2, 4)))


GOOD = {"lo": np.float32([-1]), "hi": np.float32([1]), "losses": np.ones((1, 7))}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"lo": None},
            "the state of the estimator has the arrays hi, losses, expected lo, hi, losses",
        ),
        ({"more": np.ones(1)}, "has the arrays hi, lo, losses, more, expected"),
        ({"lo": np.float32([np.nan])}, "lo of the state of the estimator is of float32 and shape"),
        ({"hi": np.array(["x"])}, "hi of the state of the estimator is of <U1"),
        ({"hi": np.ones(2)}, "hi of the state of the estimator is of float64 and shape (2,), ex"),
        ({"lo": np.float32(1)}, "lo of the state of the estimator is of float32 and shape ()"),
        (
            {"losses": np.ones(7)},
            "losses of the state of the estimator is of float64 and shape (7,",
        ),
        (
            {"losses": np.ones((1, 7), np.float32)},
            "losses of the state of the estimator is of float3",
        ),
    ],
)
def test_a_state_that_is_none(change: Any, message: str) -> None:
    estimator = made(SPEC, "grid")
    last(estimator, np.float32, 0)
    before = estimator.range(data(np.float32, 1))
    state = {name: value for name, value in {**GOOD, **change}.items() if value is not None}
    with pytest.raises(rs.StateError) as caught:
        estimator.load(state)
    assert message in str(caught.value)
    same(estimator.range(data(np.float32, 1)), before)


def test_losses_of_another_search() -> None:
    estimator = made(SPEC, "grid")
    estimator.load({**GOOD, "losses": np.ones((1, 8))})
    with pytest.raises(rs.StateError, match=r"remembers losses of shape \(1, 8\), this search has"):
        estimator.range(data(np.float32, 0))

"""A range that is initialised from data is a set, and so is what follows from it."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import refsim as rs
from refsim import spec
from refsim.conformance.admissible import (
    BINARY32,
    FLOAT32,
    Arithmetic,
    Interval,
    Profile,
    judge_backward,
    judge_forward,
    judge_state,
)
from refsim.conformance.admissible.deviation import deviation
from refsim.conformance.admissible.interval import point
from tests.conformance.admissible.evaluator import F, Float32, Tile
from tests.strategies import seeds
from tests.tile.cases import config

pytestmark = pytest.mark.filterwarnings("ignore::refsim.errors.RangeWarning")
EVERY_FORMULA = Profile("", BINARY32, BINARY32, deviation="one-pass")
IO = {"inp_res": 254, "out_res": 254, "out_bound": 12.0, "inp_bound": 1.0}


def made(
    count: int = 0, value: float = 3.0, batches: int = 5, alpha: float = 3.0, **io: Any
) -> Any:
    """A tile whose range has been initialised with so many batches."""
    ranged = {"init_from_data": batches, "init_value": value, "init_std_alpha": alpha}
    tile = config(io={**IO, **io}, r=ranged).create_tile(3, 4, bias=True, backend="spec")
    draw = np.random.default_rng(1)
    tile.set_weights(draw.normal(0, 0.3, (3, 4)).astype(F), draw.normal(0, 1, 3).astype(F))
    tile.buffers["input_range_update_idx"][0] = count
    return tile


def batch(seed: int = 0, rows: int = 6, shift: float = 0.0) -> Any:
    return (np.random.default_rng(seed).normal(0, 1, (rows, 4)) + shift).astype(F)


def after(tile: Any, x: Any) -> dict[str, Any]:
    tile.forward(x)
    return dict(tile.state_dict())


@given(seed=seeds, n=st.integers(2, 60), shift=st.sampled_from([0.0, 1.0, 30.0, 1e3]))
def test_a_deviation_holds_every_formula(seed: int, n: int, shift: float) -> None:
    draw = np.random.default_rng(seed)
    x = (draw.normal(0, 1, n) + shift).astype(F)
    for reciprocal in (False, True):
        profile = FLOAT32.reciprocals() if reciprocal else FLOAT32
        found = deviation(Arithmetic(profile), point(x))
        assert found.contains(np.float64(Float32(draw, reciprocal=reciprocal).std(x)))
        assert found.contains(np.float64(spec.standard_deviation(x)))
        assert found.contains(np.float64(F(np.std(x.astype(float), ddof=1))))
    total, squares = F(0), F(0)
    for v in draw.permutation(x):
        total, squares = total + v, squares + v * v
    one_pass = np.sqrt(np.maximum(squares - total * total / F(n), F(0)) / F(n - 1))
    assert deviation(Arithmetic(EVERY_FORMULA), point(x)).contains(np.float64(one_pass))


@given(seed=seeds, n=st.integers(2, 20), size=st.sampled_from([0.0, 1e-3, 0.5]))
def test_a_deviation_of_intervals_holds_the_exact_ones(seed: int, n: int, size: float) -> None:
    draw = np.random.default_rng(seed)
    x = draw.normal(0, 1, n).astype(F).astype(float)
    low, high = x - size * draw.random(n), x + size * draw.random(n)
    found = deviation(Arithmetic(FLOAT32), Interval(low, high))
    for y in (low, high, low + (high - low) * draw.integers(0, 2, n)):
        terms = [Fraction(float(v)) for v in y]
        mean = sum(terms) / n
        exact = sum((v - mean) ** 2 for v in terms) / (n - 1)
        assert Fraction(float(found.lo)) ** 2 <= exact <= Fraction(float(found.hi)) ** 2


def test_a_deviation_is_known_as_well_as_its_order() -> None:
    x = np.random.default_rng(0).normal(3, 1, 1024).astype(F)
    widths = []
    for kind in ("two-pass", "updating", "one-pass"):
        profile = Profile("", BINARY32, BINARY32, deviation=kind)
        found = deviation(Arithmetic(profile), point(x))
        widths.append(float((found.hi - found.lo) / found.lo))
    assert widths[0] < widths[1] < widths[2] < 5e-3
    assert widths[0] < 1.1 * FLOAT32.gamma(1032)
    with pytest.raises(rs.ConfigError, match="deviation is 'fast', allowed are 'two-pass'"):
        Profile("", BINARY32, BINARY32, deviation="fast")


@given(seed=seeds, count=st.integers(0, 4), reciprocal=st.booleans())
def test_right_implementations_stay_in_the_sets(seed: int, count: int, reciprocal: bool) -> None:
    draw = np.random.default_rng(seed)
    profile = FLOAT32.reciprocals() if reciprocal else FLOAT32
    tile, x, g = made(count, value=1.5), batch(seed % 2**32), draw.normal(0, 1, (6, 3)).astype(F)
    ops = Float32(draw, reciprocal=reciprocal)
    k, alpha, weight = F(count), F(3), tile.parameters["weight"].copy()
    stored, sigma = tile.value("input_range")[0], ops.std(x)
    both = [ops.muladd(stored, k, alpha * sigma), ops.muladd(alpha, sigma, stored * k)]
    r = np.abs(ops.div(both[int(draw.integers(2))], k + F(1)))
    other = Tile(ops, tile.config, weight, r, None, None, tile.parameters["bias"].copy())
    y = other.forward(x, np.zeros((6, 3), F))
    state = {"input_range": r, "input_range_update_idx": k + 1, "weight": weight}
    report = judge_state(tile, x, state, profile)
    assert report.passed, report
    report = judge_forward(tile, x, y, profile)
    assert report.passed, report
    for stages in ({}, {"input_range": r, "deviation": sigma}):
        report = judge_backward(tile, x, g, other.backward(g), profile, stages=stages)
        assert report.passed, report


WRONG_STATES = {
    "biased deviation": lambda tile, x: np.std(x) * 3,
    "average with the initial value": lambda tile, x: (3 + np.std(x, ddof=1) * 3) / 2,
    "deviation without its factor": lambda tile, x: np.std(x, ddof=1),
    "not initialised": lambda tile, x: 3.0,
    "mean of the deviations of the rows": lambda tile, x: np.std(x, axis=1, ddof=1).mean() * 3,
}


@pytest.mark.parametrize("wrong", WRONG_STATES)
def test_a_wrong_range_is_rejected(wrong: str) -> None:
    tile, x = made(), batch()
    state = after(made(), x)
    assert judge_state(tile, x, state).passed
    state["input_range"] = np.array([WRONG_STATES[wrong](tile, x.astype(float))], F)
    first = judge_state(tile, x, state).first
    assert first is not None
    assert (first.clause, first.name) == ("IR-1", "input_range")
    stages = {"input_range": state["input_range"]}
    first = judge_forward(tile, x, made().forward(x), stages=stages).first
    assert first is not None
    assert (first.clause, first.name) == ("IR-1", "input_range")


@pytest.mark.parametrize("name", ["input_range", "input_range_update_idx", "weight", "bias"])
@pytest.mark.parametrize("training", [True, False])
def test_what_a_pass_must_not_do_is_rejected(name: str, training: bool) -> None:
    tile, x = made(2).train(training), batch()
    state = after(made(2).train(training), x)
    report = judge_state(tile, x, state)
    assert report.passed
    assert all(stage.exact == stage.total for stage in report.stages)
    state[name] = state[name] + F(1)
    first = judge_state(tile, x, state).first
    assert first is not None
    assert first.name == name


def test_a_batch_without_deviation_is_not_counted() -> None:
    for x in (np.full((3, 4), 0.1, F), np.zeros((3, 4), F), np.zeros((0, 4), F)):
        tile = made(2, value=-2.0)
        state = after(made(2, value=-2.0), x)
        assert judge_state(tile, x, state).passed
        assert state["input_range"] == (2 if len(x) else -2)
        counted = state | {"input_range_update_idx": F([3])}
        assert not judge_state(tile, x, counted).passed
        signed = state | {"input_range": -state["input_range"]}
        assert judge_state(tile, x, signed).passed is (len(x) == 0)  # aihwkit takes the magnitude
    assert judge_forward(made(2), [0.5] * 4, made(2).forward([0.5] * 4)).passed


def test_the_counter_tells_which_branch_was_taken() -> None:
    tile = made(2)
    x = np.full((50, 4), 1e4, F)
    x[0, 0] = np.nextafter(F(1e4), F(2e4))
    kept = {"input_range": F([3]), "input_range_update_idx": F([2])}
    counted = {"input_range": F([2]), "input_range_update_idx": F([3])}
    assert judge_state(tile, x, kept).passed
    assert judge_state(tile, x, counted).passed
    mixed = judge_state(tile, x, {**kept, "input_range_update_idx": F([3])})
    assert mixed.first is not None
    assert mixed.first.name == "input_range"


def test_after_the_last_batch_the_range_stays() -> None:
    tile, x = made(5, value=-2.0), batch()
    assert judge_state(tile, x, {"input_range": F([-2]), "input_range_update_idx": F([5])}).passed
    assert not judge_state(tile, x, {"input_range": F([2])}).passed
    y = made(5, value=-2.0).forward(x)
    assert judge_forward(tile, x, y, stages={"input_range": -2.0}).passed
    assert not judge_forward(tile, x, y, stages={"input_range": 2.0}).passed


def test_a_range_that_cannot_be_used_is_a_finding() -> None:
    tile, x = made(), batch()
    report = judge_forward(tile, x, made().forward(x), stages={"input_range": 0.0})
    assert report.first is not None
    assert report.first.name == "input_range"
    assert report["output"].violations == 0


def test_what_does_not_fit_is_named() -> None:
    with pytest.raises(rs.InputError, match="state has the entry 'range', allowed are weight, "):
        judge_state(made(), batch(), {"range": 1.0})
    with pytest.raises(rs.ShapeError, match=r"state\['bias'\] has shape \(2,\), allowed is \(3,\)"):
        judge_state(made(), batch(), {"bias": [1.0, 2.0]})
    with pytest.raises(rs.RangeError, match=r"the input range of .* is 0\.0 at step 0"):
        judge_state(made(alpha=0.0), batch(), {"input_range": 1.0})
    assert judge_state(made(), batch(), {}).stages == []


@pytest.mark.parametrize("value", [np.nan, np.inf, -1.0, 3e38])
@pytest.mark.parametrize("name", ["deviation", "input_range", "effective_weight"])
def test_garbage_in_what_others_start_from_is_a_finding(name: str, value: float) -> None:
    tile, x = made(), batch()
    y = made().forward(x)
    stages = {name: np.full((3, 4) if name == "effective_weight" else 1, value)}
    first = judge_forward(tile, x, y, stages=stages).first
    assert first is not None
    assert first.name == name
    right = judge_backward(tile, x, y, {"bias": y.sum(axis=0)}, stages=stages)
    assert right["bias_gradient"].violations == 0
    broken = judge_backward(tile, x, y, {"bias": y.sum(axis=0)}, before={"bias": np.full(3, value)})
    assert not broken.passed


@pytest.mark.parametrize(("smallest", "open_"), [(1e-45, True), (1e-10, False)])
def test_a_range_that_underflows_leaves_the_output_open(smallest: float, open_: bool) -> None:
    r = {"init_from_data": 3, "init_std_alpha": 0.5}
    tile = config(r=r, io={"is_perfect": True}).create_tile(1, 1, backend="spec")
    tile.parameters["weight"][...] = 0.0
    x = F([[smallest], [-0.0]])
    assert judge_forward(tile, x, F([[0.0], [0.0]])).passed
    assert judge_forward(tile, x, F([[np.nan], [np.nan]])).passed is open_

"""A quantiser alone: refsim's own is exact, others in float32 are admissible, wrong ones are named."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import refsim as rs
from refsim import backends
from refsim.conformance.admissible import FLOAT32, FLOAT64, judge_quantiser
from refsim.tile import QuantisationManager, Quantiser
from refsim.tile.estimators import make_estimator
from tests.conformance.admissible.evaluator import F, Float32
from tests.conformance.admissible.quantised_evaluator import FakeQuantiser
from tests.strategies import dtypes, seeds

PROFILES = {np.float32: FLOAT32, np.float64: FLOAT64}
RE = rs.RangeEstimators


def quantiser(bits: int = 3, symmetric: bool = True, **options: Any) -> Quantiser:
    return Quantiser(bits, symmetric, backend="spec", **options)


@given(
    seed=seeds,
    T=dtypes,
    symmetric=st.booleans(),
    domain=st.sampled_from(["linear", "log"]),
    axis=st.sampled_from([None, 0, 1, -1]),
)
def test_the_own_quantiser_is_exact(
    seed: int, T: Any, symmetric: bool, domain: str, axis: int | None
) -> None:
    draw = np.random.default_rng(seed)
    x, g = draw.normal(0, 1, (2, 4, 5)).astype(T)
    own = quantiser(
        int(draw.integers(2, 9)), symmetric, scale_domain=domain, axis=axis, data_type=T
    )
    size = () if axis is None else x.shape[axis]
    lo, hi = -draw.uniform(0, 1, size), draw.uniform(0.1, 1.5, size)
    own.set_quant_range(np.asarray(lo, T), np.asarray(hi, T))
    own.trainable = True
    found = own.gradients(g, x)
    gradients = {"x": found.x, "delta": found.delta, "zero_float": found.zero_float}
    gradients = {name: value for name, value in gradients.items() if value is not None}
    state = {"delta": own.delta, "signed": own.signed}
    stages = {"codes": own.codes(x)}
    for given_stages in (stages, {}):
        report = judge_quantiser(
            own,
            x,
            own.quantised(x),
            PROFILES[T],
            state=state,
            stages=given_stages,
            dy=g,
            gradients=gradients,
        )
        assert report.passed, str(report)
        assert all(stage.exact == stage.total for stage in report.stages), str(report)


@given(seed=seeds, symmetric=st.booleans(), reciprocal=st.booleans())
def test_another_quantiser_is_admissible(seed: int, symmetric: bool, reciprocal: bool) -> None:
    draw = np.random.default_rng(seed)
    ops = Float32(draw, reciprocal=reciprocal)
    x, g = draw.normal(0, 1, (2, 40)).astype(F)
    bits = int(draw.integers(2, 9))
    own, other = quantiser(bits, symmetric), FakeQuantiser(ops, bits, symmetric)
    lo, hi = -draw.uniform(0, 1), draw.uniform(0.1, 1.5)
    own.set_quant_range(lo, hi)
    place = None if symmetric else F(own.zero_float)
    other.step, other.place, other.signed = F(own.delta), place, own.signed
    y = other(x)
    dx, ds, dz = other.backward(g)
    gradients = {"x": dx, "delta": ds} | ({} if symmetric else {"zero_float": dz})
    profile = FLOAT32.reciprocals() if reciprocal else FLOAT32
    report = judge_quantiser(own, x, y, profile, dy=g, gradients=gradients)
    assert report.passed, str(report)


@pytest.mark.parametrize("kind", list(RE), ids=lambda kind: kind.name)
@pytest.mark.parametrize("training", [True, False])
def test_a_manager_estimates_by_its_state(kind: Any, training: bool) -> None:
    estimator = make_estimator(backends.load("spec"), kind, n_bits=3, symmetric=False)
    manager = QuantisationManager(quantiser(symmetric=False), estimator)
    x = np.random.default_rng(3).normal(0, 1, (6, 4)).astype(F)
    manager.train(x)
    other = copy.deepcopy(manager)
    done = manager.begin(x * F(2), training)
    y = manager.quantiser.quantised(x * F(2), done.grid)
    manager.commit(done)
    state = {"delta": manager.quantiser.delta, "zero_float": manager.quantiser.zero_float}
    report = judge_quantiser(other, x * F(2), y, training=training, state=state)
    assert report.passed, str(report)
    assert report["quantiser.delta"].exact == 1
    wrong = judge_quantiser(
        other, x * F(2), y, training=training, state={**state, "delta": state["delta"] * F(1.5)}
    ).first
    assert wrong is not None
    assert wrong.name == "quantiser.delta"


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"x": [[np.nan]]}, rs.InputError, "x contains NaN"),
        ({"output": [1.0, 2.0]}, rs.ShapeError, r"output has shape \(2,\), allowed is \(3,\)"),
        ({"state": {"deltas": 1.0}}, rs.InputError, "no 'deltas' here, allowed are signed, delta"),
        (
            {"stages": {"code": [1.0]}},
            rs.InputError,
            "no 'code' here, allowed are signed, delta, step",
        ),
        ({"stages": {"codes": [1.0]}}, rs.ShapeError, r"codes has shape \(1,\)"),
        ({"gradients": {"y": 1.0}}, rs.InputError, "'y', allowed are x, delta, zero_float"),
        ({"quantiser": None}, rs.InputError, "quantiser is a NoneType"),
        ({"quantiser": Quantiser(3)}, rs.StateError, "has no range yet"),
        ({"dy": [1.0]}, rs.ShapeError, r"dy has shape \(1,\), allowed is \(3,\)"),
    ],
)
def test_what_does_not_fit_is_named(changes: Any, error: Any, message: str) -> None:
    own = quantiser()
    own.set_quant_range(-1.0, 1.0)
    given_ = {"quantiser": own, "x": [0.0, 0.1, 0.2], "output": [0.0, 0.0, 0.0], **changes}
    with pytest.raises(error, match=message):
        judge_quantiser(given_.pop("quantiser"), given_.pop("x"), given_.pop("output"), **given_)

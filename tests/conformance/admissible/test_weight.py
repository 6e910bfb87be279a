"""Weight modifiers: what they make of the weight is a set, with the deviates that were used."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import refsim as rs
from refsim.conformance.admissible import (
    FLOAT32,
    float32_in_order,
    judge_backward,
    judge_forward,
    judge_state,
)
from tests.conformance.admissible.evaluator import F, Float32, fma
from tests.strategies import seeds
from tests.tile.cases import config

WM = rs.WeightModifierType
N, O, I = 4, 3, 5
KINDS = {
    "additive": {"type": WM.ADD_NORMAL, "std_dev": 0.1},
    "assumed": {"type": WM.ADD_NORMAL, "std_dev": 0.1, "rel_to_actual_wmax": False},
    "multiplicative": {"type": WM.MULT_NORMAL, "std_dev": 0.1},
    "discretised": {"type": WM.DISCRETIZE, "res": 14.0},
    "stochastic": {"type": WM.DISCRETIZE, "res": 14.0, "sto_round": True},
}
kinds = st.sampled_from(sorted(KINDS))


def made(kind: str, samples: bool = False) -> Any:
    modifier = rs.WeightModifierParameter(**KINDS[kind], per_batch_sample=samples)
    tile = config(r={"init_value": 1.5}, modifier=modifier).create_tile(O, I, backend="spec")
    tile.set_weights(np.random.default_rng(5).normal(0, 0.3, (O, I)).astype(F))
    return tile


def drawn(kind: str, samples: bool, seed: int = 0) -> tuple[Any, Any, dict[str, Any]]:
    draw = np.random.default_rng(seed)
    x, g = draw.normal(0, 1, (N, I)).astype(F), draw.normal(0, 1, (N, O)).astype(F)
    shape = (N, O, I) if samples else (O, I)
    if kind == "stochastic":
        return x, g, {"weight_sto_round": draw.uniform(-0.5, 0.5, shape).astype(F) * F(0.999)}
    noisy = {"weight_noise": draw.normal(0, 1, shape).astype(F)}
    return x, g, {} if kind == "discretised" else noisy


def modified(ops: Float32, tile: Any, noise: dict[str, Any]) -> Any:
    """The weight as another program modifies it."""
    p, w = tile.config.modifier, tile.parameters["weight"]
    largest = np.abs(w).max() if p.rel_to_actual_wmax else F(p.assumed_wmax)
    if p.type == WM.DISCRETIZE:
        step = F(2 / p.res) * largest
        level = ops.div(w, step)
        return np.rint(level + noise.get("weight_sto_round", F(0))) * step
    xi = noise["weight_noise"]
    if p.type == WM.ADD_NORMAL:
        return ops.muladd(F(p.std_dev) * largest, xi, w)
    return w * ops.muladd(F(p.std_dev), xi, F(1))


@given(kind=kinds, samples=st.booleans(), seed=seeds, reciprocal=st.booleans())
def test_right_modifiers_stay_in_the_sets(
    kind: str, samples: bool, seed: int, reciprocal: bool
) -> None:
    profile = FLOAT32.reciprocals() if reciprocal else FLOAT32
    x, g, noise = drawn(kind, samples, seed % 2**32)
    ops, r = Float32(np.random.default_rng(seed), reciprocal=reciprocal), F(1.5)
    weight = modified(ops, made(kind, samples), noise)
    v = ops.div(np.clip(x, -r, r), r)
    if weight.ndim == 3:
        y = np.array([ops.dots(v[n : n + 1], weight[n])[0] for n in range(N)]) * r
        dv = np.array([ops.dots(g[n : n + 1] * r, weight[n].T)[0] for n in range(N)])
    else:
        y, dv = ops.dots(v, weight) * r, ops.dots(g * r, weight.T)
    dw = ops.dots((g * r).T, v.T)
    dx = np.where(np.abs(x) <= r, ops.div(dv, r), F(0))
    for stages in ({}, {"effective_weight": weight}):
        options = {"profile": profile, "noise": noise, "stages": stages}
        report = judge_forward(made(kind, samples), x, y, **options)
        assert report.passed, report
        gradients = {"input": dx, "weight": dw}
        report = judge_backward(made(kind, samples), x, g, gradients, **options)
        assert report.passed, report


@pytest.mark.parametrize("samples", [False, True])
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_the_own_modifier_is_exact(kind: str, samples: bool) -> None:
    x, g, noise = drawn(kind, samples)
    tile = made(kind, samples)
    y, ahead = tile.forward(x, noise=noise, trace=True)
    dx, back = tile.backward(g, trace=True)
    gradients = {"input": dx, **tile.gradients}
    stages = {stage.name: stage.value for stage in [*ahead, *back]}
    for profile in (FLOAT32, float32_in_order(2)):
        options = {"profile": profile, "noise": noise, "stages": stages}
        for report in (
            judge_forward(made(kind, samples), x, y, **options),
            judge_backward(made(kind, samples), x, g, gradients, **options),
        ):
            assert report.passed, report
            assert all(stage.exact == stage.total for stage in report.stages), report
    assert judge_state(made(kind, samples), x, tile.state_dict()).passed


WRONG = {
    "noise without the largest weight": ("additive", lambda w, n: w + F(0.1) * n, "WM-2"),
    "noise in proportion": ("additive", lambda w, n: w * (1 + F(0.1) * n), "WM-2"),
    "noise left out": ("multiplicative", lambda w, n: w, "WM-3"),
    "noise that is added": ("multiplicative", lambda w, n: w + F(0.1) * n, "WM-3"),
    "truncated": ("discretised", lambda w, n: np.trunc(w / step(w)) * step(w), "WM-4"),
    "steps of the bound": ("discretised", lambda w, n: np.rint(w / step(w) * 2) * step(w) / 2, "WM-4"),
    "rounded to nearest": ("stochastic", lambda w, n: np.rint(w / step(w)) * step(w), "WM-4"),
}  # fmt: skip


def step(w: Any) -> Any:
    return F(2 / 14) * np.abs(w).max()


@pytest.mark.parametrize("mistake", WRONG)
def test_a_wrong_modifier_is_rejected_by_its_clause(mistake: str) -> None:
    kind, function, clause = WRONG[mistake]
    x, _, noise = drawn(kind, False)
    tile = made(kind)
    weight = function(tile.parameters["weight"], next(iter(noise.values()), None))
    y = (np.clip(x, -1.5, 1.5) / F(1.5)) @ weight.T * F(1.5)
    report = judge_forward(made(kind), x, y, noise=noise, stages={"effective_weight": weight})
    assert report.first is not None
    assert (report.first.clause, report.first.name) == (clause, "effective_weight")
    assert report["output"].violations == 0
    assert not judge_forward(made(kind), x, y, noise=noise).passed


def test_one_sample_for_all_rows_is_rejected() -> None:
    x, g, noise = drawn("additive", True)
    tile = made("additive", True)
    first = {"weight_noise": np.broadcast_to(noise["weight_noise"][0], (N, O, I))}
    y, trace = tile.forward(x, noise=first, trace=True)
    found = judge_forward(made("additive", True), x, y, noise=noise).first
    assert found is not None
    stages = {"effective_weight": trace["effective_weight"]}
    found = judge_forward(made("additive", True), x, y, noise=noise, stages=stages).first
    assert found is not None
    assert found.clause == "WM-2"
    right = made("additive", True)
    right.forward(x, noise=noise)
    right.backward(g)
    stored = made("additive", True).eval()
    stored.forward(x)
    dx = stored.backward(g)
    found = judge_backward(made("additive", True), x, g, {"input": dx}, noise=noise).first
    assert found is not None
    assert found.name == "input_gradient"


def test_a_modifier_that_changes_the_stored_weight_is_rejected() -> None:
    x, _, _ = drawn("discretised", False)
    tile = made("discretised")
    _, trace = tile.forward(x, trace=True)
    first = judge_state(made("discretised"), x, {"weight": trace["effective_weight"]}).first
    assert first is not None
    assert (first.clause, first.name) == ("WM-4", "weight")


def test_a_weight_half_way_has_two_codes_for_who_multiplies_by_a_reciprocal() -> None:
    tile = made("discretised")
    tile.set_weights(np.eye(O, I, dtype=F))
    tile.parameters["weight"][0, 1] = F(0.5) * F(2 / 14)
    x = np.eye(I, dtype=F)
    for profile, ambiguous in ((FLOAT32, 0), (FLOAT32.reciprocals(), 1)):
        report = judge_forward(tile, x, tile.forward(x), profile)
        assert report.passed
        [margin] = report.margins
        assert (margin.stage, margin.total, margin.ambiguous) == (
            "effective_weight",
            O * I,
            ambiguous,
        )
        tile.eval()
        up = tile.forward(x)
        up[1, 0] = F(2 / 14)
        tile.train()
        assert judge_forward(tile, x, up, profile).passed is bool(ambiguous)


def test_a_fused_noise_is_admissible_only_if_the_profile_fuses() -> None:
    x, _, noise = drawn("additive", False)
    tile = made("additive")
    w, xi = tile.parameters["weight"], noise["weight_noise"]
    weight = fma(F(0.1 * float(np.abs(w).max())), xi, w)
    y = tile.forward(x, noise=noise)
    strict = replace(FLOAT32, fused=False)
    stages = {"effective_weight": weight}
    assert (
        judge_forward(made("additive"), x, y, FLOAT32, noise=noise, stages=stages)[
            "effective_weight"
        ].violations
        == 0
    )
    assert (
        judge_forward(made("additive"), x, y, strict, noise=noise, stages=stages)[
            "effective_weight"
        ].violations
        > 0
    )


@pytest.mark.parametrize("rows", [0, 1, 3])
@pytest.mark.parametrize("kind", ["stochastic", "additive"])
def test_weights_of_zeros_and_empty_batches(kind: str, rows: int) -> None:
    converters = rs.IOParameters(out_noise=0.0)
    modifier = rs.WeightModifierParameter(**KINDS[kind], per_batch_sample=True)
    made = rs.InferenceRPUConfig(forward=converters, backward=converters, modifier=modifier)
    tile, other = (made.create_tile(O, I, backend="spec") for _ in range(2))
    x, g = np.ones((rows, I), F), np.ones((rows, O), F)
    y, ahead = other.forward(x, trace=True)
    gradients = {"input": other.backward(g), **other.gradients}
    stages = {stage.name: stage.value for stage in ahead}
    for shown in ({}, stages):
        options = {"noise": ahead.noise, "stages": shown}
        assert judge_forward(tile, x, y, **options).passed
        assert judge_backward(tile, x, g, gradients, **options).passed


@pytest.mark.parametrize(("weight", "open_"), [(1e-45, True), (0.0, False)])
def test_a_step_that_underflows_leaves_the_weight_open(weight: float, open_: bool) -> None:
    modifier = rs.WeightModifierParameter(type=WM.DISCRETIZE, res=0.25)
    tile = config(r={"init_value": 1.0}, modifier=modifier).create_tile(1, 1, backend="spec")
    tile.parameters["weight"][...] = weight
    assert judge_forward(tile, F([[0.5]]), F([[0.0]])).passed
    assert judge_forward(tile, F([[0.5]]), F([[np.nan]])).passed is open_

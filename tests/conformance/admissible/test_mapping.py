"""What set_weights may leave in the state."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import refsim as rs
from refsim.conformance.admissible import FLOAT32, FLOAT64, judge_mapping
from tests.conformance.admissible.evaluator import F, Float32
from tests.strategies import dtypes, seeds
from tests.tile.cases import config

O, I = 3, 4


def made(omega: float, columnwise: bool, T: Any = F) -> Any:
    mapping = rs.MappingParameter(
        weight_scaling_omega=omega,
        weight_scaling_columnwise=columnwise,
        learn_out_scaling=True,
    )
    tile = config(T, mapping=mapping).create_tile(O, I, bias=True, backend="spec")
    tile.parameters["out_scaling_alpha"][...] = 2
    return tile


def weight(seed: int, T: Any = F) -> Any:
    return np.random.default_rng(seed).normal(0, 0.3, (O, I)).astype(T)


@given(T=dtypes, columnwise=st.booleans(), omega=st.sampled_from([0.0, 1.0, 0.6, -1.0]), seed=seeds)
def test_the_own_mapping_is_exact(T: Any, columnwise: bool, omega: float, seed: int) -> None:
    base = FLOAT32 if T is F else FLOAT64
    W, bias = weight(seed % 2**32, T), np.ones(O, T)
    W[1] = 0
    tile = made(omega, columnwise, T)
    tile.set_weights(W, bias)
    for profile in (base, base.reciprocals()):
        report = judge_mapping(made(omega, columnwise, T), W, tile.state_dict(), profile, bias=bias)
        assert report.passed, report
        assert all(stage.exact == stage.total for stage in report.stages), report


@given(columnwise=st.booleans(), seed=seeds, reciprocal=st.booleans())
def test_right_mappings_stay_in_the_sets(columnwise: bool, seed: int, reciprocal: bool) -> None:
    profile = FLOAT32.reciprocals() if reciprocal else FLOAT32
    ops, W = Float32(np.random.default_rng(seed), reciprocal=reciprocal), weight(seed % 2**32)
    peak = np.abs(W).max(axis=1 if columnwise else None)
    s = np.broadcast_to(ops.div(peak, F(0.6)), O)
    stored = {"weight": ops.div(W, s[:, None]), "mapping_scales": s, "out_scaling_alpha": [1.0]}
    for names in (list(stored), ["weight"]):
        after = {name: stored[name] for name in names}
        if not columnwise and len(names) > 1:
            after["mapping_scales"] = s[:1]
        report = judge_mapping(made(0.6, columnwise), W, after, profile)
        assert report.passed, report


WRONG = {
    "signed maximum": (lambda W: W.max() / F(0.6), "MS-1", "mapping_scales"),
    "omega forgotten": (lambda W: np.abs(W).max(), "MS-1", "mapping_scales"),
    "omega multiplied": (lambda W: np.abs(W).max() * F(0.6), "MS-1", "mapping_scales"),
    "weight not divided": (None, "MS-2", "weight"),
}


@pytest.mark.parametrize("mistake", WRONG)
def test_a_wrong_mapping_is_rejected(mistake: str) -> None:
    scale, clause, name = WRONG[mistake]
    W = weight(3)
    W[0, 0] = -2
    s = np.full(1, np.abs(W).max() / F(0.6) if scale is None else scale(W), F)
    after = {"weight": W if scale is None else W / s, "mapping_scales": s}
    first = judge_mapping(made(0.6, False), W, after).first
    assert first is not None
    assert (first.clause, first.name) == (clause, name)
    assert not judge_mapping(made(0.6, False), W, {"weight": after["weight"]}).passed


def test_learned_scales_are_reset_and_the_rest_is_kept() -> None:
    W, tile = weight(3), made(0.6, True)
    tile.set_weights(W)
    state = tile.state_dict()
    for name in ("out_scaling_alpha", "bias"):
        wrong = {**state, name: state[name] + F(1)}
        first = judge_mapping(made(0.6, True), W, wrong).first
        assert first is not None
        assert first.name == name
    plain = made(0.0, False)
    plain.set_weights(W)
    assert judge_mapping(made(0.0, False), W, plain.state_dict()).passed
    with pytest.raises(KeyError):
        judge_mapping(made(0.0, False), W, {"weight": W})["mapping_scales"]
    first = judge_mapping(made(0.0, False), W, tile.state_dict(), weight_scaling_omega=0.6).first
    assert first is not None
    assert (first.clause, first.name) == ("MS-1", "mapping_scales")


def test_each_tile_of_an_array_scales_its_own_part() -> None:
    mapping = rs.MappingParameter(weight_scaling_omega=0.6, max_input_size=2, max_output_size=2)
    whole = config(mapping=mapping)
    array, before = (rs.TileModuleArray(O, I, whole, bias=True, backend="spec") for _ in range(2))
    W, bias = weight(3), np.ones(O, F)
    array.set_weights(W, bias)
    state = array.state_dict()
    report = judge_mapping(before, W, state, bias=bias)
    assert report.passed, report
    assert all(stage.exact == stage.total for stage in report.stages)
    state["t0_1_weight"] = state["t0_1_weight"] * F(2)
    first = judge_mapping(before, W, state, bias=bias).first
    assert first is not None
    assert (first.clause, first.name) == ("MS-2", "t0_1_weight")
    with pytest.raises(rs.InputError, match="'t7_0_' is the place of no tile"):
        judge_mapping(before, W, {"t7_0_weight": W})


def test_what_does_not_fit_is_named() -> None:
    tile, W = made(0.6, False), weight(3)
    with pytest.raises(rs.ShapeError, match=r"weight has shape \(2, 4\), allowed is \(3, 4\)"):
        judge_mapping(tile, W[:2], {"weight": W})
    with pytest.raises(
        rs.ShapeError, match=r"after\['weight'\] has shape \(2, 4\), allowed is \(3, 4\)"
    ):
        judge_mapping(tile, W, {"weight": W[:2]})
    with pytest.raises(rs.InputError, match="after has the key 'x', allowed are weight, bias"):
        judge_mapping(tile, W, {"x": W})

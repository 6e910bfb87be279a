"""Arrays of tiles: each tile by itself, and the sums of their partial results."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import refsim as rs
from refsim.conformance.admissible import (
    FLOAT32,
    FLOAT64,
    SGDSettings,
    judge_backward,
    judge_forward,
    judge_state,
    judge_update,
)
from tests.conformance.admissible.evaluator import F, Float32, Tile
from tests.strategies import dtypes, seeds
from tests.tile.array_cases import ArrayCase, array_cases
from tests.tile.cases import config

pytestmark = pytest.mark.filterwarnings("ignore::refsim.errors.RangeWarning")
N, O, I = 5, 4, 7
FEW = settings(max_examples=max(20, settings().max_examples // 4))
"""An array is many tiles, each of which is tested as such."""


@FEW
@given(case=dtypes.flatmap(lambda T: array_cases(T, count=1)))
def test_the_own_array_is_exact(case: ArrayCase) -> None:
    (x, g), array, before = case.batches[0], case.array("spec"), case.array("spec")
    try:
        with np.errstate(all="ignore"):
            y, ahead = array.forward(x, trace=True)
            state = dict(array.state_dict())
            dx, back = array.backward(g, trace=True)
            gradients = {name: value.copy() for name, value in array.gradients.items()}
            pending = case.array("spec")
            pending.load_state_dict(array.state_dict())
            rs.SGD([array], lr=0.1, momentum=0.5).step()
    except (rs.StateError, rs.ConfigError):
        assume(False)
    stages = {stage.name: stage.value for stage in [*back, *ahead]}
    base = FLOAT32 if case.T is F else FLOAT64
    for profile in (base, base.reciprocals()):
        options = {"profile": profile, "noise": ahead.noise}
        everything = {"input": dx, **gradients}
        for reports, exact in (
            ([judge_state(before, x, state, **options)], True),
            ([judge_forward(before, x, y, stages=stages, **options)], True),
            ([judge_backward(before, x, g, everything, stages=stages, **options)], True),
            ([judge_forward(before, x, y, **options)], False),
            ([judge_backward(before, x, g, everything, **options)], False),
        ):
            for report in reports:
                assert report.passed, report
                assert not exact or all(s.exact == s.total for s in report.stages), report
        options = SGDSettings(0.1, momentum=0.5)
        report, velocity = judge_update(
            pending, gradients, array.state_dict(), profile, settings=options
        )
        assert report.passed, report
        assert all(s.exact == s.total for s in report.stages), report
        assert set(velocity) == set(gradients)


def made() -> Any:
    """An array of two by two tiles."""
    mapping = rs.MappingParameter(max_input_size=4, max_output_size=2)
    io = {"inp_res": 254, "inp_bound": 1.0, "out_res": 30, "out_bound": 2.0}
    whole = config(io=io, r={"init_value": 1.5}, mapping=mapping)
    array = rs.TileModuleArray(O, I, whole, bias=True, backend="spec")
    draw = np.random.default_rng(6)
    array.set_weights(draw.normal(0, 0.4, (O, I)).astype(F), draw.normal(0, 1, O).astype(F))
    return array


def batch(seed: int = 1) -> tuple[Any, Any]:
    draw = np.random.default_rng(seed)
    return draw.normal(0, 1, (N, I)).astype(F), draw.normal(0, 1, (N, O)).astype(F)


@FEW
@given(seed=seeds, reciprocal=st.booleans())
def test_right_arrays_stay_in_the_sets(seed: int, reciprocal: bool) -> None:
    profile = FLOAT32.reciprocals() if reciprocal else FLOAT32
    ops = Float32(np.random.default_rng(seed), reciprocal=reciprocal)
    array, (x, g) = made(), batch(seed % 2**32)
    y, dx, gradients = np.zeros((N, O), F), np.zeros((N, I), F), {"bias": ops.total(list(g))}
    for i, columns in enumerate(array.inputs):
        parts = []
        for o, rows in enumerate(array.outputs):
            tile = array.tiles[i][o]
            other = Tile(ops, tile.config, tile.parameters["weight"], F(1.5), None, None, None)
            parts.append(other.forward(x[:, columns], np.zeros((N, 2), F)))
            back = other.backward(g[:, rows])
            dx[:, columns] = back.pop("input") + dx[:, columns]
            gradients |= {f"t{i}_{o}_{name}": value for name, value in back.items()}
        y = y + np.concatenate(parts, axis=1) if i else np.concatenate(parts, axis=1)
    report = judge_forward(array, x, y + array.parameters["bias"], profile)
    assert report.passed, report
    report = judge_backward(array, x, g, {"input": dx, **gradients}, profile)
    assert report.passed, report


def wrong_output(mistake: str) -> Any:
    array, (x, _) = made(), batch()
    parts = [
        np.concatenate([t.forward(x[:, columns]) for t in row], axis=1)
        for row, columns in zip(array.tiles, array.inputs, strict=True)
    ]
    bias = array.parameters["bias"]
    return {
        "bias for each split": parts[0] + bias + (parts[1] + bias),
        "bias left out": parts[0] + parts[1],
        "mean": (parts[0] + parts[1]) / F(2) + bias,
        "one split": parts[0] + bias,
    }[mistake]


@pytest.mark.parametrize("mistake", ["bias for each split", "bias left out", "mean", "one split"])
def test_a_wrong_sum_is_rejected(mistake: str) -> None:
    array, (x, _) = made(), batch()
    _, trace = made().forward(x, trace=True)
    tiles = {s.name: s.value for s in trace if s.name.startswith("t")}
    for stages in (tiles, {}):
        first = judge_forward(array, x, wrong_output(mistake), stages=stages).first
        assert first is not None
        assert (first.clause, first.name) == ("PP-2", "output")


def test_the_tile_that_breaks_is_named() -> None:
    array, (x, g) = made(), batch()
    y, trace = made().forward(x, trace=True)
    stages = {s.name: s.value for s in trace}
    stages["t1_0_rounded_output"] = stages["t1_0_rounded_output"] + F(0.01)
    first = judge_forward(array, x, y, stages=stages).first
    assert first is not None
    assert (first.clause, first.name) == ("DC-4", "t1_0_rounded_output")
    other = made()
    other.forward(x)
    dx = other.backward(g)
    gradients = {"input": dx, **other.gradients}
    assert judge_backward(array, x, g, gradients).passed
    gradients["t0_1_weight"] = gradients["t0_1_weight"] / F(N)
    first = judge_backward(array, x, g, gradients).first
    assert first is not None
    assert first.name == "t0_1_weight_gradient"
    first = judge_backward(array, x, g, {"input": dx * F(2)}).first
    assert first is not None
    assert (first.clause, first.name) == ("TA-2", "input_gradient")
    twice = {name: value + value for name, value in other.gradients.items()}
    assert judge_backward(array, x, g, twice, before=dict(other.gradients)).passed
    assert not judge_backward(array, x, g, twice).passed


def test_what_does_not_fit_is_named() -> None:
    array, (x, g) = made(), batch()
    y = array.forward(x)
    with pytest.raises(rs.InputError, match=r"'t9_0_' is the place of no tile, allowed are t0_0_"):
        judge_forward(array, x, y, stages={"t9_0_product": y})
    with pytest.raises(
        rs.ShapeError, match=r"the batch has shape \(5, 3\), allowed is \(\.\.\., 7\)"
    ):
        judge_forward(array, x[:, :3], y)
    with pytest.raises(
        rs.InputError, match="gradients has the key 'weight', allowed are bias, input"
    ):
        judge_backward(array, x, g, {"weight": 1.0})
    with pytest.raises(
        rs.InputError, match="state has the entry 'weight', allowed are those of the"
    ):
        judge_state(array, x, {"weight": 1.0})
    with pytest.raises(rs.InputError, match="'t9_0_' is the place of no tile"):
        judge_update(array, {"t9_0_weight": 1.0}, {}, settings=SGDSettings(0.1))

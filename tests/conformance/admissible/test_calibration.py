"""What a calibration may make of an input range."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import refsim as rs
from refsim.conformance.admissible import FLOAT32, FLOAT64, judge_calibration
from tests.conformance.admissible.evaluator import F, Float32
from tests.strategies import dtypes, seeds
from tests.tile.cases import config

KINDS = ["MAX", "CACHE_QUANTILE", "MOVING_QUANTILE", "MOVING_STD"]
I = 4


def made(T: Any = F, choices: Any = None) -> Any:
    parts = {} if choices is None else {"choices": choices}
    tile = config(T, r={"init_value": 1.5, "init_from_data": 9}, **parts).create_tile(
        2, I, backend="spec"
    )
    tile.buffers["input_range_update_idx"][0] = 2
    return tile


def batches(seed: int, T: Any = F) -> list[Any]:
    draw = np.random.default_rng(seed)
    found = [draw.normal(0, 1, (int(draw.integers(1, 5)), I)).astype(T) for _ in range(3)]
    found[1][0] = 0
    return found


@given(
    T=dtypes,
    kind=st.sampled_from(KINDS),
    quantile=st.sampled_from([0.99995, 0.9, 0.5, 1.0, 0.0]),
    aihwkit=st.booleans(),
    seed=seeds,
)
def test_the_own_calibration_is_exact(
    T: Any, kind: str, quantile: float, aihwkit: bool, seed: int
) -> None:
    seen, base = batches(seed % 2**32, T), FLOAT32 if T is F else FLOAT64
    choices = rs.Choices.aihwkit() if aihwkit else rs.Choices()
    tile = made(T, choices)
    try:
        rs.calibrate_input_ranges(tile, kind, seen, quantile=quantile)
    except rs.StateError:
        return
    for profile in (base, base.reciprocals()):
        report = judge_calibration(
            made(T, choices), kind, seen, tile.state_dict(), profile, quantile=quantile
        )
        assert report.passed, report
        assert all(stage.exact == stage.total for stage in report.stages), report


@given(kind=st.sampled_from(KINDS), seed=seeds, reciprocal=st.booleans())
def test_right_calibrations_stay_in_the_sets(kind: str, seed: int, reciprocal: bool) -> None:
    profile, seen = FLOAT32.reciprocals() if reciprocal else FLOAT32, batches(seed % 2**32)
    ops = Float32(np.random.default_rng(seed), reciprocal=reciprocal)
    rows = [batch[batch.any(axis=1)] for batch in seen]
    r, k = F(1.5), F(0)
    if kind == "MAX":
        r = max(np.abs(batch).max() for batch in rows if batch.size)
    elif kind == "CACHE_QUANTILE":
        r = np.quantile(np.abs(np.concatenate(rows)), 0.9).astype(F)
    for batch in rows if kind.startswith("MOVING") else []:
        if not batch.size:
            continue
        std = kind == "MOVING_STD"
        value = ops.std(batch) if std else np.quantile(np.abs(batch), 0.9).astype(F)
        r = ops.muladd(r, k, F(3) * value if std else value)
        r, k = np.abs(ops.div(r, k + F(1))), k + F(1)
    report = judge_calibration(made(), kind, seen, {"input_range": [r]}, profile, quantile=0.9)
    assert report.passed, report


WRONG = {
    "quantile of signed inputs": (
        "CACHE_QUANTILE",
        lambda rows: np.quantile(np.concatenate(rows), 0.9),
    ),
    "zeros counted": ("CACHE_QUANTILE", lambda rows: np.quantile(np.abs(padded(rows)), 0.9)),
    "lower neighbour": (
        "CACHE_QUANTILE",
        lambda rows: np.quantile(np.abs(np.concatenate(rows)), 0.9, method="lower"),
    ),
    "signed maximum": ("MAX", lambda rows: max(batch.max() for batch in rows)),
    "last batch": ("MAX", lambda rows: np.abs(rows[-1]).max()),
    "average with the range before": (
        "MOVING_QUANTILE",
        lambda rows: np.mean([1.5, *(np.quantile(np.abs(batch), 0.9) for batch in rows)]),
    ),
    "biased deviation": ("MOVING_STD", lambda rows: 3 * np.mean([np.std(batch) for batch in rows])),
}


def padded(rows: list[Any]) -> Any:
    return np.concatenate([*rows, np.zeros((1, I))])


@pytest.mark.parametrize("mistake", WRONG)
def test_a_wrong_calibration_is_rejected(mistake: str) -> None:
    kind, function = WRONG[mistake]
    seen = [batch - F(0.5) for batch in batches(8)]
    tile = made()
    rs.calibrate_input_ranges(tile, kind, seen, quantile=0.9)
    state = tile.state_dict()
    assert judge_calibration(made(), kind, seen, state, quantile=0.9).passed
    rows = [batch[batch.any(axis=1)].astype(float) for batch in seen]
    state["input_range"] = np.array([function(rows)], F)
    first = judge_calibration(made(), kind, seen, state, quantile=0.9).first
    assert first is not None
    assert first.name == "input_range"


@pytest.mark.parametrize("kind", KINDS)
def test_the_counter_and_the_rest_are_judged(kind: str) -> None:
    seen, tile = batches(8), made()
    rs.calibrate_input_ranges(tile, kind, seen)
    for name in ("input_range_update_idx", "weight"):
        state = tile.state_dict()
        state[name] = state[name] + F(1)
        first = judge_calibration(made(), kind, seen, state).first
        assert first is not None
        assert first.name == name


def test_a_sample_is_asked_for_and_used() -> None:
    seen = batches(8)
    with pytest.raises(rs.InputError, match="rows, of which 2 were kept; give these as sample"):
        judge_calibration(made(), "CACHE_QUANTILE", seen, {"input_range": 1.0}, max_samples=2)
    sample = seen[0][:2]
    options = {"max_samples": 2, "sample": sample, "quantile": 1.0}
    right = {"input_range": [np.abs(sample).max()]}
    assert judge_calibration(made(), "CACHE_QUANTILE", seen, right, **options).passed
    wrong = {"input_range": [np.abs(seen[2]).max()]}
    assert not judge_calibration(made(), "CACHE_QUANTILE", seen, wrong, **options).passed


def test_what_does_not_fit_is_named() -> None:
    with pytest.raises(
        rs.InputError, match="calibration_type is 'BEST', allowed are NONE, MOVING_STD"
    ):
        judge_calibration(made(), "BEST", [], {})
    with pytest.raises(
        rs.ShapeError, match=r"a batch has shape \(1, 3\) and dtype float64, allowed"
    ):
        judge_calibration(made(), "MAX", [np.ones((1, 3))], {})
    with pytest.raises(rs.InputError, match="tile has no input range"):
        judge_calibration(config().create_tile(1, 1), "MAX", [], {})
    assert judge_calibration(made(), "NONE", [], {"input_range": [1.5]}).passed
    assert judge_calibration(made(), "MAX", [], {"input_range": [1.5]}).passed

"""No right float32 implementation of the manual path leaves the sets."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import refsim as rs
from refsim.conformance.admissible import (
    FLOAT32,
    SGDSettings,
    judge_backward,
    judge_forward,
    judge_state,
    judge_update,
)
from tests.conformance.admissible.evaluator import F, Float32
from tests.conformance.admissible.manual_evaluator import RowTile
from tests.strategies import seeds

NM, BM = rs.NoiseManagementType, rs.BoundManagementType
N, O = 6, 5


def config(draw: np.random.Generator) -> Any:
    """A tile with both converters, and with what else there is by chance."""
    pick = draw.choice
    managed = bool(pick([False, True, True]))
    kinds = [NM.ABS_MAX, NM.MAX, NM.NONE, NM.ABS_MAX_NP_SUM, NM.AVERAGE_ABS_MAX]
    bounds = [BM.NONE, BM.ITERATIVE, BM.ITERATIVE_WORST_CASE]
    return rs.InferenceRPUConfig(
        pre_post=rs.PrePostProcessingParameter(
            input_range=rs.InputRangeParameter(
                enable=True,
                init_from_data=0,
                decay=float(pick([0.0, 0.01])),
                input_min_percentage=float(pick([0.95, 0.5])),
                gradient_relative=bool(pick([False, True])),
                manage_output_clipping=not managed,
            )
        ),
        forward=rs.IOParameters(
            inp_res=float(pick([14, 254, 1 / 126, 127])),
            out_res=float(pick([30, 254, 1 / 510])),
            out_bound=float(pick([12.0, 2.0, 0.7])),
            out_noise=float(pick([0.0, 0.05])),
            inp_asymmetry=float(pick([0.0, 0.1])),
            out_asymmetry=float(pick([0.0, 0.1])),
            out_scale=float(pick([1.0, 0.7])),
            noise_management=kinds[int(draw.integers(5))] if managed else NM.NONE,
            bound_management=bounds[int(draw.integers(3))] if managed else BM.NONE,
            bm_test_negative_bound=bool(pick([False, True])),
        ),
        backward=rs.IOParameters(is_perfect=True),
        mapping=rs.MappingParameter(
            learn_out_scaling=True,
            out_scaling_columnwise=True,
            weight_scaling_lr_compensation=bool(pick([False, True])),
        ),
    )


def pair(seed: int, ops: Float32, K: int) -> tuple[Any, RowTile, Any, dict[str, Any], Any]:
    """A tile of refsim, the same by other arithmetic, a batch, its noise and an upstream gradient."""
    draw = np.random.default_rng(seed)
    tile = config(draw).create_tile(O, K, bias=True, backend="spec")
    tile.parameters["weight"][...] = draw.normal(0, 0.3, (O, K))
    tile.parameters["bias"][...] = draw.normal(0, 1, O)
    tile.set_input_range(F(draw.uniform(0.3, 2)))
    if draw.random() < 0.5:
        tile.set_scales(draw.uniform(0.5, 2, O).astype(F))
    tile.parameters["out_scaling_alpha"][...] = draw.uniform(0.5, 2, O)
    values = (tile.value(name) for name in ("mapping_scales", "out_scaling_alpha", "bias"))
    s, a, bias = (None if value is None else value.copy() for value in values)
    r = tile.value("input_range")[0]
    other = RowTile(ops, tile.config, tile.parameters["weight"].copy(), r, s, a, bias)
    x = (draw.normal(0, 1, (N, K)) * draw.choice([1.0, 0.1])).astype(F)
    x[draw.random(x.shape) < 0.1] = r
    x[draw.random(N) < 0.1] = 0
    passes = tile.config.forward.bound_management is not BM.NONE
    noise = draw.normal(0, 1, (14, N, O)).astype(F)
    given = (
        {} if tile.config.forward.out_noise == 0 else {"out_noise": noise if passes else noise[0]}
    )
    return tile, other, x, given, draw.normal(0, 1, (N, O)).astype(F)


@given(seed=seeds, K=st.integers(1, 20), reciprocal=st.booleans())
def test_right_tiles_stay_in_the_sets(seed: int, K: int, reciprocal: bool) -> None:
    profile = FLOAT32.reciprocals() if reciprocal else FLOAT32
    ops = Float32(np.random.default_rng(seed + 1), reciprocal=reciprocal)
    tile, other, x, noise, g = pair(seed, ops, K)
    drawn = noise.get("out_noise")
    lead = np.zeros(1) if drawn is None else drawn if drawn.ndim == 3 else drawn[None]
    with np.errstate(all="ignore"):
        y = other.forward(x, lead)
    report = judge_forward(tile, x, y, profile, noise=noise)
    assert report.passed, report
    report = judge_backward(tile, x, g, other.backward(g), profile, noise=noise)
    assert report.passed, report
    if other.average is not None:
        report = judge_state(tile, x, {"average_abs_max": other.average}, profile, noise=noise)
        assert report.passed, report


@given(seed=seeds, compensated=st.booleans(), reciprocal=st.booleans())
def test_a_right_weight_update_stays_in_the_sets(
    seed: int, compensated: bool, reciprocal: bool
) -> None:
    draw, K = np.random.default_rng(seed), 7
    profile = FLOAT32.reciprocals() if reciprocal else FLOAT32
    ops = Float32(draw, reciprocal=reciprocal)
    tile = custom(draw, compensated)
    w, s, r = (tile.value(n).copy() for n in ("weight", "mapping_scales", "input_range"))
    gradients: dict[str, Any] = {}
    for _ in range(2):
        x, g = draw.normal(0, 2, (N, K)).astype(F), draw.normal(0, 1, (N, O)).astype(F)
        tile.forward(x)
        tile.backward(g)
        c = ops.div(F(1), ops.div(ops.total(list(s)), F(O))) if compensated else F(1)
        gradients.setdefault("steps", []).append((x, ops.div(g, s * c), F(0.1) * c))
    dr = tile.gradients["input_range"]
    new = ops.muladd(F(-0.1), dr, r)
    for x, h, rate in gradients["steps"]:
        v = ops.div(np.clip(x, -abs(new), abs(new)), new)
        w = ops.muladd(-rate, ops.dots(h.T, v.T), w)
    for after in ({"weight": w}, {"weight": w, "input_range": new}):
        report, _ = judge_update(
            tile, {"input_range": dr}, after, profile, settings=SGDSettings(0.1)
        )
        assert report.passed, report


def custom(draw: np.random.Generator, compensated: bool = False) -> Any:
    """A tile whose weight is updated by the optimiser."""
    perfect = rs.IOParameters(is_perfect=True)
    ranged = rs.InputRangeParameter(enable=True, init_from_data=0, init_value=1.5)
    made = rs.CustomRPUConfig(
        pre_post=rs.PrePostProcessingParameter(input_range=ranged),
        forward=perfect,
        backward=perfect,
        mapping=rs.MappingParameter(weight_scaling_lr_compensation=compensated),
    )
    tile = made.create_tile(O, 7, backend="spec")
    tile.parameters["weight"][...] = draw.normal(0, 0.3, (O, 7))
    tile.set_scales(draw.uniform(0.5, 2, O).astype(F))
    return tile


@pytest.mark.parametrize(
    ("mistake", "wrong"),
    [
        ("range before the step", lambda w, h, x, r, new: w - F(0.1) * h.T @ scaled(x, r)),
        ("inputs not clipped", lambda w, h, x, r, new: w - F(0.1) * h.T @ (x / new)),
        ("sum and not difference", lambda w, h, x, r, new: w + F(0.1) * h.T @ scaled(x, new)),
        ("mean", lambda w, h, x, r, new: w - F(0.1) / F(N) * h.T @ scaled(x, new)),
        ("left out", lambda w, h, x, r, new: w),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_wrong_weight_update_is_rejected(mistake: str, wrong: Any) -> None:
    draw = np.random.default_rng(4)
    tile = custom(draw)
    x, g = draw.normal(0, 2, (N, 7)).astype(F), draw.normal(0, 1, (N, O)).astype(F)
    tile.forward(x)
    tile.backward(g)
    w, s, r = (tile.value(n).copy() for n in ("weight", "mapping_scales", "input_range"))
    dr, h = tile.gradients["input_range"], g / s
    new = r - F(0.1) * dr
    options = {"settings": SGDSettings(0.1)}
    right = {"weight": w - F(0.1) * h.T @ scaled(x, new), "input_range": new}
    report, _ = judge_update(tile, {"input_range": dr}, right, **options)
    assert report.passed, report
    after = {"weight": wrong(w, h, x, r, new), "input_range": new}
    report, _ = judge_update(tile, {"input_range": dr}, after, **options)
    assert report.first is not None
    assert (report.first.clause, report.first.name) == ("MS-5", "weight")


def scaled(x: Any, r: Any) -> Any:
    return np.clip(x, -r, r) / r

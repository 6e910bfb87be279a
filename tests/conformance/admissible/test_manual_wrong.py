"""Wrong tiles of the manual path are rejected, and the clause that they break is named first."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import refsim as rs
from refsim import spec
from refsim.conformance.admissible import FLOAT32, judge_backward, judge_forward, judge_state
from tests.conformance.admissible.wrong_tiles import Wrong, grid, half_up, strict_rule

F = np.float32
NM, BM = rs.NoiseManagementType, rs.BoundManagementType
N, I, O = 6, 5, 4


def config(kind: str) -> Any:
    """A tile in which every clause has work to do, with grids of powers of two, so that there are ties."""
    management = {
        "summed": NM.ABS_MAX_NP_SUM,
        "averaged": NM.AVERAGE_ABS_MAX,
        "bounded": NM.ABS_MAX,
    }
    managed = kind in management
    return rs.InferenceRPUConfig(
        pre_post=rs.PrePostProcessingParameter(
            input_range=rs.InputRangeParameter(
                enable=True,
                init_from_data=0,
                decay=0.01,
                input_min_percentage=0.3,
                manage_output_clipping=not managed,
            )
        ),
        forward=rs.IOParameters(
            inp_res=8,
            out_res=64,
            out_bound=2.0,
            out_noise=0.0,
            noise_management=management.get(kind, NM.NONE),
            bound_management=BM.ITERATIVE if managed else BM.NONE,
            max_bm_res=1.0,
            out_scale=0.5,
        ),
        backward=rs.IOParameters(is_perfect=True),
        mapping=rs.MappingParameter(learn_out_scaling=True, weight_scaling_lr_compensation=True),
    )


def made(kind: str) -> tuple[Any, Any, Any]:
    """A tile, a batch with values at all edges, and an upstream gradient."""
    draw = np.random.default_rng(5)
    tile = config(kind).create_tile(O, I, bias=True, backend="spec")
    tile.parameters["weight"][...] = draw.integers(-12, 13, (O, I)) / 8
    tile.parameters["bias"][...] = draw.normal(0, 1, O)
    tile.set_scales(draw.uniform(1.5, 3, O).astype(F))
    tile.parameters["out_scaling_alpha"][...] = 1.5
    tile.set_input_range(2.0)
    x = draw.choice([2, -2, 3, -3, 1.5, -1.5, 0.25, 0.75, 1.25, -1.75, 0.6, -1.1], (N, I)).astype(F)
    if kind == "bounded":
        x[1] = 0
    if kind == "averaged":
        x *= np.arange(1, N + 1, dtype=F)[:, None] / 8
    return tile, x, draw.normal(0, 1, (N, O)).astype(F)


def adc(m, step, bound, rounding, noise, scale, factor):  # type: ignore[no-untyped-def]
    t = grid(np.where(m < 0, m * factor, m), step, half_up)
    return t, spec.clip(t, bound)


def all_rows(t: Any, bound: Any, negative: bool) -> Any:
    return np.full(len(t), spec.rows_within_bound(t, bound, negative).all())


MISTAKES = {
    "plain": [
        Wrong("ADC rounds half up", "DC-4", "rounded_output", "analog_to_digital", adc),
        Wrong("clipped outputs not left out", "BP-4", "masked_output_gradient", "masked_gradient",
              lambda g, mask: g.copy()),
        Wrong("outputs at the bound left out", "BP-3", "output_clip_mask", "output_clip_mask",
              lambda value, bound, inclusive: np.abs(value) >= bound),
        Wrong("compensation by the sum", "MS-4", "rate_compensation", "rate_compensation",
              lambda s: s.dtype.type(1) / s.sum()),
        Wrong("scales multiplied", "MS-5", "unscaled_output_gradient", "unscaled_gradient",
              lambda g, s, c: g * s / c),
        Wrong("weight gradient is a mean", "MV-4", "weight_gradient", "outer_product_sum",
              lambda g, d: spec.outer_product_sum(g, d) / g.dtype.type(len(g))),
        Wrong("input gradient is a mean", "MV-3", "input_gradient", "transposed_product",
              lambda g, w: spec.transposed_product(g, w) / g.dtype.type(len(g))),
        Wrong("rule thresholds strict", "IR-4", "range_rule_upper", "range_rule_sums", strict_rule),
        Wrong("share of clipped outputs", "IR-10", "unclipped_output_fraction", "unclipped_output_fraction",
              lambda mask, count: np.float32(np.mean(mask))),
        Wrong("growth with the wrong sign", "IR-11", "range_rule_with_growth", "range_growth",
              lambda R, r, P, theta: R + (1 - P) * r),
        Wrong("decay left out", "IR-7", "range_gradient", "range_decay", lambda R, *rest: R),
    ],
    "bounded": [
        Wrong("divisor doubled", "NM-3", "noise_management_scale", "management_scale",
              lambda peak, cap: (2 * peak, peak > 0)),
        Wrong("the whole batch goes on", "BM-3", "input_scale", "rows_within_bound", all_rows),
        Wrong("negative outputs not tested", "BM-3", "input_scale", "rows_within_bound",
              lambda t, bound, negative: (t <= bound).all(axis=1)),
        Wrong("the bound is not inside", "BM-3", "input_scale", "rows_within_bound",
              lambda t, bound, negative: (np.abs(t) < bound).all(axis=1)),
    ],
    "summed": [
        Wrong("sum of magnitudes", "NM-7", "noise_management_scale", "row_sum_peak",
              lambda v: np.abs(v).sum(axis=1)),
        Wrong("sum not limited", "NM-7", "noise_management_scale", "sum_management_scale",
              lambda peak, sums, factor, limit: np.maximum(peak, 2 * factor * sums)),
    ],
    "averaged": [
        Wrong("shares turned round", "NM-8", "noise_management_scale", "running_peak",
              lambda peak, start, keep, weight: spec.running_peak(peak, start, weight, keep)),
        Wrong("the first row is averaged with nothing", "NM-8", "noise_management_scale", "running_peak",
              lambda peak, start, keep, weight: spec.running_peak(peak, 0 * keep, keep, weight)),
    ],
}  # fmt: skip
ROWS = [(wrong, kind) for kind, mistakes in MISTAKES.items() for wrong in mistakes]


def reports(wrong: Wrong | None, kind: str, patch: pytest.MonkeyPatch) -> list[Any]:
    tile, x, g = made(kind)
    with patch.context() as patched:
        if wrong is not None:
            patched.setattr(rs.InferenceTile, "ops", wrong.ops)
        other, _, _ = made(kind)
        y, ahead = other.forward(x, trace=True)
        state = other.state_dict()
        dx, back = other.backward(g, trace=True)
        gradients = {"input": dx, **other.gradients}
    stages = {stage.name: stage.value for stage in [*back, *ahead]}
    return [
        judge_forward(tile, x, y, FLOAT32, stages=stages),
        judge_state(tile, x, state, FLOAT32),
        judge_backward(tile, x, g, gradients, FLOAT32, stages=stages),
        judge_forward(tile, x, y, FLOAT32),
        judge_backward(tile, x, g, gradients, FLOAT32),
    ]


@pytest.mark.parametrize("kind", MISTAKES)
def test_the_right_tile_passes(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert all(report.passed for report in reports(None, kind, monkeypatch))


@pytest.mark.parametrize(
    ("wrong", "kind"), ROWS, ids=lambda value: getattr(value, "mistake", value)
)
def test_a_wrong_tile_is_rejected_by_its_clause(
    wrong: Wrong, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = reports(wrong, kind, monkeypatch)
    first = next(report.first for report in found[:3] if not report.passed)
    assert first is not None
    assert (first.clause, first.name) == (wrong.clause, wrong.stage), str(first)
    assert any(not report.passed for report in found[3:])


def test_an_input_gradient_that_is_blocked_is_rejected() -> None:
    tile, x, g = made("plain")
    other, _, _ = made("plain")
    other.forward(x)
    dx = other.backward(g)
    blocked = np.where(np.abs(x) <= 2, dx, F(0))
    first = judge_backward(tile, x, g, {"input": blocked, **other.gradients}).first
    assert first is not None
    assert (first.clause, first.name) == ("MV-3", "input_gradient")
    weight = {"weight": other.gradients["weight"] * F(2)}
    first = judge_backward(tile, x, g, weight).first
    assert first is not None
    assert (first.clause, first.name) == ("MV-4", "weight_gradient")


def test_the_noise_of_the_way_back_is_asked_for() -> None:
    io = rs.IOParameters(is_perfect=True)
    noisy = rs.IOParameters(bound_management=BM.NONE, noise_management=NM.NONE)
    tile = rs.CustomRPUConfig(forward=io, backward=noisy).create_tile(O, I)
    x, g = np.ones((1, I), F), np.ones((1, O), F)
    with pytest.raises(
        rs.InputError, match=r"out_noise is switched on; .* as backward_noise\['out_noise'\]"
    ):
        judge_backward(tile, x, g, {"input": np.ones((1, I))})


def test_the_running_peak_of_the_way_back_is_judged() -> None:
    average = rs.IOParameters(noise_management=NM.AVERAGE_ABS_MAX, out_noise=0.0)
    perfect = rs.IOParameters(is_perfect=True)
    made = rs.InferenceRPUConfig(forward=perfect, backward=average)
    tile, other = (made.create_tile(O, I, backend="spec") for _ in range(2))
    draw = np.random.default_rng(2)
    x, g = draw.normal(0, 1, (N, I)).astype(F), draw.normal(0, 1, (N, O)).astype(F)
    other.forward(x)
    other.backward(g)
    state = dict(other.state_dict())
    assert judge_state(tile, x, state, dy=g).passed
    assert not judge_state(tile, x, state).passed
    for wrong in (np.abs(g).max(), np.abs(g[0]).max(), np.mean(np.abs(g).max(axis=1)), -1):
        state["backward_average_abs_max"] = np.array([wrong], F)
        first = judge_state(tile, x, state, dy=g).first
        assert first is not None
        assert (first.clause, first.name) == ("NM-8", "backward_average_abs_max")

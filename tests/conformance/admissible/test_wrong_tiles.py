"""Wrong tiles are rejected, and the clause that they break is named first."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import refsim as rs
from refsim.conformance.admissible import FLOAT32, Profile, Report, judge_backward, judge_forward
from tests.conformance.admissible.wrong_tiles import WRONG, Wrong

F = np.float32
NM, BM = rs.NoiseManagementType, rs.BoundManagementType
N, I, O = 6, 5, 4
EVERY_PROFILE = [FLOAT32, FLOAT32.reciprocals()]


def config(kind: str) -> Any:
    """A tile in which every clause has work to do, with grids of powers of two, so that there are ties."""
    return rs.TorchInferenceRPUConfig(
        pre_post=rs.PrePostProcessingParameter(
            input_range=rs.InputRangeParameter(
                enable=True,
                init_from_data=0,
                decay=0.01,
                input_min_percentage=0.7 if kind == "ranged" else 0.3,
            )
        ),
        forward=rs.IOParameters(
            inp_res=8 if kind == "ranged" else 6,
            inp_bound=1.0 if kind == "ranged" else 0.75,
            out_res=64,
            out_bound=2.0,
            out_noise=0.125,
            out_asymmetry=0.25,
            inp_asymmetry=0.25,
            noise_management=NM.ABS_MAX if kind == "managed" else NM.NONE,
            nm_thres=0.9 if kind == "managed" else 0.0,
            bound_management=BM.ITERATIVE if kind == "managed" else BM.NONE,
            max_bm_res=1.0,
            out_scale=0.5,
        ),
        mapping=rs.MappingParameter(learn_out_scaling=True),
    )


def made(kind: str) -> tuple[Any, Any, Any, dict[str, Any]]:
    """A tile, a batch with values at all edges, an upstream gradient and noise."""
    draw = np.random.default_rng(5)
    tile = config(kind).create_tile(O, I, bias=True, backend="spec").eval()
    tile.parameters["weight"][...] = draw.integers(-8, 9, (O, I)) / 8
    tile.parameters["bias"][...] = draw.normal(0, 1, O)
    tile.set_scales(draw.uniform(1.5, 3, O).astype(F))
    tile.parameters["out_scaling_alpha"][...] = 1.5
    tile.set_input_range(2.0)
    x = draw.choice([2, -2, 3, -3, 1.5, -1.5, 0.25, 0.75, 1.25, -1.75, 0.6, -1.1], (N, I)).astype(F)
    if kind == "managed":
        x[0] = [-1, 0.5, 0.25, 0.1, 0.2]
    noise = draw.integers(-4, 5, (12, N, O) if kind == "managed" else (N, O)) / F(2)
    return tile, x, draw.normal(0, 1, (N, O)).astype(F), {"out_noise": noise.astype(F)}


def reports(
    wrong: Wrong | None, kind: str, profile: Profile, patch: pytest.MonkeyPatch
) -> tuple[list[Report], list[Report]]:
    """Verdicts on both passes with all stages, and on their results alone."""
    tile, x, g, noise = made(kind)
    with patch.context() as patched:
        if wrong is not None:
            patched.setattr(rs.TorchInferenceTile, "ops", wrong.ops)
        other, _, _, _ = made(kind)
        y, ahead = other.forward(x, noise=noise, trace=True)
        dx, back = other.backward(g, trace=True)
        gradients = {"input": dx, **other.gradients}
    stages = {stage.name: stage.value for stage in [*ahead, *back]}
    del stages["input_range"], stages["effective_weight"]
    return [
        judge_forward(tile, x, y, profile, noise=noise, stages=stages),
        judge_backward(tile, x, g, gradients, profile, noise=noise, stages=stages),
    ], [
        judge_forward(tile, x, y, profile, noise=noise),
        judge_backward(tile, x, g, gradients, profile, noise=noise),
    ]


@pytest.mark.parametrize("profile", EVERY_PROFILE, ids=["divisions", "reciprocals"])
@pytest.mark.parametrize("kind", WRONG)
def test_the_right_tile_passes(
    kind: str, profile: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    anchored, alone = reports(None, kind, profile, monkeypatch)
    assert all(report.passed for report in [*anchored, *alone])


@pytest.mark.parametrize(
    ("wrong", "kind"),
    [(wrong, kind) for kind, mistakes in WRONG.items() for wrong in mistakes],
    ids=lambda value: getattr(value, "mistake", value),
)
def test_a_wrong_tile_is_rejected_by_its_clause(
    wrong: Wrong, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for profile in EVERY_PROFILE:
        anchored, alone = reports(wrong, kind, profile, monkeypatch)
        first = next(report.first for report in anchored if not report.passed)
        assert first is not None
        assert (first.clause, first.name) == (wrong.clause, wrong.stage), str(first)
        assert str(first).startswith(f"VIOLATION {wrong.clause} {wrong.stage}")
        assert any(not report.passed for report in alone)

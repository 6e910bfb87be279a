"""Wrong quantised tiles are rejected, and the clause that they break is named first."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

import refsim as rs
from refsim.conformance.admissible import (
    FLOAT32,
    Profile,
    Report,
    judge_backward,
    judge_forward,
    judge_state,
)
from tests.conformance.admissible.wrong_quantised import WRONG, Wrong

F = np.float32
RE = rs.RangeEstimators
N, I, O = 6, 3, 4
EVERY_PROFILE = [FLOAT32, FLOAT32.reciprocals()]
ESTIMATORS = {
    "running": RE.running_minmax,
    "all": RE.allminmax,
    "grid": RE.MSE,
    "golden": RE.MSE,
}


def config(kind: str) -> Any:
    """Coarse quantisers, so that every code occurs and values are clipped."""
    activation = rs.ActivationQuantConfig(
        n_bits=6 if kind == "symmetric" else 3,
        symmetric=kind not in ("asymmetric", "learned"),
        range_estimator=ESTIMATORS.get(kind, RE.current_minmax),
    )
    if kind == "percentile":
        activation.range_estimator_params.percentile = 10.0
    if kind == "grid":
        activation.range_estimator_params.range_opt_method = rs.OptMethod.grid
    return rs.QuantizedTorchInferenceRPUConfig(
        pre_post=rs.PrePostProcessingParameterQuant(
            input_range=rs.InputRangeParameter(enable=True, init_from_data=0),
            periph_quant=rs.PeripheryQuantizationParameter(
                n_bits=3,
                symmetric=kind not in ("asymmetric", "learned"),
                learn_quant_params=kind == "learned",
                init_learning_after=1,
            ),
        ),
        forward=rs.IOParameters(is_perfect=True),
        mapping=rs.MappingParameter(learn_out_scaling=True, out_scaling_columnwise=True),
        act_quant_config=activation,
    )


def made(kind: str) -> tuple[Any, Any, Any]:
    """A tile, a batch and an upstream gradient; ties are as likely as on any grid of powers of two."""
    draw = np.random.default_rng(7)
    tile = config(kind).create_tile(O, I, bias=True, backend="spec")
    tile.parameters["weight"][...] = draw.integers(-8, 9, (O, I)) / 8
    tile.parameters["bias"][...] = [-1.0, 0.3, 0.6, 2.2]
    tile.parameters["out_scaling_alpha"][...] = [0.5, 1.0, 1.75, 0.125]
    tile.set_input_range(2.0)
    batches = draw.integers(-8, 9, (3, N, I)).astype(F) / 4
    if kind != "first evaluation":
        tile.forward(batches[0])
    outputs = tile.out_quantizer
    if kind == "symmetric":
        outputs.set_quant_range(-3.0, 2.5)
        outputs.fix_ranges()
    if kind in ("asymmetric", "learned"):
        outputs.set_quant_range(-0.9, 1.1)
    if kind == "learned":
        outputs.learn_ranges()
    if kind == "evaluation":
        tile.eval()
        tile.parameters["out_scaling_alpha"][...] *= 1.5
    if kind == "first evaluation":
        outputs.set_quant_range(-1.0, 1.0)
        tile.eval()
    return tile, batches[1], draw.normal(0, 1, (N, O)).astype(F)


def reports(
    wrong: Wrong | None, kind: str, profile: Profile, patch: pytest.MonkeyPatch
) -> tuple[list[Report], list[Report]]:
    """Verdicts on both passes and the state with all stages, and on the results alone."""
    tile, x, g = made(kind)
    other = copy.deepcopy(tile)
    with patch.context() as patched:
        if wrong is not None:
            wrong.patch(patched)
        y, ahead = other.forward(x, trace=True)
        dx, back = other.backward(g, trace=True)
    gradients = {"input": dx, **other.gradients}
    state = other.state_dict()
    stages = {stage.name: stage.value for stage in [*ahead, *back]}
    stages |= {name: value for name, value in state.items() if "quant" in name}
    known = {name: value for name, value in stages.items() if name in ANCHORS[kind == "golden"]}
    return [
        judge_forward(tile, x, y, profile, stages=stages),
        judge_backward(tile, x, g, gradients, profile, stages=stages),
    ], [
        judge_forward(tile, x, y, profile, stages=known),
        judge_state(tile, x, state, profile),
        judge_backward(tile, x, g, gradients, profile, stages=known),
    ]


ANCHORS = ((), ("out_quantizer.delta",))
"""What must be known of a tile whose stages are not: where a golden section ended."""


@pytest.mark.parametrize("profile", EVERY_PROFILE, ids=["divisions", "reciprocals"])
@pytest.mark.parametrize("kind", WRONG)
def test_the_right_tile_passes(
    kind: str, profile: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    anchored, alone = reports(None, kind, profile, monkeypatch)
    for report in [*anchored, *alone]:
        assert report.passed, report
    for report in anchored:
        assert all(stage.exact == stage.total for stage in report.stages), report


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
        # a step that is found by a reciprocal makes no ties
        assert profile.reciprocal or any(not report.passed for report in alone)

"""Whole trainings: each step is judged from the state in which the implementation itself was."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
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
from tests.conformance.admissible.evaluator import F, Float32, Tile
from tests.conformance.admissible.test_update import I, O, Optimiser
from tests.strategies import seeds
from tests.tile.cases import config

N = 5
HEAVY = SGDSettings(0.05, momentum=0.9, weight_decay=0.01)


def made() -> Any:
    """A tile that is initialised by two batches, trained, clipped and remapped."""
    parts = {
        "mapping": rs.MappingParameter(learn_out_scaling=True, out_scaling_columnwise=True),
        "clip": rs.WeightClipParameter(type=rs.WeightClipType.LAYER_GAUSSIAN, sigma=1.5),
        "remap": rs.WeightRemapParameter(type=rs.WeightRemapType.CHANNELWISE_SYMMETRIC),
    }
    io = {"inp_res": 254, "inp_bound": 1.0, "out_res": 254, "out_bound": 12.0}
    ranged = {"init_from_data": 2, "decay": 0.01}
    tile = config(io=io, r=ranged, **parts).create_tile(O, I, bias=True, backend="spec")
    tile.parameters["weight"][...] = np.random.default_rng(4).normal(0, 0.3, (O, I))
    return tile


class Training:
    """A float32 program that trains the tile, with a mistake from one step on if it is asked for."""

    def __init__(self, ops: Float32, mistake: str | None = None) -> None:
        self.ops, self.mistake, self.count = ops, mistake, F(0)
        self.optimiser = Optimiser(ops, made(), HEAVY)

    @property
    def state(self) -> dict[str, Any]:
        p, s = self.optimiser.p, self.optimiser.s
        counted = {"mapping_scales": s, "input_range_update_idx": np.full(1, self.count)}
        return {name: np.copy(value) for name, value in (p | counted).items()}

    def forward(self, x: Any) -> Any:
        o, p, r = self.ops, self.optimiser.p, self.optimiser.p["input_range"][0]
        limit = 3 if self.mistake == "initialised once too often" else 2
        if self.count < limit:
            r = np.abs(o.div(o.muladd(r, self.count, F(3) * o.std(x)), self.count + F(1)))
            self.count += F(1)
            p["input_range"] = np.full(1, r)
        s, a = self.optimiser.s, p["out_scaling_alpha"]
        self.tile = Tile(o, self.optimiser.config, p["weight"], r, s, a, p["bias"])
        return self.tile.forward(x, np.zeros((N, O), F))

    def step(self, gradients: dict[str, Any]) -> None:
        if self.mistake == "momentum lost" and self.count == 2:
            self.optimiser.v = {}
        self.optimiser.step(gradients)
        if self.mistake == "scales not stored":
            self.optimiser.s = np.ones(O, F)


def steps(training: Training, seed: int, profile: Any) -> Any:
    """The reports on four steps, one after the other."""
    draw, velocity = np.random.default_rng(seed), None
    for _ in range(4):
        before = training.state
        tile = made()
        tile.load_state_dict(before, strict=False)
        x, g = draw.normal(0, 1, (N, I)).astype(F), draw.normal(0, 1, (N, O)).astype(F)
        y = training.forward(x)
        passed = training.state
        anchor = {"input_range": passed["input_range"]}
        yield judge_state(tile, x, passed, profile)
        yield judge_forward(tile, x, y, profile, stages=anchor)
        gradients = training.tile.backward(g)
        yield judge_backward(tile, x, g, gradients, profile, stages=anchor)
        tile.load_state_dict(passed, strict=False)
        del gradients["input"]
        training.step(gradients)
        report, velocity = judge_update(
            tile, gradients, training.state, profile, settings=HEAVY, velocity=velocity
        )
        yield report


@settings(max_examples=max(20, settings().max_examples // 4))
@given(seed=seeds, reciprocal=st.booleans())
def test_a_right_training_is_admissible(seed: int, reciprocal: bool) -> None:
    profile = FLOAT32.reciprocals() if reciprocal else FLOAT32
    training = Training(Float32(np.random.default_rng(seed), reciprocal=reciprocal))
    for report in steps(training, seed % 2**32, profile):
        assert report.passed, report


@pytest.mark.parametrize(
    ("mistake", "name"),
    [
        ("initialised once too often", "input_range"),
        ("momentum lost", "bias"),
        ("scales not stored", "mapping_scales"),
    ],
)
def test_a_wrong_training_is_rejected_where_it_goes_wrong(mistake: str, name: str) -> None:
    training = Training(Float32(np.random.default_rng(1)), mistake)
    first = next(report.first for report in steps(training, 7, FLOAT32) if report.first)
    assert first.name == name

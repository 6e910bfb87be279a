"""The flip budget: rounding errors keep it, a bias of the same size does not."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import refsim as rs
from refsim.conformance.adapters.own import Own
from refsim.conformance.admissible import FLOAT32
from refsim.conformance.cases import Case, Step
from refsim.conformance.kit import Session, play
from refsim.conformance.kit.budget import FlipBudget
from refsim.conformance.kit.reference import passes
from tests.conformance.kit.tiles import DECLARED, F, Small, bound, step

K = 512


def long_sums() -> Case:
    """A product of many terms in front of a fine converter."""
    draw = np.random.default_rng(0)
    io = rs.IOParameters(
        inp_res=-1.0,
        out_res=2.0**12,
        out_bound=12.0,
        out_noise=0.0,
        noise_management=rs.NoiseManagementType.NONE,
        bound_management=rs.BoundManagementType.NONE,
    )
    config = rs.TorchInferenceRPUConfig(forward=io)
    weight = draw.normal(0, 0.2, (64, K)).astype(F)
    return Case(config, weight, None, (Step(draw.uniform(-1, 1, (64, K)).astype(F)),))


class Shuffled(Small):
    """Sums in a random order, rounded after each term."""

    def product(self, d: Any, w: Any) -> Any:
        order = np.random.default_rng(1).permutation(K)
        total = np.zeros((len(d), len(w)), F)
        for k in order:
            total = total + d[:, k, None] * w[:, k]
        return total

    def forward(self, h: dict[str, Any], x: Any, *, training: bool, noise: Any) -> Any:
        io = h["config"].forward
        t = self.grid(self.product(x, h["weight"]), step(io, "out"))
        return np.clip(t, -bound(io, "out"), bound(io, "out"))


class Biased(Shuffled):
    """Sums that are all a little too small, by less than the bound of their error."""

    def product(self, d: Any, w: Any) -> Any:
        exact = d.astype(float) @ w.T.astype(float)
        size = np.abs(d).astype(float) @ np.abs(w).T.astype(float)
        return (exact - 0.5 * K * 2.0**-24 * size).astype(F)


@pytest.mark.parametrize(
    ("target", "kept"), [(Shuffled(), True), (Biased(), False)], ids=["right", "biased"]
)
def test_a_bias_exceeds_the_budget_although_each_value_is_admissible(
    target: Any, kept: bool
) -> None:
    session = Session(target, replace(DECLARED, name="sums"))
    assert not session.take("examples", long_sums())
    flips = session.outcome.flips
    assert flips.codes == 64 * 64
    assert 0 < flips.expected < 8
    assert flips.kept is kept
    outcome = session.run((), 0, None, lambda what, done, total: None)
    assert outcome.passed is kept
    if not kept:
        finding = outcome.findings[0]
        assert (finding.clause, finding.kind) == ("DC-4", "flips")
        assert f"{flips.observed} of 4096 output codes" in finding.text


@pytest.mark.parametrize("counted", [True, False])
def test_flips_of_another_range_are_not_counted(counted: bool) -> None:
    """Where it is open whether a batch counts for the range, its codes are those of two tiles."""
    case = long_sums()
    config = copy.deepcopy(case.config)
    config.pre_post.input_range = rs.InputRangeParameter(enable=True, init_from_data=2)
    case = replace(case, config=config, weight=case.weight[:2, :3], steps=(Step(F([[1, 2, 3]])),))
    recording = play(Own(traced=False), case)
    (seen,) = recording.observations
    counter = seen.passed["input_range_update_idx"] + (not counted)
    seen = replace(seen, passed={**seen.passed, "input_range_update_idx": counter})
    budget = FlipBudget(FLOAT32)
    tile = case.tile().train()
    reference = passes(tile, case.steps[0])
    assert reference is not None
    budget.count(tile, case, seen, reference)
    assert (budget.codes > 0) is counted

"""What right tiles were once blamed for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import refsim as rs
from refsim.conformance.adapters.own import Own
from refsim.conformance.admissible import (
    FLOAT32,
    SGDSettings,
    judge_backward,
    judge_calibration,
    judge_state,
    judge_update,
)
from refsim.conformance.cases import FEATURES, Case, Step
from refsim.conformance.cases.generate import generated_cases
from refsim.conformance.kit.judge import judge
from refsim.conformance.kit.play import play
from refsim.conformance.laws import LAWS, checked
from tests.tile.cases import config

pytestmark = pytest.mark.filterwarnings("ignore::refsim.RangeWarning")
F = np.float32


@pytest.mark.parametrize(("found", "right"), [(1.225, True), (1.2249999, True), (1.2249, False)])
def test_the_place_of_a_quantile_may_be_formed_in_float32(found: float, right: bool) -> None:
    r = {"init_from_data": 0}
    tile = config(r=r).create_tile(1, 1, backend="spec")
    batches = [[[-1.375], [0.25], [0.625]]]
    after = {"input_range": F([found])}
    assert judge_calibration(tile, "CACHE_QUANTILE", batches, after, quantile=0.9).passed is right


@pytest.mark.parametrize("schedule", [0, 3])
@pytest.mark.parametrize("after", [-1.5, 1.5, 2.0])
def test_an_empty_batch_of_a_schedule_may_take_the_magnitude(schedule: int, after: float) -> None:
    r = {"init_from_data": schedule}
    tile = config(r=r, io={"is_perfect": True}).create_tile(1, 1, backend="spec").train()
    tile.parameters["input_range"][...] = -1.5
    right = after == -1.5 or (after == 1.5 and schedule > 0)
    assert judge_state(tile, np.zeros((0, 1), F), {"input_range": F([after])}).passed is right


class Forgets(Own):
    """No gradient of the weight, as where no row went through the core."""

    def backward(self, handle: Any, dy: Any) -> Any:
        return {k: v for k, v in super().backward(handle, dy).items() if k != "weight"}


@pytest.mark.parametrize("rows", [[0], [1], [1, 0]])
def test_an_empty_batch_needs_no_gradients(rows: list[int]) -> None:
    steps = tuple(Step(x=np.ones((n, 1), F), dy=np.ones((n, 1), F), training=False) for n in rows)
    quiet = config(io={"is_perfect": True})
    recording = play(Forgets(traced=False), Case(quiet, F([[1]]), None, steps))
    findings = judge(recording).findings
    assert [finding.kind for finding in findings] == ["missing"] * sum(n > 0 for n in rows)


@pytest.mark.parametrize(("r", "open_"), [(1.4e-43, True), (1e-20, True), (1e-10, False)])
def test_a_range_whose_reciprocal_overflows_has_any_gradient(r: float, open_: bool) -> None:
    ranged = {"decay": 0.0}
    tile = config(r=ranged, io={"is_perfect": True}).create_tile(1, 1, backend="spec").eval()
    tile.parameters["weight"][...] = 1
    tile.set_input_range(F(r))
    for value, right in ((0, True), (np.nan, open_)):
        given = {"input_range": F([value])}
        assert judge_backward(tile, F([[1]]), F([[0]]), given).passed is right


def test_there_is_noise_for_whoever_finds_an_output_beyond_the_bound() -> None:
    seen = 0
    allowed = frozenset(FEATURES) - {"arrays", "float64"}
    for case in generated_cases(0, 120, allowed):
        io = getattr(case.config, "forward", None)
        if io is None or io.bound_management == rs.BoundManagementType.NONE:
            continue
        tile = case.tile()
        for step in case.steps[:1]:
            found = {k: v for k, v in step.noise.items() if not k.startswith("weight")}
            _, trace = tile.train(step.training).forward(step.x, noise=step.noise, trace=True)
            for name, values in found.items():
                assert len(values) == len(trace.noise[name]) + 2
                seen += 1
    assert seen


class Backwards(Own):
    """Sums over the outputs in float32, the last one first."""

    def backward(self, handle: Any, dy: Any) -> Any:
        found = dict(super().backward(handle, dy))
        stages = self.stages(handle)
        gm, w = stages["product_gradient"], stages["effective_weight"]
        found["input"] = sum((gm[:, [k]] * w[[k]] for k in reversed(range(len(w)))), F(0))
        return found


def test_a_law_of_order_is_silent_where_the_terms_are_rounded() -> None:
    (law,) = (law for law in LAWS if law.name == "order of outputs")
    io = {"noise_management": rs.NoiseManagementType.MAX, "out_scale": 0.5}
    case = Case(
        config(io=io),
        F([[-1.0], [0.75], [0.375]]),
        None,
        (Step(x=F([[0.875]]), dy=F([[2], [3], [-1]]).T * F(2**30), training=False),),
    )
    results = list(checked(Backwards(), law, case))
    assert all(result.ok for result in results)


def test_nothing_is_judged_of_an_update_that_waits_across_a_reload() -> None:
    one, zero = F([[1]]), F([[0]])
    steps = (
        Step(x=one, dy=one, training=False),
        Step(x=zero, reload=True, update=True),
    )
    config = rs.CustomRPUConfig(forward=rs.IOParameters(is_perfect=True))
    assert judge(play(Own(), Case(config, zero, None, steps))).findings == []


@pytest.mark.parametrize(("steps", "right"), [(0, True), (1, True), (4, False)])
def test_pending_updates_may_be_one_product(steps: int, right: bool) -> None:
    """Half a unit in the last place, twice: one after the other it is lost, together it is a unit."""
    io = rs.IOParameters(is_perfect=True)
    tile = rs.CustomRPUConfig(forward=io, backward=io).create_tile(1, 1, backend="spec")
    tile.parameters["weight"][...] = 1
    for _ in range(2):
        tile.forward(F([[1]]))
        tile.backward(F([[-(2.0**-24)]]))
    after = {"weight": F([[1 + steps * 2.0**-23]])}
    report, _ = judge_update(tile, {}, after, FLOAT32, settings=SGDSettings(lr=1.0))
    assert report.passed is right

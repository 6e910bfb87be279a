"""Gradients of several passes, judged from what was accumulated before."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import refsim as rs
from refsim.conformance.admissible import FLOAT32, FLOAT64, judge_backward
from tests.tile.cases import config

PROFILES = {np.float32: FLOAT32, np.float64: FLOAT64}


def made(T: Any) -> Any:
    mapping = rs.MappingParameter(learn_out_scaling=True)
    made = config(T, io={"inp_res": 254, "inp_bound": 1.0}, r={"init_value": 1.5}, mapping=mapping)
    tile = made.create_tile(3, 4, bias=True, backend="spec")
    draw = np.random.default_rng(1)
    tile.parameters["weight"][...] = draw.normal(0, 0.3, (3, 4))
    return tile


def passes(T: Any) -> list[tuple[Any, Any, dict[str, Any], dict[str, Any]]]:
    """Batch, upstream gradient, input gradient with all gradients so far, and those before, of three passes."""
    draw, tile, found = np.random.default_rng(2), made(T), []
    for _ in range(3):
        x, g = draw.normal(0, 1, (5, 4)).astype(T), draw.normal(0, 1, (5, 3)).astype(T)
        before = {name: value.copy() for name, value in tile.gradients.items()}
        tile.forward(x)
        dx = tile.backward(g)
        after = {name: value.copy() for name, value in tile.gradients.items()}
        found.append((x, g, {"input": dx, **after}, before))
    return found


@pytest.mark.parametrize("T", PROFILES)
def test_each_pass_adds_its_gradients(T: Any) -> None:
    for x, g, gradients, before in passes(T):
        for profile in (PROFILES[T], PROFILES[T].reciprocals()):
            report = judge_backward(made(T), x, g, gradients, profile, before=before)
            assert report.passed, report
            assert all(stage.exact == stage.total for stage in report.stages)


@pytest.mark.parametrize("name", ["weight", "bias", "input_range", "out_scaling_alpha"])
def test_gradients_that_replace_or_average_are_rejected(name: str) -> None:
    x, g, _, before = passes(np.float32)[1]
    tile = made(np.float32)
    tile.forward(x)
    tile.backward(g)
    for wrong in (tile.gradients[name], (before[name] + tile.gradients[name]) / 2, before[name]):
        first = judge_backward(made(np.float32), x, g, {name: wrong}, before=before).first
        assert first is not None
        assert first.name.startswith(
            {"input_range": "range", "out_scaling_alpha": "out"}.get(name, name)
        )


def test_what_does_not_fit_is_named() -> None:
    x, g, gradients, _ = passes(np.float32)[1]
    with pytest.raises(rs.InputError, match="before has the key 'input', allowed are weight, bias"):
        judge_backward(made(np.float32), x, g, gradients, before={"input": gradients["input"]})
    with pytest.raises(
        rs.ShapeError, match=r"before, bias_gradient, has shape \(2,\), allowed is \(3,\)"
    ):
        judge_backward(made(np.float32), x, g, gradients, before={"bias": [1.0, 2.0]})

"""refsim's own tile behind the adapter computes what the tile computes."""

from __future__ import annotations

import numpy as np
import pytest

import refsim as rs
from refsim.conformance.adapters import Own, Unsupported
from refsim.conformance.bits import same_bits
from refsim.conformance.kit import play
from tests.conformance.adapters.cases import F, case, config


@pytest.mark.parametrize("traced", [True, False])
def test_a_case_gives_the_numbers_of_the_tile(traced: bool) -> None:
    asked = case()
    tile = asked.tile()
    optimizer = rs.SGD([tile], lr=asked.sgd.lr, momentum=asked.sgd.momentum)
    for step, seen in zip(asked.steps, play(Own(traced=traced), asked).observations, strict=True):
        assert same_bits(seen.output, tile.train(step.training).forward(step.x))
        if step.dy is not None:
            dx = tile.backward(step.dy)
            assert same_bits(seen.gradients, {"input": dx, **tile.gradients})
            optimizer.step()
            optimizer.zero_grad()
            assert same_bits(seen.after, tile.state_dict())


def test_stages_are_those_of_both_traces() -> None:
    seen = play(Own(), case()).observations
    assert {"rounded_input", "product", "range_rule", "weight_gradient"} <= seen[0].stages.keys()
    assert "range_rule" not in seen[-1].stages


def test_what_the_tile_refuses_is_unsupported() -> None:
    with pytest.raises(Unsupported, match="ir_drop"):
        Own().create(config(ir_drop=1.0), np.ones((1, 1), F), None, {})


def test_weights_and_ranges_from_data() -> None:
    own = Own()
    asked = config()
    asked.mapping.weight_scaling_omega = 0.5
    handle = own.create(asked, np.ones((1, 2), F), None, {})
    own.set_weights(handle, np.array([[1.0, -2.0]], F), None)
    options = {"quantile": 1.0, "max_samples": 10, "std_alpha": None}
    own.calibrate(handle, "MAX", [np.array([[1.0, -4.0]], F)], **options)
    state = own.state(handle)
    assert state["weight"].tolist() == [[0.25, -0.5]]
    assert state["input_range"].tolist() == [4.0]

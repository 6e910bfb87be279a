"""Calibrations of one and two layers against exact arithmetic: the same bits, or both refuse."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import refsim as rs
from refsim import backends
from tests.calibration import oracle
from tests.exact import Array, Type, same
from tests.strategies import arrays, dtypes, moderate, planted, seeds
from tests.tile.cases import config, mostly
from tests.tile.oracle import RefusedError

pytestmark = pytest.mark.filterwarnings("ignore::refsim.errors.RangeWarning")
KINDS = ("MAX", "CACHE_QUANTILE", "MOVING_QUANTILE", "MOVING_STD")


@dataclass
class Case:
    """A model of one or two layers (without its backend), its batches, and what is asked for."""

    config: Any
    T: Type
    weights: list[Array]
    counter: int
    batches: list[Array]
    asked: oracle.Arguments

    def model(self, backend: str) -> Any:
        layers = []
        for W in self.weights:
            layer = rs.nn.Linear(W.shape[1], W.shape[0], self.config, bias=False, backend=backend)
            layer.tile.set_weights(W)
            layer.tile.buffers["input_range_update_idx"][0] = self.counter
            layers.append(layer)
        return rs.nn.Sequential(*layers)


@st.composite
def cases(draw: st.DrawFn, T: Type) -> Case:
    """Few values, many of them equal, zero rows, negative rows; small caches; converters now and then."""
    sizes = draw(st.lists(st.integers(1, 3), min_size=2, max_size=3))
    few = st.sampled_from([T(v) for v in (-2, -1, -0.0, 0, 0.5, 3)])
    values = draw(st.sampled_from([few, moderate(T)]))
    weights = [draw(arrays(T, (O, I), moderate(T))) for I, O in pairwise(sizes)]
    batches = []
    for _ in range(draw(st.integers(1, 4))):
        x = draw(arrays(T, (draw(st.integers(0, 4)), sizes[0]), values))
        kind = draw(mostly("as drawn", "zero", "negative"))
        batches.append(x if kind == "as drawn" or not len(x) else planted(x, [0], kind))
    io = draw(
        st.sampled_from([{}, {"inp_res": 14, "inp_bound": 1.0, "out_res": 30, "out_bound": 2.0}])
    )
    r = {"init_value": draw(st.sampled_from([3.0, 0.5])), "learn_input_range": draw(st.booleans())}
    coarse = rs.WeightModifierParameter(type=rs.WeightModifierType.DISCRETIZE, res=0.25)
    made = config(
        T,
        io,
        {**r, "init_from_data": 5},
        modifier=draw(st.sampled_from([rs.WeightModifierParameter(), coarse])),
        choices=draw(st.sampled_from([rs.Choices(), rs.Choices.aihwkit()])),
    )
    asked = oracle.Arguments(
        draw(st.sampled_from(KINDS)),
        draw(st.sampled_from([0.0, 0.5, 0.9, 0.99995, 1.0]) | st.floats(0, 1)),
        draw(st.sampled_from([1, 2, 5, 1000])),
        draw(st.sampled_from([None, 2.0, 0.5, -1.0])),
        draw(seeds),
    )
    return Case(made, T, weights, draw(st.sampled_from([0, 0, 1, 7])), batches, asked)


def agrees(backend: str, case: Case) -> None:
    """Ranges, counters and settings after the calibration, or an error of both and nothing changed."""
    model, asked = case.model(backend), case.asked
    tiles = list(model.tiles())
    before = [tile.state_dict() for tile in tiles]
    settings = [repr(tile.config) for tile in tiles]
    layers = [
        oracle.Layer(case.config, case.T, tile.state_dict(), n) for n, tile in enumerate(tiles)
    ]

    def calibrate() -> None:
        rs.calibrate_input_ranges(
            model,
            asked.kind,
            case.batches,
            asked.quantile,
            asked.max_samples,
            asked.std_alpha,
            seed=asked.seed,
        )

    try:
        oracle.calibrate(layers, case.batches, asked)
    except RefusedError:
        with pytest.raises(rs.StateError):
            calibrate()
        assert [repr(tile.config) for tile in tiles] == settings
        for tile, state in zip(tiles, before, strict=True):
            for name, value in state.items():
                same(tile.state_dict()[name], value)
        return
    calibrate()
    whole = asked.kind in ("MAX", "CACHE_QUANTILE")
    for tile, layer in zip(tiles, layers, strict=True):
        same(tile.value("input_range"), layer.state["input_range"])
        same(tile.value("input_range_update_idx"), layer.state["input_range_update_idx"])
        p, saw = tile.config.pre_post.input_range, layer.peak is not None or layer.cache is not None
        value = float(layer.r) if whole and saw else case.config.pre_post.input_range.init_value
        info = rs.InputRangeCalibrationType[asked.kind].value if whole and saw else None
        alpha = 3.0 if asked.std_alpha is None else asked.std_alpha
        assert (p.init_from_data, p.init_value, p.calibration_info, p.init_std_alpha) == (
            0,
            value,
            info,
            alpha,
        )
        assert not tile.config.forward.is_perfect
        assert tile.training


@pytest.mark.clause("CA-1", "CA-2", "IR-1")
@pytest.mark.parametrize("backend", backends.available())
@given(case=dtypes.flatmap(cases))
def test_calibration(backend: str, case: Case) -> None:
    with np.errstate(all="ignore"):
        agrees(backend, case)

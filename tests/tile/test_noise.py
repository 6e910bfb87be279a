"""Noise: its addresses, its injection, and what is read back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import refsim as rs
from tests.exact import Array, same
from tests.strategies import dtypes
from tests.tile.cases import BM, NM, WM, Case, cases, config

pytestmark = pytest.mark.filterwarnings("ignore::refsim.errors.RangeWarning")
NOISY = {
    "inp_res": 0.125,
    "inp_bound": 1.0,
    "inp_noise": 0.1,
    "inp_sto_round": True,
    "out_res": 0.01,
    "out_bound": 2.0,
    "out_noise": 0.3,
    "out_sto_round": True,
}


def noisy(backend: str, seed: int = 5, io: Any = None, **modifier: Any) -> Any:
    """A tile that draws all kinds of noise."""
    p = rs.WeightModifierParameter(**(modifier or {"type": WM.ADD_NORMAL, "std_dev": 0.1}))
    made = config(io={**NOISY, **(io or {})}, modifier=p)
    tile = made.create_tile(3, 2, seed=seed, backend=backend)
    tile.set_weights([[1.0, -2.0], [0.5, 0.25], [-0.75, 1.0]])
    return tile


@given(case=dtypes.flatmap(cases))
def test_injecting_what_was_used_gives_the_same_bits(backend: str, case: Case) -> None:
    one, other = case.tile(backend), case.tile(backend)
    other.seed = (case.seed + 1) % 2**64
    for x, dy in case.batches:
        try:
            y, trace = one.forward(x, trace=True)
        except rs.StateError:
            return
        y2, trace2 = other.forward(x, noise=trace.noise, trace=True)
        same(y2, y)
        assert trace2.noise.keys() == trace.noise.keys()
        for name, value in trace.noise.items():
            same(trace2.noise[name], value)
        try:
            dx = one.backward(dy)
        except rs.StateError:
            return
        same(other.backward(dy), dx)
        for name, value in one.gradients.items():
            same(other.gradients[name], value)


@pytest.mark.clause("RN-2", "RN-3")
def test_addresses(backend: str) -> None:
    tile = noisy(backend, seed=2**40 + 3)
    x = np.ones((2, 2), np.float32)
    for step in range(3):
        _, trace = tile.forward(x, trace=True)
        shapes = {"inp": (2, 2), "out": (2, 3), "weight": (3, 2)}
        assert sorted(trace.noise) == sorted(
            ["inp_noise", "inp_sto_round", "out_noise", "out_sto_round", "weight_noise"]
        )
        for name, value in trace.noise.items():
            index = np.arange(value.size).reshape(shapes[name.split("_")[0]])
            draw = rs.random.normal if name.endswith("noise") else rs.random.uniform
            shift = np.float32(0 if name.endswith("noise") else 0.5)
            same(value, draw(2**40 + 3, name, step, index) - shift)


@pytest.mark.clause("WM-4", "RN-2")
@pytest.mark.parametrize("per_batch_sample", [False, True])
def test_stochastic_rounding_of_weights(backend: str, per_batch_sample: bool) -> None:
    modifier = {"type": WM.DISCRETIZE, "res": 0.25, "sto_round": True}
    tile = noisy(backend, **modifier, per_batch_sample=per_batch_sample)
    x = np.ones((4, 2), np.float32)
    _, trace = tile.forward(x, trace=True)
    used, step = trace.noise["weight_sto_round"], np.float32(2 * 0.25 * 2.0)
    assert used.shape == ((4, 3, 2) if per_batch_sample else (3, 2))
    weight, effective = tile.parameters["weight"], trace["effective_weight"]
    assert (np.abs(effective - weight) <= step).all()
    same(effective, np.rint(weight / step + used) * step)
    _, trace = tile.forward(x, noise={"weight_sto_round": np.zeros_like(used)}, trace=True)
    same(trace["effective_weight"], np.broadcast_to(np.rint(weight / step) * step, used.shape))


@pytest.mark.parametrize("kind", [WM.ADD_NORMAL, WM.MULT_NORMAL, WM.DISCRETIZE])
def test_a_sample_for_each_row_is_a_tile_for_each_row(backend: str, kind: Any) -> None:
    modifier = {"type": kind, "std_dev": 0.3, "res": 0.1, "sto_round": True}
    x = np.float32([[1, 2], [-1, 0.5], [0.25, 4]])
    tile = noisy(backend, **modifier, per_batch_sample=True)
    y, trace = tile.forward(x, trace=True)
    dy = np.float32([[1, 2, 3], [-1, 0, 1], [0.5, 0.5, 2]])
    dx = tile.backward(dy)
    for n in range(3):
        single = noisy(backend, **modifier)
        used = {name: v[n] if "weight" in name else v[n : n + 1] for name, v in trace.noise.items()}
        same(single.forward(x[n : n + 1], noise=used), y[n : n + 1])
        same(single.backward(dy[n : n + 1]), dx[n : n + 1])


def test_noise_of_leading_axes_and_passes(backend: str) -> None:
    tile = noisy(backend, io={"bound_management": BM.ITERATIVE, "max_bm_res": 1.0})
    tile.parameters["weight"][...] = 4
    _, trace = tile.forward(np.full((2, 1, 2), 2, np.float32), trace=True)
    passes = sum(stage.name == "input_scale" for stage in trace)
    assert passes > 1
    assert trace.noise["inp_noise"].shape == (passes, 2, 1, 2)
    assert trace.noise["out_sto_round"].shape == (passes, 2, 1, 3)
    assert trace.noise["weight_noise"].shape == (3, 2)
    for pass_ in range(passes):
        index = np.arange(4).reshape(2, 1, 2)
        same(trace.noise["inp_noise"][pass_], rs.random.normal(5, "inp_noise", 0, index, pass_))


def outputs(tile: Any, count: int = 3) -> Array:
    x = np.float32([[0.3, -0.7], [1.5, 0.2]])
    return np.stack([tile.forward(x) for _ in range(count)])


@given(seed=st.integers(0, 2**64 - 1), other=st.integers(0, 2**64 - 1))
def test_a_seed_is_an_answer(backend: str, seed: int, other: int) -> None:
    first = outputs(noisy(backend, seed))
    same(outputs(noisy(backend, seed)), first)
    assert seed == other or not np.array_equal(outputs(noisy(backend, other)), first)
    assert len({one.tobytes() for one in first}) == 3


def test_the_same_number_in_float64(backend: str) -> None:
    made = config(np.float64, {"out_noise": 1.0})
    wide = made.create_tile(3, 1, seed=9, backend=backend)
    _, trace = wide.forward([[1.0]], trace=True)
    expected = rs.random.normal(9, "out_noise", 0, np.arange(3).reshape(1, 3))
    same(trace.noise["out_noise"], expected.astype(np.float64))


def test_noise_in_eval(backend: str) -> None:
    tile = noisy(backend).eval()
    _, trace = tile.forward([[1.0, 1.0]], trace=True)
    assert sorted(trace.noise) == ["inp_noise", "inp_sto_round", "out_noise", "out_sto_round"]


def test_no_noise_where_none_is_asked_for(backend: str) -> None:
    io = {"inp_sto_round": True, "out_sto_round": True, "noise_management": NM.ABS_MAX}
    tile = config(io=io).create_tile(1, 1, backend=backend)  # no resolution, nothing to round
    _, trace = tile.forward([[1.0]], trace=True)
    assert trace.noise == {}
    assert tile.step == 1

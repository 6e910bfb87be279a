"""Choices between two readings, errata, mapping and the step after the optimiser's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import refsim as rs
from tests.exact import Array, Number, Type, each, same
from tests.strategies import arrays, dtypes, moderate
from tests.tile import oracle
from tests.tile.cases import config

F32 = np.float32
BOTH = (rs.Choices(), rs.Choices.aihwkit())
Clip, Remap = rs.WeightClipType, rs.WeightRemapType


def tile_of(backend: str, T: Type = F32, weight: Any = None, **parts: Any) -> Any:
    weight = np.array(weight, dtype=T)
    tile = config(T, **parts).create_tile(*weight.shape, seed=11, backend=backend)
    tile.set_weights(weight)
    return tile


def step_after(tile: Any) -> None:
    """An optimiser step without gradients: only clip and remap."""
    rs.SGD([tile], lr=0.5).step()


# --- choices ------------------------------------------------------------------------------------


@pytest.mark.clause("IR-5")
@pytest.mark.parametrize("choices", BOTH)
@pytest.mark.parametrize("relative", [True, False])
def test_gradient_scale(backend: str, choices: Any, relative: bool) -> None:
    r = {"init_value": 2.0, "decay": 0.0, "gradient_scale": 0.25, "gradient_relative": relative}
    tile = tile_of(backend, weight=[[1.0]], r=r, choices=choices)
    tile.forward([[3.0]])
    tile.backward([[-1.0]])  # d = -1 at the upper edge, no residual
    applies = relative or choices.gradient_scale_applies == "always"
    expected = -1.0 * (2.0 if relative else 1.0) * (0.25 if applies else 1.0)
    same(tile.gradients["input_range"], F32([expected]))


@pytest.mark.clause("WP-2")
@pytest.mark.parametrize("value", [-1.0, 0.0])
def test_a_fixed_clip_that_is_not_positive(backend: str, value: float) -> None:
    clip = rs.WeightClipParameter(type=Clip.FIXED_VALUE, fixed_value=value)
    with pytest.raises(rs.ConfigError, match="fixed_value"):
        tile_of(backend, weight=[[1.0]], clip=clip)
    applied = tile_of(backend, weight=[[3.0, -2.0]], clip=clip, choices=rs.Choices.aihwkit())
    step_after(applied)
    same(applied.parameters["weight"] + F32(0), F32([[value, value]]))
    clip.type = Clip.NONE
    tile_of(backend, weight=[[1.0]], clip=clip)


@pytest.mark.clause("DC-4", "RN-3")
@pytest.mark.parametrize("choices", BOTH)
@given(T=dtypes, std=st.sampled_from([0.5, 2.0, 0.01]), seed=st.integers(0, 2**64 - 1))
def test_spread_of_the_output_noise(
    backend: str, choices: Any, T: Type, std: float, seed: int
) -> None:
    io = {"out_noise": 0.3, "out_noise_std": std}
    tile = config(T, io, choices=choices).create_tile(5, 1, seed=seed, backend=backend)
    spread = T(std if choices.out_noise_std == "fraction" else 1)
    n = rs.random.normal(seed, "out_noise_std", 0, np.arange(5)).astype(T)
    one, strength = Number(T, 1.0), Number(T, float(T(0.3)))
    expected = each(lambda v, s: abs(strength * (one + s * v)), n, spread)
    same(tile.buffers["out_noise_values"], expected)
    _, trace = tile.forward(np.zeros((2, 1)), trace=True)
    same(trace["rounded_output"] + T(0), expected * trace.noise["out_noise"] + T(0))


def test_no_spread_where_there_is_no_noise(backend: str) -> None:
    tile = config(io={"out_noise_std": 0.5}).create_tile(2, 1, backend=backend)
    same(tile.buffers["out_noise_values"], F32([0, 0]))


# --- errata -------------------------------------------------------------------------------------


@pytest.mark.clause("MS-1")
@pytest.mark.parametrize("kind", [Remap.LAYERWISE_SYMMETRIC, Remap.CHANNELWISE_SYMMETRIC])
def test_rows_of_zeros_remap_with_scale_one(backend: str, kind: Any) -> None:
    remap = rs.WeightRemapParameter(type=kind)
    tile = tile_of(backend, weight=[[0.0, 0.0], [4.0, -2.0]], remap=remap)
    same(tile.get_scales(), F32([1, 1]))
    step_after(tile)
    wide = kind is Remap.CHANNELWISE_SYMMETRIC
    same(tile.get_scales(), F32([1, 4] if wide else [4, 4]))
    same(tile.parameters["weight"], F32([[0, 0], [1, -0.5]]))
    zeros = tile_of(backend, weight=[[0.0, 0.0]], remap=remap)
    step_after(zeros)
    same(zeros.get_scales(), F32([1]))
    same(zeros.parameters["weight"], F32([[0, 0]]))


@pytest.mark.clause("WP-1")
@pytest.mark.parametrize(("fixed", "expected"), [(-1.0, 3.0), (0.0, 3.0), (2.0, 2.0), (4.0, 3.0)])
def test_a_gaussian_clip_of_one_weight(backend: str, fixed: float, expected: float) -> None:
    clip = rs.WeightClipParameter(type=Clip.LAYER_GAUSSIAN, fixed_value=fixed)
    tile = tile_of(backend, weight=[[3.0]], clip=clip)
    step_after(tile)
    same(tile.parameters["weight"], F32([[expected]]))


def test_columnwise_scales_exist_from_creation(backend: str) -> None:
    mapping = rs.MappingParameter(weight_scaling_omega=0.5, weight_scaling_columnwise=True)
    tile = config(mapping=mapping).create_tile(3, 2, backend=backend)
    same(tile.buffers["mapping_scales"], F32([1, 1, 1]))
    mapping.weight_scaling_columnwise = False
    tile = config(mapping=mapping).create_tile(3, 2, backend=backend)
    same(tile.buffers["mapping_scales"], F32([1]))
    assert "mapping_scales" not in config().create_tile(3, 2, backend=backend).buffers


@pytest.mark.clause("MS-3")
def test_the_weight_gradient_follows_the_scales_in_force(backend: str) -> None:
    def gradient(tile: Any) -> Array:
        tile.zero_grad()
        tile.forward([[1.0]])
        tile.backward([[1.0]])
        result: Array = tile.gradients["weight"]
        return result

    tile = tile_of(backend, weight=[[8.0]])
    same(gradient(tile), F32([[1]]))
    tile.set_weights([[8.0]], weight_scaling_omega=1.0)
    same(tile.get_scales(), F32([8]))
    same(gradient(tile), F32([[0.125]]))
    other = tile_of(backend, weight=[[1.0]])
    other.load_state_dict(tile.state_dict())
    same(gradient(other), F32([[0.125]]))
    tile.set_scales(2.0)
    same(gradient(tile), F32([[0.5]]))
    tile.buffers["mapping_scales"][...] = 4
    same(gradient(tile), F32([[0.25]]))
    tile.set_scales(None)
    same(gradient(tile), F32([[1]]))


def test_the_step_after_by_hand(backend: str) -> None:
    clip = rs.WeightClipParameter(type=Clip.FIXED_VALUE, fixed_value=0.5)
    tile = tile_of(backend, weight=[[3.0, 0.25]], clip=clip)
    live = tile.parameters["weight"]
    tile.post_update()
    same(live, F32([[0.5, 0.25]]))


def test_a_step_moves_the_logical_weight_as_without_scales(backend: str) -> None:
    plain, scaled = tile_of(backend, weight=[[8.0, -4.0]]), tile_of(backend, weight=[[0.0, 0.0]])
    scaled.set_weights([[8.0, -4.0]], weight_scaling_omega=1.0)
    for tile in (plain, scaled):
        tile.forward([[1.0, 0.5]])
        tile.backward([[2.0]])
        rs.SGD([tile], lr=0.25).step()
    same(scaled.get_weights()[0], plain.get_weights()[0])


# --- mapping and the step after the optimiser's, in exact arithmetic -------------------------------


def weights(T: Type) -> Any:
    shape = st.tuples(st.integers(1, 3), st.integers(1, 3))
    return shape.flatmap(lambda size: arrays(T, size, moderate(T) | st.just(T(0))))


@pytest.mark.clause("MS-1", "MS-2", "PP-4")
@pytest.mark.parametrize("columnwise", [True, False])
@given(W=dtypes.flatmap(weights), omega=st.sampled_from([1.0, 0.6, 0.0, -1.0]))
def test_set_and_get_weights(backend: str, columnwise: bool, W: Array, omega: float) -> None:
    T = W.dtype.type
    mapping = rs.MappingParameter(
        weight_scaling_omega=omega,
        weight_scaling_columnwise=columnwise,
        learn_out_scaling=True,
        out_scaling_columnwise=columnwise,
    )
    tile = config(T, mapping=mapping).create_tile(*W.shape, backend=backend)
    tile.parameters["out_scaling_alpha"][...] = 3
    tile.set_weights(W)
    stored, _ = tile.get_weights(apply_weight_scaling=False)
    if omega <= 0:
        same(stored, W)
        same(tile.parameters["out_scaling_alpha"], np.full_like(tile.value("out_scaling_alpha"), 3))
        return
    rows = W if columnwise else W.reshape(1, -1)
    peak = np.abs(rows).max(axis=1)
    s = each(lambda p, o: p.like(1) if p.value == 0 else p / o, peak, np.full(1, T(omega)))
    same(tile.buffers["mapping_scales"], s)
    same(stored, each(lambda w, k: w / k, W, s[:, None]))
    same(tile.get_weights()[0], each(lambda w, k: w * k, stored, s[:, None]))
    same(tile.parameters["out_scaling_alpha"], np.ones_like(tile.value("out_scaling_alpha")))


@pytest.mark.clause("WP-1", "WP-2", "MS-1", "MS-2")
@pytest.mark.parametrize("kind", [Clip.NONE, Clip.FIXED_VALUE, Clip.LAYER_GAUSSIAN])
@pytest.mark.parametrize("remap", list(Remap))
@given(
    W=dtypes.flatmap(weights),
    fixed=st.sampled_from([0.3, 2.0]),
    sigma=st.sampled_from([2.5, 0.4]),
    scaled=st.booleans(),
)
def test_clip_then_remap(
    backend: str, kind: Any, remap: Any, W: Array, fixed: float, sigma: float, scaled: bool
) -> None:
    T = W.dtype.type
    clip = rs.WeightClipParameter(type=kind, fixed_value=fixed, sigma=sigma)
    mapping = rs.MappingParameter(learn_out_scaling=scaled)
    parts = {"clip": clip, "remap": rs.WeightRemapParameter(type=remap), "mapping": mapping}
    tile = config(T, **parts).create_tile(*W.shape, backend=backend)
    tile.set_weights(W)
    if scaled:
        tile.set_scales(T(0.7))
        tile.parameters["out_scaling_alpha"][...] = T(-1.5)
    s, a = tile.value("mapping_scales"), tile.value("out_scaling_alpha")
    s, a = (None if v is None else oracle.numbers(v) for v in (s, a))
    step_after(tile)
    w = oracle.numbers(W)
    bound = oracle.setting(T, fixed)
    if kind is Clip.LAYER_GAUSSIAN and W.size > 1:
        spread = oracle.deviation(T, w) * oracle.setting(T, sigma)
        bound = spread if spread < bound else bound
    if kind is not Clip.NONE:
        w = oracle.clip(w, bound)
    if remap is Remap.NONE:
        same(tile.parameters["weight"], oracle.plain(T, w))
        return
    for factor in (s, a):
        w = w if factor is None else w * factor[:, None]
    rows = w if remap is Remap.CHANNELWISE_SYMMETRIC else w.reshape(1, -1)
    peaks = [max(abs(v.value) for v in row) or 1.0 for row in rows]
    scale = np.array([Number(T, peak) for peak in peaks], dtype=object)
    same(tile.buffers["mapping_scales"], oracle.plain(T, np.broadcast_to(scale, len(w))))
    same(tile.parameters["weight"], oracle.plain(T, w / scale[:, None]))
    if scaled:
        same(tile.parameters["out_scaling_alpha"], np.ones(1, T))

"""No right float32 implementation leaves the sets, whatever order it sums in and wherever it fuses."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import refsim as rs
from refsim.conformance.admissible import (
    FLOAT32,
    Profile,
    float32_in_order,
    judge_backward,
    judge_forward,
)
from tests.conformance.admissible.evaluator import F, Float32, Tile
from tests.strategies import seeds

NM, BM = rs.NoiseManagementType, rs.BoundManagementType
N, O = 8, 8
"""One step is 64 evaluations of an output, so that 1600 steps are more than 100,000."""
IN_ORDER = {lanes: float32_in_order(lanes) for lanes in (1, 2, 3, 8, 64)}


def config(draw: np.random.Generator, managed: bool) -> Any:
    """A tile with both converters, and with what else there is by chance."""
    pick = draw.choice
    return rs.TorchInferenceRPUConfig(
        pre_post=rs.PrePostProcessingParameter(
            input_range=rs.InputRangeParameter(
                enable=True,
                init_from_data=0,
                decay=float(pick([0.0, 0.01])),
                input_min_percentage=float(pick([0.95, 0.5])),
                gradient_relative=bool(pick([False, True])),
            )
        ),
        forward=rs.IOParameters(
            inp_res=float(pick([14, 254, 1 / 126, 127])),
            out_res=float(pick([30, 254, 1 / 510])),
            inp_bound=float(pick([1.0, 0.8])),
            out_bound=float(pick([12.0, 2.0, 0.7])),
            out_noise=float(pick([0.0, 0.05])),
            inp_asymmetry=float(pick([0.0, 0.1])),
            out_asymmetry=float(pick([0.0, 0.1])),
            out_scale=float(pick([1.0, 0.7])),
            noise_management=NM.ABS_MAX if managed and pick([False, True]) else NM.NONE,
            bound_management=BM.ITERATIVE if managed and pick([False, True]) else BM.NONE,
        ),
        mapping=rs.MappingParameter(learn_out_scaling=True, out_scaling_columnwise=True),
    )


def pair(
    seed: int, managed: bool, ops: Float32, K: int
) -> tuple[Any, Tile, Any, dict[str, Any], Any]:
    """A tile of refsim, the same by other arithmetic, a batch, its noise and an upstream gradient."""
    draw = np.random.default_rng(seed)
    made = config(draw, managed)
    tile = made.create_tile(O, K, bias=True, backend="cpu").eval()
    r = F(draw.uniform(0.3, 2))
    tile.parameters["weight"][...] = draw.normal(0, 0.3, (O, K))
    tile.parameters["bias"][...] = draw.normal(0, 1, O)
    tile.parameters["out_scaling_alpha"][...] = draw.uniform(0.5, 2, O)
    tile.set_input_range(r)
    scales = None
    if draw.random() < 0.5:
        scales = draw.uniform(0.5, 2, O).astype(F)
        tile.set_scales(scales)
        tile.parameters["out_scaling_alpha"][...] = draw.uniform(0.5, 2, O)
    a, bias = tile.parameters["out_scaling_alpha"].copy(), tile.parameters["bias"].copy()
    other = Tile(ops, made, tile.parameters["weight"].copy(), r, scales, a, bias)
    x = (draw.normal(0, 1, (N, K)) * draw.choice([1.0, 0.1])).astype(F)
    x[draw.random(x.shape) < 0.1] = r
    passes = (12,) if made.forward.bound_management != BM.NONE else ()
    noise = {"out_noise": draw.normal(0, 1, (*passes, N, O)).astype(F)}
    return tile, other, x, noise, draw.normal(0, 1, (N, O)).astype(F)


def checks(seed: int, managed: bool, K: int, profile: Profile, **freedom: Any) -> None:
    ops = Float32(np.random.default_rng(seed + 1), reciprocal=profile.reciprocal, **freedom)
    tile, other, x, noise, g = pair(seed, managed, ops, K)
    with np.errstate(all="ignore"):
        report = judge_forward(tile, x, other.forward(x, noise["out_noise"]), profile, noise=noise)
    assert report.passed, report
    if tile.config.forward.noise_management == NM.NONE:
        report = judge_backward(tile, x, g, other.backward(g), profile, noise=noise)
        assert report.passed, report


SOUND = settings(max_examples=max(25, settings().max_examples * 8 // 15))


@SOUND
@given(seed=seeds, managed=st.booleans(), K=st.integers(1, 40), reciprocal=st.booleans())
def test_any_order_stays_in_the_sets(seed: int, managed: bool, K: int, reciprocal: bool) -> None:
    checks(seed, managed, K, FLOAT32.reciprocals() if reciprocal else FLOAT32)


@given(seed=seeds, K=st.integers(1, 40), lanes=st.sampled_from(sorted(IN_ORDER)))
def test_a_known_order_stays_in_the_narrow_sets(seed: int, K: int, lanes: int) -> None:
    checks(seed, False, K, IN_ORDER[lanes], lanes=lanes)

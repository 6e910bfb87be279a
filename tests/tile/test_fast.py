"""Products in plain BLAS: within their bound, everything else bit for bit, and never called golden."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import refsim as rs
from refsim import backends
from refsim.kernels import fast
from tests.exact import Array, Type, same
from tests.kernels import data

SIZES = st.tuples(*[st.integers(1, 40)] * 3)
MODERATE = [
    kind
    for kind in data.PAIRS
    if "everywhere" not in kind and kind not in ("special", "low product")
]


def config(matmul: str, T: Type = np.float32) -> rs.TorchInferenceRPUConfig:
    data_type = rs.RPUDataType.FLOAT if T is np.float32 else rs.RPUDataType.DOUBLE
    return rs.TorchInferenceRPUConfig(
        runtime=rs.RuntimeParameter(data_type=data_type, matmul=matmul),
        pre_post=rs.PrePostProcessingParameter(
            input_range=rs.InputRangeParameter(enable=True, init_from_data=0, init_value=1.5)
        ),
        forward=rs.IOParameters(
            inp_res=62,
            out_res=254,
            out_noise=0.04,
            noise_management=rs.NoiseManagementType.NONE,
            bound_management=rs.BoundManagementType.NONE,
        ),
    )


def within_the_bound(found: Array, exact: Array, magnitudes: Array, terms: int) -> bool:
    """Whether every element is within ``gamma`` of its terms, and half a unit of the exact one's own rounding."""
    u = np.finfo(found.dtype).eps / 2
    gamma = (terms + 2) * u / (1 - (terms + 2) * u)
    floor = terms * np.finfo(found.dtype).smallest_subnormal
    return bool((np.abs(found.astype(float) - exact) <= gamma * magnitudes + floor).all())


@pytest.mark.parametrize("kind", MODERATE)
@given(sizes=SIZES, seed=st.integers(0, 2**32))
@settings(deadline=None, max_examples=25)
def test_products_are_within_their_bound(kind: str, sizes: tuple[int, ...], seed: int) -> None:
    N, K, O = sizes
    exact = backends.load("cpu")
    a, b = data.pair(kind, np.float32, (N, K), (O, K), seed)
    calls: list[tuple[str, tuple[Array, Array], int]] = [
        ("matrix_product", (a, b), K),
        ("transposed_product", (a, np.ascontiguousarray(b.T)), K),
        ("outer_product_sum", (np.ascontiguousarray(a.T), np.ascontiguousarray(b.T)), K),
        ("per_sample_product", (a, np.broadcast_to(b, (N, O, K)).copy()), K),
        ("per_sample_transposed_product", (a, np.broadcast_to(b.T, (N, K, O)).copy()), K),
    ]
    for name, arguments, terms in calls:
        found, expected = (getattr(ops, name)(*arguments) for ops in (fast, exact))
        sizes_of = getattr(exact, name)(*(np.abs(x).astype(np.float64) for x in arguments))
        assert found.dtype == expected.dtype
        assert found.shape == expected.shape
        assert within_the_bound(found, expected, sizes_of, terms)


@pytest.mark.parametrize("backend", ["spec", "cpu"])
def test_only_products_are_replaced(backend: str) -> None:
    exact, replaced = backends.load(backend), backends.load(backend, "fast")
    assert set(vars(replaced)) == {*exact.__all__, "threads", "resident"}
    same_functions = {
        name for name in exact.__all__ if getattr(replaced, name) is getattr(exact, name)
    }
    assert set(exact.__all__) - same_functions == {*fast.__all__, "crossbar_output"}


@pytest.mark.parametrize("backend", ["spec", "cpu"])
def test_everything_else_is_bit_for_bit(T: Type, backend: str) -> None:
    """A pass judged stage by stage, each from the values that the pass itself has before it."""
    rng = np.random.default_rng(0)
    x, w, dy = (rng.standard_normal(s).astype(T) for s in ((6, 9), (5, 9), (6, 5)))
    tile = config("fast", T).create_tile(5, 9, seed=3, backend=backend)
    tile.set_weights(w)
    y, trace = tile.forward(x, trace=True)
    _, back = tile.backward(dy, trace=True)
    assert not trace.golden
    assert not back.golden
    ops = backends.load(backend)
    s = [trace[name] for name in ("product", "out_noise", "rounded_output", "output_code")]
    step, noise = T(24 / 254), np.full(1, 0.04, T)
    same(ops.analog_to_digital(s[0], step, T(12), None, s[1], noise, T(1)), (s[2], s[3]))
    same(ops.scaled_output(s[3], np.full(1, T(1.5))), y)
    assert within_the_bound(
        trace["product"],
        ops.matrix_product(trace["converted_input"], w),
        np.abs(trace["converted_input"]).astype(float) @ np.abs(w.T).astype(float),
        9,
    )
    d, _ = ops.range_input_gradient(back["unmanaged_gradient"], x, T(1.5))
    same(d, back["clipped_input_gradient"])
    exact = config("exact", T).create_tile(5, 9, seed=3, backend=backend)
    exact.set_weights(w)
    _, golden = exact.forward(x, trace=True)
    assert golden.golden
    for name in ("converted_input", "out_noise", "input_range"):
        same(trace[name], golden[name])


@pytest.mark.parametrize("backend", ["spec", "cpu"])
def test_a_pass_without_a_trace_is_the_same_pass(T: Type, backend: str) -> None:
    rng = np.random.default_rng(1)
    x, w, dy = (rng.standard_normal(s).astype(T) for s in ((6, 9), (5, 9), (6, 5)))
    results = []
    for traced in (False, True):
        tile = config("fast", T).create_tile(5, 9, bias=True, seed=3, backend=backend)
        tile.set_weights(w, w[:, 0])
        y: Any = tile.forward(x, trace=traced)
        dx: Any = tile.backward(dy, trace=traced)
        results.append((y[0], dx[0], tile.gradients) if traced else (y, dx, tile.gradients))
    (y, dx, gradients), (y2, dx2, gradients2) = results
    same((y, dx), (y2, dx2))
    assert gradients.keys() == gradients2.keys()
    for name, value in gradients.items():
        same(value, gradients2[name])


def test_it_says_that_it_is_not_golden() -> None:
    tile = config("fast").create_tile(2, 2)
    assert not tile.golden
    assert "golden=False" in repr(tile)
    tile.config.runtime.matmul = "exact"
    assert tile.golden
    assert "golden" not in repr(tile)


def test_an_overflow_is_refused() -> None:
    tile = config("fast").create_tile(1, 2)
    tile.config.forward = rs.IOParameters(is_perfect=True)
    tile.set_weights([[3e38, 3e38]])
    with pytest.raises(rs.StateError, match="overflows"):
        tile.forward([[1.0, 1.0]])

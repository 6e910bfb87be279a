"""Random numbers by address: known answers, the published layout, distributions, and refusals."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import refsim as rs
from refsim import backends
from refsim.random import STREAMS, derived_seed, normal, uniform
from tests.exact import same
from tests.strategies import seeds

MASK = 2**32 - 1


def philox(key: list[int], counter: list[int]) -> list[int]:
    """Philox4x32-10 (Salmon, Moraes, Dror, Shaw: Parallel Random Numbers, SC 2011)."""
    (k0, k1), (c0, c1, c2, c3) = key, counter
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c0, 0xCD9E8D57 * c2
        c0, c1, c2, c3 = (p1 >> 32) ^ c1 ^ k0, p1 & MASK, (p0 >> 32) ^ c3 ^ k1, p0 & MASK
        k0, k1 = (k0 + 0x9E3779B9) & MASK, (k1 + 0xBB67AE85) & MASK
    return [c0, c1, c2, c3]


def words(seed: int, stream: int, step: int, pass_: int, block: int) -> list[int]:
    counter = [block & MASK, block >> 32, step, stream << 16 | pass_]
    return philox([seed & MASK, seed >> 32], counter)


@pytest.mark.clause("RN-1")
@pytest.mark.parametrize(
    ("key", "counter", "expected"),
    [  # the known answers that its authors publish with Random123
        ("00000000 00000000", "0 0 0 0", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ("ffffffff ffffffff", " ".join(["ffffffff"] * 4), "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        (
            "a4093822 299f31d0",
            "243f6a88 85a308d3 13198a2e 03707344",
            "d16cfe09 94fdcceb 5001e420 24126ea1",
        ),
    ],
)
def test_known_answers(key: str, counter: str, expected: str) -> None:
    k, c, e = ([int(word, 16) for word in text.split()] for text in (key, counter, expected))
    assert philox(k, c) == e
    for name in backends.available():
        words_ = tuple(np.array([word], dtype=np.uint64) for word in c)
        result = backends.load(name).philox((k[0], k[1]), words_)
        assert [int(word[0]) for word in result] == e


indices = st.sampled_from([0, 1, 2, 3, 4, 2**32, 2**34 - 1, 2**64 - 1]) | st.integers(0, 2**64 - 1)
addresses = st.tuples(
    seeds,
    st.sampled_from(sorted(STREAMS)),
    st.sampled_from([0, 1, 2**32 - 1]) | st.integers(0, 2**32 - 1),
    indices,
    st.sampled_from([0, 1, 2**16 - 1]),
)


@pytest.mark.clause("RN-2")
@given(address=addresses)
def test_the_published_layout(address: tuple[int, str, int, int, int]) -> None:
    seed, stream, step, index, pass_ = address
    word = words(seed, STREAMS[stream], step, pass_, index // 4)[index % 4]
    value = uniform(seed, stream, step, np.array([index], dtype=np.uint64), pass_)
    same(value, np.array([(word >> 8) * 2.0**-24], dtype=np.float32))
    same(value, uniform(seed, STREAMS[stream], step, np.array([index], dtype=np.uint64), pass_))


@pytest.mark.clause("RN-3", "RN-4", "EF-1")
@given(address=addresses)
def test_normal_deviates(address: tuple[int, str, int, int, int]) -> None:
    """Box and Muller in float32; the error bound is that of its five roundings and two series.

    rho is a square root of a logarithm with an error of few ulp, the cosine errs by few ulp of 1:
    together less than 16 u rho.
    """
    seed, stream, step, index, pass_ = address
    first = index // 4 * 4 + index % 4 // 2 * 2
    pair = np.array([first, first + 1], dtype=np.uint64)
    u, v = (float(one) for one in uniform(seed, stream, step, pair, pass_))
    rho = math.sqrt(-2 * math.log1p(-u))
    exact = rho * (math.sin if index % 2 else math.cos)(2 * math.pi * v)
    value = normal(seed, stream, step, np.array([index], dtype=np.uint64), pass_)
    assert value.dtype == np.float32
    assert abs(float(value[0]) - exact) <= 16 * 2.0**-24 * max(rho, 2.0**-12)


@pytest.mark.clause("RN-2", "RN-3")
@pytest.mark.parametrize("backend", backends.available())
@given(address=addresses, count=st.integers(0, 9))
def test_a_backend_fills_arrays_with_the_same_numbers(
    backend: str, address: tuple[int, str, int, int, int], count: int
) -> None:
    seed, stream, step, _, pass_ = address
    ops, index = backends.load(backend), np.arange(count)
    where = (seed, STREAMS[stream], step, pass_, count)
    same(ops.uniform(*where), uniform(seed, stream, step, index, pass_))
    same(ops.normal(*where), normal(seed, stream, step, index, pass_))


def test_streams_are_published() -> None:
    """Part of the layout: a number is never given to another purpose."""
    assert STREAMS == {
        "weight_noise": 0,
        "inp_noise": 1,
        "out_noise": 2,
        "weight_sto_round": 3,
        "inp_sto_round": 4,
        "out_sto_round": 5,
        "out_noise_std": 6,
        "tile_seed": 7,
        "weight_init": 8,
        "shuffle": 9,
        "data_split": 10,
        "backward_inp_noise": 11,
        "backward_out_noise": 12,
        "backward_inp_sto_round": 13,
        "backward_out_sto_round": 14,
        "backward_out_noise_std": 15,
        "calibration_cache": 16,
    }


@pytest.mark.parametrize("index", [[], 5, [[1, 2], [3, 4]], np.arange(6, dtype=np.int8)])
def test_shapes(index: Any) -> None:
    for draw in (uniform, normal):
        value = draw(1, "inp_noise", 2, index)
        assert value.shape == np.shape(index)
        assert value.dtype == np.float32


@given(seed=seeds, count=st.integers(0, 20))
def test_derived_seeds(seed: int, count: int) -> None:
    low, high, *_ = words(seed, STREAMS["tile_seed"], 0, 0, count)
    assert derived_seed(seed, count) == low | high << 32


@pytest.mark.parametrize(
    ("change", "name"),
    [
        *(({"seed": seed}, "seed") for seed in (-1, 2**64, 1.0, True, None, "1")),
        *(({"stream": stream}, "stream") for stream in ("noise", -1, 2**16, 1.5, None)),
        *(({"step": step}, "step") for step in (-1, 2**32, 1.0)),
        *(({"pass_": pass_}, "pass_") for pass_ in (-1, 2**16, 1.0)),
        *(({"index": index}, "index") for index in (-1, [1.5], [True], "1", [2**64], [-1, 2])),
    ],
)
def test_addresses_that_do_not_exist(change: dict[str, Any], name: str) -> None:
    address = {"seed": 1, "stream": "inp_noise", "step": 0, "index": [0], "pass_": 0, **change}
    for draw in (uniform, normal):
        with pytest.raises(rs.InputError, match=name):
            draw(**address)


@pytest.mark.clause("RN-2", "RN-3")
def test_moments() -> None:
    """Sample moments within five standard errors: at a fixed address, so that nothing is by chance."""
    n = 2**18
    u, z = (draw(2024, "inp_noise", 3, np.arange(n)).astype(float) for draw in (uniform, normal))
    assert u.min() >= 0
    assert u.max() < 1
    assert abs(u.mean() - 0.5) < 5 * math.sqrt(1 / 12 / n)
    assert abs(z.mean()) < 5 / math.sqrt(n)
    assert abs((z**2).mean() - 1) < 5 * math.sqrt(2 / n)
    assert abs((z**4).mean() - 3) < 5 * math.sqrt(96 / n)
    assert np.abs(z).max() <= math.sqrt(48 * math.log(2)) * (1 + 2.0**-20)
    lags = [(z[:-k] * z[k:]).mean() for k in range(1, 9)]
    assert max(map(abs, lags)) < 5 / math.sqrt(n - 8)

"""Clauses RN: addressed random numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st
from scipy import stats

from tests.clauses.checks import agree, cases
from tests.clauses.random_oracle import block
from tests.exact import same
from tests.strategies import addresses, words

FLOAT = np.float32
counts = st.integers(0, 9)
COUNT = 100_000

KNOWN = [  # Random123's published answers: counter, key, words
    ("0 0 0 0", "0 0", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    (
        "ffffffff ffffffff ffffffff ffffffff",
        "ffffffff ffffffff",
        "408f276d 41c83b0e a20bc7c6 6d5451fd",
    ),
    (
        "243f6a88 85a308d3 13198a2e 03707344",
        "a4093822 299f31d0",
        "d16cfe09 94fdcceb 5001e420 24126ea1",
    ),
]


def integers(text: str) -> list[int]:
    return [int(word, 16) for word in text.split()]


def column(values: Any) -> tuple[np.ndarray, ...]:
    return tuple(np.array([value], dtype=np.uint64) for value in values)


@pytest.mark.clause("RN-1")
def test_published_answers(ops: Any) -> None:
    for counter, key, expected in KNOWN:
        got = ops.philox(tuple(integers(key)), column(integers(counter)))
        same(got, column(integers(expected)))
        assert list(block(tuple(integers(key)), tuple(integers(counter)))) == integers(expected)


@pytest.mark.clause("RN-1")
@cases(key=st.tuples(words, words), counters=st.lists(st.tuples(words, words, words, words)))
def test_philox(ops: Any, key: Any, counters: Any) -> None:
    table = np.array(counters, dtype=np.uint64).reshape(-1, 4)
    expected = np.array([block(key, c) for c in counters], dtype=np.uint64).reshape(-1, 4)
    got = ops.philox(key, tuple(np.ascontiguousarray(table[:, i]) for i in range(4)))
    same(got, tuple(np.ascontiguousarray(expected[:, i]) for i in range(4)))


@pytest.mark.clause("RN-2")
@cases(address=addresses, count=counts)
def test_uniform(ops: Any, address: Any, count: int) -> None:
    agree(ops, "uniform", *address, count)


@pytest.mark.clause("RN-2")
def test_uniform_by_hand(ops: Any) -> None:
    first = [int(word, 16) >> 8 for word in KNOWN[0][2].split()]
    same(ops.uniform(0, 0, 0, 0, 4), FLOAT([word / 2**24 for word in first]))
    second = block((0, 0), (1, 0, 0, 0))[0] >> 8
    same(ops.uniform(0, 0, 0, 0, 5)[4:], FLOAT([second / 2**24]))
    seed, stream, step, pass_ = 0x299F31D0A4093822, 0x0370, 0x13198A2E, 0x7344
    word = block((0xA4093822, 0x299F31D0), (0, 0, step, 0x03707344))[0] >> 8
    same(ops.uniform(seed, stream, step, pass_, 1), FLOAT([word / 2**24]))


@pytest.mark.clause("RN-2")
@pytest.mark.clause("RN-3")
@cases(address=addresses, count=st.integers(1, 9), more=st.integers(0, 9))
def test_a_sample_does_not_depend_on_how_many_are_asked_for(
    ops: Any, address: Any, count: int, more: int
) -> None:
    for draw in (ops.uniform, ops.normal):
        same(draw(*address, count + more)[:count], draw(*address, count))


@pytest.mark.clause("RN-2")
@pytest.mark.clause("RN-3")
@cases(address=st.tuples(*[st.integers(0, 2**16 - 2)] * 4), part=st.integers(0, 3))
def test_each_part_of_the_address_counts(ops: Any, address: Any, part: int) -> None:
    other = [value + (i == part) for i, value in enumerate(address)]
    for draw in (ops.uniform, ops.normal):
        assert not np.array_equal(draw(*address, 8), draw(*other, 8))


@pytest.mark.clause("RN-2")
def test_uniforms_are_uniform(ops: Any) -> None:
    u = ops.uniform(1, 2, 3, 4, COUNT)
    assert u.dtype == FLOAT
    assert 0 <= u.min() < 1e-4
    assert 1 - 1e-4 < u.max() < 1
    same(u * FLOAT(2**24), np.rint(u * FLOAT(2**24)))
    assert stats.kstest(u.astype(np.float64), "uniform").pvalue > 0.01
    assert stats.kstest(ops.uniform(1, 2, 3, 5, COUNT).astype(np.float64), "uniform").pvalue > 0.01


@pytest.mark.clause("RN-3")
@cases(address=addresses, count=counts)
def test_normal(ops: Any, address: Any, count: int) -> None:
    agree(ops, "normal", *address, count)


@pytest.mark.clause("RN-3")
def test_the_first_normals_of_an_address(ops: Any) -> None:
    agree(ops, "normal", 1, 2, 3, 4, 40)


@pytest.mark.clause("RN-3")
def test_normals_are_normal(ops: Any) -> None:
    n = ops.normal(1, 2, 3, 4, COUNT).astype(np.float64)
    assert stats.kstest(n, "norm").pvalue > 0.01
    five = 5 / math.sqrt(COUNT)  # five standard errors of each moment
    assert abs(n.mean()) < five
    assert abs((n**2).mean() - 1) < five * math.sqrt(2)
    assert abs((n**3).mean()) < five * math.sqrt(15)
    assert abs((n**4).mean() - 3) < five * math.sqrt(96)
    even, odd = n[0::2], n[1::2]
    for one, other in ((even, odd), (even[:-1], even[1:]), (even**2, odd**2)):
        assert stats.pearsonr(one, other).pvalue > 0.01


@pytest.mark.clause("RN-3")
def test_the_tails_end_where_the_smallest_uniform_puts_them(ops: Any) -> None:
    end = math.sqrt(48 * math.log(2))
    assert 5.76 < end < 5.77
    sample = np.concatenate([np.abs(ops.normal(seed, 0, 0, 0, COUNT)) for seed in range(4)])
    assert 4.4 < sample.max() <= end
    radius = np.sqrt(FLOAT(-2) * ops.log(FLOAT([2**-24])))
    assert abs(float(radius[0]) - end) < 2.0**-21  # one ulp


@pytest.mark.clause("RN-4")
@cases(k=st.lists(st.integers(0, 2**24 - 1), max_size=6))
def test_unit_circle(ops: Any, k: list[int]) -> None:
    agree(ops, "unit_circle", np.array(k, dtype=FLOAT) / FLOAT(2**24))


@pytest.mark.clause("RN-4")
def test_unit_circle_beside_its_seams(ops: Any) -> None:
    seams = [n * 2**20 + side for n in range(16) for side in (-1, 0, 1)]
    agree(ops, "unit_circle", FLOAT(seams[1:]) / FLOAT(2**24))


@pytest.mark.clause("RN-4")
def test_unit_circle_by_hand(ops: Any) -> None:
    cosine, sine = ops.unit_circle(FLOAT([0, 0.25, 0.5, 0.75]))
    same(cosine, FLOAT([1, -0.0, -1, 0]))
    same(sine, FLOAT([0, 1, -0.0, -1]))
    half = FLOAT(math.sqrt(0.5))
    for side in ops.unit_circle(FLOAT([0.125, 0.375, 0.625, 0.875])):
        assert np.all(np.abs(np.abs(side) - half) <= np.spacing(half))


@pytest.mark.clause("RN-4")
def test_the_circle_is_round(ops: Any) -> None:
    u = np.arange(0, 2**24, 997, dtype=np.uint32).astype(FLOAT) / FLOAT(2**24)
    cosine, sine = (side.astype(np.float64) for side in ops.unit_circle(u))
    angle = 2 * np.pi * u.astype(np.float64)
    assert np.abs(cosine - np.cos(angle)).max() < 2.0**-23
    assert np.abs(sine - np.sin(angle)).max() < 2.0**-23
    assert np.hypot(cosine, sine).max() < 1 + 2.0**-22


@pytest.mark.clause("RN-4")
def test_a_quarter_turn_swaps_cosine_and_sine(ops: Any) -> None:
    u = FLOAT(np.arange(1, 2**21, 4099)) / FLOAT(2**24)  # below 1/8, the seam
    cosine, sine = ops.unit_circle(u)
    turned = ops.unit_circle(u + FLOAT(0.25))
    same(turned, (-sine, cosine))
    same(ops.unit_circle(u + FLOAT(0.5)), (-cosine, -sine))

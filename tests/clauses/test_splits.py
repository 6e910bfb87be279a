"""Clauses TA: the sizes of splits, and the sum of their partial results."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

from tests.clauses.checks import agree, cases
from tests.exact import Type, same
from tests.strategies import arrays, numbers, typed

sizes = st.integers(1, 70) | st.sampled_from([512, 513, 1024, 1025, 100_000])
limits = st.integers(-3, 70) | st.sampled_from([512, 2**31])


@st.composite
def stacks(draw: Any, T: Type) -> Any:
    """Partial results; often one cancels another."""
    shape = draw(st.integers(1, 5)), draw(st.integers(0, 3)), draw(st.integers(1, 3))
    parts = draw(arrays(T, shape, numbers(T)))
    if shape[0] > 2 and draw(st.booleans()):
        parts[-1] = -parts[0]
    return parts


@pytest.mark.clause("TA-1")
@cases(size=sizes, limit=limits)
def test_split_sizes(ops: Any, size: int, limit: int) -> None:
    agree(ops, "split_sizes", size, limit)


@pytest.mark.clause("TA-1")
def test_split_sizes_by_hand(ops: Any) -> None:
    for size, limit, expected in (
        (11, 4, [4, 4, 3]),
        (7, 3, [3, 2, 2]),
        (10, 4, [4, 3, 3]),
        (8, 4, [4, 4]),
        (4, 4, [4]),
        (5, 1, [1] * 5),
        (9, 0, [9]),
        (9, -1, [9]),
        (1, 512, [1]),
        (513, 512, [257, 256]),
    ):
        same(ops.split_sizes(size, limit), np.array(expected, dtype=np.int64))


@pytest.mark.clause("TA-1")
@cases(size=sizes, limit=limits)
def test_splits_are_whole_small_and_nearly_equal(ops: Any, size: int, limit: int) -> None:
    found = ops.split_sizes(size, limit).tolist()
    assert sum(found) == size
    assert limit <= 0 or max(found) <= limit
    assert found == sorted(found, reverse=True)
    assert max(found) - min(found) <= 1


@pytest.mark.clause("TA-2")
@cases(case=typed(stacks))
def test_split_sum(ops: Any, case: Any) -> None:
    agree(ops, "split_sum", *case)


@pytest.mark.clause("TA-2")
def test_split_sum_by_hand(ops: Any, T: Type) -> None:
    big = T(1) / np.finfo(T).eps  # its neighbours are 1 away below and 2 above
    half = T(0.5)
    parts = np.array([[[big, big * 2]], [[half, 1]], [[half, 1]]], dtype=T)
    same(ops.split_sum(parts), T([[big, big * 2]]))
    same(ops.split_sum(parts[::-1]), T([[big + 1, big * 2 + 2]]))
    four = np.concatenate([parts, parts[2:]])
    same(ops.split_sum(four), T([[big, big * 2]]))  # in pairs 1 and 2 more
    one = T([[[-0.0, 3]]])
    same(ops.split_sum(one), one[0])
    same(ops.split_sum(np.concatenate([one, one])), T([[-0.0, 6]]))

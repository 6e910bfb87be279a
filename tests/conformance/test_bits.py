"""Bits are compared, not values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from refsim.conformance.bits import difference, same_bits

QUIET_NAN = np.array([0x7FC00000], np.uint32).view(np.float32)
OTHER_NAN = np.array([0xFFC00001], np.uint32).view(np.float32)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (np.float32(0), np.float32(-0.0)),
        (np.float32(1), np.float64(1)),
        (np.float32(1), np.nextafter(np.float32(1), np.float32(2))),
        (np.zeros(1), np.zeros((1, 1))),
        (np.zeros(2), np.zeros(3)),
        (np.zeros(0, np.float32), np.zeros(0)),
        (np.zeros(()), np.zeros(1)),
        (None, np.zeros(1)),
        ((np.ones(1), None), (np.ones(1), np.ones(1))),
        ((np.ones(1),), (np.ones(1), np.ones(1))),
        ({"a": np.ones(1)}, {"b": np.ones(1)}),
        ({"a": np.ones(1)}, {"a": np.zeros(1)}),
        (True, False),
        (np.array([True]), np.array([1])),
        ("TypeError: a", np.ones(1)),
    ],
)
def test_what_differs_is_said(found: Any, expected: Any) -> None:
    assert not same_bits(found, expected)
    assert difference(found, expected)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (np.float32(1), np.float32(1)),
        (np.float32(1), np.array(1, np.float32)),
        (QUIET_NAN, OTHER_NAN),
        ((np.ones(1), None), (np.ones(1), None)),
        (np.arange(6.0).reshape(2, 3).T, np.ascontiguousarray(np.arange(6.0).reshape(2, 3).T)),
        ({"a": np.ones(1)}, {"a": np.ones(1)}),
        (True, np.bool_(True)),
    ],
)
def test_what_is_equal_is_equal(found: Any, expected: Any) -> None:
    assert same_bits(found, expected)
    assert difference(found, expected) is None


def test_the_first_differing_element_is_named() -> None:
    found = np.array([[0.0, 1.0], [2.0, 4.0]])
    expected = np.array([[0.0, 1.5], [2.0, 3.0]])
    assert difference(found, expected) == "result[0, 1] is 1.0, expected 1.5 (2 of 4 differ)"
    assert (
        difference((None, found), (None, expected), "g")
        == "g[1][0, 1] is 1.0, expected 1.5 (2 of 4 differ)"
    )

"""The residual of the range divided as a whole, or term by term."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refsim.conformance.admissible import judge_backward
from tests.tile.cases import config

F = np.float32


def judged(
    r: Any, x: Any, w: Any, g: Any, by_terms: bool, stages: bool = False, step: Any = 0
) -> Any:
    """The verdict on the gradients of another implementation of an ideal product."""
    tile = config(r={"decay": 0.0, "gradient_relative": False}, io={"is_perfect": True})
    tile = tile.create_tile(1, x.size, backend="spec").eval()
    tile.parameters["weight"][...] = w
    tile.set_input_range(r)
    c = np.clip(x, -r, r)
    v, dv = c / r, (g * r) @ w
    d = dv / r
    rule = np.minimum(d, 0)[c >= r].sum() - np.maximum(d, 0)[c <= -r].sum()
    into = (dv * v).sum()
    taken = (dv * v / r).sum() if by_terms else into / r
    found = {
        "input": np.where(np.abs(x) <= r, d, 0),
        "input_range": F([rule + ((g * (v @ w.T)).sum() - taken) + step]),
    }
    shown = {"range_input_sum": into, "range_residual": (g * (v @ w.T)).sum() - taken}
    return judge_backward(tile, x, g, found, stages=shown if stages else None)


places = st.lists(st.integers(-4, 4), min_size=5, max_size=5)


@given(
    r=st.floats(0.25, 4, width=32),
    x=places,
    w=places,
    g=st.sampled_from([3, 5, 7, 11]),
    by_terms=st.booleans(),
)
def test_both_ways_to_divide_are_admissible(
    r: float, x: Any, w: Any, g: int, by_terms: bool
) -> None:
    assert judged(F(r), F([x]) * F(r), F([w]), F([[g]]), by_terms).passed


LAST = {"r": F(0.8140549), "g": F([[5]]), "w": F([[0, 3, 0, -2, -1]])}
LAST["x"] = F([[3, -4, -1, -2, -3]]) * LAST["r"]


def test_a_sum_without_rounding_is_divided_in_two_ways() -> None:
    assert judged(**LAST, by_terms=True).passed
    assert judged(**LAST, by_terms=False).passed


@pytest.mark.parametrize("by_terms", [False, True])
def test_whoever_shows_the_sum_divides_it(by_terms: bool) -> None:
    assert judged(**LAST, by_terms=by_terms, stages=True).passed is not by_terms


def test_more_than_rounding_is_rejected() -> None:
    report = judged(**LAST, by_terms=True, step=F(0.001))
    assert report.first.clause == "IR-8"

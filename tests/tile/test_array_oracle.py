"""Whole arrays against exact arithmetic: the same bits, or both refuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given

import refsim as rs
from tests.exact import Array, same
from tests.strategies import dtypes
from tests.tile import oracle
from tests.tile.array_cases import ArrayCase, ExactArray, array_cases
from tests.tile.test_oracle import Addressed, unchanged

pytestmark = pytest.mark.filterwarnings("ignore::refsim.errors.RangeWarning")


def flat(x: Array) -> Array:
    return x.reshape(int(np.prod(x.shape[:-1])), x.shape[-1])


def go_forward(array: Any, exact: ExactArray, x: Array) -> bool:
    """Forward on both; False if both refuse."""
    before, step = array.state_dict(), array.tiles[0][0].step
    try:
        expected = exact.forward(flat(x), lambda case: Addressed(case, len(flat(x)), step))
    except oracle.RefusedError:
        with pytest.raises(rs.StateError):
            array.forward(x)
        unchanged(array.state_dict(), before)
        return False
    same(array.forward(x), expected.reshape(*x.shape[:-1], expected.shape[1]))
    for (i, o), tile in exact.tiles.items():
        steps = before[f"t{i}_{o}_random_step"] + np.uint64(len(flat(x)) > 0)
        unchanged(array.tiles[i][o].state_dict(), tile.state | {"random_step": steps})
    return True


def go_back(array: Any, exact: ExactArray, dy: Array) -> bool:
    """Backward on both; False if both refuse."""
    before = dict(array.gradients)
    try:
        dx = exact.backward(flat(dy))
    except oracle.RefusedError:
        with pytest.raises(rs.StateError):
            array.backward(dy)
        unchanged(dict(array.gradients), before)
        return False
    same(array.backward(dy), dx.reshape(*dy.shape[:-1], dx.shape[1]))
    unchanged(dict(array.gradients), exact.all_gradients())
    return True


def agrees(backend: str, case: ArrayCase) -> None:
    """Forward and backward of every batch on an array and in exact arithmetic."""
    array = case.array(backend)
    states = {place: tile.state_dict() for place, tile in array.named_tiles().items()}
    exact = ExactArray(case, states)
    with np.errstate(all="ignore"):
        for x, dy in case.batches:
            if not go_forward(array, exact, x) or not go_back(array, exact, dy):
                return


@pytest.mark.clause("TA-1", "TA-2", "PP-2", "SU-3")
@given(case=dtypes.flatmap(array_cases))
def test_forward_and_backward(backend: str, case: ArrayCase) -> None:
    agrees(backend, case)

"""Whole tiles of the manual path against exact arithmetic: the same bits, or both refuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import refsim as rs
from tests.exact import Array, same
from tests.strategies import dtypes
from tests.tile import manual_cases, manual_oracle, oracle
from tests.tile.cases import Case, cases
from tests.tile.test_oracle import Addressed, go_forward, unchanged

pytestmark = pytest.mark.filterwarnings("ignore::refsim.errors.RangeWarning")
CLAUSES = (
    *("NM-1", "NM-2", "NM-3", "NM-6", "NM-7", "NM-8", "BM-1", "BM-3"),
    *("DC-1", "DC-2", "DC-3", "DC-4", "DC-5", "BP-3", "BP-4", "MS-4", "MS-5"),
    *("IR-4", "IR-5", "IR-6", "IR-7", "IR-10", "IR-11", "MV-1", "MV-3", "MV-4"),
)


class Noise(Addressed):
    """The noise of one pass by its published addresses."""

    def __init__(self, case: Case, rows: int, step: int, way: str = "forward") -> None:
        (O, I), config = case.sizes, case.config
        self.case, self.step = case, step
        self.way = way
        self.io = getattr(config, way, None)
        modified = getattr(getattr(config, "modifier", None), "per_batch_sample", False)
        sides = {"inp": (rows, I), "out": (rows, O)}
        if way == "backward":
            sides = {"inp": (rows, O), "out": (rows, I)}
        self.shapes = sides | {"weight": (rows, O, I) if modified else (O, I)}

    def __getitem__(self, name: str) -> Array:
        managed = (
            self.io is not None and self.io.bound_management is not rs.BoundManagementType.NONE
        )
        if managed and not name.startswith("weight"):
            return np.stack([self.numbers(name, pass_) for pass_ in range(13)])
        return self.numbers(name, 0)

    def stream(self, name: str) -> str:
        return f"backward_{name}" if self.way == "backward" else name


def go_back(tile: Any, exact: manual_oracle.Tile, dy: Array, noise: Noise) -> bool:
    """Backward on both; False if both refuse."""
    before, state = dict(tile.gradients), tile.state_dict()
    rows = dy.reshape(int(np.prod(dy.shape[:-1])), dy.shape[-1])
    try:
        dx = exact.backward(rows, noise)
    except oracle.RefusedError:
        with pytest.raises(rs.StateError):
            tile.backward(dy)
        unchanged(tile.gradients, before)
        unchanged(tile.state_dict(), state)
        return False
    same(tile.backward(dy), dx.reshape(*dy.shape[:-1], dx.shape[1]))
    unchanged(tile.gradients, exact.gradients)
    unchanged(tile.state_dict(), exact.state | {"random_step": state["random_step"]})
    return True


def agrees(backend: str, case: Case) -> None:
    """Forward and backward of every batch, then an optimiser step, on a tile and in exact arithmetic."""
    tile = case.tile(backend)
    exact = manual_cases.oracle_of(case, tile.state_dict())
    with np.errstate(all="ignore"):
        for x, dy in case.batches:
            rows, step = int(np.prod(x.shape[:-1])), tile.step
            if not go_forward(tile, exact, x, Noise(case, rows, step)):
                return
            if not go_back(tile, exact, dy, Noise(case, rows, step, "backward")):
                return
        if isinstance(tile, rs.CustomTile):
            steps_alike(tile, exact)


def steps_alike(tile: Any, exact: manual_oracle.CustomTile) -> None:
    """The weight after a step is the exact one, with the range after that step."""
    before = tile.state_dict()
    try:
        rs.SGD([tile], lr=0.0625).step()
    except rs.StateError:
        unchanged(tile.state_dict(), before)
        return
    stored = tile.value("input_range")
    r = None if stored is None else oracle.numbers(stored)[0]
    same(tile.parameters["weight"], exact.updated_weight(0.0625, r))
    assert not tile.pending


@pytest.mark.clause(*CLAUSES)
@given(case=dtypes.flatmap(lambda T: cases(T, build=manual_cases.manual)))
def test_forward_backward_and_step(backend: str, case: Case) -> None:
    agrees(backend, case)


@given(case=dtypes.flatmap(lambda T: cases(T, build=manual_cases.custom)), data=st.data())
def test_a_custom_tile_keeps_no_gradient_of_its_weight(
    backend: str, case: Case, data: st.DataObject
) -> None:
    tile = case.tile(backend)
    for x, dy in case.batches:
        try:
            tile.forward(x)
            tile.backward(dy)
        except rs.StateError:
            return
    assert "weight" not in tile.gradients
    assert len(tile.pending) == len(case.batches)

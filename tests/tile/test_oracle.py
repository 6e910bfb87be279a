"""Whole tiles against exact arithmetic: the same bits, or both refuse."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given

import refsim as rs
from tests.exact import Array, same
from tests.strategies import dtypes
from tests.tile import oracle
from tests.tile.cases import BM, Case, cases

pytestmark = pytest.mark.filterwarnings("ignore::refsim.errors.RangeWarning")
CLAUSES = (
    *("BM-1", "BM-2", "BP-1", "BP-2", "DC-1", "DC-2", "DC-3", "DC-4", "DC-5"),
    *("IR-1", "IR-2", "IR-3", "IR-4", "IR-5", "IR-6", "IR-7", "IR-8", "IR-9"),
    *("MV-1", "MV-2", "MV-3", "MV-4", "MV-5", "NM-1", "NM-2", "NM-3", "NM-4", "NM-5"),
    *("PP-1", "PP-2", "PP-3", "MS-3", "SU-7", "WM-1", "WM-2", "WM-3", "WM-4"),
)


class Addressed(Mapping[str, Array]):
    """The noise of a forward pass by its published addresses, for the shapes of a case."""

    def __init__(self, case: Case, rows: int, step: int) -> None:
        (O, I), p = case.sizes, case.config.modifier
        self.case, self.step = case, step
        weights = (rows, O, I) if p.per_batch_sample else (O, I)
        self.shapes = {"inp": (rows, I), "out": (rows, O), "weight": weights}

    def __getitem__(self, name: str) -> Array:
        passed = self.case.config.forward.bound_management is not BM.NONE
        if passed and not name.startswith("weight"):
            return np.stack([self.numbers(name, pass_) for pass_ in range(12)])
        return self.numbers(name, 0)

    def numbers(self, name: str, pass_: int) -> Array:
        shape = self.shapes[name.split("_")[0]]
        index = np.arange(np.prod(shape, dtype=int)).reshape(shape)
        address = (self.case.seed, self.stream(name), self.step, index, pass_)
        if name.endswith("noise"):
            return rs.random.normal(*address).astype(self.case.T)
        return (rs.random.uniform(*address) - np.float32(0.5)).astype(self.case.T)

    def stream(self, name: str) -> str:
        return name

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def unchanged(after: Mapping[str, Any], before: Mapping[str, Any]) -> None:
    assert after.keys() == before.keys()
    for name, value in before.items():
        same(after[name], value)


def go_forward(tile: Any, exact: oracle.Tile, x: Array, noise: Addressed) -> bool:
    """Forward on both; False if both refuse."""
    before = tile.state_dict()
    rows = x.reshape(int(np.prod(x.shape[:-1])), x.shape[-1])
    try:
        expected = exact.forward(rows, noise)
    except oracle.RefusedError:
        with pytest.raises(rs.StateError):
            tile.forward(x)
        unchanged(tile.state_dict(), before)
        return False
    same(tile.forward(x), expected.reshape(*x.shape[:-1], expected.shape[1]))
    state = exact.state | {"random_step": before["random_step"] + np.uint64(len(rows) > 0)}
    unchanged(tile.state_dict(), state)
    return True


def go_back(tile: Any, exact: oracle.Tile, dy: Array) -> bool:
    """Backward on both; False if both refuse."""
    before = dict(tile.gradients)
    rows = dy.reshape(int(np.prod(dy.shape[:-1])), dy.shape[-1])
    try:
        dx = exact.backward(rows)
    except oracle.RefusedError:
        with pytest.raises(rs.StateError):
            tile.backward(dy)
        unchanged(tile.gradients, before)
        return False
    same(tile.backward(dy), dx.reshape(*dy.shape[:-1], dx.shape[1]))
    unchanged(tile.gradients, exact.gradients)
    return True


def agrees(backend: str, case: Case) -> None:
    """Forward and backward of every batch on a tile and in exact arithmetic."""
    tile = case.tile(backend)
    exact = oracle.Tile(case.config, case.T, case.training, tile.state_dict())
    with np.errstate(all="ignore"):
        for x, dy in case.batches:
            rows = int(np.prod(x.shape[:-1]))
            noise = Addressed(case, rows, tile.step)
            if not go_forward(tile, exact, x, noise) or not go_back(tile, exact, dy):
                return


@pytest.mark.clause(*CLAUSES)
@given(case=dtypes.flatmap(cases))
def test_forward_and_backward(backend: str, case: Case) -> None:
    agrees(backend, case)

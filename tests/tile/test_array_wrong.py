"""Wrong arrays, each with one plausible mistake: the comparison with exact arithmetic rejects them all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given

import refsim as rs
from refsim import spec
from refsim.tile import array as array_module
from refsim.tile.array_periphery import ArrayPeriphery
from tests.strategies import dtypes
from tests.tile.array_cases import ArrayCase, array_cases
from tests.tile.test_array_oracle import agrees
from tests.tile.test_wrong_variants import SEARCH

Patch = Callable[[pytest.MonkeyPatch], None]
pytestmark = pytest.mark.filterwarnings("ignore::refsim.errors.RangeWarning")
Array = rs.TileModuleArray
SUM, SIZES = spec.split_sum, spec.split_sizes


def with_sum(function: Callable[[Any], Any]) -> Patch:
    return lambda patch: patch.setattr(spec, "split_sum", function)


def with_sizes(function: Callable[[int, int], Any]) -> Patch:
    return lambda patch: patch.setattr(spec, "split_sizes", function)


def exactly(parts: Any) -> Any:
    S, N, C = parts.shape
    return spec.column_totals(parts.reshape(S, N * C)).reshape(N, C)


def full_tiles_first(size: int, limit: int) -> Any:
    if limit <= 0:
        return np.array([size])
    return np.array([limit] * (size // limit) + [size % limit] * bool(size % limit))


def bias_added_for_each_input_split(patch: pytest.MonkeyPatch) -> None:
    def wrong(array: Any, x: Any, lead: Any, given_: Any, trace: Any) -> Any:
        y = forward(array, x, lead, given_, trace)
        for _ in array.inputs[1:]:
            y = array.periphery.forward(y, trace)
        return y

    forward = Array._forward
    patch.setattr(Array, "_forward", wrong)


def bias_added_to_the_first_partial_result(patch: pytest.MonkeyPatch) -> None:
    def wrong(array: Any, x: Any, lead: Any, given_: Any, trace: Any) -> Any:
        def total(parts: Any) -> Any:
            bias = array.parameters.get("bias")
            if bias is None:
                return SUM(parts)
            return SUM(np.stack([parts[0] + bias, *parts[1:]]))

        with pytest.MonkeyPatch.context() as inner:
            inner.setattr(spec, "split_sum", total)
            inner.setattr(ArrayPeriphery, "forward", lambda periphery, y, trace: y)
            return forward(array, x, lead, given_, trace)

    forward = Array._forward
    patch.setattr(Array, "_forward", wrong)


def one_seed_for_all_tiles(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(array_module, "derived_seed", lambda seed, number: seed)


def tiles_numbered_column_by_column(patch: pytest.MonkeyPatch) -> None:
    original = Array.made_tile

    def wrong(array: Any, i: int, o: int, config: Any) -> Any:
        tile = original(array, i, o, config)
        tile.seed = rs.random.derived_seed(array.seed, o * len(array.inputs) + i)
        return tile

    patch.setattr(Array, "made_tile", wrong)


def no_rollback(patch: pytest.MonkeyPatch) -> None:
    from contextlib import nullcontext

    patch.setattr(array_module, "all_or_nothing", lambda parts, weights=False: nullcontext())


VARIANTS: dict[str, Patch] = {
    "partial sums right to left": with_sum(lambda parts: SUM(parts[::-1])),
    "partial sums exact, rounded once": with_sum(exactly),
    "full tiles first, the rest in the last": with_sizes(full_tiles_first),
    "smaller tiles first": with_sizes(lambda n, m: SIZES(n, m)[::-1]),
    "bias added for each input split": bias_added_for_each_input_split,
    "bias added to the first partial result": bias_added_to_the_first_partial_result,
    "one seed for all tiles": one_seed_for_all_tiles,
    "tiles numbered column by column": tiles_numbered_column_by_column,
    "a failing pass changes the tiles before": no_rollback,
}


@pytest.mark.parametrize("name", VARIANTS)
def test_a_wrong_array_is_rejected(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    @SEARCH
    @given(case=dtypes.flatmap(array_cases))
    def search(case: ArrayCase) -> None:
        agrees("spec", case)

    VARIANTS[name](monkeypatch)
    with pytest.raises(
        (AssertionError, KeyError, ValueError, IndexError, rs.RefsimError, pytest.fail.Exception)
    ):
        search()

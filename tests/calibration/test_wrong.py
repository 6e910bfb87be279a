"""Wrong calibrations, each with one plausible mistake: the comparison with exact arithmetic rejects them all."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
from hypothesis import given

import refsim as rs
from refsim import spec
from refsim.calibration import input_ranges, observers
from tests.calibration.test_oracle import Case, agrees, cases
from tests.strategies import dtypes
from tests.tile.test_wrong_variants import SEARCH

Patch = Callable[[pytest.MonkeyPatch], None]
pytestmark = pytest.mark.filterwarnings("ignore::refsim.errors.RangeWarning")
Observer = observers.Observer


def replaced(owner: Any, name: str, function: Any) -> Patch:
    return lambda patch: patch.setattr(owner, name, function)


def changed(owner: Any, name: str, change: Callable[..., Any]) -> Patch:
    """A method whose original comes first among the arguments of the new one."""
    original = getattr(owner, name)
    return replaced(owner, name, lambda *given_: change(original, *given_))


def other_values(original: Any, observer: Any, values: Any) -> Any:
    """Signed for absolute, absolute for signed."""
    choices = observer.tile.config.choices
    before = choices.calibration_quantile_of
    choices.calibration_quantile_of = "signed" if before == "absolute" else "absolute"
    try:
        return original(observer, values)
    finally:
        choices.calibration_quantile_of = before


def place(change: Callable[[float, int], float]) -> Patch:
    """A quantile at another place."""

    def wrong(original: Any, observer: Any, values: Any) -> Any:
        h = min(max(change(observer.settings.quantile, values.size), 0.0), values.size - 1.0)
        if observer.tile.config.choices.calibration_quantile_of == "absolute":
            values = np.abs(values)
        return spec.quantile(values, int(h), observer.tile.dtype.type(h - int(h)))

    return changed(Observer, "quantile", wrong)


def see_with_zero_rows(original: Any, observer: Any, rows: Any) -> None:
    original(observer, np.concatenate([rows, np.zeros_like(rows[:1])]) if len(rows) else rows)


def first_rows_kept(observer: Any, rows: Any) -> None:
    cache = rows.copy() if observer.cache is None else np.concatenate([observer.cache, rows])
    observer.cache = cache[: observer.settings.max_samples]


def counts_every_batch(observer: Any, r: Any, k: Any, rows: Any) -> Any:
    return spec.averaged_range(r, k, observer.quantile(rows))


def no_limit(original: Any, observer: Any, r: Any, k: Any, rows: Any) -> Any:
    from dataclasses import replace

    observer.settings = replace(observer.settings, max_samples=10**9)
    return original(observer, r, k, rows)


def other_counter(original: Any, observer: Any, tile: Any, settings: Any, number: int) -> None:
    counter = tile.buffers["input_range_update_idx"]
    before = counter.copy()
    original(observer, tile, settings, number)
    counter[...] = 0 if tile.config.choices.calibration_counter == "continue" else before


VARIANTS: dict[str, Patch] = {
    "quantile of the other values": changed(Observer, "quantile", other_values),
    "quantile of n instead of n - 1": place(lambda q, n: q * n),
    "quantile of the nearest rank": place(lambda q, n: float(np.rint(q * (n - 1)))),
    "median unbiased quantile": place(lambda q, n: q * (n + 1 / 3) - 2 / 3),
    "zero rows count": changed(Observer, "see", see_with_zero_rows),
    "the first rows are kept": replaced(observers.CacheQuantile, "learn", first_rows_kept),
    "one seed for all tiles": replaced(observers, "derived_seed", lambda seed, number: seed),
    "a batch without a positive quantile counts": replaced(
        observers.MovingQuantile, "average", counts_every_batch
    ),
    "any number of batches for the deviation": changed(observers.MovingStd, "average", no_limit),
    "the other counter": changed(observers.Moving, "__init__", other_counter),
    "noise and converters all along": replaced(
        input_ranges, "_perfect", lambda observers, wanted: nullcontext()
    ),
    "stays in training": replaced(input_ranges, "in_evaluation", lambda m: nullcontext()),
    "no range of the type Max is noted": replaced(
        Observer, "store", lambda observer, r, kind: observer.tile.set_input_range(r)
    ),
}


@pytest.mark.parametrize("name", VARIANTS)
def test_a_wrong_calibration_is_rejected(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    @SEARCH
    @given(case=dtypes.flatmap(cases))
    def search(case: Case) -> None:
        with np.errstate(all="ignore"):
            agrees("spec", case)

    VARIANTS[name](monkeypatch)
    with pytest.raises((AssertionError, rs.StateError, IndexError, pytest.fail.Exception)):
        search()

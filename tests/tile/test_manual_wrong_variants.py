"""Wrong tiles of the manual path, each with one plausible mistake: exact arithmetic rejects them all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given

import refsim as rs
from refsim.tile import custom, inference, manual, manual_settings, output_clipping, row_core
from tests.strategies import dtypes
from tests.tile import manual_cases
from tests.tile.cases import Case, cases
from tests.tile.test_manual_oracle import agrees
from tests.tile.test_wrong_variants import SEARCH

pytestmark = pytest.mark.filterwarnings("ignore::refsim.errors.RangeWarning")
Patch = Callable[[pytest.MonkeyPatch], None]
Tile, Inference = manual.ManualTile, inference.InferenceTile


def method(owner: Any, name: str, wrapped: Callable[..., Any]) -> Patch:
    """A method replaced by ``wrapped(original, tile, ...)``."""

    def apply(patch: pytest.MonkeyPatch) -> None:
        original = getattr(owner, name)
        patch.setattr(owner, name, lambda *args, **named: wrapped(original, *args, **named))

    return apply


def blocked(original: Any, tile: Any, given_: Any, *rest: Any, **options: Any) -> Any:
    dx, gradients = original(tile, given_, *rest, **options)
    if given_.r is None:
        return dx, gradients
    return np.where(np.abs(given_.x) <= np.abs(given_.r), dx, dx.dtype.type(0)), gradients


def without_mask(original: Any, tile: Any, record: Any) -> Any:
    return None


def masked_weight(original: Any, tile: Any, given_: Any, s: Any, g: Any, trace: Any) -> Any:
    mask = tile._clip_mask(tile._record[1].core)
    if mask is not None:
        g = tile.ops.masked_gradient(g, mask)
    return original(tile, given_, s, g, trace)


def clipped_weight_input(original: Any, tile: Any, given_: Any, record: Any, *rest: Any) -> Any:
    """The weight gradient of the autograd path, without 1 / r."""
    return original(tile, given_, replace(record, v=tile._record[1].c), *rest)


def clipped_rule(original: Any, tile: Any, given_: Any, *rest: Any) -> Any:
    return original(tile, replace(given_, x=tile._record[1].c), *rest)


def never_grown(original: Any, ops: Any, rule: Any, *rest: Any) -> Any:
    return rule


def share_of_the_other_side(original: Any, ops: Any, rule: Any, given_: Any, *rest: Any) -> Any:
    s = replace(given_.range, share_of_inputs=not given_.range.share_of_inputs)
    return original(ops, rule, replace(given_, range=s), *rest)


def uncompensated(original: Any, tile: Any, s: Any, compensated: bool) -> Any:
    return original(tile, s, False)


def old_range(original: Any, tile: Any, x: Any, values: Any) -> Any:
    return original(tile, x, tile.parameters)


def last_update_only(original: Any, tile: Any, values: Any, lr: float) -> Any:
    tile.pending[:] = tile.pending[-1:]
    return original(tile, values, lr)


def stored_weight(original: Any, tile: Any, record: Any, *rest: Any) -> Any:
    return original(tile, replace(record, weight=tile.parameters["weight"]), *rest)


def kept_in_eval(original: Any, tile: Any, way: str, record: Any) -> Any:
    mode, tile.training = tile.training, True
    original(tile, way, record)
    tile.training = mode


def living_rows(original: Any, ops: Any, v: Any, s: Any, average: Any) -> Any:
    managed, after = original(ops, v, s, average)
    one = v.dtype.type(1)
    return replace(managed, alpha=np.where(managed.alpha > 0, managed.alpha, one)), after


def settings(**changes: Callable[[Any, Any], Any]) -> Patch:
    """Settings of the compiled core replaced by functions of the right ones and of the configuration."""

    def wrapped(original: Any, io: Any, *rest: Any) -> Any:
        s = original(io, *rest)
        return replace(s, **{name: change(s, io) for name, change in changes.items()})

    return method(manual_settings, "row_core", wrapped)


def signed_asymmetry(s: Any, io: Any) -> Any:
    return replace(s.adc, negative_factor=type(s.out_scale)(1 - io.out_asymmetry))


def rounds_without_a_bound(s: Any, io: Any) -> Any:
    res = 1 / io.out_res if io.out_res > 1 else max(io.out_res, 0)
    return replace(s.adc, step=type(s.out_scale)(res * 2 * abs(io.out_bound)))


VARIANTS: dict[str, Patch] = {
    "input clip blocks the gradient": method(Tile, "_backward", blocked),
    "no mask of clipped outputs": method(Inference, "_clip_mask", without_mask),
    "mask on the weight gradient": method(Tile, "_weight_factor", masked_weight),
    "weight gradient without 1 / r": method(
        Inference, "_take_weight_gradient", clipped_weight_input
    ),
    "rule from the clipped input": method(Tile, "_manual_range_gradient", clipped_rule),
    "no growth": method(output_clipping, "grown", never_grown),
    "share of the other side": method(output_clipping, "grown", share_of_the_other_side),
    "no compensation of the rate": method(Tile, "rate_compensation", uncompensated),
    "update with the range before the step": method(
        custom.CustomTile, "_in_units_of_the_range", old_range
    ),
    "only the last pending update": method(custom.CustomTile, "manual_update", last_update_only),
    "stored weight on the way back": method(Inference, "_core_backward", stored_weight),
    "running peak kept in eval": method(Inference, "_keep_average", kept_in_eval),
    "rows without a divisor are converted": method(row_core, "noise_management", living_rows),
    "worst case never switches": settings(worst_case=lambda s, io: False),
    "worst case always switches": settings(worst_case=lambda s, io: True),
    "negative bound always tested": settings(tests_negative=lambda s, io: True),
    "perfect drops out_scale": settings(keeps_out_scale=lambda s, io: False),
    "perfect keeps out_scale": settings(keeps_out_scale=lambda s, io: True),
    "negative asymmetry of outputs": settings(adc=signed_asymmetry),
    "outputs rounded without a bound": settings(adc=rounds_without_a_bound),
    "sums not limited": settings(sum_limit=lambda s, io: type(s.sum_limit)(np.inf)),
    "weights assumed up to 1": settings(
        sum_factor=lambda s, io: s.sum_factor / type(s.sum_factor)(0.6)
    ),
}


@pytest.mark.parametrize("name", VARIANTS)
def test_a_wrong_tile_is_rejected(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    @SEARCH
    @given(case=dtypes.flatmap(lambda T: cases(T, build=manual_cases.manual)))
    def search(case: Case) -> None:
        agrees("spec", case)

    VARIANTS[name](monkeypatch)
    with pytest.raises((AssertionError, rs.StateError, pytest.fail.Exception)):
        search()

"""Quantised tiles with one mistake each: a function of the specification or a step of the schedule replaced."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

import refsim as rs
from refsim import spec
from refsim.spec import quantisers
from refsim.tile.quantisation_manager import PeripheryManager, QuantisationManager, RangeState

Patch = Callable[[pytest.MonkeyPatch], None]
Tile: Any = rs.tile.QuantizedTorchInferenceTile
RIGHT = {name: getattr(spec, name) for name in spec.__all__}


@dataclass(frozen=True)
class Wrong:
    """A mistake, and the clause and stage at which it must be noticed first."""

    mistake: str
    clause: str
    stage: str
    patch: Patch


def function(name: str, wrong: Callable[..., Any]) -> Patch:
    """A function of the specification replaced; its first argument is the right one."""
    return lambda patch: patch.setattr(spec, name, lambda *args: wrong(RIGHT[name], *args))


def codes(round_: Any = np.rint, before_zero: bool = False) -> Patch:
    """Quantisation that rounds in another way, or clips before the zero point is added."""

    def levels(x: Any, scale: Any, zero: Any) -> Any:
        return round_(x / scale[:, None]) + zero[:, None]

    def wrong(right: Any, x: Any, scale: Any, zero: Any, least: Any, most: Any) -> Any:
        m = levels(x, scale, np.zeros_like(zero) if before_zero else zero)
        return np.clip(m, least, most) + (zero[:, None] if before_zero else 0)

    def apply(patch: pytest.MonkeyPatch) -> None:
        function("quantised_codes", wrong)(patch)
        patch.setattr(quantisers, "quantised_codes", spec.quantised_codes)

    return apply


def gradient(name: str, change: Callable[..., Any]) -> Patch:
    """A gradient with its arguments or its result changed."""
    return function(name, change)


def strict(right: Any, g: Any, x: Any, scale: Any, zero: Any, least: Any, most: Any) -> Any:
    m = np.rint(x / scale[:, None]) + zero[:, None]
    return np.where((m > least) & (m < most), g, g.dtype.type(0))


def unrounded_mask(right: Any, g: Any, x: Any, scale: Any, zero: Any, *ends: Any) -> Any:
    m = x / scale[:, None] + zero[:, None]
    return np.where((m >= ends[0]) & (m <= ends[1]), g, g.dtype.type(0))


def codes_alone(right: Any, g: Any, x: Any, scale: Any, zero: Any, *ends: Any) -> Any:
    n = spec.quantised_codes(x, scale, zero, *ends)
    return (g * (n - zero[:, None])).sum(axis=1, dtype=np.float32)


def ratio_everywhere(right: Any, g: Any, x: Any, scale: Any, zero: Any, *ends: Any) -> Any:
    n = spec.quantised_codes(x, scale, zero, *ends)
    return (g * (n - zero[:, None] - x / scale[:, None])).sum(axis=1, dtype=np.float32)


def every(right: Any, g: Any, x: Any, scale: Any, zero: Any, *ends: Any) -> Any:
    return (-g * scale[:, None]).sum(axis=1, dtype=np.float32)


def swapped(right: Any, lo: Any, hi: Any, old_lo: Any, old_hi: Any, fresh: Any, kept: Any) -> Any:
    return right(lo, hi, old_lo, old_hi, kept, fresh)


def schedule(shift: int) -> Patch:
    def apply(patch: pytest.MonkeyPatch) -> None:
        right = PeripheryManager.coming
        patch.setattr(
            PeripheryManager, "coming", lambda m, train, after: right(m, train, after + shift)
        )

    return apply


def count_from(start: int) -> Patch:
    def apply(patch: pytest.MonkeyPatch) -> None:
        right = PeripheryManager.coming

        def coming(manager: Any, training: bool, after: int) -> Any:
            state, estimates, count = right(manager, training, after)
            return state, estimates, None if count is None else count + np.float32(start)

        patch.setattr(PeripheryManager, "coming", coming)

    return apply


def estimates_always(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(QuantisationManager, "estimates", lambda manager, training: True)


def never_fixed(patch: pytest.MonkeyPatch) -> None:
    right = PeripheryManager.coming

    def coming(manager: Any, training: bool, after: int) -> Any:
        state, *rest = right(manager, training, after)
        return RangeState.ESTIMATE_TRAIN if state is RangeState.FIX else state, *rest

    patch.setattr(PeripheryManager, "coming", coming)


def unquantised(name: str) -> Patch:
    def apply(patch: pytest.MonkeyPatch) -> None:
        right = Tile.periphery_quantised

        def changed(tile: Any, which: str, x: Any) -> Any:
            found = right(tile, which, x)
            return replace(found, after=x) if which == name else found

        patch.setattr(Tile, "periphery_quantised", changed)

    return apply


def absolute_errors(right: Any, x: Any, scale: Any, zero: Any, *ends: Any) -> Any:
    found = [
        np.abs(x - spec.quantised(x, scale[c : c + 1], zero[c : c + 1], *ends)).sum(axis=1)
        for c in range(len(scale))
    ]
    return np.stack(found, axis=1).astype(np.float64)


def doubled(right: Any, lo: Any, n_bits: int, symmetric: bool) -> Any:
    least, most = right(lo, n_bits, symmetric)
    return least, most + lo.dtype.type(1)


def always_signed(right: Any, lo: Any, n_bits: int, symmetric: bool) -> Any:
    return right(np.minimum(lo, lo.dtype.type(-1)), n_bits, symmetric)


OUT, SCALE, BIAS = "out_quantizer", "scale_quantizer", "bias_quantizer"
SYMMETRIC = [
    Wrong("2**n levels", "QU-3", f"{SCALE}.delta", function("code_range", doubled)),
    Wrong("positive values on signed codes", "QU-2", f"{SCALE}.signed",
          function("code_range", always_signed)),
    Wrong("range without zero", "QU-3", f"{BIAS}.delta",
          function("symmetric_step", lambda right, lo, hi, most: right(lo, hi - lo, most))),
    Wrong("codes round half up", "QU-8", f"{SCALE}_codes",
          codes(lambda x: np.floor(x + x.dtype.type(0.5)))),
    Wrong("codes truncate", "QU-8", f"{BIAS}_codes", codes(np.trunc)),
    Wrong("bias not quantised", "QU-9", f"{BIAS}_quantised", unquantised(BIAS)),
    Wrong("scale not quantised", "QU-9", f"{SCALE}_quantised", unquantised(SCALE)),
    Wrong("no mask", "QU-10", f"{OUT}_gradient",
          gradient("quantised_gradient", lambda right, g, *rest: g.copy())),
]  # fmt: skip
ASYMMETRIC = [
    Wrong("zero point not rounded", "QU-7", f"{BIAS}_zero_point",
          function("zero_point", lambda right, place, most: np.clip(place, 0, most))),
    Wrong("place of zero rounded when stored", "QU-4", f"{BIAS}.zero_float",
          function("asymmetric_step",
                   lambda right, *ends: (right(*ends)[0], np.rint(right(*ends)[1])))),
    Wrong("place of zero from the upper end", "QU-4", f"{SCALE}.zero_float",
          function("asymmetric_step",
                   lambda right, lo, hi, most: (right(lo, hi, most)[0],
                                                (hi / right(lo, hi, most)[0]).astype(np.float32)))),
    Wrong("clip before the zero point", "QU-8", f"{BIAS}_codes", codes(before_zero=True)),
    Wrong("zero point not taken off", "QU-9", f"{BIAS}_quantised",
          function("quantised", lambda right, x, s, z, *ends:
                   s[:, None] * spec.quantised_codes(x, s, z, *ends))),
    Wrong("largest code missing", "QU-4", f"{SCALE}.delta",
          function("code_range", lambda right, *args:
                   (right(*args)[0], right(*args)[1] - right(*args)[1].dtype.type(1)))),
]  # fmt: skip
LEARNED = [
    Wrong("mask of the unrounded value", "QU-10", f"{BIAS}_gradient",
          gradient("quantised_gradient", unrounded_mask)),
    Wrong("strict mask", "QU-10", f"{OUT}_gradient", gradient("quantised_gradient", strict)),
    Wrong("step gradient without the values", "QU-11", f"{OUT}_delta_gradient",
          gradient("scale_gradient", codes_alone)),
    Wrong("step gradient of clipped values, too", "QU-11", f"{OUT}_delta_gradient",
          gradient("scale_gradient", ratio_everywhere)),
    Wrong("step gradient is a mean", "QU-11", f"{OUT}_delta_gradient",
          gradient("scale_gradient", lambda right, g, *rest:
                   right(g, *rest) / np.float32(g.shape[1]))),
    Wrong("zero gradient of all values", "QU-13", f"{OUT}_zero_float_gradient",
          gradient("zero_point_gradient", every)),
    Wrong("zero gradient with the wrong sign", "QU-13", f"{OUT}_zero_float_gradient",
          gradient("zero_point_gradient", lambda right, *args: -right(*args))),
    Wrong("zero gradient not scaled", "QU-13", f"{OUT}_zero_float_gradient",
          gradient("zero_point_gradient", lambda right, g, x, scale, *rest:
                   right(g, x, scale, *rest) / scale)),
    Wrong("learns one pass late", "QU-1", f"{SCALE}.state", schedule(1)),
    Wrong("counts two for one", "QU-1", "scale_quant_update_idx", count_from(1)),
    Wrong("range of outputs estimated while it is learned", "QU-1", f"{OUT}.delta",
          estimates_always),
]  # fmt: skip
RUNNING = [
    Wrong("weights of the average swapped", "RE-4", f"{OUT}.estimator.lo",
          function("moving_range", swapped)),
    Wrong("average with the first batch counted twice", "RE-4", f"{OUT}.estimator.lo",
          function("moving_range", lambda right, lo, hi, *rest: (lo, hi))),
    Wrong("learned scale applied twice", "PP-3", "output_factor",
          function("merged_scale", lambda right, r, s: right(right(r, s), s))),
]  # fmt: skip
PERCENTILE = [
    Wrong("percentile of one side", "RE-2", f"{OUT}_hi",
          function("percentile_range", lambda right, x, p, both: right(x, p, False))),
    Wrong("percentile ignored", "RE-2", f"{OUT}_lo",
          function("percentile_range", lambda right, x, *rest: spec.value_range(x))),
    Wrong("percentile of the nearest number", "RE-2", f"{OUT}_lo",
          function("percentile_range", lambda right, x, p, both: tuple(
              np.percentile(x, q, axis=1, method="nearest") for q in (p, 100 - p)))),
]  # fmt: skip
ALL = [
    Wrong("extremes of this batch alone", "RE-3", f"{OUT}.estimator.lo",
          function("widest_range", lambda right, lo, hi, *rest: (lo, hi))),
]  # fmt: skip
GRID = [
    Wrong("absolute errors", "RE-11", f"{OUT}.estimator.losses",
          function("squared_errors", absolute_errors)),
    Wrong("losses of this batch alone", "RE-11", f"{OUT}.estimator.losses",
          function("least_loss", lambda right, losses, before: right(losses, None))),
    Wrong("last of the best", "RE-11", f"{OUT}_lo",
          function("least_loss", lambda right, losses, before: (
              right(losses, before)[0], right(losses, before)[1] * 0))),
]  # fmt: skip
GOLDEN = [
    Wrong("search within wider limits", "RE-8", f"{OUT}_lo",
          function("search_limits", lambda right, lo, hi, margin: tuple(
              2 * limit for limit in right(lo, hi, margin)))),
    Wrong("largest loss wanted", "RE-8", f"{OUT}_lo",
          function("squared_errors", lambda right, *args: -right(*args))),
]  # fmt: skip
EVALUATION = [
    Wrong("evaluation estimates", "QU-1", f"{SCALE}.delta", estimates_always),
]  # fmt: skip
FIRST_EVALUATION = [
    Wrong("evaluation does not fix", "QU-1", f"{SCALE}.state", never_fixed),
]  # fmt: skip
WRONG = {
    "symmetric": SYMMETRIC,
    "asymmetric": ASYMMETRIC,
    "learned": LEARNED,
    "running": RUNNING,
    "percentile": PERCENTILE,
    "all": ALL,
    "grid": GRID,
    "golden": GOLDEN,
    "evaluation": EVALUATION,
    "first evaluation": FIRST_EVALUATION,
}
"""Mistakes by the configuration that shows them."""

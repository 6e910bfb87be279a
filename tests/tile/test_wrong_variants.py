"""Wrong tiles, each with one plausible mistake: the comparison with exact arithmetic rejects them all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, given, settings

import refsim as rs
from refsim.tile import core, modifier
from refsim.tile import settings as tile_settings
from tests.strategies import dtypes
from tests.tile.cases import Case, cases
from tests.tile.test_oracle import agrees

Patch = Callable[[pytest.MonkeyPatch], None]
pytestmark = pytest.mark.filterwarnings("ignore::refsim.errors.RangeWarning")
Tile = rs.TorchInferenceTile
SEARCH = settings(
    max_examples=2000,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    report_multiple_bugs=False,
)


def without_management_term(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(core, "management_term", lambda ops, r, g, ga, dv, trace: dv)


def without_shortcut(patch: pytest.MonkeyPatch) -> None:
    original = core.noise_management
    patch.setattr(core, "noise_management", lambda *given_: (original(*given_)[0], False))


def shortcut_despite_input_noise(patch: pytest.MonkeyPatch) -> None:
    original = core.noise_management

    def changed(ops: Any, v: Any, s: Any) -> Any:
        return original(ops, v, replace(s, dac=replace(s.dac, noise=v.dtype.type(0))))

    patch.setattr(core, "noise_management", changed)


def changed_range_sums(patch: pytest.MonkeyPatch, change: Callable[[Any, Any], Any]) -> None:
    original = Tile._range_gradient

    def changed(tile: Any, given: Any, sums: Any, trace: Any) -> Any:
        return original(tile, given, sums and change(given, sums), trace)

    patch.setattr(Tile, "_range_gradient", changed)


def without_residual(patch: pytest.MonkeyPatch) -> None:
    def change(given: Any, sums: Any) -> Any:
        return replace(sums, output_sum=0 * sums.output_sum, input_sum=0 * sums.input_sum)

    changed_range_sums(patch, change)


def residual_without_the_scales(patch: pytest.MonkeyPatch) -> None:
    def change(given: Any, sums: Any) -> Any:
        return sums if given.s is None else replace(sums, output_sum=sums.output_sum / given.s[0])

    changed_range_sums(patch, change)


def scales_one_ulp_off(patch: pytest.MonkeyPatch) -> None:
    original = Tile._kappa

    def changed(tile: Any, r: Any) -> Any:
        kappa, s = original(tile, r), tile.value("mapping_scales")
        return kappa if r is None or s is None else np.nextafter(kappa, np.inf, dtype=kappa.dtype)

    patch.setattr(Tile, "_kappa", changed)


def initialised_in_eval(patch: pytest.MonkeyPatch) -> None:
    original = Tile._current_range

    def changed(tile: Any, *given_: Any) -> Any:
        mode, tile.training = tile.training, True
        try:
            return original(tile, *given_)
        finally:
            tile.training = mode

    patch.setattr(Tile, "_current_range", changed)


def only_trained_passes_count(patch: pytest.MonkeyPatch) -> None:
    original = Tile._commit

    def changed(tile: Any, *given_: Any) -> None:
        step = tile.step
        original(tile, *given_)
        tile.step = tile.step if tile.training else step

    patch.setattr(Tile, "_commit", changed)


def one_sample_for_all_rows(patch: pytest.MonkeyPatch) -> None:
    original = modifier.effective_weight

    def changed(tile: Any, noise: Any, rows: int) -> Any:
        weight = original(tile, noise, rows)
        return weight[:1].repeat(rows, axis=0) if weight.ndim == 3 else weight

    patch.setattr(modifier, "effective_weight", changed)


def changed_settings(**changes: Callable[[Any], Any]) -> Patch:
    def apply(patch: pytest.MonkeyPatch) -> None:
        original = tile_settings.core

        def changed(io: Any, T: Any) -> Any:
            s = original(io, T)
            return replace(s, **{name: change(s) for name, change in changes.items()})

        patch.setattr(tile_settings, "core", changed)

    return apply


VARIANTS: dict[str, Patch] = {
    "no gradient through the divisor of noise management": without_management_term,
    "no all-zero shortcut": without_shortcut,
    "all-zero shortcut despite input noise": shortcut_despite_input_noise,
    "range gradient by the rule alone": without_residual,
    "residual without mapping scales": residual_without_the_scales,
    "scales one ulp off": scales_one_ulp_off,
    "initialisation from data in eval": initialised_in_eval,
    "eval passes do not count": only_trained_passes_count,
    "one weight sample for all rows": one_sample_for_all_rows,
    "bound management stops one pass early": changed_settings(
        beta_limit=lambda s: s.beta_limit / 2
    ),
    "bound management goes on for ever": changed_settings(beta_limit=lambda s: 1e6),
    "perfect keeps out_scale": changed_settings(perfect=lambda s: s.perfect and s.out_scale == 1),
    "no cap of the divisor": changed_settings(noise_cap=lambda s: type(s.noise_cap)(np.inf)),
    "no input asymmetry": changed_settings(
        dac=lambda s: replace(s.dac, negative_factor=type(s.out_scale)(1))
    ),
    "no output asymmetry": changed_settings(
        adc=lambda s: replace(s.adc, negative_factor=type(s.out_scale)(1))
    ),
    "rounding of inputs to nearest": changed_settings(
        dac=lambda s: replace(s.dac, stochastic=False)
    ),
}


@pytest.mark.parametrize("name", VARIANTS)
def test_a_wrong_tile_is_rejected(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    @SEARCH
    @given(case=dtypes.flatmap(cases))
    def search(case: Case) -> None:
        agrees("spec", case)

    VARIANTS[name](monkeypatch)
    with pytest.raises((AssertionError, rs.StateError, pytest.fail.Exception)):
        search()

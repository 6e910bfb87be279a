"""The formula of each stage of a trace, as text with the symbols in braces.

The same text is shown twice: with the symbols, and with their numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .quantised_formulas import QUANTISED_SYMBOLS, quantised_formulas


@dataclass(frozen=True)
class Facts:
    """What decides the form of the formulas: which steps there are, and on which side of a mask the element is."""

    has: frozenset[str]
    """Names of the stages, and of factors that are there: ``s``, ``a``, ``grid_in``, ``grid_out``;
    ``quantised`` for a quantised tile."""
    true: frozenset[str]
    """Names of masks and conditions that hold for the element."""


SYMBOLS: Mapping[str, str] = {
    "input": "x", "stored_range": "r₀", "range_counter": "k", "deviation": "sd", "input_range": "r",
    "clip_mask": "clipped", "clipped_input": "c", "scaled_input": "v", "weight_noise": "ξw",
    "weight_sto_round": "uw", "effective_weight": "w", "management_peak": "α̂", "management_index": "i*",
    "management_mask": "depends on x", "noise_management_scale": "α", "bound_management_factor": "β",
    "input_scale": "σ", "inp_sto_round": "u", "rounded_input": "q", "input_level": "level",
    "dac_clip_mask": "clipped", "inp_noise": "ξ", "negative_mask": "d < 0", "converted_input": "d",
    "product": "m", "out_noise": "ξₒ", "out_sto_round": "uₒ", "rounded_output": "t", "output_level": "level",
    "adc_clip_mask": "clipped", "output_code": "code", "core_output": "z", "within_bound": "stop",
    "output_factor": "κ", "scaled_output": "y₁", "out_scaling_alpha": "a", "output": "y",
    "output_gradient": "G", "out_scaling_gradient": "∂a", "scaled_output_gradient": "Ga",
    "core_output_gradient": "Gz", "adc_pass_mask": "passes", "product_gradient": "Gm",
    "core_weight_gradient": "∂w", "converted_input_gradient": "Gd", "dac_pass_mask": "passes",
    "scaled_gradient": "Gq", "unmanaged_gradient": "Gv", "management_output_sum": "A",
    "management_input_sum": "B", "management_gradient": "∂α", "scaled_input_gradient": "Gv",
    "weight_gradient": "∂W", "clipped_input_gradient": "Gc", "clip_pass_mask": "passes",
    "input_gradient": "∂x", "range_rule_upper": "S₊", "range_rule_lower": "S₋", "range_rule": "R",
    "unclipped_fraction": "p", "range_rule_with_decay": "R′",
    "output_clip_mask": "clipped", "unclipped_output_fraction": "pₒ", "range_rule_with_growth": "R₁",
    "range_output_sum": "P",
    "range_input_sum": "Q", "range_residual": "ρ", "range_gradient": "∂r", **QUANTISED_SYMBOLS,
}  # fmt: skip

GIVEN = "given"
DRAWN = "drawn"


def formulas(f: Facts) -> dict[str, str]:
    """The formula of every stage of both passes."""
    found = _input(f) | _converters(f) | _output(f) | _core_gradients(f) | _range_gradient(f)
    return found | (quantised_formulas(f.has, _core_output(f)) if "quantised" in f.has else {})


def _when(condition: object, yes: str, no: str = "") -> str:
    return yes if condition else no


def _core_output(f: Facts) -> str:
    """The output of the core: the product itself if that is perfect."""
    return _when("core_output" in f.has, "{z}", "{m}")


def _input(f: Facts) -> dict[str, str]:
    ranged = "input_range" in f.has
    initialised = _when("initialised" in f.true, "|({r₀}·{k} + {γ}·{sd}) / ({k} + 1)|", "{r₀}")
    managed = _when("managed" in f.true, "min({α̂}, {θ})", _when("constant" in f.true, "{θ}", "1"))
    return {
        "input": GIVEN,
        "stored_range": GIVEN,
        "range_counter": GIVEN,
        "deviation": "standard deviation of all x",
        "input_range": initialised,
        "clip_mask": "|{x}| > |{r}|",
        "clipped_input": _when(ranged, "clip({x}, |{r}|)", "{x}"),
        "scaled_input": _when(ranged, "{c} / {r}", "{c}"),
        "weight_noise": DRAWN,
        "weight_sto_round": DRAWN,
        "effective_weight": _weight(f),
        "management_peak": _when("absolute" in f.true, "max |v| of the row", "max v of the row"),
        "management_index": "where the peak is first",
        "management_mask": "0 < {α̂} ≤ {θ}",
        "noise_management_scale": managed,
    }


def _weight(f: Facts) -> str:
    if "additive" in f.true:
        return "{w₀} + {ηw}·{ξw}"
    if "multiplicative" in f.true:
        return "{w₀}·(1 + {ηw}·{ξw})"
    if "discrete" in f.true:
        return f"rint({{w₀}} / {{Δw}}{_when('weight_sto_round' in f.has, ' + {uw}')})·{{Δw}}"
    return "{w₀}"


def _converters(f: Facts) -> dict[str, str]:
    rounded = f"rint({{v}}·{{σ}} / {{Δ}}{_when('inp_sto_round' in f.has, ' + {u}')})·{{Δ}}"
    unclipped = "clip({q}, {b})" + _when("inp_noise" in f.has, " + {η}·{ξ}")
    negative = _when("inp_noise" in f.has, f"({unclipped})", unclipped)
    m = _when("negative_product" in f.true, "{m}·{fₒ}", "{m}")
    noisy = f"{m} + {{ηₒ}}·{{ξₒ}}"
    m, dividend = (noisy, f"({noisy})") if "out_noise" in f.has else (m, m)
    t = f"rint({dividend} / {{Δₒ}}{_when('out_sto_round' in f.has, ' + {uₒ}')})·{{Δₒ}}"
    return {
        "bound_management_factor": "1, 2, 4, … over the passes",
        "input_scale": "1 / {α} / {β}",
        "inp_sto_round": DRAWN,
        "rounded_input": _when("grid_in" in f.has, rounded, "{v}·{σ}"),
        "input_level": "{q} / {Δ}",
        "dac_clip_mask": "|{q}| > {b}",
        "inp_noise": DRAWN,
        "negative_mask": f"{unclipped} < 0",
        "converted_input": _when("negative_mask" in f.true, f"{negative}·{{f}}", unclipped),
        "product": "{Σdw}",
        "out_noise": DRAWN,
        "out_sto_round": DRAWN,
        "rounded_output": _when("grid_out" in f.has, t, m),
        "output_level": "{t} / {Δₒ}",
        "adc_clip_mask": "|{t}| > {bₒ}",
        "output_code": "clip({t}, {bₒ})",
        "core_output": _when("output_code" in f.has, "{code}·({o} / {σ})", "0: all inputs are 0"),
        "within_bound": "all |t| ≤ {bₒ}",
    }


def _output(f: Facts) -> dict[str, str]:
    ranged, scaled = "input_range" in f.has, "s" in f.has
    return {
        "output_factor": "·".join(["{r}"] * ranged + ["{s}"] * scaled),
        "scaled_output": _core_output(f) + _when(ranged or scaled, "·{κ}"),
        "out_scaling_alpha": GIVEN,
        "output": _when("a" in f.has, "{y₁}·{a}", "{y₁}"),
    }


def _core_gradients(f: Facts) -> dict[str, str]:
    perfect, learned = "output_code" not in f.has, "a" in f.has
    scaled = "input_range" in f.has or "s" in f.has
    m = "{Gz}·({o} / {σ})" + _when("negative_product" in f.true, "·{fₒ}")
    q = "{Gd}" + _when("negative_mask" in f.true, "·{f}")
    peak = _when("peak" in f.true, "{Gv} + {∂α}·{sign}", "{Gv}")
    return {
        "output_gradient": GIVEN,
        "out_scaling_gradient": "{G}·{y₁}",
        "scaled_output_gradient": "{G}·{a}",
        "core_output_gradient": _when(learned, "{Ga}", "{G}") + _when(scaled, "·{κ}"),
        "adc_pass_mask": "|{t}| ≤ {bₒ}",
        "product_gradient": _when("adc_pass_mask" in f.true, m, "0: blocked"),
        "core_weight_gradient": _when(perfect, "{Gz}·{v}", "{Gm}·{d}"),
        "converted_input_gradient": "{Gm}·{w}",
        "dac_pass_mask": "|{q}| ≤ {b}",
        "scaled_gradient": _when("dac_pass_mask" in f.true, q, "0: blocked"),
        "unmanaged_gradient": "{Gq}·{σ}",
        "management_output_sum": "{Gz}·{code}",
        "management_input_sum": "{ΣGqv}",
        "management_gradient": "−({B} − {A}·({o} / {σ}) / {σ})·({σ} / {α})",
        "scaled_input_gradient": _when(perfect, "{Gz}·{w}", peak),
        "weight_gradient": _when("s" in f.has, "{∂w} / {s} / {s}", "{∂w}"),
    }


def _range_gradient(f: Facts) -> dict[str, str]:
    gradient = _when("a" in f.has, "{Ga}", "{G}")
    return {
        "clipped_input_gradient": "{Gv} / {r}",
        "clip_pass_mask": "|{x}| ≤ |{r}|",
        "input_gradient": _when("clip_pass_mask" in f.true, "{Gc}", "0: blocked"),
        "range_rule_upper": "Σ min(Gc, 0) where c ≥ {r}",
        "range_rule_lower": "Σ max(Gc, 0) where c ≤ −{r}",
        "range_rule": "({S₊} − {S₋})" + _when("relative" in f.true, "·{r}") + "·{g}",
        "unclipped_fraction": "share of |c| < {r}",
        "output_clip_mask": _when("inclusive" in f.true, "|{z}| ≥ {bₘ}", "|{t}| > {bₘ}"),
        "unclipped_output_fraction": "1 less the share of clipped outputs",
        "range_rule_with_growth": "{R}" + _when("grows" in f.true, " − (1 − {pₒ})·{r}"),
        "range_rule_with_decay": _when("range_rule_with_growth" in f.has, "{R₁}", "{R}")
        + _when("decays" in f.true, " + {λ}·{r}"),
        "range_output_sum": gradient + _when("s" in f.has, "·{s}") + "·" + _core_output(f),
        "range_input_sum": "{ΣGvv}",
        "range_residual": "{P} − {Q} / {r}",
        "range_gradient": _when("range_rule" in f.has, "{R′} + {ρ}", "0: all inputs are 0"),
    }


def used(values: Mapping[str, Any], template: str, symbols: bool) -> str:
    """A formula with its symbols or with the texts of ``values``."""
    shown = {name: SUMS.get(name, name) for name in values} if symbols else values
    return template.format_map(shown)


SUMS: Mapping[str, str] = {"Σdw": "Σ d·w", "ΣGqv": "Σ Gq·v", "ΣGvv": "Σ Gv·v"}

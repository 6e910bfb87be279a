"""The formulas of the stages that only a quantised tile has, or has in another form."""

from __future__ import annotations

from collections.abc import Mapping, Set

__all__ = ["QUANTISED_SYMBOLS", "quantised_formulas"]

_QUANTISERS = {"scale_quantizer": ("ₖ", "κ"), "out_quantizer": ("ₒ", "y₁")}
"""Sign of each quantiser, and the symbol of what it quantises."""
_PARTS = {"lo": "l", "hi": "h", "step": "s", "zero_point": "z", "codes": "n"}
QUANTISED_SYMBOLS: Mapping[str, str] = {
    **{
        f"{name}_{part}": symbol + sign
        for name, (sign, _) in _QUANTISERS.items()
        for part, symbol in _PARTS.items()
    },
    "scale_quantizer_quantised": "κ̂",
    "out_quantizer_quantised": "ŷ",
    "out_quantizer_gradient": "Gy",
    "quantised_factor_gradient": "∂κ̂",
    "scale_quantizer_gradient": "∂κ",
    "factor_gradient": "∂κ",
}


def quantised_formulas(has: Set[str], core: str) -> dict[str, str]:
    """The formulas, from the names of the stages and factors that are there and the symbol of the core output."""
    scaled, coded = "scale_quantizer_codes" in has, "out_quantizer_codes" in has
    factors = [
        symbol
        for name, symbol in (("input_range", "{r}"), ("s", "{s}"), ("a", "{a}"))
        if name in has
    ]
    factor = ("{κ̂}" if scaled else "{κ}") if factors else ""
    gradient = "{Gy}" if coded else "{G}"
    others = "·".join(factors[1:] if "input_range" in has else factors[:-1])
    made = {
        "output_factor": "·".join(factors),
        "scaled_output": "·".join(filter(None, (core, factor))),
        "output": "{ŷ}" if coded else "{y₁}",
        "out_quantizer_gradient": "{G} where the code is not clipped, else 0",
        "quantised_factor_gradient": f"Σ {gradient.strip('{}')}·{core.strip('{}')} over the batch",
        "scale_quantizer_gradient": "{∂κ̂} where the code is not clipped, else 0",
        "factor_gradient": "{∂κ}" if scaled else "{∂κ̂}",
        "out_scaling_gradient": "·".join(["{∂κ}", *factors[:-1]]),
        "core_output_gradient": "·".join(filter(None, (gradient, factor))),
        "range_output_sum": f"Σ ∂κ{others and '·'}{others.replace('{', '').replace('}', '')}",
    }
    for name, (sign, x) in _QUANTISERS.items():
        made |= {f"{name}_{part}": text for part, text in _one(sign, x).items()}
    return made


def _one(sign: str, x: str) -> dict[str, str]:
    """The formulas of one quantiser."""
    s, z, n = (f"{{{symbol}{sign}}}" for symbol in "szn")
    return {
        "lo": f"lower end of the range of {x}",
        "hi": f"upper end of the range of {x}",
        "step": "step of the grid over the range",
        "zero_point": "code of zero",
        "codes": f"rint({{{x}}} / {s}) + {z}, clipped",
        "quantised": f"{s}·({n} − {z})",
    }

"""What a waiver may name: the clauses, and the stages at which a finding may show."""

from __future__ import annotations

from difflib import get_close_matches
from itertools import product
from typing import Final

from refsim.errors import ConfigError

__all__ = ["STAGES", "check_waived"]

OTHERS: Final = ("state", "target")
"""In place of a clause."""
RESULTS: Final = (
    "output",
    *("input_gradient", "weight_gradient", "bias_gradient"),
    *("range_gradient", "out_scaling_gradient", "factor_gradient"),
)
STATE: Final = (
    *("weight", "bias", "input_range", "input_range_update_idx", "mapping_scales"),
    *("out_scaling_alpha", "average_abs_max", "backward_average_abs_max", "before"),
    *("scale_quant_update_idx", "bias_quant_update_idx"),
    *("out_noise_values", "backward_out_noise_values"),
)
FORWARD: Final = (
    *("deviation", "range_counter", "stored_range", "clip_mask", "clipped_input", "scaled_input"),
    *("noise_management_scale", "input_scale", "rounded_input", "dac_clip_mask"),
    *("converted_input", "input_level", "effective_weight", "product", "rounded_output"),
    *("output_level", "adc_clip_mask", "output_code", "within_bound", "bound_management_factor"),
    *("core_output", "negative_mask", "output_factor", "scaled_output", "shifted_output"),
    *("management_index", "management_input_sum", "management_output_sum", "management_peak"),
)
BACKWARD: Final = (
    *("output_gradient", "output_clip_mask", "masked_output_gradient", "scaled_output_gradient"),
    *("quantised_bias_gradient", "quantised_factor_gradient", "core_output_gradient"),
    *("adc_pass_mask", "product_gradient", "core_weight_gradient", "rate_compensation"),
    *("converted_input_gradient", "dac_pass_mask", "management_gradient", "management_mask"),
    *("unmanaged_gradient", "scaled_gradient", "scaled_input_gradient", "clip_pass_mask"),
    *("clipped_input_gradient", "range_rule_upper", "range_rule_lower", "range_rule"),
    *("unclipped_fraction", "range_rule_with_decay", "unclipped_output_fraction"),
    *("range_rule_with_growth", "range_output_sum", "range_input_sum", "range_residual"),
    "unscaled_output_gradient",
)
QUANTISERS: Final = ("scale_quantizer", "bias_quantizer", "out_quantizer")
OF_QUANTISER: Final = (
    *(".delta", ".zero_float", ".signed", ".state", ".estimator.lo", ".estimator.hi"),
    *(".estimator.losses", "_lo", "_hi", "_step", "_zero_point", "_codes", "_quantised"),
    *("_gradient", "_delta_gradient", "_zero_float_gradient"),
)
FAILURES: Final = ("error", "crash", "timeout", "memory", "malformed")
STAGES: Final = frozenset(
    {
        *RESULTS,
        *STATE,
        *FORWARD,
        *BACKWARD,
        *FAILURES,
        *map("".join, product(QUANTISERS, OF_QUANTISER)),
    }
)
"""All stages but those of laws, whose names are in :data:`refsim.conformance.laws.LAWS`."""


def check_waived(text: str, where: str) -> None:
    """Refuse a clause, or a clause and a stage, that no finding has.

    Parameters
    ----------
    text
        ``"IR-8"``, or ``"IR-8 range_residual"``; in place of a stage the name of a law.
    where
        What it is, for the message.

    Raises
    ------
    ConfigError
        If there is no such clause or stage.

    Examples
    --------
    >>> check_waived("IR-8 range_residual", "clause")
    >>> check_waived("IR-8 range_residue", "clause")
    Traceback (most recent call last):
        ...
    refsim.errors.ConfigError: clause is 'IR-8 range_residue', but there is no stage 'range_residue';
    did you mean range_residual?
    """
    clause, _, stage = text.partition(" ")
    known = _clauses()
    if clause not in known:
        raise ConfigError(
            f"{where} is {text[:80]!r}, but there is no clause {clause[:40]!r}; "
            f"{_hint(clause, known, 'IR-8 for example, or IR-8 range_residual for one stage of it')}"
        )
    names = STAGES | _laws()
    if stage and stage not in names:
        raise ConfigError(
            f"{where} is {text[:80]!r}, but there is no stage {stage[:60]!r}; "
            f"{_hint(stage, names, 'those of a trace, results, and entries of the state')}"
        )


def _hint(name: str, known: frozenset[str], allowed: str) -> str:
    close = get_close_matches(name, sorted(known), n=1)
    return f"did you mean {close[0]}?" if close else f"allowed is {allowed}."


def _clauses() -> frozenset[str]:
    from refsim.conformance.generated import clauses

    return frozenset({*clauses().values(), *OTHERS})


def _laws() -> frozenset[str]:
    from refsim.conformance.laws import LAWS

    return frozenset(law.name for law in LAWS)

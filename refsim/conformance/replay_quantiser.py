"""The replay of a recorded case of a quantiser alone."""

from __future__ import annotations

import re
from typing import Any, Final

from refsim.config import Choices
from refsim.tile import Quantiser

from .comparison import Comparison
from .recipe import UnsupportedCase
from .vectors import Case, Recording

__all__ = ["INPUTS", "replay_quantiser"]

INPUTS: Final = re.compile(r"x|g|range_min|range_max")
"""Names of the arrays that were given to the quantiser."""
_AXES: Final[dict[str | None, int | None]] = {None: None, "per_channel": 0, "axis1": 1}
_ENTRIES: Final = {
    "n_bits",
    "symmetric",
    "scale_domain",
    "range",
    "int_min",
    "int_max",
    "signed",
    "kind",
}


def replay_quantiser(
    recording: Recording, case: Case, choices: Choices, backend: str, run: Comparison
) -> None:
    """Replay a case of a quantiser alone: values, codes, parameters, ends of the grid and gradients.

    Raises
    ------
    UnsupportedCase, ConfigError
        If there is something in the case that this version does not have.
    """
    entries, arrays = case.entries, run.arrays
    unknown = sorted(entries.keys() - _ENTRIES)
    if unknown or entries.get("kind") not in _AXES:
        raise UnsupportedCase(f"the case has {unknown or entries.get('kind')!r}")
    quantiser = Quantiser(
        entries.get("n_bits", 0),
        entries.get("symmetric", True),
        entries.get("scale_domain", "linear"),
        axis=_AXES[entries.get("kind")],
        data_type=case.dtype,
        backend=backend,
    )
    with run.until_an_error():
        quantiser.set_quant_range(*_range(case, arrays))
        for name, found in _results(quantiser, arrays).items():
            if name in arrays:
                run.compare(name, found)
        _compare_entries(quantiser, case, run)


def _range(case: Case, arrays: Any) -> tuple[Any, Any]:
    if "range" not in case.entries:
        return arrays["range_min"], arrays["range_max"]
    lo, hi = case.entries["range"]
    return case.dtype.type(lo), case.dtype.type(hi)


def _results(quantiser: Quantiser, arrays: Any) -> dict[str, Any]:
    x, g = arrays["x"], arrays["g"]
    gradients, typed = quantiser.gradients(g, x), quantiser.typed(quantiser.grid())
    lo, hi = quantiser.representable()
    return {
        "y": quantiser.quantised(x),
        "x_int": quantiser.codes(x),
        "delta": quantiser.delta,
        "zero_float": quantiser.zero_float,
        "zero_point": typed.zero.reshape(quantiser.delta.shape),
        "x_min": lo,
        "x_max": hi,
        "dx": gradients.x,
        "ddelta": gradients.delta,
        "dzero_float": gradients.zero_float,
    }


def _compare_entries(quantiser: Quantiser, case: Case, run: Comparison) -> None:
    """Code range and sign, which must be exact."""
    typed = quantiser.typed(quantiser.grid())
    found = {
        "int_min": float(typed.int_min),
        "int_max": float(typed.int_max),
        "signed": quantiser.signed,
    }
    for name, value in found.items():
        if name in case.entries and case.entries[name] != value:
            run.result.failures[name] = f"{value}, recorded is {case.entries[name]}."

"""The clause that a small failing case points at, where neither stages nor a known mistake tell."""

from __future__ import annotations

from collections import Counter
from typing import Final

from refsim.conformance.cases import features

from .finding import Finding

__all__ = ["localised"]

FORWARD: Final = (
    ("output_quantiser", "QU-9"),
    ("quantised_periphery", "QU-9"),
    ("bound_management", "BM-2"),
    ("noise_management", "NM-3"),
    ("weight_modifier", "WM-4"),
    ("asymmetry", "DC-4"),
    ("adc", "DC-4"),
    ("dac", "DC-3"),
    ("data_init", "IR-1"),
    ("mapping_scales", "PP-3"),
    ("out_scaling", "PP-3"),
    ("bias", "PP-2"),
    ("input_range", "IR-2"),
)
"""What is still switched on in a case that cannot be made simpler, and the clause behind it."""
BACKWARD: Final = {
    "range_gradient": (
        ("output_clipping", "IR-11"),
        ("decay", "IR-7"),
        ("dac", "IR-8"),
        ("adc", "IR-8"),
        ("learned_range", "IR-4"),
    ),
    "weight_gradient": (("mapping_scales", "MS-3"), ("adc", "BP-1"), ("backward", "MV-4")),
    "input_gradient": (
        ("noise_management", "NM-5"),
        ("dac", "BP-2"),
        ("adc", "BP-1"),
        ("asymmetry", "BP-2"),
        ("weight_modifier", "MV-3"),
        ("input_range", "IR-9"),
        ("backward", "MV-3"),
    ),
}


def localised(finding: Finding, votes: Counter[str]) -> str:
    """The clause of a finding, by the examples that fail and by what its case cannot do without.

    Parameters
    ----------
    finding
        A violation in a result.
    votes
        Number of failing examples, by clause.
    """
    asked = features(finding.case)
    ways = FORWARD if finding.stage == "output" else BACKWARD.get(finding.stage)
    if ways is None:
        return finding.clause
    possible = [clause for feature, clause in ways if feature in asked]
    voted = [clause for clause, _ in votes.most_common() if clause in possible]
    if voted:
        return voted[0]
    return possible[0] if possible else finding.clause

"""The clause that a small failing case points at, where neither stages nor a known mistake tell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from refsim.conformance.cases import Case

from .finding import Finding
from .simpler import switched_on

__all__ = ["localised"]

MANUAL: Final = ("InferenceRPUConfig", "CustomRPUConfig")
BP_OF_MANUAL: Final = {"BP-1": "BP-4"}
"""The mask of outputs on the manual path."""
MODIFIERS: Final = {"ADD_NORMAL": "WM-2", "MULT_NORMAL": "WM-3", "DISCRETIZE": "WM-4"}
OUTPUT: Final = {
    "act_quant_config.n_bits": "QU-9",
    "pre_post.periph_quant.n_bits": "QU-9",
    "forward.bound_management": "BM-2",
    "forward.noise_management": "NM-3",
    "forward.out_noise_std": "DC-4",
    "forward.out_noise": "DC-4",
    "forward.inp_noise": "DC-3",
    "forward.out_asymmetry": "DC-4",
    "forward.inp_asymmetry": "DC-3",
    "forward.out_res": "DC-4",
    "forward.inp_res": "DC-3",
    "forward.out_scale": "DC-5",
    "forward.out_bound": "DC-2",
    "forward.inp_bound": "DC-2",
    "pre_post.input_range.init_from_data": "IR-1",
    "pre_post.input_range.enable": "IR-2",
}
"""What is still switched on in a case that cannot be made simpler, and the clause behind it; the first one counts."""
RANGE: Final = {
    "pre_post.input_range.manage_output_clipping": "IR-11",
    "pre_post.input_range.decay": "IR-7",
    "pre_post.input_range.gradient_scale": "IR-5",
    "forward.noise_management": "NM-4",
    "forward.inp_res": "IR-8",
    "forward.out_res": "IR-8",
    "forward.out_bound": "IR-8",
    "pre_post.input_range.enable": "IR-4",
}
INPUT: Final = {
    "forward.noise_management": "NM-5",
    "forward.inp_asymmetry": "BP-2",
    "forward.inp_res": "BP-2",
    "forward.inp_bound": "BP-2",
    "forward.out_asymmetry": "BP-1",
    "forward.out_res": "BP-1",
    "forward.out_bound": "BP-1",
    "pre_post.input_range.enable": "IR-9",
}
WEIGHT: Final = {
    "forward.out_asymmetry": "BP-1",
    "forward.out_res": "BP-1",
    "forward.out_bound": "BP-1",
}
STAGES: Final[Mapping[str, tuple[Mapping[str, str], str]]] = {
    "output": (OUTPUT, "MV-1"),
    "range_gradient": (RANGE, "IR-4"),
    "input_gradient": (INPUT, "MV-3"),
    "weight_gradient": (WEIGHT, "MV-4"),
}
"""For each result: the clauses behind what is switched on, and the one if nothing is."""


def localised(finding: Finding, votes: Mapping[str, float]) -> str:
    """The clause of a finding, by what its case cannot do without and by the examples that fail.

    Parameters
    ----------
    finding
        A violation in a result.
    votes
        Share of the examples that fail, by clause.
    """
    if finding.stage not in STAGES:
        return finding.clause
    table, plain = STAGES[finding.stage]
    on = switched_on(finding.case.config)
    possible = [clause for name, clause in table.items() if name in on]
    possible = [*_of_state(finding.stage, finding.case), *possible, plain]
    if type(finding.case.config).__name__ in MANUAL:
        possible = [BP_OF_MANUAL.get(clause, clause) for clause in possible]
    return max(possible, key=lambda clause: (votes.get(clause, 0) == 1, -possible.index(clause)))


def _of_state(stage: str, case: Case) -> list[str]:
    """Clauses of scales, bias and modified weights."""
    found = []
    modifier: Any = getattr(case.config, "modifier", None)
    if modifier is not None and modifier.type.name in MODIFIERS and stage == "output":
        found.append(MODIFIERS[modifier.type.name])
    if "mapping_scales" in case.state:
        found.append({"weight_gradient": "MS-3"}.get(stage, "PP-3"))
    if "out_scaling_alpha" in case.state:
        found.append("PP-1")
    if case.bias is not None and stage == "output":
        found.append("PP-2")
    return found

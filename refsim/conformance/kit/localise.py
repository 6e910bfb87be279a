"""The clause that a small failing case points at, where neither stages nor a known mistake tell."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any, Final

import numpy as np

from refsim.config import RangeEstimators
from refsim.conformance.cases import Case

from .finding import STATE, Finding
from .judge import judge
from .play import Recording
from .simpler import switched_on

__all__ = ["localised"]

FAMILIES: Final = ("BM", "NM")
"""Families of clauses of which only some belong to a tile or a setting."""
OF_EDGES: Final = ("IR-4", "IR-5")
OF_STEPS: Final = ("QU-3", "QU-4")
LATER: Final = {RangeEstimators.running_minmax: "RE-4", RangeEstimators.allminmax: "RE-3"}
"""Clauses of estimators that act from their second batch on."""
MANUAL: Final = ("InferenceRPUConfig", "CustomRPUConfig")
BP_OF_MANUAL: Final = {"BP-1": "BP-4"}
"""The mask of outputs on the manual path."""
MODIFIERS: Final = {"ADD_NORMAL": "WM-2", "MULT_NORMAL": "WM-3", "DISCRETIZE": "WM-4"}
OF_BIAS: Final = {"output": "PP-2", "range_gradient": "IR-8"}
"""Clauses behind a bias that a case cannot do without; in the gradient of the range only the residual knows outputs."""
OUTPUT: Final = {
    "act_quant_config.n_bits": "QU-9 QU-8 QU-7",
    "pre_post.periph_quant.n_bits": "QU-9 QU-8 QU-7",
    "forward.out_noise_std": "DC-4",
    "forward.out_noise": "DC-4",
    "forward.inp_noise": "DC-3",
    "forward.bound_management": "BM-2 BM-1",
    "forward.noise_management": "NM-3 NM-1 NM-2 DC-5",
    "forward.out_asymmetry": "DC-4",
    "forward.inp_asymmetry": "DC-3",
    "forward.out_res": "DC-4",
    "forward.inp_res": "DC-3",
    "forward.out_scale": "DC-5",
    "forward.out_bound": "DC-2",
    "forward.inp_bound": "DC-2",
    "pre_post.input_range.init_from_data": "IR-1",
    "pre_post.input_range.enable": "IR-2 IR-3 PP-1",
}
"""What is still switched on in a case that cannot be made simpler, and the clauses behind it; the first ones count."""
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
    "forward.noise_management": "NM-5 NM-4",
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


def localised(finding: Finding, votes: Mapping[str, float], recording: Recording) -> str:
    """The clause of a finding, by what its case cannot do without and by the examples that fail.

    Parameters
    ----------
    finding
        A violation in a result.
    votes
        Share of the examples that fail, by clause.
    recording
        What the implementation did in the case of the finding.
    """
    if finding.clause == "OP-1":
        return _of_update(finding)
    if finding.clause in OF_STEPS and finding.stage.endswith((".delta", ".zero_float")):
        return _of_step(finding)
    if finding.stage not in STAGES:
        return finding.clause
    table, plain = STAGES[finding.stage]
    on = switched_on(finding.case.config)
    groups = [clauses.split() for name, clauses in table.items() if name in on]
    first = sum(name.endswith("n_bits") for name in on & table.keys())
    groups[first:first] = _of_state(finding.stage, finding.case)
    groups.append([plain])
    manual = type(finding.case.config).__name__ in MANUAL
    if manual:
        groups = [[BP_OF_MANUAL.get(clause, clause) for clause in group] for group in groups]
    part = judge(recording).clauses
    ranked = [
        (one, -place)
        for place, group in enumerate(groups)
        for clause in group
        for one in _taking_part(clause, part)
    ]
    share = {clause: votes.get(clause, 0.0) for clause, _ in ranked}
    found = max(ranked, key=lambda one: (share[one[0]] == 1, one[1], share[one[0]]))[0]
    if found in OF_EDGES and not _at_an_edge(finding, recording):
        return "IR-7" if manual else "IR-8"
    return found


def _taking_part(clause: str, part: Set[str]) -> list[str]:
    """The clause, or those of its family that took part in the case if it did not; the last ones first."""
    if clause in part or clause[:2] not in FAMILIES:
        return [clause]
    return sorted((one for one in part if one[:2] == clause[:2]), reverse=True)


def _at_an_edge(finding: Finding, recording: Recording) -> bool:
    """Whether an input is at the range or beyond, so that the rule has terms."""
    r = recording.observations[finding.step].passed.get("input_range")
    x = finding.case.steps[finding.step].x
    return r is None or bool((np.abs(x) >= np.abs(r)).any())


def _of_step(finding: Finding) -> str:
    """The clause of a wrong step or zero point: that of the estimator without which the case does not fail."""
    config, steps = finding.case.config, finding.case.steps[: finding.step + 1]
    output = finding.stage.startswith("out_quantizer")
    p = config.act_quant_config if output else config.pre_post.periph_quant
    if any(step.reload for step in steps):
        return STATE
    if p.range_estimator == RangeEstimators.current_minmax:
        return "RE-2" if p.range_estimator_params.percentile else finding.clause
    again = sum(step.training for step in steps) > 1
    return LATER.get(p.range_estimator, finding.clause) if again else finding.clause


def _of_update(finding: Finding) -> str:
    """The clause of a parameter after a step: that of a remap or clip without which the case does not fail."""
    on = switched_on(finding.case.config)
    if "remap.type" in on:
        return "MS-1"
    return "WP-2" if "clip.type" in on else finding.clause


def _of_state(stage: str, case: Case) -> list[list[str]]:
    """Clauses of bias, modified weights and scales."""
    found = []
    modifier: Any = getattr(case.config, "modifier", None)
    if case.bias is not None and stage in OF_BIAS:
        found.append([OF_BIAS[stage]])
    if modifier is not None and modifier.type.name in MODIFIERS and stage == "output":
        found.append([MODIFIERS[modifier.type.name]])
    if "mapping_scales" in case.state:
        found.append(["MS-3"] if stage == "weight_gradient" else ["PP-3", "PP-1"])
    if "out_scaling_alpha" in case.state:
        found.append(["PP-1"])
    return found

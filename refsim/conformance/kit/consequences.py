"""Findings that are there only because of an earlier one, by evidence from the implementation itself."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from refsim.config import BoundManagementType
from refsim.conformance.cases import Case
from refsim.errors import RangeWarning, RefsimError, TargetFailure, Unsupported

from .finding import Finding
from .judge import judge
from .play import Observation, Recording, play

if TYPE_CHECKING:
    from .diagnosis import Failure
    from .verify import Session

__all__ = ["grouped"]

SIMILAR: Final = 3
"""Further failing cases in which the earlier finding has to show as well."""
STORED: Final = ("weight", "bias", "mapping_scales", "out_scaling_alpha")
"""State that later passes are judged from, so that nothing follows from a wrong value."""
FROM_INPUT_GRADIENT: Final = ("range_gradient",)
OF_GRADIENTS: Final = ("MV-3", "MV-4", "SU-2", "SU-3", "IR-4", "QU-11", "OP-1", "state")
"""Clauses of laws about gradients, and about what happens to them."""


def grouped(session: Session, found: Sequence[tuple[Finding, Failure]]) -> Iterator[Finding]:
    """The findings, each followed by what is a consequence of it.

    Parameters
    ----------
    session
        The target that they were found on.
    found
        Findings with the failures that they were made of, the most telling first.

    Notes
    -----
    A finding follows from an earlier one if it comes later in a pass, has no known cause of its own, and the earlier
    one shows in its smallest case and in other cases that fail in the same way - perhaps only after outputs were made
    visible, by weights of 1, smaller inputs and an open output converter. A broken law follows if one of the runs that
    it compares shows the earlier finding. All else is independent.
    """
    groups: list[list[Finding]] = []
    for finding, failure in found:
        group = _group(session, groups, finding, failure)
        if group is None:
            groups.append([finding])
        elif all(finding.key != other.key for other in group):
            group.append(replace(finding, follows=group[0]))
    return chain.from_iterable(groups)


def _group(
    session: Session, groups: Sequence[list[Finding]], finding: Finding, failure: Failure
) -> list[Finding] | None:
    """The group that a finding belongs to."""
    for group in groups:
        if finding.follows is group[0]:
            return group
        if finding.follows or finding.cause or group[0].kind not in ("violation", "missing"):
            continue
        if finding.kind == "law":
            follows = _in_runs(session, [each for each in group if _of_law(each, finding)], finding)
        else:
            follows = _earlier(group[0], finding) and _everywhere(
                session, group[0], finding, failure
            )
        if follows:
            return group
    return None


def _earlier(root: Finding, finding: Finding) -> bool:
    """Whether what the root found wrong goes into what the finding is about, in one step."""
    if root.stage == "input_gradient":
        return finding.stage in FROM_INPUT_GRADIENT
    if root.stage.endswith("gradient") or root.stage in STORED or finding.stage == "bias_gradient":
        return False
    if finding.stage == "output":
        return root.stage != "output"
    return finding.stage.endswith("gradient")


def _of_law(root: Finding, finding: Finding) -> bool:
    return not root.stage.endswith("gradient") or finding.clause in OF_GRADIENTS


def _everywhere(session: Session, root: Finding, finding: Finding, failure: Failure) -> bool:
    """Whether the root shows in all cases that fail as the finding does."""
    key = failure.finding.key
    alike = [other for other in session.failures if other.finding.key == key]
    alike = sorted(alike, key=lambda other: other.weight)[:SIMILAR]
    cases = [(finding.case, finding.step)]
    cases += [(other.recording.case, len(other.recording.case.steps)) for other in alike]
    return all(_shows(session, root, case, step) for case, step in cases)


def _shows(session: Session, root: Finding, case: Case, step: int) -> bool:
    """Whether the root is found in a case up to a step, or with the outputs made visible."""
    for candidate in _visible(case) if root.stage == "output" else (case,):
        try:
            recording = play(session.target, candidate)
        except Unsupported:
            continue
        if any(found <= step for found in _steps(session, root, recording)):
            return True
    return False


def _steps(session: Session, root: Finding, recording: Recording) -> list[int]:
    """Steps of a recording in which the root is found."""
    findings = judge(recording, session.profile(recording.case)).findings
    return [each.step for each in findings if each.key[1:] == root.key[1:]]


def _visible(case: Case) -> Iterator[Case]:
    """The case with outputs that hide less: weights of 1, inputs half as large, no output converter, or all of it."""
    half = replace(case, steps=tuple(replace(step, x=step.x / 2) for step in case.steps))
    for one in (case, half):
        for weight in (case.weight, np.ones_like(case.weight)):
            shown = replace(one, weight=weight)
            yield from (shown, *_opened(shown))


def _opened(case: Case) -> Iterator[Case]:
    """The case without output converter, if it has one."""
    config = copy.deepcopy(case.config)
    if getattr(config, "forward", None) is None:
        return
    with suppress(RefsimError):
        config.forward.bound_management = BoundManagementType.NONE
        config.forward.out_res = config.forward.out_bound = -1.0
        opened = replace(case, config=config)
        opened.tile()
        yield opened


def _in_runs(session: Session, group: Sequence[Finding], finding: Finding) -> bool:
    """Whether one of the runs that a law compares shows a finding of a group."""
    from refsim.conformance.laws import LAWS
    from refsim.conformance.laws.law import Broken

    recordings = []

    def run(case: Case) -> tuple[Observation, ...]:
        recordings.append(play(session.target, case))
        if recordings[-1].failure is not None:
            raise recordings[-1].failure
        return recordings[-1].observations

    law: Any = next(law for law in LAWS if law.name == finding.stage)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", RangeWarning)
        with suppress(Broken, TargetFailure, Unsupported):
            law.check(run, finding.case)
    return any(_steps(session, each, recording) for each in group for recording in recordings)

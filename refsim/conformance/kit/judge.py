"""The verdict on a recording: every step judged from the implementation's own state before it."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import numpy as np

from refsim.calibration import calibrate_input_ranges
from refsim.conformance.admissible import (
    FLOAT32,
    Profile,
    Report,
    judge_backward,
    judge_calibration,
    judge_forward,
    judge_mapping,
    judge_state,
    judge_update,
)
from refsim.conformance.admissible.problem import MissingNoise
from refsim.conformance.cases import Calibration, Case, Step
from refsim.errors import InputError, RangeWarning, RefsimError, ShapeError, StateError
from refsim.tile.state_dict import RANDOM_STATE

from .budget import FlipBudget
from .finding import STATE, Finding
from .play import Observation, Recording
from .reference import Reference, anchored, passes
from .seen import ends, equal, in_words, is_set, known_entries, known_stages, of_quantisers

__all__ = ["Verdict", "judge"]

GRADIENTS: Final = {
    "input": "IR-9",
    "weight": "MV-4",
    "bias": "SU-3",
    "input_range": "IR-8",
    "out_scaling_alpha": "PP-3",
}
"""The clause of each gradient, where the gradient is missing."""


CALIBRATED: Final = {"MAX": "CA-1", "CACHE_QUANTILE": "CA-1", "MOVING_STD": "IR-1"}
"""The clause of the range that a calibration finds, if it is not CA-2."""


@dataclass
class Verdict:
    """What was found in a recording.

    Parameters
    ----------
    findings
        In order; empty for a right implementation.
    reports
        The sets that everything was compared with, for each step.
    judged
        Number of steps judged.
    clauses
        The clauses that took part.
    overwritten
        Arrays of the caller that the implementation wrote into, and where; by itself no finding.
    """

    findings: list[Finding] = field(default_factory=list)
    reports: list[Report] = field(default_factory=list)
    judged: int = 0
    clauses: set[str] = field(default_factory=set)
    overwritten: set[str] = field(default_factory=set)

    @property
    def first(self) -> Finding | None:
        """The first finding."""
        return self.findings[0] if self.findings else None


def judge(
    recording: Recording, profile: Profile = FLOAT32, flips: FlipBudget | None = None
) -> Verdict:
    """Whether an implementation did what a right one may do.

    Parameters
    ----------
    recording
        A case, and what the implementation did in it.
    profile
        The arithmetic that it declares.
    flips
        A budget in which flips of codes are counted.

    Returns
    -------
    Verdict
        The findings in order, and the sets of values that are admissible. A step for which nothing is defined (a sum
        overflows, a range of 0) ends the verdict without a finding.
    """
    verdict = Verdict()
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RangeWarning)
        _Judge(recording.case, profile, verdict, flips).run(recording)
    return verdict


class _Judge:
    """The verdict on one recording as it grows."""

    def __init__(
        self, case: Case, profile: Profile, verdict: Verdict, flips: FlipBudget | None
    ) -> None:
        self.case, self.profile, self.verdict, self.flips = case, profile, verdict, flips
        self.tile = case.tile()
        self.expected: Mapping[str, Any] = self.tile.state_dict()
        self.carried: Mapping[str, Any] = {}
        self.velocity: Any = None
        self.pending: list[Any] = []
        self.number = 0
        self.behaviour = ""

    def run(self, recording: Recording) -> None:
        for number, seen in enumerate(recording.observations):
            self.number = number
            self._overwritten(seen)
            if not self._step(self.case.steps[number], seen):
                return
        if recording.failure is not None:
            self.number = len(recording.observations)
            if self.number < len(self.case.steps) and not self._defined():
                return
            failure = recording.failure
            self._found("target", failure.kind, failure.kind, failure.text)

    def _overwritten(self, seen: Observation) -> None:
        """Say it with whatever is found from here on: the implementation wrote into arrays of its caller."""
        if seen.overwritten:
            names = ", ".join(seen.overwritten)
            self.behaviour = f"the implementation overwrites what belongs to its caller: {names}"
            self.verdict.overwritten |= {*seen.overwritten}

    def _defined(self) -> bool:
        """Whether the step that the implementation failed in has a right answer."""
        step = self.case.steps[self.number]
        try:
            twin = copy.deepcopy(self.tile)
            if step.weight is not None:
                twin.set_weights(step.weight, step.bias)
            if step.calibration is not None:
                batches = step.calibration.batches
                calibrate_input_ranges(twin, batches=batches, **step.calibration.options())
        except RefsimError:
            return False
        return passes(twin, step) is not None

    def _found(self, clause: str, stage: str, kind: str, text: str, guessed: bool = False) -> None:
        text = f"{text.rstrip('.')}; {self.behaviour}" if self.behaviour else text
        found = Finding(self.case, self.number, clause, stage, kind, text, guessed=guessed)
        self.verdict.findings.append(found)

    def _step(self, step: Step, seen: Observation) -> bool:
        """Judge a step; False if what follows cannot be judged."""
        if step.reload and (self.carried or self.pending):
            return False  # nothing is defined for gradients and updates that are not saved
        self._handed_over(step, seen)
        try:
            self.tile = anchored(self.case, seen.before, self.tile).train(step.training)
        except RefsimError as error:
            self._found(STATE, "before", "violation", str(error))
            return False
        if not self._prepared(step, seen):
            return False
        reference = passes(self.tile, step)
        if reference is None:
            return False
        self.verdict.judged += 1
        self.verdict.clauses |= reference.clauses
        self.pending = self.pending + reference.pending
        for report in self._reports(step, seen, reference):
            self._enter(report, shown=bool(seen.stages))
        if self.flips is not None and not self.profile.wide and not self.verdict.findings:
            self.flips.count(self.tile, self.case, seen, reference)
        self._advance(seen, reference)
        return not ends(seen)

    def _handed_over(self, step: Step, seen: Observation) -> None:
        """The state before a step is the one after the step before."""
        for name, value in seen.before.items():
            if name in self.expected and not equal(value, self.expected[name]):
                how = (
                    "after it was saved and loaded"
                    if step.reload
                    else ("as created" if self.number == 0 else "when nothing may change it")
                )
                text = (
                    f"{name} is {in_words(value)} {how}, allowed is {in_words(self.expected[name])}"
                )
                self._found(STATE, name, "violation", text)

    def _prepared(self, step: Step, seen: Observation) -> bool:
        """Judge what was set and calibrated before the pass, and go on from there."""
        try:
            if seen.mapped is not None:
                self._mapped(step, seen.mapped)
            if seen.calibrated is not None and step.calibration is not None:
                if self.tile.value("input_range") is None:
                    return False
                self._calibrated(step.calibration, seen.calibrated)
        except (InputError, ShapeError) as error:
            self._found("target", "malformed", "malformed", str(error))
            return False
        except RefsimError:
            return False  # nothing is defined here
        self.tile.train(step.training)
        return True

    def _mapped(self, step: Step, shown: Mapping[str, Any]) -> None:
        known = known_entries(self.tile, shown)
        self._enter(judge_mapping(self.tile, step.weight, known, self.profile, bias=step.bias))
        self.verdict.clauses |= {"MS-1", "MS-2"}
        self.tile.set_weights(step.weight, step.bias)
        self.tile = anchored(self.case, shown, self.tile)

    def _calibrated(self, made: Calibration, shown: Mapping[str, Any]) -> None:
        known = known_entries(self.tile, shown)
        known = {k: v for k, v in known.items() if "quant" not in k}  # they see the batches too
        found = judge_calibration(
            self.tile,
            made.kind,
            made.batches,
            known,
            self.profile,
            quantile=made.quantile,
            max_samples=made.max_samples,
            std_alpha=made.std_alpha,
        )
        self._enter(found)
        self.verdict.clauses |= {CALIBRATED.get(made.kind, "CA-2")}
        calibrate_input_ranges(self.tile, batches=made.batches, **made.options())
        self.tile = anchored(self.case, shown, self.tile)

    def _reports(self, step: Step, seen: Observation, reference: Reference) -> Iterator[Report]:
        """The sets of everything that the implementation showed in a step."""
        given: dict[str, Any] = {
            "noise": step.noise,
            "stages": of_quantisers(seen.passed) | known_stages(seen.stages, reference.stages),
        }
        checks: list[Callable[[], Report]] = [
            partial(judge_forward, self.tile, step.x, seen.output, self.profile, **given),
            partial(
                judge_state,
                self.tile,
                step.x,
                self._entries(step, seen.passed, reference),
                self.profile,
                **given,
            ),
        ]
        if step.dy is not None and reference.gradients is not None:
            checks.append(partial(self._way_back, step, seen, reference.gradients, given))
        if seen.after is not None:
            checks.append(partial(self._updated, seen))
        for check in checks:
            try:
                yield check()
            except MissingNoise:
                continue  # the case has no deviates for a pass that is possible
            except StateError:
                continue  # nothing is defined here
            except (InputError, ShapeError) as error:
                self._found("target", "malformed", "malformed", str(error))

    def _way_back(
        self, step: Step, seen: Observation, own: Mapping[str, Any], given: Mapping[str, Any]
    ) -> Report:
        """The sets of the gradients, after those that are missing."""
        gradients = self._gradients(step, seen.gradients or {}, own)
        arguments = self.tile, step.x, step.dy, gradients, self.profile
        return judge_backward(*arguments, before=self.carried, **given)

    def _entries(
        self, step: Step, shown: Mapping[str, Any], reference: Reference
    ) -> dict[str, Any]:
        """The entries of a state that are judged: those that refsim has, and has set."""
        own = {
            name: value
            for name, value in reference.state.items()
            if not np.isnan(value).any() and (step.dy is None or not name.startswith("backward_"))
        }
        return {
            name: value for name, value in shown.items() if name in own.keys() - {*RANDOM_STATE}
        }

    def _gradients(
        self, step: Step, got: Mapping[str, Any], own: Mapping[str, Any]
    ) -> dict[str, Any]:
        """The gradients that can be judged; those that must be there and are not are findings.

        Of an empty batch there need not be any.
        """
        optional = own.keys() - self.carried if step.x.size == 0 else ()
        for name in own:
            if name not in got and name not in optional:
                clause = GRADIENTS.get(name, "QU-12")
                self._found(
                    clause, f"{name}_gradient", "missing", f"there is no gradient of {name}"
                )
        fixed = self.tile.value("input_range") if "input_range" not in own else None
        if fixed is not None and np.any(got.get("input_range", 0)):
            text = f"a range that is not learned has the gradient {in_words(got['input_range'])}"
            self._found("IR-8", "range_gradient", "violation", text)
        return {name: value for name, value in got.items() if name in own}

    def _updated(self, seen: Observation) -> Report:
        assert seen.after is not None
        tile = anchored(self.case, seen.passed, self.tile)
        if self.pending:
            tile.pending = self.pending
        gradients = {
            k: v for k, v in (seen.gradients or {}).items() if k != "input"
        } or self.carried
        report, self.velocity = judge_update(
            tile,
            gradients,
            {name: a for name, a in seen.after.items() if self._defined_after(tile, name, seen)},
            self.profile,
            settings=self.case.sgd,
            velocity=self.velocity,
        )
        return report

    def _defined_after(self, tile: Any, name: str, seen: Observation) -> bool:
        """Whether an entry has a value after the update; pending updates have none in units of a range of 0."""
        lost = name == "weight" and self.pending and ends(seen)
        return is_set(tile.value(name)) and not lost

    def _enter(self, report: Report, shown: bool = True) -> None:
        """Take a report into account; without stages shown the clause of a wrong result is a guess."""
        self.verdict.reports.append(report)
        for stage in report.stages:
            if stage.violations:
                text = str(stage).split(": ", 1)[1]
                result = stage.name == "output" or stage.name.endswith("_gradient")
                guessed = result and not shown
                self._found(stage.clause, stage.name, "violation", text, guessed)

    def _advance(self, seen: Observation, reference: Reference) -> None:
        """What the next step starts from."""
        after = seen.passed if seen.after is None else seen.after
        if seen.after is not None:
            self.carried, self.pending = {}, []
        elif seen.gradients is not None:
            self.carried = {k: v for k, v in seen.gradients.items() if k in self.tile.parameters}
        with suppress(RefsimError):  # the next step says so
            self.tile = anchored(self.case, {**reference.state, **seen.passed, **after}, self.tile)
        self.expected = after

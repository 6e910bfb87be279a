"""Verify an implementation: play the phases on it, judge every case, and diagnose what fails."""

from __future__ import annotations

import copy
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np

from refsim.conformance.adapters import Capabilities
from refsim.conformance.adapters.guard import guarded
from refsim.conformance.adapters.waivable import STAGES
from refsim.conformance.admissible import BINARY32, BINARY64, Profile
from refsim.conformance.cases import Case, features
from refsim.conformance.generated import clauses
from refsim.errors import InputError, RangeWarning, RefsimError, Unsupported

from .budget import FlipBudget
from .diagnosis import ANSWERS, Failure, diagnosed
from .finding import STATE, Finding
from .judge import Verdict, judge
from .outcome import Outcome, Row
from .phases import PHASES, broken, broken_law, checked_law, phase_cases
from .play import Recording, play

__all__ = ["Session", "verify_target"]

ENOUGH: Final = 40
"""Failing cases of a phase after which it ends."""
SLOW: Final = ("timeout", "memory", "crash")
PATIENCE: Final = 3
"""Failures of these kinds after which nothing more is played."""
KEPT: Final = 24
"""Right cases that are kept for the diagnosis."""
GIVEN: Final = {"input"}
"""Stages of a trace that are given to the implementation."""

Progress = Callable[[str, int, int | None], None]


def verify_target(
    target: Any,
    capabilities: Capabilities | None = None,
    *,
    seed: int = 0,
    max_examples: int = 200,
    seconds: float | None = None,
    phases: Sequence[str] = PHASES,
    only: Sequence[str] = (),
    progress: Progress = lambda what, done, total: None,
) -> Outcome:
    """The verdict on an implementation.

    Parameters
    ----------
    target
        An :class:`~refsim.conformance.adapters.Adapter`.
    capabilities
        What it declares; by default what its attribute ``capabilities`` says, or else the defaults.
    seed
        Seed of the generated cases; the same seed, the same verdict.
    max_examples
        Number of generated cases, of sequences a tenth of that.
    seconds
        Time for playing and judging, None for no limit. The diagnosis of what fails may take as long again.
    phases
        Some of ``examples``, ``generated``, ``stateful``, ``laws``.
    only
        Clauses; cases of other ones are left out, and so are findings.
    progress
        Called with what is done, how much of it, and how much there is.

    Returns
    -------
    Outcome
        Its ``findings`` are empty for a right implementation.

    Raises
    ------
    InputError
        If a phase or a clause is unknown, or a method is missing.

    Examples
    --------
    >>> from refsim.conformance.adapters.own import Own
    >>> outcome = verify_target(Own(), phases=["examples"])
    >>> outcome.passed, outcome.findings
    (True, [])
    """
    unknown = [phase for phase in phases if phase not in PHASES]
    if unknown:
        raise InputError(f"phases has {unknown[0]!r}, allowed are {', '.join(PHASES)}.")
    known = {*clauses().values(), STATE, "target"}
    for clause in only:
        if clause not in known:
            raise InputError(f"only has {clause!r}, which is no clause; one is IR-4 for example.")
    session = Session(target, capabilities, seed, only)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RangeWarning)
        return session.run(phases, max_examples, seconds, progress)


class Session:
    """A target while it is being verified.

    Parameters
    ----------
    target, capabilities, seed, only
        As for :func:`verify_target`.
    """

    def __init__(
        self,
        target: Any,
        capabilities: Capabilities | None = None,
        seed: int = 0,
        only: Sequence[str] = (),
    ) -> None:
        declared = capabilities or getattr(target, "capabilities", None) or Capabilities()
        if not isinstance(declared, Capabilities):
            raise InputError(
                f"capabilities is a {type(declared).__name__}, allowed is a Capabilities."
            )
        self.target, self.declared, self.only = guarded(target), declared, tuple(only)
        self.outcome = Outcome(declared, seed, FlipBudget(declared.profile))
        self.failures: list[Failure] = []
        self.right: list[Recording] = []
        self.examples: list[Case] = []

    # ----- one case

    def prepared(self, case: Case) -> Case | None:
        """The case under the declared choices, None if it asks for more than the target has."""
        config = copy.deepcopy(case.config)
        try:
            config.choices = copy.deepcopy(self.declared.choices)
        except RefsimError:
            return None
        case = replace(case, config=config)
        return case if features(case) <= self.declared.features else None

    def judged(self, case: Case) -> tuple[Recording, Verdict]:
        """What the target does in a case, and the verdict on it."""
        recording = play(self.target, case)
        return recording, judge(recording, self.profile(case), self.outcome.flips)

    def profile(self, case: Case) -> Profile:
        """The declared arithmetic, with the same freedoms in the data type of the tile.

        Who declares float64 and gets a float32 tile computes in float64 all the same, and may round what is stored. Who
        declares a shorter format may keep some numbers as the tile has them. So refsim's own answers are in every set.
        """
        return self.profile_for(case, self.declared.profile)

    @staticmethod
    def profile_for(case: Case, declared: Profile) -> Profile:
        """The same for any arithmetic."""
        if np.float64 == case.T:
            return replace(declared, format=BINARY64, accumulator=BINARY64)
        if declared.format == BINARY64:
            return replace(declared, format=BINARY32, wide=True)
        if declared.format.precision < BINARY32.precision:
            return replace(declared, wide=True)
        return declared

    def fails(self, finding: Finding) -> Callable[[Case], bool]:
        """Whether the target still fails in this way."""

        def still(case: Case) -> bool:
            if not features(case) <= self.declared.features:
                return False
            try:
                recording = play(self.target, case)
            except Unsupported:
                return False
            found = judge(recording, self.profile(case)).findings
            return any(self.alike(each, finding) for each in found)

        return still

    def alike(self, other: Finding, finding: Finding) -> bool:
        """Whether something else is wrong in the same way, and not what a waiver may excuse in place of it."""
        return other.key[1:] == finding.key[1:] and self.excused(other) <= self.excused(finding)

    def breaks(self, finding: Finding) -> Callable[[Case], bool]:
        """Whether the target still breaks the law of a finding, for the same clause."""

        def still(case: Case) -> bool:
            if not features(case) <= self.declared.features:
                return False
            result = broken_law(self.target, finding.stage, case)
            return result is not None and result.clause == finding.clause

        return still

    # ----- all of them

    def run(
        self, phases: Iterable[str], count: int, seconds: float | None, progress: Progress
    ) -> Outcome:
        """Play the phases, then diagnose."""
        start = time.monotonic()
        until = float("inf") if seconds is None else start + seconds
        for phase in phases:
            if not self._impatient():
                self._phase(phase, count, until, progress)
        self.outcome.seconds = time.monotonic() - start
        self._budget()
        self._sort(diagnosed(self, progress, seconds))
        self.outcome.seconds = time.monotonic() - start
        return self.outcome

    def replay(self, case: Case, law: str | None = None) -> Outcome:
        """Play and judge one case again, or check a law on it once more.

        Raises
        ------
        InputError
            If the target declares that it does not have what the case asks for.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RangeWarning)
            prepared = self.prepared(case)
            if prepared is None:
                missing = ", ".join(sorted(features(case) - self.declared.features))
                raise InputError(f"the case asks for {missing}, which the target does not declare.")
            if law is not None:
                self._law(law, prepared)
            elif self.take("replay", prepared):
                finding = self.failures[0].finding
                clause, cause = (case.clauses or (finding.clause,))[0], case.catches or None
                self.outcome.findings.append(
                    replace(finding, clause=clause, cause=cause, case=case)
                )
        return self.outcome

    def _law(self, name: str, case: Case) -> None:
        for result in checked_law(self.target, name, case):
            self.outcome.rows.setdefault(result.clause, Row(result.clause)).cases += 1
            if not result.ok:
                self.outcome.findings.append(broken(result).finding)

    def _phase(self, phase: str, count: int, until: float, progress: Progress) -> None:
        failing = 0
        for done, total, each in phase_cases(phase, self, count):
            progress(phase, done, total)
            if time.monotonic() > until:
                self.outcome.complete = False
                return
            failing += self.take(phase, each) if isinstance(each, Case) else self.note(phase, each)
            if failing >= ENOUGH or self._impatient():
                return

    def _impatient(self) -> bool:
        """Whether the target hung or died too often; the verdict is then not complete."""
        slow = sum(failure.finding.kind in SLOW for failure in self.failures)
        self.outcome.complete = self.outcome.complete and slow < PATIENCE
        return slow >= PATIENCE

    def take(self, phase: str, case: Case) -> bool:
        """Play and judge a case; whether it fails."""
        prepared = self.prepared(case)
        if prepared is None or not self._wanted(prepared.clauses):
            return False
        try:
            recording, verdict = self.judged(prepared)
        except Unsupported as refusal:
            self.outcome.refused[str(refusal)] += 1
            return False
        self.outcome.cases[phase] += 1
        if prepared.clauses and phase == "examples":
            self.examples.append(prepared)
        self.outcome.enter(verdict.reports, verdict.clauses)
        self.outcome.overwritten |= verdict.overwritten
        shown = {name for seen in recording.observations for name in seen.stages}
        self.outcome.unknown_stages |= shown - STAGES - GIVEN
        found = [finding for finding in verdict.findings if not self.waived(finding)]
        if found:
            other = [finding for finding in found if not self.excused(finding)]
            self.note(phase, Failure(phase, recording, (other or found)[0]))
            return bool(other)
        if not verdict.findings and len(self.right) < KEPT and verdict.judged:
            self.right.append(recording)
        return False

    def note(self, phase: str, failure: Failure | None) -> bool:
        """Take a failure into account, None for a law that holds."""
        if failure is None:
            self.outcome.cases[phase] += 1
            return False
        self.failures.append(failure)
        self.outcome.failing[phase] += 1
        return True

    def waived(self, finding: Finding) -> bool:
        """Whether a waiver covers the finding; it is noted then.

        A waiver of a whole clause does not cover a clause that is only a guess; one of a stage does, as what is wrong
        was seen there.
        """
        for waiver in self.declared.waivers:
            if waiver.names(finding.clause, finding.stage):
                if finding.guessed and not waiver.narrow:
                    continue
                if waiver not in [known for known, _ in self.outcome.waived]:
                    self.outcome.waived.append((waiver, finding))
                return True
        return False

    def excused(self, finding: Finding) -> bool:
        """Whether a waiver covers the finding, or would if its clause were no guess."""
        return any(each.names(finding.clause, finding.stage) for each in self.declared.waivers)

    def _wanted(self, clauses: Sequence[str]) -> bool:
        return not self.only or not clauses or any(clause in self.only for clause in clauses)

    def _budget(self) -> None:
        flips = self.outcome.flips
        if not flips.kept and flips.most is not None:
            text = (
                f"{flips.observed} of {flips.codes} output codes are not the nearest ones, expected are "
                f"{flips.expected:.3g} and allowed {flips.allowed}; each may be admissible, so many are not"
            )
            self.outcome.findings.append(
                Finding(flips.most, 0, "DC-4", "rounded_output", "flips", text)
            )

    def _sort(self, found: Iterator[Finding]) -> None:
        excused: list[Finding] = []
        for finding in found:
            if self.only and finding.clause not in self.only and finding.kind not in ANSWERS:
                continue
            same_cause = finding.cause is not None and any(finding.follows is f for f in excused)
            if same_cause or self.waived(finding):
                excused.append(finding)
            else:
                self._doubt(finding)
                if not any(finding.follows is other for other in (None, *self.outcome.findings)):
                    finding = replace(finding, follows=None)
                self.outcome.findings.insert(len(self.outcome.findings) - self._flips(), finding)
        outcome = self.outcome
        if self.failures and not (outcome.findings or outcome.waived or self.only):
            outcome.findings.append(self.failures[0].finding)

    def _doubt(self, finding: Finding) -> None:
        """Note the waivers that do not cover a finding because its clause is a guess."""
        meant = [w for w in self.declared.waivers if w.names(finding.clause, finding.stage)]
        self.outcome.doubtful += [(waiver, finding) for waiver in meant]

    def _flips(self) -> int:
        return sum(finding.kind == "flips" for finding in self.outcome.findings)

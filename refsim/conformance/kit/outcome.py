"""All that the kit found out about an implementation."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from refsim.conformance.adapters import Capabilities, Waiver
from refsim.conformance.admissible import Report

from .budget import FlipBudget
from .finding import Finding

__all__ = ["Outcome", "Row"]


@dataclass
class Row:
    """What was judged of one clause.

    Parameters
    ----------
    clause
        The clause.
    cases
        Number of cases in which it took part.
    exact, admissible, violations
        Numbers of values at stages of this clause with the bits of refsim, in the set with other bits, and outside of
        it; 0 if the implementation shows no such stage, and only the results behind it were judged.
    """

    clause: str
    cases: int = 0
    exact: int = 0
    admissible: int = 0
    violations: int = 0


@dataclass
class Outcome:
    """The verdict on an implementation.

    Parameters
    ----------
    capabilities
        What it declares.
    seed
        Seed of the generated cases.
    cases
        Number of cases played, by phase.
    rows
        By clause.
    findings
        What is wrong, each once, on a case as small as could be found; the most telling first, and behind each one the
        findings that follow from it.
    waived
        Findings that a waiver covers.
    doubtful
        Findings that a waiver would cover if their clause were more than a guess; they are findings.
    refused
        Cases that the implementation does not have, by its own words.
    overwritten
        Arrays of the caller that the implementation wrote into, such as ``"x in forward"``; by itself no finding.
    unknown_stages
        Names of intermediates that refsim does not have; they were not judged.
    flips
        The flip budget.
    ambiguous
        For each rounding stage, ambiguous codes and all codes.
    seconds
        Time taken.
    complete
        Whether everything was played that was asked for; not so if the time ran out.
    """

    capabilities: Capabilities
    seed: int
    flips: FlipBudget
    cases: Counter[str] = field(default_factory=Counter)
    rows: dict[str, Row] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    waived: list[tuple[Waiver, Finding]] = field(default_factory=list)
    doubtful: list[tuple[Waiver, Finding]] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    overwritten: set[str] = field(default_factory=set)
    unknown_stages: set[str] = field(default_factory=set)
    ambiguous: dict[str, tuple[int, int]] = field(default_factory=dict)
    failing: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    complete: bool = True

    @property
    def passed(self) -> bool:
        """Whether something was judged and nothing is wrong with it."""
        return bool(self.rows) and not self.findings

    @property
    def independent(self) -> list[Finding]:
        """The findings that stand for themselves."""
        return [finding for finding in self.findings if finding.follows is None]

    def below(self, first: Finding) -> list[Finding]:
        """The findings that follow from one."""
        return [finding for finding in self.findings if finding.follows is first]

    @property
    def stale(self) -> list[Waiver]:
        """Waivers that nothing fell under: what they excuse does not happen any more."""
        used = [waiver for waiver, _ in (*self.waived, *self.doubtful)]
        return [waiver for waiver in self.capabilities.waivers if waiver not in used]

    def enter(self, reports: list[Report], clauses: set[str]) -> None:
        """Count what one case brought: the clauses that took part, and the values that were judged."""
        seen = set(clauses)
        for report in reports:
            for stage in report.stages:
                row = self.rows.setdefault(stage.clause, Row(stage.clause))
                row.exact += stage.exact
                row.admissible += stage.admissible
                row.violations += stage.violations
                seen.add(stage.clause)
            for margin in report.margins:
                ambiguous, total = self.ambiguous.get(margin.stage, (0, 0))
                self.ambiguous[margin.stage] = (ambiguous + margin.ambiguous, total + margin.total)
        for clause in seen:
            self.rows.setdefault(clause, Row(clause)).cases += 1

    def sentence(self) -> str:
        """The verdict in plain words."""
        name, count = self.capabilities.name, sum(self.cases.values())
        exact = sum(row.exact for row in self.rows.values())
        other = sum(row.admissible for row in self.rows.values())
        what = f"{count} cases, {exact} values with the bits of refsim, {other} with other admissible ones"
        if not self.rows:
            return f"Nothing of {name} was judged: {count} cases played, {sum(self.refused.values())} refused."
        if self.passed:
            partly = "" if self.complete else " The time ran out before all cases were played."
            return f"{name} is admissible: {what}.{partly}"
        clauses = ", ".join(dict.fromkeys(finding.clause for finding in self.independent))
        cut = "" if self.complete else " Not all cases were played."
        failed = sum(self.failing.values())
        return f"{name} is NOT admissible, it breaks {clauses}: {what}, {failed} cases failed.{cut}"

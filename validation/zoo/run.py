"""One inhabitant of the zoo before the conformance kit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from refsim.conformance.kit.outcome import Outcome
from refsim.conformance.kit.phases import PHASES
from refsim.conformance.kit.verify import verify_target

from . import RIGHT, WRONG, Right, Wrong

__all__ = ["Result", "examined"]


@dataclass(frozen=True)
class Result:
    """What the kit says about one inhabitant.

    Parameters
    ----------
    name
        The inhabitant.
    cases, failing
        Numbers of cases played and failed, by phase.
    clauses
        The clauses of the findings, the first one first.
    size
        Outputs and inputs of the tile, rows of the largest batch, and steps of the first finding; empty without one.
    text
        The first finding in words.
    seconds
        Time taken.
    """

    name: str
    cases: dict[str, int]
    failing: dict[str, int]
    clauses: list[str] = field(default_factory=list)
    size: list[int] = field(default_factory=list)
    text: str = ""
    seconds: float = 0.0

    @property
    def right_clause(self) -> bool:
        """Whether the first clause named is the one that is broken."""
        return (
            self.name in WRONG and self.clauses[:1] and self.clauses[0] in WRONG[self.name].clauses
        )

    @property
    def small(self) -> bool:
        """Whether the case of the first finding has a tile of at most 2 x 2."""
        return bool(self.size) and max(self.size[:2]) <= 2

    def document(self) -> dict[str, Any]:
        """All of it as plain data."""
        return asdict(self)


def examined(
    name: str,
    examples: int = 200,
    shows: bool = False,
    phases: Sequence[str] = PHASES,
    seconds: float | None = None,
) -> Result:
    """The verdict on an inhabitant.

    Parameters
    ----------
    name
        Its name.
    examples
        Number of generated cases.
    shows
        Whether it shows its intermediates.
    phases, seconds
        As for :func:`refsim.conformance.kit.verify.verify_target`.

    Examples
    --------
    >>> result = examined("ThresholdStrict", phases=["examples"])
    >>> result.clauses[0], result.size
    ('IR-4', [1, 1, 1, 1])
    """
    each: Right | Wrong = WRONG[name] if name in WRONG else RIGHT[name]
    outcome = verify_target(
        each.adapter(shows),
        each.capabilities,
        max_examples=examples,
        phases=phases,
        seconds=seconds,
    )
    return _result(name, outcome)


def _result(name: str, outcome: Outcome) -> Result:
    findings = outcome.findings
    size, text = [], ""
    if findings:
        case = findings[0].case
        rows = max((step.x.size // max(1, step.x.shape[-1]) for step in case.steps), default=0)
        size, text = [*case.weight.shape, rows, len(case.steps)], str(findings[0])
    return Result(
        name,
        dict(outcome.cases),
        dict(outcome.failing),
        [finding.clause for finding in findings],
        size,
        text,
        outcome.seconds,
    )

"""What is wrong with an implementation: the first rule that it breaks, and on which case."""

from __future__ import annotations

from dataclasses import dataclass, replace

from refsim.conformance.cases import Case

__all__ = ["STATE", "Finding"]

STATE = "state"
"""In place of a clause: state that is lost, or changed by something that must not change it."""


@dataclass(frozen=True, eq=False)
class Finding:
    """One thing that no right implementation does.

    Parameters
    ----------
    case
        What it was asked to do.
    step
        In which step of the case.
    clause
        The rule that breaks first, ``"state"`` for state that is lost, or ``"target"`` if there is no answer to judge.
    stage
        The stage at which it was noticed, named as in a trace.
    kind
        ``"violation"``, ``"missing"`` (a gradient that must be there), ``"law"``, ``"flips"``, or the kind of a
        :class:`~refsim.errors.TargetFailure`.
    text
        What was returned, and what would have been admissible.
    cause
        The known mistake that explains it, if there is one.
    guessed
        Whether the clause is a guess: only a result was seen, to which many clauses contribute, and no known mistake
        gives the same.
    follows
        The finding that it is a consequence of, None if it stands for itself.
    freedom
        The profile in which it would be none, in the words of ``--profile``; None if it is more than rounding.
    """

    case: Case
    step: int
    clause: str
    stage: str
    kind: str
    text: str
    cause: str | None = None
    guessed: bool = False
    follows: Finding | None = None
    freedom: str | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes two findings the same one: clause, stage and kind."""
        return self.clause, self.stage, self.kind

    def caused_by(self, clause: str, cause: str) -> Finding:
        """The finding with its cause, whose clause is no guess."""
        return replace(self, clause=clause, cause=cause, guessed=False)

    def __str__(self) -> str:
        cause = f"; this is what one returns who has: {self.cause}" if self.cause else ""
        return f"{self.clause} step {self.step}, {self.stage}: {self.text}{cause}"

"""What a verification plays: golden examples, generated cases, long sequences, and laws."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from refsim.conformance.admissible import BINARY64
from refsim.conformance.cases import Case
from refsim.conformance.cases.generate import generated_cases
from refsim.conformance.cases.methods import METHODS, method_cases
from refsim.errors import InputError

from .diagnosis import Failure
from .finding import Finding
from .play import Recording

if TYPE_CHECKING:
    from refsim.conformance.laws import Law, LawResult

    from .verify import Session

__all__ = ["PHASES", "broken", "broken_law", "checked_law", "phase_cases"]

PHASES: Final = ("examples", "generated", "stateful", "laws")
LENGTH: Final = (1, 4)
LONG: Final = (6, 14)
DRAWN: Final = 4
PER_LAW: Final = 20
"""One case of each law for so many generated cases."""
METHOD_CASES: Final = 5
"""One case of setting weights or calibrating for so many generated cases."""
SEQUENCES: Final = 10
"""One long sequence for so many generated cases."""

Item = tuple[int, int | None, Case | Failure | None]


def phase_cases(phase: str, session: Session, count: int) -> Iterator[Item]:
    """What a phase plays; on a target that only has recordings, those in the first phase.

    Yields
    ------
    tuple
        How many came before, how many there are, and a case; or, of laws, a failure or None for a law that holds.
    """
    makers: dict[str, Any] = {
        "examples": _examples,
        "generated": lambda session, count: _generated(session, phase, count, LENGTH),
        "stateful": lambda session, count: _generated(session, phase, -(-count // SEQUENCES), LONG),
        "laws": _laws,
    }
    if not hasattr(session.target, "recordings"):
        yield from makers[phase](session, count)
    elif phase == PHASES[0]:
        yield from _recorded(session)


def _examples(session: Session, count: int) -> Iterator[Item]:
    from refsim.conformance.cases.examples import examples

    every = list(examples())
    for number, case in enumerate(every):
        yield number, len(every), case


def _generated(session: Session, phase: str, count: int, length: tuple[int, int]) -> Iterator[Item]:
    """So many cases that the target does not refuse, of at most four times as many, and some of other methods."""
    declared = session.declared
    seed = 2 * session.outcome.seed + (phase == "stateful")
    allowed, choices = declared.features - {*METHODS}, declared.choices
    double = 0.8 if declared.profile.format == BINARY64 else 0.3
    made = generated_cases(seed, DRAWN * count, allowed, choices, length, double)
    methods = method_cases(seed, -(-count // METHOD_CASES), declared.features, choices)
    for case in made:
        played = session.outcome.cases[phase]
        if played >= count:
            break
        yield played, count, case
    for case in methods:
        yield session.outcome.cases[phase], None, case


def _laws(session: Session, count: int) -> Iterator[Item]:
    from refsim.conformance.laws import LAWS, laws

    each = max(1, count // PER_LAW)
    results = laws(session.target, session.declared, session.outcome.seed, each)
    for number, result in enumerate(results):
        failure = None if result.ok else broken(result)
        yield number, len(LAWS) * each, failure


def checked_law(target: Any, name: str, case: Case) -> Iterator[LawResult]:
    """One law on one case.

    Raises
    ------
    InputError
        If there is no such law.
    """
    from refsim.conformance.laws import checked

    yield from checked(target, _law(name), case)


def broken_law(target: Any, name: str, case: Case) -> LawResult | None:
    """How a target breaks a law in a case; None if it keeps the law, or the law says nothing there."""
    if not _law(name).fits(case):
        return None
    return next((result for result in checked_law(target, name, case) if not result.ok), None)


def _law(name: str) -> Law:
    from refsim.conformance.laws import LAWS

    for law in LAWS:
        if law.name == name:
            return law
    raise InputError(f"there is no law {name!r}.")


def broken(result: LawResult) -> Failure:
    """The failure of a law."""
    text = f"{result.text} (law: {result.law})"
    finding = Finding(result.case, 0, result.clause, result.law, "law", text)
    return Failure("laws", Recording(result.case), finding)


def _recorded(session: Session) -> Iterator[Item]:
    recordings = session.target.recordings
    for number, recording in enumerate(recordings):
        yield number, len(recordings), recording.case

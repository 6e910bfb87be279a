"""What a verification plays: golden examples, generated cases, long sequences, and laws."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from refsim.conformance.cases import Case
from refsim.conformance.cases.generate import generated_cases

from .diagnosis import Failure

if TYPE_CHECKING:
    from .verify import Session

__all__ = ["PHASES", "phase_cases"]

PHASES: Final = ("examples", "generated", "stateful", "laws")
LENGTH: Final = (1, 4)
LONG: Final = (6, 14)
SEQUENCES: Final = 10
"""One long sequence for so many generated cases."""

Item = tuple[int, int | None, Case | Failure | None]


def phase_cases(phase: str, session: Session, count: int) -> Iterator[Item]:
    """What a phase plays.

    Yields
    ------
    tuple
        How many came before, how many there are, and a case; or, of laws, a failure or None for a law that holds.
    """
    makers: dict[str, Any] = {
        "examples": _examples,
        "generated": lambda session, count: _generated(session, count, LENGTH, 0),
        "stateful": lambda session, count: _generated(session, -(-count // SEQUENCES), LONG, 1),
        "laws": _laws,
    }
    yield from makers[phase](session, count)


def _examples(session: Session, count: int) -> Iterator[Item]:
    from refsim.conformance.cases.examples import examples

    every = list(examples())
    for number, case in enumerate(every):
        yield number, len(every), case


def _generated(
    session: Session, count: int, length: tuple[int, int], stream: int
) -> Iterator[Item]:
    declared = session.declared
    seed = 2 * session.outcome.seed + stream
    made = generated_cases(seed, count, declared.features, declared.choices, length)
    for number, case in enumerate(made):
        yield number, count, case


def _laws(session: Session, count: int) -> Iterator[Item]:
    yield from ()

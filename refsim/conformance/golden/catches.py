"""Which known mistakes a case catches."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from refsim.config import Choices
from refsim.conformance.bits import frozen
from refsim.conformance.cases import Case
from refsim.conformance.cases.generate import generated_cases
from refsim.conformance.kit.variant import mistaken
from refsim.conformance.mistakes import MISTAKES, Wrong
from refsim.errors import RefsimError

from .answers import answers

__all__ = ["caught", "generated_with_catch"]

MOST_TRIES = 50
"""Generated cases that are tried for each one that is wanted."""


def caught(case: Case, clauses: frozenset[str] | None = None) -> Iterator[Wrong]:
    """The mistakes that change an answer of a case.

    Parameters
    ----------
    case
        Any case.
    clauses
        Only mistakes in these clauses; by default in all that the case goes through.
    """
    right = answers(case)
    through = {clause for answer in right for clause, _, _ in answer.stages}
    wanted = through | {"OP-1"} if clauses is None else clauses
    for wrong in MISTAKES:
        if wrong.clause in wanted and _results(case, wrong) != _frozen(right):
            yield wrong


def generated_with_catch(
    seed: int,
    count: int,
    allowed: frozenset[str],
    choices: Choices | None = None,
    clauses: frozenset[str] | None = None,
) -> Iterator[Case]:
    """Generated cases, each with the clause and the mistake that it was chosen for.

    Parameters
    ----------
    seed, count, allowed, choices
        As for :func:`~refsim.conformance.cases.generate.generated_cases`.
    clauses
        Only cases that catch a mistake in one of these clauses.

    Yields
    ------
    Case
        Up to ``count``; mistakes that no case before has caught are preferred.
    """
    seen: Counter[str] = Counter()
    made = 0
    for case in generated_cases(seed, MOST_TRIES * count, allowed, choices):
        if made == count:
            return
        found = list(caught(case, clauses))
        if not found:
            continue
        chosen = min(found, key=lambda wrong: seen[str(wrong)])
        seen[str(chosen)] += 1
        made += 1
        others = dict.fromkeys(w.clause for w in found if w.clause != chosen.clause)
        words = "".join(word.capitalize() for word in chosen.mistake.split())
        yield replace(case, clauses=(chosen.clause, *others), catches=words)


def _results(case: Case, wrong: Wrong) -> Any:
    with mistaken(wrong), warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            return _frozen(answers(case))
        except RefsimError:
            return None


def _frozen(found: Any) -> Any:
    return [frozen([a.output, a.gradients, a.passed, a.after]) for a in found]

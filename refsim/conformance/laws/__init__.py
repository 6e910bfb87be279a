"""Laws that need no oracle: what two runs of one implementation have to do with each other."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import numpy as np

from refsim.conformance.adapters import Capabilities, TargetFailure
from refsim.conformance.adapters.guard import guarded
from refsim.conformance.adapters.own import Own
from refsim.conformance.cases import Case
from refsim.conformance.cases.generate import build_case
from refsim.conformance.cases.picker import RandomPicker
from refsim.errors import RangeWarning, Unsupported

from . import converters, state, symmetry
from .law import Broken, Law, run_on
from .rounding import speaks_about

__all__ = ["LAWS", "Law", "LawResult", "checked", "laws", "speaks_about"]

LAWS: Final[tuple[Law, ...]] = (*state.LAWS, *symmetry.LAWS, *converters.LAWS)
SALT: Final = 0x1A75
ATTEMPTS: Final = 200
"""Generated cases among which one that a law speaks about is looked for."""


class LawResult(NamedTuple):
    """Whether a law held for a case.

    Parameters
    ----------
    clause
        The clause that the law follows from, or that of the result which breaks it.
    law
        The name of the law.
    case
        The case from which the runs were made.
    ok
        Whether it held.
    text
        What contradicts it, in a sentence; empty if nothing does.
    """

    clause: str
    law: str
    case: Case
    ok: bool
    text: str


def laws(
    target: Any, capabilities: Capabilities, seed: int = 0, count: int = 20
) -> Iterator[LawResult]:
    """Check all laws on an implementation.

    The cases hold small multiples of powers of two, whose sums are exact in every order; so a right implementation
    keeps the laws to the last bit, whatever its arithmetic.

    Parameters
    ----------
    target
        An adapter whose only exceptions are :class:`TargetFailure` and :class:`Unsupported`.
    capabilities
        What it declares.
    seed
        Seed of the cases.
    count
        Cases for each law.

    Yields
    ------
    LawResult
        One for each law and case; cases that the target does not support are left out.

    Examples
    --------
    >>> from refsim.conformance.adapters import Capabilities
    >>> from refsim.conformance.adapters.own import Own
    >>> all(result.ok for result in laws(Own(), Capabilities(), count=2))
    True
    """
    for number, law in enumerate(LAWS):
        if not law.requires <= capabilities.features:
            continue
        if not all(hasattr(target, method) for method in law.needs):
            continue
        for index in range(count):
            case = _case(law, capabilities, (seed, SALT, number, index))
            if case is None:
                break
            yield from checked(target, law, case)


def _case(law: Law, capabilities: Capabilities, entropy: tuple[int, ...]) -> Case | None:
    """A case that the law speaks about, None if the allowed features make none."""
    allowed = law.features & capabilities.features
    for attempt in range(ATTEMPTS):
        pick = RandomPicker(*entropy, attempt)
        case = build_case(pick, allowed, capabilities.choices, (1, 1), f"law: {law.name}", True)
        if case is not None and law.fits(case):
            return case
    return None


def checked(target: Any, law: Law, case: Case) -> Iterator[LawResult]:
    """One law on one case; nothing if the target does not support it, or if the law says nothing there.

    A law that compares sums in different orders says nothing about a case in which something is rounded.
    """
    try:
        _run(target, law, case)
    except Unsupported:
        return
    except TargetFailure as failure:
        if _defined(law, case):
            yield LawResult("target", law.name, case, False, failure.text)
    except Broken as broken:
        if _defined(law, case) and speaks_about(law, case):
            yield LawResult(broken.clause, law.name, case, False, broken.text)
    else:
        yield LawResult(law.clause, law.name, case, True, "")


def _defined(law: Law, case: Case) -> bool:
    """Whether all that the law compares has a right answer: no sum overflows, no range becomes 0."""
    try:
        _run(guarded(Own("spec", traced=False)), law, case)
    except TargetFailure:
        return False
    return True


def _run(target: Any, law: Law, case: Case) -> None:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", RangeWarning)
        law.check(run_on(target), case)

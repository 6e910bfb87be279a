"""Every backend against the specification, bit for bit, then everything against the recorded vectors."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from refsim.errors import InputError

from .bits import difference, frozen
from .check import SUPPORTED_GROUPS, check_recording
from .generated import GeneratedCase, clauses
from .manual_runs import GeneratedManualRun
from .participants import FAILURES, Participant, participants, specification
from .runs import FAILURE, STEPS, Entry, GeneratedRun
from .vectors import read_recording
from .verdict import Deviation, Row, Verdict

__all__ = ["FULL", "QUICK", "Effort", "first_difference", "verify"]

Progress = Callable[[str, int, int], None]
_DTYPES: Final = ("float32", "float64")


@dataclass(frozen=True)
class Effort:
    """How much is generated: cases of each function and data type, runs of tiles, every so-manieth recorded case."""

    cases: int
    runs: int
    every: int


_TOGETHER: Final = 25
"""Runs between two changes of the number of threads."""

QUICK: Final = Effort(cases=3, runs=6, every=20)
FULL: Final = Effort(cases=128, runs=300, every=1)


def verify(
    backends: Sequence[str] = (),
    seed: int = 0,
    effort: Effort = FULL,
    only: Sequence[str] = (),
    progress: Progress = lambda what, done, total: None,
) -> Verdict:
    """Compare backends with the specification on generated cases, and replay the recorded vectors.

    Parameters
    ----------
    backends
        Which backends; all of this machine by default.
    seed
        Seed of the generated cases.
    effort
        How much is generated.
    only
        Clause ids to restrict the comparison to; whole tiles and vectors are then left out.
    progress
        Called with what is being done, how much of it is done, and how much there is.

    Returns
    -------
    Verdict
        All that was found.

    Raises
    ------
    BackendError
        If a named backend does not run here.
    InputError
        If a clause is unknown.
    VectorError
        If the recorded vectors cannot be read.
    """
    others, known = participants(backends), clauses()
    for clause in only:
        if clause not in known.values():
            raise InputError(
                f"clause is {clause!r}, allowed are {', '.join(dict.fromkeys(known.values()))}."
            )
    verdict = Verdict(seed, [other.label for other in others])
    chosen = {name: clause for name, clause in known.items() if not only or clause in only}
    if others:
        for done, (function, clause) in enumerate(chosen.items()):
            progress("clauses", done, len(chosen))
            verdict.rows.append(_compare_clause(function, clause, others, seed, effort.cases))
    if only:
        return verdict
    if others:
        for kind in (GeneratedRun, GeneratedManualRun):
            verdict.rows.append(_compare_tiles(kind, others, seed, effort.runs, progress))
    recording = read_recording()
    verdict.skipped = [group for group in recording.files if group not in SUPPORTED_GROUPS]
    for name in dict.fromkeys([*(other.backend for other in others), "spec"]):
        verdict.groups[name] = check_recording(
            recording, SUPPORTED_GROUPS, backend=name, every=effort.every, progress=progress
        )
    return verdict


# ----- one function


def _compare_clause(
    function: str, clause: str, others: Sequence[Participant], seed: int, count: int
) -> Row:
    row, start, truth = Row(clause, function), time.perf_counter(), specification()
    cases = [
        GeneratedCase(function, T, i, seed) for T, i in itertools.product(_DTYPES, range(count))
    ]
    expected = [_result(truth.ops, case)[0] for case in cases]
    for other in others:
        with other.active() as ops:
            for case, right in zip(cases, expected, strict=True):
                found, changed = _result(ops, case)
                text = _disagreement(found, right, changed)
                row.count(_deviation(clause, case, other, text) if text else None)
    row.seconds = time.perf_counter() - start
    return row


def _disagreement(found: Any, right: Any, changed: bool) -> str | None:
    if isinstance(right, str):
        return f"the specification fails with {right}"
    return difference(found, right) or ("the arguments were changed" if changed else None)


def _result(ops: Any, case: GeneratedCase) -> tuple[Any, bool]:
    """The result of a case, an error as text, and whether the arguments were changed."""
    arguments = case.arguments()
    before = frozen(arguments)
    try:
        with np.errstate(all="ignore"):
            result = getattr(ops, case.function)(*arguments)
    except FAILURES as error:
        result = f"{type(error).__name__}: {error}"
    return result, frozen(arguments) != before


def _deviation(clause: str, case: GeneratedCase, other: Participant, text: str) -> Deviation:
    code = (
        "from refsim import backends; from refsim.conformance.generated import GeneratedCase; "
        f"arguments = {case!r}.arguments(); print(*arguments, 'gives', "
        f"*(getattr(backends.load(b), {case.function!r})(*arguments) for b in ('spec', {other.backend!r})), sep='\\n')"
    )
    size = sum(np.size(argument) for argument in case.arguments() if argument is not None)
    return Deviation(clause, str(case), other.label, text, size, code)


# ----- whole tiles


def _compare_tiles(
    kind: type[GeneratedRun],
    others: Sequence[Participant],
    seed: int,
    count: int,
    progress: Progress,
) -> Row:
    row, start, truth = (
        Row("all", f"{str(kind(0, seed)).partition(',')[0]}, {STEPS} steps"),
        time.perf_counter(),
        specification(),
    )
    for first in range(0, count, _TOGETHER):
        progress("whole tiles", first, count)
        runs = [kind(index, seed) for index in range(first, min(first + _TOGETHER, count))]
        expected = [run.play(truth) for run in runs]
        for other in others:
            with other.active():
                for run, right in zip(runs, expected, strict=True):
                    row.count(first_difference(run, other, right))
    row.seconds = time.perf_counter() - start
    return row


def first_difference(
    run: GeneratedRun, other: Participant, expected: Sequence[Entry] | None = None
) -> Deviation | None:
    """The earliest value of a run that differs from the specification's; it names the clause."""
    right = run.play(specification()) if expected is None else expected
    for mine, its in itertools.zip_longest(run.play(other), right):
        if mine is None or its is None or (mine.clause, mine.name) != (its.clause, its.name):
            clause, text = (mine or its).clause, f"the records part at {mine}, expected {its}"
        elif its.clause == FAILURE:
            clause, text = FAILURE, f"the specification fails with {its.name}: {its.value}"
        else:
            clause, text = its.clause, difference(mine.value, its.value, str(its)) or ""
        if text:
            return Deviation(
                clause, str(run), other.label, text, run.size, _replay_code(run, other)
            )
    return None


def _replay_code(run: GeneratedRun, other: Participant) -> str:
    return (
        "from refsim.conformance.participants import Participant; "
        f"from {type(run).__module__} import {type(run).__name__}; "
        "from refsim.conformance.verify import first_difference; "
        f"print(first_difference({run!r}, {other!r}))"
    )

"""From many failing cases to few findings: the smallest case of each, the clause, and the probable cause."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from refsim.conformance.cases.files import case_id

from .causes import Cause, Grades, causes
from .consequences import grouped
from .finding import STATE, Finding
from .freedom import freedom
from .localise import localised
from .play import Recording
from .shrink import shrunk, size

if TYPE_CHECKING:
    from .verify import Session

__all__ = ["Failure", "diagnosed"]

MOST: Final = 6
"""Kinds of failures that are looked into."""
OTHERS: Final = 6
"""Further failing recordings, and right ones, that a cause has to explain as well."""
LIKELY: Final = 0.7
"""Share of them that it has to explain."""
SECONDS: Final = 20.0
ANSWERS: Final = ("error", "crash", "timeout", "memory", "malformed")

Progress = Callable[[str, int, int | None], None]


@dataclass(frozen=True, eq=False)
class Failure:
    """A case on which an implementation fails, and the first thing that is wrong there."""

    phase: str
    recording: Recording
    finding: Finding

    @property
    def weight(self) -> tuple[int, int, int]:
        """How late in a pass it is noticed, and how much there is to look at."""
        outputs, inputs, rows, steps = size(self.recording.case)
        return _late(self.finding), steps, outputs * inputs + rows * (outputs + inputs)


def _late(finding: Finding) -> int:
    """The order in a pass: state before the output, the output, state behind it, gradients; broken laws come last."""
    if finding.kind == "law":
        return 4
    if finding.stage.endswith("gradient"):
        return 3
    if finding.stage.startswith("out_quantizer"):
        return 2
    return int(finding.stage == "output")


def diagnosed(session: Session, progress: Progress, seconds: float | None) -> Iterator[Finding]:
    """The findings behind the failures of a session, the most telling first."""
    small = _smallest_of_each_kind(session, progress, SECONDS if seconds is None else seconds)
    judged = [failure for failure in small if failure.finding.kind not in ANSWERS]
    yield from (_identified(f.finding) for f in small if f.finding.kind in ANSWERS)
    progress("causes", 0, None)
    found = list(_explained(session, judged))
    ranks = {id(f): (_late(f), f.guessed, failure.weight) for f, failure in found}
    yield from grouped(session, sorted(found, key=lambda one: ranks[id(one[0].follows or one[0])]))


def _smallest_of_each_kind(session: Session, progress: Progress, seconds: float) -> list[Failure]:
    """One failure of each kind, shrunk."""
    kinds: dict[tuple[str, str, str], Failure] = {}
    count = Counter(failure.finding.key for failure in session.failures)
    for failure in sorted(session.failures, key=lambda failure: failure.weight):
        kinds.setdefault(failure.finding.key, failure)
    order = {k: (session.excused(f.finding), f.weight, -count[k]) for k, f in kinds.items()}
    chosen = sorted(kinds, key=lambda key: order[key])[:MOST]
    found = []
    for number, key in enumerate(chosen):
        progress("shrinking", number, len(chosen))
        found.append(_shrunk(session, kinds[key], seconds / len(chosen)))
    return sorted(found, key=lambda failure: failure.weight)


def _shrunk(session: Session, failure: Failure, seconds: float) -> Failure:
    """The failure on a case as small as can be found."""
    if failure.finding.kind in ("timeout", "memory", "crash"):
        return failure
    if failure.finding.kind == "law":
        return _law_shrunk(session, failure, seconds)
    case = replace(failure.recording.case, clauses=(), catches="")
    case = shrunk(case, session.fails(failure.finding), seconds=seconds)
    recording, verdict = session.judged(case)
    same = [f for f in verdict.findings if session.alike(f, failure.finding)]
    if not same:
        return failure
    return Failure(failure.phase, recording.until(same[0].step), same[0])


def _law_shrunk(session: Session, failure: Failure, seconds: float) -> Failure:
    """The broken law on a small case of which it still speaks; as it is if there was no answer."""
    from .phases import broken, broken_law

    if failure.finding.clause == "target":
        return failure
    case = shrunk(failure.recording.case, session.breaks(failure.finding), seconds=seconds)
    result = broken_law(session.target, failure.finding.stage, case)
    return failure if result is None else broken(result)


def _explained(session: Session, failures: Sequence[Failure]) -> Iterator[tuple[Finding, Failure]]:
    """Findings with their causes; of failures with the same cause all others follow from the first."""
    others = _others(session)
    votes = _votes(session)
    left, grades = [], Grades(SECONDS)
    for failure in failures:
        free = freedom(session, failure)
        if free is None:
            left.append(failure)
        else:
            yield replace(_named(failure, votes), freedom=free), failure
    while left:
        recordings = [failure.recording for failure in left]
        best = _best(causes(recordings, others, grades=grades), left, votes)
        explained = [] if best is None else [f for i, f in enumerate(left) if i in best.explained]
        if best is None or not explained:
            yield from ((_named(failure, votes), failure) for failure in _distinct(left))
            return
        first, *further = explained
        clause = best.clause or localised(first.finding, votes, first.recording)
        clause = first.finding.clause if _anchored(first) else clause
        caused = first.finding.caused_by(clause, best.mistake)
        finding = _identified(replace(caused, guessed=first.finding.guessed and not best.clause))
        yield finding, first
        for other in further:
            again = replace(other.finding, cause=best.mistake, follows=finding)
            yield _identified(again), other
        left = [failure for failure in left if failure not in explained]


def _others(session: Session) -> list[Recording]:
    """More of what the implementation did, wrong and right, small ones first."""
    wrong = sorted(session.failures, key=lambda failure: failure.weight)[:OTHERS]
    right = sorted(session.right, key=lambda recording: size(recording.case)[2:])[:OTHERS]
    return [f.recording.until(f.finding.step) for f in wrong if f.finding.kind != "law"] + right


def _votes(session: Session) -> dict[str, float]:
    """The share of the examples of each clause that fail."""
    played = Counter(case.clauses[0] for case in session.examples)
    failed = Counter(
        failure.recording.case.clauses[0]
        for failure in session.failures
        if failure.phase == "examples" and failure.recording.case.clauses
    )
    return {clause: failed[clause] / played[clause] for clause in failed}


def _best(
    found: Sequence[Cause], left: Sequence[Failure], votes: Mapping[str, float]
) -> Cause | None:
    """The cause that explains most; of equal ones that of the clause which was judged, or whose examples fail.

    One that contradicts too much of what else the implementation does is none.
    """
    likely = [cause for cause in found if cause.share_beyond(len(left)) >= LIKELY]
    if not likely:
        return None
    most = len(likely[0].explained)
    equal = [cause for cause in likely if len(cause.explained) == most]
    judged = {failure.finding.clause for failure in left}
    return max(
        equal,
        key=lambda c: (c.clause in judged, votes.get(c.clause, 0), sum(c.grades), -equal.index(c)),
    )


def _anchored(failure: Failure) -> bool:
    """Whether the clause was found from stage to stage, or concerns the state."""
    shown = failure.recording.observations[-1].stages if failure.recording.observations else {}
    return bool(shown) or failure.finding.clause in (STATE, "target")


def _named(failure: Failure, votes: Mapping[str, float]) -> Finding:
    """A finding without a known cause, with the clause that its case points at."""
    finding = failure.finding
    if not _anchored(failure) and finding.kind == "violation":
        clause = localised(finding, votes, failure.recording)
        guessed = finding.guessed or clause != finding.clause
        finding = replace(finding, clause=clause, guessed=guessed)
    return _identified(finding)


def _distinct(failures: Sequence[Failure]) -> list[Failure]:
    seen: dict[str, Failure] = {}
    for failure in failures:
        seen.setdefault(failure.finding.clause + failure.finding.stage, failure)
    return list(seen.values())


def _identified(finding: Finding) -> Finding:
    """The finding with a case that carries its clause and a name to replay it by."""
    case = replace(finding.case, clauses=(finding.clause,), catches=finding.cause or "")
    return replace(finding, case=replace(case, name=case_id(case)))

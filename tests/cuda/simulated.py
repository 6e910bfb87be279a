"""What a process with numba's simulator runs: ``python -m tests.cuda.simulated clauses 16 SU-1 SU-2``.

It prints each difference from the specification on a line of its own, and last the number of comparisons.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from refsim.conformance.check import SUPPORTED_GROUPS, check_recording
from refsim.conformance.manual_runs import GeneratedManualRun
from refsim.conformance.participants import Participant
from refsim.conformance.runs import GeneratedRun
from refsim.conformance.vectors import read_recording
from refsim.conformance.verify import Effort, first_difference, verify

Found = Iterator[object]
"""The difference of each comparison, or None."""


def clauses(cases: str, *ids: str) -> Found:
    """Generated cases of some clauses."""
    for row in verify(["cuda"], effort=Effort(int(cases), 0, 1), only=ids).rows:
        yield from [row.smallest] * row.deviations + [None] * row.equal


def tiles(first: str, last: str) -> Found:
    """Whole tiles and arrays: a few steps of training and one of evaluation."""
    for index in range(int(first), int(last)):
        for kind in (GeneratedRun, GeneratedManualRun):
            yield first_difference(kind(index, seed=0), Participant("cuda"))


def vectors(every: str) -> Found:
    """Recorded results of aihwkit."""
    groups = check_recording(read_recording(), SUPPORTED_GROUPS, backend="cuda", every=int(every))
    for group in groups:
        yield from group.failures
        yield from [None] * group.compared


def main(what: str, *arguments: str) -> None:
    """Runs one of the functions above."""
    found = list({"clauses": clauses, "tiles": tiles, "vectors": vectors}[what](*arguments))
    lines = [*filter(None, found), len(found)]
    sys.stdout.writelines(f"{line}\n" for line in lines)


if __name__ == "__main__":
    main(*sys.argv[1:])

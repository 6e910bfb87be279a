"""The report of a live run, in Markdown."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from refsim.conformance.cases.files import case_document
from refsim.conformance.kit import Outcome

from .findings import Explained

KINDS = (
    "*known*: an erratum before these runs. *found here*: an erratum since. *rounding*: both sums are right, but the "
    "kit's set is too narrow for the order in which autograd forms them. *new*: no explanation yet."
)


@dataclass(frozen=True)
class Run:
    """One verification: what was played, and its outcome."""

    name: str
    outcome: Outcome

    @property
    def refused(self) -> Mapping[str, int]:
        """How often a situation was met, in words."""
        return self.outcome.refused


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[str]:
    """A table, the first column to the left."""
    rule = ["---", *["---:"] * (len(head) - 1)]
    return [f"| {' | '.join(map(str, cells))} |" for cells in (head, rule, *rows)] + [""]


def totals(run: Run) -> list[Any]:
    """What a run judged."""
    rows = run.outcome.rows.values()
    return [
        run.name,
        sum(run.outcome.cases.values()),
        sum(row.exact for row in rows),
        sum(row.admissible for row in rows),
        sum(row.violations for row in rows),
        sum(run.outcome.failing.values()),
        f"{run.outcome.flips.observed} ({run.outcome.flips.expected:.3g} expected)",
    ]


def clauses(runs: Sequence[Run]) -> list[str]:
    """One line for each clause, over all runs."""
    found: dict[str, list[int]] = {}
    for run in runs:
        for clause, row in run.outcome.rows.items():
            counts = found.setdefault(clause, [0, 0, 0])
            for k, count in enumerate((row.exact, row.admissible, row.violations)):
                counts[k] += count
    head = ["clause", "equal bits", "other admissible values", "violations"]
    return table(
        head, [[clause, *counts] for clause, counts in sorted(found.items()) if any(counts)]
    )


def details(one: Explained) -> list[str]:
    """The section of a finding."""
    f = one.finding
    cause = f" A tile with this mistake returns the same: {f.cause}." if f.cause else ""
    return [
        f"### {one.id}",
        "",
        f"**{one.kind}, {one.number}**: {one.why}. Clause {f.clause}, `{f.stage}`, step {f.step}: {f.text}.{cause}",
        "",
        "With aihwkit alone:",
        "",
        "```python",
        one.script.rstrip(),
        "```",
        "",
        "prints",
        "",
        "```text",
        one.printed,
        "```",
        "",
        "For `refsim verify refsim.conformance.adapters.aihwkit:adapter --replay FILE`:",
        "",
        "```json",
        json.dumps(case_document(f.case)),
        "```",
        "",
    ]


def markdown(
    title: str,
    intro: Sequence[str],
    runs: Sequence[Run],
    found: Sequence[Explained],
) -> str:
    """The whole report."""
    lines = [f"# {title}", "", *intro, ""]
    head = [
        "run",
        "cases",
        "equal bits",
        "other admissible",
        "violations",
        "failing cases",
        "flips",
    ]
    lines += table(head, map(totals, runs))
    lines += ["## Findings", "", KINDS, ""]
    lines += table(
        ["finding", "number", "kind", "situation"],
        [[f"[{one.id}](#{one.id.lower()})", one.number, one.kind, one.why] for one in found],
    )
    met: dict[str, int] = {}
    for run in runs:
        for text, count in run.refused.items():
            met[text] = met.get(text, 0) + count
    lines += ["## Situations met and left out", "", "Of the runs beyond what is known:", ""]
    lines += table(["situation", "cases"], sorted(met.items()))
    lines += ["## By clause", "", *clauses(runs)]
    lines += ["## Each finding", ""]
    for one in found:
        lines += details(one)
    return "\n".join(lines).rstrip() + "\n"

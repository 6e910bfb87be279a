"""``refsim verify``."""

from __future__ import annotations

from collections.abc import Sequence
from shlex import quote

import typer

from refsim import __version__
from refsim.conformance.verdict import Verdict
from refsim.conformance.verify import FULL, QUICK, verify

from .output import print_document, print_table, progress_bar, verdict
from .vectors import group_table

__all__ = ["run"]


def run(quick: bool, seed: int, backends: Sequence[str], clauses: Sequence[str], json: bool) -> int:
    """Verify, report, and return the exit status."""
    with progress_bar() as progress:
        found = verify(backends, seed, QUICK if quick else FULL, clauses, progress)
    if json:
        print_document(_document(found, quick))
    else:
        _show(found, quick)
    return 0 if found.passed else 1


def _document(found: Verdict, quick: bool) -> dict[str, object]:
    return {
        "refsim": __version__,
        "passed": found.passed,
        "verdict": found.sentence(),
        "seed": found.seed,
        "quick": quick,
        "compared": found.compared,
        "clauses": [row.as_json() for row in found.rows],
        "vectors": {
            name: [group.as_json() for group in groups] for name, groups in found.groups.items()
        },
        "groups_not_in_this_version": found.skipped,
    }


def _show(found: Verdict, quick: bool) -> None:
    compared = "; ".join(found.compared) or "no other backend"
    typer.echo(
        f"refsim {__version__}, seed {found.seed}. Compared with the specification bit for bit: {compared}.\n"
    )
    if found.rows:
        print_table(
            ("Clause", "Function", "Cases", "Equal", "Deviations", "Seconds"),
            [
                (r.clause, r.function, r.cases, r.equal, r.deviations, f"{r.seconds:.2f}")
                for r in found.rows
            ],
        )
    for name, groups in found.groups.items():
        typer.echo(f"\nRecorded vectors on {name}{', a sample of the cases' if quick else ''}\n")
        group_table(groups)
    if found.skipped:
        typer.echo(
            f"\nRecorded groups that this version does not replay: {', '.join(found.skipped)}."
        )
    for deviation in found.deviations:
        typer.echo(f"\n{deviation}\n  to reproduce: python -c {quote(deviation.reproduce)}")
    typer.echo()
    verdict(found.passed, found.sentence())

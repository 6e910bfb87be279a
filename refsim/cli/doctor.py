"""``refsim doctor``."""

from __future__ import annotations

import typer

from refsim.doctor import examine, warm_up

from .output import print_document, print_table, progress_bar, verdict

__all__ = ["run"]


def run(compile_all: bool, json: bool) -> int:
    """Examine, report, and return the exit status."""
    compiled = 0
    if compile_all:
        with progress_bar() as progress:
            compiled = warm_up(progress)
    findings = examine()
    passed = not any(finding.voids for finding in findings)
    if json:
        document = {"passed": passed, "functions_warmed_up": compiled}
        print_document({**document, "findings": [vars(finding) for finding in findings]})
        return 0 if passed else 1
    print_table(("Topic", "Found", "Advice"), [(f.topic, f.value, f.advice) for f in findings])
    if compile_all:
        typer.echo(f"\nCompiled {compiled} functions for float32 and float64.")
    typer.echo()
    verdict(
        passed,
        "The arithmetic of this process is sound."
        if passed
        else "The arithmetic of this process is NOT sound.",
    )
    return 0 if passed else 1

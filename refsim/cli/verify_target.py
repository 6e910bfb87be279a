"""``refsim verify TARGET``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, redirect_stdout
from dataclasses import dataclass, replace
from difflib import get_close_matches
from shlex import quote
from typing import Any

import typer

from refsim import __version__
from refsim.config.atomic import write_atomically
from refsim.conformance.adapters.capabilities import Capabilities
from refsim.conformance.adapters.profile_table import profile_from
from refsim.conformance.adapters.target import load_target
from refsim.conformance.adapters.waivable import STAGES
from refsim.conformance.admissible import Profile
from refsim.conformance.kit import Outcome, Session, verify_target
from refsim.conformance.kit.freedom import FREEDOMS
from refsim.conformance.kit.phases import PHASES
from refsim.conformance.kit.report import (
    FOLDER,
    document,
    finding_lines,
    junit,
    keep_findings,
    replayed,
)
from refsim.errors import InputError

from .output import print_document, print_table, progress_bar, verdict
from .writable import check_writable_file, check_writable_folder

__all__ = ["Options", "run_target"]


@dataclass(frozen=True)
class Options:
    """The options of the command, see ``refsim verify --help``."""

    seed: int
    max_examples: int
    seconds: float | None
    phases: tuple[str, ...]
    only: tuple[str, ...]
    profile: str | None
    replay: str | None
    findings: str
    junit: str | None
    in_process: bool
    timeout: float | None
    json: bool


def run_target(text: str, options: Options) -> int:
    """Verify a target, report, and return the exit status."""
    if options.replay is None:
        check_writable_folder("--findings", options.findings)
    if options.junit is not None:
        check_writable_file("--junit", options.junit)
    aside = redirect_stdout(sys.stderr) if options.in_process else nullcontext()
    with aside, _loaded(text, options) as (target, declared), progress_bar() as progress:
        if options.replay is not None:
            case, law = replayed(options.replay, options.findings)
            outcome = Session(target, declared, options.seed).replay(case, law)
        else:
            outcome = verify_target(
                target,
                declared,
                seed=options.seed,
                max_examples=options.max_examples,
                seconds=options.seconds,
                phases=options.phases or PHASES,
                only=options.only,
                progress=progress,
            )
    if options.replay is None:
        keep_findings(outcome, options.findings)
    if options.junit is not None:
        write_atomically(options.junit, junit(outcome))
    if options.json:
        print_document(document(outcome))
    else:
        _show(outcome, text, options)
    return 0 if outcome.passed else 1


@contextmanager
def _loaded(text: str, options: Options) -> Iterator[tuple[Any, Capabilities]]:
    """The target and what it declares; its process, if it has one, ends with the block."""
    target, declared = load_target(text, in_process=options.in_process, timeout=options.timeout)
    if options.profile is not None:
        declared = replace(declared, profile=_profile(options.profile))
    try:
        yield target, declared
    finally:
        if hasattr(target, "close_process"):
            target.close_process()


def _profile(text: str) -> Profile:
    """The profile of a name, with what else is free behind commas."""
    base, *more = (part.strip() for part in text.split(","))
    found = profile_from(base)
    for part in more:
        if part not in FREEDOMS:
            raise InputError(
                f"--profile is {text!r}, behind commas are allowed {', '.join(FREEDOMS)}."
            )
        found = FREEDOMS[part](found)
    return found


def _show(outcome: Outcome, text: str, options: Options) -> None:
    declared = outcome.capabilities
    typer.echo(
        f"refsim {__version__}, seed {outcome.seed}: {declared.name}, {declared.profile.name}. "
        f"{', '.join(f'{count} {phase}' for phase, count in outcome.cases.items())}.\n"
    )
    if outcome.rows:
        print_table(
            ("Clause", "Cases", "Exact", "Admissible", "Violations"),
            [
                (row.clause, row.cases, row.exact, row.admissible, row.violations)
                for _, row in sorted(outcome.rows.items(), key=lambda item: _order(item[0]))
            ],
        )
        typer.echo()
    _notes(outcome, bool(options.only or options.replay))
    for finding in outcome.independent:
        for line in finding_lines(finding, text, _again(options), outcome.below(finding)):
            typer.echo(line)
        typer.echo()
    verdict(outcome.passed, outcome.sentence())


def _again(options: Options) -> str:
    """The options without which a finding is not the same."""
    again = {"--findings": options.findings, "--profile": options.profile}
    given = {k: v for k, v in again.items() if v not in (None, FOLDER)}
    return "".join(f" {name} {quote(value)}" for name, value in given.items() if value)


def _order(clause: str) -> tuple[str, int]:
    family, _, number = clause.partition("-")
    return family, int(number or 0)


def _notes(outcome: Outcome, partly: bool) -> None:
    """Ambiguous codes, refused cases and waivers."""
    for stage, (ambiguous, codes) in outcome.ambiguous.items():
        if ambiguous:
            typer.echo(
                f"{stage}: {ambiguous} of {codes} codes have more than one admissible value."
            )
    for reason, count in outcome.refused.most_common(5):
        typer.echo(f"{count} cases are not supported: {reason.rstrip('.')}.")
    if outcome.overwritten:
        names = ", ".join(sorted(outcome.overwritten))
        typer.echo(f"It overwrites what belongs to its caller: {names}.")
    for name in sorted(outcome.unknown_stages):
        close = get_close_matches(name, STAGES, n=1)
        hint = f"; did you mean {close[0]}?" if close else "."
        typer.echo(f"It shows {name!r}, which is no stage and was not judged{hint}")
    for waiver, finding in outcome.waived:
        guess = "; the clause is a guess, the stage was seen" if finding.guessed else ""
        typer.echo(f"Waived, {waiver.reason.rstrip('.')}: {finding}{guess}.")
    for waiver, finding in outcome.doubtful:
        typer.echo(
            f"The waiver of {waiver.clause} does not cover {finding.case.name}, whose clause is a guess: show "
            f'intermediates, or waive "{finding.clause} {finding.stage}".'
        )
    for waiver in () if partly else outcome.stale:
        typer.echo(f"The waiver of {waiver.clause} is not needed any more: nothing fell under it.")

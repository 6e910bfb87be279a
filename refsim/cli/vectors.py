"""``refsim vectors check``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import typer

from refsim.config import Choices
from refsim.conformance.check import GroupResult, check_recording
from refsim.conformance.golden import check_folder, is_golden, read_folder
from refsim.conformance.vectors import read_recording

from .output import print_document, print_table, progress_bar, verdict

__all__ = ["group_table", "run"]

_SHOWN = 20


def run(
    directory: str | None, groups: Sequence[str], choices: str, backend: str, json: bool
) -> int:
    """Check recorded vectors, report, and return the exit status."""
    if directory is not None and is_golden(directory):
        folder, choices = directory, "as named in each vector"
        with progress_bar() as progress:
            found = check_folder(read_folder(directory), groups, backend, progress)
    else:
        recording = read_recording(directory)
        folder = str(recording.folder)
        readings = Choices.aihwkit() if choices == "aihwkit" else Choices()
        with progress_bar() as progress:
            found = check_recording(recording, groups, readings, backend, progress=progress)
    passed = bool(found) and all(group.passed for group in found)
    if json:
        document = {
            "directory": folder,
            "choices": choices,
            "backend": backend,
            "passed": passed,
        }
        print_document({**document, "groups": [group.as_json() for group in found]})
    else:
        group_table(found)
        _details(found)
        typer.echo()
        verdict(passed, _sentence(passed, found))
    return 0 if passed else 1


def group_table(groups: Sequence[GroupResult]) -> None:
    """The table of groups."""
    print_table(
        ("Group", "Cases", "Arrays compared", "Failures", "Unsupported", "Largest deviation"),
        [
            (
                g.group,
                len(g.results),
                g.compared,
                len(g.failures),
                len(g.unsupported),
                f"{g.largest:.2g}",
            )
            for g in groups
        ],
    )
    for group in groups:
        for case, array, text in group.failures[:_SHOWN]:
            typer.echo(f"{case} {array}: {text}")
        if len(group.failures) > _SHOWN:
            typer.echo(f"... and {len(group.failures) - _SHOWN} more failures of {group.group}.")


def _details(groups: Sequence[GroupResult]) -> None:
    """Why cases were not compared, each reason once for a group."""
    for group in groups:
        for reason, count in Counter(reason for _, reason in group.unsupported).items():
            typer.echo(f"{group.group}: {count} cases not compared: {reason.rstrip('.')}.")


def _sentence(passed: bool, groups: Sequence[GroupResult]) -> str:
    compared, failures = sum(g.compared for g in groups), sum(len(g.failures) for g in groups)
    unsupported = sum(len(g.unsupported) for g in groups)
    counts = f"{compared} arrays compared, {failures} failures, {unsupported} cases not compared"
    if passed:
        return f"The recording is reproduced: {counts}."
    if failures:
        return f"The recording is NOT reproduced: {counts}."
    return f"The recording is only partly checked: {counts}."

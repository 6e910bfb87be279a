"""``refsim vectors``: check, generate and show."""

from __future__ import annotations

import os
from enum import StrEnum
from typing import Annotated

import typer

__all__ = ["vectors"]

vectors = typer.Typer(
    help="Recorded vectors of other implementations, and golden ones of refsim.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Json = Annotated[
    bool, typer.Option("--json", help="One JSON document on the standard output, nothing else.")
]


class Readings(StrEnum):
    """Named sets of :class:`~refsim.Choices`."""

    AIHWKIT = "aihwkit"
    DEFAULT = "default"


@vectors.command(context_settings={"allow_extra_args": True})
def check(
    context: typer.Context,
    directory: Annotated[
        str | None,
        typer.Argument(
            help="Folder of recorded or golden vectors; by default those that come with refsim."
        ),
    ] = None,
    group: Annotated[
        list[str] | None,
        typer.Option(
            help="Check this group only; more names may follow, or the option is repeated."
        ),
    ] = None,
    choices: Annotated[
        Readings,
        typer.Option(
            help="Readings that tiles of recorded vectors follow; golden ones name theirs."
        ),
    ] = Readings.AIHWKIT,
    backend: Annotated[str, typer.Option(help="What computes: spec, cpu or cuda.")] = "cpu",
    json: Json = False,
) -> None:
    """Replay vectors and compare every result."""
    from .vectors import run

    words = [*([directory] if directory else []), *context.args]
    folder, others = _folder_first(words, bool(group))
    if others and not group:
        raise typer.BadParameter(f"unexpected {' '.join(others)}; groups follow --group.")
    raise typer.Exit(run(folder, [*(group or []), *others], choices, backend, json))


def _folder_first(words: list[str], grouped: bool) -> tuple[str | None, list[str]]:
    """The folder among words that may also name groups, and the other words."""
    folder = next((word for word in words if os.path.isdir(word)), None)
    if folder is None and words and not (grouped and _all_groups(words)):
        folder = words[0]
    return folder, [word for word in words if word is not folder]


def _all_groups(words: list[str]) -> bool:
    """Whether all of the words name groups of the vectors that come with refsim."""
    from refsim.conformance.vectors import read_recording

    return set(words) <= read_recording().files.keys()


@vectors.command()
def generate(
    directory: Annotated[str, typer.Argument(help="Folder; vectors that it holds already stay.")],
    clause: Annotated[
        list[str] | None,
        typer.Option(help="Only vectors of this clause, for example IR-4; may be repeated."),
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, max=2**63 - 1, help="Seed of the generated cases.")
    ] = 0,
    count: Annotated[
        int, typer.Option(min=0, help="Generated cases, beside the examples by hand.")
    ] = 0,
    features: Annotated[
        list[str] | None,
        typer.Option(help="What generated cases may ask for, or all; may be repeated."),
    ] = None,
    source: Annotated[
        list[str] | None,
        typer.Option("--from", help="JSON file of a finding, which becomes a vector; repeatable."),
    ] = None,
    json: Json = False,
) -> None:
    """Write golden vectors: cases with refsim's answers, stage by stage."""
    from .vector_files import generate

    raise typer.Exit(
        generate(directory, clause or [], (seed, count), features or [], source or [], json)
    )


@vectors.command()
def show(
    path: Annotated[str, typer.Argument(help="Folder of vectors, or a file of golden ones.")],
    case: Annotated[
        str | None, typer.Option("--case", help="Show this case with all its numbers.")
    ] = None,
    json: Json = False,
) -> None:
    """Show what vectors there are, or one of them."""
    from .vector_files import show

    raise typer.Exit(show(path, case, json))

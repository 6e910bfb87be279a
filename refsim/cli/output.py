"""What the commands share: one JSON document, tables for people, progress for a terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

import typer

from refsim.progress import progress_bar

_WIDTH = 120
"""Width of a table that does not go to a terminal."""

__all__ = ["print_document", "print_table", "progress_bar", "verdict"]


def print_document(document: dict[str, Any]) -> None:
    """The document as JSON on the standard output."""
    typer.echo(json.dumps(document, indent=2, allow_nan=False))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table; columns of numbers, and of numbers written as text, are aligned to the right."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for position, column in enumerate(columns):
        right = all(str(row[position])[:1].isdigit() for row in rows)
        table.add_column(column, justify="right" if right else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(str, row))
    width = None if sys.stdout.isatty() else _WIDTH
    Console(markup=False, highlight=False, width=width).print(table)


def verdict(passed: bool, sentence: str) -> None:
    """The last line, green or red on a terminal."""
    typer.secho(sentence, fg=typer.colors.GREEN if passed else typer.colors.RED, bold=True)

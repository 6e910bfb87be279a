"""Progress for a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress_bar(wanted: bool = True) -> Iterator[Callable[[str, int, int | None], None]]:
    """A callback ``(what, done, total)`` that draws a bar on the standard error if that is a terminal.

    The total is None where nobody knows it.
    """
    if not (wanted and sys.stderr.isatty()):
        yield lambda what, done, total: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda what, done, total: bar.update(
            task, description=what, completed=done, total=total
        )


__all__ = ["progress_bar"]

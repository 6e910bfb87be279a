"""``python -m validation.digits``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from refsim.progress import progress_bar

from . import periphery as study

REPORT = Path(__file__).resolve().parents[1] / "reports" / "digits-periphery.md"
app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.callback()
def main() -> None:
    """Studies of the digits network."""


@app.command()
def periphery(
    seeds: Annotated[int, typer.Option(min=1, help="Trainings for each setting.")] = 5,
    epochs: Annotated[int, typer.Option(min=1, help="Epochs of each training.")] = 30,
    report: Annotated[Path, typer.Option(help="File for the table.")] = REPORT,
) -> None:
    """Accuracy with a periphery of 8, 4 and 2 bits, symmetric and asymmetric, estimated and learned."""
    results, settings = {}, list(study.settings())
    with progress_bar() as shown:
        for done, setting in enumerate(settings):
            shown(f"{setting.bits} bits", done, len(settings))
            results[setting] = study.accuracies(setting, seeds, epochs)
    text = study.markdown(results, seeds, epochs)
    report.write_text(text, encoding="utf-8")
    typer.echo(text)


if __name__ == "__main__":
    app()

"""``python -m validation.bench``."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from refsim.cli.output import print_table
from refsim.errors import BackendError

from . import estimator as estimator_benchmark
from . import gpu as gpu_benchmark
from . import tile as tile_benchmark
from .estimator_setup import VALUES
from .setup import SHAPES

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.callback()
def main() -> None:
    """Benchmarks of refsim; trust ratios, not times, and only on a quiet machine."""


def parsed(text: str) -> list[tuple[int, int, int]]:
    """Shapes such as ``128x512x512,1x512x512``."""
    try:
        shapes = [tuple(map(int, part.split("x"))) for part in text.split(",")]
    except ValueError:
        shapes = []
    if not shapes or any(len(shape) != 3 or min(shape) < 1 for shape in shapes):
        raise typer.BadParameter(f"{text!r}, allowed are shapes such as 128x512x512,1x512x512.")
    return [(N, I, O) for N, I, O in shapes]


@app.command()
def tile(
    shapes: Annotated[
        str, typer.Option(help="Batch x input x output sizes, separated by commas.")
    ] = ",".join("x".join(map(str, shape)) for shape in SHAPES),
    processes: Annotated[int, typer.Option(min=1, help="Processes of each side.")] = 3,
    seconds: Annotated[float, typer.Option(help="Time for one shape in one process.")] = 2.0,
    aihwkit_python: Annotated[
        str | None, typer.Option(help="Python interpreter that has aihwkit.")
    ] = None,
    report_file: Annotated[
        Path | None, typer.Option("--report", help="Write a dated report to this file.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Forward, and forward and backward, with and without noise, beside plain products and aihwkit."""
    python = aihwkit_python or own_aihwkit()
    document = tile_benchmark.measure(parsed(shapes), processes, seconds, python)
    if report_file is not None:
        options = f"--shapes {shapes} --processes {processes} --seconds {seconds:g}"
        command = f"python -m validation.bench tile {options} --aihwkit-python PYTHON"
        report_file.write_text(tile_benchmark.markdown(document, command), encoding="utf-8")
    if as_json:
        typer.echo(json.dumps(document, indent=2))
    else:
        report(document)


def own_aihwkit() -> str | None:
    """This interpreter, if it has aihwkit."""
    return sys.executable if importlib.util.find_spec("aihwkit") else None


@app.command()
def estimator(
    values: Annotated[int, typer.Option(min=1, help="How many values.")] = VALUES,
    processes: Annotated[int, typer.Option(min=1, help="Processes of each side.")] = 3,
    repeats: Annotated[int, typer.Option(min=1, help="Timed searches in each process.")] = 3,
    aihwkit_python: Annotated[
        str | None, typer.Option(help="Python interpreter that has aihwkit.")
    ] = None,
    report_file: Annotated[
        Path | None, typer.Option("--report", help="Write a dated report to this file.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Searches for a quantiser's range by least squared error, beside aihwkit."""
    python = aihwkit_python or own_aihwkit()
    document = estimator_benchmark.measure(values, processes, repeats, python)
    if report_file is not None:
        options = f"--values {values} --processes {processes} --repeats {repeats}"
        command = f"python -m validation.bench estimator {options} --aihwkit-python PYTHON"
        report_file.write_text(estimator_benchmark.markdown(document, command), encoding="utf-8")
    if as_json:
        typer.echo(json.dumps(document, indent=2))
    else:
        print_table(("Environment", "Found"), list(document["environment"].items()))
        typer.echo()
        print_table(estimator_benchmark.HEAD, list(estimator_benchmark.table(document)))


@app.command()
def gpu(
    shapes: Annotated[
        str, typer.Option(help="Batch x input x output sizes, separated by commas.")
    ] = ",".join("x".join(map(str, shape)) for shape in gpu_benchmark.SHAPES),
    seconds: Annotated[float, typer.Option(help="Time for one shape.")] = 5.0,
    report_file: Annotated[
        Path | None, typer.Option("--report", help="Write a dated report to this file.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """The tile on a GPU, beside cuBLAS and aihwkit there; without a GPU, nothing is measured."""
    command = f"python -m validation.bench gpu --shapes {shapes} --seconds {seconds:g}"

    seen = 0

    def keep(document: dict[str, Any]) -> None:
        nonlocal seen
        seen += 1
        if report_file is not None:
            report_file.write_text(gpu_benchmark.markdown(document, command), encoding="utf-8")

    try:
        document = gpu_benchmark.measure(parsed(shapes), seconds, keep)
    except BackendError as error:
        what = f"Only {seen} shapes were" if seen else "Nothing was"
        typer.echo(f"{what} measured: {error}", err=True)
        raise typer.Exit(2) from None
    if as_json:
        typer.echo(json.dumps(document, indent=2))
    else:
        print_table(("Environment", "Found"), list(document["environment"].items()))
        typer.echo()
        print_table(gpu_benchmark.HEAD, list(gpu_benchmark.table(document)))
        typer.echo()
        print_table(gpu_benchmark.KERNELS, list(gpu_benchmark.kernel_table(document)))


def report(document: dict[str, Any]) -> None:
    """The document as tables."""
    print_table(("Environment", "Found"), list(document["environment"].items()))
    typer.echo()
    print_table(tile_benchmark.HEAD, list(tile_benchmark.table(document)))


if __name__ == "__main__":
    app()

"""``refsim train``."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from refsim import __version__
from refsim.config import load_config
from refsim.errors import InputError
from refsim.nn.experiment import (
    Experiment,
    Result,
    adjust,
    default_config,
    default_quantised_config,
)
from refsim.nn.experiment import run as run_experiment
from refsim.nn.plot import plot_training, require_matplotlib
from refsim.nn.quantised import adjust_quantisers, quantised_config, quantiser_state
from refsim.tile import TileModuleArray

from .output import print_document, print_table

__all__ = ["Source", "run"]

FIGURE = "training.png"


@dataclass(frozen=True)
class Source:
    """Where the configuration of the tiles comes from, and what options change in it."""

    file: str | None
    quantised: bool
    changes: dict[str, Any]
    quantisers: dict[str, Any]

    def config(self) -> Any:
        """The configuration."""
        if self.file is None:
            config = default_quantised_config() if self.quantised else default_config()
        else:
            config = load_config(self.file)
            if not hasattr(config, "forward") or not hasattr(config, "pre_post"):
                raise InputError(
                    f"{self.file} holds a {type(config).__name__}, allowed is a TorchInferenceRPUConfig."
                )
            config = quantised_config(config) if self.quantised else config
        adjust(config, **self.changes)
        adjust_quantisers(config, **self.quantisers)
        return config


def calibration(kind: str | None, batches: int | None, input_range: float | None) -> dict[str, Any]:
    """The settings of an :class:`Experiment` for a calibration."""
    if kind is None and batches is not None:
        raise InputError("--calibration-batches was given without --calibrate, allowed is both.")
    if kind is not None and input_range is not None:
        raise InputError("--calibrate and --range were given, allowed is one of them.")
    given = {} if batches is None else {"calibration_batches": batches}
    return {"calibration": kind, **given}


def run(
    source: Source,
    options: dict[str, Any],
    output: str | None,
    resume: bool,
    plot: bool,
    json: bool,
) -> int:
    """Train, report, and return the exit status."""
    begin = time.perf_counter()
    if plot:
        if output is None:
            raise InputError("--plot was given without --output, allowed is both.")
        require_matplotlib()
    try:
        experiment = Experiment(source.config(), **options)
        result = run_experiment(experiment, output, resume, progress=not json)
        if plot and output is not None:
            plot_training(Path(output) / FIGURE, result.epochs)
    except OSError as error:
        raise InputError(f"{error.filename}: {error.strerror}") from error
    seconds = time.perf_counter() - begin
    if json:
        print_document(_document(experiment, result, seconds))
    else:
        _show(experiment, result, output, seconds)
    return 0


def _document(experiment: Experiment, result: Result, seconds: float) -> dict[str, object]:
    return {
        "refsim": __version__,
        "settings": experiment.settings(),
        "golden": experiment.golden,
        "epochs": [vars(epoch) for epoch in result.epochs],
        "test_accuracy": result.test_accuracy,
        "input_ranges": result.input_ranges,
        "quantisers": _quantisers(result),
        "seconds": round(seconds, 3),
    }


def _places(layer: Any) -> list[tuple[str, Any]]:
    """The tiles of a layer; those of an array with their place."""
    if not isinstance(layer, TileModuleArray):
        return [("", layer)]
    return [(f"[{i}][{o}]", t) for i, row in enumerate(layer.tiles) for o, t in enumerate(row)]


def _quantisers(result: Result) -> list[dict[str, Any]]:
    """Every quantiser, in tiles and behind arrays: layer, name, state, and its step and place of zero."""
    return [
        {"layer": f"{number}{place}", "quantiser": name, **state}
        for number, layer in enumerate(result.model.tiles(), start=1)
        for place, part in [*_places(layer), ("", getattr(layer, "periphery", None))]
        for name, state in quantiser_state(part).items()
    ]


def _show(experiment: Experiment, result: Result, output: str | None, seconds: float) -> None:
    tiles = [
        (f"{number}{place}", tile)
        for number, layer in enumerate(result.model.tiles(), start=1)
        for place, tile in _places(layer)
    ]
    rows = [
        (label, tile.in_size, tile.out_size, "none" if r is None else f"{r:.4f}")
        for (label, tile), r in zip(tiles, result.input_ranges, strict=True)
    ]
    print_table(("Layer", "Inputs", "Outputs", "Input range"), rows)
    quantisers = [
        (q["layer"], q["quantiser"], q["state"], f"{q['delta']:.4g}" if "delta" in q else "none")
        for q in _quantisers(result)
    ]
    if quantisers:
        typer.echo()
        print_table(("Layer", "Quantiser", "State", "Step"), quantisers)
    if result.epochs:
        last = result.epochs[-1]
        typer.echo(
            f"\nTraining: {len(result.epochs)} epochs, {last.steps} steps, "
            f"loss {last.loss:.4f}, accuracy {100 * last.accuracy:.2f} %."
        )
    typer.echo(f"Test accuracy: {100 * result.test_accuracy:.2f} %, seed {experiment.seed}.")
    where = "" if output is None else f" Checkpoint and metrics: {Path(output)}."
    typer.echo(f"{seconds:.1f} s on {experiment.backend}.{where}")
    if not experiment.golden:
        typer.echo("Products in plain BLAS (matmul fast): other machines get other bits.")

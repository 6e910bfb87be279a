"""``refsim explain``."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import typer

from refsim import __version__, random
from refsim.config import load_config
from refsim.errors import InputError
from refsim.inspection.explain import Explanation, Step, explain, text

from .output import print_document, print_table

__all__ = ["run"]

ROWS, OUTPUTS, INPUTS = 4, 3, 8
"""Sizes with ``--random``."""


def run(
    config_file: str,
    files: tuple[str | None, str | None],
    seed: int | None,
    place: tuple[int, int, int],
    backend: str,
    json: bool,
) -> int:
    """Explain one element, and return the exit status."""
    try:
        config = load_config(config_file)
        x, weight = _arrays(*files, seed)
    except OSError as error:
        raise InputError(f"{error.filename}: {error.strerror}") from error
    found = explain(config, x, weight, *place, seed=seed or 0, backend=backend)
    if json:
        print_document(_document(found))
    else:
        _show(found)
    return 0


def _arrays(input_file: str | None, weight_file: str | None, seed: int | None) -> tuple[Any, Any]:
    given = [name for name in (input_file, weight_file) if name is not None]
    if seed is None and input_file is not None and weight_file is not None:
        return _loaded(input_file), _loaded(weight_file)
    if seed is None or given:
        raise InputError("allowed are either --input with --weight, or --random.")
    return (
        _normal(seed, 0, (ROWS, INPUTS)),
        _normal(seed, 1, (OUTPUTS, INPUTS)),
    )


def _normal(seed: int, number: int, shape: tuple[int, int]) -> Any:
    """Normal deviates that no tile of this seed uses."""
    index = np.arange(shape[0] * shape[1]).reshape(shape)
    return random.normal(random.derived_seed(seed, number), "weight_init", 0, index)


def _loaded(path: str) -> Any:
    try:
        array = np.load(path, allow_pickle=False)
    except (ValueError, EOFError):
        array = None
    if isinstance(array, np.lib.npyio.NpzFile):
        array.close()
    if not isinstance(array, np.ndarray):
        raise InputError(f"{path} is not an .npy file with numbers.")
    return array


def _document(found: Explanation) -> dict[str, Any]:
    def plain(steps: list[Step]) -> list[dict[str, Any]]:
        return [{**asdict(step), "value": step.value.item()} for step in steps]

    return {
        "refsim": __version__,
        "row": found.row,
        "output": found.output,
        "input_index": found.input_index,
        "forward": plain(found.forward),
        "backward": plain(found.backward),
    }


def _show(found: Explanation) -> None:
    place = f"row {found.row}, input {found.input_index}, output {found.output}"
    typer.echo(f"Forward: {place}\n")
    _table(found.forward)
    typer.echo("\nBackward: gradient 1 at this output, 0 at all others\n")
    _table(found.backward)


def _table(steps: list[Step]) -> None:
    columns = ("Clause", "Stage", "Formula", "With numbers", "Value")
    print_table(columns, [_cells(step) for step in steps])


def _cells(step: Step) -> tuple[str, ...]:
    formula, numbers = f"{step.symbol} = {step.formula}", step.numbers
    if numbers == step.formula:  # no number in it
        numbers = ""
    return step.clause, step.name.replace("_", " "), formula, numbers, text(step.value)

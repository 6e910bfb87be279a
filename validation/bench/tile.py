"""The tile beside NumPy's products, and PyTorch's and aihwkit's where installed."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

from .setup import make_inputs, save_inputs

ROOT = Path(__file__).resolve().parents[2]
BASES = ("numpy float32", "numpy float64", "torch float32", "aihwkit")
HEAD = ("Shape", "Task", "ms", *(f"/ {base}" for base in BASES), "Left open")
Document = dict[str, Any]


def run_side(python: str, side: str, seconds: float, paths: list[Path]) -> Document:
    """The document of one process."""
    command = [python, "-m", f"validation.bench.{side}", str(seconds), *map(str, paths)]
    result = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    document: Document = json.loads(result.stdout)
    return document


def measure(
    shapes: list[tuple[int, int, int]], processes: int, seconds: float, aihwkit: str | None
) -> Document:
    """Times of all processes; those of the two sides take turns.

    Parameters
    ----------
    shapes
        Triples of batch, input and output size.
    processes
        Number of processes of each side.
    seconds
        Time for one shape in one process.
    aihwkit
        The Python interpreter that has aihwkit, if any.
    """
    sides = [("refsim_side", sys.executable)] + ([("aihwkit_side", aihwkit)] if aihwkit else [])
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{'x'.join(map(str, shape))}.npz" for shape in shapes]
        for shape, path in zip(shapes, paths, strict=True):
            save_inputs(path, make_inputs(shape))
        runs = [
            [run_side(python, side, seconds, paths) for side, python in sides]
            for _ in range(processes)
        ]
    environment = {key: value for run in runs[0] for key, value in run["environment"].items()}
    results = [
        {"shape": list(shape), **summary([merged(run, index) for run in runs])}
        for index, shape in enumerate(shapes)
    ]
    return {"environment": environment, "processes": processes, "results": results}


def merged(sides: list[Document], index: int) -> Document:
    """What both sides measured in turn at one shape."""
    parts = [side["results"][index] for side in sides]
    seconds = {name: value for part in parts for name, value in part["seconds"].items()}
    return {"seconds": seconds, "fallback": parts[0]["fallback"]}


def markdown(document: Document, command: str) -> str:
    """A dated report."""
    rows = [HEAD, ("---", "---", *("---:" for _ in HEAD[2:])), *table(document)]
    lines = [
        f"# The tile beside plain products and aihwkit's, {date.today().isoformat()}",
        f"Command: `{command}`",
        f"Medians of {document['processes']} processes a side, which took turns; ratios are formed within one turn. A "
        "training step is compared with three products. *Left open* is the share of elements of products that the "
        "first attempt did not decide.",
        "\n".join(f"| {' | '.join(row)} |" for row in rows),
        "\n".join(f"- {name}: {value}" for name, value in document["environment"].items()),
    ]
    return "\n\n".join(lines) + "\n"


def base_of(task: str, base: str) -> str:
    """The task that another is compared with."""
    if base == "aihwkit":
        return task.replace("refsim fast", "aihwkit").replace("refsim exact", "aihwkit")
    return f"{base}, three products" if "backward" in task else base


def summary(runs: list[Document]) -> Document:
    """Medians over processes; of ratios, too, each formed within one turn of processes."""
    names = list(runs[0]["seconds"])
    seconds = {name: statistics.median(run["seconds"][name] for run in runs) for name in names}
    ratios: Document = {}
    for task in names:
        if not task.startswith(("refsim", "aihwkit")):
            continue
        bases = {base: base_of(task, base) for base in BASES}
        within = {
            base: [run["seconds"][task] / run["seconds"][name] for run in runs]
            for base, name in bases.items()
            if name in seconds and name != task
        }
        ratios[task] = {
            base: {"median": statistics.median(r), "lowest": min(r), "highest": max(r)}
            for base, r in within.items()
        }
    return {"seconds": seconds, "ratios": ratios, "fallback": runs[0]["fallback"]}


def table(document: Document) -> Iterator[tuple[str, ...]]:
    """Rows of shape, task, milliseconds, ratios to each base, and the share of elements left open at first."""
    for result in document["results"]:
        for task, seconds in result["seconds"].items():
            ratios, share = result["ratios"].get(task, {}), result["fallback"].get(task)
            yield (
                " x ".join(map(str, result["shape"])),
                task,
                f"{1000 * seconds:.3f}",
                *(f"{ratios[base]['median']:.2f}" if base in ratios else "" for base in BASES),
                "" if share is None else f"{share:.1e}",
            )

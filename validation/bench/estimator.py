"""Searches for a quantiser's range by least squared error, beside aihwkit's where installed."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

from .estimator_setup import CANDIDATES

ROOT = Path(__file__).resolve().parents[2]
Document = dict[str, Any]


def run_side(python: str, side: str, count: int, repeats: int) -> Document:
    """The document of one process."""
    command = [python, "-m", f"validation.bench.estimator_{side}_side", str(count), str(repeats)]
    result = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    document: Document = json.loads(result.stdout)
    return document


def measure(count: int, processes: int, repeats: int, aihwkit: str | None) -> Document:
    """Times of all processes; those of the two sides take turns.

    Parameters
    ----------
    count
        Number of values.
    processes, repeats
        Number of processes of each side, and of timed searches in each.
    aihwkit
        The Python interpreter that has aihwkit, if any.
    """
    sides = {"refsim": sys.executable} | ({"aihwkit": aihwkit} if aihwkit else {})
    runs: dict[str, list[Document]] = {side: [] for side in sides}
    for _ in range(processes):
        for side, python in sides.items():
            runs[side].append(run_side(python, side, count, repeats))
    environment = {k: v for found in runs.values() for k, v in found[0]["environment"].items()}
    settings = {"values": count, "candidates": CANDIDATES, "processes": processes}
    results = {side: merged([run["results"] for run in found]) for side, found in runs.items()}
    return {"environment": environment, **settings, "repeats": repeats, "results": results}


def merged(runs: list[Document]) -> Document:
    """Medians, and the extremes, over all processes of a side."""
    summary: Document = {}
    for search, first in runs[0].items():
        seconds = [value for run in runs for value in run[search]["seconds"]]
        summary[search] = {
            "median": statistics.median(seconds),
            "lowest": min(seconds),
            "highest": max(seconds),
            "range": first["range"],
        }
    return summary


HEAD = (
    "Search",
    "refsim, ms",
    "aihwkit, ms",
    "Ratio",
    "Ratio of lowest",
    "Range of refsim",
    "Range of aihwkit",
)


def table(document: Document) -> Iterator[tuple[str, ...]]:
    """A row for each search: medians with lowest and highest, ratios of medians and of lowest, ranges."""
    ours, theirs = (document["results"].get(side, {}) for side in ("refsim", "aihwkit"))
    for search, mine in ours.items():
        its = theirs.get(search)
        ratios = [f"{its[key] / mine[key]:.1f}" if its else "-" for key in ("median", "lowest")]
        yield search, _times(mine), _times(its), *ratios, _range(mine), _range(its)


def _times(result: Document | None) -> str:
    if result is None:
        return "-"
    median, lowest, highest = (1e3 * result[key] for key in ("median", "lowest", "highest"))
    return f"{median:.2f} ({lowest:.2f} to {highest:.2f})"


def _range(result: Document | None) -> str:
    return "-" if result is None else "{:.6f} to {:.6f}".format(*result["range"])


def markdown(document: Document, command: str) -> str:
    """A dated report."""
    rows = [HEAD, ("---", *["---:"] * (len(HEAD) - 1)), *table(document)]
    found = [f"- {key}: {value}" for key, value in document["environment"].items()]
    text = (
        f"Squared-error search of {document['candidates']} sizes (grid) over {document['values']} normal values in "
        f"float32. Medians (lowest to highest) of {document['processes']} processes a side, which took turns, with "
        f"{document['repeats']} searches each after one that is not timed. The ratio of the lowest times suffers least "
        "from other work of the machine."
    )
    return "\n".join(
        [
            f"# Range estimators beside aihwkit, {date.today().isoformat()}\n",
            f"Command: `{command}`\n",
            f"{text}\n",
            *(f"| {' | '.join(row)} |" for row in rows),
            "",
            *found,
            "",
        ]
    )

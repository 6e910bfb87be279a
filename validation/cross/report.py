"""The report of a cross-run, in Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .job import BATCH, WIDTHS, Run
from .table import Row, Table


@dataclass(frozen=True)
class Outcome:
    """The comparisons of one configuration."""

    name: str
    steps: int
    free: Table
    anchored: Mapping[str, Table]

    @property
    def tables(self) -> list[Table]:
        """All of them."""
        return [self.free, *self.anchored.values()]

    @property
    def unexplained(self) -> int:
        """How many differences nothing explains."""
        return sum(len(table.unexplained) for table in self.tables)


def table(head: list[str], rows: list[list[str]]) -> list[str]:
    """A table, the first column to the left."""
    rule = ["---", *["---:"] * (len(head) - 1)]
    return [f"| {' | '.join(cells)} |" for cells in (head, rule, *rows)] + [""]


def deviation(rows: Mapping[str, Row], *names: str) -> str:
    """The largest deviation over some quantities."""
    return f"{max((rows[name].largest for name in names if name in rows), default=0.0):.1e}"


def summary(outcomes: list[Outcome]) -> list[str]:
    """One line for each configuration."""
    weights = ("weight", "bias", "out_scaling_alpha", "mapping_scales")
    return table(
        ["configuration", "steps", "ranges", "weights", "losses", "flips, float32", "unexplained"],
        [
            [
                one.name,
                str(one.steps),
                deviation(one.free.rows, "input_range"),
                deviation(one.free.rows, *weights),
                deviation(one.free.rows, "loss"),
                str(len(one.anchored["float"].flips)) if "float" in one.anchored else "-",
                str(one.unexplained),
            ]
            for one in outcomes
        ],
    )


def stages(found: Table) -> list[str]:
    """One line for each quantity of a step-anchored comparison."""
    return table(
        [
            "quantity",
            "values",
            "equal bits",
            "largest deviation",
            "of its bound",
            "flips",
            "unexplained",
        ],
        [
            [
                name,
                str(row.values),
                f"{row.equal / row.values:.1%}" if row.values else "-",
                f"{row.largest:.1e}",
                f"{row.share:.2f}",
                str(len(row.flips)),
                str(len(row.unexplained)),
            ]
            for name, row in found.rows.items()
        ],
    )


def details(one: Outcome, run: Run) -> list[str]:
    """The section of a configuration."""
    settings = ", ".join(f"`{path}` {value!r}" for path, value in run.settings.items())
    lines = [f"## {one.name}", "", f"{settings}.", ""]
    for data_type, found in one.anchored.items():
        met = "; ".join(f"{what}: {count}" for what, count in found.met.items())
        lines += [f"### Step-anchored, {data_type}", "", f"Met: {met}.", "", *stages(found)]
    differences = [d for found in one.tables for d in (*found.flips, *found.unexplained)]
    if differences:
        lines += ["Boundary flips and unexplained differences, recorded value and own:", ""]
        lines += [*(f"- {d}" for d in differences), ""]
    return lines


def introduction(job: list[Run], date: str, command: str, versions: Mapping[str, str]) -> list[str]:
    """What was run, with what."""
    return [
        f"# Cross-run with aihwkit, {date}",
        "",
        f"Command: `{command}`",
        "",
        "Versions: " + ", ".join(f"{name} {number}" for name, number in versions.items()) + ".",
        "",
        f"Perceptron {'-'.join(map(str, WIDTHS))} with bias on the handwritten digits, batches of {BATCH}, momentum "
        f"{job[0].momentum}, learning rate {job[0].lr}, noise off, `Choices.aihwkit()`. Pixels are scaled by 0.8371 "
        "and shifted by 0.0137, so that no input stands exactly on a tie of the converter.",
        "",
        "Free-running in float64, the largest deviation over all steps (limit 1e-9), with the boundary flips of the "
        "step-anchored comparison in float32 and all differences that nothing explains:",
        "",
    ]


def markdown(
    outcomes: list[Outcome], job: list[Run], date: str, command: str, versions: Mapping[str, str]
) -> str:
    """The whole report."""
    first = {run.configuration: run for run in reversed(job)}
    lines = introduction(job, date, command, versions) + summary(outcomes)
    for one in outcomes:
        lines += details(one, first[one.name])
    return "\n".join(lines).rstrip() + "\n"

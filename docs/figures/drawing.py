"""What the figures of the tutorials share: size, colours, and how they are saved.

The colours are those of M. Okabe and K. Ito, which colour-blind readers can tell apart.
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from refsim.config.atomic import write_atomically

FOLDER = Path(__file__).parent
BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
BLUE, RED, PURPLE, GREY = "#0072B2", "#D55E00", "#CC79A7", "#888888"
WIDTH = 7.5
"""Inches; the text of the pages is as wide."""


def panels(columns: int, height: float, rows: int = 1, **options: Any) -> tuple[Figure, Any]:
    """A figure as wide as the text, and its axes with light grids."""
    figure = Figure(figsize=(WIDTH, height), dpi=144, layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, **options)
    for each in axes.flat:
        each.grid(color="#DDDDDD", linewidth=0.6)
        each.set_axisbelow(True)
        each.tick_params(labelsize=8)
        each.spines[["top", "right"]].set_visible(False)
    return figure, axes


def label(axes: Any, title: str, x: str, y: str) -> None:
    """Title and labels in the sizes of these figures."""
    axes.set_title(title, fontsize=9, loc="left")
    axes.set_xlabel(x, fontsize=8.5)
    axes.set_ylabel(y, fontsize=8.5)


def save(figure: Figure, path: Path) -> None:
    """Write a PNG; the same figure gives the same bytes."""
    image = BytesIO()
    figure.savefig(image, format="png", metadata={"Software": None})
    write_atomically(path, image.getvalue())

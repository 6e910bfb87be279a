"""Draw tile.png and one_tile.png, the chain of a tile and its converters: ``python docs/figures/make_tile.py``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from drawing import BLACK, BLUE, FOLDER, GREY, ORANGE, RED, WIDTH, label, panels, save
from matplotlib.figure import Figure

import refsim as rs

STAGES = (
    ("clip", "$\\pm|r|$", "$x$", "$\\partial L/\\partial x$"),
    ("divide", "by $r$", "$c$", "$\\partial L/\\partial c$"),
    ("DAC", "round, clip", "$v$", "$\\partial L/\\partial v$"),
    ("weights", "$w$", "$d$", "$G^d$"),
    ("ADC", "round, clip", "$m$", "$G^m$"),
    ("multiply", "by $r$", "$z$", "$G$"),
    ("add", "bias $b$", "", ""),
)
"""Name, what it does, the value that enters, and the gradient that comes back there."""


def draw_chain(path: Path) -> None:
    """The stages of a tile with their values on the way forward and their gradients on the way back."""
    figure = Figure(figsize=(WIDTH, 1.6), dpi=144, layout="constrained")
    axes = figure.subplots()
    axes.set(xlim=(-0.75, 6.9), ylim=(-0.9, 1.0))
    axes.axis("off")
    axes.axvspan(2.0, 4.0, color="#FFF2D9", zorder=0)
    axes.text(3, 0.84, "analog", ha="center", fontsize=9, color=GREY)
    for i, (name, what, forward, back) in enumerate(STAGES):
        box = {"boxstyle": "round,pad=0.4", "facecolor": "white", "edgecolor": BLACK}
        axes.text(i, 0, f"{name}\n{what}", ha="center", va="center", fontsize=8.2, bbox=box)
        _arrows(axes, i - 0.5, forward, back)
    _arrows(axes, len(STAGES) - 0.5, "$y$", "$g$")
    save(figure, path)


def _arrows(axes: Any, x: float, forward: str, back: str) -> None:
    for y, text, colour, (start, end) in (
        (0.45, forward, BLUE, (-0.22, 0.22)),
        (-0.45, back, RED, (0.22, -0.22)),
    ):
        arrow = {"arrowstyle": "->", "color": colour, "linewidth": 1.2}
        axes.annotate("", (x + end, y), (x + start, y), arrowprops=arrow)
        axes.text(x, y + (0.12 if y > 0 else -0.34), text, ha="center", fontsize=10, color=colour)


def tile() -> Any:
    """The tile of the tutorial "One tile by hand"."""
    config = rs.TorchInferenceRPUConfig(
        pre_post=rs.PrePostProcessingParameter(
            input_range=rs.InputRangeParameter(enable=True, init_value=2.0, init_from_data=0)
        ),
        forward=rs.IOParameters(
            inp_res=8,
            out_res=4,
            out_bound=0.5,
            out_noise=0.0,
            noise_management=rs.NoiseManagementType.NONE,
            bound_management=rs.BoundManagementType.NONE,
        ),
    )
    made = config.create_tile(out_size=2, in_size=2, backend="spec")
    made.set_weights([[1.0, 0.5], [-0.5, 0.25]])
    return made


def staircase(a: Any, step: float, bound: float) -> Any:
    """Rounded to the step, ties to even, and limited to the bound: only to draw the curve."""
    return np.clip(np.rint(a / step) * step, -bound, bound)


def draw_converters(path: Path) -> None:
    """Transfer curves of the range clip with the DAC, and of the ADC; the points are those of the trace."""
    _, trace = tile().forward([[0.625, 3.0], [-1.0, 0.5]], trace=True)
    figure, axes = panels(2, 2.8)
    x, m = np.linspace(-3.5, 3.5, 2001), np.linspace(-1, 1, 2001)
    for each, at, curve, points, values in (
        (axes[0, 0], x, staircase(x / 2, 0.25, 1), trace["input"], trace["converted_input"]),
        (axes[0, 1], m, staircase(m, 0.25, 0.5), trace["product"], trace["output_code"]),
    ):
        each.plot(
            at, at / 2 if each is axes[0, 0] else at, color=GREY, linewidth=0.8, linestyle=":"
        )
        each.plot(at, curve, color=BLUE, linewidth=1.2)
        for row, marker, colour in ((0, "o", ORANGE), (1, "s", RED)):
            style = {
                "color": colour,
                "marker": marker,
                "linestyle": "",
                "markeredgecolor": BLACK,
                "markersize": 5,
            }
            each.plot(points[row], values[row], **style, label=f"row {row + 1}", zorder=3)
    axes[0, 0].set_ylim(-1.25, 1.25)
    axes[0, 1].set(
        ylim=(-0.65, 0.65), xticks=np.arange(-1, 1.25, 0.5), yticks=np.arange(-0.5, 0.75, 0.25)
    )
    label(axes[0, 0], "range and DAC", "input $x$", "converted input $d$")
    label(axes[0, 1], "ADC", "analog product $m$", "code $z$")
    axes[0, 0].legend(fontsize=8, loc="upper left")
    save(figure, path)


def main(folder: Path = FOLDER) -> None:
    """Draw the figures into a folder."""
    draw_chain(folder / "tile.png")
    draw_converters(folder / "one_tile.png")


if __name__ == "__main__":
    main()

"""Draw range_*.png of the tutorial "Learn a range": ``python docs/figures/make_range_learning.py``."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from drawing import BLACK, BLUE, FOLDER, GREEN, GREY, ORANGE, PURPLE, RED, SKY, label, panels, save

import refsim as rs

ROWS, INPUTS, OUTPUTS = 64, 8, 4
DAC_STEPS = 14
"""A DAC of 4 bits."""
DECAY = 0.1


@dataclass
class Run:
    """Range, clipped fraction (%) and the three terms of the range gradient, step by step."""

    range: list[float] = field(default_factory=list)
    clipped: list[float] = field(default_factory=list)
    rule: list[float] = field(default_factory=list)
    decay: list[float] = field(default_factory=list)
    residual: list[float] = field(default_factory=list)


def config(start: float, dac_steps: float = DAC_STEPS, decay: float = DECAY, init: int = 0) -> Any:
    """A tile with a learned range and nothing that rounds but the DAC."""
    return rs.TorchInferenceRPUConfig(
        pre_post=rs.PrePostProcessingParameter(
            input_range=rs.InputRangeParameter(
                enable=True, init_value=start, init_from_data=init, decay=decay
            )
        ),
        forward=rs.IOParameters(
            inp_res=dac_steps,
            out_res=-1,
            out_noise=0.0,
            noise_management=rs.NoiseManagementType.NONE,
            bound_management=rs.BoundManagementType.NONE,
        ),
    )


def normal(step: int, rows: int, columns: int) -> Any:
    """Normal deviates, the same on every machine."""
    return rs.random.normal(
        7, "weight_init", step, np.arange(rows * columns).reshape(rows, columns)
    )


def tile_of(settings: Any) -> Any:
    """A tile with the weights of this experiment."""
    tile = settings.create_tile(out_size=OUTPUTS, in_size=INPUTS, backend="spec")
    tile.set_weights(normal(0, OUTPUTS, INPUTS))
    return tile


def teacher() -> Any:
    """The same weights without range and converters."""
    return tile_of(rs.TorchInferenceRPUConfig(forward=rs.IOParameters(is_perfect=True)))


def learn(start: float, steps: int, lr: float = 0.05, **settings: Any) -> Run:
    """Learn the range alone, from a new batch in each step."""
    tile, target, run = tile_of(config(start, **settings)), teacher(), Run()
    optimizer = rs.SGD([{"tiles": [tile], "parameters": ["input_range"]}], lr=lr)
    for step in range(1, steps + 1):
        x = normal(step, ROWS, INPUTS)
        y, forward = tile.forward(x, trace=True)
        optimizer.zero_grad()
        _, back = tile.backward((y - target.forward(x)) / np.float32(ROWS), trace=True)
        run.range.append(float(forward["input_range"]))
        run.clipped.append(100 * float(forward["clip_mask"].mean()))
        run.rule.append(float(back["range_rule"]))
        run.decay.append(float(back["range_rule_with_decay"]) - run.rule[-1])
        run.residual.append(float(back["range_residual"]))
        optimizer.step()
    return run


def draw_starts(path: Path, steps: int) -> None:
    """Range and clipped fraction from several starts: with the rule alone, with decay, with decay and rounding."""
    figure, axes = panels(3, 4.2, rows=2, sharex=True, sharey="row")
    cases = (
        ("no decay, no rounding", 0.0, -1),
        ("decay 0.1, no rounding", DECAY, -1),
        ("decay 0.1, DAC of 4 bits", DECAY, DAC_STEPS),
    )
    starts = ((0.5, BLUE, "-"), (1.5, SKY, "--"), (4.0, ORANGE, "-."), (8.0, RED, "-"))
    for column, (title, decay, dac_steps) in enumerate(cases):
        for start, colour, style in starts:
            run = learn(start, steps, decay=decay, dac_steps=dac_steps)
            line = {"color": colour, "linestyle": style, "label": f"from {start:g}"}
            axes[0, column].plot(run.range, **line)
            axes[1, column].plot(run.clipped, **line, linewidth=0.9)
        label(axes[0, column], title, "", "range $r$ (units of $x$)" if column == 0 else "")
        label(axes[1, column], "", "step", "clipped inputs (%)" if column == 0 else "")
        axes[0, column].set_ylim(0, 8.5)
        axes[1, column].axhline(5, color=BLACK, linestyle=":", linewidth=0.9)
    axes[1, 1].text(0.98 * steps, 7, "above 5 %: decay is off", ha="right", fontsize=8)
    axes[1, 2].legend(fontsize=8, loc="upper right")
    save(figure, path)


def draw_terms(path: Path, steps: int) -> None:
    """The three terms of the gradient over the steps, from below and from above."""
    figure, axes = panels(2, 2.6, sharey=True)
    for each, start in zip(axes[0], (0.5, 8.0), strict=True):
        run = learn(start, steps)
        for values, colour, style, name in (
            (run.rule, BLUE, "-", "rule $R$"),
            (run.decay, RED, "--", "decay $\\lambda r$"),
            (run.residual, GREEN, "-.", "residual $\\rho$"),
        ):
            each.plot(values, color=colour, linestyle=style, linewidth=1.1, label=name)
        label(each, f"start at {start:g}", "step", "")
        each.axhline(0, color=BLACK, linewidth=0.8)
    axes[0, 0].set(ylim=(-2, 1))
    axes[0, 0].set_ylabel("gradient of $r$", fontsize=8.5)
    axes[0, 1].legend(fontsize=8)
    save(figure, path)


def draw_settings(path: Path, steps: int) -> None:
    """The range for several decays, and with a start from data."""
    figure, axes = panels(2, 2.7, sharey=True)
    decays = ((0.0, GREY, "-"), (0.01, PURPLE, "--"), (0.1, BLUE, "-."), (1.0, RED, "-"))
    for decay, colour, style in decays:
        run = learn(4.0, steps, decay=decay)
        axes[0, 0].plot(run.range, color=colour, linestyle=style, label=f"decay {decay:g}")
    axes[0, 0].axhline(1.96, color=BLACK, linestyle=":", linewidth=0.9)
    axes[0, 0].text(0.98 * steps, 1.45, "5 % of the inputs are clipped", ha="right", fontsize=8)
    inits = ((8.0, 0, BLUE, "-."), (8.0, 20, ORANGE, "-"), (0.5, 20, BLACK, ":"))
    for start, init, colour, style in inits:
        run = learn(start, steps, init=init)
        name = f"init_value {start:g}, init_from_data {init}"
        axes[0, 1].plot(run.range, color=colour, linestyle=style, label=name)
    label(axes[0, 0], "several decays, from 4", "step", "range $r$ (units of $x$)")
    label(axes[0, 1], "start from data, decay 0.1", "step", "")
    for each in axes[0]:
        each.set_ylim(1, 8.5)
        each.legend(fontsize=8, loc="upper right")
    save(figure, path)


def errors(r: float, x: Any) -> tuple[float, float, float]:
    """Mean squared error of the output: of the clip alone, of the rounding alone, and of both."""
    clipping = tile_of(config(r, -1)).eval().forward(x).astype(float)
    both = tile_of(config(r)).eval().forward(x).astype(float)
    target = teacher().forward(x).astype(float)
    return tuple(float(np.mean(e**2)) for e in (clipping - target, both - clipping, both - target))


def draw_errors(path: Path, points: int, rows: int = 2000) -> None:
    """Error of the output against the range."""
    figure, axes = panels(1, 2.9)
    ranges = np.linspace(0.5, 8, points)
    x = normal(1, rows, INPUTS)
    parts = np.array([errors(float(r), x) for r in ranges]).T
    axes = axes[0, 0]
    for values, colour, style, name in zip(
        parts,
        (BLUE, RED, BLACK),
        ("--", "-.", "-"),
        ("clip alone", "rounding alone", "both"),
        strict=True,
    ):
        axes.semilogy(ranges, values, color=colour, linestyle=style, label=name)
    label(axes, "", "range $r$ (units of $x$; the inputs have a standard deviation of 1)", "")
    axes.set_ylabel("mean squared error of $y$", fontsize=8.5)
    axes.set_ylim(1e-3, 10)
    axes.legend(fontsize=8)
    save(figure, path)


def main(folder: Path = FOLDER, steps: int = 300, points: int = 76) -> None:
    """Draw the figures into a folder."""
    draw_starts(folder / "range_starts.png", steps)
    draw_terms(folder / "range_terms.png", steps)
    draw_settings(folder / "range_settings.png", steps)
    draw_errors(folder / "range_errors.png", points)


if __name__ == "__main__":
    main()

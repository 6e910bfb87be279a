"""Draw rule_*.png of the tutorial on the range gradient: ``python docs/figures/make_range_rule.py``."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from drawing import BLACK, BLUE, FOLDER, RED, label, panels, save

import refsim as rs

DAC_STEPS = 14
"""A DAC of 4 bits."""
ROWS = 256


@dataclass
class Run:
    """Range, weight, clipped fraction (%) and loss, step by step."""

    range: list[float] = field(default_factory=list)
    weight: list[float] = field(default_factory=list)
    clipped: list[float] = field(default_factory=list)
    loss: list[float] = field(default_factory=list)


def tile_of(r: float, weight: float, dac_steps: float = -1) -> Any:
    """A tile with one input and one output, whose gradient of the range is not relative and has no decay."""
    config = rs.TorchInferenceRPUConfig(
        pre_post=rs.PrePostProcessingParameter(
            input_range=rs.InputRangeParameter(
                enable=True, init_value=r, init_from_data=0, decay=0.0, gradient_relative=False
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
    tile = config.create_tile(out_size=1, in_size=1, backend="spec")
    tile.set_weights([[weight]])
    return tile


def normal(step: int, rows: int = ROWS) -> Any:
    """Normal deviates, the same on every machine."""
    return rs.random.normal(3, "weight_init", step, np.arange(rows).reshape(rows, 1))


def loss(y: Any, x: Any) -> float:
    """Half the mean squared error of an output that should equal the input."""
    return float(np.mean((y.astype(float) - x.astype(float)) ** 2) / 2)


def chain_rule(forward: Any, back: Any) -> Any:
    """Gradient of the range as the chain rule gives it: every clipped input counts, whatever it asks for."""
    pulls = back["clipped_input_gradient"] * np.sign(forward["input"])
    return pulls[forward["clip_mask"]].sum() + back["range_residual"]


def slopes(r: float, x: Any, dac_steps: float) -> tuple[float, float, float]:
    """Loss, chain rule, and rule of clause IR-5 at a range."""
    tile = tile_of(r, 1.5, dac_steps)
    y, forward = tile.forward(x, trace=True)
    _, back = tile.backward((y - x) / np.float32(len(x)), trace=True)
    return loss(y, x), float(chain_rule(forward, back)), float(back["range_rule"])


def draw_slopes(path: Path, points: int) -> None:
    """Loss against the range, with and without rounding, and below it its slope, the chain rule and the rule."""
    figure, axes = panels(2, 4.0, rows=2, sharex=True, sharey="row")
    ranges, x = np.linspace(0.5, 3.5, points), normal(0, 500)
    middle = (ranges[1:] + ranges[:-1]) / 2
    for column, (dac_steps, title) in enumerate(
        ((-1, "no rounding"), (DAC_STEPS, "DAC of 4 bits"))
    ):
        losses, chain, rule = np.array([slopes(float(r), x, dac_steps) for r in ranges]).T
        lower, width = axes[1, column], 2.5 if column == 0 else 0.7
        axes[0, column].plot(ranges, losses, color=BLACK, linewidth=1.2)
        differences = np.diff(losses) / np.diff(ranges)
        lower.plot(
            middle, differences, color="#BBBBBB", linewidth=width, label="differences of $L$"
        )
        lower.plot(ranges, chain, color=RED, linestyle="--", label="chain rule")
        lower.plot(ranges, rule, color=BLUE, label="rule $R$, not relative")
        lower.axhline(0, color=BLACK, linewidth=0.8)
        label(axes[0, column], title, "", "loss $L$" if column == 0 else "")
        slope = "slope (per unit of $x$)" if column == 0 else ""
        label(lower, "", "range $r$ (units of $x$)", slope)
    axes[1, 0].set_ylim(-0.45, 0.25)
    axes[1, 0].legend(fontsize=8, loc="lower right")
    save(figure, path)


def train(
    rule: bool, steps: int, weight: float = 2.0, lr_range: float = 0.5, lr_weight: float = 0.05
) -> Run:
    """Learn weight and range from a weight that is too large, by the rule or by the chain rule."""
    tile, run = tile_of(2.0, weight), Run()
    optimizer = rs.SGD(
        [
            {"tiles": [tile], "parameters": ["input_range"], "lr": lr_range},
            {"tiles": [tile], "parameters": ["weight"], "lr": lr_weight},
        ],
        lr=lr_weight,
    )
    for step in range(1, steps + 1):
        x = normal(step)
        y, forward = tile.forward(x, trace=True)
        optimizer.zero_grad()
        _, back = tile.backward((y - x) / np.float32(ROWS), trace=True)
        if not rule:
            tile.gradients["input_range"][0] = chain_rule(forward, back)
        run.range.append(float(forward["input_range"]))
        run.weight.append(float(tile.parameters["weight"][0, 0]))
        run.clipped.append(100 * float(forward["clip_mask"].mean()))
        run.loss.append(loss(y, x))
        optimizer.step()
    return run


def draw_training(path: Path, steps: int) -> None:
    """Range, clipped fraction, weight and loss of both runs."""
    figure, axes = panels(2, 4.0, rows=2, sharex=True)
    for rule, colour, style, name in ((False, RED, "--", "chain rule"), (True, BLUE, "-", "rule")):
        run = train(rule, steps)
        for each, values in zip(
            axes.flat, (run.range, run.clipped, run.weight, run.loss), strict=True
        ):
            each.plot(values, color=colour, linestyle=style, label=name)
    axes[1, 1].set_yscale("log")
    label(axes[0, 0], "range $r$", "", "units of $x$")
    label(axes[0, 1], "clipped inputs", "", "%")
    label(axes[1, 0], "weight $w$; the right one is 1", "step", "")
    label(axes[1, 1], "loss $L$", "step", "")
    axes[0, 1].legend(fontsize=8)
    save(figure, path)


def main(folder: Path = FOLDER, steps: int = 200, points: int = 601) -> None:
    """Draw the figures into a folder."""
    draw_slopes(folder / "rule_slopes.png", points)
    draw_training(folder / "rule_training.png", steps)


if __name__ == "__main__":
    main()

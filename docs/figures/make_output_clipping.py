"""Draw output_clipping.png: ``python docs/figures/make_output_clipping.py``."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import refsim as rs
from refsim.nn.dataset import digits
from refsim.nn.experiment import Experiment, default_config
from refsim.nn.layers import Linear, Sequential
from refsim.nn.training import input_ranges, order, step

OUT_BOUND = 2.0
PATHS = {"autograd": rs.TorchInferenceRPUConfig, "manual": rs.InferenceRPUConfig}
EPOCHS, EVERY, SHOWN = 10, 5, 256


@dataclass
class Curve:
    """Steps, and for each the input ranges and the shares of clipped outputs of the layers."""

    steps: list[int] = field(default_factory=list)
    ranges: list[list[float | None]] = field(default_factory=list)
    clipped: list[list[float]] = field(default_factory=list)


def config(path: str, managed: bool) -> Any:
    """The default experiment with weights up to 1, so that the output converter saturates at its bound of 2."""
    base = default_config()
    made = PATHS[path](
        pre_post=base.pre_post,
        forward=base.forward,
        mapping=rs.MappingParameter(weight_scaling_omega=1.0, weight_scaling_columnwise=True),
    )
    made.forward.out_bound = OUT_BOUND
    made.pre_post.input_range.manage_output_clipping = managed
    return made


def clipped_shares(model: Sequential, x: Any) -> list[float]:
    """Share of clipped outputs of each layer, in evaluation."""
    shares: list[float] = []
    for layer in model.eval().layers:
        if isinstance(layer, Linear):
            x, trace = layer.tile.forward(x, trace=True)
            shares.append(float(np.mean(trace["adc_clip_mask"])))
        else:
            x = layer.forward(x)
    return shares


def trained(path: str, managed: bool, epochs: int = EPOCHS) -> Curve:
    """A training on the digits, measured every five steps on the same images."""
    e, data, curve = Experiment(config=config(path, managed)), digits(), Curve()
    model = e.network()
    optimizer = rs.SGD(list(model.tiles()), e.lr, e.momentum)
    for epoch in range(epochs):
        rows = order(e.seed, epoch, len(data.train_x))
        for begin in range(0, len(rows), e.batch_size):
            batch = rows[begin : begin + e.batch_size]
            step(model, data.train_x[batch], data.train_y[batch], optimizer, e.backend)
            if optimizer.steps % EVERY == 0:
                curve.steps.append(optimizer.steps)
                curve.ranges.append(input_ranges(model))
                curve.clipped.append(clipped_shares(model, data.train_x[:SHOWN]))
    return curve


def draw(curves: dict[tuple[str, bool], Curve], path: Path) -> None:
    """Ranges above, shares of clipped outputs below; a column for each path."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 5.2), dpi=80, layout="constrained")
    axes = figure.subplots(2, len(PATHS), sharex=True, sharey="row", squeeze=False)
    for (name, managed), curve in curves.items():
        column = list(PATHS).index(name)
        style = "-" if managed else "--"
        for layer in range(len(curve.ranges[0])):
            label = f"layer {layer + 1}, {'managed' if managed else 'not managed'}"
            colour = f"C{layer}"
            values = [ranges[layer] for ranges in curve.ranges]
            axes[0][column].plot(curve.steps, values, style, color=colour, label=label)
            shares = [100 * shares[layer] for shares in curve.clipped]
            axes[1][column].plot(curve.steps, shares, style, color=colour)
        axes[0][column].set(title=f"{name} path")
        axes[1][column].set(xlabel="step")
    axes[0][0].set(ylabel="input range")
    axes[1][0].set(ylabel="clipped outputs (%)")
    for below in axes[1]:
        below.axhline(5, color="0.7", linewidth=1, zorder=0)
    axes[0][-1].legend(fontsize="small")
    figure.savefig(path, metadata={"Software": None})


def main(folder: Path = Path(__file__).parent, epochs: int = EPOCHS) -> None:
    """Train on both paths with and without management, and draw the figure into a folder."""
    curves = {
        (path, managed): trained(path, managed, epochs)
        for path in PATHS
        for managed in (False, True)
    }
    draw(curves, folder / "output_clipping.png")


if __name__ == "__main__":
    main()

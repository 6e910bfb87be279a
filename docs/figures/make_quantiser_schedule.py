"""Draw quantiser_schedule.png: ``python docs/figures/make_quantiser_schedule.py``.

A tile learns scales and bias of a teacher. Three tiles share the values that it learns, and differ in who sets the
steps of their quantisers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from drawing import BLACK, BLUE, FOLDER, GREY, ORANGE, RED, label, panels, save

import refsim as rs

ROWS, INPUTS, OUTPUTS, BITS, LR = 32, 8, 6, 4, 0.005
QUANTISERS = {"scale_quantizer": "scales", "bias_quantizer": "bias", "out_quantizer": "outputs"}
SHARED = ("bias", "out_scaling_alpha")
"""Values that the tiles share."""
STEPS, SWITCH = 150, 50
"""Steps, and how many of them estimate before the range is learned, or evaluate before the first training pass."""


@dataclass
class Run:
    """The step of each quantiser and the state of its manager, after each pass."""

    delta: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in QUANTISERS})
    state: dict[str, list[str]] = field(default_factory=lambda: {name: [] for name in QUANTISERS})

    def note(self, tile: Any) -> None:
        """Add a pass."""
        for name in QUANTISERS:
            self.delta[name].append(float(tile.value(f"{name}.delta")))
            self.state[name].append(tile.quantizers[name].state.name)


def config(learned: bool, switch: int) -> Any:
    """Quantisers of 4 bits around a perfect product; a scale for each output is learned."""
    return rs.QuantizedTorchInferenceRPUConfig(
        forward=rs.IOParameters(is_perfect=True),
        mapping=rs.MappingParameter(
            weight_scaling_omega=1.0,
            weight_scaling_columnwise=True,
            learn_out_scaling=True,
            out_scaling_columnwise=True,
        ),
        pre_post=rs.PrePostProcessingParameterQuant(
            periph_quant=rs.PeripheryQuantizationParameter(
                n_bits=BITS, learn_quant_params=learned, init_learning_after=switch
            )
        ),
        act_quant_config=rs.ActivationQuantConfig(n_bits=BITS),
    )


def normal(step: int, *shape: int) -> Any:
    """Normal deviates, the same on every machine."""
    return rs.random.normal(3, "weight_init", step, np.arange(np.prod(shape)).reshape(shape))


def tile_of(settings: Any) -> Any:
    """A tile with the weights of this experiment, and half of each output as its bias."""
    tile = settings.create_tile(out_size=OUTPUTS, in_size=INPUTS, bias=True, backend="spec")
    tile.set_weights(normal(0, OUTPUTS, INPUTS), normal(1, OUTPUTS) / np.float32(4))
    return tile


def teacher() -> Any:
    """The same tile without quantisers, with larger scales and another bias."""
    tile = tile_of(rs.TorchInferenceRPUConfig(forward=rs.IOParameters(is_perfect=True)))
    weight, _ = tile.get_weights()
    factor = np.linspace(1, 3, OUTPUTS, dtype=np.float32)
    tile.set_weights(weight * factor[:, np.newaxis], normal(2, OUTPUTS))
    return tile


def training(learned: bool, steps: int, switch: int) -> Iterator[Any]:
    """Train scales, bias and, if learned, steps of quantisers; yields the tile after each backward pass."""
    tile, target = tile_of(config(learned, switch)), teacher()
    for k in range(steps):
        if learned and k == switch:
            tile.out_quantizer.learn_ranges()
        trained = [name for name in tile.parameters if name != "weight"]
        optimizer = rs.SGD([{"tiles": [tile], "parameters": trained}], LR)
        x = normal(3 + k, ROWS, INPUTS)
        y = tile.train().forward(x)
        optimizer.zero_grad()
        tile.backward((y - target.forward(x)) / np.float32(ROWS))
        yield tile
        optimizer.step()


def learn(learned: bool, steps: int, switch: int) -> tuple[Run, list[dict[str, Any]]]:
    """A training, and the values that its tile has in each pass."""
    run, values = Run(), []
    for tile in training(learned, steps, switch):
        run.note(tile)
        values.append({name: np.copy(tile.parameters[name]) for name in SHARED})
    return run, values


def pulls(steps: int) -> tuple[list[float], list[float]]:
    """Gradient of the learned step of the scales, and the largest scale in such steps, for each pass that learns."""
    gradients, ends = [], []
    for k, tile in enumerate(training(True, steps, SWITCH)):
        if k >= SWITCH:
            scales = tile.value("mapping_scales") * tile.parameters["out_scaling_alpha"]
            gradients.append(float(tile.gradients["scale_quantizer.delta"]))
            ends.append(float(np.abs(scales).max() / tile.parameters["scale_quantizer.delta"]))
    return gradients, ends


def evaluate_first(values: list[dict[str, Any]], switch: int) -> Run:
    """A tile with the same values that evaluates up to a step, with the first range of its outputs, and then trains."""
    tile, run = tile_of(config(False, switch)), Run()
    tile.out_quantizer.estimate_ranges()
    for k, shared in enumerate(values):
        for name in SHARED:
            tile.parameters[name][...] = shared[name]
        tile.train(k >= switch).forward(normal(3 + k, ROWS, INPUTS))
        if k == 0:
            tile.out_quantizer.fix_ranges()
        run.note(tile)
    return run


def runs(steps: int = STEPS, switch: int = SWITCH) -> dict[str, Run]:
    """The three tiles."""
    estimated, values = learn(False, steps, switch)
    learned, _ = learn(True, steps, switch)
    return {
        "estimated": estimated,
        "learned": learned,
        "evaluated first": evaluate_first(values, switch),
    }


def main(folder: Path = FOLDER, steps: int = STEPS, switch: int = SWITCH) -> None:
    """Draw the figure into a folder."""
    figure, axes = panels(3, 2.7)
    found = runs(steps, switch)
    styles = {"estimated": (BLUE, "-"), "learned": (ORANGE, "-"), "evaluated first": (RED, "--")}
    for each, (name, title) in zip(axes[0], QUANTISERS.items(), strict=True):
        for case, run in found.items():
            colour, style = styles[case]
            each.plot(run.delta[name], color=colour, linestyle=style, linewidth=1.2, label=case)
        each.axvline(switch, color=GREY, linestyle=":", linewidth=0.9)
        label(each, title, "pass", "step of the quantiser" if each is axes[0, 0] else "")
        each.set_ylim(bottom=0)
    axes[0, 0].legend(fontsize=8, loc="lower right", labelcolor=BLACK)
    save(figure, folder / "quantiser_schedule.png")


if __name__ == "__main__":
    main()

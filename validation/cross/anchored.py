"""Each stage of each step by refsim from the recorded state before it, judged by the error bounds."""

from __future__ import annotations

from typing import Any

import numpy as np

from refsim import nn
from refsim.config import NoiseManagementType, WeightClipType, WeightRemapType

from . import bounds
from .job import Run, network
from .table import Table

MANAGED = (NoiseManagementType.ABS_MAX, NoiseManagementType.MAX)


class Anchor:
    """One tile of refsim at a step of a recorded run."""

    def __init__(self, run: Run, tile: Any, recorded: Any, table: Table, t: int, k: int) -> None:
        self.run, self.tile, self.recorded, self.table = run, tile, recorded, table
        self.t, self.k = t, k

    def of(self, name: str) -> np.ndarray:
        """The recorded array of this step and layer."""
        return self.recorded[f"{name}.{self.k}"][self.t]

    def compare(self, quantity: str, recorded: Any, own: Any, bound: Any, **flips: Any) -> Any:
        """Compare at this place."""
        return self.table.compare(quantity, (self.t, self.k), recorded, own, bound, **flips)

    def set_state(self, moment: str) -> None:
        """Take over the recorded parameters and buffers."""
        tile = self.tile
        for name in list(tile.parameters | tile.buffers):
            tile.assign({name: self.of(f"{moment}.{name}")})

    def data_range(self) -> None:
        """The range that the batch suggests; afterwards the recorded one is used as it is."""
        self.set_state("before")
        tile, used = self.tile, self.of("used.input_range")
        tile.forward(self.of("x"))
        counter = tile.buffers["input_range_update_idx"]
        self.compare("counter", self.of("used.input_range_update_idx"), counter, 0.0)
        batches = self.run.settings["pre_post.input_range.init_from_data"]
        bound = bounds.data_range(self.of("x"), used, tile.dtype) if self.t < batches else 0.0
        self.compare("range used", used, tile.value("input_range"), bound)
        self.set_state("used")
        counter[0] = np.inf

    def forward(self) -> tuple[Any, bounds.Pass, np.ndarray]:
        """Output from the recorded input; returns the trace, its magnitudes and the bound of the codes."""
        x, y = self.of("x"), self.of("y")
        own, trace = self.tile.forward(x, trace=True)
        p = bounds.of_pass(trace, self.tile)
        flip = self.compare(
            "y", y, own, p.output(p.tight), flipped=p.output(p.reach), clause="DC-4"
        )
        self.count(trace)
        return trace, p, np.where(flip, p.reach, p.tight)

    def count(self, trace: Any) -> None:
        """What this pass met."""
        table, x, cap = self.table, trace["input"], self.tile.config.forward.nm_thres
        table.meet("inputs beyond the range", np.abs(x) > np.abs(trace["input_range"]))
        table.meet("outputs beyond the bound", trace["rounded_output"] != trace["output_code"])
        passes = [stage for stage in trace if stage.name == "output_code"]
        table.meet("repeated passes of bound management", np.ones(len(passes) - 1))
        capped = trace["noise_management_scale"] == cap if cap > 0 else np.zeros(1)
        table.meet("rows at the threshold of noise management", capped)

    def backward(self, trace: Any, p: bounds.Pass, code_bound: np.ndarray) -> None:
        """Gradients from the recorded gradient of the output."""
        tile, x, g = self.tile, self.of("x"), self.of("dy")
        tile.zero_grad()
        dx = tile.backward(g)
        io = tile.config.forward
        mask = np.abs(trace["rounded_input"]) <= (io.inp_bound if io.inp_bound > 0 else np.inf)
        alpha, managed = np.float64(trace["noise_management_scale"]), io.noise_management in MANAGED
        strict = p.without_doubt()
        tight, loose = (
            bounds.backward(q, g, x, alpha, managed, mask, c)
            for q, c in ((strict, p.tight), (p, code_bound))
        )
        own = {"x": dx} | tile.gradients
        for name, value in own.items():
            recorded = self.of("dx") if name == "x" else self.of(f"gradient.{name}")
            self.compare(
                f"d {name}", recorded, value, tight[name], flipped=loose[name], clause="DC-4, BP-1"
            )

    def update(self) -> None:
        """Parameters after the step of the optimiser, clip and remap, from the recorded gradients."""
        self.set_state("used")
        tile, run = self.tile, self.run
        optimiser = nn.SGD([tile], lr=run.lr, momentum=run.momentum)
        limits = {}
        for name, parameter in tile.parameters.items():
            tile.gradients[name] = self.of(f"gradient.{name}").reshape(parameter.shape)
            before = None
            if self.t > 0:
                before = self.recorded[f"velocity.{name}.{self.k}"][self.t - 1]
                optimiser.groups[0].velocities[0, name] = before.copy()
            limits[name] = bounds.update(parameter, tile.gradients[name], before, run, tile.dtype)
        old = tile.buffers.get("mapping_scales", np.ones(1)).copy()
        optimiser.step()
        for (_, name), velocity in optimiser.groups[0].velocities.items():
            self.compare(f"velocity {name}", self.of(f"velocity.{name}"), velocity, limits[name][1])
        self.updated(old, {name: limit[0] for name, limit in limits.items()})

    def count_clipped(self) -> None:
        """How many weights the clip changes, judged by the recorded velocity."""
        weight = self.of("used.weight") - self.run.lr * self.of("velocity.weight")
        limit = self.tile.config.clip.sigma * weight.std(ddof=1)
        self.table.meet("weights beyond the clip", np.abs(weight) > limit)

    def updated(self, old: np.ndarray, limits: dict[str, np.ndarray]) -> None:
        """Compare what the step left behind."""
        tile = self.tile
        if tile.config.clip.type != WeightClipType.NONE:
            self.count_clipped()
            limits["weight"] = bounds.clipped(limits["weight"], tile.parameters["weight"], tile)
        if tile.config.remap.type != WeightRemapType.NONE:
            new = tile.buffers["mapping_scales"]
            scale = (limits["weight"] * bounds.wide(old)[:, None]).max(axis=1)
            limits["mapping_scales"] = scale + bounds.gamma(4, tile.dtype) * bounds.wide(new)
            limits["weight"] = bounds.remapped(
                limits["weight"], tile.parameters["weight"], old, new, tile.dtype
            )
        for name, value in (tile.parameters | tile.buffers).items():
            if name != "input_range_update_idx":
                self.compare(name, self.of(f"after.{name}"), value, limits.get(name, 0.0))


def digital(run: Run, data: Any, recorded: Any, table: Table, t: int, backend: str) -> None:
    """Rectifiers, bit for bit, and the loss."""
    last = run.layers - 1
    for k in range(1, run.layers):
        rectifier = nn.ReLU(backend)
        own = rectifier.forward(recorded[f"y.{k - 1}"][t])
        table.compare("rectifier", (t, k), recorded[f"x.{k}"][t], own, 0.0)
        own = rectifier.backward(recorded[f"dx.{k}"][t])
        table.compare("d rectifier", (t, k), recorded[f"dy.{k - 1}"][t], own, 0.0)
    y, labels = recorded[f"y.{last}"][t], data["labels"][t]
    losses, g = nn.softmax_cross_entropy(y, labels, backend)
    mean, parts = bounds.loss(y, labels, y.dtype)
    table.compare("loss", (t, last), recorded["loss"][t], np.mean(losses, dtype=np.float64), mean)
    table.compare("d loss", (t, last), recorded[f"dy.{last}"][t], g, parts)


def replay(run: Run, data: Any, recorded: Any, backend: str = "cpu") -> Table:
    """Compare every stage of every step."""
    model, table = network(run, data, backend), Table()
    for t in range(run.steps):
        digital(run, data, recorded, table, t, backend)
        for k, tile in enumerate(model.tiles()):
            anchor = Anchor(run, tile, recorded, table, t, k)
            if t == 0:
                for name, value in (tile.parameters | tile.buffers).items():
                    anchor.compare(f"first {name}", anchor.of(f"before.{name}"), value, 0.0)
            anchor.data_range()
            trace, p, code_bound = anchor.forward()
            anchor.backward(trace, p, code_bound)
            anchor.update()
    return table

"""``python -m validation.live.lightning_worker SEED COUNT``: random layers beside the reference, as JSON.

Runs in the environment of aihwkit-lightning, which needs no more than NumPy of what refsim depends on. Each step starts
from the state that the library shows. Results must agree within the bound of a sum in any order, and output codes
that such a sum could change are counted and left out.
"""

from __future__ import annotations

import contextlib
import json
import sys
from dataclasses import asdict
from typing import Any

import numpy as np

from refsim.conformance.adapters.lightning import adapter
from refsim.conformance.lightning import LightningLinear, LightningSettings, rules

SGD = {"lr": 0.05, "momentum": 0.9, "dampening": 0.0, "weight_decay": 0.0, "nesterov": False}
STEPS = 4


def drawn_settings(draw: Any) -> LightningSettings:
    """Any combination that the library takes."""

    def pick(*values: Any) -> Any:
        return values[draw.integers(len(values))]

    enable = bool(draw.integers(8))
    dynamic = not draw.integers(4)
    bound = pick(0.0, 1.0, 0.3, 5.0) if enable else 0.0
    return LightningSettings(
        inp_res=pick(-1.0, 254.0, 1 / 126, 7.0, 0.1) if enable else -1.0,
        out_res=pick(-1.0, 254.0, 1 / 30, 9.0) if bound else -1.0,
        out_bound=bound,
        max_input_size=pick(-1, 2, 3, 512),
        clip_type=pick("None", "LayerGaussian", "LayerGaussianPerChannel"),
        clip_sigma=pick(1.0, 2.5),
        quantization_type=pick("None", "None", "Discretize", "DiscretizePerChannel"),
        weight_res=pick(30.0, 7.0, 0.1),
        enable=enable,
        dynamic=dynamic,
        fast_mode=not dynamic and not draw.integers(3),
        act_range_momentum=pick(0.95, 0.5, -1.0),
        learn_input_range=bool(draw.integers(4)),
        init_value=pick(3.0, 0.7, 1.5),
        init_from_data=pick(0, 1, 2, 5),
        init_std_alpha=pick(3.0, 1.0),
        decay=pick(0.0, 0.1, 0.001),
        input_min_percentage=pick(0.95, 0.5),
        double=bool(draw.integers(4)),
    )


class Layer:
    """A layer of the library and the reference in its state."""

    def __init__(self, draw: Any, found: dict[str, Any]) -> None:
        self.draw, self.found, self.settings = draw, found, drawn_settings(draw)
        out_size, in_size = int(draw.integers(1, 5)), int(draw.integers(2, 9))
        T = self.settings.T
        self.start = draw.normal(0, 0.5, (out_size, in_size)).astype(T)
        self.bias = draw.normal(0, 1, out_size).astype(T) if draw.integers(2) else None
        self.handle = adapter.create(self.settings, self.start, self.bias, {})
        self.reference = LightningLinear(self.settings, self.start, self.bias)
        self.u = np.finfo(T).eps / 2
        self.step: dict[str, Any] = {}

    def gamma(self, n: int, u: float | None = None) -> float:
        """Bound of the relative error of so many roundings."""
        u = self.u if u is None else u
        return n * u / (1 - n * u)

    def anchor(self) -> None:
        """The reference takes over the state of the library."""
        shown = adapter.state(self.handle)
        for holder in (self.reference.parameters, self.reference.buffers):
            holder.update({name: shown[name] for name in holder})

    def compare(self, name: str, got: Any, own: Any, bound: Any) -> None:
        """Enter a comparison; a finding if it is outside."""
        row = self.found["rows"].setdefault(name, [0, 0, 0])
        got, own = np.asarray(got, dtype=np.float64), np.asarray(own, dtype=np.float64)
        outside = ~(np.abs(got - own) <= bound)
        row[0] += got.size
        row[1] += int((got == own).sum())
        row[2] += int(outside.sum())
        if outside.any():
            before = {"settings": asdict(self.settings), "name": name, **self.step}
            self.found["findings"].append(
                {**before, "got": got.tolist(), "reference": own.tolist()}
            )

    def run(self) -> None:
        """Some steps, each from the state of the library."""
        for _ in range(STEPS):
            self.anchor()
            r = self.reference.state().get("input_range")
            if r is not None and (r <= 0).any():
                self.found["negative"] += 1
                return
            self.one()

    def one(self) -> None:
        """One step."""
        draw, T = self.draw, self.settings.T
        out_size, in_size = self.start.shape
        rows, training = int(draw.integers(1, 7)), bool(draw.integers(4))
        x = draw.normal(0, 1.5, (rows, in_size)).astype(T)
        x[0] *= bool(draw.integers(3))
        g = draw.normal(0, 1, (rows, out_size)).astype(T)
        state = {k: v.tolist() for k, v in self.reference.state().items()}
        self.step = {"training": training, "x": x.tolist(), "dy": g.tolist(), "state": state}
        y = adapter.forward(self.handle, x, training=training, noise={})
        own = self.reference.train(training).forward(x)
        self.learned(x)
        if "input_range" in self.reference.state():
            own = self.used(x)
        if self.ambiguous():
            self.found["ambiguous"] += 1
            adapter.backward(self.handle, g)
        else:
            self.passes(x, g, y, own)
        self.update()

    def used(self, x: Any) -> Any:
        """The output with the range that the library used."""
        shown, reference = adapter.state(self.handle), self.reference
        kept = {name: value.copy() for name, value in reference.buffers.items()}
        for holder in (reference.parameters, reference.buffers):
            if "input_range" in holder:
                holder["input_range"] = shown["input_range"]
                kept.pop("input_range", None)
        own = reference.train(False).forward(x)
        reference.buffers.update(kept)
        return own

    def learned(self, x: Any) -> None:
        """What the forward pass has made of ranges and counters."""
        shown, own = adapter.state(self.handle), self.reference.state()
        size = float(np.sqrt((x.astype(np.float64) ** 2).sum() / max(x.size - 1, 1)))
        spread = self.settings.init_std_alpha * size + float(
            np.abs(own.get("input_range", 0)).max()
        )
        single = 2.0**-24 if not self.settings.fast_mode else 0.0
        for name in ("input_range", "input_range_update_idx", "x_min", "x_max"):
            if name in own:
                bound = (
                    self.gamma(4 * x.size + 16, single) * spread if name == "input_range" else 0.0
                )
                self.compare(f"{name} after the pass", shown[name], own[name], bound)

    def slices(self) -> Any:
        """What each slice did."""
        return self.reference._done or []

    def ambiguous(self) -> bool:
        """Whether another order of a sum could change an output code or what is clipped."""
        s = self.settings
        for part in self.slices():
            if part.inside is None:
                continue
            m = part.q.astype(float) @ part.w.T.astype(float)
            error = self.gamma(m.shape[0] + part.q.shape[1] + 8) * (
                np.abs(part.q) @ np.abs(part.w).T
            )
            stored = self.reference.parameters["weight"][:, part.columns]
            bound = rules.output_bound(part.r, s.out_bound, self.reference._largest(stored))
            near: Any = np.abs(np.abs(m) - bound) <= error
            if s.out_res > 0:
                step = np.broadcast_to(rules.step(bound, s.out_res), m.shape).astype(float)
                level = np.divide(m, step, out=np.zeros_like(m), where=step != 0)
                off = np.abs(np.abs(level - np.floor(level)) - 0.5) * step
                near = off <= 4 * error
            if (near & (error > 0)).any():
                return True
        return False

    def passes(self, x: Any, g: Any, y: Any, own: Any) -> None:
        """Output and gradients."""
        parts, weight = list(self.slices()), self.reference.parameters["weight"]
        n = sum(x.shape) + len(weight) + 16
        size = sum(np.abs(p.q) @ np.abs(p.w).T for p in parts)
        size = size + (0 if self.bias is None else np.abs(self.reference.parameters["bias"]))
        self.compare("output", y, own, self.gamma(n) * size)
        self.reference.gradients = {}
        dx = self.reference.backward(g)
        found = adapter.backward(self.handle, g)
        back = np.hstack([np.abs(g) @ np.abs(p.w) for p in parts])
        self.compare("input gradient", found["input"], dx, self.gamma(n) * back)
        q = np.hstack([np.abs(p.q) for p in parts])
        bounds = {"weight": np.abs(g).T @ q, "bias": np.abs(g).sum(axis=0)}
        if "input_range" in self.reference.parameters:
            r = np.abs(self.reference.parameters["input_range"])
            sums = [back[:, p.columns].sum() for p in parts]
            bounds["input_range"] = (np.array(sums) + self.settings.decay) * np.maximum(r, 1)
        for name, gradient in self.reference.gradients.items():
            many = self.gamma(n + x.size) * bounds[name]
            self.compare(f"{name} gradient", found[name], gradient, many)

    def update(self) -> None:
        """A step of the optimiser from the gradients of the library."""
        handle, reference = self.handle, self.reference
        named = dict(handle.module.named_parameters())
        reference.gradients = {
            n: p.grad.numpy().copy() for n, p in named.items() if p.grad is not None
        }
        for name in reference.gradients:
            reference._velocities.setdefault(name, None)
        clips = self.settings.clip_type != "None"
        size = {n: np.abs(v).max() + 1 for n, v in reference.parameters.items()}
        adapter.step(handle, **SGD)
        reference.step(SGD["lr"], SGD["momentum"])
        shown = adapter.state(handle)
        for name, value in reference.parameters.items():
            count = 4 * value.size + 16 if clips and name == "weight" else 8
            self.compare(
                f"{name} after the step", shown[name], value, self.gamma(count) * size[name]
            )


def main(seed: int, count: int) -> dict[str, Any]:
    """Random layers of a seed."""
    draw = np.random.default_rng(seed)
    found: dict[str, Any] = {"rows": {}, "findings": [], "negative": 0, "ambiguous": 0}
    with np.errstate(all="ignore"):
        for _ in range(count):
            Layer(draw, found).run()
    return found


if __name__ == "__main__":
    with contextlib.redirect_stdout(sys.stderr):
        result = main(int(sys.argv[1]), int(sys.argv[2]))
    sys.stdout.write(json.dumps(result))

"""The tile with quantised scales, bias and outputs."""

from __future__ import annotations

from typing import Any

import numpy as np

from .quantisers import ESTIMATE, ESTIMATE_TRAIN, FIX, LEARN, Quantisers
from .tile import TorchTile

Array = Any
SCALE, BIAS, OUTPUT = "scale_quantizer", "bias_quantizer", "out_quantizer"
COUNTERS = {SCALE: "scale_quant_update_idx", BIAS: "bias_quant_update_idx"}


class QuantisedTile(Quantisers, TorchTile):
    """Section F.4 of the description."""

    def create(self) -> None:
        """The entries that the configuration asks for, with those of the quantisers."""
        super().create()
        p, act = self.config.pre_post.periph_quant, self.config.act_quant_config
        self.check_estimator(act)
        self.quantisers = []
        if p.n_bits > 0:
            self.quantisers += [SCALE] + ([BIAS] if "bias" in self.values else [])
            if p.learn_quant_params:
                for name in self.quantisers:
                    self.values[COUNTERS[name]] = np.zeros(1, np.float32)
        if act is not None and act.n_bits > 0:
            self.quantisers.append(OUTPUT)
        for name in self.quantisers:
            self.values[f"{name}.delta"] = np.array(np.nan, np.float32)
            if not self.symmetric(name):
                self.values[f"{name}.zero_float"] = np.array(np.nan, np.float32)
            self.values[f"{name}.signed"] = np.zeros(1, np.uint8)
            self.values[f"{name}.state"] = np.full(1, ESTIMATE_TRAIN, np.uint8)

    def accept(self, name: str, value: Array) -> None:
        """Take over one entry of a state."""
        if name.endswith(("delta", "zero_float", "quant_update_idx")):
            self.values[name] = np.array(value, np.float32)
        elif name.endswith((".signed", ".state")):
            self.values[name] = np.array(value, np.uint8)
        else:
            super().accept(name, value)

    @property
    def learned(self) -> list[str]:
        """Names of the parameters that have gradients."""
        names = super().learned
        for name in self.quantisers:
            if self.trainable(name):
                names += [f"{name}.{part}" for part in ("delta", "zero_float")]
        return [name for name in names if name in self.values]

    def trainable(self, name: str) -> bool:
        """Whether the parameters of a quantiser may be learned."""
        if name == OUTPUT:
            return self.learning(name)
        return bool(self.config.pre_post.periph_quant.learn_quant_params)

    # ----- who sets the range

    def schedule(self, name: str, x: Array) -> None:
        """State and range of a quantiser of the periphery for this pass."""
        if not self.training:
            self.evaluated(name, x)
            return
        state = ESTIMATE_TRAIN
        if self.config.pre_post.periph_quant.learn_quant_params:
            state = self.scheduled_state(name)
        self.values[f"{name}.state"][0] = state
        if state == ESTIMATE_TRAIN:
            self.set_range(name, *self.estimated_range(name, x, None))

    def evaluated(self, name: str, x: Array) -> None:
        """Estimate once in evaluation, if nothing has done so before."""
        if not self.initialised(name):
            self.set_range(name, *self.estimated_range(name, x, None))
            self.values[f"{name}.state"][0] = FIX

    def scheduled_state(self, name: str) -> int:
        """Estimated for some passes, learned from then on."""
        if self.learning(name):
            return LEARN
        counter = self.values[COUNTERS[name]]
        counter[0] += np.float32(1)
        return LEARN if self.learns_from(counter[0]) else ESTIMATE_TRAIN

    def learns_from(self, counter: Array) -> bool:
        """Whether enough passes have been counted."""
        return bool(counter > self.config.pre_post.periph_quant.init_learning_after)

    def estimate_outputs(self, y: Array) -> None:
        """Range of the output quantiser for this pass."""
        state = self.values[f"{OUTPUT}.state"][0]
        if state == ESTIMATE or (state == ESTIMATE_TRAIN and self.training):
            self.set_range(OUTPUT, *self.estimated_range(OUTPUT, y, self.config.act_quant_config))
        elif not self.initialised(OUTPUT):
            raise ValueError("the output quantiser has no range")

    # ----- forward

    def whole_factor(self) -> Array | None:
        """Range, mapping scales and learned scales as one factor, ``(1,)`` or ``(out,)``."""
        factor, a = self.output_factor(), self.values.get("out_scaling_alpha")
        if factor is None:
            return a
        return np.atleast_1d(factor if a is None else factor * a)

    def outputs(self, z: Array) -> Array:
        """Core outputs with scales and bias, quantised."""
        self.k, b = self.whole_factor(), self.values.get("bias")
        rows = len(z)
        self.factor = None if self.k is None else self.periphery_quantised(SCALE, self.k, rows)
        self.scaled = z if self.factor is None else z * self.factor
        y = self.scaled
        if b is not None:
            y = self.biased(y, self.periphery_quantised(BIAS, b, rows))
        self.unquantised = y
        if OUTPUT not in self.quantisers or not rows:
            return y
        self.estimate_outputs(y)
        return self.on_quantiser_grid(OUTPUT, y)

    def periphery_quantised(self, name: str, x: Array, rows: int) -> Array:
        """Scales or bias on their grid, where there is one."""
        if name not in self.quantisers or not (rows or self.initialised(name)):
            return x
        if rows:
            self.schedule(name, x)
        return self.on_quantiser_grid(name, x)

    # ----- backward

    def periphery_gradients(self, g: Array) -> tuple[dict[str, Array], Array]:
        """Gradients of bias, scales and quantisers, and that of the core output times the factor."""
        found: dict[str, Array] = {}
        if OUTPUT in self.quantisers and len(g):
            g = self.through(OUTPUT, self.unquantised, g, found)
        if "bias" in self.values:
            total = self.bias_gradient(g)
            found["bias"] = self.through(BIAS, self.values["bias"], total, found)
        if self.k is not None:
            self.factor_gradients(g, found)
        return found, g

    def through(self, name: str, x: Array, g: Array, found: dict[str, Array]) -> Array:
        """Gradient before a quantiser, where there is one."""
        if name not in self.quantisers:
            return g
        dx, parameters = self.quantiser_gradient(name, x, g)
        found |= parameters
        return dx

    def factor_gradients(self, g: Array, found: dict[str, Array]) -> None:
        """Gradient of the factor, and that of the learned scales."""
        common = self.k.size == 1
        terms = g * self.z
        h = self.total(terms).reshape(1) if common else self.total(terms, axis=0)
        self.dk = self.through(SCALE, self.k, h, found)
        a = self.values.get("out_scaling_alpha")
        if a is None:
            return
        others = self.output_factor()
        share = self.dk if others is None else self.dk * others
        found["out_scaling_alpha"] = share if share.size == a.size else self.total(share).reshape(1)

    def output_sum(self, rest: Array) -> Array:
        """Derivative of the loss by the range as a factor of the output."""
        share = self.dk
        for name in ("mapping_scales", "out_scaling_alpha"):
            if name in self.values:
                share = share * self.values[name]
        return self.total(share)

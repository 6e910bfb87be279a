"""What a tile remembers: parameters, buffers, gradients, and the data type."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np

from refsim.config import RPUDataType, WeightRemapType

Array = Any
FLOAT32 = ("input_range_update_idx",)
"""Entries that are float32 in every tile."""


class State:
    """A tile with a stored weight, in the state that is given and else as configured."""

    def __init__(
        self, config: Any, weight: Array, bias: Array | None, state: Mapping[str, Array]
    ) -> None:
        self.config, self.T = copy.deepcopy(config), self.data_type(config)
        self.io = getattr(self.config, "forward", None)
        self.out_size, self.in_size = np.shape(weight)
        self.training = True
        self.rng = np.random.default_rng(0)
        self.values: dict[str, Array] = {"weight": np.array(weight, self.T)}
        if bias is not None:
            self.values["bias"] = np.array(bias, self.T)
        self.create()
        for name, value in state.items():
            self.accept(name, value)
        self.gradients: dict[str, Array] = {}
        self.velocities: dict[str, Array] = {}
        self.shown: dict[str, Array] = {}

    def data_type(self, config: Any) -> Any:
        """The scalar type of everything but counters and quantiser parameters."""
        return np.float64 if config.runtime.data_type == RPUDataType.DOUBLE else np.float32

    def create(self) -> None:
        """The entries that the configuration asks for."""
        p, m = self.config.pre_post.input_range, self.config.mapping
        if p.enable:
            self.values["input_range"] = np.full(1, p.init_value, self.T)
            self.values["input_range_update_idx"] = np.zeros(1, np.float32)
        if m.learn_out_scaling:
            count = self.out_size if m.out_scaling_columnwise else 1
            self.values["out_scaling_alpha"] = np.ones(count, self.T)
        remap = getattr(self.config, "remap", None)
        remapped = remap is not None and remap.type != WeightRemapType.NONE
        if m.weight_scaling_omega != 0 or remapped:
            single = not m.weight_scaling_columnwise and not remapped
            self.values["mapping_scales"] = np.ones(1 if single else self.out_size, self.T)

    def accept(self, name: str, value: Array) -> None:
        """Take over one entry of a state."""
        self.values[name] = np.array(value, np.float32 if name in FLOAT32 else self.T)

    @property
    def perfect(self) -> bool:
        """Whether the product at work is ideal."""
        return self.io is None or bool(self.io.is_perfect)

    @property
    def learned(self) -> list[str]:
        """Names of the parameters that have gradients."""
        names = ["weight", "bias", "out_scaling_alpha"]
        if self.config.pre_post.input_range.learn_input_range:
            names.append("input_range")
        return [name for name in names if name in self.values]

    def snapshot(self) -> dict[str, Array]:
        """Copies of the state by name."""
        return {name: value.copy() for name, value in self.values.items()}

    def saved(self) -> dict[str, Any]:
        """What goes into a checkpoint."""
        velocities = {name: value.copy() for name, value in self.velocities.items()}
        return {"values": self.snapshot(), "velocities": velocities}

    @classmethod
    def loaded(cls, config: Any, saved: Mapping[str, Any]) -> State:
        """A tile from a checkpoint."""
        values = dict(saved["values"])
        tile = cls(config, values.pop("weight"), values.pop("bias", None), values)
        tile.velocities = {name: value.copy() for name, value in saved["velocities"].items()}
        return tile

    def accumulate(self, name: str, gradient: Array) -> None:
        """Add the gradient of one backward pass."""
        before = self.gradients.get(name)
        self.gradients[name] = gradient if before is None else before + gradient

    def clear_gradients(self) -> None:
        """What an optimiser does after its step."""
        self.gradients.clear()

    def setting(self, value: float) -> Array:
        """A number of the configuration in the data type."""
        return self.T(value)

    def show(self, **stages: Array) -> None:
        """Note intermediates for those who look at them."""
        self.shown = self.shown | stages

"""The tile of the autograd path."""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from typing import Any

import numpy as np

from .backward import Backward
from .calibration import Calibration
from .modifier import Modifier
from .optimiser import Optimiser

Array = Any


class TorchTile(Backward, Modifier, Optimiser, Calibration):
    """One tile: both passes for a batch of any shape, and the step of the optimiser."""

    def forward(self, x: Array, training: bool, noise: MappingOf[str, Array]) -> Array:
        """Output ``(..., out)`` for a batch ``(..., in)``."""
        x = np.asarray(x, self.T)
        self.lead, self.training, self.shown = x.shape[:-1], training, {}
        rows = x.reshape(-1, self.in_size)
        self.x = self.kept_input(rows)
        if self.ranged and training and len(rows):
            self.initialise_range(rows)
        self.c = self.clipped_input(rows) if self.ranged else rows
        v = self.scaled_input(self.c) if self.ranged else rows
        self.show(clipped_input=self.c, scaled_input=v)
        if self.ranged:
            self.show(input_range=self.values["input_range"].copy())
        weight = self.effective_weight(noise, len(rows))
        self.show(effective_weight=weight.copy())
        y = self.outputs(self.core(v, weight, noise))
        self.show(scaled_output=self.scaled)
        return y.reshape(*self.lead, self.out_size)

    def kept_input(self, rows: Array) -> Array:
        """The input that the way back looks at."""
        return rows.copy()

    def backward(self, dy: Array) -> dict[str, Array]:
        """Gradients by name: of the input, and those of the parameters accumulated so far."""
        g = np.asarray(dy, self.T).reshape(-1, self.out_size)
        dx = self.backward_rows(g).reshape(*self.lead, self.in_size)
        return {"input": dx} | {name: value.copy() for name, value in self.gradients.items()}

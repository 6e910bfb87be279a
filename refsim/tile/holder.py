"""What has parameters, buffers and gradients: a tile, or what stands behind the tiles of an array."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from refsim.errors import InputError, StateError
from refsim.spec.sums import Array


class Holder:
    """Live arrays by name, and the access to them that an optimiser needs.

    Attributes
    ----------
    name
        Name for messages.
    dtype
        Data type of the values.
    parameters, buffers, gradients
        Dicts of live arrays: trained, not trained, and gradients of the trained ones.
    """

    name: str
    dtype: np.dtype[Any]
    parameters: dict[str, Array]
    buffers: dict[str, Array]
    gradients: dict[str, Array]

    def value(self, name: str) -> Array | None:
        """The live array of a parameter or buffer, None if there is none of that name."""
        return self.parameters.get(name, self.buffers.get(name))

    def zero_grad(self) -> None:
        """Discard all gradients."""
        self.gradients.clear()

    def after_update(self, values: dict[str, Array]) -> dict[str, Array]:
        """Parameters and buffers after the step that follows an optimiser's, from the parameters after that one."""
        return values

    def manual_update(self, values: dict[str, Array], lr: float) -> dict[str, Array]:
        """Parameters after the weight updates that an optimiser step makes itself, from those after its own step."""
        return values

    def forget_updates(self) -> None:
        """Drop the weight updates that an optimiser step has made."""

    def assign(self, values: Mapping[str, Array]) -> None:
        """Write values into the live arrays; an array of another shape replaces its predecessor."""
        for name, value in values.items():
            present = self.value(name)
            if present is not None and present.shape == value.shape:
                present[...] = value
            else:
                self.buffers[name] = value.copy()

    def checked_gradient(self, name: str) -> Array:
        """A live gradient; a :class:`~refsim.StateError` if it no longer fits its parameter."""
        gradient, parameter = self.gradients[name], self.parameters[name]
        layout = (parameter.shape, parameter.dtype)
        if (np.shape(gradient), getattr(gradient, "dtype", None)) != layout:
            raise StateError(
                f"the gradient of {name} of {self.name} was replaced, allowed is an array of {layout}."
            )
        return gradient


def checked_mode(mode: object) -> bool:
    """Whether to train; an :class:`~refsim.InputError` if that is not said by True or False."""
    if not isinstance(mode, (bool, np.bool_)):
        raise InputError(f"mode is {mode!r}, allowed are True and False.")
    return bool(mode)

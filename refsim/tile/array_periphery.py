"""What stands behind the tiles of an array: its digital bias."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refsim import backends
from refsim.errors import InputError, StateError
from refsim.spec.sums import Array

from .arrays import of_shape
from .core import finite
from .holder import Holder
from .state_dict import is_unset
from .trace import Trace


class ArrayPeriphery(Holder):
    """The bias of an array, added once to the sum of the partial results.

    Parameters
    ----------
    name
        Name for messages.
    out_size
        Number of outputs.
    bias
        Whether there is a bias.
    dtype
        Data type of the array.
    backend
        What computes.
    """

    def __init__(
        self, name: str, out_size: int, bias: bool, dtype: np.dtype[Any], backend: str
    ) -> None:
        self.name, self.dtype, self.backend, self.training = name, dtype, backend, True
        self.parameters, self.buffers, self.gradients = {}, {}, {}
        self.has_bias = bias
        if bias:
            self.parameters["bias"] = np.zeros(out_size, dtype=dtype)

    @property
    def ops(self) -> Any:
        """The pure functions of the backend."""
        return backends.load(self.backend)

    def check_live(self, out_size: int) -> None:
        """Refuse live arrays whose data type or shape was changed from outside."""
        if self.has_bias:
            self.check_array("bias", ((out_size,), self.dtype))

    def check_array(self, name: str, layout: tuple[tuple[int, ...], np.dtype[Any]]) -> None:
        """Refuse a live array that is not of a shape and data type."""
        array = self.value(name)
        if (np.shape(array), getattr(array, "dtype", None)) != layout:  # type: ignore[arg-type]
            raise StateError(f"{name} of {self.name} was replaced, allowed is an array {layout}.")

    def forward(self, y: Array, trace: Trace) -> Array:
        """Output ``(N, O)`` from the sum of the partial results."""
        bias = self.parameters.get("bias")
        if bias is not None:
            trace.add("PP-2", "bias", bias)
            y = self.ops.shifted_output(y, bias)
        trace.add("PP-2", "output", y)
        return y

    def backward(self, g: Array, trace: Trace) -> Array:
        """Gradient ``(N, O)`` of the sum of the partial results; that of the bias accumulates."""
        trace.add("BP-1", "output_gradient", g)
        if "bias" in self.parameters:
            db = self.ops.column_totals(g)
            trace.add("SU-3", "bias_gradient", db)
            self.accumulate("bias", db)
        return g

    def accumulate(self, name: str, value: Array) -> None:
        """Add to a gradient."""
        before = self.checked_gradient(name) if name in self.gradients else None
        total = value if before is None else np.asarray(before + value)
        self.gradients[name] = finite(total, f"the gradient of {name} of {self.name}")

    def state_dict(self) -> dict[str, NDArray[Any]]:
        """Copies of all parameters and buffers."""
        return {name: array.copy() for name, array in (self.parameters | self.buffers).items()}

    def load_state_dict(self, state: Mapping[str, object], strict: bool = True) -> None:
        """Take over a state; errors as for a tile."""
        accepted = self.accepted(state, strict)
        self.assign(accepted)
        self.gradients.clear()

    def accepted(self, state: Mapping[str, object], strict: bool) -> dict[str, Array]:
        """The arrays of a state by name, checked."""
        known = self.parameters | self.buffers
        unexpected = [name for name in state if name not in known]
        missing = [name for name in known if name not in state]
        if strict and (missing or unexpected):
            raise StateError(
                f"the state does not fit {self.name}: "
                f"missing {missing or 'nothing'}, unexpected {unexpected or 'nothing'}."
            )
        return {
            name: self._accepted_array(name, state[name], array)
            for name, array in known.items()
            if name in state
        }

    def _accepted_array(self, name: str, value: object, present: Array) -> Array:
        if self.may_be_unset(name) and is_unset(value, present):
            return np.full_like(present, np.nan)
        array = of_shape(value, present.dtype, present.shape, name)
        if name.endswith("_update_idx") and (array[0] < 0 or array[0] != np.floor(array[0])):
            raise InputError(f"{name} is {array[0]}, allowed are whole numbers from 0.")
        return array

    def may_be_unset(self, name: str) -> bool:
        """Whether an array is NaN until something sets it."""
        return False

    def accepted_bias(self, bias: object) -> Array | None:
        """A bias to store, None if none is given."""
        if bias is None:
            return None
        present = self.parameters.get("bias")
        if present is None:
            raise InputError(f"bias was given, but {self.name} was created with bias=False.")
        return of_shape(bias, self.dtype, present.shape, "bias")

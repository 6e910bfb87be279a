"""The noise of one forward pass: addressed random numbers or arrays given by the caller, kept for reading back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from refsim.errors import InputError, ShapeError
from refsim.random import STREAMS
from refsim.spec.sums import Array

from .arrays import as_array

DType = np.dtype[Any]
DEVIATES = ("inp_noise", "out_noise", "weight_noise")
UNIFORMS = ("inp_sto_round", "out_sto_round", "weight_sto_round")


class NoiseSource:
    """Noise arrays of one pass of a tile.

    Parameters
    ----------
    ops
        The backend.
    seed, step
        Address of the pass.
    T
        Data type of the tile; the float32 numbers are widened to it.
    lead
        Leading shape of the batch, which noise arrays of inputs and outputs share.
    passes
        Whether bound management adds a leading axis of passes.
    given
        Arrays to use instead of addressed numbers, by name.
    """

    def __init__(
        self,
        ops: Any,
        seed: int,
        step: int,
        T: DType,
        lead: tuple[int, ...],
        passes: bool,
        given: Mapping[str, object] | None,
    ) -> None:
        self.ops, self.seed, self.step, self.T, self.lead, self.passes = (
            ops,
            seed,
            step,
            T,
            lead,
            passes,
        )
        if given is not None and not isinstance(given, Mapping):
            raise InputError(
                f"noise is {type(given).__name__}, allowed are mappings of names to arrays."
            )
        self.given = {name: self._accepted(name, value) for name, value in (given or {}).items()}
        self._used: dict[str, list[Array]] = {}

    names: ClassVar[tuple[str, ...]] = DEVIATES + UNIFORMS
    prefix: ClassVar[str] = ""

    def _accepted(self, name: str, value: object) -> Array:
        if name not in self.names:
            raise InputError(f"noise has the key {name!r}, allowed are {', '.join(self.names)}.")
        array = as_array(value, self.T, f"noise[{name!r}]")
        if name in UNIFORMS and array.size and not (array.min() >= -0.5 and array.max() < 0.5):
            raise InputError(
                f"noise[{name!r}] has values outside [-0.5, 0.5), allowed are uniforms in it."
            )
        return array

    def rows(self, name: str, columns: int, count: int, pass_: int) -> Array:
        """Noise of inputs or outputs, ``(N, columns)``, for one pass."""
        shape = (*self.lead, columns)
        if name in self.given:
            values = self._given(name, shape, pass_)
        else:
            values = self._addressed(name, count * columns, pass_).reshape(shape)
        self._used.setdefault(name, []).append(values)
        return values.reshape(count, columns)

    def latest(self, name: str, pass_: int) -> Array | None:
        """Noise of inputs or outputs in a pass, ``(N, columns)``, None if that pass used none."""
        used = self._used.get(name, [])
        return used[pass_].reshape(-1, used[pass_].shape[-1]) if pass_ < len(used) else None

    def weights(self, name: str, shape: tuple[int, ...]) -> Array:
        """Noise of the weights, one array for the whole forward pass."""
        if name in self.given:
            values = self.given[name]
            if values.shape != shape:
                raise ShapeError(f"noise[{name!r}] has shape {values.shape}, allowed is {shape}.")
        else:
            values = self._addressed(name, int(np.prod(shape)), 0).reshape(shape)
        self._used[name] = [values]
        return values

    def _given(self, name: str, shape: tuple[int, ...], pass_: int) -> Array:
        values = self.given[name]
        if self.passes:
            if values.ndim == 0 or values.shape[1:] != shape or len(values) <= pass_:
                raise ShapeError(
                    f"noise[{name!r}] has shape {values.shape}, allowed is (passes, {', '.join(map(str, shape))}) "
                    f"with at least {pass_ + 1} passes of bound management."
                )
            return values[pass_]
        if values.shape != shape:
            raise ShapeError(f"noise[{name!r}] has shape {values.shape}, allowed is {shape}.")
        return values

    def stream(self, name: str) -> int:
        """The stream of the random numbers of a noise array."""
        return STREAMS[self.prefix + name]

    def _addressed(self, name: str, count: int, pass_: int) -> Array:
        draw = self.ops.normal if name in DEVIATES else self.ops.uniform
        numbers = draw(self.seed, self.stream(name), self.step, pass_, count)
        if name in UNIFORMS:
            numbers = numbers - np.float32(0.5)
        return numbers.astype(self.T, copy=False)

    @property
    def used(self) -> dict[str, Array]:
        """The arrays used so far, in the form in which they can be given."""
        stacked = {name: self.passes and not name.startswith("weight") for name in self._used}
        return {
            name: np.stack(arrays) if stacked[name] else arrays[0]
            for name, arrays in self._used.items()
        }


class BackwardNoise(NoiseSource):
    """Noise arrays of one backward pass, whose inputs are the gradients of the outputs; it has streams of its own."""

    names: ClassVar[tuple[str, ...]] = tuple(
        name for name in NoiseSource.names if not name.startswith("weight")
    )
    prefix: ClassVar[str] = "backward_"

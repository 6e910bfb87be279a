"""Layers: NumPy arrays in and out, gradients by hand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol, Self

import numpy as np

from refsim import backends, random
from refsim.errors import InputError, ShapeError, StateError
from refsim.spec.sums import Array
from refsim.tile.layer import tile_or_array
from refsim.tile.on_device import in_place
from refsim.tile.settings import typed


class Layer(Protocol):
    """What a layer can do."""

    def forward(self, x: Any) -> Array:
        """Output for a batch."""
        ...

    def backward(self, dy: Any) -> Array:
        """Gradient of the input of the last forward pass."""
        ...

    def train(self, mode: bool = True) -> Any:
        """Switch to training."""
        ...

    def tiles(self) -> Iterator[Any]:
        """The tiles of the layer, in order."""
        ...


class Linear:
    r"""Layer on one tile, or on an array of tiles: :math:`y = x W^\top + b` as these compute it.

    An array is made where the mapping asks for one, see :func:`refsim.tile.layer.needs_array`.

    The bias starts at 0 and the weight uniformly in :math:`[-k, k)` with :math:`k = \sqrt{6 / I}`, as He et al. (2015)
    advise before a rectifier: :math:`W_{oi} = (2u - 1)\,k`, where :math:`u` is the uniform deviate of the tile's seed,
    stream ``weight_init``, step 0, index :math:`oI + i`. :math:`2u - 1` is exact, :math:`k` is rounded once to the data
    type of the tile, and so is the product. Weight scaling applies as configured.

    Parameters
    ----------
    in_size, out_size
        Numbers of inputs and outputs.
    config
        Configuration of the tile or tiles.
    bias
        Whether there is a digital bias.
    seed
        Seed of the tile or array, and of its first weight.
    backend
        What computes.
    name
        Name of the tile, for messages.

    Examples
    --------
    >>> import refsim as rs
    >>> layer = Linear(2, 1, rs.TorchInferenceRPUConfig(forward=rs.IOParameters(is_perfect=True)), backend="spec")
    >>> layer.tile.parameters["weight"]
    array([[-0.64586216, -1.1300771 ]], dtype=float32)
    >>> layer.forward([[1.0, 0.0]])
    array([[-0.64586216]], dtype=float32)
    """

    def __init__(
        self,
        in_size: int,
        out_size: int,
        config: Any,
        *,
        bias: bool = True,
        seed: int = 0,
        backend: str = "cpu",
        name: str | None = None,
    ) -> None:
        self.tile = tile_or_array(out_size, in_size, config, bias, seed, backend, name)
        index = np.arange(out_size * in_size).reshape(out_size, in_size)
        u = random.uniform(seed, "weight_init", 0, index)
        T = self.tile.dtype
        width = np.full(1, typed(float(np.sqrt(6 / in_size)), T, "the width of the first weight"))
        self.tile.set_weights(self.tile.ops.row_scaled((2 * u - np.float32(1)).astype(T), width))

    def forward(self, x: Any) -> Array:
        """Output of the tile, ``(..., out)``, for inputs ``(..., in)``."""
        return self.tile.forward(x)  # type: ignore[no-any-return]

    def backward(self, dy: Any) -> Array:
        """Gradient of the input, ``(..., in)``; those of the parameters accumulate in the tile."""
        return self.tile.backward(dy)  # type: ignore[no-any-return]

    def train(self, mode: bool = True) -> Self:
        """Switch to training; returns the layer."""
        self.tile.train(mode)
        return self

    def eval(self) -> Self:
        """Switch to evaluation; returns the layer."""
        return self.train(False)

    def tiles(self) -> Iterator[Any]:
        """The tile or the array."""
        yield self.tile


class ReLU:
    """Rectifier (clauses NN-1 and NN-2).

    Parameters
    ----------
    backend
        What computes.

    Examples
    --------
    >>> layer = ReLU(backend="spec")
    >>> layer.forward(np.array([[-1.0, 2.0]]))
    array([[0., 2.]])
    >>> layer.backward(np.array([[3.0, 4.0]]))
    array([[0., 4.]])
    """

    def __init__(self, backend: str = "cpu") -> None:
        backends.load(backend)
        self.backend = backend
        self._input: Array | None = None

    def forward(self, x: Any) -> Array:
        """Output of the shape of ``x``, a float32 or float64 array."""
        ops = backends.load(self.backend)
        self._input = _floating(ops, x, "x")
        return ops.relu(self._input)  # type: ignore[no-any-return]

    def backward(self, dy: Any) -> Array:
        """Gradient of the input of the last forward pass, which is used once."""
        ops = backends.load(self.backend)
        x, dy = self._input, _floating(ops, dy, "dy")
        if x is None:
            raise StateError("backward of ReLU needs a forward pass before it, each is used once.")
        if (dy.shape, dy.dtype) != (x.shape, x.dtype):
            raise ShapeError(
                f"dy is an array {(dy.dtype, dy.shape)}, allowed is one like x, {(x.dtype, x.shape)}."
            )
        self._input = None
        return ops.relu_gradient(dy, x)  # type: ignore[no-any-return]

    def train(self, mode: bool = True) -> Self:
        """The layer; training and evaluation are the same."""
        return self

    def eval(self) -> Self:
        """The layer."""
        return self

    def tiles(self) -> Iterator[Any]:
        """No tile."""
        yield from ()


class Sequential:
    """Layers one after the other.

    Parameters
    ----------
    *layers
        At least one layer.

    Raises
    ------
    InputError
        If there is no layer.

    Examples
    --------
    >>> import refsim as rs
    >>> exact = rs.TorchInferenceRPUConfig(forward=rs.IOParameters(is_perfect=True))
    >>> model = Sequential(Linear(2, 3, exact, seed=1), ReLU(), Linear(3, 1, exact, seed=2))
    >>> model.forward(np.ones((5, 2))).shape
    (5, 1)
    >>> model.backward(np.ones((5, 1))).shape
    (5, 2)
    >>> [sorted(tile.gradients) for tile in model.tiles()]
    [['bias', 'weight'], ['bias', 'weight']]
    """

    def __init__(self, *layers: Layer) -> None:
        if not layers:
            raise InputError("layers is empty, allowed is one layer or more.")
        self.layers = layers

    def __call__(self, x: Any) -> Array:
        """The same as :meth:`forward`."""
        return self.forward(x)

    def forward(self, x: Any) -> Array:
        """Output of the last layer for a batch."""
        for layer in self.layers:
            x = layer.forward(x)
        return x  # type: ignore[no-any-return]

    def backward(self, dy: Any) -> Array:
        """Gradient of the input of the first layer; those of all parameters accumulate in the tiles."""
        for layer in reversed(self.layers):
            dy = layer.backward(dy)
        return dy  # type: ignore[no-any-return]

    def train(self, mode: bool = True) -> Self:
        """Switch all layers to training; returns the network."""
        for layer in self.layers:
            layer.train(mode)
        return self

    def eval(self) -> Self:
        """Switch all layers to evaluation; returns the network."""
        return self.train(False)

    def tiles(self) -> Iterator[Any]:
        """The tiles of all layers, in order."""
        for layer in self.layers:
            yield from layer.tiles()


def _floating(ops: Any, value: Any, name: str) -> Array:
    array: Array = in_place(ops, value)
    if array.dtype not in (np.float32, np.float64):
        raise InputError(f"{name} has dtype {array.dtype}, allowed are float32 and float64.")
    return array


__all__ = ["Layer", "Linear", "ReLU", "Sequential"]

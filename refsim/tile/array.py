"""A layer on several tiles (clauses TA): the inputs and outputs are split, the partial results added."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self, overload

import numpy as np
from numpy.typing import NDArray

from refsim import backends
from refsim.config import MappableRPU, QuantizedTorchInferenceRPUConfig
from refsim.errors import ConfigError, InputError, ShapeError, StateError
from refsim.random import checked_seed, derived_seed
from refsim.spec.sums import Array

from . import array_state, on_device
from .array_parts import joined, noise_by_place, part_of
from .array_periphery import ArrayPeriphery
from .arrays import as_rows
from .core import finite
from .holder import checked_mode
from .names import Joined, prefix
from .rollback import all_or_nothing
from .settings import DATA_TYPES
from .state import Tile, checked_size
from .trace import NoTrace, Trace


class TileModuleArray:
    """Tiles that share a layer: ``tiles[i][o]`` multiplies input split ``i`` for output split ``o``.

    The splits follow ``mapping.max_input_size`` and ``max_output_size`` (clause TA-1). Every tile has an input range,
    scales and random numbers of its own; tile ``[i][o]`` has the seed ``derived_seed(seed, i * output_splits + o)`` and
    a configuration of its own, ``tiles[i][o].config``. The tiles have no bias: the outputs of the input splits are
    added left to right (clause TA-2), each as its tile returns it, and the digital bias once at the end.

    What belongs to a tile stands under its name with the place of the tile before it, ``t0_1_weight``; so do its noise
    and the stages of a trace.

    Parameters
    ----------
    out_size, in_size
        Numbers of outputs and inputs, at least 1.
    config
        Configuration of the tiles; each keeps a deep copy.
    bias
        Whether the array has a bias, which is digital whatever ``mapping.digital_bias`` says.
    seed
        Seed of the array, ``0 <= seed < 2**64``.
    backend
        ``"cpu"``, ``"spec"`` or ``"cuda"``.
    name
        Name for messages; class and sizes by default.

    Raises
    ------
    ConfigError
        If the configuration has no mapping, or a tile cannot honour it.

    Examples
    --------
    >>> import numpy as np, refsim as rs
    >>> config = rs.TorchInferenceRPUConfig(forward=rs.IOParameters(is_perfect=True),
    ...     mapping=rs.MappingParameter(max_input_size=2, max_output_size=1))
    >>> array = rs.TileModuleArray(2, 3, config, bias=True, backend="spec")
    >>> [[tile.parameters["weight"].shape for tile in row] for row in array.tiles]
    [[(1, 2), (1, 2)], [(1, 1), (1, 1)]]
    >>> array.set_weights([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], [0.5, 0.0])
    >>> array.forward([[1.0, 1.0, 1.0]])
    array([[ 6.5, 15. ]], dtype=float32)
    >>> array.backward([[1.0, 0.0]])
    array([[1., 2., 3.]], dtype=float32)
    >>> array.gradients["t1_0_weight"], array.gradients["bias"]
    (array([[1.]], dtype=float32), array([1., 0.], dtype=float32))
    """

    wants_quantisers: ClassVar[bool] = False
    """Whether the class takes configurations with quantisers, or those without."""

    def __init__(
        self,
        out_size: int,
        in_size: int,
        config: Any,
        bias: bool = False,
        seed: int = 0,
        backend: str = "cpu",
        name: str | None = None,
    ) -> None:
        self.out_size = checked_size(out_size, "out_size")
        self.in_size = checked_size(in_size, "in_size")
        if name is not None and not isinstance(name, str):
            raise InputError(f"name is {name!r}, allowed is text.")
        self.name = name or f"{type(self).__name__}({out_size}, {in_size})"
        self._check_config(config)
        if not isinstance(bias, (bool, np.bool_)):
            raise InputError(f"bias is {bias!r}, allowed are True and False.")
        self.seed, self.has_bias, self.backend = checked_seed(seed), bool(bias), backend
        backends.load(backend)
        self.given = copy.deepcopy(config)
        self.dtype = DATA_TYPES[config.runtime.data_type]
        self.inputs = self._splits(self.in_size, config.mapping.max_input_size)
        self.outputs = self._splits(self.out_size, config.mapping.max_output_size)
        self.tiles: list[list[Tile]] = [
            [self.made_tile(i, o, config) for o in range(len(self.outputs))]
            for i in range(len(self.inputs))
        ]
        self.periphery = self._made_periphery()
        self.training = True
        self._lead: tuple[int, ...] | None = None

    def _check_config(self, config: object) -> None:
        if not isinstance(config, MappableRPU):
            raise ConfigError(f"config is {config!r}, allowed are configurations with a mapping.")
        if isinstance(config, QuantizedTorchInferenceRPUConfig) is not self.wants_quantisers:
            raise ConfigError(
                f"config is a {type(config).__name__}, which {type(self).__name__} does not take; "
                f"allowed for it is {'Tile' if self.wants_quantisers else 'QuantizedTile'}ModuleArray."
            )

    def _splits(self, size: int, limit: int) -> list[slice]:
        ends = np.cumsum(self.ops.split_sizes(size, limit)).tolist()
        return [slice(begin, end) for begin, end in zip([0, *ends], ends, strict=False)]

    def made_tile(self, i: int, o: int, config: Any) -> Tile:
        """A new tile for a place in the array."""
        rows, columns = self.outputs[o], self.inputs[i]
        tile: Tile = config.create_tile(
            rows.stop - rows.start,
            columns.stop - columns.start,
            False,
            derived_seed(self.seed, i * len(self.outputs) + o),
            self.backend,
            f"{self.name}.tiles[{i}][{o}]",
        )
        return tile

    def _made_periphery(self) -> ArrayPeriphery:
        return ArrayPeriphery(self.name, self.out_size, self.has_bias, self.dtype, self.backend)

    # ----- parts, modes and state

    @property
    def ops(self) -> Any:
        """The pure functions of the backend."""
        return backends.load(self.backend)

    def named_tiles(self) -> dict[str, Tile]:
        """The tiles, row by row, by the place that stands before their names."""
        return {
            prefix(i, o): tile for i, row in enumerate(self.tiles) for o, tile in enumerate(row)
        }

    def parts(self) -> dict[str, Tile | ArrayPeriphery]:
        """The tiles, and then what stands behind them, without a place."""
        return {**self.named_tiles(), "": self.periphery}

    @property
    def parameters(self) -> Joined:
        """The parameters of all tiles, ``t0_1_weight``, and of the array, ``bias``: a dict of live arrays."""
        return Joined(self.parts(), "parameters")

    @property
    def buffers(self) -> Joined:
        """The buffers, as the parameters."""
        return Joined(self.parts(), "buffers")

    @property
    def gradients(self) -> Joined:
        """The gradients, as the parameters."""
        return Joined(self.parts(), "gradients")

    def value(self, name: str) -> Array | None:
        """The live array of a parameter or buffer, None if there is none of that name."""
        return self.parameters.get(name, self.buffers.get(name))

    def train(self, mode: bool = True) -> Self:
        """Switch all tiles to training; returns the array."""
        mode = checked_mode(mode)
        self.training = self.periphery.training = mode
        for tile in self.named_tiles().values():
            tile.train(mode)
        return self

    def eval(self) -> Self:
        """Switch all tiles to evaluation; returns the array."""
        return self.train(False)

    def zero_grad(self) -> None:
        """Discard all gradients."""
        for part in self.parts().values():
            part.zero_grad()

    def post_update(self) -> None:
        """Clip and remap the weights of each tile, as configured; :meth:`refsim.SGD.step` does so after each step."""
        updated = [
            (part, part.after_update(dict(part.parameters))) for part in self.parts().values()
        ]
        for part, values in updated:
            part.assign(values)

    def __call__(self, x: object, **options: Any) -> Any:
        """The same as :meth:`forward`."""
        return self.forward(x, **options)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(out_size={self.out_size}, in_size={self.in_size}, bias={self.has_bias}, "
            f"seed={self.seed}, backend={self.backend!r}, name={self.name!r}"
            f"{'' if self.golden else ', golden=False'})"
        )

    @property
    def golden(self) -> bool:
        """Whether the bits of all results are the specified ones, as those of all tiles are."""
        return all(tile.golden for tile in self.named_tiles().values())

    # ----- weights, ranges and scales: see array_state

    def set_weights(
        self, weight: object, bias: object = None, weight_scaling_omega: float | None = None
    ) -> None:
        """Store a weight ``(out, in)``, of which each tile scales its own part, and a bias ``(out,)``.

        Parameters and errors as for a tile; nothing is changed if a tile refuses its part.
        """
        array_state.set_weights(self, weight, bias, weight_scaling_omega)

    def get_weights(self, apply_weight_scaling: bool = True) -> tuple[Array, Array | None]:
        """Copies of weight ``(out, in)`` and bias; the weight as ``(W * s) * a`` or as stored."""
        return array_state.get_weights(self, apply_weight_scaling)

    def input_range(self) -> Array | None:
        """The input ranges, ``(input splits, output splits)``, None if disabled; errors as for a tile."""
        return array_state.input_range(self)

    def set_input_range(self, value: object) -> None:
        """Store the magnitude of a number as the input range of all tiles; errors as for a tile."""
        with all_or_nothing(self.parts().values()):
            for tile in self.named_tiles().values():
                tile.set_input_range(value)

    def get_scales(self) -> Array | None:
        """The scales ``s * a`` of each input split, ``(input splits, out)``; None if there are none."""
        return array_state.get_scales(self)

    def set_scales(self, value: object) -> None:
        """Set the mapping scales and reset learned output scales to 1.

        Parameters
        ----------
        value
            One number for all, ``(out,)`` for each input split, ``(input splits, out)``, or None to remove them.
        """
        array_state.set_scales(self, value)

    def state_dict(self) -> dict[str, NDArray[Any]]:
        """Copies of all parameters and buffers, with the address of the next random number of each tile."""
        return {
            place + name: array
            for place, part in self.parts().items()
            for name, array in part.state_dict().items()
        }

    def load_state_dict(self, state: Mapping[str, object], strict: bool = True) -> None:
        """Take over a state; parameters and errors as for a tile, nothing is changed if any part does not fit."""
        array_state.load_state_dict(self, state, strict)
        self._lead = None

    # ----- forward and backward

    @overload
    def forward(
        self, x: object, *, noise: Mapping[str, object] | None = None, trace: Literal[False] = False
    ) -> Array: ...

    @overload
    def forward(
        self, x: object, *, noise: Mapping[str, object] | None = None, trace: Literal[True]
    ) -> tuple[Array, Trace]: ...

    def forward(
        self, x: object, *, noise: Mapping[str, object] | None = None, trace: bool = False
    ) -> Array | tuple[Array, Trace]:
        """Output of the array for a batch.

        Parameters
        ----------
        x
            ``(..., in)``, real numbers that the data type of the array holds exactly.
        noise
            Noise arrays to use instead of addressed numbers: the names of a tile with its place before them,
            ``t0_1_out_noise``, and the shapes of that tile.
        trace
            Whether to return the trace as well; the stages of each tile have its place before their names.

        Returns
        -------
        ``(..., out)``; with ``trace=True`` also a :class:`~refsim.tile.trace.Trace`.

        Raises
        ------
        InputError, ShapeError, StateError, ConfigError
            As for a tile; no tile is changed.
        """
        if on_device.concerns(self.ops, x):
            return on_device.through_host(self.forward, self.ops, x, noise=noise, trace=trace)
        rows, lead = as_rows(x, self.dtype, self.in_size, "x")
        given = noise_by_place(noise, self.named_tiles())
        self.periphery.check_live(self.out_size)
        kept = Trace(golden=self.golden) if trace else NoTrace()
        with all_or_nothing(self.parts().values()), np.errstate(all="ignore"):
            y = self._forward(rows, lead, given, kept)
        self._lead = lead
        y = y.reshape(*lead, self.out_size)
        return (y, kept) if trace else y

    def _forward(
        self, x: Array, lead: tuple[int, ...], given: Mapping[str, Any], trace: Trace
    ) -> Array:
        parts = np.empty((len(self.inputs), len(x), self.out_size), dtype=self.dtype)
        for i, columns in enumerate(self.inputs):
            part = part_of(x, columns, lead)
            for o, rows in enumerate(self.outputs):
                tile: Any = self.tiles[i][o]
                result = tile.forward(part, noise=given.get(prefix(i, o)), trace=trace.keeps)
                y = joined(result, prefix(i, o), trace)
                parts[i][:, rows] = y.reshape(len(x), y.shape[-1])
        y = self.ops.split_sum(parts)
        trace.add("TA-2", "partial_sum", y)
        return finite(self.periphery.forward(y, trace), f"the output of {self.name}")

    @overload
    def backward(self, dy: object, *, trace: Literal[False] = False) -> Array: ...

    @overload
    def backward(self, dy: object, *, trace: Literal[True]) -> tuple[Array, Trace]: ...

    def backward(self, dy: object, *, trace: bool = False) -> Array | tuple[Array, Trace]:
        """Gradient of the input, and of all parameters, accumulated in ``array.gradients``.

        The input gradients of the output splits are added left to right (clause TA-2).

        Parameters
        ----------
        dy
            ``(..., out)``, gradient of the loss with respect to the output of the last forward pass.
        trace
            Whether to return the trace as well.

        Returns
        -------
        ``(..., in)``; with ``trace=True`` also the trace.

        Raises
        ------
        StateError, InputError, ShapeError
            As for a tile; no tile is changed.
        """
        if on_device.concerns(self.ops, dy):
            return on_device.through_host(self.backward, self.ops, dy, trace=trace)
        if self._lead is None:
            raise StateError(
                f"backward of {self.name} needs a forward pass before it, each is used once."
            )
        g, lead = as_rows(dy, self.dtype, self.out_size, "dy")
        if lead != self._lead:
            raise ShapeError(
                f"dy has shape {(*lead, self.out_size)}, allowed is {(*self._lead, self.out_size)}."
            )
        kept = Trace(golden=self.golden) if trace else NoTrace()
        with all_or_nothing(self.parts().values()), np.errstate(all="ignore"):
            dx = self._backward(g, lead, kept)
        self._lead = None
        dx = dx.reshape(*lead, self.in_size)
        return (dx, kept) if trace else dx

    def _backward(self, g: Array, lead: tuple[int, ...], trace: Trace) -> Array:
        g = self.periphery.backward(g, trace)
        upstream = [part_of(g, rows, lead) for rows in self.outputs]
        dx = np.empty((len(g), self.in_size), dtype=self.dtype)
        for i, columns in enumerate(self.inputs):
            parts = np.empty((len(self.outputs), *dx[:, columns].shape), dtype=self.dtype)
            for o, part in enumerate(upstream):
                tile: Any = self.tiles[i][o]
                result = tile.backward(part, trace=trace.keeps)
                parts[o] = joined(result, prefix(i, o), trace).reshape(parts[o].shape)
            dx[:, columns] = self.ops.split_sum(parts)
        trace.add("TA-2", "input_gradient", dx)
        return finite(dx, f"the input gradient of {self.name}")

"""What every tile holds: parameters, buffers, gradients, weights and scales."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from operator import attrgetter
from types import NoneType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from refsim import backends
from refsim.config import NoiseManagementType, PrePostProcessingRPU, WeightRemapType
from refsim.errors import ConfigError, InputError, RangeError, ShapeError, StateError
from refsim.random import STREAMS, checked_seed
from refsim.spec.sums import Array, Scalar

from . import state_dict
from .arrays import as_array, as_scalar, of_shape
from .holder import Holder, checked_mode
from .settings import DATA_TYPES, typed

FIXED_AT_CREATION = (
    "runtime.data_type",
    "pre_post.input_range.enable",
    "pre_post.input_range.learn_input_range",
    "mapping.learn_out_scaling",
    "mapping.out_scaling_columnwise",
    "forward.out_noise_std",
)


class Tile(Holder):
    """State of an analog tile; the tile classes add forward and backward.

    Parameters
    ----------
    out_size, in_size
        Numbers of outputs and inputs, at least 1.
    config
        Configuration; the tile keeps a deep copy as ``tile.config``, and a change of the copy acts from the next
        forward pass.
    bias
        Whether the tile has a digital bias.
    seed
        Seed of all random numbers of the tile, ``0 <= seed < 2**64``.
    backend
        ``"cpu"``, ``"spec"`` or ``"cuda"``.
    name
        Name for messages; class and sizes by default.
    """

    may_be_unset: tuple[str, ...] = ()
    """Names of arrays that are NaN until something sets them."""

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
        self.out_size, self.in_size = (
            checked_size(out_size, "out_size"),
            checked_size(in_size, "in_size"),
        )
        if not isinstance(name, (str, NoneType)):
            raise InputError(f"name is {name!r}, allowed is text.")
        self.name = name or f"{type(self).__name__}({out_size}, {in_size})"
        if not isinstance(config, PrePostProcessingRPU):
            raise ConfigError(f"config is {config!r}, allowed are refsim's configurations.")
        self.config: Any = copy.deepcopy(config)
        self.seed = checked_seed(seed)
        self.step = 0
        self.training = True
        self.backend = backend
        backends.load(backend)
        if not isinstance(bias, (bool, np.bool_)):
            raise InputError(f"bias is {bias!r}, allowed are True and False.")
        self.dtype = DATA_TYPES[self.config.runtime.data_type]
        self.has_bias = bool(bias)
        self.check_config()
        self.parameters: dict[str, Array] = {}
        self.buffers: dict[str, Array] = {}
        self.gradients: dict[str, Array] = {}
        self._fixed = self._fixed_values()
        self._create_state()
        own = self.parameters | self.buffers
        self._layout = {
            name: (a.shape, a.dtype) for name, a in own.items() if name != "mapping_scales"
        }

    @property
    def ops(self) -> Any:
        """The pure functions of the backend."""
        return backends.load(self.backend, self.config.runtime.matmul)

    @property
    def golden(self) -> bool:
        """Whether the bits of all results are the specified ones; not so with ``runtime.matmul="fast"``."""
        return bool(self.config.runtime.matmul == "exact")

    def check_config(self) -> None:
        """Refuse what this tile class cannot honour, with a :class:`~refsim.ConfigError`."""

    def check_unchanged(self) -> None:
        """Refuse a configuration in which a field that shapes the state was changed after creation.

        Raises
        ------
        ConfigError
            Naming the field.
        """
        for name, value in self._fixed_values().items():
            if value != self._fixed[name]:
                raise ConfigError(
                    f"{name} of {self.name} was changed from {self._fixed[name]!r} to {value!r} after creation, "
                    "create a new tile instead."
                )

    def check_step(self) -> None:
        """Refuse a forward pass whose random numbers have no address."""
        if self.step >= 2**32:
            raise StateError(
                f"{self.name} has made 2**32 forward passes, the last that random numbers address."
            )

    def check_live(self) -> None:
        """Refuse live arrays whose data type or shape was changed from outside.

        Raises
        ------
        StateError
            Naming the array.
        """
        layout = dict(self._layout)
        if "mapping_scales" in self.buffers:
            size = 1 if np.size(self.buffers["mapping_scales"]) == 1 else self.out_size
            layout["mapping_scales"] = (size,), self.dtype
        for name, (shape, dtype) in layout.items():
            array = self.value(name)
            if not isinstance(array, np.ndarray) or array.shape != shape or array.dtype != dtype:
                found = (
                    getattr(array, "dtype", type(array).__name__),
                    np.shape(array) if array is not None else (),
                )
                raise StateError(
                    f"{name} of {self.name} is now {found}, allowed is an array {(dtype, shape)}."
                )

    def _fixed_values(self) -> dict[str, object]:
        parts = vars(self.config)
        there = [name for name in FIXED_AT_CREATION if name.partition(".")[0] in parts]
        return {name: attrgetter(name)(self.config) for name in there}

    def _create_state(self) -> None:
        T, mapping = self.dtype, self.config.mapping
        self.parameters["weight"] = np.zeros((self.out_size, self.in_size), dtype=T)
        if self.has_bias:
            self.parameters["bias"] = np.zeros(self.out_size, dtype=T)
        if mapping.learn_out_scaling:
            count = self.out_size if mapping.out_scaling_columnwise else 1
            self.parameters["out_scaling_alpha"] = np.ones(count, dtype=T)
        remapped = self._remap_type() != WeightRemapType.NONE
        if mapping.weight_scaling_omega != 0 or remapped:
            count = self.out_size if mapping.weight_scaling_columnwise or remapped else 1
            self.buffers["mapping_scales"] = np.ones(count, dtype=T)
        if self.config.pre_post.input_range.enable:
            self._create_range()
        if getattr(getattr(self.config, "forward", None), "out_noise_std", 0.0) > 0:
            self.buffers["out_noise_values"] = self._drawn_out_noise("forward", self.out_size)

    def _create_range(self) -> None:
        p = self.config.pre_post.input_range
        holder = self.parameters if p.learn_input_range else self.buffers
        value = typed(p.init_value, self.dtype, "input_range.init_value")
        holder["input_range"] = np.full(1, value)
        self.buffers["input_range_update_idx"] = np.zeros(1, dtype=np.float32)

    def _remap_type(self) -> WeightRemapType:
        return self.config.remap.type if hasattr(self.config, "remap") else WeightRemapType.NONE

    def _noise_spread(self, spread: float) -> float:
        """Spread of the output noise over the outputs, as a fraction of it."""
        return spread if self.config.choices.out_noise_std == "fraction" else 1.0

    @np.errstate(all="ignore")
    def _drawn_out_noise(self, way: str, count: int, stream: str = "out_noise_std") -> Array:
        T, io = self.dtype, getattr(self.config, way)
        spread = typed(self._noise_spread(io.out_noise_std), T, f"{way}.out_noise_std")
        strength = np.full((1, count), typed(io.out_noise, T, f"{way}.out_noise"))
        deviates = self.ops.normal(self.seed, STREAMS[stream], 0, 0, count)
        noisy = self.ops.multiplicative_noise_weight(
            strength, deviates.astype(T).reshape(1, -1), spread
        )
        return np.abs(noisy[0])

    # ----- modes and simple access

    def train(self, mode: bool = True) -> Self:
        """Switch to training; returns the tile."""
        self.training = checked_mode(mode)
        return self

    def eval(self) -> Self:
        """Switch to evaluation; returns the tile."""
        return self.train(False)

    def input_range(self) -> Scalar | None:
        """The input range as a scalar, None if disabled.

        Raises
        ------
        RangeError
            If it is 0, NaN or infinite.
        """
        stored = self.value("input_range")
        return None if stored is None else self.checked_range(stored[0])

    def checked_range(self, r: Scalar) -> Scalar:
        """The range; a :class:`~refsim.RangeError` if it cannot be divided by."""
        if r == 0 or not np.isfinite(r):
            raise RangeError(
                f"the input range of {self.name} is {r} at step {self.step}, allowed are finite numbers other than 0."
            )
        return r

    def set_input_range(self, value: object) -> None:
        """Store the magnitude of a number, or of an array with one element, as the input range.

        Raises
        ------
        ConfigError
            If the configuration has no input range.
        InputError
            If the value is not a finite number; a :class:`~refsim.RangeError` if it is 0.
        """
        stored = self.value("input_range")
        if stored is None:
            raise ConfigError(
                f"{self.name} has no input range; set pre_post.input_range.enable=True."
            )
        stored[0] = self.checked_range(np.abs(as_scalar(value, self.dtype, "input_range")))

    def switch_noise_management_off(self) -> None:
        """Take the inputs of the forward pass as they are from now on."""
        self.config.forward.noise_management = NoiseManagementType.NONE

    def enable_input_range(self) -> None:
        """Give a tile without an input range one that is not learned, from ``init_value`` on."""
        if self.value("input_range") is not None:
            return
        p = self.config.pre_post.input_range
        p.enable, p.learn_input_range = True, False
        self._create_range()
        names = "input_range", "input_range_update_idx"
        added = {name: (self.buffers[name].shape, self.buffers[name].dtype) for name in names}
        self._layout = self._layout | added
        self._fixed = self._fixed | {
            "pre_post.input_range.enable": True,
            "pre_post.input_range.learn_input_range": False,
        }

    # ----- weights and scales

    @np.errstate(all="ignore")
    def set_weights(
        self, weight: object, bias: object = None, weight_scaling_omega: float | None = None
    ) -> None:
        """Store a weight, scaled as configured, and a bias.

        Parameters
        ----------
        weight
            ``(out, in)``.
        bias
            ``(out,)``; None leaves the present one.
        weight_scaling_omega
            Replaces ``mapping.weight_scaling_omega`` for this call; scaling takes place if it is positive.
        """
        W = of_shape(weight, self.dtype, (self.out_size, self.in_size), "weight")
        b = None if bias is None else of_shape(bias, self.dtype, (self.out_size,), "bias")
        if b is not None and not self.has_bias:
            raise InputError(f"bias was given, but {self.name} was created with bias=False.")
        mapping = self.config.mapping
        omega = mapping.weight_scaling_omega
        if weight_scaling_omega is not None:
            omega = float(
                as_scalar(weight_scaling_omega, np.dtype(np.float64), "weight_scaling_omega")
            )
        if omega > 0:
            scale = self.ops.mapping_scales(
                W,
                typed(omega, self.dtype, "weight_scaling_omega"),
                mapping.weight_scaling_columnwise,
            )
            W = self.ops.stored_weight(W, self.usable_scale(scale))
            self.set_scales(scale)
        self.parameters["weight"][...] = W
        if b is not None:
            self.parameters["bias"][...] = b

    @np.errstate(all="ignore")
    def get_weights(self, apply_weight_scaling: bool = True) -> tuple[Array, Array | None]:
        """Copies of weight and bias; the weight as ``(W * s) * a`` or as stored."""
        weight = self.parameters["weight"].copy()
        if apply_weight_scaling:
            weight = self.logical_weight(weight, self.parameters.get("out_scaling_alpha"))
        bias = self.parameters.get("bias")
        return weight, None if bias is None else bias.copy()

    def logical_weight(self, weight: Array, a: Array | None) -> Array:
        """``(W * s) * a`` of a stored weight and learned output scales, absent factors left out."""
        for scale in (self.buffers.get("mapping_scales"), a):
            if scale is not None:
                weight = self.ops.row_scaled(weight, scale)
        return weight

    @np.errstate(all="ignore")
    def get_scales(self) -> Array | None:
        """A copy of ``s * a``, absent factors left out; None if there is neither."""
        s, a = self.value("mapping_scales"), self.value("out_scaling_alpha")
        if s is not None and a is not None:
            return s * a
        present = s if s is not None else a
        return None if present is None else present.copy()

    def set_scales(self, value: object) -> None:
        """Set the mapping scales and reset learned output scales to 1.

        Parameters
        ----------
        value
            One number fills the present scales; ``(out,)`` replaces them; None removes them.
        """
        present = self.buffers.get("mapping_scales")
        if value is None:
            self.buffers.pop("mapping_scales", None)
        else:
            scale = self.scales_from(value)
            if present is not None and scale.size in (1, present.size):
                present[...] = scale
            else:
                self.buffers["mapping_scales"] = scale.copy()
        if "out_scaling_alpha" in self.parameters:
            self.parameters["out_scaling_alpha"][...] = 1

    def scales_from(self, value: object) -> Array:
        """One scale, or one for each output, from a number or an array."""
        if isinstance(value, (int, float)):
            return self.usable_scale(np.full(1, as_scalar(value, self.dtype, "scales")))
        scale = as_array(value, self.dtype, "scales").reshape(-1)
        if scale.size not in (1, self.out_size):
            raise ShapeError(f"scales has {scale.size} elements, allowed are 1 or {self.out_size}.")
        return self.usable_scale(scale)

    def usable_scale(self, scale: Array) -> Array:
        """The scales; an :class:`~refsim.InputError` if one is 0 or not finite."""
        if not (np.isfinite(scale).all() and scale.all()):
            raise InputError(
                f"the scales of {self.name} contain 0, NaN or infinity, allowed are other numbers."
            )
        return scale

    # ----- state dict

    def state_dict(self) -> dict[str, NDArray[Any]]:
        """Copies of all parameters and buffers, with the address of the next random number."""
        state: dict[str, NDArray[Any]] = {
            name: array.copy() for name, array in (self.parameters | self.buffers).items()
        }
        state["random_seed"] = np.array([self.seed], dtype=np.uint64)
        state["random_step"] = np.array([self.step], dtype=np.uint64)
        return state

    def load_state_dict(self, state: Mapping[str, object], strict: bool = True) -> None:
        """Take over a state; nothing is changed if any part does not fit.

        Parameters
        ----------
        state
            As from :meth:`state_dict`.
        strict
            Whether missing and unexpected names are an error.

        Raises
        ------
        StateError
            If names are missing or unexpected.
        ShapeError, InputError
            If an array does not fit.
        """
        accepted = self.accepted_state(state, strict)
        seed, step = (accepted.pop(name, None) for name in state_dict.RANDOM_STATE)
        if "mapping_scales" not in accepted and strict:
            self.buffers.pop("mapping_scales", None)
        self.assign(accepted)
        self.seed = self.seed if seed is None else int(seed[0])
        self.step = self.step if step is None else int(step[0])
        self.gradients.clear()
        self._forget()

    def accepted_state(self, state: Mapping[str, object], strict: bool) -> dict[str, NDArray[Any]]:
        """The arrays of a state by name, each in the form that the tile stores; errors as above."""
        return state_dict.accepted(self, state, strict)

    def _forget(self) -> None:
        """Drop what a pending backward pass would use."""


def checked_size(value: object, name: str) -> int:
    """A number of inputs or outputs; a :class:`~refsim.ShapeError` if it is none."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not 0 < value < 2**31:
        raise ShapeError(f"{name} is {value!r}, allowed are integers from 1 to 2**31 - 1.")
    return int(value)

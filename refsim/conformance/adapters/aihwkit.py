"""Adapter of aihwkit 1.1.0: its tiles that are written in PyTorch.

``TorchInferenceTile``, ``QuantizedTorchInferenceTile`` and ``CustomTile``; the compiled ones are unsupported. To be run
in an environment that has aihwkit::

    refsim verify refsim.conformance.adapters.aihwkit:adapter
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np

from refsim.config import Choices
from refsim.conformance.admissible import FLOAT32
from refsim.conformance.cases import FEATURES
from refsim.errors import Unsupported

from .aihwkit_config import aihwkit_config
from .capabilities import Capabilities
from .libraries import library
from .torch_module import Array, TorchAdapter, TorchHandle

__all__ = ["Aihwkit", "adapter"]

_STATES: Final = ("estimate_ranges", "estimate_ranges_train", "fix_ranges", "learn_ranges")
"""States of a manager of a quantiser, in the order of refsim's state dict."""
_ENDS: Final = {"lo": "current_xmin", "hi": "current_xmax"}
_PLAIN: Final = (
    "bias",
    "input_range",
    "input_range_update_idx",
    "out_scaling_alpha",
    "mapping_scales",
    "scale_quant_update_idx",
    "bias_quant_update_idx",
)
_ABSENT: Final = {"noise", "float64", "output_clipping", "inference_tile", "floating_point_tile"}


class Aihwkit(TorchAdapter):
    """The tiles of aihwkit that are written in PyTorch, float32."""

    capabilities = Capabilities(
        name="aihwkit 1.1.0",
        profile=FLOAT32.reciprocals(),
        features=frozenset(FEATURES) - _ABSENT,
        choices=Choices.aihwkit(),
    )

    def module(self, config: Any, out_size: int, in_size: int, bias: bool) -> Any:
        """An ``AnalogLinear`` of one tile."""
        made = aihwkit_config(config)
        try:
            return library("aihwkit.nn").AnalogLinear(in_size, out_size, bias, rpu_config=made)
        except library("aihwkit.exceptions").ConfigError as error:
            raise Unsupported(f"aihwkit refuses the configuration: {error}") from error

    def tensors(self, module: Any) -> dict[str, Any]:
        """Tensors of the tile by refsim's names; the weight of a ``CustomTile`` is a copy."""
        tile = _tile(module)
        found = {name: getattr(tile, name, None) for name in _PLAIN}
        found["weight"] = getattr(tile.tile, "weight", None)
        if found["weight"] is None:
            found["weight"] = tile.get_weights(apply_weight_scaling=False)[0]
        for name, manager in _managers(tile):
            found |= _quantiser_tensors(name, manager)
        return {name: tensor for name, tensor in found.items() if tensor is not None}

    def put(self, module: Any, values: Mapping[str, Any]) -> None:
        """Write values into the state of the tile; scales that are not given are 1."""
        tile, rest = _tile(module), dict(values)
        scales = rest.pop("mapping_scales", None)
        if scales is None and tile.mapping_scales is not None:
            scales = library("torch").ones_like(tile.mapping_scales)
        if scales is not None:
            tile.set_mapping_scales(None)
            tile.set_scales(scales)
        weights = rest.pop("weight"), rest.pop("bias", None)
        tile.set_weights(*weights, apply_weight_scaling=False)
        managers = dict(_managers(tile))
        for name in [name for name in rest if "." in name]:
            owner, _, part = name.partition(".")
            _put_quantiser(managers[owner], part, rest.pop(name))
        super().put(module, {name: value for name, value in rest.items() if name[:6] != "random"})

    def optimizer(self, module: Any, **sgd: Any) -> Any:
        """aihwkit's own, which clips and remaps after a step."""
        made = library("aihwkit.optim").AnalogSGD(module.parameters(), **sgd)
        made.regroup_param_groups(module)
        return made

    def backward(self, handle: TorchHandle, dy: Array) -> dict[str, Array]:
        """Gradients by the names of the state, without those of counters."""
        found = super().backward(handle, dy)
        return {n: _shaped(n, value) for n, value in found.items() if not n.endswith("_idx")}

    def state(self, handle: TorchHandle) -> dict[str, Array]:
        """Copies of the state, with the states of the managers of quantisers."""
        states = {
            f"{name}.state": np.array([_STATES.index(manager.state.name)], dtype=np.uint8)
            for name, manager in _managers(_tile(handle.module))
        }
        found = super().state(handle) | states
        return {name: _shaped(name, value) for name, value in found.items()}

    def set_weights(self, handle: TorchHandle, weight: Array, bias: Array | None) -> None:
        """Weights in logical units."""
        tensors = [None if v is None else library("torch").tensor(v) for v in (weight, bias)]
        _tile(handle.module).set_weights(*tensors)

    def calibrate(
        self,
        handle: TorchHandle,
        calibration_type: str,
        batches: Any,
        quantile: float,
        max_samples: int,
        std_alpha: float | None,
    ) -> None:
        """Input range from data."""
        module, torch = library("aihwkit.inference.calibration"), library("torch")
        module.calibrate_input_ranges(
            handle.module,
            module.InputRangeCalibrationType[calibration_type],
            (((torch.tensor(batch),), {}) for batch in batches),
            quantile=quantile,
            max_samples=max_samples,
            std_alpha=std_alpha,
        )


adapter = Aihwkit()


def _tile(module: Any) -> Any:
    return next(module.analog_tiles())


def _managers(tile: Any) -> Iterator[tuple[str, Any]]:
    """The managers of quantisers that are in use, by refsim's names."""
    for name in ("scale_quantizer", "bias_quantizer", "out_quantizer"):
        found = getattr(tile, name, None)
        found = getattr(found, "activation_quantizer", found)
        if getattr(found, "quantizer", None) is not None:
            yield name, found


def _quantiser_tensors(name: str, manager: Any) -> dict[str, Any]:
    estimator, quantiser = manager.range_estimator, manager.quantizer
    found = {
        f"{name}.delta": getattr(quantiser, "_delta", None),
        f"{name}.zero_float": getattr(quantiser, "_zero_float", None),
        f"{name}.signed": getattr(quantiser, "_signed", None),
    }
    if type(estimator).__name__ in ("RunningMinMaxEstimator", "AllMinMaxEstimator"):
        for end, name_there in _ENDS.items():
            value = getattr(estimator, name_there, None)
            found[f"{name}.estimator.{end}"] = None if value is None else value.reshape(1)
    return found


def _shaped(name: str, value: Array) -> Array:
    """An entry of a quantiser in the form that refsim has; aihwkit keeps steps from a search as vectors of one."""
    if name.endswith(".signed"):
        return value.reshape(1).astype(np.uint8)
    return value.reshape(()) if name.endswith((".delta", ".zero_float")) else value


def _put_quantiser(manager: Any, part: str, value: Any) -> None:
    if part == "state":
        getattr(manager, _STATES[int(value)])()
    elif part.startswith("estimator."):
        end = part.removeprefix("estimator.")
        if end not in _ENDS:
            raise Unsupported(f"aihwkit has no {part} that can be given.")
        setattr(manager.range_estimator, _ENDS[end], value.reshape(()))
    elif part == "signed":
        manager.quantizer._signed = value.reshape(()).bool()
    else:
        getattr(manager.quantizer, f"_{part}").data = value
        if part == "delta" and getattr(manager.quantizer, "_signed", False) is None:
            manager.quantizer._signed = (value < 0).any()  # as created: not signed

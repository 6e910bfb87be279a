"""Adapter of aihwkit-lightning 2.1.0: its linear layer, on the PyTorch path.

Its rules are a variant of their own, so that a configuration is a
:class:`~refsim.conformance.lightning.LightningSettings`, and the reference
:class:`~refsim.conformance.lightning.LightningLinear`. To be run in an environment that has aihwkit-lightning.
"""

from __future__ import annotations

from typing import Any, Final

from refsim.conformance.lightning import LightningSettings
from refsim.errors import Unsupported

from .libraries import library
from .torch_module import TorchAdapter

__all__ = ["Lightning", "adapter"]

_CONFIGS: Final = "aihwkit_lightning.simulator.configs"
_RANGE: Final = (
    "enable",
    "dynamic",
    "fast_mode",
    "act_range_momentum",
    "learn_input_range",
    "init_value",
    "init_from_data",
    "init_std_alpha",
    "decay",
    "input_min_percentage",
)


class Lightning(TorchAdapter):
    """An ``AnalogLinear`` of aihwkit-lightning; configurations are :class:`LightningSettings`."""

    def module(self, config: LightningSettings, out_size: int, in_size: int, bias: bool) -> Any:
        """The layer."""
        if not isinstance(config, LightningSettings):
            raise Unsupported(f"a {type(config).__name__} is no LightningSettings.")
        torch, nn = library("torch"), library("aihwkit_lightning.nn")
        dtype = torch.float64 if config.double else torch.float32
        return nn.AnalogLinear(in_size, out_size, bias, rpu_config=_config(config), dtype=dtype)

    def optimizer(self, module: Any, **sgd: Any) -> Any:
        """The one that clips weights after a step."""
        wrapper = library("aihwkit_lightning.optim").AnalogOptimizer
        plain = library("torch").optim.SGD
        return wrapper(plain, module.analog_layers, module.parameters(), **sgd)


adapter = Lightning()


def _config(s: LightningSettings) -> Any:
    module = library(_CONFIGS)
    made = module.TorchInferenceRPUConfig()
    for name in ("inp_res", "out_res", "out_bound"):
        setattr(made.forward, name, getattr(s, name))
    for name in _RANGE:
        setattr(made.pre_post.input_range, name, getattr(s, name))
    made.mapping.max_input_size = s.max_input_size
    made.clip.sigma, made.modifier.res = s.clip_sigma, s.weight_res
    made.clip.type = module.WeightClipType(s.clip_type)
    made.modifier.quantization_type = module.WeightQuantizationType(s.quantization_type)
    return made

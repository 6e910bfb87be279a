"""From a configuration of refsim to one of aihwkit: fields have the same names, enumerations the same members."""

from __future__ import annotations

from enum import Enum
from typing import Any, Final

from refsim.config.base import Parameters, field_hints
from refsim.errors import Unsupported

from .libraries import library

__all__ = ["aihwkit_config"]

_CLASSES: Final = {
    "TorchInferenceRPUConfig": "aihwkit.simulator.configs",
    "QuantizedTorchInferenceRPUConfig": "aihwkit.simulator.configs",
    "CustomRPUConfig": "aihwkit.simulator.tiles.custom",
}
_QUANTISATION: Final = "aihwkit.simulator.parameters.quantization"
_OWN: Final = {"tile_class", "choices", "matmul"}
"""Fields that are refsim's alone, and say nothing of what is computed."""
_MODIFIERS: Final = ("NONE", "COPY", "DISCRETIZE")


def aihwkit_config(config: Any) -> Any:
    """The configuration of aihwkit that means the same.

    Parameters
    ----------
    config
        A configuration of refsim.

    Raises
    ------
    Unsupported
        If aihwkit draws random numbers for it, which cannot be given, or needs its compiled tiles.
    BackendError
        If aihwkit is not installed.
    """
    name = type(config).__name__
    if name not in _CLASSES:
        raise Unsupported(f"{name} needs the compiled tiles of aihwkit.")
    _check_random(config)
    made = getattr(library(_CLASSES[name]), name)()
    if hasattr(made, "drift_compensation"):
        made.drift_compensation = None
    _copy(config, made)
    mapping = made.mapping
    mapping.max_input_size = mapping.max_output_size = 0
    return made


def _check_random(config: Any) -> None:
    """Refuse what aihwkit draws at random."""
    io = config.forward
    noisy = not io.is_perfect and (
        io.inp_noise > 0 or io.out_noise > 0 or io.inp_sto_round or io.out_sto_round
    )
    modifier = getattr(config, "modifier", None)
    if modifier is not None:
        noisy |= modifier.type.name not in _MODIFIERS or (
            modifier.type.name == "DISCRETIZE" and modifier.sto_round
        )
    if noisy:
        raise Unsupported("aihwkit draws noise itself, so that it cannot be given.")


def _copy(given: Parameters, made: Any) -> None:
    for name in field_hints(type(given)):
        value = getattr(given, name)
        if name == "act_quant_config":
            made.act_quant_config = None if value is None else _quantiser(value)
        elif isinstance(value, Parameters) and hasattr(made, name):
            _copy(value, getattr(made, name))
        elif name not in _OWN:
            setattr(made, name, _plain(getattr(made, name), value))


def _plain(present: Any, value: Any) -> Any:
    return type(present)[value.name] if isinstance(value, Enum) else value


def _quantiser(given: Any) -> Any:
    module = library(_QUANTISATION)
    made = module.ActivationQuantConfig(n_bits=given.n_bits, symmetric=given.symmetric)
    made.range_estimator = module.RangeEstimators[given.range_estimator.name]
    if given.range_estimator_params is not None:
        params = getattr(module, type(given.range_estimator_params).__name__)()
        _copy(given.range_estimator_params, params)
        made.range_estimator_params = params
    return made

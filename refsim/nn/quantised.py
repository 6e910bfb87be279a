"""Networks of quantised tiles: configuration from that of plain tiles, and an optimiser for learned quantisers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from enum import Enum
from typing import Any

from refsim.config import (
    ActivationQuantConfig,
    MSEEstimatorParams,
    OptMethod,
    PeripheryQuantizationParameter,
    PrePostProcessingParameterQuant,
    QuantizedTorchInferenceRPUConfig,
    RangeEstimators,
    TorchInferenceRPUConfig,
)
from refsim.errors import ConfigError, InputError

from .sgd import SGD

PERIPHERY = {
    "periphery_bits": "n_bits",
    "symmetric": "symmetric",
    "learn_quantisers": "learn_quant_params",
    "init_learning_after": "init_learning_after",
}
"""Names of changes, and the field of `PeripheryQuantizationParameter` that each of them sets."""
ACTIVATION = {
    "activation_bits": "n_bits",
    "activation_symmetric": "symmetric",
    "estimator": "range_estimator",
    "search": "range_estimator_params",
}
"""Names of changes, and the field of `ActivationQuantConfig` that each of them sets."""


def quantised_config(config: Any) -> QuantizedTorchInferenceRPUConfig:
    """The configuration of a quantised tile with the fields of that of a plain one; periphery and outputs of 8 bits.

    One that is quantised already is returned as it is.

    >>> config = quantised_config(TorchInferenceRPUConfig())
    >>> config.pre_post.periph_quant.n_bits, config.act_quant_config.n_bits
    (8, 8)
    """
    if isinstance(config, QuantizedTorchInferenceRPUConfig):
        return config
    if type(config) is not TorchInferenceRPUConfig:
        raise ConfigError(
            f"config is a {type(config).__name__}, whose tiles have no quantised form; "
            "allowed is a TorchInferenceRPUConfig."
        )
    parts = {f.name: getattr(config, f.name) for f in fields(config) if f.name != "tile_class"}
    periphery = PeripheryQuantizationParameter(n_bits=8)
    parts["pre_post"] = PrePostProcessingParameterQuant(config.pre_post.input_range, periphery)
    outputs = ActivationQuantConfig(n_bits=8)
    return QuantizedTorchInferenceRPUConfig(**parts, act_quant_config=outputs)


def adjust_quantisers(config: Any, **changes: Any) -> None:
    """Change the quantisers of a configuration where a value is not None.

    Parameters
    ----------
    config
        The configuration.
    **changes
        By the names in ``PERIPHERY`` and ``ACTIVATION``; estimator and search by name.

    Raises
    ------
    ConfigError
        If a value is not allowed, or what it would change is not there.

    Examples
    --------
    >>> config = quantised_config(TorchInferenceRPUConfig())
    >>> adjust_quantisers(config, periphery_bits=4, estimator="MSE", search="grid")
    >>> config.pre_post.periph_quant.n_bits, config.act_quant_config.range_estimator.name
    (4, 'MSE')
    """
    given = {name: value for name, value in changes.items() if value is not None}
    if not given:
        return
    if not isinstance(config, QuantizedTorchInferenceRPUConfig):
        raise ConfigError(
            f"{next(iter(given))} was given, but the tiles of a {type(config).__name__} have no quantisers; "
            "allowed with quantised."
        )
    config.act_quant_config = config.act_quant_config or ActivationQuantConfig()
    periphery, outputs = config.pre_post.periph_quant, config.act_quant_config
    if "estimator" in given:
        given["estimator"] = _member(RangeEstimators, "estimator", given["estimator"])
    if "search" in given:
        chosen = given.get("estimator", outputs.range_estimator)
        given["search"] = _searching(outputs, chosen, given["search"])
    _set(periphery, PERIPHERY, given)
    _set(outputs, ACTIVATION, given)
    if "init_learning_after" in given and not periphery.learn_quant_params:
        raise ConfigError("init_learning_after was given, but learn_quantisers is False.")


def _set(target: Any, names: Mapping[str, str], given: Mapping[str, Any]) -> None:
    mine = [name for name in names if name in given]
    for name in mine:
        setattr(target, names[name], given[name])
    bits = next(iter(names))
    if target.n_bits <= 0 and mine not in ([], [bits]):
        idle = next(name for name in mine if name != bits)
        raise ConfigError(
            f"{idle} was given, but {bits} is {target.n_bits}: there is no quantiser."
        )


def _searching(outputs: ActivationQuantConfig, chosen: RangeEstimators, search: str) -> Any:
    """The parameters of the chosen estimator, with another search."""
    method = _member(OptMethod, "search", search)
    params = ActivationQuantConfig(range_estimator=chosen).range_estimator_params
    if not isinstance(params, MSEEstimatorParams):
        raise ConfigError(f"search was given, but the estimator {chosen.name} does not search.")
    if chosen is outputs.range_estimator:
        params = type(params)(**vars(outputs.range_estimator_params))
    params.range_opt_method = method
    return params


def _member(kind: type[Enum], name: str, value: str) -> Any:
    members = {member.name: member for member in kind}
    if value not in members:
        raise ConfigError(f"{name} is {value!r}, allowed are {', '.join(members)}.")
    return members[value]


def optimizer_of(
    tiles: Iterable[Any], lr: float, momentum: float, quantiser_lr: float | None = None
) -> SGD:
    """Gradient descent whose learning rate is another one for the steps and zeros of learned quantisers.

    Parameters
    ----------
    tiles, lr, momentum
        As for :class:`refsim.SGD`.
    quantiser_lr
        Learning rate of learned quantisers; None: ``lr / 1000``.

    Raises
    ------
    InputError
        If a rate is given, but no quantiser is learned.
    """
    tiles = list(tiles)
    plain = SGD(tiles, lr, momentum)
    names = {name for group in plain.groups for _, _, name in group.trained()}
    learned = sorted(name for name in names if "_quantizer." in name)
    if not learned and quantiser_lr is not None:
        raise InputError(f"quantiser_lr is {quantiser_lr}, but no quantiser is learned.")
    if not learned:
        return plain
    rest = {"tiles": tiles, "parameters": sorted(names - set(learned))}
    rate = lr / 1000 if quantiser_lr is None else quantiser_lr
    return SGD([rest, {"tiles": tiles, "parameters": learned, "lr": rate}], lr, momentum)


def quantiser_state(tile: Any) -> dict[str, dict[str, Any]]:
    """State, step and, if there is one, place of zero of each quantiser of a tile, as JSON can hold them."""
    return {
        name: {
            "state": manager.state.name,
            **{
                part: float(value)
                for part in ("delta", "zero_float")
                if (value := tile.value(f"{name}.{part}")) is not None and value == value
            },
        }
        for name, manager in getattr(tile, "quantizers", {}).items()
    }


__all__ = ["adjust_quantisers", "optimizer_of", "quantised_config", "quantiser_state"]

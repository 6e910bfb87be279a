"""From the recipe of a recorded case of a quantised tile to its configuration and a plan of steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import Any, Final, cast

from refsim.config import (
    ActivationQuantConfig,
    Choices,
    PeripheryQuantizationParameter,
    PrePostProcessingParameterQuant,
    QuantizedTorchInferenceRPUConfig,
    RangeEstimators,
)
from refsim.config.base import field_hints
from refsim.config.quantisation import EstimatorParams
from refsim.errors import ConfigError

from .recipe import Plan, UnsupportedCase, parameters, plan
from .vectors import Case, Recording

__all__ = ["QuantisedPlan", "quantised_plan"]

_OWN: Final = ("periph_quant", "act_quant")
_STATE: Final = frozenset(
    f"{name}q_{part}"
    for name in ("scale", "bias", "out")
    for part in ("state", "initialized", "signed")
) | {"scale_quant_update_idx", "bias_quant_update_idx"}


@dataclass(frozen=True)
class QuantisedPlan:
    """What to build, what to do with it, and the recorded states of the quantisers after each forward pass."""

    tile: Plan
    states: tuple[Mapping[str, Any], ...]
    sensitive: bool


def quantised_plan(recording: Recording, case: Case, choices: Choices) -> QuantisedPlan:
    """The configuration and the steps of a recorded case of a quantised tile.

    Parameters and errors as for :func:`refsim.conformance.recipe.plan`.
    """
    recipe, states = case.entries.get("spec"), case.entries.get("states")
    if not isinstance(recipe, dict) or not isinstance(states, list):
        raise UnsupportedCase("the case has no recipe for a tile")
    rest = {key: value for key, value in recipe.items() if key not in _OWN} | {"tile": "torch"}
    entries = {key: value for key, value in case.entries.items() if key != "sensitive"}
    plain = replace(case, entries=entries | {"spec": rest, "states": [_rest(s) for s in states]})
    made = plan(recording, plain, choices)
    own = tuple({key: value for key, value in state.items() if key in _STATE} for state in states)
    config = _config(recording, recipe, made.config)
    return QuantisedPlan(
        tile=replace(made, config=config), states=own, sensitive="sensitive" in case.entries
    )


def _rest(state: Any) -> Any:
    if not isinstance(state, dict):
        raise UnsupportedCase("a state is no table")
    return {key: value for key, value in state.items() if key not in _STATE}


def _config(
    recording: Recording, recipe: Mapping[str, Any], plain: Any
) -> QuantizedTorchInferenceRPUConfig:
    kind = PeripheryQuantizationParameter
    periphery = {
        **recording.defaults.get(kind.__name__, {}),
        **_table(recipe, "periph_quant", set(field_hints(kind))),
    }
    parts = {f.name: getattr(plain, f.name) for f in fields(plain)}
    own: dict[str, Any] = {
        "pre_post": None,
        "act_quant_config": None,
        "tile_class": "refsim.tile:QuantizedTorchInferenceTile",
    }
    try:
        own["pre_post"] = PrePostProcessingParameterQuant(
            input_range=plain.pre_post.input_range,
            periph_quant=cast(PeripheryQuantizationParameter, parameters(kind, periphery)),
        )
        if "act_quant" in recipe:
            own["act_quant_config"] = _output(recipe)
        return QuantizedTorchInferenceRPUConfig(**parts | own)
    except ConfigError as error:
        raise UnsupportedCase(str(error).rstrip(".")) from error


def _output(recipe: Mapping[str, Any]) -> ActivationQuantConfig:
    given = _table(recipe, "act_quant", {"n_bits", "symmetric", "range_estimator", "params"})
    kinds = {kind.name: kind for kind in RangeEstimators}
    if given.get("range_estimator") not in kinds:
        raise UnsupportedCase(
            f"the range estimator {given.get('range_estimator')!r} is not in this version"
        )
    made = ActivationQuantConfig(
        n_bits=given.get("n_bits", 0),
        symmetric=given.get("symmetric", True),
        range_estimator=kinds[given["range_estimator"]],
    )
    params = given.get("params", {})
    if params and made.range_estimator_params is not None:
        kind = type(made.range_estimator_params)
        made.range_estimator_params = cast(EstimatorParams, parameters(kind, params))
    return made


def _table(recipe: Mapping[str, Any], name: str, known: set[str]) -> Mapping[str, Any]:
    table = recipe.get(name, MappingProxyType({}))
    if not isinstance(table, Mapping) or table.keys() - known:
        raise UnsupportedCase(f"{name} is {table!r}, which is not in this version")
    return table

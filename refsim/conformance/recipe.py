"""From the recipe of a recorded case to a configuration and a plan of steps.

Every entry of a recipe is understood here or makes the case unsupported; none is ignored.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

import numpy as np

from refsim.config import (
    Choices,
    InputRangeParameter,
    IOParameters,
    MappingParameter,
    Parameters,
    PrePostProcessingParameter,
    RPUDataType,
    RuntimeParameter,
    TorchInferenceRPUConfig,
    WeightClipParameter,
    WeightModifierParameter,
    WeightRemapParameter,
)
from refsim.config.base import field_hints
from refsim.errors import ConfigError, VectorError

from .vectors import Case, Recording

__all__ = ["Plan", "Step", "UnsupportedCase", "plan"]

_PARTS: Final[Mapping[str, type[Parameters]]] = {
    "forward": IOParameters,
    "mapping": MappingParameter,
    "modifier": WeightModifierParameter,
    "clip": WeightClipParameter,
    "remap": WeightRemapParameter,
}
_CASE: Final = {"spec", "states", "seed", "f32_f64_max_rel_diff", "sensitive", "note"}
_HOW_DATA_WERE_DRAWN: Final = {"edge", "w_scale"}
_RECIPE: Final = (
    {"tile", "out", "in", "bias", "steps", "optimizer", "out_scaling_init", "input_range"}
    | _PARTS.keys()
    | _HOW_DATA_WERE_DRAWN
)
_STEP: Final = {"mode", "backward", "optimizer_step", "x_scale"}
_DATA_TYPES: Final[Mapping[np.dtype[Any], Any]] = {
    np.dtype(np.float32): RPUDataType.FLOAT,
    np.dtype(np.float64): RPUDataType.DOUBLE,
}
LARGEST_TILE: Final = 4096


class UnsupportedCase(VectorError):
    """A recipe asks for something that this version of refsim cannot replay."""


@dataclass(frozen=True)
class Step:
    """One recorded step: a forward pass, perhaps a backward pass and an update."""

    training: bool
    backward: bool
    update: bool
    range_counter: float | None


@dataclass(frozen=True)
class Plan:
    """What to build and what to do with it."""

    config: Any
    out_size: int
    in_size: int
    bias: bool
    out_scaling: tuple[float, ...] | None
    lr: float
    steps: tuple[Step, ...]


def plan(
    recording: Recording,
    case: Case,
    choices: Choices,
    tile: str = "torch",
    config_class: Any = TorchInferenceRPUConfig,
) -> Plan:
    """The configuration and the steps of a recorded case.

    Parameters
    ----------
    recording
        Where the case stands; its defaults apply to what the recipe leaves out.
    case
        The case.
    choices
        The readings that the tile follows.
    tile, config_class
        The kind of tile that the recipe must name, and the class of its configuration.

    Returns
    -------
    Plan
        Configuration, sizes and steps.

    Raises
    ------
    UnsupportedCase
        If any entry of the recipe is not understood or not possible in this version.
    """
    recipe = case.entries.get("spec")
    if not isinstance(recipe, dict):
        raise UnsupportedCase("the case has no recipe for a tile")
    if recipe.get("tile") != tile:
        raise UnsupportedCase(f"tiles of the kind {recipe.get('tile')!r} are not in this version")
    _understood(case.entries, _CASE, "the case")
    if _flag(case.entries, "sensitive", default=False):
        raise UnsupportedCase("cases that depend on the order of a sum are not in this version")
    parts = _PARTS.keys() & field_hints(config_class).keys()
    _understood(recipe, _RECIPE - _PARTS.keys() | parts, "the recipe")
    out_size, in_size = (_number(recipe, name, int, 1, LARGEST_TILE) for name in ("out", "in"))
    optimizer = recipe.get("optimizer", {"type": "AnalogSGD", "lr": 0.0})
    _understood(optimizer, {"type", "lr"}, "the optimizer")
    if optimizer.get("type") != "AnalogSGD":
        raise UnsupportedCase(f"the optimizer {optimizer.get('type')!r} is not in this version")
    return Plan(
        config=_config(recording, recipe, case.dtype, choices, config_class),
        out_size=out_size,
        in_size=in_size,
        bias=_flag(recipe, "bias"),
        out_scaling=_out_scaling(recipe),
        lr=_number(optimizer, "lr", float, 0.0, 1e6),
        steps=_steps(recipe, case.entries.get("states")),
    )


def _understood(table: object, known: Collection[str], what: str) -> None:
    if not isinstance(table, dict):
        raise UnsupportedCase(f"{what} is no table")
    unknown = sorted(table.keys() - set(known))
    if unknown:
        raise UnsupportedCase(
            f"{what} has entries that are not in this version: {', '.join(unknown)}"
        )


def _flag(table: Mapping[str, Any], name: str, default: bool | None = None) -> bool:
    value = table.get(name, default)
    if not isinstance(value, bool):
        raise UnsupportedCase(f"{name} is {value!r}, which is not true or false")
    return value


def _number(
    table: Mapping[str, Any], name: str, kind: type[int] | type[float], low: float, high: float
) -> Any:
    value = table.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, kind)) or not low <= value <= high:
        raise UnsupportedCase(f"{name} is {value!r}, which is not a number in [{low:g}, {high:g}]")
    return value


def _config(
    recording: Recording,
    recipe: Mapping[str, Any],
    dtype: np.dtype[Any],
    choices: Choices,
    config_class: Any,
) -> Any:
    def part(cls: type[Parameters], name: str, before: Mapping[str, Any] | None = None) -> Any:
        own = recipe.get(name, {})
        _understood(own, field_hints(cls), name)
        return parameters(
            cls, {**recording.defaults.get(cls.__name__, {}), **(before or {}), **own}
        )

    quiet = {"forward": recording.quiet_forward}
    parts = {name: cls for name, cls in _PARTS.items() if name in field_hints(config_class)}
    try:
        return config_class(
            runtime=RuntimeParameter(data_type=_DATA_TYPES[dtype]),
            pre_post=PrePostProcessingParameter(
                input_range=part(InputRangeParameter, "input_range")
            ),
            choices=choices,
            **{name: part(cls, name, quiet.get(name)) for name, cls in parts.items()},
        )
    except ConfigError as error:
        raise UnsupportedCase(str(error).rstrip(".")) from error


def parameters(cls: type[Parameters], values: Mapping[str, Any]) -> Parameters:
    """An object of a parameter class from plain values, enumerations given by value."""
    hints = field_hints(cls)
    return cls(**{name: _enumerated(hints.get(name), value) for name, value in values.items()})


def _enumerated(hint: Any, value: Any) -> Any:
    if (
        isinstance(hint, type)
        and issubclass(hint, Enum)
        and value in [member.value for member in hint]
    ):
        return hint(value)
    return value


def _out_scaling(recipe: Mapping[str, Any]) -> tuple[float, ...] | None:
    """Learned output scales at the start: one for each output; a common scale is the first of them."""
    given = recipe.get("out_scaling_init")
    if given is None:
        return None
    if (
        not isinstance(given, list)
        or not all(isinstance(value, float) for value in given)
        or not given
    ):
        raise UnsupportedCase("out_scaling_init is not a list of numbers")
    mapping = recipe.get("mapping", {})
    if not mapping.get("learn_out_scaling", False):
        raise UnsupportedCase("out_scaling_init is given, but no output scale is learned")
    return tuple(given if mapping.get("out_scaling_columnwise", False) else given[:1])


def _steps(recipe: Mapping[str, Any], states: Any) -> tuple[Step, ...]:
    steps = recipe.get("steps")
    if not isinstance(steps, list) or not steps:
        raise UnsupportedCase("the recipe has no steps")
    if not isinstance(states, list) or len(states) != len(steps):
        raise UnsupportedCase("the case does not have one state for each step")
    trained = "optimizer" in recipe
    return tuple(_step(step, state, trained) for step, state in zip(steps, states, strict=True))


def _step(step: Any, state: Any, trained: bool) -> Step:
    _understood(step, _STEP, "a step")
    _understood(state, {"range_counter"}, "a state")
    if step.get("mode") not in ("train", "eval"):
        raise UnsupportedCase(
            f"the mode of a step is {step.get('mode')!r}, which is not train or eval"
        )
    backward = _flag(step, "backward", default=True)
    return Step(
        training=step["mode"] == "train",
        backward=backward,
        update=trained and backward and _flag(step, "optimizer_step", default=True),
        range_counter=_number(state, "range_counter", float, 0, 2**24) if state else None,
    )

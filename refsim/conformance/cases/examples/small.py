"""What the examples are written with: configurations that do one thing only, and arrays as lists."""

from __future__ import annotations

import warnings
from typing import Any, Final

import numpy as np

from refsim.config import (
    BoundManagementType,
    InputRangeParameter,
    IOParameters,
    NoiseManagementType,
    PrePostProcessingParameter,
    RPUDataType,
    TorchInferenceRPUConfig,
)
from refsim.errors import RangeWarning

from ..model import Case, SGDSettings, Step

__all__ = ["PERFECT", "Asked", "asked", "core", "example", "ranged", "tile"]

PERFECT: Final = {"is_perfect": True}
QUIET: Final[dict[str, Any]] = {
    "inp_res": -1.0,
    "inp_bound": -1.0,
    "out_res": -1.0,
    "out_bound": -1.0,
    "out_noise": 0.0,
    "noise_management": NoiseManagementType.NONE,
    "bound_management": BoundManagementType.NONE,
}
STILL: Final[dict[str, Any]] = {
    "enable": True,
    "init_from_data": 0,
    "decay": 0.0,
    "gradient_relative": False,
}
Asked = dict[str, Any]


def core(**settings: Any) -> IOParameters:
    """A core that does only what is asked for."""
    return IOParameters(**{**QUIET, **settings})


def ranged(r: float, **settings: Any) -> PrePostProcessingParameter:
    """An input range with the plain rule: no data, no decay, not relative, unless asked for."""
    values = {**STILL, "init_value": r, **settings}
    return PrePostProcessingParameter(input_range=InputRangeParameter(**values))


def tile(
    r: float | None = None,
    io: Asked | None = None,
    learning: Asked | None = None,
    made: Any = TorchInferenceRPUConfig,
    **parts: Any,
) -> Any:
    """A configuration that does only what is asked for.

    Parameters
    ----------
    r
        The input range, None without one.
    io
        Settings of the core; a perfect one by default.
    learning
        Settings of the input range.
    made, parts
        The class, and its other fields.
    """
    if r is not None:
        parts["pre_post"] = ranged(r, **(learning or {}))
    if "forward" in made.__dataclass_fields__:
        parts["forward"] = core(**(PERFECT if io is None else io))
    return made(**parts)


def asked(x: Any, dy: Any = None, noise: Asked | None = None, **what: Any) -> Asked:
    """One step: a batch, the gradient of the output, deviates, and what else is done."""
    return {"x": x, "dy": dy, "noise": noise or {}, **what}


def example(
    clauses: str,
    catches: str,
    name: str,
    config: Any,
    weight: Any,
    *steps: Asked,
    bias: Any = None,
    sgd: Asked | None = None,
    **state: Any,
) -> Case:
    """A case from lists.

    Parameters
    ----------
    clauses
        What it is about, the first one most of all, with blanks between.
    catches
        The mistake in CamelCase.
    name
        What happens, in a few words.
    config, weight, steps, bias, sgd, state
        As in :class:`~refsim.conformance.cases.Case`; dots in names of the state are written ``__``.
    """
    T = np.dtype(np.float64 if config.runtime.data_type == RPUDataType.DOUBLE else np.float32)
    entries = {
        key.replace("__", "."): np.array(value, _kind(key, T)) for key, value in state.items()
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RangeWarning)
        return Case(
            config,
            weight=np.array(weight, T),
            bias=None if bias is None else np.array(bias, T),
            steps=tuple(_step(step, T) for step in steps),
            state=entries,
            sgd=SGDSettings(**{"lr": 0.5, **(sgd or {})}),
            clauses=tuple(clauses.split()),
            catches=catches,
            name=name,
        )


def _kind(key: str, T: np.dtype[Any]) -> np.dtype[Any]:
    """The data type of an entry of the state: counters and quantisers are float32 in every tile."""
    if key.endswith(("__state", "__signed")):
        return np.dtype(np.uint8)
    return np.dtype(np.float32) if key.endswith("_update_idx") or "__" in key else T


def _step(step: Asked, T: np.dtype[Any]) -> Step:
    dy, noise = step["dy"], step["noise"]
    rest = {key: value for key, value in step.items() if key not in ("x", "dy", "noise")}
    return Step(
        x=np.array(step["x"], T),
        dy=None if dy is None else np.array(dy, T),
        noise={key: np.array(value, T) for key, value in noise.items()},
        **rest,
    )

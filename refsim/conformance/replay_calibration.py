"""The replay of a case of a calibration: linear layers one after the other, their ranges from the recorded batches."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from refsim.calibration import calibrate_input_ranges
from refsim.config import (
    Choices,
    InputRangeParameter,
    IOParameters,
    PrePostProcessingParameter,
    TorchInferenceRPUConfig,
)
from refsim.nn import Linear, Sequential

from .comparison import Comparison
from .recipe import UnsupportedCase, parameters
from .vectors import Case, Recording

__all__ = ["INPUTS", "replay_calibration"]

INPUTS: Final = re.compile(r"[Wx]\d+")
"""Names of the arrays that were given to the recording library."""
_CASE: Final[Mapping[str, Any]] = {
    "calibration": str,
    "quantile": float,
    "max_samples": int,
    "std_alpha": (float, type(None)),
    "init_std_alpha": float,
    "init_value": float,
    "counter_start": int,
    "counter_end": list,
    "calibration_info": list,
    "note": str,
}


def replay_calibration(
    recording: Recording, case: Case, choices: Choices, backend: str, run: Comparison
) -> None:
    """Replay a case of a calibration: ranges, and exactly the counters and what is noted of the calibration.

    Raises
    ------
    UnsupportedCase, ConfigError
        If there is something in the case that this version does not have.
    """
    entries = _checked(case.entries)
    layers = _numbered(run.arrays, "W")
    batches = _numbered(run.arrays, "x")
    with run.until_an_error():
        model = _network(recording, entries, layers, choices, backend)
        tiles = list(model.tiles())
        for tile in tiles:
            tile.buffers["input_range_update_idx"][0] = entries["counter_start"]
        calibrate_input_ranges(
            model,
            entries["calibration"],
            batches,
            quantile=entries["quantile"],
            max_samples=entries["max_samples"],
            std_alpha=entries["std_alpha"],
        )
        ranges = [float(tile.input_range()) for tile in tiles]
        run.compare("r", tiles[0].dtype.type(ranges))
        _compare_exactly(run, entries, tiles)


def _checked(entries: Mapping[str, Any]) -> Mapping[str, Any]:
    for name, value in entries.items():
        if name not in _CASE or not isinstance(value, _CASE[name]):
            raise UnsupportedCase(f"the case has {name} = {value!r}, which is not in this version")
    missing = sorted(_CASE.keys() - entries.keys() - {"note"})
    if missing:
        raise UnsupportedCase(f"the case has no {', '.join(missing)}")
    return entries


def _numbered(arrays: Mapping[str, Any], letter: str) -> list[Any]:
    found: list[Any] = []
    while f"{letter}{len(found)}" in arrays:
        found.append(arrays[f"{letter}{len(found)}"])
    if not found:
        raise UnsupportedCase(f"the case has no {letter}0")
    return found


def _network(
    recording: Recording,
    entries: Mapping[str, Any],
    weights: list[Any],
    choices: Choices,
    backend: str,
) -> Sequential:
    """The layers, with a core that is linear: quiet, and without a bound of the inputs."""
    quiet = {**recording.quiet_forward, "inp_bound": -1.0}
    io: Any = parameters(IOParameters, quiet)
    config = TorchInferenceRPUConfig(
        forward=io,
        pre_post=PrePostProcessingParameter(
            input_range=InputRangeParameter(
                enable=True,
                init_value=entries["init_value"],
                init_std_alpha=entries["init_std_alpha"],
            )
        ),
        choices=choices,
    )
    layers = []
    for weight in weights:
        layer = Linear(weight.shape[1], weight.shape[0], config, bias=False, backend=backend)
        layer.tile.set_weights(weight)
        layers.append(layer)
    return Sequential(*layers)


def _compare_exactly(run: Comparison, entries: Mapping[str, Any], tiles: list[Any]) -> None:
    counters = [float(tile.buffers["input_range_update_idx"][0]) for tile in tiles]
    infos = [tile.config.pre_post.input_range.calibration_info for tile in tiles]
    for name, found in (("counter_end", counters), ("calibration_info", infos)):
        if found != entries[name]:
            run.result.failures[name] = f"{found}, recorded is {entries[name]}."

"""The replay of a case of a layer of aihwkit-lightning: each step starts from the recorded ranges."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from refsim.config import Choices
from refsim.errors import ConfigError

from .comparison import Comparison
from .lightning import LightningLinear, LightningSettings
from .recipe import UnsupportedCase
from .vectors import Case, Recording

__all__ = ["INPUTS", "replay_lightning"]

INPUTS: Final = re.compile(r"W|b|s\d+_[xg]")
"""Names of the arrays that were given to the layer."""
_ENTRIES: Final = {"lr", "forward", "max_input_size", "input_range"}
_FORWARD: Final = {"inp_res", "out_bound", "out_res"}
_RANGE: Final = {
    "learn_input_range",
    "decay",
    "init_value",
    "init_from_data",
    "init_std_alpha",
    "input_min_percentage",
    "dynamic",
    "fast_mode",
    "act_range_momentum",
}
_GRADIENTS: Final = {"dW": "weight", "db": "bias", "dr": "input_range"}


def replay_lightning(
    recording: Recording, case: Case, choices: Choices, backend: str, run: Comparison
) -> None:
    """Replay a case of a layer of aihwkit-lightning; the backend is the specification, whatever was asked for.

    Raises
    ------
    UnsupportedCase, ConfigError
        If there is something in the case that this version does not have.
    """
    settings, lr = _settings(case)
    with run.until_an_error():
        layer = LightningLinear(settings, run.arrays["W"], run.arrays.get("b"))
        for k in range(sum(name.endswith("_x") for name in run.arrays)):
            _step(run, layer, k, lr)


def _settings(case: Case) -> tuple[LightningSettings, float]:
    entries = case.entries
    tables = [
        (entries, _ENTRIES),
        (_table(entries, "forward"), _FORWARD),
        (_table(entries, "input_range"), _RANGE),
    ]
    unknown = sorted(name for table, known in tables for name in table.keys() - known)
    if unknown:
        raise UnsupportedCase(f"the case has entries that are not in this version: {unknown}")
    given = {**tables[1][0], **tables[2][0], "max_input_size": entries.get("max_input_size", -1)}
    numbers = {"lr": entries.get("lr"), **given}
    wrong = [name for name, value in numbers.items() if not isinstance(value, (int, float))]
    if wrong:
        raise UnsupportedCase(f"{wrong[0]} is {numbers[wrong[0]]!r}, which is not a number")
    double = case.dtype == np.float64
    return LightningSettings(enable=True, double=double, **given), float(numbers["lr"])


def _table(entries: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = entries.get(name, {})
    if not isinstance(found, dict):
        raise UnsupportedCase(f"{name} is no table")
    return found


def _step(run: Comparison, layer: LightningLinear, k: int, lr: float) -> None:
    """One step in training, and then the recorded range in place of the reference's."""
    x, g = run.arrays[f"s{k}_x"], run.arrays[f"s{k}_g"]
    run.compare(f"s{k}_y", layer.train().forward(x))
    state = layer.state()
    run.compare(f"s{k}_r", state.get("input_range"))
    run.compare(f"s{k}_counter", state.get("input_range_update_idx"))
    run.compare(f"s{k}_dx", layer.backward(g))
    for name, target in _GRADIENTS.items():
        run.compare(f"s{k}_{name}", layer.gradients.get(target))
    _take(layer, run.arrays.get(f"s{k}_r"))
    layer.step(lr)
    run.compare(f"s{k}_after_r", layer.state().get("input_range"))
    _take(layer, run.arrays.get(f"s{k}_after_r"))


def _take(layer: LightningLinear, recorded: Any) -> None:
    for holder in (layer.parameters, layer.buffers):
        if recorded is not None and "input_range" in holder:
            if holder["input_range"].shape != recorded.shape:
                raise ConfigError(
                    f"the recorded range has the shape {recorded.shape}, expected is "
                    f"{holder['input_range'].shape}."
                )
            holder["input_range"] = recorded.copy()

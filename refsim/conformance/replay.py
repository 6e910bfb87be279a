"""The replay of a recorded case: each step starts from the recorded state, and every recorded result is compared.

A result agrees if it has the recorded shape and data type and every element is within ``b * (1 + |recorded|)``, with
``b = 1e-12`` in float64 and ``1e-5`` in float32: the recording library adds in an order of its own, refsim rounds each
sum once.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from refsim.config import Choices
from refsim.errors import ConfigError, RangeWarning, RefsimError
from refsim.nn import SGD
from refsim.tile import TorchInferenceTile

from .participants import FAILURES
from .recipe import Plan, Step, UnsupportedCase, plan
from .vectors import Arrays, Case, Recording

__all__ = ["BOUNDS", "EXCEPTIONS", "CaseResult", "is_input", "replay"]

BOUNDS: Final = MappingProxyType({np.dtype(np.float32): 1e-5, np.dtype(np.float64): 1e-12})
"""Largest deviation, relative to 1 + |recorded|, by data type."""

EXCEPTIONS: Final[Mapping[tuple[str, str], str]] = MappingProxyType({})
"""Recorded results (case id, array name) that may deviate, each with the reason; there is none."""

_INPUT = re.compile(r"W|b|s\d+_[xg]")
_STATE: Final = {
    "W_analog": "weight",
    "b": "bias",
    "r": "input_range",
    "mapping_scales": "mapping_scales",
    "out_scaling": "out_scaling_alpha",
}
_GRADIENTS: Final = {
    "dW_analog": "weight",
    "db": "bias",
    "dr": "input_range",
    "dout_scaling": "out_scaling_alpha",
}


def is_input(name: str) -> bool:
    """Whether a recorded array was given to the tile, rather than computed by it.

    >>> is_input("s0_x"), is_input("s0_dx")
    (True, False)
    """
    return _INPUT.fullmatch(name) is not None


def _need_not_be_recorded(name: str, found: NDArray[Any]) -> bool:
    """Whether aihwkit has no such array: after its all-zero shortcut the input has no gradient, where refsim returns
    zeros; before the first weights there are no columnwise scales, where refsim has ones (erratum E-5)."""
    zeros, ones = not found.any(), bool((found == 1).all())
    return (name.endswith("_dx") and zeros) or (name.endswith("mapping_scales") and ones)


@dataclass
class CaseResult:
    """What the replay of a case found.

    Parameters
    ----------
    case
        Its id.
    compared
        Names of the recorded arrays that were compared.
    failures
        What does not agree, by name of the array, in one sentence each.
    largest
        Largest finite deviation relative to ``1 + |recorded|``.
    unsupported
        Why the case cannot be replayed, None if it was.
    """

    case: str
    compared: list[str] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    largest: float = 0.0
    unsupported: str | None = None


def replay(
    recording: Recording, case: Case, arrays: Arrays, choices: Choices, backend: str = "cpu"
) -> CaseResult:
    """Replay one recorded case and compare every recorded result.

    Parameters
    ----------
    recording, case, arrays
        The case and its arrays, from :mod:`refsim.conformance.vectors`.
    choices
        The readings that the tile follows; the vectors are aihwkit's.
    backend
        What computes.

    Returns
    -------
    CaseResult
        Every recorded result is in ``compared`` or in ``failures``, unless the case is unsupported.
    """
    result = CaseResult(case.id)
    try:
        todo = plan(recording, case, choices)
        tile = todo.config.create_tile(todo.out_size, todo.in_size, bias=todo.bias, backend=backend)
    except (UnsupportedCase, ConfigError) as reason:
        result.unsupported = str(reason)
        return result
    run = _Replay(tile, arrays, result)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RangeWarning)
        try:
            run.start(todo)
            for k, step in enumerate(todo.steps):
                run.step(k, step, todo.lr)
        except (RefsimError, *FAILURES) as error:
            result.failures["replay"] = f"the replay stopped with {type(error).__name__}: {error}"
    for name in arrays:
        if not is_input(name) and name not in result.compared:
            result.failures.setdefault(name, "refsim has no result to compare with this array.")
    return result


@dataclass
class _Replay:
    """A tile on its way through the steps of a case."""

    tile: TorchInferenceTile
    arrays: Arrays
    result: CaseResult

    def start(self, todo: Plan) -> None:
        """Weights, bias and scales as given to the recording library."""
        tile = self.tile
        tile.set_weights(self.arrays["W"], self.arrays.get("b"))
        if todo.out_scaling is not None:
            tile.parameters["out_scaling_alpha"][...] = todo.out_scaling
        self.compare("init_W_analog", tile.parameters["weight"])
        self.compare("init_mapping_scales", tile.value("mapping_scales"))
        self.impose("init_")

    def step(self, k: int, step: Step, lr: float) -> None:
        """One step, and then the recorded state in place of refsim's."""
        tile = self.tile
        tile.train(step.training).zero_grad()
        self.compare(f"s{k}_y", tile.forward(self.arrays[f"s{k}_x"]))
        self.compare(f"s{k}_r", tile.value("input_range"))
        self.compare_counter(k, step)
        if step.backward:
            self.compare(f"s{k}_dx", tile.backward(self.arrays[f"s{k}_g"]))
            for name, target in _GRADIENTS.items():
                self.compare(f"s{k}_{name}", tile.gradients.get(target))
        if step.update:
            SGD([tile], lr=lr).step()
            for name, target in _STATE.items():
                self.compare(f"s{k}_after_{name}", tile.value(target))
        self.impose(f"s{k}_")
        self.impose(f"s{k}_after_")

    def impose(self, prefix: str) -> None:
        """Put the recorded state into the tile."""
        for name, target in _STATE.items():
            recorded, present = self.arrays.get(prefix + name), self.tile.value(target)
            if recorded is not None and present is not None and recorded.shape == present.shape:
                present[...] = recorded

    def compare_counter(self, k: int, step: Step) -> None:
        """The counter of the initialisation from data, which must be exact; then the recorded one is in force."""
        counter = self.tile.value("input_range_update_idx")
        found = None if counter is None else float(counter[0])
        if found != step.range_counter:
            self.result.failures[f"states[{k}].range_counter"] = (
                f"{found}, recorded is {step.range_counter}."
            )
        if counter is not None and step.range_counter is not None:
            counter[0] = step.range_counter

    def compare(self, name: str, found: NDArray[Any] | None) -> None:
        """Compare a result with the recorded array of that name; both or none must exist."""
        recorded = self.arrays.get(name)
        if recorded is None and (found is None or _need_not_be_recorded(name, found)):
            return
        if found is None or recorded is None:
            missing = "refsim has no such result" if found is None else "it is not recorded"
            self.result.failures[name] = f"{missing}, the other side has one."
            return
        self.result.compared.append(name)
        if found.shape != recorded.shape or found.dtype != recorded.dtype:
            self.result.failures[name] = (
                f"{found.dtype} {found.shape}, recorded is {recorded.dtype} {recorded.shape}."
            )
            return
        self.judge(name, found, recorded)

    def judge(self, name: str, found: NDArray[Any], recorded: NDArray[Any]) -> None:
        """Whether every element is within the bound; NaN and infinity never are."""
        if (self.result.case, name) in EXCEPTIONS:
            return
        reference = recorded.astype(np.float64)
        with np.errstate(invalid="ignore"):
            deviation = np.abs(found - reference) / (1 + np.abs(reference))
        outside = ~(deviation <= BOUNDS[found.dtype])
        largest = deviation.max(initial=self.result.largest, where=np.isfinite(deviation))
        self.result.largest = float(largest)
        if outside.any():
            at = tuple(int(i) for i in np.argwhere(outside)[0])
            self.result.failures[name] = (
                f"{int(outside.sum())} of {outside.size} elements deviate, the first at {at}: "
                f"{float(found[at])!r}, recorded is {float(recorded[at])!r}."
            )

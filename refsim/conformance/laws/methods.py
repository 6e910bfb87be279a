"""The optional methods ``set_weights`` and ``calibrate``, on numbers that every arithmetic takes exactly."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any, Final

import numpy as np

from refsim.calibration import calibrate_input_ranges
from refsim.config import (
    Choices,
    InputRangeParameter,
    IOParameters,
    MappingParameter,
    PrePostProcessingParameter,
    TorchInferenceRPUConfig,
)
from refsim.conformance.adapters import Capabilities
from refsim.conformance.cases import Case

from .law import Broken

__all__ = ["Method", "methods"]

CLAUSES: Final = {
    "mapping_scales": "MS-1",
    "weight": "MS-2",
    "bias": "MS-2",
    "out_scaling_alpha": "MS-1",
}
Batches = tuple[list[float], ...]
WEIGHT: Final = np.array([[2, -1], [0, 0], [-4, 1]], np.float32)
BIAS: Final = np.array([0.5, -1, 2], np.float32)
SIGNED: Final[Batches] = ([0, -4, -1, 2, 0.5], [-8, 1, 4, -0.25, 2])
"""Inputs whose quantiles and averages are exact, with a row of zeros."""
SPREAD: Final[Batches] = ([0, 3, 3, 1, 1, 2], [6, 6, 2, 2, 4])
"""Inputs whose standard deviations, without the row of zeros, are 1 and 2."""
CALIBRATIONS: Final = (
    ("CA-1", "Max", 1.0, SIGNED),
    ("CA-1", "CacheQuantile", 0.75, SIGNED),
    ("CA-2", "MovingQuantile", 1.0, SIGNED),
    ("CA-1", "MovingQuantile", 0.75, SIGNED),
    ("IR-1", "MovingStd", 1.0, SPREAD),
)
"""Clause, type, quantile and inputs, one a row."""


@dataclass(frozen=True)
class Method:
    """One call of an optional method.

    Parameters
    ----------
    name
        The method, with what is special about the call.
    clause
        The clause that it is about.
    case
        A tile without steps, in the state before the call.
    features
        What it asks for.
    method
        The method that the target needs.
    check
        Makes the call on a target and on refsim's tile; raises :class:`Broken`.
    """

    name: str
    clause: str
    case: Case
    features: frozenset[str]
    method: str
    check: Callable[[Any, Case], None]


def methods(capabilities: Capabilities) -> Iterator[Method]:
    """All calls that an implementation has to answer, by its features.

    Examples
    --------
    >>> from refsim.conformance.adapters import Capabilities
    >>> from refsim.conformance.adapters.own import Own
    >>> calls = list(methods(Capabilities()))
    >>> len(calls)
    15
    >>> for call in calls:
    ...     call.check(Own(), call.case)
    """
    for each in (*_mappings(capabilities.choices), *_calibrations(capabilities.choices)):
        if each.features <= capabilities.features:
            yield each


def _mappings(choices: Choices) -> Iterator[Method]:
    """Weights that are stored with scales of each kind, or without."""
    for omega, columnwise, learned in product((0.0, 0.5, 1.0), (False, True), (False, True)):
        mapping = MappingParameter(
            weight_scaling_omega=omega,
            weight_scaling_columnwise=columnwise,
            learn_out_scaling=learned,
            out_scaling_columnwise=columnwise,
        )
        if omega == 0 and columnwise:
            continue
        start = np.full(3 if columnwise else 1, 2, np.float32)
        case = Case(
            TorchInferenceRPUConfig(
                mapping=mapping, forward=IOParameters(is_perfect=True), choices=choices
            ),
            np.zeros_like(WEIGHT),
            np.zeros_like(BIAS),
            steps=(),
            state={"out_scaling_alpha": start} if learned else {},
        )
        needs = {"bias", "mapping_scales"} | ({"out_scaling"} if learned else set())
        name = f"set_weights with omega {omega}"
        yield Method(name, "MS-1", case, frozenset(needs), "set_weights", _mapped)


def _mapped(target: Any, case: Case) -> None:
    tile = case.tile()
    tile.set_weights(WEIGHT, BIAS)
    handle = target.create(case.config, case.weight, case.bias, case.state)
    target.set_weights(handle, WEIGHT, BIAS)
    state = target.state(handle)
    for name in (name for name in CLAUSES if name in state and tile.value(name) is not None):
        _agree(CLAUSES[name], f"{name} after set_weights", state[name], tile.value(name))


def _calibrations(choices: Choices) -> Iterator[Method]:
    """Ranges from data, with each type of calibration."""
    ranged = InputRangeParameter(enable=True, init_value=3.0, init_from_data=0)
    reset = choices.calibration_counter == "reset"
    for clause, kind, quantile, inputs in CALIBRATIONS:
        case = Case(
            TorchInferenceRPUConfig(
                pre_post=PrePostProcessingParameter(input_range=ranged),
                forward=IOParameters(is_perfect=True),
                choices=choices,
            ),
            np.ones((1, 1), np.float32),
            None,
            steps=(),
            state={"input_range_update_idx": np.ones(1, np.float32)} if reset else {},
        )
        name = f"calibrate {kind}, quantile {quantile}"
        check = _calibrated(clause, kind, quantile, inputs)
        yield Method(name, clause, case, frozenset({"input_range"}), "calibrate", check)


def _calibrated(
    clause: str, kind: str, quantile: float, inputs: Batches
) -> Callable[[Any, Case], None]:
    batches = [np.array(values, np.float32)[:, None] for values in inputs]
    options: dict[str, Any] = {"quantile": quantile, "max_samples": 1000, "std_alpha": None}

    def check(target: Any, case: Case) -> None:
        tile = case.tile()
        calibrate_input_ranges(tile, kind, batches, **options)
        handle = target.create(case.config, case.weight, case.bias, case.state)
        target.calibrate(handle, kind, batches, **options)
        got = target.state(handle).get("input_range")
        if got is not None:
            _agree(clause, f"input_range after {kind}", got, tile.value("input_range"))

    return check


def _agree(clause: str, what: str, got: Any, wanted: Any) -> None:
    """Equal numbers; a scale that is common to all outputs may be given for each of them."""
    a, b = np.asarray(got), np.asarray(wanted)
    spread = a.ndim <= 1 and b.size == 1
    same = a.size > 0 and bool((a == b.ravel()[0]).all()) if spread else np.array_equal(a, b)
    if not same:
        raise Broken(clause, f"{what} is {a.tolist()}, but refsim's is {b.tolist()}")

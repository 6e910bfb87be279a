"""Put an implementation through a case, and write down what it did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refsim.conformance.adapters import Adapter, TargetFailure, Unsupported
from refsim.conformance.adapters.guard import Safe
from refsim.conformance.cases import Case, Step

__all__ = ["Observation", "Recording", "play", "prepared"]

Array = NDArray[Any]
Arrays = Mapping[str, Array]


@dataclass(frozen=True, eq=False)
class Observation:
    """What an implementation did in one step.

    Parameters
    ----------
    before
        Its state before the step.
    output
        ``(..., out)``, what it returned.
    stages
        The intermediates that it showed.
    gradients
        What the backward pass returned, None without one.
    passed
        Its state after forward and backward, before the update.
    after
        Its state after the update, None without one.
    overwritten
        Arrays of the caller that it wrote into, and where.
    mapped, calibrated
        Its state after logical weights were set, and after a calibration; None where there was none.
    """

    before: Arrays
    output: Array
    stages: Arrays
    gradients: Arrays | None
    passed: Arrays
    after: Arrays | None
    mapped: Arrays | None = None
    calibrated: Arrays | None = None
    overwritten: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Recording:
    """A case and what an implementation did in it, step by step.

    Parameters
    ----------
    case
        What was asked.
    observations
        One for each step that it completed.
    failure
        Why it did not complete all of them, None if it did.
    """

    case: Case
    observations: tuple[Observation, ...] = ()
    failure: TargetFailure | None = None

    def until(self, step: int) -> Recording:
        """The recording up to a step, that one included."""
        case = replace(self.case, steps=self.case.steps[: step + 1])
        return Recording(case, self.observations[: step + 1], self.failure)


def play(target: Adapter, case: Case) -> Recording:
    """Put a target through a case.

    Parameters
    ----------
    target
        An adapter whose only exceptions are :class:`TargetFailure` and :class:`Unsupported`.
    case
        What is asked of it.

    Returns
    -------
    Recording
        What it did, up to its failure if there is one.

    Raises
    ------
    Unsupported
        If the target does not have the configuration.
    """
    seen: list[Observation] = []
    handle = failure = None
    try:
        handle = target.create(case.config, case.weight, case.bias, case.state)
        for step in case.steps:
            if step.reload:
                handle = _reloaded(target, case, handle)
            seen.append(_observed(target, handle, case, step))
    except TargetFailure as error:
        failure = error
    finally:
        lost = _closed(target, handle)
    return Recording(case, tuple(seen), failure or lost)


def _reloaded(target: Adapter, case: Case, handle: Any) -> Any:
    if not (hasattr(target, "save") and hasattr(target, "load")):
        raise Unsupported("it cannot save and load.")
    new = target.load(case.config, target.save(handle))
    _closed(target, handle)
    return new


def _closed(target: Adapter, handle: Any) -> TargetFailure | None:
    """How closing failed, None if it did not."""
    if handle is None or not hasattr(target, "close"):
        return None
    try:
        target.close(handle)
    except TargetFailure as failure:
        return failure
    return None


def _observed(target: Adapter, handle: Any, case: Case, step: Step) -> Observation:
    before = _arrays(target.state(handle))
    mapped, calibrated = prepared(target, handle, step)
    output = np.array(target.forward(handle, step.x, training=step.training, noise=step.noise))
    show = getattr(target, "stages", None)
    stages = {} if show is None else _arrays(show(handle))
    gradients = None
    if step.dy is not None:
        gradients = _arrays(target.backward(handle, step.dy))
        stages = {**({} if show is None else _arrays(show(handle))), **stages}
    passed = _arrays(target.state(handle))
    after = None
    if step.update:
        target.step(handle, **asdict(case.sgd))
        after = _arrays(target.state(handle))
    wrote = target.overwritten(handle) if isinstance(target, Safe) else ()
    return Observation(before, output, stages, gradients, passed, after, mapped, calibrated, wrote)


def prepared(target: Any, handle: Any, step: Step) -> tuple[Arrays | None, Arrays | None]:
    """Set weights and calibrate, if the step asks for it."""
    mapped = calibrated = None
    if step.weight is not None:
        target.set_weights(handle, step.weight, step.bias)
        mapped = _arrays(target.state(handle))
    if step.calibration is not None:
        batches = list(step.calibration.batches)
        target.calibrate(handle, batches=batches, **step.calibration.options())
        calibrated = _arrays(target.state(handle))
    return mapped, calibrated


def _arrays(given: Mapping[str, Any]) -> dict[str, Array]:
    return {name: np.array(value) for name, value in given.items() if value is not None}

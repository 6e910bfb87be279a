"""Recorded observations as a target: it answers what was recorded, and nothing else."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from refsim.conformance.bits import same_bits
from refsim.conformance.cases import Case, Step
from refsim.conformance.kit.play import Observation, Recording
from refsim.errors import TargetFailure, Unsupported

from .guard import Safe
from .recordings import read_recording

__all__ = ["Recorded"]


@dataclass
class Handle:
    """The recordings that begin as a tile did, and how far they were followed."""

    left: list[Recording]
    step: int = -1
    shown: str = "before"

    def seen(self, step: int) -> Observation:
        """What was recorded in a step; a failure if the recording ends before."""
        recording = self.left[0]
        if step < len(recording.observations):
            return recording.observations[step]
        if recording.failure is not None:
            raise recording.failure
        raise TargetFailure("error", "the recording has no more steps.")

    def keep(self, test: Callable[[Case], bool], what: str) -> None:
        """Go on with the recordings that were asked the same."""
        self.left = [recording for recording in self.left if test(recording.case)]
        if not self.left:
            raise Unsupported(f"no such {what} was recorded.")


class Recorded(Safe):
    """A target that answers from recordings; a case that was not recorded is unsupported.

    Parameters
    ----------
    recordings
        Cases and what an implementation did in them.

    Examples
    --------
    >>> import numpy as np, refsim as rs
    >>> from refsim.conformance.adapters import Own
    >>> from refsim.conformance.kit import play
    >>> config = rs.TorchInferenceRPUConfig(forward=rs.IOParameters(is_perfect=True))
    >>> one = np.ones((1, 1), np.float32)
    >>> case = Case(config, 2 * one, None, (Step(x=one),))
    >>> play(Recorded([play(Own(), case)]), case).observations[0].output
    array([[2.]], dtype=float32)
    """

    def __init__(self, recordings: Sequence[Recording]) -> None:
        self.recordings = tuple(recordings)

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Recorded:
        """The recordings of a file or folder, see :func:`read_recording`."""
        return cls(read_recording(path))

    def create(
        self, config: Any, weight: Any, bias: Any | None, state: Mapping[str, Any]
    ) -> Handle:
        """A handle on the recordings that begin like this."""
        start = {"weight": weight, "bias": bias, "state": state}
        left = [
            recording
            for recording in self.recordings
            if _same(recording.case.config, config) and same_bits(_start(recording.case), start)
        ]
        if not left:
            raise Unsupported("no such case was recorded.")
        return Handle(left)

    def forward(self, handle: Handle, x: Any, *, training: bool, noise: Mapping[str, Any]) -> Any:
        """The recorded output for this batch."""
        handle.step += 1
        asked = {"x": x, "training": training, "noise": noise}
        handle.keep(lambda case: _asks(case.steps, handle.step, asked), "step")
        handle.shown = "passed"
        return handle.seen(handle.step).output

    def backward(self, handle: Handle, dy: Any) -> Mapping[str, Any]:
        """The recorded gradients."""
        handle.keep(lambda case: same_bits(case.steps[handle.step].dy, dy), "backward pass")
        return handle.seen(handle.step).gradients or {}

    def step(self, handle: Handle, **sgd: Any) -> None:
        """Go on to the recorded state after the update."""
        handle.keep(lambda case: case.steps[handle.step].update and vars(case.sgd) == sgd, "update")
        handle.shown = "after"

    def state(self, handle: Handle) -> Mapping[str, Any]:
        """The recorded state at this point."""
        shown, handle.shown = handle.shown, "before"  # of the next step
        seen = handle.seen(handle.step + (shown == "before"))
        return getattr(seen, shown) or {}

    def stages(self, handle: Handle) -> Mapping[str, Any]:
        """The recorded intermediates."""
        return handle.seen(handle.step).stages

    def save(self, handle: Handle) -> Handle:
        """The handle itself."""
        return handle

    def load(self, config: Any, saved: Handle) -> Handle:
        """The saved handle."""
        return saved


def _same(recorded: Any, asked: Any) -> bool:
    """Whether two configurations are the same but for the choices, which the one who judges makes."""
    if recorded.choices != asked.choices:
        recorded = copy.deepcopy(recorded)
        recorded.choices = asked.choices
    return bool(recorded == asked)


def _start(case: Case) -> dict[str, Any]:
    return {"weight": case.weight, "bias": case.bias, "state": case.state}


def _asks(steps: Sequence[Step], k: int, asked: Mapping[str, Any]) -> bool:
    """Whether a step was recorded with this batch, in this mode and with this noise."""
    if k >= len(steps):
        return False
    step = steps[k]
    return step.training == asked["training"] and same_bits(
        {"x": step.x, "noise": step.noise}, {"x": asked["x"], "noise": asked["noise"]}
    )

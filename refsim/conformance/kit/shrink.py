"""The smallest case on which an implementation still fails: fewer steps, rows, outputs and inputs, less switched on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from refsim.conformance.cases import Case
from refsim.errors import RefsimError

from .simpler import SIMPLER

__all__ = ["shrunk", "size"]


def size(case: Case) -> tuple[int, int, int, int]:
    """Outputs and inputs of the tile, rows of all batches, and steps."""
    rows = sum(step.x.size // max(step.x.shape[-1], 1) for step in case.steps)
    return *case.weight.shape, rows, len(case.steps)


def shrunk(
    case: Case, fails: Callable[[Case], bool], attempts: int = 400, seconds: float = 20.0
) -> Case:
    """A small case that still fails.

    Parameters
    ----------
    case
        A case that fails.
    fails
        Whether a case does.
    attempts, seconds
        How many cases to try, and for how long.

    Returns
    -------
    Case
        A case from which none of the tried simplifications can be taken any more, or the best one in the time.

    Examples
    --------
    >>> import numpy as np, refsim as rs
    >>> from refsim.conformance.cases import Case, Step
    >>> config = rs.TorchInferenceRPUConfig(forward=rs.IOParameters(is_perfect=True))
    >>> x = np.arange(12, dtype=np.float32).reshape(4, 3)
    >>> case = Case(config, weight=np.ones((2, 3), np.float32), bias=None, steps=(Step(x=x),))
    >>> small = shrunk(case, lambda case: any((step.x == 7).any() for step in case.steps))
    >>> small.weight.shape, small.steps[0].x
    ((1, 1), array([[7.]], dtype=float32))
    """
    budget = _Budget(fails, attempts, time.monotonic() + seconds)
    while True:
        before = case
        for simpler in SIMPLER:
            case = _all(case, simpler, budget)
        if case is before or budget.spent:
            return case


class _Budget:
    def __init__(self, fails: Callable[[Case], bool], attempts: int, until: float) -> None:
        self.fails, self.left, self.until = fails, attempts, until

    @property
    def spent(self) -> bool:
        return self.left <= 0 or time.monotonic() > self.until

    def accepts(self, case: Case) -> bool:
        self.left -= 1
        try:
            return self.fails(case)
        except RefsimError:
            return False  # not a case any more


def _all(case: Case, simpler: Callable[[Case], Iterator[Case]], budget: _Budget) -> Case:
    """Take simplifications as long as one of them still fails."""
    again = True
    while again and not budget.spent:
        again = False
        for candidate in simpler(case):
            if budget.spent:
                break
            if budget.accepts(candidate):
                case, again = candidate, True
                break
    return case

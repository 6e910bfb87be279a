"""Generated cases of what only some implementations have: logical weights to be set, and calibrations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

import numpy as np

from refsim.config import Choices

from .generate import generated_cases
from .model import Array, Calibration, Case, Step
from .picker import RandomPicker

__all__ = ["method_cases"]

METHODS: Final = ("set_weights", "calibration")
KINDS: Final = ("MAX", "CACHE_QUANTILE", "MOVING_QUANTILE", "MOVING_STD")
QUANTILES: Final = (1.0, 0.5, 0.75, 0.9, 0.99995)
SALT: Final = 0x5E7


def method_cases(
    seed: int, count: int, allowed: frozenset[str], choices: Choices | None = None
) -> Iterator[Case]:
    """Cases that begin with logical weights or a calibration, the same ones for the same arguments.

    Parameters
    ----------
    seed, count, choices
        As for :func:`~refsim.conformance.cases.generate.generated_cases`.
    allowed
        The features that they may ask for; without ``set_weights`` and ``calibration`` there are no cases.

    Examples
    --------
    >>> case = next(method_cases(0, 1, frozenset({"set_weights", "mapping_scales"})))
    >>> case.steps[0].weight is not None, case.clauses
    (True, ('MS-1', 'MS-2'))
    """
    methods = [name for name in METHODS if name in allowed]
    if not methods:
        return
    plain = allowed - {*METHODS, "noise", "empty_batch"}
    made = generated_cases(seed + SALT, count, plain, choices, (1, 2))
    for index, case in enumerate(made):
        pick = RandomPicker(seed, SALT, index)
        method = methods[index % len(methods)]
        if method == "set_weights":
            yield _mapped(pick, case)
        elif case.config.pre_post.input_range.enable:
            yield _calibrated(pick, case)


def _beginning(case: Case, clauses: tuple[str, ...], **what: Any) -> Case:
    first, *others = case.steps
    others = [replace(step, reload=False) for step in others]  # a calibration changes settings
    steps: tuple[Step, ...] = (replace(first, **what), *others)
    return replace(case, steps=steps, clauses=clauses, name=f"{case.name}, {next(iter(what))}")


def _mapped(pick: RandomPicker, case: Case) -> Case:
    outputs, inputs = case.weight.shape
    weight = _numbers(pick, (outputs, inputs), case)
    if pick.chance(0.2):
        weight[int(pick.integers(1, 0, outputs - 1)[0])] = 0
    bias = None if case.bias is None else _numbers(pick, (outputs,), case)
    return _beginning(case, ("MS-1", "MS-2"), weight=weight, bias=bias)


def _calibrated(pick: RandomPicker, case: Case) -> Case:
    batches = tuple(_batch(pick, case) for _ in range(int(pick.integers(1, 1, 3)[0])))
    calibration = Calibration(
        kind=pick.choice(KINDS),
        batches=batches,
        quantile=pick.choice(QUANTILES),
        max_samples=1000,
        std_alpha=pick.choice((None, 1.0, 2.0)),
    )
    return _beginning(case, ("CA-1", "CA-2"), calibration=calibration)


def _batch(pick: RandomPicker, case: Case) -> Array:
    rows = int(pick.integers(1, 1, 6)[0])
    x = _numbers(pick, (rows, case.weight.shape[1]), case)
    if pick.chance(0.3):
        x = -np.abs(x)
    if pick.chance(0.3):
        x[int(pick.integers(1, 0, rows - 1)[0])] = 0
    return x


def _numbers(pick: RandomPicker, shape: tuple[int, ...], case: Case) -> Array:
    size = int(np.prod(shape))
    if pick.chance(0.5):
        return (pick.integers(size, -16, 16) / 8).reshape(shape).astype(case.T)
    return pick.reals(size, -2.0, 2.0).reshape(shape).astype(case.T)

"""Examples by hand: each isolates one clause on a tile of a few weights, and names the mistake that it catches."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Final

from ..model import Case
from . import (
    calibrations,
    converters,
    estimators,
    growth,
    management,
    periphery,
    products,
    quantisers,
    ranges,
    steps,
    weights,
)

__all__ = ["examples"]

GROUPS: Final[tuple[Callable[[], list[Case]], ...]] = (
    products.products,
    products.sums,
    converters.inputs,
    converters.outputs,
    converters.gates,
    converters.masks,
    ranges.clipping,
    ranges.rule,
    ranges.decay,
    ranges.residual,
    ranges.from_data,
    growth.growth,
    management.scales,
    management.slopes,
    management.bounds,
    management.compiled,
    periphery.outputs,
    periphery.mapped,
    periphery.compensation,
    weights.modifiers,
    weights.clips,
    steps.optimiser,
    steps.sequences,
    steps.manual,
    quantisers.outputs,
    estimators.estimators,
    quantisers.periphery,
    quantisers.learning,
    calibrations.calibrations,
)


@cache
def examples() -> tuple[Case, ...]:
    """All examples, from products to quantisers.

    Returns
    -------
    tuple of Case
        Each with its clauses, the mistake that it catches, and a name that says what happens.

    Examples
    --------
    >>> strict = [case for case in examples() if case.catches == "ThresholdStrict"]
    >>> strict[-1].clauses[0], strict[-1].name
    ('BM-2', 'an output at the bound is within it')
    """
    return tuple(case for group in GROUPS for case in group())

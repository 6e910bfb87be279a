"""Whether a law asks for equal bits only where no right implementation rounds."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np

from refsim.config import RPUDataType
from refsim.conformance.adapters.guard import guarded
from refsim.conformance.adapters.own import Own
from refsim.conformance.adapters.protocol import TargetFailure
from refsim.conformance.cases import Case, Step
from refsim.conformance.kit.play import Observation
from refsim.errors import RangeWarning

from .law import Broken, Law, run_on

__all__ = ["speaks_about", "without_rounding"]

FORMATS: Final = {RPUDataType.FLOAT: np.float32, RPUDataType.DOUBLE: np.float64}
FEW: Final = 2.0**10
"""Numbers of one array are up to so many times their common unit; then products of two add up in any order."""


def speaks_about(law: Law, case: Case) -> bool:
    """Whether a right implementation keeps the law in this case, however it computes.

    Parameters
    ----------
    law
        The law.
    case
        Any case, such as a smaller one that was made of one that the law speaks about.
    """
    return law.fits(case) and (law.rounds or without_rounding(law, case))


def without_rounding(law: Law, case: Case) -> bool:
    """Whether nothing is rounded in all runs that the law compares, in whatever order a sum is taken.

    What is given are small multiples of one unit for each array, and float32 and float64 show equal intermediates.

    Examples
    --------
    >>> import refsim as rs
    >>> from refsim.conformance.laws import LAWS
    >>> law = next(law for law in LAWS if law.name == "order of rows")
    >>> config = rs.TorchInferenceRPUConfig(forward=rs.IOParameters(is_perfect=True))
    >>> def case(x):
    ...     return Case(config, weight=np.float32([[0.75]]), bias=None, steps=(Step(x=np.float32(x)),))
    >>> without_rounding(law, case([[0.5], [3.0]])), without_rounding(law, case([[0.1], [3.0]]))
    (True, False)
    """
    if not all(map(_multiples, _given(case))):
        return False
    single, double = (_shown(law, _converted(case, kind)) for kind in FORMATS)
    if single is None or double is None or len(single) != len(double):
        return False
    return all(_equal(a, b) for a, b in zip(single, double, strict=True))


def _shown(law: Law, case: Case) -> list[Mapping[str, Any]] | None:
    """What refsim shows in all runs of a law, step by step; None if there is no right answer."""
    run, shown = run_on(guarded(Own("spec"))), list[Mapping[str, Any]]()

    def noted(case: Case) -> tuple[Observation, ...]:
        seen = run(case)
        shown.extend(_numbers(each) for each in seen)
        return seen

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", RangeWarning)
        try:
            law.check(noted, case)
        except (Broken, TargetFailure):
            return None
    return shown


def _numbers(seen: Observation) -> dict[str, Any]:
    tables = {"": seen.stages, "gradient of ": seen.gradients or {}, "new ": seen.after or {}}
    found = {before + name: a for before, table in tables.items() for name, a in table.items()}
    return found | {"output": seen.output}


def _equal(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    return a.keys() == b.keys() and all(np.array_equal(a[k], b[k], equal_nan=True) for k in a)


def _given(case: Case) -> Iterator[Any]:
    yield case.weight
    yield from () if case.bias is None else (case.bias,)
    for step in case.steps:
        yield from (step.x, *([] if step.dy is None else [step.dy]), *step.noise.values())


def _multiples(a: Any) -> bool:
    """Whether all numbers are small multiples of one power of two."""
    fraction, exponent = np.frexp(np.abs(a[a != 0]).astype(np.float64))
    digits = (fraction * 2**53).astype(np.int64)
    unit = np.ldexp((digits & -digits).astype(np.float64), exponent - 53)
    return bool(np.max(np.abs(a), initial=0.0) <= FEW * np.min(unit, initial=np.inf))


def _converted(case: Case, kind: RPUDataType) -> Case:
    """The same numbers in another format; those of float64 may change."""
    T = np.dtype(FORMATS[kind])
    config = copy.deepcopy(case.config)
    config.runtime.data_type = kind

    def cast(a: Any) -> Any:
        return None if a is None else a.astype(T)

    def stepped(step: Step) -> Step:
        noise = {name: cast(a) for name, a in step.noise.items()}
        return replace(step, x=cast(step.x), dy=cast(step.dy), noise=noise)

    state = {name: a if name.endswith("_idx") else cast(a) for name, a in case.state.items()}
    steps = tuple(map(stepped, case.steps))
    start = {"weight": cast(case.weight), "bias": cast(case.bias)}
    return replace(case, config=config, state=state, steps=steps, **start)

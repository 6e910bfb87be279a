"""A check is a test function of the marked clause with the operations as its argument ``ops``.

The same function that judges a backend is shown the wrong variants of the clause, and must reject them.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from hypothesis import Phase, given, settings

from tests.clauses import (
    array_oracle,
    crossbar_oracle,
    manual_oracle,
    network_oracle,
    oracle,
    quantiser_oracle,
    random_oracle,
    range_oracle,
)
from tests.exact import same
from tests.strategies import DTYPES

MODULES = (
    "backward",
    "calibration",
    "chain",
    "converters",
    "crossbar",
    "elementary",
    "estimators",
    "input_range",
    "management",
    "network",
    "optimiser",
    "output_clipping",
    "periphery",
    "product",
    "quantisers",
    "random",
    "range_search",
    "row_management",
    "splits",
    "sums",
    "weights",
)
ORACLES = (
    oracle,
    random_oracle,
    network_oracle,
    quantiser_oracle,
    range_oracle,
    crossbar_oracle,
    manual_oracle,
    array_oracle,
)
Check = Callable[..., None]
REJECTING = settings(
    max_examples=400,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    report_multiple_bugs=False,
)


def cases(**strategies: Any) -> Callable[[Check], Check]:
    """``given`` that keeps the strategies, so that a check can be run again on a wrong variant."""

    def decorate(test: Check) -> Check:
        wrapped: Any = given(**strategies)(test)
        wrapped.strategies = strategies
        return wrapped

    return decorate


def awkward(T: Any, *shape: int) -> Any:
    """Fixed numbers of both signs with all their digits in use, different in each place."""
    k = np.arange(np.prod(shape, dtype=int))
    return ((k * k * 7 + k + 3) % 23 - 11).astype(T).reshape(shape) / T(3) + T(1) / T(7)


def agree(ops: Any, name: str, *arguments: Any) -> None:
    """Asserts that an operation returns the oracle's bits and leaves its arguments alone."""
    home = next(m for m in ORACLES if hasattr(m, name))
    expected = getattr(home, name)(*arguments)
    copies = [a.copy() if isinstance(a, np.ndarray) else a for a in arguments]
    same(getattr(ops, name)(*copies), expected)
    for copy, argument in zip(copies, arguments, strict=True):
        if isinstance(argument, np.ndarray):
            same(copy, argument)


def checks_of(clause: str) -> Iterator[Check]:
    """The tests that bear the mark of the clause and need nothing but operations and a data type."""
    for name in MODULES:
        module = importlib.import_module(f"tests.clauses.test_{name}")
        for test in vars(module).values():
            marks = getattr(test, "pytestmark", [])
            if any(mark.name == "clause" and clause in mark.args for mark in marks) and set(
                inspect.signature(test).parameters
            ) <= {"ops", "T"}:
                yield test


def generated_checks_of(clause: str) -> Iterator[Check]:
    """The checks with generated cases, always the same ones here."""
    for check in checks_of(clause):
        if hasattr(check, "strategies"):
            yield REJECTING(given(**check.strategies)(check.hypothesis.inner_test))  # type: ignore[attr-defined]


def worked_checks_of(clause: str) -> Iterator[Check]:
    """The checks with worked numbers."""
    yield from (check for check in checks_of(clause) if not hasattr(check, "strategies"))


def rejects(check: Check, ops: Any) -> bool:
    """Whether the check fails on these operations, for one of the data types."""
    typed = "T" in inspect.signature(check).parameters
    try:
        for T in DTYPES if typed else [None]:
            check(ops=ops, **({"T": T} if typed else {}))
    except AssertionError:
        return True
    return False

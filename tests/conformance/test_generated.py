"""Generated cases: reproducible, one recipe for every clause, and boundaries really met."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from refsim import backends, spec
from refsim.conformance import generated
from refsim.conformance.bits import same_bits
from refsim.conformance.generated import ARGUMENTS, GeneratedCase, clauses
from refsim.conformance.participants import specification
from refsim.conformance.runs import REFUSAL, STEPS, GeneratedRun
from refsim.errors import VectorError

DTYPES = ("float32", "float64")
COUNT = 64


def cases(function: str) -> Iterator[tuple[Any, ...]]:
    for dtype in DTYPES:
        for index in range(COUNT):
            yield GeneratedCase(function, dtype, index, seed=0).arguments()


def test_every_function_of_the_specification_has_a_clause_and_cases() -> None:
    assert clauses().keys() == ARGUMENTS.keys() == set(spec.__all__)
    assert list(clauses().values())[:2] == ["BM-1", "BM-2"]


def test_a_function_without_cases_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(generated.ARGUMENTS, "total")
    with pytest.raises(
        VectorError, match="the function total of the specification has no clause or no"
    ):
        clauses()


@pytest.mark.parametrize("function", ARGUMENTS)
def test_cases_are_reproducible_and_fit_the_function(function: str) -> None:
    signature = inspect.signature(getattr(spec, function))
    for dtype in DTYPES:
        for index in range(24):
            case = GeneratedCase(function, dtype, index, seed=3)
            arguments = case.arguments()
            signature.bind(*arguments)
            assert same_bits(arguments, case.arguments())
            with np.errstate(all="ignore"):
                first = getattr(spec, function)(*arguments)
                assert same_bits(getattr(spec, function)(*case.arguments()), first)


@pytest.mark.parametrize("function", ARGUMENTS)
def test_cases_differ_by_index_and_seed(function: str) -> None:
    drawn = [
        GeneratedCase(function, "float64", i, seed).arguments()
        for i in range(12)
        for seed in (0, 1)
    ]
    assert sum(same_bits(drawn[0], other) for other in drawn) < 4


def test_products_meet_exact_ties_and_near_ties() -> None:
    ties = near = 0
    for a, b in cases("matrix_product"):
        if not (np.isfinite(a).all() and np.isfinite(b).all() and a.size and a.shape[1] < 10):
            continue
        exact = sum(
            Fraction(float(x)) * Fraction(float(y)) for x, y in zip(a[0], b[0], strict=True)
        )
        rounded = spec.matrix_product(a[:1], b[:1])[0, 0]
        if not np.isfinite(rounded) or Fraction(float(rounded)) == exact:
            continue
        other = np.nextafter(
            rounded, rounded.dtype.type(np.inf if exact > Fraction(float(rounded)) else -np.inf)
        )
        middle = (Fraction(float(rounded)) + Fraction(float(other))) / 2
        ties += exact == middle
        near += 0 < abs(exact - middle) < abs(middle) / 2**70
    assert ties >= 3
    assert near >= 3


def test_roundings_meet_ties_and_ranges_are_met_exactly() -> None:
    halves = sum(
        int((np.abs(a / step - np.rint(a / step)) == 0.5).sum())
        for a, step, _ in cases("on_grid")
        if step != 0
    )
    at_range = sum(int((np.abs(x) == np.abs(r)).sum()) for x, r in cases("clipped_input"))
    assert halves > 50
    assert at_range > 50


def test_arrays_meet_zeros_of_both_signs_subnormals_and_empty_batches() -> None:
    arrays = [x for (x,) in cases("row_abs_max")]
    values = np.concatenate([x.astype(np.float64).ravel() for x in arrays])
    assert (np.signbit(values) & (values == 0)).any()
    assert any(((x != 0) & (np.abs(x) < np.finfo(x.dtype).tiny)).any() for x in arrays)
    assert any(len(x) == 0 for x in arrays)
    assert any(x.shape == (1, 1) for x in arrays)
    assert any(x.size and (x == 0).all(axis=1).any() for x in arrays)


def test_most_runs_of_tiles_end_without_an_error() -> None:
    records = [GeneratedRun(index, seed=0).play(specification()) for index in range(60)]
    whole = [
        record
        for record in records
        if record[-1].clause != REFUSAL and record[-1].step == STEPS - 1
    ]
    assert len(whole) > 50
    clauses_met = {entry.clause for record in records for entry in record}
    assert {
        "IR-1",
        "IR-5",
        "IR-8",
        "NM-4",
        "BM-1",
        "DC-3",
        "DC-4",
        "MV-1",
        "WM-2",
        "BP-2",
        "OP-1",
    } <= clauses_met


def test_runs_are_reproducible() -> None:
    run = GeneratedRun(5, seed=1)
    first, second = run.play(specification()), run.play(specification())
    assert [vars(a) | {"value": None} for a in first] == [vars(b) | {"value": None} for b in second]
    assert same_bits([entry.value for entry in first], [entry.value for entry in second])
    assert backends.load("spec") is specification().ops

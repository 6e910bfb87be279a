"""The checks of each clause reject every wrong writing of it; that they accept the right one they show elsewhere."""

from __future__ import annotations

import re

import pytest

from refsim import spec
from tests.clauses import (
    wrong_arrays,
    wrong_core,
    wrong_crossbar,
    wrong_manual,
    wrong_network,
    wrong_numbers,
    wrong_periphery,
    wrong_quantisers,
    wrong_ranges,
)
from tests.clauses.checks import generated_checks_of, rejects, worked_checks_of
from tests.clauses.wrong import Wrong

WRONG = [
    *wrong_numbers.WRONG,
    *wrong_core.WRONG,
    *wrong_crossbar.WRONG,
    *wrong_periphery.WRONG,
    *wrong_network.WRONG,
    *wrong_arrays.WRONG,
    *wrong_quantisers.WRONG,
    *wrong_ranges.WRONG,
    *wrong_manual.WRONG,
]
FIRST = {wrong.clause: wrong for wrong in reversed(WRONG)}
CLAUSE = re.compile(r"\[([A-Z]{2}-\d+)\]$")


def clauses() -> set[str]:
    """The clause ids of the specification, from the first lines of its docstrings."""
    lines = [(getattr(spec, name).__doc__ or "").strip().splitlines()[0] for name in spec.__all__]
    return {found[1] for line in lines if (found := CLAUSE.search(line))}


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_worked_numbers_reject_a_wrong_writing(wrong: Wrong) -> None:
    assert any(rejects(check, wrong.ops) for check in worked_checks_of(wrong.clause))


@pytest.mark.parametrize("wrong", FIRST.values(), ids=str)
def test_generated_cases_alone_find_a_mistake_in_each_clause(wrong: Wrong) -> None:
    assert any(rejects(check, wrong.ops) for check in generated_checks_of(wrong.clause))


def test_every_clause_has_wrong_writings() -> None:
    assert set(FIRST) == clauses()


def test_a_wrong_writing_replaces_the_function_of_its_clause() -> None:
    for wrong in WRONG:
        assert f"[{wrong.clause}]" in (getattr(spec, wrong.name).__doc__ or "")

"""The checks of each clause reject every wrong writing of it; that they accept the right one they show elsewhere."""

from __future__ import annotations

import re

import pytest

from refsim import spec
from refsim.conformance.mistakes import MISTAKES, Wrong
from tests.clauses.checks import generated_checks_of, rejects, worked_checks_of

FIRST = {wrong.clause: wrong for wrong in reversed(MISTAKES)}
CLAUSE = re.compile(r"\[([A-Z]{2}-\d+)\]$")


def clauses() -> set[str]:
    """The clause ids of the specification, from the first lines of its docstrings."""
    lines = [(getattr(spec, name).__doc__ or "").strip().splitlines()[0] for name in spec.__all__]
    return {found[1] for line in lines if (found := CLAUSE.search(line))}


@pytest.mark.parametrize("wrong", MISTAKES, ids=str)
def test_worked_numbers_reject_a_wrong_writing(wrong: Wrong) -> None:
    assert any(rejects(check, wrong.ops) for check in worked_checks_of(wrong.clause))


@pytest.mark.parametrize("wrong", FIRST.values(), ids=str)
def test_generated_cases_alone_find_a_mistake_in_each_clause(wrong: Wrong) -> None:
    assert any(rejects(check, wrong.ops) for check in generated_checks_of(wrong.clause))


def test_every_clause_has_wrong_writings() -> None:
    assert set(FIRST) == clauses()


def test_a_wrong_writing_replaces_the_function_of_its_clause() -> None:
    for wrong in MISTAKES:
        assert f"[{wrong.clause}]" in (getattr(spec, wrong.name).__doc__ or "")

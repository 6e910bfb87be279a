"""Golden examples: small, exact, one clause each - and together they see every mistake that shows in a tile."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import numpy as np
import pytest

from refsim import spec
from refsim.conformance.adapters.guard import guarded
from refsim.conformance.adapters.own import Own
from refsim.conformance.bits import frozen
from refsim.conformance.cases import Case
from refsim.conformance.cases.examples import examples
from refsim.conformance.kit.play import play
from refsim.conformance.kit.variant import mistaken
from refsim.conformance.mistakes import MISTAKES, Wrong

pytestmark = pytest.mark.filterwarnings("ignore::refsim.RangeWarning")
FAMILIES = (
    "IR",
    "DC",
    "MV",
    "NM",
    "BM",
    "PP",
    "BP",
    "SU",
    "MS",
    "WM",
    "WP",
    "QU",
    "RE",
    "OP",
    "EF",
)
CLAUSE = re.compile(r"\[([A-Z]{2}-\d+)\]")
WITHOUT_A_TILE = {"PP-4"}


def outcome(case: Case) -> Any:
    """Everything that refsim returns in a case, to the last bit."""
    with np.errstate(all="ignore"):
        recording = play(guarded(Own(traced=False)), case)
    seen = [
        frozen([o.output, o.gradients or {}, o.passed, o.after or {}])
        for o in recording.observations
    ]
    return seen, recording.failure is None


@pytest.fixture(scope="module")
def right() -> dict[int, Any]:
    return {id(case): outcome(case) for case in examples()}


def specified() -> set[str]:
    docs = (getattr(spec, name).__doc__ or "" for name in spec.__all__)
    return {clause for doc in docs for clause in CLAUSE.findall(doc)}


def test_every_clause_of_a_tile_has_an_example() -> None:
    wanted = {clause for clause in specified() if clause.startswith(FAMILIES)}
    assert len(wanted) > 80
    assert wanted - {clause for case in examples() for clause in case.clauses} == set()
    leading = {case.clauses[0] for case in examples()}
    assert {c for c in wanted - leading if not c.startswith("EF")} == WITHOUT_A_TILE


def test_examples_are_complete_and_distinct(right: dict[int, Any]) -> None:
    for case in examples():
        assert right[id(case)][1], case.name
        assert re.fullmatch(r"([A-Z][a-z]+)+", case.catches), case.catches
        assert case.name
        assert set(case.clauses) <= specified()
    assert max(Counter((c.clauses[0], c.name) for c in examples()).values()) == 1


def test_examples_are_small() -> None:
    sizes = [max(case.weight.shape) for case in examples()]
    assert max(sizes) <= 3
    assert sum(size <= 2 for size in sizes) > 0.97 * len(sizes)


HIDDEN: dict[str, tuple[str, ...]] = {
    "SU-1": (
        "summed in float64",
        "rounded twice",
        "a sum of negative zeros keeps its sign",
        "subnormal results are flushed",
        "an infinite term gives infinity",
    ),
    "SU-2": ("products are rounded", "summed in float64"),
    "SU-3": ("rounded twice",),
    "SU-4": ("products are rounded", "summed in float64"),
    "SU-5": ("products are rounded", "summed in float64"),
    "SU-6": (
        "sum and quotient are rounded",
        "multiplied with the reciprocal",
        "one term after the other",
    ),
    "SU-7": ("from moments", "squares are rounded", "quotient of roots", "in float64"),
    "MV-1": ("blas", "summed in float64", "products are rounded"),
    "MV-2": ("blas", "products are rounded"),
    "MV-3": ("blas", "products are rounded"),
    "MV-4": ("blas", "products are rounded"),
    "MV-5": ("blas", "products are rounded"),
    "EF-1": ("from float64", "zero gives nan", "logarithm of the magnitude"),
    "EF-2": ("from float64", "subnormal results are flushed"),
    "DC-1": ("multiplied with the reciprocal",),
    "DC-2": ("nan becomes the bound",),
    "DC-5": ("left to right",),
    "NM-2": ("negative zero kept",),
    "NM-4": ("square formed first", "divided late"),
    "NM-5": ("in place",),
    "BM-1": ("product formed first",),
    "BM-2": ("empty batch fails",),
    "BP-1": ("left to right",),
    "BP-2": ("multiplied with the mask",),
    "IR-1": ("sign kept", "running update"),
    "IR-3": ("multiplied with the reciprocal",),
    "IR-5": ("factors formed first",),
    "IR-6": ("float64", "multiplied with the reciprocal"),
    "IR-7": ("threshold as the decimal", "magnitude of the range"),
    "IR-8": ("multiplied with the reciprocal",),
    "IR-9": ("multiplied with the mask",),
    "MS-1": ("multiplied with omega",),
    "MS-2": ("multiplied with the reciprocal",),
    "MS-3": ("square formed first",),
    "WM-3": ("two terms",),
    "WM-4": ("multiplied with the reciprocal",),
    "WP-2": ("a negative bound turns the sign", "magnitude of the bound"),
    "OP-1": ("velocity aliases the gradient",),
    "QU-1": ("smallest added",),
    "QU-2": ("signed only if all are",),
    "QU-3": ("not rounded to float32", "by the reciprocal"),
    "QU-4": ("zero by the stored step",),
    "QU-5": ("always linear", "logarithm of the machine", "base two"),
    "QU-6": ("magnitude", "always linear", "exponential of the machine"),
    "QU-8": ("by the reciprocal",),
    "QU-9": ("one step for all rows",),
    "QU-10": ("times a mask",),
    "QU-11": ("one term after the other", "result in the type of the data"),
    "QU-12": ("logarithm ignored", "divided"),
    "QU-13": ("one term after the other", "result in the type of the data"),
    "RE-2": ("always two sided", "place in single precision", "weighted sum"),
    "RE-4": ("step towards the new", "sum rounded once"),
    "RE-5": ("first row",),
    "RE-6": ("product first", "in double"),
    "RE-9": ("naive sum", "rows together"),
    "RE-11": ("one for all rows",),
    "NM-6": ("added in order",),
    "NM-7": ("limit of the sum",),
    "BP-3": ("never inclusive",),
    "BP-4": ("multiplied",),
    "IR-10": (
        "never negative",
        "always of the outputs",
        "rounded twice",
        "a full share without data",
    ),
    "IR-11": ("share in single precision",),
    "MS-4": ("rounded in order",),
    "MS-5": ("one after the other", "reciprocal"),
}
"""Mistakes in the roundings of long sums and quotients, and such as need what no case of a tile has."""


def shows(wrong: Wrong) -> bool:
    """Whether a mistake shows in a tile of few short numbers."""
    return wrong.clause.startswith(FAMILIES) and wrong.mistake not in HIDDEN.get(wrong.clause, ())


def test_every_mistake_that_shows_is_seen_by_an_example_of_its_clause(
    right: dict[int, Any],
) -> None:
    missed = []
    for wrong in filter(shows, MISTAKES):
        own = [case for case in examples() if wrong.clause in case.clauses]
        with mistaken(wrong):
            if all(outcome(case) == right[id(case)] for case in own):
                missed.append(str(wrong))
    assert missed == []

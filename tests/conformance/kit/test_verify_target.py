"""The verdict on small tiles: the right one passes, each wrong one is found, named, and shown on a tiny case."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from refsim.conformance.adapters import Capabilities, Own, Unsupported, Waiver
from refsim.conformance.cases import FEATURES
from refsim.conformance.kit import Outcome, Session, verify_target
from refsim.conformance.kit.shrink import size
from refsim.errors import ConfigError, InputError
from tests.conformance.kit import tiles

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")
FEW: dict[str, Any] = {"max_examples": 10, "phases": ("examples", "generated")}


def test_the_right_tile_passes() -> None:
    outcome = verify_target(tiles.Small(), max_examples=60)
    assert outcome.passed, outcome.findings
    assert outcome.complete
    assert not outcome.failing
    assert sum(outcome.cases.values()) > 100
    assert {"IR-4", "DC-3", "MV-4", "OP-1"} <= outcome.rows.keys()


def test_refsim_itself_has_all_bits() -> None:
    every = Capabilities(features=frozenset(FEATURES))
    for traced, phases in ((True, ["generated", "laws"]), (False, ["examples", "stateful"])):
        outcome = verify_target(Own(traced=traced), every, max_examples=40, phases=phases)
        assert outcome.passed, outcome.findings
        assert not any(row.admissible for row in outcome.rows.values())


@pytest.mark.parametrize(
    ("wrong", "clauses"),
    [
        (tiles.HalfUp, {"DC-1", "DC-3", "DC-4"}),
        (tiles.StrictRule, {"IR-4"}),
        (tiles.StrictGate, {"BP-1"}),
        (tiles.NoBias, {"PP-2"}),
        (tiles.StaleGradients, {"state"}),
        (tiles.Overwrites, {"state"}),
        (tiles.NoRangeGradient, {"IR-8"}),
        (tiles.LearnsInEvaluation, {"IR-1", "state"}),
    ],
)
def test_a_wrong_tile_is_found(wrong: type[Any], clauses: set[str]) -> None:
    outcome = verify_target(wrong(), **FEW)
    assert not outcome.passed
    first = outcome.findings[0]
    assert first.clause in clauses, outcome.findings
    outputs, inputs, rows, steps = size(first.case)
    assert outputs <= 2
    assert inputs <= 2
    assert rows <= 4
    assert steps <= 3


def test_a_known_mistake_is_named() -> None:
    first = verify_target(tiles.StrictRule(), **FEW).findings[0]
    assert first.cause is not None
    assert "strict" in first.cause
    assert first.case.name.startswith("IR-4-")


def test_an_exception_is_a_finding() -> None:
    outcome = verify_target(tiles.Raises(), **FEW)
    assert not outcome.passed
    first = outcome.findings[0]
    assert (first.clause, first.kind) == ("target", "error")
    assert "ZeroDivisionError: no rows" in first.text


def test_the_same_seed_gives_the_same_verdict() -> None:
    def found(outcome: Outcome) -> Any:
        rows = {clause: vars(row) for clause, row in outcome.rows.items()}
        return [(str(f), f.case.name) for f in outcome.findings], outcome.cases, rows

    first, again = (found(verify_target(tiles.HalfUp(), seed=5, **FEW)) for _ in range(2))
    assert first == again
    assert found(verify_target(tiles.Small(), seed=6, **FEW))[2] != first[2]


def test_a_waiver_excuses_what_it_names_and_is_reported_when_it_is_stale() -> None:
    waivers = (Waiver("BP-1", "known"), Waiver("SU-3", "was wrong once"))
    declared = replace(tiles.DECLARED, waivers=waivers)
    outcome = verify_target(tiles.NoBias(), declared, **FEW)
    assert not outcome.passed
    assert outcome.stale == list(waivers)
    waived = replace(tiles.DECLARED, waivers=(Waiver("PP-2", "there is no bias"), waivers[1]))
    outcome = verify_target(tiles.NoBias(), waived, **FEW)
    assert outcome.passed, outcome.findings
    assert [waiver.clause for waiver, _ in outcome.waived] == ["PP-2"]
    assert outcome.stale == [waivers[1]]


def test_one_clause_alone() -> None:
    assert verify_target(tiles.NoBias(), only=["IR-4"], **FEW).passed
    assert not verify_target(tiles.NoBias(), only=["PP-2"], **FEW).passed


def test_a_target_that_supports_nothing_does_not_pass() -> None:
    class Nothing(tiles.Small):
        def create(self, config: Any, weight: Any, bias: Any, state: Any) -> Any:
            raise Unsupported("not today")

    outcome = verify_target(Nothing(), **FEW)
    assert not outcome.passed
    assert not outcome.findings
    assert outcome.refused["not today"] > 20
    assert "Nothing of small was judged" in outcome.sentence()


def test_no_time_is_said() -> None:
    outcome = verify_target(tiles.Small(), seconds=0.0)
    assert not outcome.complete
    assert not outcome.passed


def test_nonsense_is_refused() -> None:
    with pytest.raises(InputError, match="phases has 'example', allowed are examples"):
        verify_target(tiles.Small(), phases=["example"])
    with pytest.raises(InputError, match="capabilities is a str"):
        verify_target(tiles.Small(), "float32")  # type: ignore[arg-type]


def test_an_unknown_clause_or_feature_is_refused() -> None:
    with pytest.raises(InputError, match="only has 'XX-9', which is no clause"):
        verify_target(tiles.Small(), only=["XX-9"])
    with pytest.raises(ConfigError, match="features has 'bais'"):
        Capabilities(features=frozenset({"bais"}))


def test_one_clause_alone_does_not_hide_a_target_that_fails() -> None:
    outcome = verify_target(tiles.Raises(), only=["DC-3"], phases=["examples"])
    assert [finding.kind for finding in outcome.findings] == ["error"]


def test_a_broken_law_is_replayed_as_one() -> None:
    outcome = verify_target(tiles.Overwrites(), phases=["laws"], max_examples=40)
    broken = [finding for finding in outcome.findings if finding.kind == "law"]
    assert broken
    for finding in broken:
        again = Session(tiles.Overwrites()).replay(finding.case, finding.stage)
        assert [f.stage for f in again.findings] == [finding.stage]
        assert Session(tiles.Small()).replay(finding.case, finding.stage).passed

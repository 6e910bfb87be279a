"""Waivers: what they may name, that they excuse what is known, and that they hide nothing that is only guessed."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain
from typing import Any

import pytest

from refsim.conformance.adapters import Own, Waiver
from refsim.conformance.adapters.guard import guarded
from refsim.conformance.adapters.waivable import STAGES
from refsim.conformance.cases import FEATURES
from refsim.conformance.cases.examples import examples
from refsim.conformance.cases.generate import generated_cases
from refsim.conformance.kit import Outcome, judge, play, verify_target
from refsim.conformance.kit.report import document
from refsim.conformance.kit.variant import Mistaken
from refsim.conformance.laws import LAWS
from refsim.conformance.mistakes import MISTAKES
from refsim.errors import ConfigError
from tests.conformance.kit import tiles
from tests.conformance.kit.test_consequences import Coarse

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::refsim.RangeWarning")


def verdict(target: Any, *waivers: str) -> Outcome:
    declared = replace(tiles.DECLARED, waivers=tuple(Waiver(each, "known") for each in waivers))
    return verify_target(target, declared, max_examples=20, phases=["examples"])


# ----- names


def test_every_stage_has_a_name_that_a_waiver_may_use() -> None:
    own = guarded(Own())
    made = generated_cases(0, 60, frozenset(FEATURES))
    for case in chain(list(examples())[::4], made):
        for report in judge(play(own, case)).reports:
            assert {stage.name for stage in report.stages} <= STAGES
    assert [Waiver(f"DC-1 {law.name}", "known").narrow for law in LAWS] == [True] * len(LAWS)


@pytest.mark.parametrize(
    ("clause", "message"),
    [
        ("IR8", "is 'IR8', but there is no clause 'IR8'; did you mean IR-8"),
        ("IR-99", "no clause 'IR-99'; did you mean IR-9"),
        ("everything", "no clause 'everything'; allowed is IR-8 for example"),
        ("IR-8 range_residue", "no stage 'range_residue'; did you mean range_residual"),
        ("IR-8 xyz", "no stage 'xyz'; allowed is those of a trace, results, and entries"),
        ("state out_quantizer.dleta", "did you mean out_quantizer.delta"),
    ],
)
def test_what_no_finding_has_is_refused(clause: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Waiver(clause, "known")


# ----- what is covered


def test_a_guess_is_not_covered_and_the_user_is_told() -> None:
    outcome = verdict(Coarse(), "DC-3")
    first = outcome.findings[0]
    assert (first.clause, first.guessed, first.cause) == ("DC-3", True, None)
    assert not outcome.waived
    assert not outcome.stale
    assert [waiver.clause for waiver, _ in outcome.doubtful] == ["DC-3"]
    found = document(outcome)
    assert found["doubtful_waivers"] == [{"clause": "DC-3", "finding": first.case.name}]
    assert found["findings"][0]["guessed"] is True


def test_a_stage_that_was_seen_can_be_waived() -> None:
    outcome = verdict(Coarse(), "DC-3 output")
    assert [(waiver.clause, finding.guessed) for waiver, finding in outcome.waived] == [
        ("DC-3 output", True)
    ]
    assert "output" not in {finding.stage for finding in outcome.findings}
    assert document(outcome)["waived"][0]["guessed"] is True


def test_a_mistake_that_is_known_to_the_bit_is_covered_with_all_that_it_causes() -> None:
    outcome = verdict(tiles.NoBias(), "PP-2")
    assert outcome.passed
    assert [finding.guessed for _, finding in outcome.waived] == [False]


def test_a_stage_that_is_shown_is_no_guess() -> None:
    wrong = next(each for each in MISTAKES if str(each) == "DC-1 halves up")
    outcome = verdict(Mistaken(wrong, traced=True), "DC-3", "DC-4")
    assert outcome.passed, outcome.findings
    assert not any(finding.guessed for _, finding in outcome.waived)


def test_a_waiver_does_not_hide_another_mistake() -> None:
    class Both(tiles.NoBias, tiles.StrictGate):
        """No bias, and a strict gate on the way back."""

    outcome = verdict(Both(), "PP-2")
    assert [waiver.clause for waiver, _ in outcome.waived] == ["PP-2"]
    assert [finding.clause for finding in outcome.independent] == ["BP-1"]

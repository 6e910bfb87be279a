"""What follows from a finding stands below it, what is independent stays, and nothing is hidden."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from refsim.conformance.adapters import Waiver
from refsim.conformance.cases.files import case_id
from refsim.conformance.kit import Finding, Outcome, Session, verify_target
from refsim.conformance.kit.report import (
    document,
    finding_lines,
    junit,
    keep_findings,
    replayed,
)
from refsim.errors import VectorError
from tests.conformance.kit import tiles

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")
F = np.float32
ALL: dict[str, Any] = {"max_examples": 20, "phases": ("examples", "generated", "laws")}


class Coarse(tiles.Small):
    """Converters have steps three times as large."""

    def rint(self, a: Any) -> Any:
        return F(3) * np.rint(a / F(3))


class TwoMistakes(tiles.NoBias, tiles.StrictRule):
    """No bias, and thresholds of the range rule that are strict."""


class CoarseAndBiasGradient(Coarse):
    """Converters have large steps, and the gradient of the bias is twice as large."""

    def accumulate(self, h: dict[str, Any], found: dict[str, Any]) -> None:
        if "bias" in found:
            found["bias"] = 2 * found["bias"]
        super().accumulate(h, found)


@pytest.fixture(scope="module")
def coarse() -> Outcome:
    return verify_target(Coarse(), **ALL)


def stages(findings: list[Finding]) -> list[str]:
    return [finding.stage for finding in findings]


def test_consequences_stand_below_the_first_finding(coarse: Outcome) -> None:
    (first,) = coarse.independent
    assert first is coarse.findings[0]
    assert first.stage == "output"
    also = coarse.below(first)
    assert len(also) == len(coarse.findings) - 1 > 0
    assert {"weight_gradient", "input_gradient"} <= set(stages(also))
    assert coarse.sentence().startswith(f"small is NOT admissible, it breaks {first.clause}: ")


def test_nothing_is_hidden_from_programs(coarse: Outcome, tmp_path: Path) -> None:
    first = case_id(coarse.findings[0].case)
    found = json.loads(json.dumps(document(coarse)))["findings"]
    assert [each["stage"] for each in found] == stages(coarse.findings)
    assert [each["follows"] for each in found] == [None] + [first] * (len(found) - 1)
    paths = keep_findings(coarse, tmp_path)
    for path, finding in zip(paths, coarse.findings, strict=True):
        again = Session(Coarse()).replay(*replayed(str(path)))
        assert finding.stage in stages(again.findings)
    report = tmp_path / "report.json"
    report.write_text(json.dumps(document(coarse)))
    assert case_id(replayed(str(report))[0]) == first


def test_what_follows_is_printed_in_one_line(coarse: Outcome) -> None:
    first, also = coarse.findings[0], coarse.below(coarse.findings[0])
    *_, last = finding_lines(first, "mine:tile", also=also)
    assert last.startswith("  Also seen as: ")
    assert all(f"{each.clause} {each.stage} ({case_id(each.case)})" in last for each in also)
    assert len(list(finding_lines(first, "mine:tile"))) == 3


def test_only_independent_findings_are_failures_in_junit(coarse: Outcome) -> None:
    suite = ET.fromstring(junit(coarse))
    failed = {test.get("name") for test in suite if test.find("failure") is not None}
    assert failed == {coarse.findings[0].clause}
    assert suite.get("failures") == "1"
    told = "\n".join(each.text or "" for each in suite.iter("system-out"))
    assert all(f'"id": "{case_id(each.case)}"' in told for each in coarse.findings[1:])


@pytest.mark.parametrize(
    ("wrong", "independent"),
    [(TwoMistakes, {"PP-2", "IR-4"}), (CoarseAndBiasGradient, {"DC-3", "SU-3"})],
)
def test_independent_mistakes_stay(wrong: type[Any], independent: set[str]) -> None:
    outcome = verify_target(wrong(), max_examples=20, phases=["examples"])
    assert {finding.clause for finding in outcome.independent} >= independent


def test_what_follows_from_a_waived_finding_stands_for_itself(coarse: Outcome) -> None:
    waived = replace(
        tiles.DECLARED, waivers=(Waiver(f"{coarse.findings[0].clause} output", "known"),)
    )
    outcome = verify_target(Coarse(), waived, **ALL)
    assert not outcome.passed
    assert "weight_gradient" in stages(outcome.independent)


def test_a_report_with_two_findings_has_to_say_which(tmp_path: Path) -> None:
    outcome = verify_target(TwoMistakes(), max_examples=20, phases=["examples"])
    report = tmp_path / "report.json"
    report.write_text(json.dumps(document(outcome)))
    with pytest.raises(VectorError, match="findings, allowed is one; name it by its id"):
        replayed(str(report))

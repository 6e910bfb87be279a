"""Reports: documents that a program can read, and findings that can be replayed from disk."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from refsim.conformance.cases.files import case_id
from refsim.conformance.kit import Outcome, Session, verify_target
from refsim.conformance.kit.report import (
    described,
    document,
    finding_lines,
    junit,
    keep_findings,
    replayed,
)
from refsim.errors import InputError, VectorError
from tests.conformance.kit import tiles

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


@pytest.fixture(scope="module")
def outcome() -> Outcome:
    return verify_target(tiles.NoBias(), phases=["examples"])


def test_the_document_is_complete(outcome: Outcome) -> None:
    found = json.loads(json.dumps(document(outcome), allow_nan=False))
    assert found["passed"] is False
    assert found["target"] == "small"
    assert found["findings"][0]["clause"] == "PP-2"
    assert {row["clause"] for row in found["clauses"]} == set(outcome.rows)


def test_junit_has_a_test_for_each_clause(outcome: Outcome) -> None:
    suite = ET.fromstring(junit(outcome))
    failed = {test.get("name") for test in suite if test.find("failure") is not None}
    assert failed == {"PP-2"}
    assert suite.get("failures") == "1"
    assert suite.get("tests") == str(len(outcome.rows))


def test_a_finding_says_what_where_and_how_to_see_it_again(outcome: Outcome) -> None:
    finding = outcome.findings[0]
    what, where, how = finding_lines(finding, "mine:tile")
    assert what.startswith("VIOLATION PP-2 output, step 0: got ")
    assert where.strip().startswith("Smallest failing case: 1x1 tile, 1 row, 1 step")
    assert how.strip() == f"Reproduce: refsim verify mine:tile --replay {case_id(finding.case)}"
    assert "bias = [" in described(finding.case)


def test_findings_are_kept_and_replayed(outcome: Outcome, tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    (path,) = keep_findings(outcome, folder)
    for name in (path.stem, str(path)):
        case, law = replayed(name, folder)
        assert law is None
        wrong = Session(tiles.NoBias()).replay(case)
        assert [f.clause for f in wrong.findings] == ["PP-2"]
        assert wrong.findings[0].text == outcome.findings[0].text
        assert Session(tiles.Small()).replay(case).passed
    report = tmp_path / "report.json"
    report.write_text(json.dumps(document(outcome)))
    assert case_id(replayed(str(report))[0]) == path.stem


def test_what_cannot_be_replayed_is_said(outcome: Outcome, tmp_path: Path) -> None:
    (path,) = keep_findings(outcome, tmp_path)
    with pytest.raises(InputError, match=f"no finding 'IR-4-00000000' in .*, kept are {path.stem}"):
        replayed("IR-4-00000000", tmp_path)
    for content in (b"{", b"[1]", b"\xff", b'{"case": {"config": 3}}', b'{"findings": []}'):
        path.write_bytes(content)
        with pytest.raises(VectorError):
            replayed(path.stem, tmp_path)

"""``refsim vectors``: golden vectors are generated, checked and shown; recorded ones as before."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from refsim.conformance.cases import case_document
from refsim.conformance.cases.examples import examples
from refsim.conformance.vectors import recorded_folder

Invoke = Any


@pytest.fixture
def invoke(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Invoke:
    """Run the command in this process; returns exit status, standard output and standard error."""
    from refsim.cli import main

    def invoked(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["refsim", "vectors", *arguments])
        with pytest.raises(SystemExit) as status:
            main()
        out, err = capsys.readouterr()
        code = status.value.code
        return (0 if code is None else int(code)), out, err

    return invoked


@pytest.fixture
def folder(invoke: Invoke, tmp_path: Path) -> str:
    """Golden vectors of one clause, with a generated one."""
    where = str(tmp_path / "golden")
    code, out, _ = invoke("generate", where, "--clause", "IR-2", "--count", "1", "--json")
    assert code == 0
    document = json.loads(out)
    assert sum(document["files"].values()) == len(document["written"]) == 3
    return where


def test_generated_vectors_are_checked(invoke: Invoke, folder: str) -> None:
    code, out, _ = invoke("check", folder, "--backend", "spec", "--json")
    document = json.loads(out)
    assert (code, document["passed"]) == (0, True)
    (group,) = document["groups"]
    assert (group["group"], group["cases"], group["failures"]) == ("IR", 3, 0)
    code, out, _ = invoke("check", folder, "--group", "IR", "--backend", "spec")
    assert code == 0
    assert "reproduced" in out
    code, _, err = invoke("check", folder, "--group", "XX")
    assert (code, "group is 'XX', allowed are IR" in err) == (2, True)


def test_vectors_are_shown(invoke: Invoke, folder: str) -> None:
    code, out, _ = invoke("show", folder)
    assert code == 0
    assert "NoClip" in out
    code, out, _ = invoke("show", f"{folder}/IR.safetensors", "--json")
    entries = json.loads(out)["vectors"]
    assert {clause for entry in entries for clause in entry["clauses"]} == {"IR-2"}
    name = next(entry["id"] for entry in entries if entry["catches"] == "NoClip")
    code, out, _ = invoke("show", folder, "--case", name)
    assert code == 0
    assert "clipped_input" in out
    code, out, _ = invoke("show", folder, "--case", name, "--json")
    assert json.loads(out)["case"]["catches"] == "NoClip"
    code, _, err = invoke("show", folder, "--case", "IR-2")
    assert (code, "names 3 vectors" in err) == (2, True)


def test_recorded_vectors_are_shown(invoke: Invoke) -> None:
    where = str(recorded_folder())
    code, out, _ = invoke("show", where, "--json")
    cases = json.loads(out)["cases"]
    assert len(cases) > 500
    code, out, _ = invoke("show", where, "--case", cases[0]["id"])
    assert (code, cases[0]["group"] in out) == (0, True)
    code, out, _ = invoke("show", where, "--case", cases[0]["id"], "--json")
    assert "W" in json.loads(out)["arrays"]
    code, _, err = invoke("show", where, "--case", "nothing")
    assert (code, "which is none of" in err) == (2, True)


def test_findings_become_vectors(invoke: Invoke, tmp_path: Path) -> None:
    finding = {"clause": "IR-4", "cause": "strict edges", "case": case_document(examples()[0])}
    source, where = tmp_path / "finding.json", str(tmp_path / "golden")
    source.write_text(json.dumps(finding))
    code, out, _ = invoke("generate", where, "--from", str(source))
    assert (code, "1 vectors written" in out) == (0, True)
    code, out, _ = invoke("show", where)
    assert "StrictEdges" in out


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("generate", "DIR", "--clause", "ZZ-9"), "clause is 'ZZ-9'"),
        (("generate", "DIR", "--features", "magic"), "features is 'magic'"),
        (("generate", "DIR", "--from", "nowhere.json"), "nowhere.json cannot be read"),
        (("show", "nowhere"), "nowhere is not a readable file"),
        (("check", "nowhere"), "nowhere"),
        (("check", "nowhere", "--group", "g01_input_range"), "nowhere"),
    ],
)
def test_bad_usage_is_one_sentence(
    invoke: Invoke, tmp_path: Path, arguments: tuple[str, ...], reason: str
) -> None:
    words = [str(tmp_path / "new") if word == "DIR" else word for word in arguments]
    code, out, err = invoke(*words)
    assert (code, out) == (2, "")
    assert reason in err


def test_groups_without_a_folder_are_groups(invoke: Invoke) -> None:
    groups = ("g04_mapping", "g05_post_update")
    code, out, _ = invoke("check", "--group", *groups, "--backend", "spec", "--json")
    assert code == 0
    assert [group["group"] for group in json.loads(out)["groups"]] == list(groups)

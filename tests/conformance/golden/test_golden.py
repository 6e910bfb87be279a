"""Golden vectors: what is written is checked to the last bit, and what is read is not trusted."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from refsim import IOParameters, TorchInferenceRPUConfig, calibrate_input_ranges
from refsim.conformance import golden
from refsim.conformance.bits import same_bits
from refsim.conformance.cases import FEATURES, Case, Step, case_document, features
from refsim.conformance.cases.examples import examples
from refsim.conformance.cases.generate import generated_cases
from refsim.conformance.golden import (
    check_folder,
    is_golden,
    read_folder,
    vector_document,
    vector_of,
    write_folder,
)
from refsim.conformance.golden.answers import Answer, differences
from refsim.conformance.golden.catches import caught, generated_with_catch
from refsim.conformance.golden.findings import cases_of_findings
from refsim.conformance.kit.variant import mistaken
from refsim.conformance.mistakes import MISTAKES
from refsim.errors import VectorError

pytestmark = pytest.mark.filterwarnings("ignore::refsim.RangeWarning")
SCHEMA = json.loads((resources.files(golden) / "vectors.schema.json").read_text())
VALID = Draft202012Validator(SCHEMA)


@pytest.fixture(scope="module")
def chosen() -> list[golden.Vector]:
    """Examples of all families, and some generated vectors of everything."""
    some = [*examples()[::6], *generated_cases(2, 10, frozenset(FEATURES))]
    return [vector_of(case) for case in some]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory, chosen: list[golden.Vector]) -> Path:
    folder = tmp_path_factory.mktemp("golden")
    write_folder(folder, chosen)
    return folder


def test_nothing_is_lost(written: Path, chosen: list[golden.Vector]) -> None:
    folder = read_folder(written)
    read = {v.id: v for name in folder.files for v in folder.load(name)}
    assert read.keys() == {vector.id for vector in chosen}
    for vector in chosen:
        assert same_bits(vector_document(read[vector.id]), vector_document(vector))


def test_refsim_reproduces_them(written: Path) -> None:
    for report in check_folder(read_folder(written), backend="spec"):
        assert report.passed, report.failures
        assert report.compared > 0


def test_a_mistake_is_noticed(written: Path) -> None:
    wrong = next(w for w in MISTAKES if str(w) == "DC-1 halves up")
    with mistaken(wrong):
        (report,) = check_folder(read_folder(written), ["DC"], "spec")
    assert not report.passed
    assert all("step 0" in name for _, name, _ in report.failures)
    assert any("rounded_input" in text for _, _, text in report.failures)


def test_one_bit_is_noticed(chosen: list[golden.Vector]) -> None:
    right = next(v for v in chosen if v.answers[0].output.size).answers
    first = right[0]
    output = first.output.copy()
    output.flat[0] = np.nextafter(output.flat[0], output.dtype.type(np.inf))
    found = Answer(output, first.stages, first.gradients, first.passed, first.after)
    assert list(differences((found, *right[1:]), right)) == ["step 0 output"]
    fewer = Answer(first.output, first.stages[1:], first.gradients, {}, first.after)
    assert any("missing" in text for text in differences((fewer, *right[1:]), right).values())


def test_vectors_that_are_there_stay(tmp_path: Path) -> None:
    first, second, third = (vector_of(case) for case in examples()[:3])
    write_folder(tmp_path, [first, second])
    folder = write_folder(tmp_path, [second, third])
    assert sum(len(folder.load(name)) for name in folder.files) == 3
    assert is_golden(tmp_path)


def test_documents_are_as_the_schema_says(written: Path, chosen: list[golden.Vector]) -> None:
    Draft202012Validator.check_schema(SCHEMA)
    VALID.validate(json.loads((written / "vectors.json").read_text()))
    for vector in chosen:
        document = json.loads(json.dumps(vector_document(vector), allow_nan=False))
        VALID.validate(document)
        assert not VALID.is_valid({**document, "surprise": 1})


def test_the_index_names_clauses_and_mistakes(written: Path) -> None:
    index = json.loads((written / "vectors.json").read_text())
    entries = [entry for file in index["files"].values() for entry in file["vectors"]]
    by_hand = [entry for entry in entries if not entry["name"].startswith("generated")]
    assert all(entry["clauses"] and entry["catches"] for entry in by_hand)


def test_generated_vectors_name_what_they_catch() -> None:
    allowed = frozenset({"input_range", "learned_range", "backward"})
    cases = list(generated_with_catch(0, 3, allowed, clauses=frozenset({"IR-4"})))
    assert [case.clauses[0] for case in cases] == ["IR-4"] * 3
    assert len({case.catches for case in cases}) == 3
    for case in cases:
        assert features(case) <= allowed
        names = {"".join(map(str.capitalize, w.mistake.split())) for w in caught(case)}
        assert case.catches in names


def test_findings_become_vectors(tmp_path: Path) -> None:
    case = examples()[0]
    finding = {"clause": "IR-4", "cause": "IR-4 strict edges", "case": case_document(case)}
    path = tmp_path / "finding.json"
    for document in (finding, {"findings": [finding]}, [finding]):
        path.write_text(json.dumps(document))
        (made,) = cases_of_findings(path)
        assert (made.clauses[0], made.catches) == ("IR-4", "StrictEdges")
    path.write_text(json.dumps(case_document(case)))
    assert cases_of_findings(path)[0].clauses == case.clauses
    for text in ("[]", "{", "3", '{"findings": [1]}', "[" * 100_000, '{"case": 5}'):
        path.write_text(text)
        with pytest.raises(VectorError):
            cases_of_findings(path)
    with pytest.raises(VectorError, match="cannot be read"):
        cases_of_findings(tmp_path / "nowhere.json")


# ----- hostile folders


@pytest.fixture
def copied(written: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "copy"
    shutil.copytree(written, folder)
    return folder


def load_all(folder: Path) -> None:
    found = read_folder(folder)
    for name in found.files:
        found.load(name)


def rewritten(folder: Path, change: Callable[[Any], Any]) -> None:
    index = json.loads((folder / "vectors.json").read_text())
    (folder / "vectors.json").write_text(json.dumps(change(index)))


HOSTILE: dict[str, Callable[[Any], Any]] = {
    "no table": lambda index: [index],
    "another format": lambda index: {**index, "format": "x"},
    "another schema": lambda index: {**index, "schema": 2},
    "no files": lambda index: {**index, "files": 3},
    "no version": lambda index: {**index, "refsim": None},
    "a path": lambda index: {**index, "files": {"../x.safetensors": {"sha256": "0"}}},
    "no hash": lambda index: {**index, "files": {"IR.safetensors": {}}},
    "another hash": lambda index: {**index, "files": {"IR.safetensors": {"sha256": "0"}}},
    "no such file": lambda index: {**index, "files": {"ZZ.safetensors": {"sha256": "0"}}},
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_indexes_are_refused(kind: str, copied: Path) -> None:
    rewritten(copied, HOSTILE[kind])
    with pytest.raises(VectorError):
        load_all(copied)


def test_damaged_indexes_are_refused(copied: Path) -> None:
    for data in (b"", b"{", b"\xff\xfe", b"[" * 100_000):
        (copied / "vectors.json").write_bytes(data)
        with pytest.raises(VectorError):
            load_all(copied)
    (copied / "vectors.json").unlink()
    with pytest.raises(VectorError):
        load_all(copied)


@given(data=st.data())
def test_files_with_other_bytes_are_refused(
    written: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    source = written / "DC.safetensors"
    whole = source.read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    place = tmp_path_factory.getbasetemp() / "fuzzed.safetensors"
    place.write_bytes(
        whole[:at] + bytes([whole[at] ^ data.draw(st.integers(1, 255))]) + whole[at + 1 :]
    )
    try:
        golden.read_vectors(place)
    except VectorError:
        return
    assert whole[at : at + 1] in b' \n"'  # only what means the same may pass


def test_trees_that_are_no_vectors_are_refused(tmp_path: Path) -> None:
    from refsim.conformance.cases.container import write_tree
    from refsim.conformance.golden.vector import vector_tree

    tree = vector_tree(vector_of(examples()[0]))
    answer = tree["answers"][0]
    wrong: list[Any] = [
        3,
        {},
        {**tree, "id": "MV-1-00000000"},
        {**tree, "answers": []},
        {**tree, "answers": [3]},
        {**tree, "answers": [{**answer, "stages": 3}]},
        {**tree, "answers": [{**answer, "stages": [3]}]},
        {**tree, "answers": [{**answer, "stages": [{**answer["stages"][0], "clause": 3}]}]},
        {**tree, "answers": [{**answer, "output": 3}]},
        {**tree, "answers": [{**answer, "passed": 3}]},
        {**tree, "answers": [{**answer, "gradients": {"input": 3}}]},
    ]
    path = tmp_path / "one.safetensors"
    for each in wrong:
        write_tree(path, "vectors", {"vectors": [each]})
        with pytest.raises(VectorError):
            golden.read_vectors(path)
    write_tree(path, "vectors", {"vectors": 3})
    with pytest.raises(VectorError, match="no list"):
        golden.read_vectors(path)


@pytest.mark.parametrize("catches", ["LowerElement", "LargestOfQuantiles", "MeanOfMaxima"])
def test_answers_follow_a_calibration(catches: str) -> None:
    (case,) = (case for case in examples() if case.catches == catches)
    calibration = case.steps[0].calibration
    assert calibration is not None
    tile = case.tile()
    calibrate_input_ranges(tile, batches=calibration.batches, **calibration.options())
    (answer,) = vector_of(case).answers
    assert answer.passed["input_range"] == tile.parameters["input_range"] != 2


def test_answers_follow_weights_that_are_set() -> None:
    config = TorchInferenceRPUConfig(forward=IOParameters(is_perfect=True))
    one, two = np.ones((1, 1), np.float32), np.full((1, 1), 2, np.float32)
    (answer,) = vector_of(Case(config, one, None, (Step(x=one, weight=two),))).answers
    assert answer.output == 2

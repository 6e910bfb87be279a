"""Cases as documents and files: nothing is lost, and nothing in them is trusted."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import save

import refsim as rs
from refsim.conformance.bits import same_bits
from refsim.conformance.cases import (
    FEATURES,
    Case,
    Step,
    case_document,
    case_from_document,
    case_id,
    container,
    read_cases,
    write_cases,
)
from refsim.conformance.cases.container import read_tree, write_tree
from refsim.conformance.cases.examples import examples
from refsim.conformance.cases.files import case_tree
from refsim.conformance.cases.generate import generated_cases

EVERYTHING = frozenset(FEATURES)


def small() -> Case:
    config = rs.TorchInferenceRPUConfig(forward=rs.IOParameters(is_perfect=True))
    x = np.array([[1.0, -0.0], [0.1, 2e-45]], np.float32)
    step = Step(x=x, dy=np.ones((2, 1), np.float32), update=True)
    return Case(config, np.ones((1, 2), np.float32), None, (step,), clauses=("MV-1",), name="a")


def document() -> dict[str, Any]:
    return json.loads(json.dumps(case_document(small())))


def test_documents_lose_nothing() -> None:
    for case in (*examples()[::3], *generated_cases(3, 40, EVERYTHING)):
        text = json.dumps(case_document(case), allow_nan=False)
        back = case_from_document(json.loads(text))
        assert same_bits(case_tree(back), case_tree(case))
        assert rs.config.to_json(back.config) == rs.config.to_json(case.config)
        assert case_id(back) == case_id(case)


def test_documents_are_small() -> None:
    assert len(json.dumps(document())) < 700
    assert max(len(json.dumps(case_document(case))) for case in examples()) < 4000


def test_the_id_is_that_of_the_content() -> None:
    renamed = case_from_document({**document(), "name": "b", "catches": "Nothing"})
    assert case_id(renamed) == case_id(small())
    other = document()
    other["steps"][0]["x"]["values"][0] = 1.5
    assert case_id(case_from_document(other)) != case_id(small())
    assert len({case_id(case) for case in examples()}) == len(examples())


def test_files_lose_nothing(tmp_path: Path) -> None:
    cases = [*examples()[:20], *generated_cases(1, 20, EVERYTHING)]
    write_cases(tmp_path / "cases.safetensors", cases)
    back = read_cases(tmp_path / "cases.safetensors")
    assert [case_id(case) for case in back] == [case_id(case) for case in cases]
    assert all(same_bits(case_tree(a), case_tree(b)) for a, b in zip(back, cases, strict=True))


Change = tuple[str | int, ...]
HOSTILE: list[tuple[Change, Any, str]] = [
    (("weight",), 3, "weight is no array"),
    (("weight", "dtype"), "object", "unknown dtype"),
    (("weight", "dtype"), ["float32"], "unknown dtype"),
    (("weight", "shape"), [2**40, 2**40], "has the shape"),
    (("weight", "shape"), [2**20, 2**20], "more than"),
    (("weight", "shape"), [True, 2], "has the shape"),
    (("weight", "shape"), [-1, -2], "has the shape"),
    (("weight", "shape"), [1, 3], "must have 3 values"),
    (("weight", "values"), [1.0, "nan"], "NaN or infinity"),
    (("weight", "values"), [1.0, 0.1], "no number of type float32"),
    (("weight", "values"), [1.0, True], "no number of type float32"),
    (("weight", "values"), [1.0, 1e300], "no number of type float32"),
    (("weight", "values"), [1.0, 2**70], "no number of type float32"),
    (("weight", "dtype"), "float64", "allowed is that of the tile"),
    (("bias",), {"dtype": "float32", "shape": [2], "values": [0, 0]}, "bias has the shape"),
    (("config", "forward"), {"inp_rez": 1}, "config cannot be read"),
    (("config", "class"), "os.system", "config cannot be read"),
    (("config", "class"), "IOParameters", "config cannot be read"),
    (("config",), [1], "config cannot be read"),
    (("state",), {"weigth": document()["weight"]}, ""),
    (("state",), [1], "state is no table"),
    (("state",), {"input_range": document()["weight"]}, ""),
    (("sgd",), {"lr": "fast"}, "wrong kind"),
    (("sgd",), {"lr": True}, "wrong kind"),
    (("sgd",), {"lr": float("inf")}, "sgd cannot be used"),
    (("sgd",), {"rate": 1.0}, "has the key"),
    (("steps",), [], "at least one step"),
    (("steps",), {}, "at least one step"),
    (("steps", 0, "x"), {"dtype": "float32", "shape": [1], "values": [1]}, "end in 2"),
    (("steps", 0, "dy"), {"dtype": "float32", "shape": [1], "values": [1]}, "dy has the shape"),
    (("steps", 0, "dy"), None, "has an update without dy"),
    (("steps", 0, "training"), 1, "allowed are true and false"),
    (("steps", 0, "shell"), "rm", "has the key"),
    (("steps", 0, "noise"), 5, "noise is no table"),
    (("clauses",), "MV-1", "no list of texts"),
    (("name",), "n" * 2000, "at most 1000 characters"),
    (("surprise",), 1, "has the key"),
]


@pytest.mark.parametrize(("where", "value", "reason"), HOSTILE, ids=lambda v: str(v)[:40])
def test_hostile_documents_are_refused(where: Change, value: Any, reason: str) -> None:
    given_document: Any = document()
    part = given_document
    for key in where[:-1]:
        part = part[key]
    part[where[-1]] = value
    if (where, reason) == (("state",), ""):
        assert_harmless(given_document)
        return
    with pytest.raises(rs.errors.VectorError, match=reason):
        case_from_document(given_document)


def assert_harmless(given_document: Any) -> None:
    """Either a case, or a clear error."""
    try:
        case_from_document(given_document)
    except rs.errors.VectorError:
        return


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@given(st.data())
def test_documents_with_anything_in_any_place_are_harmless(data: st.DataObject) -> None:
    changed: Any = document()
    part, key = changed, data.draw(st.sampled_from(sorted(changed)))
    while isinstance(part[key], (dict, list)) and part[key] and data.draw(st.booleans()):
        part = part[key]
        keys = sorted(part) if isinstance(part, dict) else list(range(len(part)))
        key = data.draw(st.sampled_from(keys))
    part[key] = data.draw(anything)
    assert_harmless(changed)


def test_a_small_document_cannot_ask_for_a_large_product() -> None:
    changed = document()
    count = 2**15
    row = {"dtype": "float32", "shape": [count, 1], "values": [1.0] * count}
    changed["weight"] = changed["steps"][0]["x"] = row
    del changed["steps"][0]["dy"], changed["steps"][0]["update"]
    with pytest.raises(rs.errors.VectorError, match="multiplications"):
        case_from_document(changed)


@pytest.fixture(scope="module")
def bytes_of_a_file(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    path = tmp_path_factory.mktemp("files") / "cases.safetensors"
    write_cases(path, [small()])
    return path.with_name("changed.safetensors"), path.read_bytes()


@given(data=st.data())
def test_files_with_other_bytes_are_refused(
    bytes_of_a_file: tuple[Path, bytes], data: st.DataObject
) -> None:
    path, whole = bytes_of_a_file
    at = data.draw(st.integers(0, len(whole) - 1))
    kind = data.draw(st.sampled_from(["changed", "cut", "longer", "swapped"]))
    flip = data.draw(st.integers(1, 255))
    made = {
        "changed": whole[:at] + bytes([whole[at] ^ flip]) + whole[at + 1 :],
        "cut": whole[:at],
        "longer": whole + bytes([flip]),
        "swapped": whole[at:] + whole[:at],
    }[kind]
    path.write_bytes(made)
    if made == whole:
        return
    try:
        read = read_cases(path)
    except rs.errors.VectorError:
        return
    assert [case_id(case) for case in read] == [case_id(small())]  # changed without effect


@given(data=st.binary(max_size=200))
def test_files_of_any_bytes_are_refused(bytes_of_a_file: tuple[Path, bytes], data: bytes) -> None:
    path, _ = bytes_of_a_file
    path.write_bytes(data)
    with pytest.raises(rs.errors.VectorError):
        read_cases(path)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"schema": 2}, "schema 1"),
        ({"kind": "other"}, "kind 'cases'"),
        ({"sha256": "0"}, "SHA-256"),
        ({"tree": []}, "no tree"),
        ({"version": None}, "no version"),
    ],
)
def test_headers_are_checked(change: dict[str, Any], reason: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_cases(path, [small()])
    with safe_open(path, framework="np") as file:
        header = json.loads(file.metadata()["refsim"]) | change
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    path.write_bytes(save(arrays, {"refsim": json.dumps(header)}))
    with pytest.raises(rs.errors.VectorError, match=reason):
        read_cases(path)


def test_large_files_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    write_cases(path, [small()])
    monkeypatch.setattr(container, "SIZE_LIMIT", 100)
    with pytest.raises(rs.errors.VectorError, match="larger than 100 bytes"):
        read_cases(path)
    with pytest.raises(rs.errors.VectorError, match="no such file"):
        read_cases(tmp_path)


def test_trees_hold_what_a_case_may_hold(tmp_path: Path) -> None:
    with pytest.raises(rs.errors.VectorError, match="complex64"):
        write_tree(tmp_path / "file", "kind", {"a": np.zeros(1, np.complex64)})
    write_tree(tmp_path / "file", "kind", {"a": [np.zeros((0, 3)), {"b": None}]})
    assert same_bits(read_tree(tmp_path / "file", "kind"), {"a": [np.zeros((0, 3)), {"b": None}]})


def test_cases_that_cannot_be_written_say_so() -> None:
    case = replace(small(), config=3)
    with pytest.raises(rs.errors.VectorError, match="cannot be written"):
        case_document(case)

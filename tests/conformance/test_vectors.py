"""The reader of recorded vectors: what it reads, and the one sentence for every damaged or hostile file."""

from __future__ import annotations

import json
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from refsim.conformance import vectors
from refsim.conformance.check import check_recording
from refsim.conformance.vectors import Recording, read_recording
from refsim.errors import VectorError
from tests.conformance.folder import Write, npy

INDEX = "tiny/float32"


def test_every_group_is_read_and_holds_what_the_manifest_says(recording: Recording) -> None:
    manifest = json.loads((recording.folder / "manifest.json").read_text())
    assert len(recording.cases) == manifest["n_cases"]
    for group, entry in manifest["groups"].items():
        arrays = recording.load(group)
        assert len(arrays) == entry["cases"]
        assert sum(map(len, arrays.values())) == entry["arrays"]


def test_arrays_are_read_only_and_of_the_data_type_of_the_case(recording: Recording) -> None:
    dtypes = {case.id: case.dtype for case in recording.cases}
    for case, arrays in recording.load("g04_mapping").items():
        assert {array.dtype for array in arrays.values()} == {dtypes[case]}
        assert not any(array.flags.writeable for array in arrays.values())


def test_the_small_folder_is_sound(write: Write) -> None:
    recording = read_recording(write())
    assert recording.load("tiny")[INDEX]["s0_x"].tolist() == [[0.5, 0.25]]
    (group,) = check_recording(recording, backend="spec")
    assert group.passed
    assert group.results[0].compared == ["init_W_analog", "s0_y"]


def object_array() -> bytes:
    return npy(np.array([{}], dtype=object))


def stated(shape: str) -> bytes:
    """Five numbers under a header that states another shape."""
    good = npy(np.zeros(5, dtype=np.float32))
    return good.replace(b"(5,), }" + b" " * (len(shape) - 4), shape.encode() + b", }")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"members": {"index.npy": None}}, "holds ['f4']"),
        ({"members": {"f2.npy": npy(np.zeros(1, np.float16))}}, "holds ['f2', 'f4', 'index']"),
        ({"members": {"f4.npy": object_array()}}, "is no flat array"),
        ({"members": {"f4.npy": npy(np.zeros(5, np.float64))}}, "not 5 numbers of type float32"),
        ({"members": {"f4.npy": npy(np.zeros((5, 1), np.float32))}}, "is no flat array"),
        (
            {"members": {"f4.npy": npy(np.zeros(5, np.float32))[:-1]}},
            "has 19 bytes that are not 5 numbers",
        ),
        ({"members": {"f4.npy": stated("(9**9,)")}}, "is no flat array"),
        ({"members": {"f4.npy": stated("(-5,)")}}, "is no flat array"),
        ({"members": {"f4.npy": stated("(6,)")}}, "has 20 bytes that are not 6 numbers"),
        ({"members": {"f4.npy": stated("(999999999999,)")}}, "not 999999999999 numbers"),
        ({"members": {"f4.npy": b"\x93NUMPY"}}, "is no flat array"),
        ({"members": {"index.npy": npy(np.frombuffer(b"{", np.uint8))}}, "its JSON is damaged"),
        (
            {"members": {"index.npy": npy(np.frombuffer(b"\xff\xfe", np.uint8))}},
            "its JSON is damaged",
        ),
        (
            {"members": {"index.npy": npy(np.frombuffer(b"[" * 100_000, np.uint8))}},
            "its JSON is damaged",
        ),
        ({"index": {}}, "lacks cases of manifest.json"),
        ({"index": {INDEX: []}}, "is no table"),
        ({"index": {INDEX: {"W": ["f4", 4, [2]]}}}, "outside the buffers"),
        ({"index": {INDEX: {"W": ["f4", -1, [1]]}}}, "outside the buffers"),
        ({"index": {INDEX: {"W": ["f4", 0, [-1]]}}}, "outside the buffers"),
        ({"index": {INDEX: {"W": ["f4", 0, [10**30]]}}}, "outside the buffers"),
        ({"index": {INDEX: {"W": ["f4", 0, [1] * 40]}}}, "outside the buffers"),
        ({"index": {INDEX: {"W": ["f4", True, [1]]}}}, "outside the buffers"),
        ({"index": {INDEX: {"W": ["f8", 0, [1]]}}}, "outside the buffers"),
        ({"index": {INDEX: {"W": ["index", 0]}}}, "outside the buffers"),
        ({"compression": zipfile.ZIP_BZIP2}, "compressed"),
    ],
)
def test_a_damaged_group_is_one_sentence(
    write: Write, change: dict[str, Any], message: str
) -> None:
    folder = write(**change)
    with pytest.raises(VectorError) as error:
        read_recording(folder).load("tiny")
    text = str(error.value)
    assert message in text
    assert text.startswith(f"{folder / 'tiny.npz'} is not a readable file of recorded vectors: ")
    assert "\n" not in text


@pytest.mark.parametrize(
    "change",
    [
        {"cases": None},
        {"cases": [1]},
        {"cases": [{}]},
        {"groups": []},
        {"groups": {"tiny": {}}},
        {"groups": {"tiny": {"file": "../tiny.npz"}}},
        {"groups": {"tiny": {"file": "/etc/tiny.npz"}}},
        {"groups": {"tiny": {"file": "tiny.pkl"}}},
        {"groups": {}},
        {"defaults": 1},
        {"defaults": {"IOParameters": 1}},
        {"quiet_forward": None},
    ],
)
def test_a_damaged_manifest_is_one_sentence(write: Write, change: dict[str, Any]) -> None:
    folder = write(manifest=change)
    with pytest.raises(VectorError, match="is not a readable file of recorded vectors") as error:
        read_recording(folder)
    assert str(error.value).startswith(str(folder / "manifest.json"))


@pytest.mark.parametrize(
    "change", [{"dtype": "float16"}, {"id": 3}, {"group": "other"}, {"group": ["tiny"]}]
)
def test_a_damaged_case_is_one_sentence(write: Write, change: dict[str, Any]) -> None:
    with pytest.raises(VectorError, match="lacks an id, a listed group or a dtype"):
        read_recording(write(case=change))


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[]", b"null", b"[" * 100_000])
def test_a_manifest_that_is_not_a_table_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "manifest.json").write_bytes(content)
    with pytest.raises(VectorError, match="is not a readable file"):
        read_recording(tmp_path)


def test_a_case_listed_twice_is_refused(write: Write) -> None:
    folder = write()
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["cases"] *= 2
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(VectorError, match="lists a case twice"):
        read_recording(folder)


def test_a_missing_file_is_named(write: Write, tmp_path: Path) -> None:
    with pytest.raises(VectorError, match=r"nowhere/manifest\.json .* there is no such file"):
        read_recording(tmp_path / "nowhere")
    folder = write()
    recording = read_recording(folder)
    (folder / "tiny.npz").unlink()
    with pytest.raises(VectorError, match=r"tiny\.npz .* there is no such file"):
        recording.load("tiny")


def test_every_truncation_is_refused(write: Write) -> None:
    folder = write()
    recording, data = read_recording(folder), (folder / "tiny.npz").read_bytes()
    for length in range(len(data)):
        (folder / "tiny.npz").write_bytes(data[:length])
        with pytest.raises(VectorError, match="is not a readable file"):
            recording.load("tiny")


def test_no_flipped_byte_escapes_as_another_error(write: Write) -> None:
    folder = write()
    recording, data = read_recording(folder), (folder / "tiny.npz").read_bytes()
    outcomes: Counter[str] = Counter()
    for position in range(len(data)):
        damaged = bytearray(data)
        damaged[position] ^= 0xFF
        (folder / "tiny.npz").write_bytes(damaged)
        try:
            recording.load("tiny")
            outcomes["read"] += 1
        except VectorError:
            outcomes["refused"] += 1
    assert outcomes["refused"] > len(data) // 2


def test_sizes_are_checked_before_reading(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write(members={"f4.npy": npy(np.zeros(10_000, np.float32))})
    recording = read_recording(folder)
    monkeypatch.setattr(vectors, "SIZE_LIMIT", 20_000)
    with pytest.raises(VectorError, match=r"f4\.npy is larger than 20000 bytes"):
        recording.load("tiny")
    monkeypatch.setattr(vectors, "SIZE_LIMIT", 100)
    with pytest.raises(VectorError, match=r"manifest\.json .* larger than 100 bytes"):
        read_recording(folder)


def test_an_installed_package_brings_its_own_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site-packages" / "refsim" / "conformance"
    package.mkdir(parents=True)
    monkeypatch.setattr(vectors, "__file__", str(package / "vectors.py"))
    assert vectors.recorded_folder() == tmp_path / "site-packages" / "validation" / "vectors"
    (package / "recorded").mkdir()
    assert vectors.recorded_folder() == package / "recorded"


def test_a_manifest_may_list_fewer_cases_than_the_files_hold(
    recording: Recording, tmp_path: Path
) -> None:
    manifest = json.loads((recording.folder / "manifest.json").read_text())
    group = "g04_mapping"
    manifest["cases"] = [case for case in manifest["cases"] if case["group"] == group][1:8:2]
    for case in manifest["cases"]:
        case["sensitive"] = False
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    (tmp_path / f"{group}.npz").write_bytes((recording.folder / f"{group}.npz").read_bytes())
    (found,) = check_recording(read_recording(tmp_path), [group], backend="spec")
    assert found.passed
    assert len(found.results) == 4

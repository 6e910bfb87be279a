"""Messages and arrays on the wire: every bit survives, and whatever comes is an array or a failure."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from refsim.conformance.adapters import Own, TargetFailure, guarded, wire
from refsim.conformance.adapters.host import Host, response
from refsim.conformance.adapters.wire_arrays import DTYPES, FORMS, Folder, decoded, encoded
from refsim.conformance.bits import same_bits

ARRAYS = st.sampled_from(sorted(DTYPES)).flatmap(
    lambda name: hnp.arrays(np.dtype(name), hnp.array_shapes(min_dims=0, min_side=0, max_side=3))
)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["float32", "nan", "inf", "AAAA", "a.npy", "object"])
)
JSON = st.recursive(
    LEAVES,
    lambda parts: (
        st.lists(parts, max_size=4)
        | st.dictionaries(
            st.sampled_from(["dtype", "shape", "base64", "values", "npy", "id", "result", "error"]),
            parts,
            max_size=4,
        )
    ),
    max_leaves=12,
)


def kind_of(run: Callable[[], Any]) -> str:
    """``"array"``, or how it failed."""
    try:
        found = run()
    except TargetFailure as failure:
        return failure.kind if failure.text.isprintable() else "not printable"
    except wire.Answered:
        return "answered"
    return "array" if found.dtype.kind in "fiub" else str(found.dtype)


@given(ARRAYS, st.sampled_from(FORMS))
def test_every_bit_survives(array: Any, form: str) -> None:
    with TemporaryDirectory() as name:
        folder = Folder(name)
        sent = json.loads(json.dumps(encoded(array, form, folder), allow_nan=False))
        assert same_bits(decoded(sent, "the array", folder), array)


@pytest.mark.parametrize("dtype", sorted(DTYPES))
@pytest.mark.parametrize("order", ["C", "F"])
def test_large_arrays_survive_in_files(tmp_path: Path, dtype: str, order: Any) -> None:
    folder = Folder(tmp_path)
    array = np.asarray(np.arange(300 * 301).reshape(300, 301) % 2, dtype=dtype, order=order)
    sent = encoded(np.tile(array, (3, 3)), "npy", folder)
    assert sent.keys() == {"npy"}
    assert same_bits(decoded(sent, "the array", folder), np.tile(array, (3, 3)))
    assert list(tmp_path.iterdir()) == []


def test_what_was_written_is_forgotten(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    encoded(np.zeros(10**5), "npy", folder)
    assert len(list(tmp_path.iterdir())) == 1
    folder.forget()
    assert list(tmp_path.iterdir()) == []


@given(hnp.arrays(np.float64, hnp.array_shapes(max_side=3)))
def test_nested_lists_are_arrays(array: Any) -> None:
    def plain(x: Any) -> Any:
        if isinstance(x, list):
            return [plain(part) for part in x]
        return x if np.isfinite(x) else str(x)

    assert same_bits(decoded(plain(array.tolist()), "the array"), array)


@given(JSON)
def test_any_json_is_an_array_or_a_failure(value: Any) -> None:
    assert kind_of(lambda: decoded(value, "the answer")) in ("array", "malformed")


@given(st.binary(max_size=100) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_line_is_a_result_or_a_failure(line: bytes) -> None:
    kind = kind_of(lambda: np.zeros(len(wire.result(line, 1, "forward"))))
    assert kind in ("array", "malformed", "answered")


@given(st.binary(max_size=300), st.integers(0, 400), st.binary(max_size=10))
def test_a_damaged_array_file_is_an_array_or_a_failure(
    garbage: bytes, start: int, damage: bytes
) -> None:
    with TemporaryDirectory() as name:
        folder = Folder(name)
        np.save(f"{name}/good.npy", np.ones((4, 5), np.float32))
        good = Path(name, "good.npy").read_bytes()
        changed = good[:start] + damage + good[start + len(damage) :]
        for data in (garbage, changed):
            Path(name, "bad.npy").write_bytes(data)
            found = kind_of(lambda: decoded({"npy": "bad.npy"}, "the array", folder))
            assert found in ("array", "malformed")


HOST = Host(guarded(Own()), "refsim")
OPERATIONS = ("hello", "create", "forward", "backward", "step", "state", "save", "load", "close")


@given(
    st.sampled_from(OPERATIONS) | st.text(max_size=5),
    st.dictionaries(st.sampled_from(["handle", "config", "weight", "bias", "x", "saved"]), JSON),
)
def test_the_host_answers_any_request(op: str, fields: dict[str, Any]) -> None:
    request = json.dumps({**fields, "id": 5, "op": op}).replace("NaN", "0").replace("Infinity", "0")
    answer, going = response(HOST, request.encode())
    try:
        wire.result(answer, 5, op)
    except wire.Answered:
        assert going


def test_the_texts_of_an_error_are_short_and_plain() -> None:
    line = json.dumps({"id": 1, "error": {"kind": "error", "text": "\x1b[2J" + "x" * 10**6}})
    with pytest.raises(wire.Answered) as info:
        wire.result(line.encode(), 1, "forward")
    text = str(info.value)
    assert len(text) <= 500
    assert text.isprintable()

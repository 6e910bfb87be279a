"""Tiles in files: whole or not there, the same bits afterwards, and nothing else is read."""

from __future__ import annotations

import json
import os
import re
import resource
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

import refsim as rs
from tests.exact import same
from tests.strategies import dtypes
from tests.tile.cases import Case, cases, config
from tests.tile.test_bad_input import X, made
from tests.tile.test_state_dict import goes_on

pytestmark = pytest.mark.filterwarnings("ignore::refsim.errors.RangeWarning")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the examples of a test may share."""
    return tmp_path_factory.mktemp("checkpoints")


@given(case=dtypes.flatmap(lambda T: cases(T, count=3)))
def test_a_tile_from_a_file_goes_on_with_the_same_bits(
    backend: str, folder: Path, case: Case
) -> None:
    tile = case.tile(backend)
    goes_on(tile, case.batches[:1])
    rs.save(folder / "tile", tile)
    other = rs.load(folder / "tile")
    assert other.config == tile.config
    for name in ("training", "backend", "name", "has_bias", "out_size", "in_size", "dtype"):
        assert getattr(other, name) == getattr(tile, name)
    tile.zero_grad()
    results = goes_on(other, case.batches[1:])
    for actual, expected in zip(results, goes_on(tile, case.batches[1:]), strict=True):
        same(actual, expected)


def test_another_backend(tmp_path: Path) -> None:
    rs.save(tmp_path / "tile", made("spec"))
    tile = rs.load(str(tmp_path / "tile"), backend="cpu")
    assert tile.backend == "cpu"
    assert tile.ops.__name__ == "refsim.kernels.cpu"
    with pytest.raises(rs.BackendError):
        rs.load(tmp_path / "tile", backend="gpu")


def test_the_file_is_plain_safetensors(tmp_path: Path) -> None:
    tile = made("spec")
    rs.save(tmp_path / "tile", tile)
    arrays = load_file(tmp_path / "tile")
    assert arrays.keys() == tile.state_dict().keys()
    same(arrays["weight"], tile.parameters["weight"])
    assert os.listdir(tmp_path) == ["tile"]


def test_saving_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        rs.save(tmp_path / name, made("spec"))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


# --- files that are no checkpoints --------------------------------------------------------------


def test_a_file_cut_at_every_length(tmp_path: Path) -> None:
    rs.save(tmp_path / "tile", config().create_tile(1, 2, backend="spec"))
    whole = (tmp_path / "tile").read_bytes()
    cut = tmp_path / "cut"
    for length in [*range(0, len(whole), 7), *range(len(whole) - 20, len(whole))]:
        cut.write_bytes(whole[:length])
        with pytest.raises(rs.InputError):
            rs.load(cut)
    cut.write_bytes(whole + b"\0")
    with pytest.raises(rs.InputError):
        rs.load(cut)


def test_a_file_with_a_changed_byte_never_ends_in_another_error(tmp_path: Path) -> None:
    rs.save(tmp_path / "tile", config().create_tile(1, 2, backend="spec"))
    whole = bytearray((tmp_path / "tile").read_bytes())
    rng = np.random.default_rng(0)
    for place in rng.choice(len(whole), 300):
        damaged = whole.copy()
        damaged[place] ^= int(rng.integers(1, 256))
        (tmp_path / "damaged").write_bytes(damaged)
        with suppress(rs.RefsimError):
            rs.load(tmp_path / "damaged")


FOREIGN = [
    b"",
    b"hello, this is a text and not a tensor file at all",
    b"PK\x03\x04" + bytes(100),
    b"\x80\x04\x95" + bytes(100),
    struct.pack("<Q", 2**63) + b"{}",
    struct.pack("<Q", 2) + b"{}",
    struct.pack("<Q", 8) + b"{broken!",
]


@pytest.mark.parametrize("content", FOREIGN)
def test_foreign_files(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(rs.InputError, match="file"):
        rs.load(tmp_path / "file")


@pytest.mark.parametrize("metadata", [None, {"refsim": "1"}, {"refsim": "{"}, {"format": "pt"}])
def test_foreign_safetensors(tmp_path: Path, metadata: Any) -> None:
    save_file({"weight": np.zeros((1, 1), np.float32)}, tmp_path / "file", metadata)
    with pytest.raises(rs.InputError):
        rs.load(tmp_path / "file")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        rs.load(tmp_path / "nothing")
    with pytest.raises((rs.InputError, OSError)):
        rs.load(tmp_path)
    with pytest.raises(FileNotFoundError):
        rs.save(tmp_path / "nothing" / "tile", made("spec"))


@pytest.mark.parametrize("thing", [None, 3, config(), {"weight": 1}])
def test_only_tiles_are_saved(tmp_path: Path, thing: Any) -> None:
    with pytest.raises(rs.InputError, match="tile"):
        rs.save(tmp_path / "tile", thing)
    assert os.listdir(tmp_path) == []


def rewritten(path: Path, arrays: dict[str, Any] | None = None, **header: Any) -> Path:
    """A checkpoint with another header and other arrays; ``...`` takes an entry away."""
    rs.save(path, made("spec"))
    with safe_open(path, framework="np") as file:
        described = json.loads(file.metadata()["refsim"]) | header
    state = load_file(path) | (arrays or {})
    described = {name: value for name, value in described.items() if value is not ...}
    state = {name: value for name, value in state.items() if value is not ...}
    save_file(state, path, {"refsim": json.dumps(described)})
    return path


HOSTILE: list[dict[str, Any]] = [
    *({"out_size": size} for size in (..., 3, 10**12, 10**30, -1, 0, None, "2", 2.0, True)),
    *({"in_size": size} for size in (..., 4, 10**12, 2**63)),
    *({"bias": value} for value in (..., False, "yes", None)),
    *({"training": value} for value in (..., "yes", 3)),
    *({"name": value} for value in (..., 3, None, [])),
    *({"backend": value} for value in (..., "gpu", 3, None, ["spec"])),
    *({"class": value} for value in (..., "Tile", 3, "os.system")),
    *({"config": value} for value in (..., 3, "", "{}", "[" * 100_000, "null", None, {})),
    *({"format": value} for value in (..., "refsim-tile-2", 1)),
]


@pytest.mark.parametrize("header", HOSTILE, ids=lambda h: str(h)[:40])
def test_hostile_headers(tmp_path: Path, header: dict[str, Any]) -> None:
    with pytest.raises(rs.RefsimError):
        rs.load(rewritten(tmp_path / "tile", **header))


@pytest.mark.parametrize(
    "arrays",
    [
        {"weight": ...},
        {"bias": ...},
        {"random_seed": ...},
        {"input_range": ...},
        {"extra": np.zeros(1)},
        {"weight": np.zeros((2, 4), np.float32)},
        {"weight": np.zeros((2, 3), np.int64)[:, :0]},
        {"weight": np.full((2, 3), np.nan, np.float32)},
        {"input_range": np.zeros(1, np.float32)},
        {"random_seed": np.array([-1])},
    ],
    ids=lambda arrays: str(*arrays),
)
def test_arrays_that_do_not_fit(tmp_path: Path, arrays: dict[str, Any]) -> None:
    with pytest.raises(rs.RefsimError):
        rs.load(rewritten(tmp_path / "tile", arrays))


# --- writing is atomic --------------------------------------------------------------------------


FULL = re.compile("No space left|File too large")


@contextmanager
def failing(call: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A disk that is full, or a system call that fails."""

    def fails(*_: Any, **__: Any) -> Any:
        raise OSError(28, "No space left on device")

    if call != "write":
        with monkeypatch.context() as patch:
            patch.setattr(os, call, fails)
            yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("call", ["write", "fsync", "replace"])
def test_a_failing_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    path, tile = tmp_path / "tile", made("spec")
    rs.save(path, tile)
    before = path.read_bytes()
    tile.forward(X)
    with pytest.raises(OSError, match=FULL), failing(call, monkeypatch):
        rs.save(path, tile)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["tile"]
    with pytest.raises(OSError, match=FULL), failing(call, monkeypatch):
        rs.save(tmp_path / "new", tile)
    assert os.listdir(tmp_path) == ["tile"]


WRITER = """
import sys
import numpy as np, refsim as rs
tile = rs.TorchInferenceRPUConfig().create_tile(200, 300, backend="spec")
value = 0
while True:
    value += 1
    tile.parameters["weight"][...] = value
    rs.save(sys.argv[1], tile)
    print(value, flush=True)
"""


@pytest.mark.parametrize("moment", [0.0, 0.003, 0.011, 0.02])
def test_killed_at_any_moment(tmp_path: Path, moment: float) -> None:
    """After kill -9 the file is a whole old or a whole new one; so it is for a reader meanwhile."""
    path = tmp_path / "tile"
    command = [sys.executable, "-c", WRITER, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "1\n"
            for _ in range(5):
                whole(path)
            time.sleep(moment)
        finally:
            process.kill()
        written = [1, *map(int, process.stdout.read().split())]
    assert whole(path) in (written[-1], written[-1] + 1)


def whole(path: Path) -> float:
    """The value of all weights of the tile in a file."""
    weight = rs.load(path).parameters["weight"]
    assert (weight == weight[0, 0]).all()
    return float(weight[0, 0])


def test_a_tile_that_could_not_be_loaded_is_not_saved(tmp_path: Path, backend: str) -> None:
    path = tmp_path / "tile.safetensors"
    tile = rs.TorchInferenceRPUConfig().create_tile(2, 3, backend=backend)
    rs.save(path, tile)
    good = path.read_bytes()
    tile.parameters["weight"][0, 0] = np.nan
    with pytest.raises(rs.InputError, match="weight contains NaN"):
        rs.save(path, tile)
    assert path.read_bytes() == good
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_a_tile_needs_a_configuration_and_a_name_of_text() -> None:
    with pytest.raises(rs.ConfigError, match="config is None"):
        rs.TorchInferenceTile(2, 3, None)
    with pytest.raises(rs.InputError, match="name is 5"):
        rs.TorchInferenceRPUConfig().create_tile(2, 3, name=5)

"""Compilation: cached under a key of all sources, and nobody else's business."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numba
import pytest

from refsim.kernels import _jit, points
from tests.kernels.data import ROOT

SCRIPT = """
import numpy as np
from refsim.kernels import _jit, points
from tests.kernels.data import ROOT
from refsim.kernels.cpu import converters, product, quick, sums
x = np.ones((3, 4), np.float32)
converters.clip(x, np.float32(0.5)), sums.total(x), product.matrix_product(x, x)
kernels = converters._clip, quick._segments, product._filtered_single
print(_jit.cache_directory())
print(sum(sum(kernel.stats.cache_hits.values()) for kernel in kernels))
print(sum(sum(kernel.stats.cache_misses.values()) for kernel in kernels))
"""


def run(folder: Path, script: str = SCRIPT) -> list[str]:
    environment = {**os.environ, "REFSIM_CACHE_DIR": str(folder)}
    command = [sys.executable, "-c", script]
    result = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    return result.stdout.splitlines()


def test_a_second_process_compiles_nothing(tmp_path: Path) -> None:
    directory, hits, misses = run(tmp_path)
    assert Path(directory).parent == tmp_path
    assert (int(hits), int(misses)) == (0, 3)
    assert run(tmp_path) == [directory, "3", "0"]


def test_without_a_folder_kernels_compile_all_the_same(tmp_path: Path) -> None:
    taken = tmp_path / "file"
    taken.write_text("not a folder")
    assert run(taken) == ["None", "0", "3"]


def test_functions_of_others_stay_where_they_were(tmp_path: Path) -> None:
    script = """
import numba
before = numba.config.CACHE_DIR
import refsim.kernels.cpu
assert numba.config.CACHE_DIR == before
import refsim.kernels._jit as jit
own = numba.njit(cache=True)(jit.compiled)
print(own.stats.cache_path)
"""
    (path,) = run(tmp_path, script)
    assert "kernels-" not in path


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of two sources in place of the kernels'."""
    folder = tmp_path / "package"
    (folder / "cpu").mkdir(parents=True)
    (folder / "_jit.py").write_text("a = 1\n")
    (folder / "cpu" / "sums.py").write_text("b = 1\n")
    monkeypatch.setattr(_jit, "__file__", str(folder / "_jit.py"))
    monkeypatch.setenv("REFSIM_CACHE_DIR", str(tmp_path / "cache"))
    return folder


def test_any_edit_changes_the_key(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [_jit._digest()]
    (package / "cpu" / "sums.py").write_text("b = 2\n")
    keys.append(_jit._digest())
    (package / "cpu" / "sums.py").rename(package / "cpu" / "total.py")
    keys.append(_jit._digest())
    monkeypatch.setattr(numba, "__version__", "0.0")
    keys.append(_jit._digest())
    assert len(set(keys)) == 4
    assert _jit._digest() == keys[-1]


def test_old_keys_are_removed_and_nothing_else(package: Path, tmp_path: Path) -> None:
    cache, now = tmp_path / "cache", time.time()
    names = ["kernels-" + "0" * 16, "kernels-" + "1" * 16, "kernels-notes", "data"]
    for name in names:
        (cache / name).mkdir(parents=True)
        (cache / name / "file").write_text("")
        os.utime(cache / name, (now, now - 2 * _jit.STALE_AFTER))
    os.utime(cache / names[1], (now, now - _jit.STALE_AFTER / 2))
    directory = _jit.cache_directory.__wrapped__()
    assert {path.name for path in cache.iterdir()} == {*names[1:], directory.name}


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"REFSIM_CACHE_DIR": "/a", "XDG_CACHE_HOME": "/b"}, "/a"),
        ({"XDG_CACHE_HOME": "/b"}, "/b/refsim"),
        ({"HOME": "/c"}, "/c/.cache/refsim"),
    ],
)
def test_where_kernels_are_kept(
    variables: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("REFSIM_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert _jit._user_cache() == Path(expected)


def test_bound_bodies_call_the_primitives_of_their_target() -> None:
    bound = _jit.bind(lambda body: body, points, mul=lambda a, b: 2 * a * b)
    assert bound.noisy(1.0, 2.0, 3.0) == 13.0
    assert points.noisy(1.0, 2.0, 3.0) == 7.0


def test_uncompiled_kernels_return_the_same_bits() -> None:
    """The bodies are plain Python: what the compiler makes of them is no opinion of its own."""
    script = """
import numpy as np
np.seterr(all="ignore")
from refsim import spec
from refsim.kernels import cpu
from tests.exact import same
from tests.kernels import data
assert not hasattr(cpu.clip.__globals__["_clip"], "stats")
for T in (np.float32, np.float64):
    calls = data.calls(T, 3, 9, 4)
    calls += [("matrix_product", data.pair("everywhere", T, (3, 9), (4, 9)))]
    for name, given in calls:
        same(getattr(cpu, name)(*given), getattr(spec, name)(*given))
"""
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=environment, check=True)

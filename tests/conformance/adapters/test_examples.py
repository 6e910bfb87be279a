"""The tiles in C and in plain Python of the documentation: they are right, and a mistake in them is found."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from refsim.conformance.adapters import TargetFailure, Unsupported
from refsim.conformance.adapters.target import load_target
from refsim.conformance.cases.generate import generated_cases
from refsim.conformance.kit import play
from refsim.conformance.kit.judge import judge
from tests.conformance.adapters.cases import F, case, config

EXAMPLES = Path(__file__).resolve().parents[3] / "docs" / "examples"
SOURCES = EXAMPLES / "c_tile"
FLAGS = ["-std=c99", "-O2", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-ffp-contract=off"]


def compiled(folder: Path, change: tuple[str, str] | None = None) -> Path:
    """The capability file beside the compiled tile, perhaps with a change in its sources."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    assert compiler, "this test needs a C compiler; on Debian, apt install gcc"
    shutil.copytree(SOURCES, folder, dirs_exist_ok=True)
    if change is not None:
        text = (folder / "tile.c").read_text()
        assert change[0] in text
        (folder / "tile.c").write_text(text.replace(*change))
    subprocess.run(
        [compiler, *FLAGS, "-o", "tile", "tile.c", "serve.c", "-lm"],
        cwd=folder,
        check=True,
        timeout=60,
    )
    return folder / "tile.toml"


@pytest.fixture(scope="module")
def tile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("c"))


def findings(file: Path, count: int) -> Iterator[Any]:
    """What is wrong with the tile of a capability file, on generated cases."""
    target, declared = load_target(str(file))
    with target:
        for asked in generated_cases(7, count, declared.features, None, (1, 3)):
            yield from judge(play(target, asked), declared.profile).findings


def finds(file: Path, clauses: set[str]) -> bool:
    """Whether a clause is found to be broken."""
    return any(finding.clause in clauses for finding in findings(file, 200))


def test_it_is_right_in_the_order_that_it_declares(tile: Path) -> None:
    assert list(findings(tile, 25)) == []


@pytest.mark.parametrize(
    ("change", "clauses"),
    [
        (("if (c >= r && d < 0)", "if (c > r && d < 0)"), {"IR-4", "IR-8"}),
        (("rintf(a / step)", "floorf(a / step + 0.5f)"), {"DC-3", "DC-4"}),
        (("p->gradient[k] += gradient[k]", "p->gradient[k] = gradient[k]"), {"MV-4", "SU-3"}),
    ],
    ids=["strict threshold", "half up", "last gradient only"],
)
def test_a_mistake_is_found(tmp_path: Path, change: tuple[str, str], clauses: set[str]) -> None:
    assert finds(compiled(tmp_path, change), clauses)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"inp_asymmetry": 0.1}, "the C tile has no asymmetry"),
        ({"out_noise": 0.1}, "the C tile has no noise"),
    ],
)
def test_what_it_does_not_have_is_unsupported(
    tile: Path, changes: dict[str, Any], text: str
) -> None:
    target, _ = load_target(str(tile))
    with target, pytest.raises(Unsupported, match=text):
        target.create(config(**changes), np.ones((1, 1), F), None, {})


def test_thousands_of_tiles_in_one_process(tile: Path) -> None:
    target, _ = load_target(str(tile))
    one = np.ones((1, 1), F)
    with target:
        for _ in range(500):
            target.close(target.create(config(), one, None, {}))
        assert play(target, replace(case(), steps=case().steps[:2])).failure is None


def test_a_request_that_it_does_not_understand_ends_it_with_its_words(tile: Path) -> None:
    target, _ = load_target(str(tile))
    with target:
        handle = target.create(config(), np.ones((1, 2), F), None, {})
        with pytest.raises(TargetFailure, match=r"status 1; it wrote: .*: x has a wrong shape"):
            target.forward(handle, np.ones((1, 3), F), training=True, noise={})


def test_the_tile_in_plain_python_is_right() -> None:
    assert list(findings(EXAMPLES / "python_tile" / "tile.toml", 20)) == []


def test_a_mistake_in_plain_python_is_found(tmp_path: Path) -> None:
    shutil.copytree(EXAMPLES / "python_tile", tmp_path, dirs_exist_ok=True)
    source = (tmp_path / "tile.py").read_text()
    assert "total(g[o::out])" in source
    (tmp_path / "tile.py").write_text(source.replace("total(g[o::out])", "rounded(g[o])"))
    assert finds(tmp_path / "tile.toml", {"SU-3"})

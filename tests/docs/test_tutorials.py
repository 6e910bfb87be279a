"""The commands in the tutorials; their Python runs as doctests."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np

import refsim as rs

ROOT = Path(__file__).resolve().parents[2]
TUTORIALS = ROOT / "docs" / "tutorials"


def commands(page: str) -> list[list[str]]:
    lines = re.findall(r"^\$ refsim (.*)$", (TUTORIALS / page).read_text(encoding="utf-8"), re.M)
    return [shlex.split(line) for line in lines]


def test_the_tile_by_hand_is_explained(tmp_path: Path) -> None:
    rs.save_config(tmp_path / "tile.toml", rs.TorchInferenceRPUConfig())
    np.save(tmp_path / "x.npy", [[0.625, 3.0], [-1.0, 0.5]])
    np.save(tmp_path / "w.npy", [[1.0, 0.5], [-0.5, 0.25]])
    [arguments] = commands("one-tile.md")
    shown = subprocess.run(
        [sys.executable, "-m", "refsim", *arguments],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        check=True,
    )
    assert "Forward: row 0, input 1, output 0" in shown.stdout.decode()


def test_two_tutorials_have_commands() -> None:
    pages = {path.name for path in TUTORIALS.glob("*.md") if commands(path.name)}
    assert pages == {"one-tile.md", "check-your-own-tile.md"}


def test_the_commands_of_the_lesson_with_pytorch_are_commands_that_there_are() -> None:
    """They need PyTorch; what they print was copied from a run."""
    for arguments in commands("check-your-own-tile.md"):
        assert arguments[:2] == ["verify", "my_tile.py:adapter"]
        assert arguments[2:3] in ([], ["--replay"])
    named = re.findall(r"`(--[a-z-]+)", (TUTORIALS / "check-your-own-tile.md").read_text("utf-8"))
    shown = subprocess.run(
        [sys.executable, "-m", "refsim", "verify", "--help"],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "200"},
        capture_output=True,
        check=True,
    )
    assert named
    assert all(option in shown.stdout.decode() for option in named)

"""The figure of a training, and what is said without matplotlib."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import refsim as rs
from refsim.nn.plot import plot_training
from refsim.nn.training import Epoch

EPOCHS = [Epoch(i, 45 * (i + 1), 1 / (i + 1), 0.5, [1.0 + i, None]) for i in range(3)]


@pytest.mark.parametrize("epochs", [EPOCHS, EPOCHS[:1], []])
def test_the_figure_is_a_png_and_the_same_again(tmp_path: Path, epochs: list[Epoch]) -> None:
    for name in ("one.png", "two.png"):
        plot_training(tmp_path / name, epochs)
    image = (tmp_path / "one.png").read_bytes()
    assert image.startswith(b"\x89PNG\r\n\x1a\n")
    assert image == (tmp_path / "two.png").read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {"one.png", "two.png"}


def test_without_matplotlib_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(rs.InputError, match=r"pip install 'refsim\[plot\]'"):
        plot_training(tmp_path / "one.png", EPOCHS)
    assert not list(tmp_path.iterdir())

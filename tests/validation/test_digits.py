"""The study of the digits network with a quantised periphery, its report, and what the documentation says of it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import refsim as rs
from validation.digits import periphery

ROOT = Path(__file__).resolve().parents[2]
REPORT = ROOT / "validation" / "reports" / "digits-periphery.md"


def rows(text: str) -> list[list[str]]:
    """The cells of the table."""
    return [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("|")]


def test_the_command_writes_the_report(tmp_path: Path) -> None:
    report = tmp_path / "report.md"
    options = ["--seeds", "1", "--epochs", "1", "--report", str(report)]
    command = [sys.executable, "-m", "validation.digits", "periphery", *options]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    text, committed = (path.read_text(encoding="utf-8") for path in (report, REPORT))
    assert result.stdout == f"{text}\n"
    assert [row[:2] for row in rows(text)] == [row[:2] for row in rows(committed)]
    assert rows(text)[0] == rows(committed)[0]
    assert "`python -m validation.digits periphery --seeds 1 --epochs 1`" in text
    expected = periphery.accuracies(periphery.Setting(2, False, "learned"), 1, 1)
    assert rows(text)[-1][3] == periphery.cell(expected)


def test_the_text_is_true_of_the_report() -> None:
    text = REPORT.read_text(encoding="utf-8")
    assert "after 30 epochs" in text
    assert "of 5 seeds" in text
    base = float(re.findall(r"Without quantisation: ([\d.]+)", text)[0])
    means = [[float(cell.split()[0]) for cell in row[2:]] for row in rows(text)[2:]]
    assert len(means) == 6
    assert all(abs(mean - base) <= 0.5 for row in means for mean in row[:2])
    eight, four, two = (means[i][2] + means[i + 1][2] for i in (0, 2, 4))
    assert eight < four < two < 2 * base - 20


@pytest.mark.parametrize("setting", list(periphery.settings()), ids=str)
def test_a_setting_is_what_it_says(setting: periphery.Setting) -> None:
    given = setting.experiment(3, 7)
    p = given.config.pre_post.periph_quant
    assert (given.seed, given.epochs, p.n_bits) == (3, 7, setting.bits)
    assert given.config.act_quant_config.n_bits == 0
    assert p.symmetric is setting.symmetric
    assert p.learn_quant_params is (setting.ranges != "estimated")
    assert given.quantiser_lr == {"estimated": None, "learned": 5e-5}.get(setting.ranges, 0.05)


def test_a_training_that_stops_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: Any) -> Any:
        raise rs.StateError("the bias becomes infinite.")

    monkeypatch.setattr(periphery, "run", stopped)
    found = periphery.accuracies(periphery.Setting(2), 3, 1)
    assert periphery.cell(found) == "3 stopped"

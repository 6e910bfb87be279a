"""The comparisons of the cross-run, on two steps recorded from aihwkit 1.1.0 (PyTorch 2.13.0)."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import refsim as rs
from validation.cross import __main__ as command
from validation.cross import anchored, bounds, free, job
from validation.cross.table import Table

RECORDED = Path(__file__).with_name("recorded")
RUNS = {run.data_type: run for run in job.runs(2, ["mapping"])}
DATA = job.arrays(2)


def recorded(data_type: str) -> dict[str, Any]:
    return dict(np.load(RECORDED / f"{RUNS[data_type].name}.npz", allow_pickle=False))


def test_refsim_alone_agrees_with_the_recorded_training() -> None:
    table = free.replay(RUNS["double"], DATA, recorded("double"))
    assert not table.unexplained
    assert {"input_range", "weight", "loss", "dx", "d input_range"} <= table.rows.keys()


@pytest.mark.parametrize("data_type", ["float", "double"])
def test_every_stage_agrees_within_its_bound(data_type: str) -> None:
    table = anchored.replay(RUNS[data_type], DATA, recorded(data_type))
    assert not table.unexplained
    assert not table.flips
    assert table.rows["y"].equal == table.rows["y"].values == 2 * 16 * (16 + 10)
    assert table.met["inputs beyond the range"] > 0


@pytest.mark.parametrize(
    ("setting", "value", "quantity"),
    [
        ("pre_post.input_range.input_min_percentage", 0.1, "d input_range"),
        ("forward.inp_res", 63.0, "y"),
        ("forward.out_res", 253.0, "y"),
        ("forward.inp_bound", 0.99, "d input_range"),
        ("mapping.weight_scaling_omega", 0.61, "first weight"),
    ],
)
def test_another_setting_is_not_explained(setting: str, value: float, quantity: str) -> None:
    run = replace(RUNS["float"], settings=RUNS["float"].settings | {setting: value})
    table = anchored.replay(run, DATA, recorded("float"))
    assert table.rows[quantity].unexplained


@pytest.mark.parametrize(("lr", "momentum"), [(0.0501, 0.9), (0.05, 0.89)])
def test_another_optimiser_is_not_explained(lr: float, momentum: float) -> None:
    run = replace(RUNS["float"], lr=lr, momentum=momentum)
    assert anchored.replay(run, DATA, recorded("float")).rows["weight"].unexplained


@pytest.mark.parametrize(
    ("name", "quantity"),
    [
        ("y.1", "y"),
        ("x.1", "rectifier"),
        ("dx.0", "d x"),
        ("gradient.weight.0", "d weight"),
        ("gradient.bias.1", "d bias"),
        ("gradient.out_scaling_alpha.1", "d out_scaling_alpha"),
        ("gradient.input_range.0", "d input_range"),
        ("velocity.weight.1", "velocity weight"),
        ("after.input_range.0", "input_range"),
        ("after.mapping_scales.0", "mapping_scales"),
        ("loss", "loss"),
    ],
)
def test_a_changed_recording_is_found_and_named(name: str, quantity: str) -> None:
    changed = recorded("float")
    changed[name][1] += np.float32(0.001)
    found = anchored.replay(RUNS["float"], DATA, changed).rows[quantity].unexplained
    assert found
    assert all(one.step == 1 and one.clause == "none" for one in found)
    assert f"none step 1 layer {found[0].layer} {quantity}" in str(found[0])


def near_tie(margin: float) -> tuple[np.ndarray, bounds.Pass]:
    """Output and magnitudes of a product that stands ``margin`` beyond a tie of the ADC."""
    settings = job.QUIET | {"forward.out_res": 4.0, "forward.out_bound": 1.0}
    settings |= {"pre_post.input_range.init_value": 1.0, "runtime.data_type": "float"}
    tile = job.configured(settings).create_tile(1, 2, True, backend="spec")
    tile.set_weights(np.array([[0.5, margin]], dtype=np.float32))
    y, trace = tile.forward(np.array([[0.5, 1.0]], dtype=np.float32), trace=True)
    return y, bounds.of_pass(trace, tile)


@pytest.mark.parametrize(("margin", "flips"), [(2.0**-25, 1), (2.0**-10, 0)])
def test_only_a_value_at_a_tie_may_flip(margin: float, flips: int) -> None:
    y, p = near_tie(margin)
    assert y.item() == 0.5
    table = Table()
    table.compare(
        "y", (3, 1), np.zeros((1, 1)), y, p.output(p.tight), p.output(p.reach), clause="DC-4"
    )
    assert len(table.flips) == flips
    assert len(table.unexplained) == 1 - flips
    one = (table.flips + table.unexplained)[0]
    assert str(one) == f"{'DC-4' if flips else 'none'} step 3 layer 1 y[0, 0]: 0.0 and 0.5"


def test_a_flip_by_more_than_one_code_is_not_explained() -> None:
    y, p = near_tie(2.0**-25)
    table = Table()
    table.compare("y", (0, 0), np.ones((1, 1)) * -0.5, y, p.output(p.tight), p.output(p.reach))
    assert table.unexplained


def test_nan_is_not_explained() -> None:
    table = Table()
    table.compare("y", (0, 0), np.array([np.nan]), np.array([1.0]), np.inf)
    assert table.unexplained


def play_worker(python: str, folder: Path) -> None:
    """What the worker leaves, from the recording."""
    for path in RECORDED.iterdir():
        shutil.copy(path, folder)


def test_the_command_writes_a_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "work", play_worker)
    target = tmp_path / "report.md"
    options = ["--aihwkit-python", "p", "--steps", "2", "--only", "mapping"]
    assert command.main([*options, "--report", str(target)]) == 0
    text = target.read_text(encoding="utf-8")
    assert text.startswith("# Cross-run with aihwkit, ")
    assert f"refsim {rs.__version__}" in text
    assert "aihwkit 1.1.0" in text
    assert "### Step-anchored, float\n" in text
    assert "| mapping | 2 |" in capsys.readouterr().out


def test_an_unexplained_difference_is_an_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "work", play_worker)
    monkeypatch.setitem(job.CONFIGURATIONS["mapping"], "forward.out_res", 253.0)
    assert command.main(["--aihwkit-python", "p", "--steps", "2", "--only", "mapping"]) == 1


def test_steps_are_checked(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.main(["--aihwkit-python", "p", "--steps", "0"])
    assert "--steps is 0, allowed are integers from 1" in capsys.readouterr().err


def test_a_python_that_does_not_run_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--aihwkit-python", "no-such-python", "--steps", "1", "--only", "range"]
    assert command.main(options) == 2
    assert "--aihwkit-python is no-such-python, which failed" in capsys.readouterr().err

"""``refsim train``: options, reports and errors."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

import refsim as rs
from refsim.nn import experiment

QUICK = ("--epochs", "1", "--hidden", "6", "--batch-size", "200")


def test_the_report(train: Any, tmp_path: Path) -> None:
    status, out, err = train(*QUICK, "--hidden", "5", "--output", str(tmp_path / "run"))
    assert (status, err) == (0, "")
    rows = [line.split() for line in out.splitlines()[2:5]]
    assert [row[:3] for row in rows] == [["1", "64", "6"], ["2", "6", "5"], ["3", "5", "10"]]
    assert "Training: 1 epochs, 8 steps, loss " in out
    assert "Test accuracy: " in out
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert names == {"checkpoint.safetensors", "metrics.jsonl"}


def test_each_tile_of_an_array_has_a_row(train: Any, tmp_path: Path) -> None:
    path = tmp_path / "small.toml"
    config = experiment.default_config()
    config.mapping.max_input_size = 40
    rs.save_config(path, config)
    status, out, _ = train(*QUICK, "--config", str(path))
    assert status == 0
    rows = [line.split() for line in out.splitlines()[2:5]]
    assert [row[:3] for row in rows] == [
        ["1[0][0]", "32", "6"],
        ["1[1][0]", "32", "6"],
        ["2", "6", "10"],
    ]


def test_products_in_plain_blas_are_said_to_be_not_golden(train: Any, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    status, out, _ = train(*QUICK, "--matmul", "fast", "--output", str(folder))
    assert status == 0
    assert "other machines get other bits" in out
    assert json.loads((folder / "metrics.jsonl").read_text().splitlines()[-1])["golden"] is False
    document = json.loads(train(*QUICK, "--json")[1])
    assert document["golden"] is True
    status, out, err = train(*QUICK, "--matmul", "quick")
    assert (status, out) == (2, "")
    assert err == (
        "Error: RuntimeParameter.matmul is 'quick', but it must be one of 'exact', 'fast'.\n"
    )


def test_the_plot_stands_beside_the_metrics(train: Any, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    status, _, err = train(*QUICK, "--output", str(folder), "--plot")
    assert (status, err) == (0, "")
    assert (folder / "training.png").read_bytes().startswith(b"\x89PNG")


def test_a_plot_that_cannot_be_made_is_refused_before_the_training(
    train: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    status, out, err = train(*QUICK, "--plot")
    assert (status, out) == (2, "")
    assert err == "Error: --plot was given without --output, allowed is both.\n"
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    status, out, err = train(*QUICK, "--plot", "--output", str(tmp_path / "run"))
    assert (status, out) == (2, "")
    assert err.startswith("Error: a plot needs matplotlib, which is not installed: pip install")
    assert not (tmp_path / "run").exists()


def test_the_document_is_that_of_the_library(train: Any) -> None:
    status, out, err = train(*QUICK, "--seed", "9", "--lr", "0.1", "--momentum", "0", "--json")
    assert (status, err) == (0, "")
    document = json.loads(out)
    given = experiment.Experiment(
        experiment.default_config(), (6,), epochs=1, batch_size=200, lr=0.1, momentum=0.0, seed=9
    )
    result = experiment.run(given)
    assert document["settings"] == given.settings()
    assert document["epochs"] == [vars(epoch) for epoch in result.epochs]
    assert document["test_accuracy"] == result.test_accuracy
    assert document["input_ranges"] == result.input_ranges


def test_options_change_the_configuration_of_a_file(train: Any, tmp_path: Path) -> None:
    config = experiment.default_config()
    config.forward.inp_noise = 0.25
    rs.save_config(tmp_path / "tile.toml", config)
    options = ("--dac-bits", "4", "--adc-bits", "0", "--out-noise", "0", "--fix-range")
    status, out, _ = train(
        *QUICK, *options, "--range", "0.5", "--config", str(tmp_path / "tile.toml"), "--json"
    )
    assert status == 0
    document = json.loads(out)
    used = rs.from_json(document["settings"]["config"])
    assert (used.forward.inp_noise, used.forward.inp_res, used.forward.out_res) == (0.25, 14, -1)
    assert used.forward.out_noise == 0
    assert not used.pre_post.input_range.learn_input_range
    assert document["input_ranges"] == [0.5, 0.5]


def test_no_epochs_is_a_test_of_the_first_weights(train: Any) -> None:
    status, out, _ = train("--epochs", "0")
    assert status == 0
    assert "Training" not in out
    assert "Test accuracy" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--resume",), "output is None"),
        (("--dac-bits", "1"), "bits is 1"),
        (("--range", "-1"), "range is -1.0"),
        (("--backend", "abacus"), "backend is 'abacus'"),
        (("--config", "missing.toml"), "missing.toml"),
        (("--output", "/dev/null/x"), "/dev/null/x"),
        (("--lr", "inf"), "SGD.lr is inf"),
    ],
)
def test_errors_are_one_sentence(train: Any, arguments: tuple[str, ...], message: str) -> None:
    status, out, err = train(*QUICK, *arguments)
    assert (status, out) == (2, "")
    assert err.startswith("Error: ")
    assert message in err
    assert len(err.splitlines()) == 1


def test_a_file_with_something_else_is_refused(train: Any, tmp_path: Path) -> None:
    rs.save_config(tmp_path / "clip.toml", rs.WeightClipParameter())
    status, _, err = train(*QUICK, "--config", str(tmp_path / "clip.toml"))
    assert status == 2
    assert "holds a WeightClipParameter" in err

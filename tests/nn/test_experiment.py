"""Training in one folder: whatever happens, resumed to the same bits; and what the network learns."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import refsim as rs
from refsim import nn
from refsim.nn import checkpoint, experiment, training
from refsim.nn.checkpoint import load_training, save_training
from refsim.nn.experiment import CHECKPOINT, METRICS, Experiment, adjust, default_config, run

ROOT = Path(__file__).resolve().parents[2]
SMALL = Experiment(default_config(), (5,), epochs=3, batch_size=10, seed=1)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """30 images for training and for testing."""
    data = nn.Digits(*(part[:30] for part in nn.digits()))
    monkeypatch.setattr(experiment, "digits", lambda: data)


def contents(folder: Path) -> list[bytes]:
    return [(folder / name).read_bytes() for name in (CHECKPOINT, METRICS)]


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("stop", range(9))
@pytest.mark.parametrize("where", ["step", "checkpoint", "metrics"])
def test_interrupted_anywhere_it_goes_on_to_the_same_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: int, where: str
) -> None:
    """After any step of an epoch, and around each file that is written."""
    whole = run(SMALL, tmp_path / "whole")
    calls = count()
    module = {"step": training, "checkpoint": checkpoint, "metrics": experiment}[where]
    name = "step" if where == "step" else "write_atomically"
    most = {"step": 9, "checkpoint": 3, "metrics": 4}[where]
    original = getattr(module, name)

    def interrupted(*arguments: Any) -> Any:
        if next(calls) == stop:
            raise KeyboardInterrupt
        return original(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(module, name, interrupted)
        if stop < most:
            with pytest.raises(KeyboardInterrupt):
                run(SMALL, tmp_path / "part")
    result = run(SMALL, tmp_path / "part", resume=True)
    assert contents(tmp_path / "part") == contents(tmp_path / "whole")
    assert (result.epochs, result.test_accuracy) == (whole.epochs, whole.test_accuracy)


def command(folder: Path, *more: str) -> list[str]:
    options = ["--epochs", "12", "--hidden", "24", "--seed", "2", "--output", str(folder)]
    return [sys.executable, "-m", "refsim", "train", *options, *more]


def test_killed_it_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    subprocess.run(command(tmp_path / "whole"), cwd=ROOT, check=True, capture_output=True)
    for epochs in (1, 4):
        with subprocess.Popen(
            command(tmp_path / "part", "--resume"), cwd=ROOT, stdout=subprocess.DEVNULL
        ) as process:
            metrics = tmp_path / "part" / METRICS
            while process.poll() is None:
                if metrics.exists() and len(metrics.read_text().splitlines()) > epochs:
                    process.send_signal(signal.SIGKILL)
                    break
                time.sleep(0.002)
    done = len(load_training(tmp_path / "part" / CHECKPOINT)[1]["history"])
    assert done >= 2
    subprocess.run(
        command(tmp_path / "part", "--resume"), cwd=ROOT, check=True, capture_output=True
    )
    assert contents(tmp_path / "part") == contents(tmp_path / "whole")


@pytest.mark.usefixtures("few")
def test_a_finished_run_may_get_more_epochs_and_another_backend(tmp_path: Path) -> None:
    run(SMALL, tmp_path / "one")
    settings = vars(SMALL) | {"epochs": 4}
    longer = run(Experiment(**{**settings, "backend": "spec"}), tmp_path / "one", resume=True)
    whole = run(Experiment(**settings), tmp_path / "two")
    assert (longer.epochs, longer.test_accuracy) == (whole.epochs, whole.test_accuracy)
    one, two = (load_training(tmp_path / name / CHECKPOINT)[0] for name in ("one", "two"))
    assert {name: a.tobytes() for name, a in one.items()} == {
        name: a.tobytes() for name, a in two.items()
    }


@pytest.mark.usefixtures("few")
def test_the_network_in_a_checkpoint_answers_the_same(tmp_path: Path) -> None:
    result = run(SMALL, tmp_path)
    data = experiment.digits()
    for backend in (None, "spec"):
        model = experiment.load_network(tmp_path / CHECKPOINT, backend)
        assert nn.accuracy(model, data.test_x, data.test_y) == result.test_accuracy
    lines = [json.loads(line) for line in (tmp_path / METRICS).read_text().splitlines()]
    assert [line.get("epoch") for line in lines] == [0, 1, 2, None]
    assert lines[-1] == {"test_accuracy": result.test_accuracy, "golden": True}
    assert [line["loss"] for line in lines[:3]] == [epoch.loss for epoch in result.epochs]


@pytest.mark.usefixtures("few")
def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    run(SMALL, tmp_path)
    before = contents(tmp_path)
    with pytest.raises(rs.InputError, match="holds a checkpoint"):
        run(SMALL, tmp_path)
    quieter = default_config()
    quieter.forward.out_noise = 0.01
    for change in ({"seed": 2}, {"hidden": (6,)}, {"lr": 0.1}, {"config": quieter}):
        with pytest.raises(rs.InputError, match=f"{next(iter(change))} of the run in"):
            run(Experiment(**{**vars(SMALL), **change}), tmp_path, resume=True)
    with pytest.raises(rs.InputError, match="epochs is 2"):
        run(Experiment(**{**vars(SMALL), "epochs": 2}), tmp_path, resume=True)
    with pytest.raises(rs.InputError, match="resume is True and output is None"):
        run(SMALL, resume=True)
    assert contents(tmp_path) == before


@pytest.mark.usefixtures("few")
def test_files_of_others_are_refused(tmp_path: Path) -> None:
    run(SMALL, tmp_path)
    path = tmp_path / CHECKPOINT
    whole = path.read_bytes()
    for size in (0, 7, 100, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(rs.InputError, match="not a readable safetensors file"):
            run(SMALL, tmp_path, resume=True)
    rs.save(path, next(SMALL.network().tiles()))
    with pytest.raises(rs.InputError, match="no state of a training"):
        load_training(path)
    model = SMALL.network()
    save_training(path, model, nn.SGD(list(model.tiles()), 0.1), {"hidden": [5]})
    with pytest.raises(rs.InputError, match="not a whole checkpoint"):
        experiment.load_network(path)


def test_options_change_a_configuration() -> None:
    config = default_config()
    adjust(config)
    assert config == default_config()
    adjust(config, 4, 0, 0.5, False, 2.0)
    assert (config.forward.inp_res, config.forward.out_res) == (14, -1)
    assert config.forward.out_noise == 0.5
    parameters = config.pre_post.input_range
    assert (parameters.learn_input_range, parameters.init_value) == (False, 2.0)
    assert parameters.init_from_data == 0
    for change in ({"dac_bits": 1}, {"adc_bits": 25}, {"input_range": 0.0}):
        with pytest.raises(rs.ConfigError, match="allowed are"):
            adjust(config, **change)
    with pytest.raises(rs.ConfigError, match="enable is False"):
        adjust(rs.TorchInferenceRPUConfig(), learn_range=True)


def test_the_defaults_learn_the_digits() -> None:
    """At least 95 % on average, and at least 5 points less with a range far off."""
    accuracies = [run(Experiment(seed=seed)).test_accuracy for seed in range(5)]
    mean = sum(accuracies) / 5
    assert mean >= 0.95
    for value in (0.05, 50.0):
        config = default_config()
        adjust(config, learn_range=False, input_range=value)
        result = run(Experiment(config))
        assert result.test_accuracy <= mean - 0.05
        assert result.input_ranges == [float(np.float32(value))] * 2

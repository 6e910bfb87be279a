"""``refsim train --quantised`` and ``--calibrate``: options, reports and errors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import refsim as rs
from refsim.nn import experiment
from refsim.nn.quantised import adjust_quantisers

QUICK = ("--epochs", "1", "--hidden", "6", "--batch-size", "200")
ALL = (
    *("--periphery-bits", "5", "--asymmetric", "--learn-quantisers", "--init-learning-after", "3"),
    *("--quantiser-lr", "0.001", "--activation-bits", "4", "--activation-asymmetric"),
    *("--estimator", "MSE", "--search", "grid"),
)


def changed() -> Any:
    """The configuration that these options make of the default one."""
    config = experiment.default_quantised_config()
    config.pre_post.periph_quant = rs.PeripheryQuantizationParameter(5, False, True, 3)
    params = rs.MSEEstimatorParams(range_opt_method=rs.OptMethod.grid)
    config.act_quant_config = rs.ActivationQuantConfig(4, False, rs.RangeEstimators.MSE, params)
    return config


def test_the_report_names_every_quantiser(train: Any) -> None:
    status, out, err = train(
        *QUICK, "--quantised", "--learn-quantisers", "--init-learning-after", "3"
    )
    assert (status, err) == (0, "")
    rows = [line.split()[:3] for line in out.split("Step")[1].splitlines()[2:8]]
    states = {"scale": "LEARN", "bias": "LEARN", "out": "ESTIMATE_TRAIN"}
    assert rows == [
        [layer, f"{name}_quantizer", state] for layer in "12" for name, state in states.items()
    ]


def test_the_document_is_that_of_the_library(train: Any) -> None:
    status, out, err = train(*QUICK, "--quantised", *ALL, "--calibrate", "MOVING_STD", "--json")
    assert (status, err) == (0, "")
    document = json.loads(out)
    given = experiment.Experiment(
        changed(), (6,), epochs=1, batch_size=200, quantiser_lr=0.001, calibration="MOVING_STD"
    )
    result = experiment.run(given)
    assert document["settings"] == given.settings()
    assert document["epochs"] == [vars(epoch) for epoch in result.epochs]
    assert document["test_accuracy"] == result.test_accuracy
    tiles = list(result.model.tiles())
    assert [q["layer"] for q in document["quantisers"]] == ["1"] * 3 + ["2"] * 3
    for q in document["quantisers"]:
        tile, name = tiles[int(q["layer"]) - 1], q["quantiser"]
        assert q["state"] == tile.quantizers[name].state.name
        assert q["delta"] == tile.value(f"{name}.delta")
        assert q["zero_float"] == tile.value(f"{name}.zero_float")


def test_a_file_of_plain_tiles_is_taken_over(train: Any, tmp_path: Path) -> None:
    plain = experiment.default_config()
    plain.forward.inp_noise, plain.mapping.max_input_size = 0.25, 40
    rs.save_config(tmp_path / "tile.toml", plain)
    options = ("--quantised", "--periphery-bits", "3", "--config", str(tmp_path / "tile.toml"))
    status, out, _ = train(*QUICK, *options, "--json")
    assert status == 0
    document = json.loads(out)
    used = rs.from_json(document["settings"]["config"])
    assert isinstance(used, rs.QuantizedTorchInferenceRPUConfig)
    assert (used.forward, used.mapping) == (plain.forward, plain.mapping)
    assert (used.pre_post.periph_quant.n_bits, used.act_quant_config.n_bits) == (3, 8)
    assert [q["layer"] for q in document["quantisers"] if q["quantiser"] == "bias_quantizer"] == [
        "1",
        "2",
    ]
    assert {q["layer"] for q in document["quantisers"]} == {"1[0][0]", "1[1][0]", "1", "2"}


def test_a_file_of_quantised_tiles_is_changed(train: Any, tmp_path: Path) -> None:
    rs.save_config(tmp_path / "tile.toml", changed())
    for quantised in ((), ("--quantised",)):
        options = (*quantised, "--activation-bits", "6", "--config", str(tmp_path / "tile.toml"))
        status, out, _ = train(*QUICK, *options, "--json")
        assert status == 0
        used = rs.from_json(json.loads(out)["settings"]["config"])
        expected = changed()
        expected.act_quant_config.n_bits = 6
        assert used == expected


def test_ranges_are_calibrated_before_the_training(train: Any) -> None:
    options = ("--epochs", "0", "--calibrate", "MAX", "--calibration-batches", "3", "--json")
    document = json.loads(train(*options)[1])
    model = experiment.Experiment().network()
    data = rs.nn.digits()
    rows = rs.nn.training.order(0, 0, len(data.train_x))
    batches = [data.train_x[rows[begin : begin + 32]] for begin in (0, 32, 64)]
    rs.calibrate_input_ranges(model, "MAX", batches)
    assert document["input_ranges"] == rs.nn.training.input_ranges(model)
    assert document["input_ranges"][0] == 1.0
    assert document["quantisers"] == []


def test_a_run_goes_on_to_the_same_bits(train: Any, tmp_path: Path) -> None:
    options = ("--hidden", "6", "--quantised", *ALL, "--calibrate", "CACHE_QUANTILE")
    whole, part = tmp_path / "whole", tmp_path / "part"
    assert train(*options, "--epochs", "3", "--output", str(whole))[0] == 0
    assert train(*options, "--epochs", "1", "--output", str(part))[0] == 0
    assert train(*options, "--epochs", "3", "--output", str(part), "--resume")[0] == 0
    for name in ("checkpoint.safetensors", "metrics.jsonl"):
        assert (part / name).read_bytes() == (whole / name).read_bytes()
    status, _, err = train(*options[:-1], "MAX", "--output", str(part), "--resume")
    assert (status, err.startswith("Error: calibration of the run in ")) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            "--periphery-bits 4",
            "periphery_bits was given, but the tiles of a TorchInferenceRPUConfig",
        ),
        ("--quantised --estimator mse", "estimator is 'mse', allowed are current_minmax, "),
        ("--quantised --estimator MSE --search fast", "search is 'fast', allowed are grid, golden"),
        ("--quantised --search grid", "the estimator running_minmax does not search"),
        ("--quantised --init-learning-after 9", "but learn_quantisers is False"),
        (
            "--quantised --periphery-bits 0 --asymmetric",
            "symmetric was given, but periphery_bits is 0",
        ),
        (
            "--quantised --activation-bits 0 --estimator MSE",
            "estimator was given, but activation_bits",
        ),
        ("--quantised --quantiser-lr 0.1", "no quantiser is learned"),
        ("--quantised --learn-quantisers --quantiser-lr inf", "SGD.lr is inf"),
        ("--quantised --periphery-bits 1", "has 1 bit and a range below zero"),
        ("--calibrate max", "calibration_type is 'max', allowed are NONE, "),
        ("--calibration-batches 3", "--calibration-batches was given without --calibrate"),
        ("--calibrate MAX --range 2", "--calibrate and --range were given"),
    ],
)
def test_errors_are_one_sentence(train: Any, arguments: str, message: str) -> None:
    status, out, err = train(*QUICK, *arguments.split())
    assert (status, out) == (2, "")
    assert err.startswith("Error: ")
    assert message in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("kind", [rs.CustomRPUConfig, rs.InferenceRPUConfig])
def test_tiles_without_a_quantised_form_are_refused(train: Any, tmp_path: Path, kind: Any) -> None:
    rs.save_config(tmp_path / "tile.toml", kind())
    status, _, err = train("--quantised", "--config", str(tmp_path / "tile.toml"))
    assert status == 2
    assert f"config is a {kind.__name__}, whose tiles have no quantised form" in err


def test_a_range_that_is_off_cannot_be_calibrated(train: Any, tmp_path: Path) -> None:
    rs.save_config(tmp_path / "tile.toml", rs.TorchInferenceRPUConfig())
    status, _, err = train("--calibrate", "MAX", "--config", str(tmp_path / "tile.toml"))
    assert (status, err) == (
        2,
        "Error: calibration was given, but pre_post.input_range.enable is False.\n",
    )


def test_another_search_keeps_the_other_parameters_of_the_estimator() -> None:
    config = changed()
    config.act_quant_config.range_estimator_params.num_candidates = 7
    adjust_quantisers(config, search="golden_section")
    params = config.act_quant_config.range_estimator_params
    assert (params.range_opt_method.name, params.num_candidates) == ("golden_section", 7)
    adjust_quantisers(config, estimator="cross_entropy", search="grid")
    params = config.act_quant_config.range_estimator_params
    assert params == rs.CrossEntropyEstimatorParams(range_opt_method=rs.OptMethod.grid)

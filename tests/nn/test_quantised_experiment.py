"""The experiment with quantised tiles and with a calibration before the training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import refsim as rs
from refsim import nn
from refsim.calibration.model import parts, tiles
from refsim.nn import experiment, training
from refsim.nn.calibrated import calibrate, first_batches
from refsim.nn.checkpoint import load_training, restore, save_training
from refsim.nn.experiment import CHECKPOINT, Experiment, default_quantised_config, run
from refsim.nn.quantised import adjust_quantisers, optimizer_of, quantised_config
from refsim.tile.quantisation_manager import RangeState

CHANGED = ("input_range", "input_range_update_idx", "random_step")


def config(learned: bool = True, limit: int = 512) -> Any:
    """Quantised tiles, of arrays if the limit is small."""
    made = default_quantised_config()
    made.mapping.max_input_size = limit
    adjust_quantisers(made, learn_quantisers=learned, periphery_bits=4, symmetric=False)
    made.pre_post.periph_quant.init_learning_after = 1
    return made


def small(limit: int = 512) -> Experiment:
    """A few seconds of training."""
    return Experiment(
        config(limit=limit), (5,), 2, 300, seed=1, calibration="MAX", calibration_batches=2
    )


@pytest.mark.parametrize("limit", [512, 40])
@pytest.mark.parametrize("kind", rs.InputRangeCalibrationType)
def test_a_calibration_leaves_nothing_but_ranges(limit: int, kind: Any) -> None:
    plain = Experiment(config(limit=limit), (5,), backend="spec")
    before, after = plain.network(), plain.network()
    calibrate(after, kind, first_batches(nn.digits().train_x, 2, 50, 0), 0)
    for one, other in zip(before.tiles(), after.tiles(), strict=True):
        old, new = one.state_dict(), other.state_dict()
        changed = {key for key in old if old[key].tobytes() != new[key].tobytes()}
        assert old.keys() == new.keys()
        assert all(key.endswith(CHANGED) for key in changed)
        assert bool(changed) is (kind is not rs.InputRangeCalibrationType.NONE)
    assert all(not quantiser.initialised for quantiser in managers(after))
    assert {quantiser.state for quantiser in managers(after)} == {RangeState.ESTIMATE_TRAIN}


def managers(model: Any) -> list[Any]:
    """The managers of all quantisers."""
    return [manager for part in parts(model) for manager in part.quantizers.values()]


def test_the_first_batches_are_those_of_the_training(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    x, y = nn.digits().train_x[:50], nn.digits().train_y[:50]

    def watched(model: Any, batch: Any, *others: Any) -> Any:
        seen.append(batch)
        return np.zeros(len(batch), np.float32), 0

    monkeypatch.setattr(training, "step", watched)
    model = Experiment(hidden=(2,), backend="spec").network()
    training.train(model, (x, y), 1, 8, nn.SGD(model.tiles(), 0.1), seed=3)
    for count in (1, 3, 7, 100):
        batches = first_batches(x, count, 8, 3)
        assert [b.tolist() for b in batches] == [b.tolist() for b in seen[:count]]
    with pytest.raises(rs.InputError, match="calibration_batches is 0"):
        first_batches(x, 0, 8, 3)


@pytest.mark.parametrize("limit", [512, 40])
def test_the_network_in_a_checkpoint_answers_the_same(tmp_path: Path, limit: int) -> None:
    given = small(limit)
    result = run(given, tmp_path)
    model = experiment.load_network(tmp_path / CHECKPOINT)
    assert [t.config for t in tiles(model)] == [t.config for t in tiles(result.model)]
    data = nn.digits()
    assert nn.accuracy(model, data.test_x, data.test_y) == result.test_accuracy
    logits = [net.train().forward(data.train_x[:9]) for net in (model, result.model)]
    assert logits[0].tobytes() == logits[1].tobytes()


@pytest.mark.parametrize("given", [None, 0.25])
def test_learned_steps_have_a_rate_of_their_own(given: float | None) -> None:
    made = config()
    made.pre_post.input_range.init_from_data = 0
    model = Experiment(made, (5,), backend="spec").network()
    optimizer = optimizer_of(model.tiles(), 0.5, 0.0, given)
    x, y = nn.digits().train_x[:40], nn.digits().train_y[:40]
    training.step(model, x, y, optimizer, "spec")
    tile = next(model.tiles())
    before = {name: value.copy() for name, value in tile.parameters.items()}
    training.step(model, x, y, optimizer, "spec")
    for name, value in tile.parameters.items():
        rate = np.float32(0.5) if "quantizer" not in name else np.float32(given or 0.0005)
        step = (rate * tile.gradients[name]).astype(np.float32)
        assert (value == before[name] - step).all()
    assert sum("quantizer" in name for name in before) == 4


def test_a_rate_for_nothing_is_refused() -> None:
    model = Experiment(config(False), (5,), backend="spec").network()
    with pytest.raises(rs.InputError, match=r"quantiser_lr is 0.1, but no quantiser is learned"):
        optimizer_of(model.tiles(), 0.5, 0.0, 0.1)


def test_a_quantised_configuration_stays() -> None:
    made = config()
    assert quantised_config(made) is made


def test_a_checkpoint_without_the_newer_settings_goes_on(tmp_path: Path) -> None:
    given = Experiment(hidden=(2,), epochs=1, batch_size=500)
    whole = run(given, tmp_path)
    arrays, header = load_training(tmp_path / CHECKPOINT)
    model = given.network()
    optimizer = optimizer_of(model.tiles(), given.lr, given.momentum)
    restore(arrays, model, optimizer)
    older = {name: value for name, value in header.items() if name not in experiment.ADDED}
    save_training(tmp_path / CHECKPOINT, model, optimizer, older)
    assert run(given, tmp_path, resume=True).test_accuracy == whole.test_accuracy
    data, loaded = nn.digits(), experiment.load_network(tmp_path / CHECKPOINT)
    assert nn.accuracy(loaded, data.test_x, data.test_y) == whole.test_accuracy

"""Calibration of quantisers: estimators, states, the number of batches, errors that change nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import refsim as rs
from refsim import backends
from refsim.tile import RangeState
from tests.exact import Array, same
from tests.tile.test_oracle import unchanged

RE = rs.RangeEstimators


@pytest.fixture(params=backends.available())
def backend(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def config(estimator: Any = RE.allminmax, n_bits: int = 8, **periphery: Any) -> Any:
    return rs.QuantizedTorchInferenceRPUConfig(
        forward=rs.IOParameters(is_perfect=True),
        mapping=rs.MappingParameter(max_input_size=1, weight_scaling_omega=1.0),
        pre_post=rs.PrePostProcessingParameterQuant(
            periph_quant=rs.PeripheryQuantizationParameter(n_bits=8, **periphery)
        ),
        act_quant_config=rs.ActivationQuantConfig(
            n_bits=n_bits, symmetric=False, range_estimator=estimator
        ),
    )


def made(backend: str = "spec", **settings: Any) -> Any:
    tile = config(**settings).create_tile(1, 2, bias=True, backend=backend)
    tile.set_weights([[1.0, 1.0]], [0.0])
    return tile


def batches(read: list[int] | None = None) -> Iterator[Array]:
    """Inputs whose largest output is 1, 2, 3 ..."""
    for k in range(1, 30):
        if read is not None:
            read.append(k)
        yield np.float32([[k, 0], [0, -1]])


def ends(manager: Any) -> tuple[float, float]:
    low, high = manager.quantiser.representable()
    return float(low), float(high)


def test_the_range_holds_all_batches_and_is_fixed(backend: str) -> None:
    tile, read = made(backend), []
    rs.calibrate_quantization_ranges(tile, batches(read), max_num_batches=4)
    assert read == [1, 2, 3, 4]
    low, high = ends(tile.out_quantizer)
    step = float(tile.buffers["out_quantizer.delta"])
    assert abs(low + 1) <= step
    assert abs(high - 4) <= step
    assert {m.state for m in tile.quantizers.values()} == {RangeState.FIX}
    assert tile.training
    before = tile.buffers["out_quantizer.delta"].copy()
    tile.forward(np.float32([[100, 0]]))
    same(tile.buffers["out_quantizer.delta"], before)


@pytest.mark.parametrize(("choice", "count"), [("exact", 20), ("one_more", 21)])
def test_the_number_of_batches_is_a_choice(choice: Any, count: int) -> None:
    settings, read = config(), []
    settings.choices = rs.Choices(calibration_batches=choice)
    tile = settings.create_tile(1, 2, backend="spec")
    rs.calibrate_quantization_ranges(tile, batches(read))
    assert len(read) == count
    assert tile.step == count


def test_the_estimator_goes_on_from_the_training() -> None:
    tile = made(estimator=RE.running_minmax)
    tile.forward(np.float32([[10, 0]]))
    rs.calibrate_quantization_ranges(tile, [np.float32([[20, 0]])])
    momentum, T = np.float32(0.9), np.float32
    average = T(0.1) * T(20) + momentum * T(10)
    assert T(10) < tile.out_quantizer.estimator.state()["hi"][0] <= average


def test_the_quantisers_of_an_array_and_of_its_tiles(backend: str) -> None:
    array = rs.QuantizedTileModuleArray(1, 2, config(), bias=True, backend=backend)
    array.set_weights([[1.0, 1.0]], [1.0])
    model = rs.nn.Sequential(rs.nn.Linear(2, 2, config(), seed=1, backend=backend))
    layer = model.layers[0].tile
    for what, inner in ((array, array), (model, layer)):
        rs.calibrate_quantization_ranges(what, batches(), max_num_batches=3)
        for part in inner.parts().values():
            assert {m.state for m in part.quantizers.values()} == {RangeState.FIX}
    step = float(array.buffers["out_quantizer.delta"])
    assert abs(ends(array.out_quantizer)[1] - 4) <= step


def test_a_quantiser_that_is_learned_keeps_what_it_has_learned() -> None:
    tile = made(learn_quant_params=True, init_learning_after=1)
    x = np.float32([[1, 0]])
    for _ in range(2):
        tile.forward(x)
    assert tile.scale_quantizer.state is RangeState.LEARN
    tile.parameters["scale_quantizer.delta"][...] = 0.5
    rs.calibrate_quantization_ranges(tile, batches(), max_num_batches=2)
    assert tile.scale_quantizer.state is RangeState.LEARN
    assert tile.parameters["scale_quantizer.delta"] == 0.5
    assert tile.out_quantizer.state is RangeState.FIX


def test_a_quantiser_that_no_value_reached_keeps_its_state() -> None:
    settings = config()
    settings.mapping.weight_scaling_omega = 0.0
    tile = settings.create_tile(1, 2, backend="spec")  # without scales, nothing to quantise
    rs.calibrate_quantization_ranges(tile, batches(), max_num_batches=2)
    assert tile.scale_quantizer.state is RangeState.ESTIMATE_TRAIN
    assert not tile.scale_quantizer.initialised
    empty = made()
    rs.calibrate_quantization_ranges(empty, [np.zeros((0, 2), np.float32)])
    assert empty.out_quantizer.state is RangeState.ESTIMATE_TRAIN


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"batches": []}, rs.InputError),
        ({"batches": 3}, rs.InputError),
        ({"batches": [np.ones((1, 2)), np.ones((1, 3))]}, rs.ShapeError),
        ({"batches": [np.ones((1, 2)), [[np.nan, 1]]]}, rs.InputError),
        ({"max_num_batches": 0}, rs.InputError),
        ({"max_num_batches": 1.5}, rs.InputError),
        ({"max_num_batches": True}, rs.InputError),
    ],
    ids=str,
)
def test_nonsense_changes_nothing(given: Any, error: type[Exception]) -> None:
    array = rs.QuantizedTileModuleArray(1, 2, config(), bias=True, backend="spec")
    array.set_weights([[1.0, 1.0]], [1.0])
    for model in (made(), array):
        state = model.state_dict()
        with pytest.raises(error):
            rs.calibrate_quantization_ranges(model, **{"batches": list(batches()), **given})
        unchanged(model.state_dict(), state)
        assert model.training
        assert model.out_quantizer.state is RangeState.ESTIMATE_TRAIN


def test_a_model_without_quantisers_is_refused() -> None:
    plain = rs.TorchInferenceRPUConfig().create_tile(1, 1, backend="spec")
    with pytest.raises(rs.InputError, match="no quantiser"):
        rs.calibrate_quantization_ranges(plain, [[[1.0]]])

"""What a refused call must leave behind, and what nonsense must be told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import refsim as rs
from refsim.kernels.cpu import threads
from refsim.tile import RangeState

PERFECT = rs.IOParameters(is_perfect=True)
CUSTOM = rs.CustomRPUConfig(
    forward=PERFECT, backward=PERFECT, mapping=rs.MappingParameter(max_input_size=1)
)


def custom_array(second: float) -> rs.TileModuleArray:
    array = rs.TileModuleArray(1, 2, CUSTOM, backend="spec")
    array.set_weights([[1.0, second]])
    array.forward([[1.0, 0.0]])
    return array


def test_a_refused_backward_leaves_no_pending_update() -> None:
    array = custom_array(3e38)
    with pytest.raises(rs.StateError):
        array.backward([[1e3]])
    assert [len(tile.pending) for row in array.tiles for tile in row] == [0, 0]
    array.backward([[1.0]])
    rs.SGD([array], lr=1.0).step()
    assert array.get_weights()[0].tolist() == [[0.0, float(np.float32(3e38))]]


def test_a_refused_state_keeps_pending_updates() -> None:
    array = custom_array(1.0)
    array.backward([[1.0]])
    state = array.state_dict()
    state["t1_0_weight"] = np.zeros((9, 9), np.float32)
    with pytest.raises(rs.ShapeError):
        array.load_state_dict(state)
    rs.SGD([array], lr=1.0).step()
    assert array.get_weights()[0].tolist() == [[0.0, 1.0]]


def test_an_array_says_that_it_is_not_golden() -> None:
    fast = rs.TorchInferenceRPUConfig(runtime=rs.RuntimeParameter(matmul="fast"))
    array = rs.TileModuleArray(3, 4, fast)
    y, trace = array.forward(np.ones((2, 4)), trace=True)
    assert not trace.golden
    assert not array.backward(np.ones_like(y), trace=True)[1].golden
    assert not array.golden
    assert "golden=False" in repr(array)
    assert rs.TileModuleArray(3, 4, rs.TorchInferenceRPUConfig()).golden


def test_a_group_takes_names_from_any_iterable() -> None:
    tile = rs.TorchInferenceRPUConfig(forward=PERFECT).create_tile(2, 3)
    group = {"tiles": [tile], "parameters": (name for name in ["weight"])}
    assert rs.SGD([group], lr=1.0).groups[0].parameters == ["weight"]
    for wrong in (5, [["weight"]], "weight", ["w"]):
        with pytest.raises(rs.ConfigError, match="parameters of SGD is"):
            rs.SGD([{"tiles": [tile], "parameters": wrong}], lr=1.0)


def test_a_bias_cannot_be_taken_from_an_array() -> None:
    config = rs.TorchInferenceRPUConfig(forward=PERFECT)
    array = rs.TileModuleArray(2, 3, config, bias=True, backend="spec")
    array.parameters.pop("bias")
    with pytest.raises(rs.StateError, match="bias of"):
        array.forward([1.0, 2.0, 3.0])


def test_a_calibration_ends_the_averaging_of_peaks() -> None:
    config = rs.InferenceRPUConfig(
        forward=rs.IOParameters(
            noise_management=rs.NoiseManagementType.AVERAGE_ABS_MAX,
            bound_management=rs.BoundManagementType.NONE,
        ),
        pre_post=rs.PrePostProcessingParameter(input_range=rs.InputRangeParameter(enable=True)),
    )
    tile = config.create_tile(1, 2, backend="spec")
    rs.calibrate_input_ranges(tile, "MAX", [[[1.0, 2.0]]])
    assert tile.input_range() == 2
    assert "average_abs_max" not in tile.buffers
    assert tile.forward([[1.0, 2.0]]).shape == (1, 1)


def test_the_mode_is_true_or_false(tmp_path: Path) -> None:
    config = rs.TorchInferenceRPUConfig(forward=PERFECT)
    made: list[Any] = [config.create_tile(2, 3), rs.TileModuleArray(2, 3, config)]
    for tile in made:
        assert tile.train(np.True_).training is True
        rs.save(tmp_path / "tile.safetensors", tile)
        for wrong in (1, None, "x"):
            with pytest.raises(rs.InputError, match="mode is"):
                tile.train(wrong)


@pytest.mark.parametrize("n", ["2", None, 1.5, True, 0])
def test_the_number_of_threads_is_an_integer(n: Any) -> None:
    with pytest.raises(rs.InputError, match="positive integer"):
        threads.set_num_threads(n)


def test_a_manager_knows_its_states() -> None:
    config = rs.QuantizedTorchInferenceRPUConfig(
        act_quant_config=rs.ActivationQuantConfig(n_bits=8)
    )
    tile = config.create_tile(2, 3)
    enter: Callable[[Any], None] = tile.out_quantizer.enter
    with pytest.raises(rs.InputError, match="RangeState"):
        enter("fix")
    assert tile.out_quantizer.state is RangeState.ESTIMATE_TRAIN

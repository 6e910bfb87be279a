"""What a quantised tile remembers: through state dicts and files, and what no state may say."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import refsim as rs
from refsim.tile import RangeState
from tests.exact import Type, same
from tests.tile.quantised import SCALED, config, data, step, tile

F32 = np.float32
ESTIMATORS = list(rs.RangeEstimators)
EVERYTHING: dict[str, Any] = {
    "bits": 4,
    "out_bits": 3,
    "r": {"init_from_data": 2},
    "mapping": SCALED,
    "symmetric": False,
    "out_symmetric": False,
    "learn_quant_params": True,
    "init_learning_after": 2,
    "estimator": rs.RangeEstimators.running_minmax,
}


def everything(T: Type = F32, **changes: Any) -> Any:
    return tile(config(T, **{**EVERYTHING, **changes}))


def through_state(made: Any, folder: Path) -> Any:
    other = tile(made.config)
    other.load_state_dict(made.state_dict())
    return other.train(made.training)


def through_file(made: Any, folder: Path) -> Any:
    rs.save(folder / "tile.safetensors", made)
    return rs.load(folder / "tile.safetensors")


Way = Callable[[Any, Path], Any]
ways = pytest.mark.parametrize("way", [through_state, through_file])


def equal(one: Any, other: Any) -> None:
    state, its = one.state_dict(), other.state_dict()
    assert state.keys() == its.keys()
    for key, value in state.items():
        assert value.tobytes() == its[key].tobytes(), key
    assert [m.state for m in one.quantizers.values()] == [
        m.state for m in other.quantizers.values()
    ]


@ways
@pytest.mark.parametrize("before", range(5))
def test_a_loaded_tile_goes_on_to_the_same_bits(
    T: Type, way: Way, before: int, tmp_path: Path
) -> None:
    """Saved before anything, while ranges are estimated, when learning begins, and after."""
    made = everything(T)
    optimizer = rs.SGD([made], lr=0.01)
    for k in range(before):
        step(made, k, optimizer)
    other = way(made, tmp_path)
    equal(made, other)
    optimizer, its = rs.SGD([made], lr=0.01), rs.SGD([other], lr=0.01)
    for k in range(before, before + 3):
        same(step(other, k, its), step(made, k, optimizer))
        equal(made, other)
    made.eval()
    other.eval()
    same(step(other, 9), step(made, 9))
    assert made.parameters.keys() == other.parameters.keys()


@ways
@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda kind: kind.name)
def test_the_memory_of_every_estimator_is_kept(way: Way, estimator: Any, tmp_path: Path) -> None:
    made = everything(estimator=estimator, bits=0, out_bits=2)
    for k in range(2):
        step(made, k)
    other = way(made, tmp_path)
    equal(made, other)
    same(step(other, 3), step(made, 3))
    equal(made, other)


@ways
@pytest.mark.parametrize("state", list(RangeState))
def test_the_state_of_a_manager_is_kept(way: Way, state: RangeState, tmp_path: Path) -> None:
    made = everything()
    step(made, 0)
    made.out_quantizer.enter(state)
    other = way(made, tmp_path)
    assert other.out_quantizer.state is state
    assert other.out_quantizer.quantiser.trainable is (state is RangeState.LEARN)
    same(step(other, 1), step(made, 1))


@ways
def test_a_tile_that_was_evaluated_first_is_still_fixed(way: Way, tmp_path: Path) -> None:
    made = tile(config(bits=4, mapping=SCALED)).eval()
    step(made, 0)
    other = way(made, tmp_path)
    assert other.bias_quantizer.state is RangeState.FIX
    same(step(other, 1), step(made, 1))


def test_a_checkpoint_of_one_type_does_not_fit_another() -> None:
    made, wide = everything(F32), everything(np.float64)
    step(wide, 0)
    with pytest.raises((rs.InputError, rs.StateError)):
        made.load_state_dict(wide.state_dict())


def damaged(**changes: Any) -> tuple[Any, dict[str, Any]]:
    """A tile, and a state of it with changes; None removes an entry."""
    made = everything()
    for k in range(2):
        step(made, k)
    state = {
        **made.state_dict(),
        **{key.replace("__", "."): value for key, value in changes.items()},
    }
    return made, {key: value for key, value in state.items() if value is not None}


def byte(value: int) -> Any:
    return np.array([value], np.uint8)


@pytest.mark.parametrize(
    ("changes", "error", "says"),
    [
        ({"scale_quantizer__state": None}, rs.StateError, "missing"),
        ({"out_quantizer__signed": None}, rs.StateError, "missing"),
        ({"bias_quantizer__delta": None}, rs.StateError, "missing"),
        ({"bias_quant_update_idx": None}, rs.StateError, "missing"),
        ({"more_quantizer__state": byte(1)}, rs.StateError, "unexpected"),
        ({"scale_quantizer__state": byte(4)}, rs.InputError, "from 0 to 3"),
        ({"scale_quantizer__state": F32([1])}, rs.InputError, "one integer"),
        ({"scale_quantizer__signed": byte(2)}, rs.InputError, "from 0 to 1"),
        ({"scale_quantizer__signed": byte(1)}, rs.StateError, "zero point"),
        ({"scale_quantizer__delta": F32([1])}, rs.ShapeError, "shape"),
        ({"scale_quantizer__delta": np.array(np.inf, F32)}, rs.InputError, "infinity"),
        ({"scale_quantizer__delta": np.array(np.nan, F32)}, rs.StateError, "both NaN"),
        ({"scale_quant_update_idx": F32([0.5])}, rs.InputError, "whole numbers"),
        ({"scale_quant_update_idx": F32([-1])}, rs.InputError, "whole numbers"),
        ({"out_quantizer__estimator.lo": None}, rs.StateError, "estimator"),
        ({"out_quantizer__estimator.more": F32([1])}, rs.StateError, "estimator"),
        ({"out_quantizer__estimator.lo": F32([np.nan])}, rs.InputError, "NaN"),
        (
            {f"bias_quantizer__{part}": np.array(np.nan, F32) for part in ("delta", "zero_float")}
            | {"bias_quantizer__state": byte(2)},
            rs.StateError,
            "only with a range",
        ),
    ],
)
def test_an_impossible_state_is_refused_and_changes_nothing(
    changes: dict[str, Any], error: type[Exception], says: str
) -> None:
    made, state = damaged(**changes)
    before = made.state_dict()
    with pytest.raises(error, match=says):
        made.load_state_dict(state)
    for key, value in made.state_dict().items():
        assert value.tobytes() == before[key].tobytes(), key


def test_a_range_that_is_no_parameter_cannot_be_loaded_as_learned() -> None:
    made = everything(learn_quant_params=False)
    step(made, 0)
    state = made.state_dict() | {"scale_quantizer.state": byte(3)}
    with pytest.raises(rs.StateError, match="does not learn"):
        made.load_state_dict(state)


def test_a_part_of_a_state_can_be_loaded() -> None:
    made = everything()
    step(made, 0)
    made.load_state_dict({"out_quantizer.delta": np.array(F32(0.5))}, strict=False)
    assert float(made.buffers["out_quantizer.delta"]) == 0.5
    made.load_state_dict({"out_quantizer.state": byte(2)}, strict=False)
    assert made.out_quantizer.state is RangeState.FIX
    same(made.train().forward(data(F32, 1, 5, 4)) % F32(0.5), np.zeros((5, 3), F32))


def test_an_untouched_tile_can_be_saved_and_loaded(tmp_path: Path) -> None:
    other = through_file(everything(), tmp_path)
    assert not other.scale_quantizer.initialised
    assert np.isnan(other.parameters["scale_quantizer.delta"])


def test_a_deep_copy_is_a_tile_of_its_own(T: Type) -> None:
    made = everything(T)
    step(made, 0)
    other = copy.deepcopy(made)
    equal(made, other)
    before = made.state_dict()
    same(step(other, 1), step(tile_at(before, made.config), 1))
    assert all(value.tobytes() == before[key].tobytes() for key, value in made.state_dict().items())


def tile_at(state: dict[str, Any], settings: Any) -> Any:
    other = tile(settings)
    other.load_state_dict(state)
    return other

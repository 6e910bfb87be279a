"""Calibration of input ranges: worked numbers, choices, modes, arrays, errors that change nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import refsim as rs
from refsim import backends
from refsim.random import derived_seed, uniform
from tests.exact import Array, same
from tests.tile.cases import config
from tests.tile.test_oracle import unchanged

KIND = rs.InputRangeCalibrationType
KINDS = [kind for kind in KIND if kind is not KIND.NONE]
X = [np.float32([[1, -4], [0, 0], [2, 3]]), np.float32([[-5, 1], [2, 2]])]


@pytest.fixture(params=backends.available())
def backend(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def made(backend: str = "spec", r: Any = None, **parts: Any) -> Any:
    """A tile of two inputs that returns their sum."""
    r = {"init_value": 3.0} if r is None else r
    tile = config(r=r, **parts).create_tile(1, 2, backend=backend)
    tile.set_weights([[1.0, 1.0]])
    return tile


def calibrated(tile: Any, kind: Any, batches: Any = X, **given: Any) -> float:
    rs.calibrate_input_ranges(tile, kind, batches, **given)
    return float(tile.input_range())


# --- worked numbers -----------------------------------------------------------------------------


@pytest.mark.clause("CA-1", "CA-2")
def test_types_by_hand(backend: str) -> None:
    """Magnitudes 1 2 3 4 and 1 2 2 5; the row of zeros does not count."""
    assert calibrated(made(backend), KIND.MAX) == 5
    half = {"quantile": 0.5}
    assert calibrated(made(backend), KIND.MOVING_QUANTILE, **half) == (2.5 + 2) / 2
    assert calibrated(made(backend), KIND.CACHE_QUANTILE, **half) == 2
    assert calibrated(made(backend), KIND.MOVING_QUANTILE, quantile=1) == (4 + 5) / 2
    x = [np.float32([[1, -1], [3, 1]]), np.float32([[4, 4]]), np.float32([[0, 0]])]
    deviation = np.sqrt(np.float32(8) / np.float32(3))
    assert calibrated(made(backend), KIND.MOVING_STD, x, std_alpha=2.0) == float(2 * deviation)


def test_signed_quantiles_are_a_choice(backend: str) -> None:
    """All inputs are negative: the signed quantile clips nearly all of them, or counts for nothing."""
    x = [-np.arange(1, 21, dtype=np.float32).reshape(10, 2)]
    signed = {"choices": rs.Choices(calibration_quantile_of="signed")}
    whole = {"quantile": 1.0}
    assert calibrated(made(backend), KIND.CACHE_QUANTILE, x, **whole) == 20
    assert calibrated(made(backend, **signed), KIND.CACHE_QUANTILE, x, **whole) == 1
    assert calibrated(made(backend), KIND.MOVING_QUANTILE, x, quantile=0.75) == 15.25
    assert calibrated(made(backend, **signed), KIND.MOVING_QUANTILE, x, quantile=0.75) == 3


def test_the_counter_is_a_choice(backend: str) -> None:
    for choice, expected, count in (("reset", 4.5, 2), ("continue", (6 + 4 + 5) / 4, 4)):
        tile = made(backend, choices=rs.Choices(calibration_counter=choice))
        tile.buffers["input_range_update_idx"][0] = 2
        assert calibrated(tile, KIND.MOVING_QUANTILE, quantile=1) == expected
        assert tile.buffers["input_range_update_idx"][0] == count


def test_only_so_many_batches_count_for_the_deviation() -> None:
    tile = made()
    one = calibrated(made(), KIND.MOVING_STD, X[:1])
    assert calibrated(tile, KIND.MOVING_STD, max_samples=1) == one
    assert tile.buffers["input_range_update_idx"][0] == 1


def test_the_moving_types_clip_at_their_range_and_the_others_at_that_before() -> None:
    """What the second layer sees is the first layer's output, for inputs of 8 and a first range of 3."""
    x = [np.float32([[8.0]])] * 2
    for kind, expected in (("MAX", 3), ("CACHE_QUANTILE", 3), ("MOVING_QUANTILE", 8)):
        exact = config(r={"init_value": 3.0})
        model = rs.nn.Sequential(
            *(rs.nn.Linear(1, 1, exact, bias=False, backend="spec") for _ in "ab")
        )
        for tile in model.tiles():
            tile.set_weights([[1.0]])
        rs.calibrate_input_ranges(model, kind, x)
        assert [float(tile.input_range()) for tile in model.tiles()] == [8, expected]


def test_while_whole_types_look_the_product_is_perfect() -> None:
    noisy = {"out_noise": 0.5, "out_res": 4, "out_bound": 0.5}
    seen = []
    for kind in KINDS:
        first, second = made(io=noisy), config(r={}).create_tile(1, 1, backend="spec")
        second.set_weights([[1.0]])
        model = rs.nn.Sequential(Wrapped(first), Wrapped(second))
        rs.calibrate_input_ranges(model, kind, X, quantile=1)
        seen.append(float(second.input_range()))
        assert not first.config.forward.is_perfect
    assert seen[-1] == 5  # the largest sum of inputs clipped at 3, without noise and bound
    assert all(value != 5 for value in seen[:2])


class Wrapped:
    """A layer of the caller's own."""

    def __init__(self, tile: Any) -> None:
        self.tile = tile

    def forward(self, x: Any) -> Any:
        return self.tile.forward(x)

    def backward(self, dy: Any) -> Any:
        return self.tile.backward(dy)

    def train(self, mode: bool = True) -> Any:
        self.tile.train(mode)
        return self

    def tiles(self) -> Iterator[Any]:
        yield self.tile


# --- the sample ---------------------------------------------------------------------------------


def rows(count: int, first: int) -> Array:
    return np.arange(first, first + 2 * count, dtype=np.float32).reshape(count, 2)


def test_the_sample_is_addressed(backend: str) -> None:
    """Batch after batch, by the published stream: kept rows stand in the order of their deviates."""
    batches, kept = [rows(5, 1), rows(4, 101), rows(6, 201)], None
    for step, x in enumerate(batches):
        kept = x if kept is None else np.concatenate([kept, x])
        u = uniform(derived_seed(9, 0), "calibration_cache", step, np.arange(len(kept)))
        kept = kept[np.argsort(u, kind="stable")[:4]] if len(kept) > 4 else kept
    given = {"quantile": 1.0, "max_samples": 4, "seed": 9}
    assert calibrated(made(backend), KIND.CACHE_QUANTILE, batches, **given) == kept.max()


def test_seeds_draw_different_samples_and_the_same_one_the_same() -> None:
    x = [rows(50, 1 + 100 * k) for k in range(3)]
    given = {"quantile": 0.5, "max_samples": 7}
    found = [calibrated(made(), KIND.CACHE_QUANTILE, x, seed=seed, **given) for seed in range(20)]
    assert len(set(found)) > 10
    assert calibrated(made(), KIND.CACHE_QUANTILE, x, seed=3, **given) == found[3]


def test_a_large_sample_is_the_whole_data() -> None:
    x = [rows(50, 1 + 100 * k) for k in range(3)]
    found = {calibrated(made(), KIND.CACHE_QUANTILE, x, seed=s, quantile=0.9) for s in range(5)}
    assert found == {float(np.float32(1 + 0.9 * 299))}


# --- settings, modes, models --------------------------------------------------------------------


def test_settings_after_a_calibration() -> None:
    for kind in KINDS:
        tile = made(r={"init_value": 3.0, "init_from_data": 50})
        r = calibrated(tile, kind, std_alpha=2)
        p = tile.config.pre_post.input_range
        whole = kind in (KIND.MAX, KIND.CACHE_QUANTILE)
        assert p.calibration_info == (kind.value if whole else None)
        assert p.init_value == (r if whole else 3.0)
        assert (p.init_from_data, p.init_std_alpha) == (0, 2.0)
        assert rs.from_json(rs.to_json(tile.config)) == tile.config


def test_types_by_name_and_value() -> None:
    for kind in ("MAX", "Max", KIND.MAX):
        assert calibrated(made(), kind) == 5
    for kind in ("NONE", "None", KIND.NONE):
        tile = made(r={"init_value": 3.0, "init_from_data": 50})
        state = tile.state_dict()
        assert calibrated(tile, kind, iter(())) == 3
        unchanged(tile.state_dict(), state)
        assert tile.config.pre_post.input_range.init_from_data == 50


def test_modes_are_kept() -> None:
    array = rs.TileModuleArray(
        2, 4, config(r={}, mapping=rs.MappingParameter(max_input_size=2)), backend="spec"
    )
    other = config(r={}).create_tile(1, 2, backend="spec").eval()
    model = rs.nn.Sequential(Wrapped(array), Wrapped(other))
    array.tiles[1][0].eval()
    seen = []
    original = array.forward
    array.forward = lambda x: seen.append([t.training for t in model.tiles()]) or original(x)
    rs.calibrate_input_ranges(model, "MAX", [np.ones((1, 4))])
    assert seen == [[False, False]]
    assert [
        array.training,
        array.tiles[0][0].training,
        array.tiles[1][0].training,
        other.training,
    ] == [
        *(True, True, False),
        False,
    ]


def test_each_tile_of_an_array_sees_its_own_inputs(backend: str) -> None:
    mapping = rs.MappingParameter(max_input_size=2, max_output_size=1)
    array = rs.TileModuleArray(2, 4, config(r={}, mapping=mapping), backend=backend)
    array.set_weights(np.ones((2, 4)))
    x = np.float32([[1, -2, 3, -4], [0, 0, 7, 1]])
    rs.calibrate_input_ranges(array, "MAX", [x])
    same(array.input_range(), np.float32([[2, 2], [7, 7]]))
    infos = {tile.config.pre_post.input_range.init_value for tile in array.named_tiles().values()}
    assert infos == {2.0, 7.0}


def test_force_gives_a_range_and_switches_noise_management_off(tmp_path: Any) -> None:
    tile = config(io={"noise_management": rs.NoiseManagementType.ABS_MAX}).create_tile(
        1, 2, backend="spec"
    )
    tile.set_weights([[1.0, 1.0]])
    assert tile.input_range() is None
    assert calibrated(tile, "MAX") == 5
    assert tile.config.forward.noise_management is rs.NoiseManagementType.NONE
    assert "input_range" in tile.buffers
    y = tile.forward([[9.0, 1.0]])
    assert y == [[6.0]]
    tile.backward([[1.0]])
    assert "input_range" not in tile.gradients
    rs.save(tmp_path / "tile", tile)
    again = rs.load(tmp_path / "tile")
    unchanged(again.state_dict(), tile.state_dict())
    assert again.forward([[9.0, 1.0]]) == y


def test_without_force_a_tile_without_a_range_is_left_out() -> None:
    bare = config().create_tile(1, 2, backend="spec")
    model = rs.nn.Sequential(
        Wrapped(made()), Wrapped(config(r={}).create_tile(1, 1, backend="spec"))
    )
    mixed = rs.nn.Sequential(Wrapped(bare), Wrapped(config(r={}).create_tile(1, 1, backend="spec")))
    bare.set_weights([[1.0, 1.0]])
    for network in (model, mixed):
        rs.calibrate_input_ranges(network, "MAX", X, force_all_layers=False)
    assert bare.input_range() is None
    assert bare.config.pre_post.input_range.init_from_data == 100
    assert [float(t.input_range()) for t in mixed.tiles() if t is not bare] == [5]
    managed = made(io={"noise_management": rs.NoiseManagementType.MAX})
    with pytest.raises(rs.ConfigError, match=r"NoiseManagementType\.MAX"):
        rs.calibrate_input_ranges(managed, "MAX", X, force_all_layers=False)


def test_a_tile_that_saw_no_data_keeps_its_range_and_its_forward_pass() -> None:
    for kind in KINDS:
        tile = made()
        assert calibrated(tile, kind, [np.zeros((2, 2), np.float32)]) == 3
        assert not tile.config.forward.is_perfect
        assert tile.config.pre_post.input_range.calibration_info is None
        assert "forward" not in vars(tile)


def test_batches_are_read_once_and_may_come_from_anywhere() -> None:
    assert calibrated(made(), "MAX", (x for x in X)) == 5
    assert calibrated(made(), "MAX", [x.tolist() for x in X]) == 5
    assert calibrated(made(), "MAX", [X[0][0], X[1][None]]) == 5


def test_a_bar_is_drawn_on_a_terminal_only(capsys: pytest.CaptureFixture[str]) -> None:
    assert calibrated(made(), "MAX", iter(X), progress=True) == 5
    assert capsys.readouterr() == ("", "")


# --- errors change nothing ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"kind": "Maximum"}, rs.InputError),
        ({"kind": 3}, rs.InputError),
        ({"kind": ["MAX"]}, rs.InputError),
        ({"quantile": 1.5}, rs.InputError),
        ({"quantile": "0.9"}, rs.InputError),
        ({"quantile": float("nan")}, rs.InputError),
        ({"quantile": True}, rs.InputError),
        ({"max_samples": 0}, rs.InputError),
        ({"max_samples": 2.0}, rs.InputError),
        ({"max_samples": True}, rs.InputError),
        ({"std_alpha": float("inf")}, rs.InputError),
        ({"std_alpha": "3"}, rs.InputError),
        ({"seed": -1}, rs.InputError),
        ({"force_all_layers": None}, rs.InputError),
        ({"batches": 5}, rs.InputError),
        ({"batches": "text"}, rs.InputError),
        ({"batches": []}, rs.InputError),
        ({"batches": iter(())}, rs.InputError),
        ({"batches": {"x": X[0]}}, rs.InputError),
        ({"batches": [X[0], np.full((1, 2), np.nan)]}, rs.InputError),
        ({"batches": [X[0], np.ones((1, 3))]}, rs.ShapeError),
        (
            {"batches": [X[0], np.float32([[1, -1], [-1, 1]]) * 3e38], "kind": "MOVING_STD"},
            rs.StateError,
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, dict) else "",
)
def test_nonsense_changes_nothing(given: dict[str, Any], error: type[Exception]) -> None:
    tile = config(io={"noise_management": rs.NoiseManagementType.ABS_MAX}).create_tile(
        1, 2, backend="spec"
    )
    array = rs.TileModuleArray(
        1, 2, config(r={}, mapping=rs.MappingParameter(max_input_size=1)), bias=True, backend="spec"
    )
    for model in (tile, made(), array):
        model.set_weights([[1.0, 1.0]])
        singles = [model] if model is not array else list(array.named_tiles().values())
        state, settings = model.state_dict(), [repr(t.config) for t in singles]
        arguments = {"kind": "MAX", "batches": X, **given}
        with pytest.raises(error):
            rs.calibrate_input_ranges(
                model, arguments.pop("kind"), arguments.pop("batches"), **arguments
            )
        unchanged(model.state_dict(), state)
        assert [repr(t.config) for t in singles] == settings
        assert model.training
        assert not any("forward" in vars(t) for t in singles)
        assert (model.input_range() is None) is (model is tile)


def test_a_range_of_zero_is_refused_and_changes_nothing() -> None:
    tile = made()
    state, settings = tile.state_dict(), repr(tile.config)
    with pytest.raises(rs.RangeError):
        rs.calibrate_input_ranges(tile, "CACHE_QUANTILE", [np.float32([[0, 0.5]])], quantile=0)
    unchanged(tile.state_dict(), state)
    assert repr(tile.config) == settings


@pytest.mark.parametrize(
    "model",
    [None, 3, "tile", [1], rs.nn.ReLU(), lambda x: x],
    ids=lambda model: type(model).__name__,
)
def test_what_is_no_model(model: Any) -> None:
    with pytest.raises(rs.InputError, match="model"):
        rs.calibrate_input_ranges(model, "MAX", X)
    with pytest.raises(rs.InputError, match="model"):
        rs.calibrate_quantization_ranges(model, X)

"""Tiles of the manual path as objects: state, checkpoints, noise, traces, pending updates, bad input."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import traceability
from hypothesis import given

import refsim as rs
from refsim.config.support_manual import check_custom, check_floating_point, check_inference
from tests.exact import same
from tests.strategies import dtypes
from tests.tile import manual_cases
from tests.tile.cases import BM, NM, Case, cases, ranged
from tests.tile.test_bad_input import refused
from tests.tile.test_noise import NOISY
from tests.tile.test_state_dict import goes_on

pytestmark = pytest.mark.filterwarnings("ignore::refsim.errors.RangeWarning")
X, DY = np.float32([[0.5, -2.0], [1.5, 0.125]]), np.float32([[1.0, -0.5], [0.25, 2.0]])
CONFIGS = [rs.InferenceRPUConfig, rs.CustomRPUConfig, rs.FloatingPointRPUConfig]
by_config = pytest.mark.parametrize("kind", CONFIGS, ids=lambda kind: kind.__name__)
CHECKS: dict[Any, Any] = {
    rs.InferenceRPUConfig: check_inference,
    rs.CustomRPUConfig: check_custom,
    rs.FloatingPointRPUConfig: check_floating_point,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the examples of a test may share."""
    return tmp_path_factory.mktemp("checkpoints")


def made(kind: Any, backend: str = "spec", bias: bool = True, **parts: Any) -> Any:
    """A tile with a range, its weights set."""
    config = kind(pre_post=ranged(init_value=1.0), **parts)
    tile = config.create_tile(2, 2, bias=bias, seed=3, backend=backend)
    tile.set_weights([[1.0, -2.0], [0.5, 0.25]], [0.5, -0.25] if bias else None)
    return tile


def noisy(kind: Any, backend: str, seed: int = 3) -> Any:
    """A tile that draws noise both ways, with passes of bound management."""
    io = {**NOISY, "out_bound": 0.5, "noise_management": NM.ABS_MAX}
    passes = {way: rs.IOParameters(**io) for way in ("forward", "backward")}
    tile = made(kind, backend, **passes)
    tile.seed = seed
    return tile


# ----- state


@given(case=dtypes.flatmap(lambda T: cases(T, count=3, build=manual_cases.manual)))
def test_a_tile_from_a_file_goes_on_with_the_same_bits(
    backend: str, folder: Path, case: Case
) -> None:
    tile = case.tile(backend)
    goes_on(tile, case.batches[:1])
    rs.save(folder / "tile", tile)
    other = rs.load(folder / "tile")
    assert type(other) is type(tile)
    assert other.config == tile.config
    tile.zero_grad()
    results = goes_on(other, case.batches[1:])
    for actual, expected in zip(results, goes_on(tile, case.batches[1:]), strict=True):
        same(actual, expected)


@by_config
def test_a_deep_copy_has_its_own_pending_updates(backend: str, kind: Any) -> None:
    tile = made(kind, backend)
    tile.forward(X)
    other = copy.deepcopy(tile)
    same(other.backward(DY), tile.backward(DY))
    for each in (tile, other):
        rs.SGD([each], lr=0.5).step()
    same(other.parameters["weight"], tile.parameters["weight"])


def test_running_peaks_have_a_place_in_the_state(backend: str) -> None:
    io = rs.IOParameters(out_noise=0.0, noise_management=NM.AVERAGE_ABS_MAX)
    tile = made(rs.InferenceRPUConfig, backend, forward=io, backward=copy.deepcopy(io))
    names = {"average_abs_max", "backward_average_abs_max"}
    assert names <= tile.state_dict().keys()
    tile.forward(X)
    tile.backward(DY)
    state = tile.state_dict()
    assert all(state[name][0] > 0 for name in names)
    with refused(tile, rs.StateError, match="missing"):
        tile.load_state_dict({n: v for n, v in state.items() if n != "average_abs_max"})
    with refused(tile, rs.InputError):
        tile.load_state_dict(state | {"average_abs_max": np.float32([np.nan])})
    tile.buffers["average_abs_max"][0] = np.inf
    with pytest.raises(rs.StateError, match="average_abs_max"):
        tile.forward(X)


@pytest.mark.parametrize("way", ["forward", "backward"])
def test_averaging_is_chosen_at_creation(way: str) -> None:
    tile = made(rs.InferenceRPUConfig)
    getattr(tile.config, way).is_perfect = False
    getattr(tile.config, way).noise_management = NM.AVERAGE_ABS_MAX
    with refused(tile, rs.ConfigError, match="averaging"):
        tile.forward(X)


# ----- noise


@pytest.mark.parametrize("kind", CONFIGS[:2])
def test_injecting_what_was_used_gives_the_same_bits(backend: str, kind: Any) -> None:
    one, other = noisy(kind, backend), noisy(kind, backend, seed=4)
    y, forward = one.forward(X, trace=True)
    dx, backward = one.backward(DY, trace=True)
    assert not (other.forward(X) == y).all()
    other.step = 0
    same(other.forward(X, noise=forward.noise), y)
    assert backward.noise.keys() == {"inp_noise", "inp_sto_round", "out_noise", "out_sto_round"}
    same(other.backward(DY, noise=backward.noise), dx)


@pytest.mark.parametrize("kind", CONFIGS[:2])
@pytest.mark.clause("RN-3")
def test_the_noise_of_the_way_back_has_its_own_address(backend: str, kind: Any) -> None:
    tile = noisy(kind, backend)
    tile.forward(X)
    tile.step = 0
    tile.forward(X)
    _, trace = tile.backward(DY, trace=True)
    drawn = rs.random.normal(3, "backward_out_noise", 0, [[0, 1], [2, 3]])
    same(trace.noise["out_noise"][0], drawn)


@pytest.mark.parametrize("kind", CONFIGS[:2])
def test_bad_noise_of_the_way_back(backend: str, kind: Any) -> None:
    tile = noisy(kind, backend)
    tile.forward(X)
    for noise, error in (
        ({"weight_noise": DY}, rs.InputError),
        ({"inp_noise": DY}, rs.ShapeError),
        ({"out_sto_round": np.full((9, 2, 2), 0.5, np.float32)}, rs.InputError),
        ([DY], rs.InputError),
    ):
        with refused(tile, error):
            tile.backward(DY, noise=noise)
    tile.backward(DY)


# ----- traces


@by_config
def test_a_trace_names_clauses_and_changes_nothing(backend: str, kind: Any) -> None:
    known = traceability.specified()
    one, other = made(kind, backend), made(kind, backend)
    y, forward = one.forward(X, trace=True)
    dx, backward = one.backward(DY, trace=True)
    same(other.forward(X), y)
    same(other.backward(DY), dx)
    for name, value in one.gradients.items():
        same(other.gradients[name], value)
    assert all(stage.clause in known for trace in (forward, backward) for stage in trace)
    same(forward["output"], y)
    same(backward["input_gradient"], dx)
    same(backward["range_gradient"], one.gradients["input_range"][0])


def test_traces_of_backends_are_equal() -> None:
    for kind in CONFIGS[:2]:
        pairs = []
        for backend in ("spec", "cpu"):
            tile = noisy(kind, backend)
            _, forward = tile.forward(X, trace=True)
            _, backward = tile.backward(DY, trace=True)
            pairs.append((forward, backward))
        assert pairs[0][0].diff(pairs[1][0]) is None
        assert pairs[0][1].diff(pairs[1][1]) is None


@by_config
def test_fast_products_say_so(backend: str, kind: Any) -> None:
    """Sums of few digits are the same in plain arithmetic; a tile is not called golden all the same."""
    exact = made(kind, backend)
    fast = made(kind, backend, runtime=rs.RuntimeParameter(matmul="fast"))
    x = np.float32([[0.5, 1.0], [-0.25, 0.75]])
    for tile in (exact, fast):
        if hasattr(tile.config, "forward"):
            tile.config.forward.is_perfect = tile.config.backward.is_perfect = True
    same(fast.forward(x), exact.forward(x))
    dx, trace = fast.backward(DY, trace=True)
    same(dx, exact.backward(DY))
    assert not fast.golden
    assert not trace.golden
    assert exact.golden


# ----- updates inside the step


def custom(backend: str) -> Any:
    perfect = rs.IOParameters(is_perfect=True)
    return made(rs.CustomRPUConfig, backend, forward=perfect, backward=perfect, bias=False)


def test_updates_wait_for_the_step_and_for_the_group_of_the_weight(backend: str) -> None:
    tile = custom(backend)
    before = tile.parameters["weight"].copy()
    tile.forward(X)
    tile.backward(DY)
    only_range = rs.SGD([{"tiles": [tile], "parameters": ["input_range"]}], lr=0.5)
    only_range.step()
    same(tile.parameters["weight"], before)
    assert len(tile.pending) == 1
    rs.SGD([{"tiles": [tile], "parameters": ["weight"]}], lr=0.5).step()
    assert not (tile.parameters["weight"] == before).all()
    assert not tile.pending


def test_momentum_and_weight_decay_have_no_part_in_an_update(backend: str) -> None:
    results = []
    for options in ({}, {"momentum": 0.9, "weight_decay": 0.5}):
        tile = custom(backend)
        tile.config.pre_post.input_range.decay = 0.0
        optimizer = rs.SGD(
            [
                {"tiles": [tile], "parameters": ["weight"], **options},
                {"tiles": [tile], "parameters": ["input_range"]},
            ],
            lr=0.25,
        )
        for _ in range(2):
            tile.forward(X)
            tile.backward(DY)
            optimizer.step()
            optimizer.zero_grad()
        results.append(tile.parameters["weight"])
    same(*results)


def test_updates_follow_one_another(backend: str) -> None:
    tile, single = custom(backend), custom(backend)
    for each, count in ((tile, 2), (single, 1)):
        for _ in range(count):
            each.forward(X)
            each.backward(DY)
    for each in (tile, single):
        each.gradients.clear()  # the range stays
        rs.SGD([each], lr=0.5).step()
    once = single.parameters["weight"] - np.float32([[1.0, -2.0], [0.5, 0.25]])
    same(tile.parameters["weight"], np.float32([[1.0, -2.0], [0.5, 0.25]]) + once + once)


def test_a_step_that_fails_leaves_the_updates(backend: str) -> None:
    tile = custom(backend)
    tile.forward(X)
    tile.backward(DY * np.float32(1e38))
    with refused(tile, rs.StateError):
        rs.SGD([tile], lr=1e6).step()
    assert len(tile.pending) == 1
    tile.zero_grad()
    assert not tile.pending


def test_loading_a_state_discards_the_updates(backend: str) -> None:
    tile = custom(backend)
    state = tile.state_dict()
    tile.forward(X)
    tile.backward(DY)
    tile.load_state_dict(state)
    assert not tile.pending
    with pytest.raises(rs.StateError):
        tile.backward(DY)


def test_a_range_that_becomes_zero_in_the_step_is_refused(backend: str) -> None:
    tile = custom(backend)
    tile.forward(X)
    tile.backward(DY)
    tile.gradients["input_range"][0] = 2.0
    with refused(tile, rs.RangeError):
        rs.SGD([tile], lr=0.5).step()
    assert len(tile.pending) == 1


# ----- bad input


@by_config
def test_bad_arrays_are_refused(backend: str, kind: Any) -> None:
    tile = made(kind, backend)
    for x in ([[np.nan, 1.0]], [[1.0]], [["a", "b"]], np.float64([[1e-50, 0.1]])):
        with refused(tile, (rs.InputError, rs.ShapeError)):  # type: ignore[arg-type]
            tile.forward(x)
    with refused(tile, rs.StateError, match="needs a forward pass"):
        tile.backward(DY)
    tile.forward(X)
    for dy in (DY[:1], [[np.inf, 0.0]] * 2, [[1.0]] * 2):
        with refused(tile, (rs.InputError, rs.ShapeError)):  # type: ignore[arg-type]
            tile.backward(dy)
    tile.backward(DY)


@by_config
def test_an_empty_batch_changes_no_state(backend: str, kind: Any) -> None:
    tile = made(kind, backend)
    before = tile.state_dict()
    assert tile.forward(np.zeros((0, 2), np.float32)).shape == (0, 2)
    assert tile.backward(np.zeros((0, 2), np.float32)).shape == (0, 2)
    for name, value in tile.state_dict().items():
        same(value, before[name])


@by_config
def test_another_configuration_is_refused(kind: Any) -> None:
    others = [k for k in [*CONFIGS, dict] if k is not kind]
    for other in others:
        with pytest.raises(rs.ConfigError, match="takes a"):
            CHECKS[kind](other(), False)


REFUSED: list[tuple[str, Any]] = [
    ("forward.mv_type", rs.AnalogMVType.POS_NEG_SEPARATE),
    ("backward.bound_management", BM.SHIFT),
    ("forward.w_noise", 0.1),
    ("backward.ir_drop", 1.0),
    ("forward.v_offset_w_min", 0.5),
    ("backward.out_bound", float("inf")),
    ("runtime.offload_input", True),
    ("mapping.digital_bias", False),
]
INFERENCE_ONLY: list[tuple[str, Any]] = [
    ("forward.inp_bound", 0.5),
    ("modifier.pdrop", 0.5),
    ("modifier.type", rs.WeightModifierType.DOREFA),
    ("modifier.type", rs.WeightModifierType.DISCRETIZE),  # without a resolution
    ("clip.type", rs.WeightClipType.AVERAGE_CHANNEL_MAX),
    ("clip.type", rs.WeightClipType.FIXED_VALUE),  # with the default value -1
    ("remap.remapped_wmax", 0.5),
]
CUSTOM_ONLY: list[tuple[str, Any]] = [
    ("forward.noise_management", NM.AVERAGE_ABS_MAX),
    ("backward.noise_management", NM.ABS_MAX_NP_SUM),
    ("forward.out_bound", 0.0),
]


def refusals() -> list[tuple[Any, str, Any]]:
    rows = [(kind, *row) for kind in CONFIGS[:2] for row in REFUSED]
    rows += [(rs.InferenceRPUConfig, *row) for row in INFERENCE_ONLY]
    rows += [(rs.CustomRPUConfig, *row) for row in CUSTOM_ONLY]
    own = [row for row in REFUSED if row[0].startswith(("runtime", "mapping"))]
    return rows + [(rs.FloatingPointRPUConfig, *row) for row in own]


@pytest.mark.parametrize(("kind", "path", "value"), refusals())
def test_what_a_tile_cannot_honour_is_refused(kind: Any, path: str, value: Any) -> None:
    config = kind()
    if hasattr(config, "backward"):
        config.backward.is_perfect = False
    part, name = path.split(".")
    setattr(getattr(config, part), name, value)
    with pytest.raises(rs.ConfigError) as caught:
        CHECKS[kind](config, True)
    told = {"DISCRETIZE": "modifier.res", "FIXED_VALUE": "clip.fixed_value"}
    assert str(caught.value).startswith(f"{told.get(getattr(value, 'name', ''), path)} is ")
    assert str(caught.value).endswith(".")
    with pytest.raises(rs.ConfigError):
        config.create_tile(1, 1, bias=True, backend="spec")


def test_what_only_the_compiled_core_honours() -> None:
    config = rs.InferenceRPUConfig(
        forward=rs.IOParameters(out_bound=0.0, noise_management=NM.ABS_MAX_NP_SUM)
    )
    check_inference(config, True)
    config.forward.bound_management = BM.ITERATIVE_WORST_CASE
    check_inference(config, False)


@pytest.mark.parametrize(
    ("kind", "io", "said"),
    [
        (rs.InferenceRPUConfig, {}, "noise_management"),
        (rs.InferenceRPUConfig, {"noise_management": NM.NONE}, "bound_management"),
        (rs.InferenceRPUConfig, {"is_perfect": True}, "is_perfect"),
        (rs.CustomRPUConfig, {}, "noise_management"),
        (
            rs.CustomRPUConfig,
            {"noise_management": NM.NONE, "bound_management": BM.NONE, "out_bound": -1.0},
            "out_bound",
        ),
        (rs.FloatingPointRPUConfig, None, "has no forward.out_bound"),
    ],
)
@pytest.mark.parametrize("choices", [rs.Choices(), rs.Choices.aihwkit()])
def test_managing_output_clipping_needs_what_the_page_demands(
    kind: Any, io: Any, said: str, choices: Any
) -> None:
    parts = {} if io is None else {"forward": rs.IOParameters(**io)}
    config = kind(pre_post=ranged(manage_output_clipping=True), choices=choices, **parts)
    with pytest.raises(rs.ConfigError, match=said):
        config.create_tile(1, 1, backend="spec")
    config.pre_post.input_range.enable = False
    config.create_tile(1, 1, backend="spec")


def test_clip_and_remap_of_an_inference_tile(backend: str) -> None:
    """A fixed value that is not positive clips nothing; the compiled core would not either."""
    clip = rs.WeightClipParameter(type=rs.WeightClipType.FIXED_VALUE, fixed_value=-1.0)
    tile = made(rs.InferenceRPUConfig, backend, clip=clip, choices=rs.Choices.aihwkit())
    before = tile.parameters["weight"].copy()
    tile.post_update()
    same(tile.parameters["weight"], before)
    tile.config.clip.fixed_value = 0.75
    tile.config.remap.type = rs.WeightRemapType.LAYERWISE_SYMMETRIC
    tile.post_update()
    same(tile.parameters["weight"], np.float32([[1.0, -1.0], [2 / 3, 1 / 3]]))
    same(tile.buffers["mapping_scales"], np.float32([0.75, 0.75]))

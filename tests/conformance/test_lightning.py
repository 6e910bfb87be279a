"""aihwkit-lightning's variant: numbers observed on 2.1.0 in float64, exact sums, and a replay that notices changes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from refsim.conformance.check import check_recording
from refsim.conformance.lightning import LightningLinear, LightningSettings
from refsim.conformance.replay import is_input
from refsim.conformance.vectors import Arrays, Recording
from refsim.errors import ConfigError, RangeError, ShapeError, StateError
from tests.conformance.test_replay import InMemory

GROUP = "g14_lightning"
ON = {"enable": True, "init_from_data": 0, "decay": 0.0, "double": True}


def layer(weight: Any, r: list[float] | None = None, **settings: Any) -> LightningLinear:
    made = LightningLinear(LightningSettings(**{**ON, **settings}), np.array(weight))
    if r is not None:
        holder = made.parameters if "input_range" in made.parameters else made.buffers
        holder["input_range"] = np.array(r)
    return made


def passed(made: LightningLinear, x: Any, g: Any) -> tuple[Any, Any, dict[str, Any]]:
    made.gradients = {}
    y = made.forward(np.array(x))
    dx = made.backward(np.array(g))
    return y.tolist(), dx.tolist(), {name: v.tolist() for name, v in made.gradients.items()}


@pytest.mark.parametrize(
    ("settings", "x", "g", "y", "dx", "weight", "input_range"),
    [
        (
            {"out_res": 10.0, "out_bound": 0.5},
            [[1.0, 1.0], [0.1, 0.05]],
            [[-1.0], [1.0]],
            [[1.0], [0.4]],
            [[0.0, 0.0], [2.0, 2.0]],
            [[0.1, 0.05]],
            [0.0],
        ),
        (
            {"inp_res": 4.0},
            [[1.0, 3.0], [-1.0, -2.0], [0.5, 1.0]],
            [[-1.0], [1.0], [1.0]],
            [[4.0], [-4.0], [3.0]],
            [[-2.0, 0.0], [2.0, 0.0], [2.0, 2.0]],
            [[-1.5, -1.0]],
            [-8.0],
        ),
        (
            {"decay": 0.5},
            [[0.5, 0.75], [-0.5, -0.5]],
            [[-1.0], [1.0]],
            [[2.5], [-2.0]],
            [[-2.0, -2.0], [2.0, 2.0]],
            [[-1.0, -1.25]],
            [0.5],
        ),
        (
            {"fast_mode": True},
            [[3.0, -3.0], [1.0, 0.5]],
            [[1.0], [1.0]],
            [[0.0], [3.0]],
            [[0.0, 0.0], [2.0, 2.0]],
            [[2.0, -0.5]],
            [0.0],
        ),
    ],
    ids=["output clipped", "rule", "decay", "fast"],
)
def test_a_step(
    settings: dict[str, Any], x: Any, g: Any, y: Any, dx: Any, weight: Any, input_range: Any
) -> None:
    found = passed(layer([[2.0, 2.0]], [1.0], **settings), x, g)
    assert found == (y, dx, {"weight": weight, "input_range": input_range})


def test_ranges_follow_the_extremes_of_batches() -> None:
    made = layer([[2.0, 1.0]], fast_mode=True, init_from_data=3, act_range_momentum=0.75)
    ranges = []
    for x in ([1.0, 3.0], [-5.0, 0.5], [1.0, 1.0], [7.0, 7.0]):
        made.forward(np.array([x]))
        ranges.append(float(made.parameters["input_range"][0]))
    assert ranges == [3.00001, 2.3750075, 2.031255625, 2.031255625]
    assert made.buffers["x_min"].tolist() == [-0.12500562499999995]
    assert made.buffers["input_range_update_idx"].tolist() == [3.0]


def test_a_batch_of_zeros_leaves_the_extremes_as_created() -> None:
    made = layer([[1.0, 1.0]], fast_mode=True, init_from_data=5, act_range_momentum=0.75)
    for x in ([0.0, 0.0], [-1.0, 1.0]):
        made.forward(np.array([x]))
    assert made.parameters["input_range"].tolist() == [1.00001]
    assert made.buffers["input_range_update_idx"].tolist() == [2.0]


def test_the_range_from_data_is_a_float32_number() -> None:
    made = layer([[2.0, 1.0]], init_from_data=2, init_value=-1.0)
    ranges = []
    for x in ([1.0, 1.0], [1.0, 3.0], [-5.0, 0.5], [1.0, 1.0]):
        made.forward(np.array([x]))
        ranges.append(float(made.parameters["input_range"][0]))
    assert ranges == [1.0, 4.242640495300293, 7.95495080947876, 7.95495080947876]


def test_dynamic_ranges_are_those_of_each_row() -> None:
    made = layer([[2.0, 1.0]], dynamic=True, inp_res=3.0, out_res=10.0, out_bound=0.5)
    y, dx, gradients = passed(made, [[1.0, 3.0], [0.0, 0.0], [0.1, 0.05]], [[1.0], [1.0], [1.0]])
    assert y == [[3.0], [0.0], [0.1]]
    assert dx == [[0.0, 0.0], [2.0, 1.0], [0.0, 0.0]]
    assert gradients == {"weight": [[0.0, 0.0]]}


def test_a_negative_range_turns_every_input_into_itself() -> None:
    found = passed(layer([[2.0, 1.0]], [-2.0]), [[1.0, 1.5], [-1.0, -3.0]], [[-1.0], [1.0]])
    assert found == (
        [[-6.0], [-6.0]],
        [[0.0, 0.0]] * 2,
        {"weight": [[0.0, 0.0]], "input_range": [12.0]},
    )
    fast = layer([[1.0, 10.0, 100.0]], [-2.0], fast_mode=True)
    assert passed(fast, [[-3.0, 0.0, 3.0]], [[1.0]])[2]["input_range"] == [111.0]
    with pytest.raises(RangeError, match=r"slice 0 is -2\.0"):
        layer([[1.0]], [-2.0], inp_res=3.0).forward(np.ones((1, 1)))


def test_slices_have_ranges_of_their_own_and_rows_bounds_of_their_own() -> None:
    weight = [[1.0, 0.5, 4.0], [2.0, 0.0, -1.0]]
    made = layer(
        weight,
        [1.0, 0.5],
        max_input_size=2,
        out_bound=0.5,
        clip_type="LayerGaussianPerChannel",
        clip_sigma=2.5,
    )
    assert made.forward(np.array([[3.0, 1.0, 9.0]])).tolist() == [[0.5 + 1.0, 1.0 - 0.25]]


def test_weights_are_quantised_slice_by_slice_with_the_gradient_straight_through() -> None:
    made = layer(
        [[1.0, 0.3, 8.0]],
        [9.0, 9.0],
        max_input_size=2,
        quantization_type="Discretize",
        weight_res=4.0,
    )
    y, dx, gradients = passed(made.train(False), [[1.0, 1.0, 1.0]], [[1.0]])
    assert (y, dx) == ([[9.5]], [[1.0, 0.5, 8.0]])
    assert gradients["weight"] == [[1.0, 1.0, 1.0]]


def test_weights_are_clipped_after_a_step() -> None:
    weight = np.array([[1.0, -1.0, 4.0], [0.5, 0.5, 0.5]])
    rows = layer(weight, clip_type="LayerGaussianPerChannel", clip_sigma=1.0)
    rows.step(0.1)
    assert rows.parameters["weight"].tolist() == [
        [1.0, -1.0, np.sqrt(38.0 / 3 / 2)],
        [0.0, 0.0, 0.0],
    ]
    single = layer([[5.0]], clip_type="LayerGaussian", clip_sigma=1.0)
    single.step(0.1)
    assert single.parameters["weight"].tolist() == [[5.0]]


def test_sums_are_exact_and_rounded_once() -> None:
    made = layer([[1.0, 2.0**-60, -1.0]], enable=False)
    y, _, gradients = passed(made, [[1.0, 1.0, 1.0]] * 3, [[1.0], [2.0**-80], [-1.0]])
    assert y == [[2.0**-60]] * 3
    assert gradients["weight"] == [[2.0**-80] * 3]


def test_a_step_moves_every_parameter_and_clears_the_gradients() -> None:
    made = layer([[2.0]], [1.0])
    passed(made, [[3.0]], [[-1.0]])
    made.step(0.5)
    assert made.gradients == {}
    assert made.parameters["weight"].tolist() == [[2.5]]
    assert made.parameters["input_range"].tolist() == [2.0]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"inp_res": 8.0, "enable": False}, r"inp_res is 8\.0, which needs enable=True"),
        ({"out_bound": 1.0, "enable": False}, r"out_bound is 1\.0, which needs enable=True"),
        ({"out_res": 8.0}, r"out_bound 0\.0, but rounding needs"),
        ({"dynamic": True, "fast_mode": True}, "allowed is one of them"),
        ({"clip_type": "LayerGaussian"}, r"clip_sigma is -1\.0"),
        ({"clip_type": "Ring", "clip_sigma": 1.0}, "clip_type is 'Ring', allowed are None"),
        ({"quantization_type": "Ring"}, "quantization_type is 'Ring'"),
    ],
)
def test_what_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        layer([[1.0]], **settings)


def test_calls_that_do_not_fit() -> None:
    made = layer([[1.0, 2.0]])
    with pytest.raises(StateError, match="call forward first"):
        made.backward(np.ones((1, 1)))
    with pytest.raises(ShapeError, match=r"allowed is \(\.\.\., 2\)"):
        made.forward(np.ones((1, 3)))
    assert made.forward(np.ones((0, 2))).shape == (0, 1)
    assert made.forward(np.ones((2, 3, 2))).shape == (2, 3, 1)


# ----- the recorded group


@pytest.fixture(scope="module")
def loaded(recording: Recording) -> dict[str, Arrays]:
    return recording.load(GROUP)


def test_every_recorded_array_is_an_input_or_compared(
    recording: Recording, loaded: dict[str, Arrays]
) -> None:
    (group,) = check_recording(recording, [GROUP], backend="spec")
    cases = {case.id: case for case in recording.cases}
    assert group.passed
    assert group.largest < 64 * np.finfo(np.float32).eps
    for result in group.results:
        inputs = [name for name in loaded[result.case] if is_input(cases[result.case], name)]
        assert sorted(inputs + result.compared) == sorted(loaded[result.case])


@pytest.mark.parametrize("k", range(0, 36, 5))
def test_any_change_to_a_recorded_array_is_noticed(
    recording: Recording, loaded: dict[str, Arrays], k: int
) -> None:
    cases = [case for case in recording.cases if case.group == GROUP]
    case = cases[k]
    for name in loaded[case.id]:
        arrays = dict(loaded[case.id])
        arrays[name] = arrays[name] + np.float32(0.5)
        changed = InMemory(**{**vars(recording), "cases": (case,)}, arrays={case.id: arrays})
        (group,) = check_recording(changed, [GROUP], backend="spec")
        assert group.failures, name


@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        ({"dropout": 0.5}, "dropout"),
        ({"forward": {"inp_res": "many"}}, "inp_res is 'many'"),
        ({"input_range": 3}, "input_range is no table"),
        ({"lr": None}, "lr is None"),
        ({"forward": {"out_res": 8.0}}, "rounding needs a bound"),
    ],
)
def test_a_case_that_is_not_understood_counts_as_not_compared(
    recording: Recording, loaded: dict[str, Arrays], entries: dict[str, Any], reason: str
) -> None:
    case = next(case for case in recording.cases if case.group == GROUP)
    changed = replace(case, entries={**case.entries, **entries})
    one = InMemory(**{**vars(recording), "cases": (changed,)}, arrays=loaded)
    (group,) = check_recording(one, [GROUP], backend="spec")
    assert not group.compared
    assert reason in group.unsupported[0][1]

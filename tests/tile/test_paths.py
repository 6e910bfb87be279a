"""The seven differences of the two paths: one tile, one batch, the numbers of either path, worked out by hand.

Each test would fail if the paths were exchanged: the numbers differ, and each path is held to its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

import refsim as rs
from refsim.config import TorchInferenceRPUConfig
from tests.exact import same
from tests.tile.cases import NM, QUIET, ranged

AUTOGRAD, MANUAL = "autograd", "manual"
CONFIGS: dict[str, Any] = {
    "TorchInferenceTile": rs.TorchInferenceRPUConfig,
    "InferenceTile": rs.InferenceRPUConfig,
    "CustomTile": rs.CustomRPUConfig,
    "FloatingPointTile": rs.FloatingPointRPUConfig,
}
ALL_MANUAL = ("InferenceTile", "CustomTile", "FloatingPointTile")


@dataclass
class Difference:
    """One batch through a tile with range 2, and what each path makes of it.

    ``io`` are the settings of the forward pass, ``r`` those of the range; ``expected`` has the results by path.
    """

    x: Any
    dy: Any
    weight: Any
    result: str
    expected: dict[str, Any]
    io: dict[str, Any] = field(default_factory=dict)
    r: dict[str, Any] = field(default_factory=dict)
    tiles: tuple[str, ...] = ALL_MANUAL


DIFFERENCES: dict[str, Difference] = {
    # rint(0.3 * 2) / 2 = 0.5: the core is off by 0.2, which the chain rule sees and the rule does not
    "1 residual of the range gradient": Difference(
        x=[[0.6]],
        dy=[[1.0]],
        weight=[[1.0]],
        result="input_range",
        expected={AUTOGRAD: [0.5 - 0.3], MANUAL: [0.0]},
        io={"inp_res": 0.25},
        tiles=("InferenceTile", "CustomTile"),
    ),
    "2 clipped inputs": Difference(
        x=[[3.0, 1.0, -2.0]],
        dy=[[1.0]],
        weight=[[0.5, 0.25, 2.0]],
        result="x",
        expected={AUTOGRAD: [[0.0, 0.25, 2.0]], MANUAL: [[0.5, 0.25, 2.0]]},
    ),
    # 1.5 is beyond the output bound 1: its weight gradient is blocked on one path only
    "3 clipped outputs": Difference(
        x=[[1.0]],
        dy=[[1.0, 1.0]],
        weight=[[3.0], [1.0]],
        result="weight",
        expected={AUTOGRAD: [[0.0], [1.0]], MANUAL: [[0.5], [0.5]]},
        io={"out_bound": 1.0},
        tiles=("InferenceTile",),
    ),
    "4 conversion of the input": Difference(
        x=[[-1.0]],
        dy=[[1.0]],
        weight=[[4.0]],
        result="x",
        expected={AUTOGRAD: [[3.0]], MANUAL: [[4.0]]},
        io={"inp_asymmetry": 0.25},
        tiles=("InferenceTile", "CustomTile"),
    ),
    # both inputs are clipped at a quarter of the peak: y = (0.25 + 0.25) * peak
    "5 divisor of noise management": Difference(
        x=[[1.0, 0.5]],
        dy=[[1.0]],
        weight=[[1.0, 1.0]],
        result="x",
        expected={AUTOGRAD: [[0.5, 0.0]], MANUAL: [[1.0, 1.0]]},
        io={"inp_bound": 0.25, "noise_management": NM.ABS_MAX},
        tiles=("CustomTile",),
    ),
    "6 weight gradient": Difference(
        x=[[1.0, 0.6]],
        dy=[[1.0]],
        weight=[[1.0, 1.0]],
        result="weight",
        expected={AUTOGRAD: [[1.5, 1.5]], MANUAL: [[0.5, 0.3]]},
        io={"inp_res": 0.25, "out_scale": 1.5},
        tiles=("InferenceTile",),
    ),
    "7 batches of zeros under noise management": Difference(
        x=[[0.0, 0.0]],
        dy=[[1.0]],
        weight=[[1.0, 1.0]],
        result="input_range",
        expected={AUTOGRAD: [0.0], MANUAL: [0.5]},
        io={"noise_management": NM.ABS_MAX, "inp_bound": 1.0},
        r={"decay": 0.25},
        tiles=("InferenceTile", "CustomTile"),
    ),
}


def made(case: Difference, name: str, backend: str) -> Any:
    """The tile of that name in the state of the case."""
    parts: dict[str, Any] = {"pre_post": ranged(**{"init_value": 2.0, "decay": 0.0, **case.r})}
    parts["runtime"] = rs.RuntimeParameter(data_type=rs.RPUDataType.DOUBLE)
    if name != "FloatingPointTile":
        parts["forward"] = rs.IOParameters(**{**QUIET, **converters(case.io)})
    if name == "CustomTile":
        parts["backward"] = rs.IOParameters(is_perfect=True)
    O, I = np.shape(case.weight)
    tile = CONFIGS[name](**parts).create_tile(O, I, backend=backend)
    tile.set_weights(case.weight)
    return tile


def converters(io: dict[str, Any]) -> dict[str, Any]:
    """A grid needs a bound."""
    return {"inp_bound": 1.0, **io} if "inp_res" in io else io


def found(tile: Any, case: Difference) -> Any:
    tile.forward(case.x)
    dx = tile.backward(case.dy)
    return dx if case.result == "x" else tile.gradients[case.result]


def held(tile: Any, case: Difference, path: str) -> None:
    """The tile gives the numbers of a path, to the last bit of float64 arithmetic on them."""
    same(found(tile, case), np.array(case.expected[path]))


@pytest.mark.parametrize("name", DIFFERENCES)
def test_the_autograd_path(backend: str, name: str) -> None:
    case = DIFFERENCES[name]
    held(made(case, "TorchInferenceTile", backend), case, AUTOGRAD)


@pytest.mark.parametrize(
    ("name", "tile"),
    [(name, tile) for name, case in DIFFERENCES.items() for tile in case.tiles],
)
def test_the_manual_path(backend: str, name: str, tile: str) -> None:
    case = DIFFERENCES[name]
    held(made(case, tile, backend), case, MANUAL)


@pytest.mark.parametrize("name", DIFFERENCES)
def test_paths_that_are_exchanged_are_noticed(name: str) -> None:
    case = DIFFERENCES[name]
    with pytest.raises(AssertionError):
        held(made(case, "TorchInferenceTile", "spec"), case, MANUAL)
    for tile in case.tiles:
        with pytest.raises(AssertionError):
            held(made(case, tile, "spec"), case, AUTOGRAD)


def test_there_are_seven() -> None:
    assert len(DIFFERENCES) == 7


# ----- the rules of the compiled core, and of the optimiser step


def forwards(config: Any, weight: Any, x: Any, backend: str) -> Any:
    O, I = np.shape(weight)
    tile = config.create_tile(O, I, backend=backend)
    tile.set_weights(weight)
    return tile.forward(x)


def both_cores(x: Any, weight: Any, backend: str, **io: Any) -> tuple[Any, Any]:
    """Outputs of the core of the autograd path and of the compiled one."""
    parts = {"forward": rs.IOParameters(**{**QUIET, "inp_bound": 1.0, **io})}
    kinds: list[Callable[..., Any]] = [TorchInferenceRPUConfig, rs.InferenceRPUConfig]
    torch, compiled = (forwards(kind(**parts), weight, x, backend) for kind in kinds)
    return torch, compiled


@pytest.mark.clause("BM-3")
def test_bound_management_of_a_batch_and_of_rows(backend: str) -> None:
    """The second row exceeds the bound; only the core of rows leaves the first one on its finer grid."""
    torch, compiled = both_cores(
        [[0.6], [1.0]],
        [[1.0]],
        backend,
        inp_res=0.25,
        out_bound=0.75,
        bound_management=rs.BoundManagementType.ITERATIVE,
        max_bm_res=2.0,
    )
    same(torch, np.float32([[1.0], [1.0]]))
    same(compiled, np.float32([[0.5], [1.0]]))


@pytest.mark.clause("NM-6", "NM-7")
def test_the_worst_case_takes_the_sums_in_the_second_pass(backend: str) -> None:
    """Sum 2, bound 1: the divisor goes to 0.6 * 2 / 1 = 1.2 and doubles only then."""
    scales: dict[str, Any] = {}
    for kind in (rs.BoundManagementType.ITERATIVE, rs.BoundManagementType.ITERATIVE_WORST_CASE):
        io = {**QUIET, "inp_bound": 1.0, "out_bound": 1.0, "noise_management": NM.ABS_MAX}
        config = rs.InferenceRPUConfig(forward=rs.IOParameters(**{**io, "bound_management": kind}))
        tile = config.create_tile(1, 2, backend=backend)
        tile.set_weights([[1.0, 0.9]])
        _, trace = tile.forward([[1.0, 1.0]], trace=True)
        scales[kind.name] = np.array([s.value for s in trace if s.name == "input_scale"])
    same(scales["ITERATIVE"], np.float32([[1.0], [0.5]]))
    sums = np.float32(1) / np.float32(np.float32(0.6) * np.float32(2))
    same(scales["ITERATIVE_WORST_CASE"], np.float32([[1.0], [sums], [sums / np.float32(2)]]))


@pytest.mark.clause("NM-8")
def test_the_running_peak_is_part_of_the_state(backend: str) -> None:
    io = {**QUIET, "inp_bound": 1.0, "noise_management": NM.AVERAGE_ABS_MAX}
    config = rs.InferenceRPUConfig(forward=rs.IOParameters(**io))
    tile = config.create_tile(1, 1, backend=backend)
    tile.set_weights([[1.0]])
    assert tile.state_dict()["average_abs_max"].tolist() == [-1.0]
    same(tile.forward([[2.0], [4.0]]), np.float32([[2.0], [tile.buffers["average_abs_max"][0]]]))
    keep, share = np.float32(0.999), np.float32(0.001)
    after = keep * np.float32(2) + share * np.float32(4)
    same(tile.buffers["average_abs_max"], np.full(1, after))
    other = config.create_tile(1, 1, backend=backend)
    other.load_state_dict(tile.state_dict())
    same(other.eval().forward([[1.0]]), tile.eval().forward([[1.0]]))
    same(tile.buffers["average_abs_max"], np.full(1, after))


def test_rows_that_are_not_positive_give_zeros_under_max(backend: str) -> None:
    torch, compiled = both_cores(
        [[-1.0], [0.5]], [[1.0]], backend, noise_management=NM.MAX, out_noise=0.0
    )
    same(torch, np.float32([[-1.0], [0.5]]))
    same(compiled, np.float32([[0.0], [0.5]]))


@pytest.mark.parametrize(("choice", "expected"), [("dropped", [3.0, 3.0]), ("by_path", [3.0, 6.0])])
def test_a_perfect_product_and_out_scale(backend: str, choice: Any, expected: list[float]) -> None:
    parts: dict[str, Any] = {
        "forward": rs.IOParameters(is_perfect=True, out_scale=2.0),
        "choices": rs.Choices(perfect_out_scale=choice),
    }
    outputs = [
        forwards(kind(**parts), [[3.0]], [[1.0]], backend)[0, 0]
        for kind in (rs.TorchInferenceRPUConfig, rs.InferenceRPUConfig)
    ]
    assert outputs == expected
    assert forwards(rs.CustomRPUConfig(**parts), [[3.0]], [[1.0]], backend)[0, 0] == 3.0


def test_asymmetry_and_grid_of_the_compiled_core(backend: str) -> None:
    torch, compiled = both_cores([[-1.0]], [[1.0]], backend, out_asymmetry=-0.5)
    assert (torch[0, 0], compiled[0, 0]) == (-1.5, -1.0)
    torch, compiled = both_cores([[0.3]], [[1.0]], backend, out_res=0.5, out_bound=-1.0)
    same(torch, np.float32([[0.0]]))
    same(compiled, np.float32([[0.3]]))


def test_the_weight_of_a_custom_tile_moves_with_the_updated_range(backend: str) -> None:
    """The step takes the range from 2 to 3; the input 1.5 is divided by the one or the other."""
    perfect = rs.IOParameters(is_perfect=True)
    for name, expected in (("InferenceTile", 1.5 / 2), ("CustomTile", 1.5 / 3)):
        config = CONFIGS[name](pre_post=ranged(init_value=2.0, decay=0.0), forward=perfect)
        config.backward = perfect
        tile = config.create_tile(1, 2, backend=backend)
        tile.set_weights([[1.0, 0.0]])
        optimizer = rs.SGD([tile], lr=0.5)
        tile.forward([[3.0, 1.5]])
        tile.backward([[-1.0]])
        optimizer.step()
        assert tile.parameters["input_range"][0] == 3.0
        same(tile.parameters["weight"], np.float32([[1.5, 0.5 * expected]]))

"""Whole tiles as Hypothesis draws them: a configuration, a state, inputs at the edges of both."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

import refsim as rs
from tests.exact import Array, Scalar, Type
from tests.strategies import arrays, moderate, planted, seeds, ties, wide

NM, BM, WM = rs.NoiseManagementType, rs.BoundManagementType, rs.WeightModifierType
DATA_TYPE = {np.float32: rs.RPUDataType.FLOAT, np.float64: rs.RPUDataType.DOUBLE}
LEADS: list[tuple[int, ...]] = [(), (0,), (1,), (2,), (3,), (2, 1), (2, 2), (0, 2)]
QUIET: dict[str, Any] = {
    "inp_res": -1,
    "inp_bound": -1,
    "out_res": -1,
    "out_bound": -1,
    "out_noise": 0.0,
    "noise_management": NM.NONE,
    "bound_management": BM.NONE,
}


def runtime(T: Type) -> rs.RuntimeParameter:
    return rs.RuntimeParameter(data_type=DATA_TYPE[T])


def ranged(**settings: Any) -> rs.PrePostProcessingParameter:
    """An input range without initialisation from data, unless asked for."""
    settings = {"enable": True, "init_from_data": 0, **settings}
    return rs.PrePostProcessingParameter(input_range=rs.InputRangeParameter(**settings))


def config(T: Type = np.float32, io: Any = None, r: Any = None, **parts: Any) -> Any:
    """A configuration that only does what is asked for."""
    if r is not None:
        parts["pre_post"] = ranged(**r)
    forward = rs.IOParameters(**{**QUIET, **(io or {})})
    return rs.TorchInferenceRPUConfig(runtime=runtime(T), forward=forward, **parts)


# --- configurations -----------------------------------------------------------------------------


def mostly(usual: Any, *others: Any) -> st.SearchStrategy[Any]:
    return st.just(usual) | st.sampled_from([usual, *others])


def converter(side: str, bounds: list[float]) -> dict[str, st.SearchStrategy[Any]]:
    return {
        f"{side}_res": mostly(-1, 1 / 126, 254, 127, 0.125, 14, 1),
        f"{side}_bound": st.sampled_from(bounds),
        f"{side}_noise": mostly(0.0, 0.1),
        f"{side}_sto_round": mostly(False, True),
        f"{side}_asymmetry": mostly(0.0, 0.25, -0.1, 1.0),
    }


io_parameters = st.fixed_dictionaries(
    {
        **converter("inp", [1.0, 1.0, 0.5, 0.3, -1.0]),
        **converter("out", [12.0, 1.0, 0.4, 0.3, -1.0]),
        "is_perfect": mostly(False, False, False, True),
        "out_noise_std": mostly(0.0, 0.5),
        "out_scale": mostly(1.0, 0.7, 2.0, -1.0),
        "noise_management": st.sampled_from([NM.NONE, NM.ABS_MAX, NM.MAX, NM.CONSTANT]),
        "nm_thres": mostly(0.0, 0.6, -1.0),
        "bound_management": mostly(BM.NONE, BM.ITERATIVE, BM.ITERATIVE_WORST_CASE),
        "max_bm_factor": st.sampled_from([1, 3, 4, 1000]),
        "max_bm_res": st.sampled_from([0.0, 0.25, 1.0]),
    }
)
input_ranges = st.fixed_dictionaries(
    {
        "enable": mostly(True, False),
        "learn_input_range": mostly(True, False),
        "init_value": st.sampled_from([3.0, 1.0, 0.7, -1.0, 2.0, 1e-3]),
        "init_from_data": st.sampled_from([0, 1, 2, False, 100]),
        "init_std_alpha": st.sampled_from([3.0, 1.0, -0.5]),
        "decay": mostly(0.001, 0.0, 0.5, -1.0),
        "input_min_percentage": st.sampled_from([0.95, 0.0, 0.5, 1.0]),
        "gradient_scale": mostly(1.0, 0.3, -2.0),
        "gradient_relative": st.booleans(),
        "output_min_percentage": st.sampled_from([0.95, 0.5, 1.0]),
    }
)
readings = st.sampled_from(
    [
        rs.Choices(),
        rs.Choices.aihwkit(),
        rs.Choices(output_clip_mask="scaled_0_999"),
        rs.Choices(output_percentage_of="inputs"),
    ]
)
mappings = st.fixed_dictionaries(
    {
        "weight_scaling_omega": mostly(0.0, 1.0, 0.6, -1.0),
        "weight_scaling_columnwise": st.booleans(),
        "learn_out_scaling": st.booleans(),
        "out_scaling_columnwise": st.booleans(),
    }
)
modifiers = st.fixed_dictionaries(
    {
        "type": mostly(WM.NONE, WM.COPY, WM.ADD_NORMAL, WM.MULT_NORMAL, WM.DISCRETIZE),
        "std_dev": st.sampled_from([0.1, 0.0]),
        "res": st.sampled_from([0.125, 14, 127]),
        "sto_round": st.booleans(),
        "per_batch_sample": st.booleans(),
        "rel_to_actual_wmax": mostly(True, False),
        "assumed_wmax": st.sampled_from([1.0, 0.3]),
    }
)


def manage_output_clipping(draw: st.DrawFn, made: Any) -> Any:
    """The configuration, sometimes with output clipping managed, and with what that needs."""
    if not draw(mostly(False, True)):
        return made
    made.pre_post.input_range.manage_output_clipping = True
    made.choices.output_clipping_on_autograd_path = "supported"
    io = made.forward
    io.is_perfect, io.noise_management, io.bound_management = False, NM.NONE, BM.NONE
    io.out_bound = draw(st.sampled_from([1.0, 0.4, 0.1]))
    return made


@st.composite
def configs(draw: st.DrawFn, T: Type) -> Any:
    """Configurations that a tile on the autograd path honours."""
    made = rs.TorchInferenceRPUConfig(
        runtime=runtime(T),
        pre_post=rs.PrePostProcessingParameter(
            input_range=rs.InputRangeParameter(**draw(input_ranges))
        ),
        forward=rs.IOParameters(**draw(io_parameters)),
        mapping=rs.MappingParameter(**draw(mappings)),
        modifier=rs.WeightModifierParameter(**draw(modifiers)),
        choices=copy.deepcopy(draw(readings)),
    )
    return manage_output_clipping(draw, made)


# --- states and data ----------------------------------------------------------------------------


@dataclass
class Case:
    """A tile in some state (without its backend), and what is done with it."""

    config: Any
    T: Type
    sizes: tuple[int, int]
    seed: int
    training: bool
    arrays: dict[str, Array]
    batches: list[tuple[Array, Array]]

    def tile(self, backend: str) -> Any:
        """The tile on a backend."""
        O, I = self.sizes
        bias = "bias" in self.arrays
        tile = self.config.create_tile(O, I, bias=bias, seed=self.seed, backend=backend)
        for name, values in self.arrays.items():
            stored = tile.value(name)
            if stored is not None:
                stored[...] = values[: stored.shape[0]]
        return tile.train(self.training)


def edges(T: Type, config: Any, r: Scalar) -> st.SearchStrategy[Any]:
    """Inputs at the range, at ties of the converter, tiny, huge, and any others."""
    near = [r, np.nextafter(r, T(0)), np.nextafter(r, T(np.inf)), T(0), T(-0.0)]
    tiny = [np.finfo(T).smallest_subnormal, np.finfo(T).smallest_normal]
    points = [T(sign * value) for value in near + tiny for sign in (1, -1)]
    io = getattr(config, "forward", rs.IOParameters(is_perfect=True))
    step = 2 * abs(io.inp_bound) * (1 / io.inp_res if io.inp_res > 1 else max(io.inp_res, 0))
    with np.errstate(under="ignore"):
        tied = ties(T, T(step) * r, most=8) if step > 0 else st.nothing()
    return st.sampled_from(points) | tied | moderate(T)


@st.composite
def batch(draw: st.DrawFn, T: Type, lead: tuple[int, ...], columns: int, elements: Any) -> Array:
    """A batch, often with a row of zeros or a negative one."""
    x: Array = draw(arrays(T, (*lead, columns), elements))
    if x.ndim != 2 or not len(x) or draw(st.booleans()):
        return x
    rows = draw(st.lists(st.integers(0, len(x) - 1), min_size=1, unique=True))
    return planted(x, rows, draw(st.sampled_from(["zero", "negative"])))


@st.composite
def cases(draw: st.DrawFn, T: Type, count: int = 2, build: Any = configs) -> Case:
    """A tile with ``count`` batches; sometimes with values that overflow."""
    made = draw(build(T))
    O, I = draw(st.integers(1, 3)), draw(st.integers(1, 4))
    values = moderate(T) | wide(T) if draw(st.integers(0, 9)) == 0 else moderate(T)
    state = {"weight": draw(arrays(T, (O, I), values))}
    if draw(st.booleans()):
        state["bias"] = draw(arrays(T, (O,), values))
    factors = st.sampled_from([T(v) for v in (1, 0.5, 0.7, 3, -2)])
    for name in ("mapping_scales", "out_scaling_alpha"):
        if draw(st.booleans()):
            state[name] = draw(arrays(T, (O,), factors))
    r = T(made.pre_post.input_range.init_value)
    if draw(st.booleans()):
        r = draw(st.sampled_from([T(v) for v in (0.5, 1.3, -0.7, 8)]))
    state["input_range"] = np.full(1, r)
    batches = []
    for _ in range(count):
        lead = draw(st.sampled_from(LEADS))
        x = draw(batch(T, lead, I, edges(T, made, abs(r)) | values))
        batches.append((x, draw(batch(T, lead, O, values))))
    training = draw(mostly(True, False))
    return Case(made, T, (O, I), draw(seeds), training, state, batches)

"""The public contract: names, documentation, signatures, and the shapes and types of a tile's state."""

from __future__ import annotations

import inspect
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import refsim as rs
from tests.tile.cases import config, ranged

CONFIGURATIONS = (
    "TorchInferenceRPUConfig",
    "QuantizedTorchInferenceRPUConfig",
    "InferenceRPUConfig",
    "CustomRPUConfig",
    "FloatingPointRPUConfig",
    "PrePostProcessingRPU",
)
PARAMETERS = (
    "InputRangeParameter",
    "PeripheryQuantizationParameter",
    "PrePostProcessingParameter",
    "PrePostProcessingParameterQuant",
    "IOParameters",
    "MappingParameter",
    "RuntimeParameter",
    "WeightModifierParameter",
    "WeightClipParameter",
    "WeightRemapParameter",
    "ActivationQuantConfig",
    "CurrentMinMaxEstimatorParams",
    "RunningMinMaxEstimatorParams",
    "MSEEstimatorParams",
    "CrossEntropyEstimatorParams",
    "Choices",
)
ENUMS = (
    "AnalogMVType",
    "BoundManagementType",
    "InputRangeCalibrationType",
    "NoiseManagementType",
    "RPUDataType",
    "WeightClipType",
    "WeightModifierType",
    "WeightNoiseType",
    "WeightRemapType",
    "RangeEstimators",
    "OptMethod",
)
ERRORS = (
    "RefsimError",
    "ConfigError",
    "InputError",
    "ShapeError",
    "StateError",
    "VectorError",
    "BackendError",
    "RangeWarning",
)
REST = (
    "QuantizedTileModuleArray",
    "TileModuleArray",
    "calibrate_input_ranges",
    "calibrate_quantization_ranges",
    "calibration",
    "SGD",
    "save",
    "load",
    "TorchInferenceTile",
    "random",
    "__version__",
)


@pytest.mark.parametrize("name", [*CONFIGURATIONS, *PARAMETERS, *ENUMS, *ERRORS, *REST])
def test_the_names_of_the_contract(name: str) -> None:
    assert hasattr(rs, name)
    assert name in rs.__all__
    assert name in dir(rs)


def test_every_public_name_loads() -> None:
    for name in rs.__all__:
        assert getattr(rs, name) is not None
    with pytest.raises(AttributeError, match="nothing"):
        _ = rs.nothing  # type: ignore[attr-defined]


def documented() -> list[tuple[str, Any]]:
    """Public objects and the public methods of public classes."""
    found = []
    for name in rs.__all__:
        thing = getattr(rs, name)
        if inspect.isroutine(thing) or inspect.isclass(thing) or inspect.ismodule(thing):
            found.append((name, thing))
        if inspect.isclass(thing) and thing.__module__.startswith("refsim"):
            for key, member in vars(thing).items():
                if not key.startswith("_") and (
                    inspect.isroutine(member) or isinstance(member, property)
                ):
                    found.append((f"{name}.{key}", getattr(thing, key)))
    for module in (rs.random, rs.spec):
        names = [n for n, f in inspect.getmembers(module, inspect.isfunction) if n[0] != "_"]
        found += [(f"{module.__name__}.{n}", getattr(module, n)) for n in names]
    return found


@pytest.mark.parametrize(
    ("name", "thing"), documented(), ids=lambda value: value if isinstance(value, str) else ""
)
def test_every_public_object_is_documented(name: str, thing: Any) -> None:
    text = inspect.getdoc(thing)
    assert text, name
    first = text.splitlines()[0]
    assert first[-1] in ".]" or "\n\n" in text, f"{name}: {first}"
    assert not first.startswith(f"{name}("), f"{name} has only the docstring of a dataclass"


def test_errors_are_value_errors_where_a_value_is_wrong() -> None:
    for error in (rs.ConfigError, rs.InputError, rs.ShapeError):
        assert issubclass(error, ValueError)
    for error in (rs.StateError, rs.VectorError, rs.BackendError, rs.ConfigError):
        assert issubclass(error, rs.RefsimError)
    assert not issubclass(rs.StateError, ValueError)
    assert issubclass(rs.RangeWarning, UserWarning)


@pytest.mark.parametrize("backend", rs.backends.available())
def test_the_example_of_the_contract(backend: str, tmp_path: Any) -> None:
    quiet = {"noise_management": rs.NoiseManagementType.NONE}
    made = rs.TorchInferenceRPUConfig(
        pre_post=ranged(init_from_data=0),
        forward=rs.IOParameters(
            inp_res=254,
            out_res=254,
            out_noise=0.04,
            bound_management=rs.BoundManagementType.NONE,
            **quiet,
        ),
    )
    tile = made.create_tile(out_size=4, in_size=3, bias=True, seed=7, backend=backend)
    rng = np.random.default_rng(0)
    tile.set_weights(rng.normal(size=(4, 3)).astype(np.float32), np.ones(4, np.float32))
    x, dy = (rng.normal(size=(5, n)).astype(np.float32) for n in (3, 4))
    assert tile.train() is tile.eval() is tile.train()
    y = tile.train().forward(x)
    assert (y.shape, y.dtype) == ((5, 4), np.float32)
    dx = tile.backward(dy)
    assert (dx.shape, dx.dtype) == ((5, 3), np.float32)
    optimizer = rs.SGD(
        [tile], lr=0.05, momentum=0.0, dampening=0.0, weight_decay=0.0, nesterov=False
    )
    optimizer.step()
    optimizer.zero_grad()
    assert tile.gradients == {}
    y, trace = tile.forward(x, trace=True)
    clauses = [stage.clause for stage in trace]
    assert clauses.index("IR-1") < clauses.index("DC-3") < clauses.index("MV-1")
    assert clauses[-1] == "PP-2"
    rs.save(tmp_path / "tile.safetensors", tile)
    again = rs.load(tmp_path / "tile.safetensors")
    assert np.array_equal(again(x), tile(x))


@pytest.mark.parametrize("T", [np.float32, np.float64])
@pytest.mark.parametrize("columnwise", [True, False])
@pytest.mark.parametrize("learned", [True, False])
def test_shapes_and_types_of_the_state(T: Any, columnwise: bool, learned: bool) -> None:
    mapping = rs.MappingParameter(
        weight_scaling_omega=0.6,
        weight_scaling_columnwise=columnwise,
        learn_out_scaling=True,
        out_scaling_columnwise=columnwise,
    )
    made = config(T, {"out_noise": 0.1}, {"learn_input_range": learned}, mapping=mapping)
    tile = made.create_tile(4, 3, bias=True, backend="spec")
    many = (4,) if columnwise else (1,)
    shapes = {"weight": (4, 3), "bias": (4,), "out_scaling_alpha": many, "input_range": (1,)}
    if not learned:
        del shapes["input_range"]
    buffers: dict[str, Any] = {"mapping_scales": many, "input_range_update_idx": (1,)}
    if not learned:
        buffers["input_range"] = (1,)
    assert {name: value.shape for name, value in tile.parameters.items()} == shapes
    assert {name: value.shape for name, value in tile.buffers.items()} == buffers
    for name, value in {**tile.parameters, **tile.buffers}.items():
        assert value.dtype == (np.float32 if name == "input_range_update_idx" else T)
    assert tile.gradients == {}
    tile.forward(np.ones((2, 3)))
    tile.backward(np.ones((2, 4)))
    assert {name: value.shape for name, value in tile.gradients.items()} == shapes
    assert all(value.dtype == T for value in tile.gradients.values())


def test_options_are_named() -> None:
    """Noise and trace are given by name, so that their order may change."""
    for method, names in (("forward", {"noise", "trace"}), ("backward", {"trace"})):
        parameters = inspect.signature(getattr(rs.TorchInferenceTile, method)).parameters
        named = {n for n, p in parameters.items() if p.kind is inspect.Parameter.KEYWORD_ONLY}
        assert named == names


def test_importing_is_light() -> None:
    """Neither the package nor its configurations load a compiler, SciPy or the command line."""
    heavy = "numba llvmlite scipy rich typer cattrs safetensors matplotlib"
    code = f"""
import sys, refsim
refsim.TorchInferenceRPUConfig(), refsim.random.normal(0, "inp_noise", 0, 0)
refsim.TorchInferenceRPUConfig().create_tile(1, 1, backend="spec").forward([[1.0]])
print(*(name for name in {heavy.split()!r} if name in sys.modules))
"""
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout == "\n"


def test_importing_refsim_costs_little_beside_numpy() -> None:
    """At most 2.5 times `import numpy`, measured in one fresh interpreter; 1.01 was seen."""
    code = (
        "from time import perf_counter as now; start = now(); import numpy; middle = now(); "
        "import refsim; print((now() - start) / (middle - start))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 2.5

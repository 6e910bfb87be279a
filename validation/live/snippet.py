"""A case as a script for aihwkit alone, so that a finding can be seen without refsim."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import Any, Final

import numpy as np

from refsim.config.base import Parameters, field_hints
from refsim.conformance.cases import Case

MODULES: Final = {"CustomRPUConfig": "aihwkit.simulator.tiles.custom"}
OWN: Final = {"tile_class", "choices", "matmul", "runtime"}


def script(case: Case, interesting: str) -> str:
    """Python that does what the case asks for, and prints what is interesting of it."""
    name = type(case.config).__name__
    outputs, inputs = case.weight.shape
    lines = [
        "import torch",
        "from aihwkit.nn import AnalogLinear",
        "from aihwkit.optim import AnalogSGD",
        f"from {MODULES.get(name, 'aihwkit.simulator.configs')} import {name}",
        "",
        f"config = {name}()",
        *_settings(case.config),
        f"layer = AnalogLinear({inputs}, {outputs}, {case.bias is not None}, rpu_config=config)",
        "tile = next(layer.analog_tiles())",
        *_state(case),
        f"optimizer = AnalogSGD(layer.parameters(), {_sgd(case)})",
        "optimizer.regroup_param_groups(layer)",
    ]
    for step in case.steps:
        lines += _step(case, step)
    return "\n".join([*lines, *_shown(interesting)]) + "\n"


def _settings(config: Any) -> Iterator[str]:
    if hasattr(config, "drift_compensation") or hasattr(config, "modifier"):
        yield "config.drift_compensation = None"
    yield from _fields(config, type(config)(), "config")


def _fields(given: Any, default: Any, path: str) -> Iterator[str]:
    """Assignments for what differs from the defaults."""
    for name in _acting(given):
        value, before = getattr(given, name), getattr(default, name, None)
        if name in OWN or value == before:
            continue
        if name == "act_quant_config":
            yield from _quantiser(value)
        elif isinstance(value, Parameters) and type(value) is type(before):
            yield from _fields(value, before, f"{path}.{name}")
        elif isinstance(value, Enum):
            yield f"{path}.{name} = type({path}.{name})[{value.name!r}]"
        else:
            yield f"{path}.{name} = {value!r}"


def _acting(given: Any) -> list[str]:
    """The fields that matter: one of a perfect converter or of a range that is switched off."""
    if getattr(given, "is_perfect", False):
        return ["is_perfect"]
    return ["enable"] if getattr(given, "enable", True) is False else [*field_hints(type(given))]


def _quantiser(given: Any) -> Iterator[str]:
    yield "import aihwkit.simulator.parameters.quantization as quantization"
    arguments = f"n_bits={given.n_bits}, symmetric={given.symmetric}"
    yield f"config.act_quant_config = quantization.ActivationQuantConfig({arguments})"
    kind = given.range_estimator.name
    yield f"config.act_quant_config.range_estimator = quantization.RangeEstimators[{kind!r}]"
    params = given.range_estimator_params
    if params is not None:
        yield from _fields(params, type(params)(), "config.act_quant_config.range_estimator_params")


def _tensor(value: Any) -> str:
    array = np.asarray(value)
    numbers = str(array.tolist()).replace("nan", "float('nan')").replace("inf", "float('inf')")
    kind = "" if array.size else f".reshape{array.shape}"
    return f"torch.tensor({numbers}, dtype=torch.{array.dtype}){kind}"


def _state(case: Case) -> Iterator[str]:
    scales = case.state.get("mapping_scales")
    if scales is not None:
        yield "tile.set_mapping_scales(None)"
        yield f"tile.set_scales({_tensor(scales)})"
    elif case.tile().value("mapping_scales") is not None:
        yield "if tile.mapping_scales is not None:"
        yield "    tile.set_scales(torch.ones_like(tile.mapping_scales))"
    bias = "None" if case.bias is None else _tensor(case.bias)
    yield f"tile.set_weights({_tensor(case.weight)}, {bias}, apply_weight_scaling=False)"
    for name, value in case.state.items():
        if name in ("input_range", "input_range_update_idx", "out_scaling_alpha"):
            yield f"tile.{name}.data = {_tensor(value)}"
        elif name != "mapping_scales":
            yield f"# also, with no public way to set it: {name} = {np.asarray(value).tolist()}"


def _sgd(case: Case) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in vars(case.sgd).items())


def _step(case: Case, step: Any) -> Iterator[str]:
    yield ""
    if step.reload:
        outputs, inputs = case.weight.shape
        made = f"AnalogLinear({inputs}, {outputs}, {case.bias is not None}, rpu_config=config)"
        yield f"saved, layer = layer.state_dict(), {made}"
        yield "layer.load_state_dict(saved)"
        yield "tile = next(layer.analog_tiles())"
    yield f"layer.train({step.training})"
    yield f"x = {_tensor(step.x)}.requires_grad_()"
    yield "y = layer(x)"
    if step.dy is not None:
        yield "if y.requires_grad:"
        yield f"    y.backward({_tensor(step.dy)})"
    if step.update:
        yield "gradients = {n: p.grad for n, p in layer.named_parameters()}"
        yield "optimizer.step()"
        yield "optimizer.zero_grad()"


def _shown(interesting: str) -> Iterator[str]:
    yield ""
    yield 'print("output", y.detach().tolist())'
    if interesting.endswith("_gradient"):
        yield 'print("gradient of the input", x.grad)'
        yield "for name, p in layer.named_parameters():"
        yield '    print("gradient of", name, p.grad)'
    else:
        yield "for name, value in layer.state_dict().items():"
        yield '    if hasattr(value, "tolist") and "analog_ctx" not in name:'
        yield '        print("state", name, value.tolist())'

"""What a case asks of an implementation beyond a plain crossbar, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from refsim.config import (
    BoundManagementType,
    NoiseManagementType,
    WeightClipType,
    WeightModifierType,
    WeightRemapType,
)

from .model import Case

__all__ = ["FEATURES", "features"]


def _part(case: Case, name: str) -> Any:
    return getattr(case.config, name, None)


def _range(case: Case) -> Any:
    p = case.config.pre_post.input_range
    return p if p.enable else None


def _core(case: Case) -> Any:
    io = _part(case, "forward")
    return None if io is None or io.is_perfect else io


def _quantised(case: Case) -> Any:
    return getattr(case.config.pre_post, "periph_quant", None)


def _ranged(test: Callable[[Any], bool]) -> Callable[[Case], bool]:
    return lambda case: (p := _range(case)) is not None and bool(test(p))


def _cored(test: Callable[[Any], bool]) -> Callable[[Case], bool]:
    return lambda case: (io := _core(case)) is not None and bool(test(io))


def _mapped(test: Callable[[Any], bool]) -> Callable[[Case], bool]:
    return lambda case: (m := _part(case, "mapping")) is not None and bool(test(m))


def _typed(name: str, none: Any) -> Callable[[Case], bool]:
    return lambda case: (p := _part(case, name)) is not None and p.type != none


def _periphery(test: Callable[[Any], bool]) -> Callable[[Case], bool]:
    return lambda case: (q := _quantised(case)) is not None and q.n_bits > 0 and bool(test(q))


def _class(name: str) -> Callable[[Case], bool]:
    return lambda case: type(case.config).__name__ == name


def _asks(test: Callable[[Any], bool]) -> Callable[[Case], bool]:
    return lambda case: any(test(step) for step in case.steps)


TABLE: Final[dict[str, tuple[str, Callable[[Case], bool]]]] = {
    "bias": ("a digital bias", lambda case: case.bias is not None),
    "input_range": ("an input range", _ranged(lambda p: True)),
    "learned_range": ("a learned input range", _ranged(lambda p: p.learn_input_range)),
    "data_init": ("an input range initialised from data", _ranged(lambda p: p.init_from_data > 0)),
    "decay": ("decay of the input range", _ranged(lambda p: p.learn_input_range and p.decay > 0)),
    "output_clipping": (
        "growth of the range on output clipping",
        _ranged(lambda p: p.manage_output_clipping),
    ),
    "dac": ("rounding of inputs", _cored(lambda io: io.inp_res > 0)),
    "adc": ("rounding of outputs", _cored(lambda io: io.out_res > 0)),
    "asymmetry": (
        "asymmetries of converters",
        _cored(lambda io: io.inp_asymmetry != 0 or io.out_asymmetry != 0),
    ),
    "noise_management": (
        "noise management",
        _cored(lambda io: io.noise_management != NoiseManagementType.NONE),
    ),
    "bound_management": (
        "bound management",
        _cored(lambda io: io.bound_management != BoundManagementType.NONE),
    ),
    "noise": ("noise from given deviates", _asks(lambda step: bool(step.noise))),
    "noise_spread": (
        "output noise of a strength of its own for each output, `out_noise_values` of the state",
        _cored(lambda io: io.out_noise_std != 0),
    ),
    "mapping_scales": ("mapping scales", lambda case: "mapping_scales" in case.state),
    "out_scaling": ("learned output scales", _mapped(lambda m: m.learn_out_scaling)),
    "weight_modifier": ("weight modifiers", _typed("modifier", WeightModifierType.NONE)),
    "clip": ("weight clipping after an update", _typed("clip", WeightClipType.NONE)),
    "remap": ("weight remapping after an update", _typed("remap", WeightRemapType.NONE)),
    "quantised_periphery": ("a quantised periphery", _periphery(lambda q: True)),
    "asymmetric_periphery": (
        "asymmetric quantisers of the periphery",
        _periphery(lambda q: not q.symmetric),
    ),
    "learned_quantisers": (
        "learned quantisers of the periphery",
        _periphery(lambda q: q.learn_quant_params),
    ),
    "output_quantiser": (
        "an output quantiser",
        lambda case: getattr(_part(case, "act_quant_config"), "n_bits", 0) > 0,
    ),
    "eval": ("evaluation mode", _asks(lambda step: not step.training)),
    "backward": ("a backward pass", _asks(lambda step: step.dy is not None)),
    "sgd": ("optimiser steps", _asks(lambda step: step.update)),
    "momentum": ("momentum", lambda case: case.sgd.momentum != 0),
    "weight_decay": ("weight decay", lambda case: case.sgd.weight_decay != 0),
    "checkpoint": ("saving and loading", _asks(lambda step: step.reload)),
    "set_weights": (
        "setting logical weights, a method of the adapter",
        _asks(lambda step: step.weight is not None),
    ),
    "calibration": (
        "calibration of the input range, a method of the adapter",
        _asks(lambda step: step.calibration is not None),
    ),
    "many_axes": ("batches with more or less than two axes", _asks(lambda step: step.x.ndim != 2)),
    "empty_batch": ("empty batches", _asks(lambda step: step.x.size == 0)),
    "float64": ("float64", lambda case: case.T == "float64"),
    "quantised_tile": ("QuantizedTorchInferenceTile", _class("QuantizedTorchInferenceRPUConfig")),
    "inference_tile": ("InferenceTile (manual path)", _class("InferenceRPUConfig")),
    "custom_tile": ("CustomTile (manual path)", _class("CustomRPUConfig")),
    "floating_point_tile": ("FloatingPointTile", _class("FloatingPointRPUConfig")),
}

FEATURES: Final = {name: meaning for name, (meaning, _) in TABLE.items()}
"""Every feature with its meaning."""


def features(case: Case) -> frozenset[str]:
    """The features that a case asks for.

    Examples
    --------
    >>> import numpy as np, refsim as rs
    >>> from refsim.conformance.cases import Case, Step
    >>> config = rs.TorchInferenceRPUConfig(forward=rs.IOParameters(is_perfect=True))
    >>> one = np.ones((1, 1), np.float32)
    >>> sorted(features(Case(config, weight=one, bias=one[0], steps=(Step(x=one, training=False),))))
    ['bias', 'eval']
    """
    return frozenset(name for name, (_, asked) in TABLE.items() if asked(case))

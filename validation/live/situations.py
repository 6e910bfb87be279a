"""Situations in which aihwkit 1.1.0 is known to differ from refsim: a number, in words, and how to notice one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from refsim.config import OptMethod, WeightClipType, WeightModifierType, WeightRemapType


@dataclass(frozen=True)
class Moment:
    """A tile just before something is done with it."""

    what: str
    config: Any
    past: Mapping[str, Any]
    state: Mapping[str, Any]
    x: Any = None
    training: bool = False
    sgd: Mapping[str, Any] = field(default_factory=dict)

    def typed(self, name: str, none: Any) -> Any:
        """The type of a part of the configuration, or None."""
        part = getattr(self.config, name, None)
        return None if part is None or part.type == none else part.type

    @property
    def weight(self) -> Any:
        """The stored weight."""
        return self.state["weight"]


@dataclass(frozen=True)
class Situation:
    """One of them."""

    number: str
    what: str
    met: Callable[[Moment], bool]


def _step(m: Moment) -> bool:
    return m.what == "step"


def _unset(m: Moment) -> bool:
    delta = m.state.get("out_quantizer.delta")
    return m.what == "forward" and delta is not None and bool(np.isnan(delta).any())


def _searched(m: Moment) -> Any:
    """The parameters of a search for the range of outputs, or None."""
    config = getattr(m.config, "act_quant_config", None)
    params = None if config is None or config.n_bits <= 0 else config.range_estimator_params
    return params if hasattr(params, "range_opt_method") else None


def _no_margin(m: Moment) -> bool:
    params = _searched(m)
    return params is not None and params.range_margin == 0


def _lost(m: Moment) -> bool:
    """Whether a checkpoint leaves something out: what a search remembers, or a state other than the first."""
    states = [v for k, v in m.state.items() if k.endswith("_quantizer.state")]
    return m.what == "save" and (
        _searched(m) is not None or any(int(np.ravel(state)[0]) != 1 for state in states)
    )


def _golden(m: Moment) -> bool:
    params = _searched(m)
    return params is not None and params.range_opt_method == OptMethod.golden_section


def _tiny(m: Moment) -> bool:
    """Whether a reciprocal of the range or of the square of a scale overflows."""
    least = float(1 / np.finfo(np.float32).max)
    r = np.abs(m.state.get("input_range", np.ones(1)))
    s = np.abs(m.state.get("mapping_scales", np.ones(1))).astype(np.float64)
    return bool((r < least).any() or (s * s < least).any())


def _clipped_to_zero(m: Moment) -> bool:
    """Whether equal weights, whose deviation is 0, are clipped before they are remapped."""
    gaussian = m.typed("clip", WeightClipType.NONE) == WeightClipType.LAYER_GAUSSIAN
    return gaussian and bool(np.ptp(m.weight) <= 1e-6 * np.abs(m.weight).max())


def _unscaled(m: Moment) -> bool:
    """Whether columnwise scales are configured and do not exist."""
    mapping = getattr(m.config, "mapping", None)
    columnwise = mapping is not None and mapping.weight_scaling_columnwise
    return columnwise and mapping.weight_scaling_omega != 0 and "mapping_scales" not in m.state


def _shared(m: Moment) -> bool:
    """Whether several updates of a tile with a bias are pending, one of a single row among them."""
    rows = m.past.get("rows", ())
    custom = not hasattr(m.config, "clip")
    return _step(m) and custom and "bias" in m.state and len(rows) > 1 and 1 in rows


def _mixed(m: Moment) -> bool:
    """Whether updates of the manual path with different numbers of axes are pending."""
    return _step(m) and len(set(m.past.get("axes", ()))) > 1 and not hasattr(m.config, "clip")


def _overflows(m: Moment) -> bool:
    """Whether squares of outputs may leave float32."""
    if m.x is None or m.x.size == 0 or _searched(m) is None:
        return False
    peak = float(np.abs(m.x).max())
    if "input_range" in m.state:
        peak = min(peak, float(np.abs(m.state["input_range"][0])))
    scale = float(np.abs(m.state.get("mapping_scales", np.ones(1))).max())
    return peak * float(np.abs(m.weight).sum(dtype=np.float64)) * scale > 1e18


SITUATIONS: tuple[Situation, ...] = (
    Situation(
        "E-1",
        "a row of zeros is remapped",
        lambda m: (
            _step(m)
            and bool(m.typed("remap", WeightRemapType.NONE))
            and (not m.weight.any(axis=1).all() or _clipped_to_zero(m))
        ),
    ),
    Situation(
        "E-2",
        "one weight is clipped by its standard deviation",
        lambda m: (
            _step(m)
            and m.typed("clip", WeightClipType.NONE) == WeightClipType.LAYER_GAUSSIAN
            and m.weight.size == 1
        ),
    ),
    Situation("E-5", "columnwise scales before the first weights", _unscaled),
    Situation(
        "E-6",
        "mapping scales are loaded",
        lambda m: m.what == "save" and "mapping_scales" in m.state,
    ),
    Situation(
        "E-16",
        "an output quantiser without a range is used in evaluation",
        lambda m: _unset(m) and (not m.training or m.x.size == 0),
    ),
    Situation("E-29", "a search without margin, which may meet zeros alone", _no_margin),
    Situation("E-34", "a golden section, whose interval has ends", _golden),
    Situation(
        "E-35",
        "weights of zero are discretised",
        lambda m: (
            m.what == "forward"
            and m.training
            and m.typed("modifier", WeightModifierType.NONE) == WeightModifierType.DISCRETIZE
            and not m.weight.any()
        ),
    ),
    Situation("E-36", "a range or a scale with an inverse that overflows", _tiny),
    Situation("E-38", "a batch without rows", lambda m: m.what == "forward" and m.x.size == 0),
    Situation("E-39", "a checkpoint of quantisers that are fixed, learned or searched", _lost),
    Situation("E-37", "pending updates of batches with different numbers of axes", _mixed),
    Situation("E-41", "pending updates of a tile with a bias, from single rows", _shared),
    Situation("E-40", "a search among losses that leave float32", _overflows),
)
"""All of them, by the numbers of the errata."""

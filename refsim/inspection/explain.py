"""One element through a tile and back: each clause with its formula and its numbers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from refsim.config import NoiseManagementType, TorchInferenceRPUConfig, WeightModifierType
from refsim.errors import ConfigError, InputError, ShapeError
from refsim.spec.sums import Array
from refsim.tile import QuantizedTorchInferenceTile, TorchInferenceTile, Trace, settings
from refsim.tile.arrays import as_array
from refsim.tile.modifier import largest_weight

from .formulas import SYMBOLS, Facts, formulas, used

TERMS = 4
"""Terms of a sum that are written out."""
PER_OUTPUT = (
    "output_factor",
    "out_scaling_alpha",
    "out_scaling_gradient",
    "quantised_factor_gradient",
    "factor_gradient",
)
INPUT_SIDE = frozenset(
    "input clip_mask clipped_input scaled_input inp_sto_round rounded_input input_level dac_clip_mask inp_noise "  # noqa: SIM905
    "negative_mask converted_input converted_input_gradient dac_pass_mask scaled_gradient unmanaged_gradient "
    "scaled_input_gradient clipped_input_gradient clip_pass_mask input_gradient".split()
)


@dataclass(frozen=True)
class Step:
    """One clause at the element: its formula with symbols and with numbers, and the value."""

    clause: str
    name: str
    symbol: str
    formula: str
    numbers: str
    value: Any


@dataclass(frozen=True)
class Explanation:
    """The chain of one element, forward and backward."""

    row: int
    output: int
    input_index: int
    forward: list[Step]
    backward: list[Step]


def explain(
    config: Any,
    x: object,
    weight: object,
    row: int = 0,
    output: int = 0,
    input_index: int = 0,
    seed: int = 0,
    backend: str = "cpu",
) -> Explanation:
    """The chain from one input to one output of a fresh tile in training, and back from a gradient of 1.

    The gradient of the loss is 1 at the output of the row and 0 at all others.

    Parameters
    ----------
    config
        A :class:`refsim.TorchInferenceRPUConfig`, quantised or not.
    x
        ``(N, I)``, or ``(I,)`` for one row.
    weight
        ``(O, I)``.
    row, output, input_index
        The element.
    seed, backend
        Of the tile.

    Returns
    -------
    The :class:`Explanation`.

    Raises
    ------
    ConfigError, InputError, ShapeError
        If the configuration, an array or an index does not fit.

    Examples
    --------
    >>> import refsim as rs
    >>> io = rs.IOParameters(inp_res=4, out_res=-1, out_noise=0.0,
    ...     noise_management=rs.NoiseManagementType.NONE, bound_management=rs.BoundManagementType.NONE)
    >>> made = explain(rs.TorchInferenceRPUConfig(forward=io), [[0.6, 0.2]], [[2.0, -1.0]], backend="spec")
    >>> step = next(step for step in made.forward if step.name == "rounded_input")
    >>> step.formula, step.numbers, float(step.value)
    ('rint(v·σ / Δ)·Δ', 'rint(0.6·1 / 0.5)·0.5', 0.5)
    """
    tile, rows = _tile(config, x, weight, seed, backend)
    sizes = {"row": len(rows), "output": tile.out_size, "input_index": tile.in_size}
    for (name, size), index in zip(sizes.items(), (row, output, input_index), strict=True):
        if not 0 <= index < size:
            raise InputError(f"{name} is {index}, allowed are integers from 0 to {size - 1}.")
    _, forward = tile.forward(rows, trace=True)
    dy = np.zeros((len(rows), tile.out_size), tile.dtype)
    dy[row, output] = 1
    _, backward = tile.backward(dy, trace=True)
    chain = _Chain(tile, forward, backward, (row, output, input_index))
    return Explanation(row, output, input_index, chain.steps(forward), chain.steps(backward))


def _tile(
    config: Any, x: object, weight: object, seed: int, backend: str
) -> tuple[TorchInferenceTile, Array]:
    if not isinstance(config, TorchInferenceRPUConfig):
        name = type(config).__name__
        raise ConfigError(f"config is a {name}, allowed is a TorchInferenceRPUConfig.")
    T = settings.DATA_TYPES[config.runtime.data_type]
    rows, W = as_array(x, T, "input"), as_array(weight, T, "weight")
    if W.ndim != 2 or rows.ndim not in (1, 2) or rows.shape[-1] != W.shape[1] or not rows.size:
        raise ShapeError(
            f"input has shape {rows.shape} and weight {W.shape}, allowed are (N, I) or (I,), not empty, and (O, I)."
        )
    tile: TorchInferenceTile = config.create_tile(
        W.shape[0], W.shape[1], seed=seed, backend=backend
    )
    tile.set_weights(W)
    return tile.train(), np.atleast_2d(rows)


class _Chain:
    """The numbers of one element, by symbol, as the stages come."""

    def __init__(
        self, tile: TorchInferenceTile, forward: Trace, backward: Trace, place: tuple[int, int, int]
    ) -> None:
        self.place, self.tile = place, tile
        self.values: dict[str, Any] = _constants(tile, place)
        self.has = {stage.name for trace in (forward, backward) for stage in trace}
        self.has |= {name for name in ("s", "a") if name in self.values}
        io = settings.core(tile.config.forward, tile.dtype)
        self.has |= {"grid_in"} if io.dac.step else set()
        self.has |= {"grid_out"} if io.adc.step else set()
        self.has |= {"quantised"} if isinstance(tile, QuantizedTorchInferenceTile) else set()
        self.last: dict[str, Any] = {}

    def steps(self, trace: Trace) -> list[Step]:
        """The steps of one pass."""
        made = []
        for stage in trace:
            value, symbol = self._element(stage.name, stage.value), SYMBOLS[stage.name]
            self.last[stage.name] = stage.value
            facts = Facts(frozenset(self.has), frozenset(self._true(stage.name, value)))
            template = formulas(facts)[stage.name]
            texts = {name: text(number) for name, number in (self.values | self._sums()).items()}
            numbers = re.sub(r"([·/+−] ?)(−\d[\d.e+-]*)", r"\1(\2)", used(texts, template, False))
            formula = used(texts, template, True)
            made.append(Step(stage.clause, stage.name, symbol, formula, numbers, value))
            self.values[symbol] = value
        return made

    def _element(self, name: str, value: Any) -> Any:
        n, o, i = self.place
        array = np.asarray(value)
        if array.ndim == 0:
            return array[()]
        if array.ndim == 3:
            return array[n, o, i]
        if array.ndim == 2:
            if "weight" in name:
                return array[o, i]
            return array[n, i if name in INPUT_SIDE else o]
        if name in PER_OUTPUT or name.startswith("scale_quantizer"):
            return array[o if array.size > 1 else 0]
        if name.startswith("out_quantizer"):
            return array[0]
        return array[n]

    def _true(self, name: str, value: Any) -> set[str]:
        """The conditions that hold for the element, the mask of this very stage included."""
        masks = {k for k, v in self.last.items() if np.asarray(v).dtype == bool}
        true = {mask for mask in masks if self._element(mask, self.last[mask])}
        if "product" in self.last and self._element("product", self.last["product"]) < 0:
            true.add("negative_product")
        if self.last.get("deviation", 0) > 0:
            true.add("initialised")
        if "management_peak" in self.last and self._element("", self.last["management_peak"]) > 0:
            true.add("managed")
        if "management_mask" in true and self._at_peak():
            true.add("peak")
        return true | _settings_that_hold(self.tile, self.values)

    def _at_peak(self) -> bool:
        n, _, i = self.place
        at = bool(self.last["management_index"][n] == i)
        absolute = self.tile.config.forward.noise_management == NoiseManagementType.ABS_MAX
        one = self.tile.dtype.type(1)
        self.values["sign"] = np.sign(self.last["scaled_input"][n, i]) if absolute else one
        return at

    def _sums(self) -> dict[str, str]:
        """Sums over the inputs, written out as far as their factors are known."""
        n, o, _ = self.place
        weight = self.last.get("effective_weight")
        w = None if weight is None else weight[(n, o) if weight.ndim == 3 else o]
        v = self._row("scaled_input")
        d = self._row("converted_input") if "converted_input" in self.has else v
        dv = self._row("scaled_input_gradient", "unmanaged_gradient")
        factors = {"Σdw": (d, w), "ΣGqv": (self._row("scaled_gradient"), v), "ΣGvv": (dv, v)}
        return {name: _written_out(*pair) for name, pair in factors.items()}

    def _row(self, *names: str) -> Any:
        found = [self.last[name] for name in names if name in self.last]
        return found[0][self.place[0]] if found else None


def _written_out(a: Any, b: Any) -> str:
    if a is None or b is None:
        return ""
    terms = [f"{text(p)}·{text(q)}" for p, q in zip(a[:TERMS], b[:TERMS], strict=True)]
    return " + ".join([*terms, f"… ({len(a)} terms)"] if len(a) > TERMS else terms)


def _constants(tile: TorchInferenceTile, place: tuple[int, int, int]) -> dict[str, Any]:
    """Settings and stored values by symbol."""
    T, config, (_, o, i) = tile.dtype.type, tile.config, place
    mask = config.choices.output_clip_mask
    core, modifier = settings.core(config.forward, tile.dtype, mask), config.modifier
    largest = largest_weight(tile)
    additive = modifier.type == WeightModifierType.ADD_NORMAL
    noise = tile.buffers.get("out_noise_values")
    found: dict[str, Any] = {
        "Δ": core.dac.step, "b": core.dac.bound, "η": core.dac.noise, "f": core.dac.negative_factor,
        "Δₒ": core.adc.step, "bₒ": core.adc.bound, "fₒ": core.adc.negative_factor,
        "ηₒ": core.adc.noise if noise is None else noise[o],
        "bₘ": core.mask.bound,
        "o": core.out_scale, "θ": core.noise_cap, "w₀": tile.parameters["weight"][o, i], "Gv": T(0),
        "ηw": T(modifier.std_dev * (largest if additive else 1)),
        "Δw": T(settings.grid_step(modifier.res, largest)),
    }  # fmt: skip
    if (s := tile.buffers.get("mapping_scales")) is not None:
        found["s"] = s[o if s.size > 1 else 0]
    if (a := tile.parameters.get("out_scaling_alpha")) is not None:
        found["a"] = a[o if a.size > 1 else 0]
    p = config.pre_post.input_range
    if (
        r := settings.input_range(p, config.choices.gradient_scale_applies, tile.dtype)
    ) is not None:
        found |= {"γ": r.init_std_alpha, "λ": r.decay, "g": r.scale}
    return found


def _settings_that_hold(tile: TorchInferenceTile, values: dict[str, Any]) -> set[str]:
    io, p = tile.config.forward, tile.config.pre_post.input_range
    kind, NM = tile.config.modifier.type, NoiseManagementType
    noisy = tile.config.modifier.std_dev > 0
    conditions = {
        "absolute": io.noise_management == NM.ABS_MAX,
        "constant": io.noise_management == NM.CONSTANT and np.isfinite(values["θ"]),
        "additive": kind == WeightModifierType.ADD_NORMAL and noisy,
        "multiplicative": kind == WeightModifierType.MULT_NORMAL and noisy,
        "discrete": kind == WeightModifierType.DISCRETIZE and values["Δw"] != 0,
        "relative": p.gradient_relative,
        "inclusive": tile.config.choices.output_clip_mask == "scaled_0_999",
        "grows": values.get("pₒ", 1) < np.float32(p.output_min_percentage),
        "decays": p.decay > 0 and values.get("p", 0) > np.float32(p.input_min_percentage),
    }
    return {name for name, holds in conditions.items() if holds}


def text(value: Any) -> str:
    """A number to six digits, with a true minus."""
    if isinstance(value, str):
        return value
    if isinstance(value, np.bool_ | bool):
        return "yes" if value else "no"
    sign = "−" if np.signbit(value) else ""
    return sign + ("∞" if np.isinf(value) else f"{abs(value):.6g}")

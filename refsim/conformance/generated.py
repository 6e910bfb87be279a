"""Generated cases for every clause: arguments for each function of the specification.

A case is named by function, data type, number and seed, and can be made again from these alone:

>>> case = GeneratedCase("matrix_product", "float32", index=3, seed=0)
>>> [argument.shape for argument in case.arguments()]
[(1, 5), (1, 5)]
"""

from __future__ import annotations

import inspect
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from refsim import backends
from refsim.errors import VectorError
from refsim.spec.sums import Array

from .draws import Draw
from .quantiser_cases import QUANTISER_ARGUMENTS
from .range_cases import RANGE_ARGUMENTS

__all__ = ["ARGUMENTS", "GeneratedCase", "clauses"]

Arguments = tuple[Any, ...]


@dataclass(frozen=True)
class GeneratedCase:
    """A generated call of one function of the specification.

    Parameters
    ----------
    function
        Its name.
    dtype
        ``"float32"`` or ``"float64"``.
    index, seed
        Number of the case, and the seed of all.
    """

    function: str
    dtype: str
    index: int
    seed: int

    def arguments(self) -> Arguments:
        """The arguments, made afresh."""
        T = np.dtype(self.dtype)
        entropy = (self.seed, zlib.crc32(self.function.encode()), T.itemsize, self.index)
        return ARGUMENTS[self.function](Draw(entropy, T, self.index))

    def __str__(self) -> str:
        return f"{self.function}, {self.dtype}, case {self.index}, seed {self.seed}"


def clauses() -> dict[str, str]:
    """The clause id of each function of the specification, from the end of the first line of its docstring.

    Raises
    ------
    VectorError
        If a function has no clause id, or no generated cases.
    """
    spec = backends.load("spec")
    found: dict[str, str] = {}
    for name in spec.__all__:
        first = (inspect.getdoc(getattr(spec, name)) or "").partition("\n")[0]
        match = re.search(r"\[([A-Z]{2}-\d+)\]$", first)
        if match is None or name not in ARGUMENTS:
            raise VectorError(
                f"the function {name} of the specification has no clause or no generated cases."
            )
        found[name] = match[1]
    return dict(sorted(found.items(), key=lambda item: (item[1][:2], int(item[1][3:]))))


# ----- sums and products


def _one_array(d: Draw) -> Arguments:
    return (d.terms(max(d.N, 1), d.I),)


def _two_or_more(d: Draw) -> Arguments:
    values = d.array(max(d.N, 2), d.I)
    if d.chance(0.2):
        values[...] = values.flat[0]
    return (values,)


def _pairs(d: Draw) -> Arguments:
    if d.chance(0.3):
        a, b = d.factors_of_ties(d.N, d.N, d.I)
        return a, b
    return d.terms(d.N, d.I), d.terms(d.N, d.I)


def _columns_of_pairs(d: Draw) -> Arguments:
    x, y = _pairs(d)
    return np.ascontiguousarray(x.T), np.ascontiguousarray(y.T)


def _product(d: Draw) -> Arguments:
    return (
        d.factors_of_ties(d.N, d.O, d.I)
        if d.chance(0.3)
        else (d.terms(d.N, d.I), d.terms(d.O, d.I))
    )


def _transposed(d: Draw) -> Arguments:
    g, w = (
        d.factors_of_ties(d.N, d.I, d.O)
        if d.chance(0.3)
        else (d.terms(d.N, d.O), d.terms(d.I, d.O))
    )
    return g, np.ascontiguousarray(w.T)


def _outer(d: Draw) -> Arguments:
    g, x = (
        d.factors_of_ties(d.O, d.I, d.N)
        if d.chance(0.3)
        else (d.terms(d.O, d.N), d.terms(d.I, d.N))
    )
    return np.ascontiguousarray(g.T), np.ascontiguousarray(x.T)


# ----- input range


def _from_data(d: Draw) -> Arguments:
    counter = d.of(0, 1, 2, 3, 99, 2**24 - 1, 2**24)
    return d.signed_range(), counter, d.positive(), d.of(3, 1, 2.5, 0, -1)


def _input_and_range(d: Draw) -> Arguments:
    r = d.signed_range()
    return d.near((d.N, d.I), r), r


def _clipped(d: Draw) -> tuple[Any, Any]:
    x, r = _input_and_range(d)
    bound = np.abs(r)
    return np.where(x < -bound, -bound, np.where(x > bound, bound, x)), r


def _rule_sums(d: Draw) -> Arguments:
    c, r = _clipped(d)
    return c, d.array(d.N, d.I), r


def _rule(d: Draw) -> Arguments:
    return -np.abs(d.number()), np.abs(d.number()), d.signed_range(), d.chance(), d.factor()


def _decay(d: Draw) -> Arguments:
    threshold = np.float32(d.of(0.95, 0.5, 0, 1))
    beside = [np.nextafter(threshold, np.float32(to)) for to in (0, 2)]
    fraction = d.rng.choice(np.array([threshold, *beside, 0, 1, np.nan], dtype=np.float32))
    return d.number(), d.signed_range(), d.of(0, 0.001, 0.5), np.float32(fraction), threshold


def _input_gradient(d: Draw) -> Arguments:
    x, r = _input_and_range(d)
    return d.array(d.N, d.I), x, r


# ----- management and converters


def _peaks(d: Draw) -> Arguments:
    cap = d.bound()
    return np.where(d.mask(d.N), d.near((d.N,), cap, d.T.type(0)), d.array(d.N)), cap


def _management_gradient(d: Draw) -> Arguments:
    return d.array(d.N), d.array(d.N), d.row_scales(d.N), d.row_scales(d.N), d.factor()


def _peak_gradient(d: Draw) -> Arguments:
    index = d.rng.integers(d.I, size=d.N)
    sign = d.rng.choice(np.array([-1, 0, 1], dtype=d.T), size=d.N)
    return d.array(d.N, d.I), d.array(d.N), index, d.mask(d.N), sign


def _grid(d: Draw) -> Arguments:
    step = d.step()
    return d.ties((d.N, d.I), step), step, d.uniforms(d.N, d.I)


def _near_bound(d: Draw) -> Arguments:
    bound = d.bound()
    return d.near((d.N, d.I), bound), bound


def _dac(d: Draw) -> Arguments:
    step, bound, noise = d.step(), d.bound(), d.deviates(d.N, d.I)
    v = d.ties((d.N, d.I), step) if d.chance() else d.near((d.N, d.I), bound)
    sigma = np.ones(d.N, d.T) if d.chance() else d.row_scales(d.N)
    return v, sigma, step, bound, d.uniforms(d.N, d.I), noise, np.abs(d.factor()), d.factor()


def _adc(d: Draw) -> Arguments:
    step, bound, noise = d.step(), d.bound(), d.deviates(d.N, d.O)
    m = d.ties((d.N, d.O), step) if d.chance() else d.near((d.N, d.O), bound)
    return m, step, bound, d.uniforms(d.N, d.O), noise, np.abs(d.scales(d.O)), d.factor()


def _crossbar_input(d: Draw) -> Arguments:
    r = d.signed_range() if d.chance(0.8) else None
    x = d.moderate_near((d.N, d.I), d.T.type(1) if r is None else r)
    if x.size and d.chance(0.1):
        x.flat[d.rng.integers(x.size)] = d.of(np.nan, np.inf, -np.inf)
    sigma = np.ones(d.N, d.T) if d.chance() else d.row_scales(d.N)
    noise = d.deviates(d.N, d.I), np.abs(d.factor()), d.factor()
    return x, r, sigma, d.step(), d.bound(), d.uniforms(d.N, d.I), *noise


def _crossbar_output(d: Draw) -> Arguments:
    a, b = _product(d)
    step = d.step()
    if d.chance() and np.isfinite(a).all():
        a, b = d.moderate(d.N, d.I), d.moderate(d.O, d.I)
        if d.chance():  # products of multiples of 1/8 are often half-way between steps of 1/4
            a, b, step = np.rint(8 * a) / 8, np.rint(b), d.T.type(0.25)
    adc = (
        step,
        d.bound(),
        d.uniforms(d.N, d.O),
        d.deviates(d.N, d.O),
        np.abs(d.scales(d.O)),
        d.factor(),
    )
    factors = (d.scales(d.O) if d.chance() else None for _ in range(2))
    bias = d.array(d.O) if d.chance() else None
    return a, b, *adc, d.row_scales(d.N), d.factor(), *factors, bias


def _crossbar_output_gradient(d: Draw) -> Arguments:
    bound = d.bound()
    kappa, s = (d.scales(d.O) if d.chance() else None for _ in range(2))
    t = d.moderate_near((d.N, d.O), bound) if d.chance(0.7) else d.near((d.N, d.O), bound)
    return d.array(d.N, d.O), t, d.row_scales(d.N), d.factor(), bound, kappa, s


def _crossbar_input_gradient(d: Draw) -> Arguments:
    r, bound = d.signed_range(), d.bound()
    x = d.moderate_near((d.N, d.I), r)
    sigma = np.ones(d.N, d.T) if d.chance() else d.row_scales(d.N)
    return d.array(d.N, d.I), x, r, sigma, d.step(), bound, d.uniforms(d.N, d.I)


def _adc_gradient(d: Draw) -> Arguments:
    bound = d.bound()
    t, m = d.near((d.N, d.O), bound), d.near((d.N, d.O), d.T.type(0))
    return d.array(d.N, d.O), d.row_scales(d.N), d.factor(), t, bound, m, d.factor()


def _dac_gradient(d: Draw) -> Arguments:
    bound = d.bound()
    return d.array(d.N, d.I), d.near((d.N, d.I), bound), bound, d.mask(d.N, d.I), d.factor()


# ----- the manual path


def _sums_of_rows(d: Draw) -> Arguments:
    peak = np.where(d.mask(d.N), np.abs(d.array(d.N)), d.T.type(0))
    sums = np.where(peak > 0, np.maximum(peak, np.abs(d.array(d.N))), peak)
    return peak, sums, np.abs(d.factor()), d.of(np.inf, 0.5, 1, 8, 31.5)


def _running(d: Draw) -> Arguments:
    start = d.of(-1, 0) if d.chance() else np.abs(d.number())
    return np.abs(d.array(d.N)), start, d.of(0.999, 0.5), d.of(0.001, 0.5)


def _row_bound(d: Draw) -> Arguments:
    return *_near_bound(d), d.chance()


def _output_share(d: Draw) -> Arguments:
    return d.mask(d.N, d.O), d.N * (d.O if d.chance() else d.I)


def _growth(d: Draw) -> Arguments:
    threshold = np.float32(d.of(0.95, 0.5, 0, 1))
    beside = [np.nextafter(threshold, np.float32(to)) for to in (-1, 2)]
    fraction = d.rng.choice(np.array([threshold, *beside, 0, 1, -0.5, np.nan], dtype=np.float32))
    return d.number(), d.signed_range(), np.float32(fraction), threshold


# ----- weights, periphery, optimiser


def _weight_noise(d: Draw) -> Arguments:
    shape = (d.N, d.O, d.I) if d.chance() else (d.O, d.I)
    return d.array(d.O, d.I), d.array(*shape), np.abs(d.factor())


def _discretised(d: Draw) -> Arguments:
    step = d.step()
    shape = (d.N, d.O, d.I) if d.chance() else (d.O, d.I)
    return d.ties((d.O, d.I), step), step, d.uniforms(*shape)


def _sgd(d: Draw) -> Arguments:
    shape = (d.O, d.I)
    momentum = d.of(0, 0.9, 0.5)
    velocity = d.array(*shape) if momentum and d.chance() else None
    nesterov = bool(momentum) and d.chance()
    return (
        d.array(*shape),
        d.array(*shape),
        velocity,
        d.factor(),
        momentum,
        d.of(1, 0.9),
        d.of(0, 0.01),
        nesterov,
    )


# ----- networks


def _logits(d: Draw) -> Array:
    """Logits of one or more classes, often with equal ones and with a large spread."""
    y: Array = d.moderate(d.N, d.O) * d.of(1, 1, 30, 1000)
    if y.size and d.chance(0.1):
        y.flat[d.rng.integers(y.size)] = d.of(np.nan, np.inf, -np.inf, float(d.info.max))
    return y


def _classified(d: Draw) -> Arguments:
    return _logits(d), d.rng.integers(d.O, size=d.N)


# ----- arrays and calibration


def _place(d: Draw) -> Arguments:
    """Values and a place between two of them, often many of them equal."""
    values = d.array(max(d.N, 1), d.I)
    index = int(d.rng.integers(values.size))
    last = index == values.size - 1
    return values, index, d.T.type(0) if last else d.of(0, 0.5, 0.95, 1, 1 / 3)


# ----- random numbers and elementary functions


def _words(d: Draw) -> Arguments:
    counter = tuple(d.rng.integers(2**32, size=d.I, dtype=np.uint64) for _ in range(4))
    return (d.integer(2**32), d.integer(2**32)), counter


def _address(d: Draw) -> Arguments:
    return d.integer(2**64), d.integer(2**16), d.integer(2**32), d.integer(2**16), d.N * d.I


def _angles(d: Draw) -> Arguments:
    eighths = d.rng.integers(8, size=d.I) * 2**21 + d.rng.integers(-1, 2, size=d.I)
    anywhere = d.rng.integers(2**24, size=d.I)
    return ((np.where(d.mask(d.I), eighths, anywhere) % 2**24 * 2.0**-24).astype(np.float32),)


def _logarithm(d: Draw) -> Arguments:
    x = np.abs(d.near((max(d.N, 1) * d.I,), d.T.type(1), d.T.type(np.sqrt(0.5))))
    x[-1] = d.of(0, np.inf, np.nan, -1, float(d.info.max), float(d.info.smallest_subnormal))
    return (x,)


def _exponential(d: Draw) -> Arguments:
    multiples = d.rng.integers(-1100, 1100, size=max(d.N, 1) * d.I) * np.log(2) / 2
    x = np.where(d.mask(multiples.size), multiples, d.rng.standard_normal(multiples.size)).astype(
        d.T
    )
    x[-1] = d.of(0, -0.0, np.inf, -np.inf, np.nan, float(d.info.max), float(d.info.tiny))
    return (x,)


ARGUMENTS: Final[dict[str, Callable[[Draw], Arguments]]] = {
    "abs_max": lambda d: (d.array(d.O, d.I),),
    "adc_gradient": _adc_gradient,
    "add_peak_gradient": _peak_gradient,
    "additive_noise_weight": _weight_noise,
    "analog_to_digital": _adc,
    "clip": _near_bound,
    "clipped_input": _input_and_range,
    "clipped_weight": lambda d: (d.array(d.O, d.I), d.number() if d.chance() else d.bound()),
    "column_product_totals": _columns_of_pairs,
    "column_totals": lambda d: (d.terms(d.N, d.I),),
    "cross_entropy": _classified,
    "cross_entropy_gradient": _classified,
    "crossbar_input": _crossbar_input,
    "crossbar_input_gradient": _crossbar_input_gradient,
    "crossbar_output": _crossbar_output,
    "crossbar_output_gradient": _crossbar_output_gradient,
    "dac_gradient": _dac_gradient,
    "digital_to_analog": _dac,
    "discretised_weight": _discretised,
    "exp": _exponential,
    "gaussian_bound": lambda d: (np.abs(d.number()), d.of(2.5, 1.2, 0), d.of(-1, 0, 0.4, 1)),
    "input_scale": lambda d: (d.row_scales(d.N), d.of(1, 2, 4, 1024)),
    "log": _logarithm,
    "management_gradient": _management_gradient,
    "management_scale": _peaks,
    "mapping_scales": lambda d: (d.array(d.O, d.I), d.of(1, 0.6, 3), d.chance()),
    "masked_gradient": lambda d: (d.array(d.N, d.O), d.mask(d.N, d.O)),
    "matrix_product": _product,
    "mean": _one_array,
    "merged_scale": lambda d: (d.scales(1), d.scales(d.O)),
    "averaged_range": lambda d: (d.signed_range(), d.of(0, 1, 2, 99, 2**24), d.positive()),
    "multiplicative_noise_weight": _weight_noise,
    "normal": _address,
    "on_grid": _grid,
    "outer_product_sum": _outer,
    "output_clip_mask": _row_bound,
    "per_sample_product": lambda d: (d.terms(d.N, d.I), d.terms(d.N, d.O, d.I)),
    "per_sample_transposed_product": lambda d: (d.terms(d.N, d.O), d.terms(d.N, d.O, d.I)),
    "philox": _words,
    "product_total": _pairs,
    "quantile": _place,
    "range_decay": _decay,
    "range_from_data": _from_data,
    "range_growth": _growth,
    "range_input_gradient": _input_gradient,
    "range_residual": lambda d: (d.number(), d.number(), d.signed_range()),
    "range_rule": _rule,
    "range_rule_sums": _rule_sums,
    "rate_compensation": lambda d: (d.scales(d.O),),
    "relu": lambda d: (d.near((d.N, d.I), d.T.type(0)),),
    "relu_gradient": lambda d: (d.array(d.N, d.I), d.near((d.N, d.I), d.T.type(0))),
    "rescaled_output": lambda d: (d.array(d.N, d.O), d.row_scales(d.N), d.factor()),
    "row_abs_max": lambda d: (d.array(d.N, d.I),),
    "row_max": lambda d: (d.array(d.N, d.I),),
    "row_product_totals": _pairs,
    "row_scaled": lambda d: (d.array(d.O, d.I), d.scales(d.O)),
    "row_sum_peak": lambda d: (d.array(d.N, d.I),),
    "rows_within_bound": _row_bound,
    "running_peak": _running,
    "scaled_input": _clipped,
    "scaled_output": lambda d: (d.array(d.N, d.O), d.scales(d.O)),
    "sgd_step": _sgd,
    "shifted_output": lambda d: (d.array(d.N, d.O), d.array(d.O)),
    "softmax": lambda d: (_logits(d),),
    "split_sizes": lambda d: (d.integer(4096) + 1, int(d.of(-1, 0, 1, 7, 16, 512, 4096))),
    "split_sum": lambda d: (d.array(d.I, d.N, d.O),),
    "standard_deviation": _two_or_more,
    "stored_weight": lambda d: (d.array(d.O, d.I), d.scales(d.O)),
    "stored_weight_gradient": lambda d: (d.array(d.O, d.I), d.scales(d.O)),
    "sum_management_scale": _sums_of_rows,
    "total": _one_array,
    "transposed_product": _transposed,
    "unclipped_fraction": _clipped,
    "unclipped_output_fraction": _output_share,
    "uniform": _address,
    "unit_circle": _angles,
    "unscaled_gradient": lambda d: (d.array(d.N, d.O), d.scales(d.O), d.factor()),
    "within_bound": _near_bound,
    **QUANTISER_ARGUMENTS,
    **RANGE_ARGUMENTS,
}
"""How to draw the arguments of each function of the specification."""

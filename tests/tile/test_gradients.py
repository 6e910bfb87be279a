"""Gradients against central differences where the gradient is a derivative.

Without rounding the loss is piecewise linear in each parameter, in the input, and (for inputs
inside the range) in the range itself, so that a central difference has no truncation error; where
the second difference vanishes, no kink lies between. What is left are the roundings of y: at most 20
on the way from the parameters, so that ``|error(loss)| <= 20 u M`` with M the loss of the absolute
values, and the difference quotient errs by at most ``20 u M / h``; 64 covers both sides.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import refsim as rs
from tests.exact import Array
from tests.strategies import arrays
from tests.tile.cases import NM, config

U, H = 2.0**-53, 2.0**-8
T = np.float64


@st.composite
def smooth(draw: st.DrawFn) -> tuple[Any, dict[str, Any]]:
    """A tile without rounding, with noise of a fixed address, and data."""
    io = {
        "inp_bound": draw(st.sampled_from([-1.0, 0.5, 1.0])),
        "inp_asymmetry": draw(st.sampled_from([0.0, 0.25])),
        "inp_noise": draw(st.sampled_from([0.0, 0.1])),
        "out_bound": draw(st.sampled_from([-1.0, 1.0, 12.0])),
        "out_asymmetry": draw(st.sampled_from([0.0, -0.5])),
        "out_noise": draw(st.sampled_from([0.0, 0.2])),
        "out_scale": draw(st.sampled_from([1.0, 0.75])),
        "is_perfect": draw(st.integers(0, 5)) == 0,
        "noise_management": draw(st.sampled_from([NM.NONE, NM.ABS_MAX, NM.MAX, NM.CONSTANT])),
        "nm_thres": draw(st.sampled_from([0.0, 0.5, 2.0])),
    }
    ranged = draw(st.booleans())
    mapping = rs.MappingParameter(
        weight_scaling_omega=draw(st.sampled_from([0.0, 0.6])),
        weight_scaling_columnwise=draw(st.booleans()),
        learn_out_scaling=draw(st.booleans()),
        out_scaling_columnwise=draw(st.booleans()),
    )
    r = {"init_value": 2.5, "decay": 0.0} if ranged else None
    made = config(T, io, r, mapping=mapping)
    digits = st.floats(4 * H, 2)
    numbers = digits | digits.map(lambda v: -v)  # an input of 0 would be a kink of the management
    data = {"weight": (2, 3), "bias": (2,), "x": (2, 3), "dy": (2, 2)}
    return made, {name: draw(arrays(T, shape, numbers)) for name, shape in data.items()}


def built(made: Any, data: dict[str, Array], backend: str) -> Any:
    tile = made.create_tile(2, 3, bias=True, seed=3, backend=backend)
    tile.set_weights(data["weight"], data["bias"])
    if "out_scaling_alpha" in tile.parameters:
        tile.parameters["out_scaling_alpha"][...] = 1.5
    return tile


def loss(tile: Any, data: dict[str, Array]) -> Fraction:
    """The exact sum of dy * y, with the noise of step 0."""
    tile.step = 0
    y = tile.forward(data["x"])
    terms = zip(data["dy"].flat, y.flat, strict=True)
    return sum((Fraction(float(g)) * Fraction(float(v)) for g, v in terms), Fraction(0))


def size_of_loss(tile: Any, data: dict[str, Array]) -> float:
    """M: the loss with the absolute value of every term, doubled for the steps on both sides."""
    w, dy = np.abs(tile.get_weights()[0]), np.abs(data["dy"])
    x = np.abs(data["x"]) + 1
    peak = np.maximum(x.max(axis=1), 1)[:, None]
    noisy = (x + peak) @ w.T + peak * np.abs(
        tile.get_scales() if tile.get_scales() is not None else 1
    )
    return 2 * float((dy * (4 * noisy * 2.5 + np.abs(data["bias"]))).sum())


def check(tile: Any, data: dict[str, Array], live: Array, gradient: Array, factor: Array) -> None:
    """Every element of an array against its central difference."""
    bound = Fraction(64 * U * size_of_loss(tile, data) / H)
    middle = loss(tile, data)
    for place in np.ndindex(*live.shape):
        value = live[place]
        sides = []
        for sign in (1, -1):
            live[place] = value + sign * H
            sides.append(loss(tile, data))
        live[place] = value
        step = Fraction(float(value + H)) - Fraction(float(value - H))
        if abs(sides[0] - 2 * middle + sides[1]) > bound * Fraction(H):
            continue  # a kink lies between
        exact = (sides[0] - sides[1]) / step
        given_ = Fraction(float(gradient[place])) * Fraction(float(factor[place]))
        assert abs(given_ - exact) <= bound, (place, float(given_), float(exact))


@pytest.mark.clause("BP-1", "BP-2", "IR-8", "IR-9", "MS-3", "MV-3", "MV-4")
@given(case=smooth())
def test_central_differences(backend: str, case: tuple[Any, dict[str, Array]]) -> None:
    made, data = case
    tile = built(made, data, backend)
    loss(tile, data)
    dx = tile.backward(data["dy"])
    gradients = dict(tile.gradients)
    check(tile, data, data["x"], dx, np.ones_like(dx))
    s = tile.value("mapping_scales")
    for name, gradient in gradients.items():
        factor = np.ones_like(gradient)
        if name == "weight" and s is not None:  # the stored gradient is divided by s twice
            factor = factor * (s * s)[:, None]
        check(tile, data, tile.parameters[name], gradient, factor)


@pytest.mark.clause("NM-4", "NM-5")
@given(case=smooth())
def test_the_management_term_matters(backend: str, case: tuple[Any, dict[str, Array]]) -> None:
    """Where the input converter clips, the gradient of the peak input carries the divisor's."""
    made, data = case
    changes = {"is_perfect": False, "noise_management": NM.ABS_MAX, "nm_thres": 0.0}
    for name, value in {**changes, "inp_bound": 0.5, "out_bound": -1.0}.items():
        setattr(made.forward, name, value)
    tile = built(made, data, backend)
    loss(tile, data)
    check(tile, data, data["x"], tile.backward(data["dy"]), np.ones((2, 3)))

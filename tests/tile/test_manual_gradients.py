"""Gradients of the manual path against central differences, where they are derivatives.

Input, bias and learned output scale have one: with an ideal product and inputs inside the range the loss is linear in
each. The weight gradient is the derivative over :math:`r s^2 c`. See ``test_gradients`` for the bound.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import refsim as rs
from tests.exact import Array
from tests.strategies import arrays
from tests.tile.cases import ranged
from tests.tile.test_gradients import H, T, built, check, loss


@st.composite
def smooth(draw: st.DrawFn) -> tuple[Any, dict[str, Array], float]:
    """A tile with an ideal product, data inside its range, and the range."""
    r = draw(st.sampled_from([None, 2.5, 4.0]))
    parts: dict[str, Any] = {
        "runtime": rs.RuntimeParameter(data_type=rs.RPUDataType.DOUBLE),
        "mapping": rs.MappingParameter(
            weight_scaling_omega=draw(st.sampled_from([0.0, 0.6])),
            weight_scaling_columnwise=draw(st.booleans()),
            weight_scaling_lr_compensation=draw(st.booleans()),
            learn_out_scaling=draw(st.booleans()),
            out_scaling_columnwise=draw(st.booleans()),
        ),
    }
    if r is not None:
        parts["pre_post"] = ranged(init_value=r, decay=0.0)
    kind = draw(st.sampled_from([rs.FloatingPointRPUConfig, rs.InferenceRPUConfig]))
    if kind is rs.InferenceRPUConfig:
        parts["forward"] = rs.IOParameters(is_perfect=True)
    digits = st.floats(4 * H, 2)
    numbers = digits | digits.map(lambda v: -v)
    data = {"weight": (2, 3), "bias": (2,), "x": (2, 3), "dy": (2, 2)}
    drawn = {name: draw(arrays(T, shape, numbers)) for name, shape in data.items()}
    return kind(**parts), drawn, 1.0 if r is None else r


@pytest.mark.clause("MV-3", "MV-4", "MS-4", "MS-5", "PP-1")
@given(case=smooth())
def test_central_differences(backend: str, case: tuple[Any, dict[str, Array], float]) -> None:
    made, data, r = case
    tile = built(made, data, backend)
    loss(tile, data)
    dx = tile.backward(data["dy"])
    gradients = dict(tile.gradients)
    check(tile, data, data["x"], dx, np.ones_like(dx))
    s = tile.value("mapping_scales")
    for name, gradient in gradients.items():
        if name == "input_range":
            continue  # a rule, no derivative
        factor = np.ones_like(gradient)
        if name == "weight":
            c = 1.0
            if s is not None and made.mapping.weight_scaling_lr_compensation:
                c = 1 / float(np.mean(s))
            factor = factor * r * (1 if s is None else (s * s)[:, None] * c)
        check(tile, data, tile.parameters[name], gradient, factor)

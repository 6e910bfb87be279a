"""The chain of one element of a quantised tile."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import refsim as rs
from refsim.inspection import explain
from tests.tile.quantised import SCALED, config

X = np.array([[0.5, -2.0], [1.0, 2.0]], np.float32)
W = np.array([[0.5, -1.0], [2.0, 0.25]], np.float32)


def test_a_chain_by_hand() -> None:
    """Scales 2 and 4 on a grid of 2 bits, outputs on one of 3 bits."""
    mapping = {"weight_scaling_omega": 0.5, "weight_scaling_columnwise": True}
    made = config(bits=2, out_bits=3, mapping=mapping, out_symmetric=False)
    found = explain(made, X, W, 0, 0, 1, backend="spec")
    steps = {step.name: step for step in (*found.forward, *found.backward)}
    value = {name: float(step.value) for name, step in steps.items()}
    assert value["output_factor"] == 2.0
    assert value["scale_quantizer_codes"] == 2.0
    assert steps["scale_quantizer_codes"].numbers == "rint(2 / 1.33333) + 0, clipped"
    assert steps["scaled_output"].formula == "z·κ̂"
    assert steps["output"].formula == "ŷ"
    assert steps["core_output_gradient"].formula == "Gy·κ̂"
    assert value["output"] == value["out_quantizer_quantised"]
    lo, hi = value["out_quantizer_lo"], value["out_quantizer_hi"]
    assert lo <= value["scaled_output"] <= hi


OPTIONS: list[tuple[Any, ...]] = [
    *itertools.product((0, 3), (0, 3), (None, {}), ({}, SCALED, {"learn_out_scaling": True}))
]


@pytest.mark.parametrize(("bits", "out_bits", "r", "mapping"), OPTIONS, ids=str)
def test_every_stage_has_a_formula(bits: int, out_bits: int, r: Any, mapping: Any) -> None:
    made = config(bits=bits, out_bits=out_bits, r=r, mapping=mapping)
    for row, output, index in itertools.product(range(2), repeat=3):
        found = explain(made, X, W, row, output, index, backend="spec")
        for step in (*found.forward, *found.backward):
            assert step.formula
            assert step.numbers
            assert np.ndim(step.value) == 0


def test_a_number_of_the_formula_of_a_code_gives_the_code() -> None:
    made = config(bits=4, out_bits=4, mapping=SCALED, r={}, symmetric=False)
    found = explain(made, X, W, 1, 1, 0, backend="spec")
    value = {step.name: step.value for step in found.forward}
    for name, x in (("scale_quantizer", "output_factor"), ("out_quantizer", "scaled_output")):
        step, zero = value[f"{name}_step"], value[f"{name}_zero_point"]
        assert value[f"{name}_codes"] == np.rint(value[x] / step) + zero
        assert value[f"{name}_quantised"] == step * (value[f"{name}_codes"] - zero)


def test_the_command_explains_a_quantised_tile(tmp_path: Any) -> None:
    from refsim.config import save_config

    save_config(tmp_path / "tile.toml", config(bits=4, out_bits=4, mapping=SCALED))
    loaded = rs.load_config(tmp_path / "tile.toml")
    assert explain(loaded, X, W, backend="spec").forward[-1].symbol == "y"

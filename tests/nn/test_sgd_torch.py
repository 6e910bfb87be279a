"""Gradient descent against the numbers of ``torch.optim.SGD`` (PyTorch 2.13.0 on a CPU).

Recorded with this script, the first and the fifth of five steps::

    p = torch.tensor([1.0, -2.5, 0.3], dtype=dtype, requires_grad=True)
    optimizer = torch.optim.SGD([p], **options)
    for k in range(1, 6):
        p.grad = torch.tensor([0.1 * k, -0.7, 1.0 / k], dtype=dtype)
        optimizer.step()

PyTorch may round in another order or fuse. All numbers stay below 4 in magnitude; each of the five
steps has at most six roundings on either side, each by at most ``4 u``: 240 u.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import refsim as rs
from refsim import backends
from tests.tile.cases import config

RECORDED: list[tuple[dict[str, Any], str, list[str], list[str]]] = [
    (
        {"lr": 0.1},
        "float32",
        ["0x1.fae1480000000p-1", "-0x1.370a3e0000000p+1", "0x1.99999c0000000p-3"],
        ["0x1.b333320000000p-1", "-0x1.1333360000000p+1", "0x1.258bf80000000p-4"],
    ),
    (
        {"lr": 0.1},
        "float64",
        ["0x1.fae147ae147aep-1", "-0x1.370a3d70a3d71p+1", "0x1.9999999999999p-3"],
        ["0x1.b333333333332p-1", "-0x1.1333333333335p+1", "0x1.258bf258bf255p-4"],
    ),
    (
        {"lr": 0.1, "momentum": 0.9},
        "float32",
        ["0x1.fae1480000000p-1", "-0x1.370a3e0000000p+1", "0x1.99999c0000000p-3"],
        ["0x1.5dae1e0000000p-1", "-0x1.9475340000000p+0", "-0x1.c1d61c0000000p-2"],
    ),
    (
        {"lr": 0.1, "momentum": 0.9},
        "float64",
        ["0x1.fae147ae147aep-1", "-0x1.370a3d70a3d71p+1", "0x1.9999999999999p-3"],
        ["0x1.5dae1cde5d17fp-1", "-0x1.94752da98676ap+0", "-0x1.c1d61c9011e9dp-2"],
    ),
    (
        {"lr": 0.1, "momentum": 0.9, "dampening": 0.3},
        "float32",
        ["0x1.fae1480000000p-1", "-0x1.370a3e0000000p+1", "0x1.99999c0000000p-3"],
        ["0x1.8816060000000p-1", "-0x1.c51aec0000000p+0", "-0x1.5c86e20000000p-2"],
    ),
    (
        {"lr": 0.1, "momentum": 0.9, "dampening": 0.3},
        "float64",
        ["0x1.fae147ae147aep-1", "-0x1.370a3d70a3d71p+1", "0x1.9999999999999p-3"],
        ["0x1.8816052502eedp-1", "-0x1.c51aeb3dd11bfp+0", "-0x1.5c86e51a59d6ep-2"],
    ),
    (
        {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01},
        "float32",
        ["0x1.fa5e360000000p-1", "-0x1.36b8520000000p+1", "0x1.98fc520000000p-3"],
        ["0x1.5739ae0000000p-1", "-0x1.8c9eda0000000p+0", "-0x1.c37d9p-2"],
    ),
    (
        {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01},
        "float64",
        ["0x1.fa5e353f7ced9p-1", "-0x1.36b851eb851ecp+1", "0x1.98fc504816f00p-3"],
        ["0x1.5739ad04c36f4p-1", "-0x1.8c9ed90a47d4cp+0", "-0x1.c37d93106f447p-2"],
    ),
    (
        {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01},
        "float32",
        ["0x1.f54c980000000p-1", "-0x1.2e5e360000000p+1", "0x1.c039bp-4"],
        ["0x1.1925520000000p-1", "-0x1.48e91e0000000p+0", "-0x1.300e9p-1"],
    ),
    (
        {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01},
        "float64",
        ["0x1.f54c985f06f69p-1", "-0x1.2e5e353f7ced9p+1", "0x1.c039abf338716p-4"],
        ["0x1.1925510053b16p-1", "-0x1.48e91ad839096p+0", "-0x1.300e903760ca7p-1"],
    ),
    (
        {"lr": 0.03, "weight_decay": 0.5},
        "float32",
        ["0x1.f6c8b40000000p-1", "-0x1.3883120000000p+1", "0x1.0fdf3c0000000p-2"],
        ["0x1.c426880000000p-1", "-0x1.1baa9e0000000p+1", "0x1.b3333a0000000p-3"],
    ),
    (
        {"lr": 0.03, "weight_decay": 0.5},
        "float64",
        ["0x1.f6c8b43958106p-1", "-0x1.3883126e978d5p+1", "0x1.0fdf3b645a1cbp-2"],
        ["0x1.c42686ebe1f9dp-1", "-0x1.1baa9e4d0b8e3p+1", "0x1.b3333733aaf5cp-3"],
    ),
]


@pytest.mark.clause("OP-1")
@pytest.mark.parametrize("backend", backends.available())
@pytest.mark.parametrize(("options", "dtype", "first", "fifth"), RECORDED)
def test_the_numbers_of_pytorch(
    backend: str, options: dict[str, Any], dtype: str, first: list[str], fifth: list[str]
) -> None:
    T = np.dtype(dtype).type
    tile = config(T).create_tile(1, 3, backend=backend)
    tile.set_weights([[1.0, -2.5, 0.3]])
    optimizer = rs.SGD([tile], **options)
    bound = 240 * 2.0 ** -(np.finfo(T).nmant + 1)
    for k in range(1, 6):
        tile.gradients["weight"] = np.array([[0.1 * k, -0.7, 1.0 / k]], dtype=T)
        optimizer.step()
        if k in (1, 5):
            expected = [float.fromhex(text) for text in (first if k == 1 else fifth)]
            assert (np.abs(tile.parameters["weight"][0] - np.array(expected)) <= bound).all()

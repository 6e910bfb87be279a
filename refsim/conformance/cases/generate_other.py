"""Generated cases of optional methods."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from refsim.config import Choices
from refsim.errors import RefsimError

from . import generate_arrays as arrays
from .draft import Draft
from .generate_config import build_config
from .other import TYPES, CalibrationCase, MappingCase
from .picker import Picker, RandomPicker

__all__ = ["build_calibration_case", "build_mapping_case", "generated_other_cases"]

SALT = 0x07E2
SHAPES = ((1, 1), (1, 2), (2, 1), (2, 2), (3, 2), (2, 4))


def generated_other_cases(
    seed: int, count: int, allowed: frozenset[str], choices: Choices | None = None
) -> Iterator[MappingCase | CalibrationCase]:
    """Cases of both methods in turn, the same ones for the same arguments; those that refsim refuses are left out.

    Parameters
    ----------
    seed, count, allowed, choices
        As for :func:`~refsim.conformance.cases.generate.generated_cases`.

    Examples
    --------
    >>> [type(case).__name__ for case in generated_other_cases(0, 2, frozenset({"input_range"}))]
    ['MappingCase', 'CalibrationCase']
    """
    builders = (build_mapping_case, build_calibration_case)
    for index in range(count):
        made = builders[index % 2](RandomPicker(seed, SALT, index), allowed, choices)
        if made is not None:
            yield made


def _draft(pick: Picker, allowed: frozenset[str], choices: Choices | None) -> Draft:
    double = "float64" in allowed and pick.chance(0.3)
    T = np.dtype(np.float64 if double else np.float32)
    return Draft(pick, allowed, not pick.chance(0.5), T, choices or Choices())


def build_mapping_case(
    pick: Picker, allowed: frozenset[str], choices: Choices | None = None
) -> MappingCase | None:
    """Logical weights, with zero rows, for any mapping; None if refsim refuses it."""
    d = _draft(pick, allowed, choices)
    config = build_config(d)
    config.mapping.weight_scaling_omega = d.of((1.0, 0.5, 2.0, 0.0), (0.6, -1.0))
    config.mapping.weight_scaling_columnwise = pick.chance(0.5)
    shape = pick.choice(SHAPES)
    bias = arrays.bias_vector(d, shape[0]) if d.may("bias") else None
    case = MappingCase(config, arrays.weight_matrix(d, shape), bias, name="generated")
    return case if _defined(case) else None


def build_calibration_case(
    pick: Picker, allowed: frozenset[str], choices: Choices | None = None
) -> CalibrationCase | None:
    """Batches with rows of zeros and negative ones for any kind of calibration; None if refsim refuses it."""
    if "input_range" not in allowed:
        return None
    d = _draft(pick, allowed, choices)
    config = build_config(d)
    config.pre_post.input_range.enable = True
    config.pre_post.input_range.manage_output_clipping = False
    shape = pick.choice(SHAPES)
    count = int(pick.integers(1, 1, 3)[0])
    rows = [int(n) for n in pick.integers(count, 1, 5)]
    io, edge = getattr(config, "forward", None), abs(config.pre_post.input_range.init_value)
    case = CalibrationCase(
        config,
        arrays.weight_matrix(d, shape),
        None,
        pick.choice(TYPES),
        tuple(arrays.batch(d, (n, shape[1]), edge, io, False) for n in rows),
        quantile=d.of((1.0, 0.5, 0.75), (0.99995, 0.9, 0.0)),
        max_samples=pick.choice((1000, 1, 2)) if pick.chance(0.3) else 1000,
        std_alpha=d.of((None, 1.0, 2.0), (3.0,)),
        name="generated",
    )
    return case if _defined(case) else None


def _defined(case: MappingCase | CalibrationCase) -> bool:
    with np.errstate(all="ignore"):
        try:
            case.right()
        except RefsimError:
            return False
    return True

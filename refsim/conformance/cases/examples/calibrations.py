"""Examples of calibrated input ranges (clauses CA)."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..model import Calibration, Case
from .small import asked, example, tile

__all__ = ["calibrations"]

WEIGHT = [[1.0, 0.5]]
MIXED = [[-8.0, -4.0], [1.0, 2.0]]
SMALL = [[0.5, -1.0], [0.25, 3.0]]


def calibrations() -> list[Case]:
    """Ranges from data after the training (CA-1, CA-2)."""

    def of(
        clauses: str, catches: str, name: str, kind: str, *batches: Any, **settings: Any
    ) -> Case:
        data = tuple(np.array(batch, np.float32) for batch in batches)
        made = Calibration(kind=kind, batches=data, **settings)
        step = asked([[1.0, 2.0]], training=False, calibration=made)
        return example(clauses, catches, name, tile(2.0), WEIGHT, step)

    return [
        of("CA-1", "MeanOfMaxima", "the largest magnitude of all batches", "MAX", MIXED, SMALL),
        of(
            "CA-1",
            "LowerElement",
            "a quantile lies between two magnitudes",
            "CACHE_QUANTILE",
            MIXED,
            quantile=0.9,
        ),
        of(
            "CA-1",
            "BatchByBatch",
            "the quantile is that of all batches together",
            "CACHE_QUANTILE",
            MIXED,
            SMALL,
            quantile=0.75,
        ),
        of(
            "CA-1",
            "ZeroRowsCount",
            "rows of zeros do not count, zeros within a row do",
            "CACHE_QUANTILE",
            [[0.0, 0.0], [2.0, 0.0], [0.0, 0.0], [4.0, 1.0]],
            quantile=0.5,
        ),
        of(
            "CA-2 CA-1",
            "LargestOfQuantiles",
            "quantiles of batches are averaged",
            "MOVING_QUANTILE",
            MIXED,
            SMALL,
            quantile=0.9,
        ),
        of(
            "CA-2 CA-1",
            "Signed",
            "of negative inputs the magnitudes count",
            "MOVING_QUANTILE",
            [[-1.0, -3.0]],
            quantile=1.0,
        ),
        of("IR-1", "Biased", "standard deviations are averaged", "MOVING_STD", MIXED, SMALL),
    ]

"""Cases: what an implementation is asked to do, as plain data."""

from __future__ import annotations

from .features import FEATURES, features
from .files import case_document, case_from_document, case_id, read_cases, write_cases
from .model import Calibration, Case, SGDSettings, Step

__all__ = [
    "FEATURES",
    "Calibration",
    "Case",
    "SGDSettings",
    "Step",
    "case_document",
    "case_from_document",
    "case_id",
    "features",
    "read_cases",
    "write_cases",
]

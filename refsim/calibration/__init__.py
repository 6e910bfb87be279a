"""Calibration after the training: input ranges and quantisers from data (clauses CA)."""

from __future__ import annotations

from .input_ranges import calibrate_input_ranges
from .quantisers import calibrate_quantization_ranges

__all__ = ["calibrate_input_ranges", "calibrate_quantization_ranges"]

"""Calibration after the training: input ranges from data (clauses CA)."""

from __future__ import annotations

from .input_ranges import calibrate_input_ranges

__all__ = ["calibrate_input_ranges"]

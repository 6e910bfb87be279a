"""Which values a correct implementation may return: sets for each stage of a tile, and verdicts by them."""

from __future__ import annotations

from .arithmetic import Arithmetic
from .calibration import judge_calibration
from .interval import Interval
from .judge import judge_backward, judge_forward
from .judge_quantiser import judge_quantiser
from .mapping import judge_mapping
from .profile import BINARY32, BINARY64, FLOAT32, FLOAT64, Format, Profile, float32_in_order
from .report import Example, Report, StageVerdict
from .rounding import Margin
from .state import judge_state
from .update import SGDSettings, judge_update
from .wide import arithmetic_of

__all__ = [
    "BINARY32",
    "BINARY64",
    "FLOAT32",
    "FLOAT64",
    "Arithmetic",
    "Example",
    "Format",
    "Interval",
    "Margin",
    "Profile",
    "Report",
    "SGDSettings",
    "StageVerdict",
    "arithmetic_of",
    "float32_in_order",
    "judge_backward",
    "judge_calibration",
    "judge_forward",
    "judge_mapping",
    "judge_quantiser",
    "judge_state",
    "judge_update",
]

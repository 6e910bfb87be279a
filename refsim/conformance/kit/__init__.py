"""The verdict on an implementation: play cases on it, judge what it did, and say which rule breaks first."""

from __future__ import annotations

from .finding import STATE, Finding
from .judge import Verdict, judge
from .outcome import Outcome, Row
from .play import Observation, Recording, play
from .verify import Session, verify_target

__all__ = [
    "STATE",
    "Finding",
    "Observation",
    "Outcome",
    "Recording",
    "Row",
    "Session",
    "Verdict",
    "judge",
    "play",
    "verify_target",
]

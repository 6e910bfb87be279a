"""The verdict on an implementation: play cases on it, judge what it did, and say which rule breaks first."""

from __future__ import annotations

from .play import Observation, Recording, play

__all__ = ["Observation", "Recording", "play"]

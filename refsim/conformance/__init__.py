"""Checks of refsim by itself: every backend against the specification, and all of it against recorded vectors."""

from __future__ import annotations

"""aihwkit and aihwkit-lightning, live, under the conformance kit: opt-in, in their own environments."""

from __future__ import annotations

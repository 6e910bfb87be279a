"""A live run of refsim beside aihwkit: the same network, data and optimiser, compared stage by stage."""

from __future__ import annotations

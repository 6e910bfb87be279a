"""Examples that need a library which is not installed are not collected."""

from __future__ import annotations

from importlib.util import find_spec

collect_ignore = [] if find_spec("torch") else ["pytorch_tile.py"]

"""The table of features of the page on capability files."""

from __future__ import annotations

from refsim.conformance.adapters.capabilities import DEFAULT_FEATURES
from refsim.conformance.cases import FEATURES


def page() -> str:
    """The table: each feature, what it means, and whether it is taken for granted."""
    lines = ["| feature | the tile has | by default |", "|---|---|---|"]
    for name, meaning in FEATURES.items():
        lines.append(f"| `{name}` | {meaning} | {'yes' if name in DEFAULT_FEATURES else ''} |")
    return "\n".join([*lines, ""])

"""aihwkit-lightning's variant of the rules, as a small reference with exact sums.

One range for each slice of the inputs, no division by it, the rule alone as its gradient, dynamic ranges and ranges
from extremes, output bounds in units of the weights. Recorded vectors of the group ``g14_lightning`` are replayed on
it.
"""

from __future__ import annotations

from .layer import LightningLinear
from .settings import LightningSettings

__all__ = ["LightningLinear", "LightningSettings"]

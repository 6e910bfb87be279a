"""What stays on the host, in the CPU kernels, and why.

Arguments may be device arrays; they are copied to the host, and resulting arrays are copied back.
"""

from __future__ import annotations

from typing import Any, Final

from .. import cpu
from .device import computed_on_host

_SCALARS = "a few operations on scalars of a tile, for which a launch would cost more than the work"
_SIZES = "integers of the shape, needed before anything is computed"
_ORDER = "an order of all data, for calibration between batches"
_SEARCH = "a search of minutes between batches that sorts its data first"
_CANDIDATES = "a handful of ranges or losses for a search that runs on the host"

REASONS: Final[dict[str, str]] = {
    "averaged_range": _SCALARS,
    "code_range": _SCALARS,
    "gaussian_bound": _SCALARS,
    "range_decay": _SCALARS,
    "range_from_data": _SCALARS,
    "range_growth": _SCALARS,
    "range_residual": _SCALARS,
    "range_rule": _SCALARS,
    "split_sizes": _SIZES,
    "percentile_range": _ORDER,
    "quantile": _ORDER,
    "squared_errors": _SEARCH,
    "softmax_losses": _SEARCH,
    "least_loss": _CANDIDATES,
    "search_limits": _CANDIDATES,
    "shifted_range": _CANDIDATES,
    "skewed_candidates": _CANDIDATES,
    "symmetric_candidates": _CANDIDATES,
}
"""The public functions without a kernel, each with the reason."""


def _on_host(name: str) -> Any:
    return computed_on_host(getattr(cpu, name))


averaged_range = _on_host("averaged_range")
code_range = _on_host("code_range")
gaussian_bound = _on_host("gaussian_bound")
least_loss = _on_host("least_loss")
percentile_range = _on_host("percentile_range")
quantile = _on_host("quantile")
range_decay = _on_host("range_decay")
range_from_data = _on_host("range_from_data")
range_growth = _on_host("range_growth")
range_residual = _on_host("range_residual")
range_rule = _on_host("range_rule")
search_limits = _on_host("search_limits")
shifted_range = _on_host("shifted_range")
skewed_candidates = _on_host("skewed_candidates")
softmax_losses = _on_host("softmax_losses")
split_sizes = _on_host("split_sizes")
squared_errors = _on_host("squared_errors")
symmetric_candidates = _on_host("symmetric_candidates")

__all__ = list(REASONS)

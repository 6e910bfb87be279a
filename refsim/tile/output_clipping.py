"""Clipped outputs on both paths: which ones there are, and how they make the input range grow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from refsim.spec.sums import Scalar

from .trace import Trace

if TYPE_CHECKING:
    from .core import CoreRecord
    from .record import Given


def clip_mask(ops: Any, r: CoreRecord) -> NDArray[np.bool_] | None:
    """Outputs that count as clipped, None where there is no bound to tell."""
    mask = r.settings.mask
    value = r.z if mask.inclusive else r.t
    if value is None or mask.bound == np.inf:
        return None
    return ops.output_clip_mask(value, mask.bound, mask.inclusive)


def grown(
    ops: Any,
    rule: Scalar,
    given: Given,
    record: CoreRecord | None,
    trace: Trace,
    mask: NDArray[np.bool_] | None = None,
) -> Scalar:
    """The rule of the range with the growth term, if output clipping is managed."""
    s = given.range
    if s is None or not s.grows or record is None:
        return rule
    if mask is None:
        mask = clip_mask(ops, record)
        if mask is None:
            return rule
        trace.add("BP-3", "output_clip_mask", mask)
    count = given.x.size if s.share_of_inputs else mask.size
    fraction = ops.unclipped_output_fraction(mask, count)
    result = ops.range_growth(rule, given.r, fraction, s.min_output_percentage)
    trace.add("IR-10", "unclipped_output_fraction", fraction)
    trace.add("IR-11", "range_rule_with_growth", result)
    return result

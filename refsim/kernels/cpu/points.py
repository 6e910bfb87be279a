"""The scalar bodies, compiled for the CPU; LLVM does not contract a product and a sum unless it is told to."""

from __future__ import annotations

from typing import Any

from .. import _jit, manual_points, points, quantiser_points, superaccumulator

BODIES = points, quantiser_points, manual_points, superaccumulator
P: Any = _jit.bind(_jit.inlined, *BODIES, **_jit.CPU_PRIMITIVES)

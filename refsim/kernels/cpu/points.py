"""The scalar bodies, compiled for the CPU; LLVM does not contract a product and a sum unless it is told to."""

from __future__ import annotations

from typing import Any

from .. import _jit, points, superaccumulator

P: Any = _jit.bind(_jit.inlined, points, superaccumulator, **_jit.CPU_PRIMITIVES)

"""What must not stand in the PTX of a kernel."""

from __future__ import annotations

import re
from collections.abc import Iterator

INSTRUCTION = re.compile(r"^\s*(?:@!?%p\d+\s+)?([a-z][a-z0-9_.]*)\s", re.MULTILINE)
INEXACT = re.compile(r"\.approx|\.ftz|^div\.full|^(rcp|rsqrt|ex2|lg2|sin|cos|tanh)\.")
CONTRACTABLE = re.compile(r"^(add|sub)\.f(32|64)$")
"""Without a rounding in its name, ptxas may contract it with a product."""
DIRECTED = re.compile(r"^(add|sub|mul|div|sqrt|fma)\.(rz|rm|rp)\.")


def instructions(ptx: str) -> list[str]:
    """The names of the instructions, with their suffixes."""
    return INSTRUCTION.findall(ptx)


def objections(ptx: str, fused: bool = False, element_wise: str | None = None) -> Iterator[str]:
    """What breaks the arithmetic contract.

    Parameters
    ----------
    fused
        Whether the products are exact, or their rounding is not promised.
    element_wise
        The other data type, which no instruction may have: ``"f64"`` in a kernel for float32.
    """
    for name in sorted(set(instructions(ptx))):
        if name.startswith("fma.") and not fused:
            yield f"contracts: {name}"
        if CONTRACTABLE.search(name):
            yield f"may be contracted: {name}"
        if INEXACT.search(name) or DIRECTED.search(name):
            yield f"is not correctly rounded: {name}"
        if element_wise is not None and element_wise in name.split("."):
            yield f"has another type: {name}"

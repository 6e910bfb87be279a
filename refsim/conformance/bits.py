"""Comparison bit by bit: shape, data type and every bit; ``-0`` is not ``+0``, and one NaN is as good as another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

__all__ = ["difference", "frozen", "same_bits"]


def frozen(value: Any) -> Any:
    """The value as something that ``==`` compares bit by bit: nested tuples of type, shape and bytes.

    >>> frozen(np.float32(0.0)) == frozen(np.float32(-0.0))
    False
    """
    if isinstance(value, Mapping):
        return {name: frozen(part) for name, part in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return tuple(frozen(part) for part in value)
    if value is None or isinstance(value, str):
        return value
    array = np.ascontiguousarray(value)
    if array.dtype.kind == "f":
        array = np.where(np.isnan(array), array.dtype.type(np.nan), array)
    return array.dtype.str, np.shape(value), array.tobytes()


def same_bits(found: Any, expected: Any) -> bool:
    """Whether two results agree in structure, shapes, data types and every bit."""
    return bool(frozen(found) == frozen(expected))


def difference(found: Any, expected: Any, name: str = "result") -> str | None:
    """The first place where two results differ, in words; None if they do not.

    >>> print(difference(np.float32(1), np.float32(1.0000001)))
    result is 1.0, expected 1.0000001192092896 (1 of 1 differ)
    """
    if same_bits(found, expected):
        return None
    if (
        isinstance(expected, Mapping)
        and isinstance(found, Mapping)
        and found.keys() == expected.keys()
    ):
        parts = (difference(found[key], expected[key], key) for key in expected)
        return next(text for text in parts if text)
    if isinstance(expected, tuple) and isinstance(found, tuple) and len(found) == len(expected):
        pairs = zip(found, expected, strict=True)
        parts = (difference(a, b, f"{name}[{i}]") for i, (a, b) in enumerate(pairs))
        return next(text for text in parts if text)
    if isinstance(expected, np.ndarray | np.generic) and isinstance(found, np.ndarray | np.generic):
        return _array_difference(np.asarray(found), np.asarray(expected), name)
    return f"{name} is {str(found)[:200]}, expected {str(expected)[:200]}"


def _array_difference(found: Any, expected: Any, name: str) -> str:
    if found.shape != expected.shape or found.dtype != expected.dtype:
        return f"{name} is {found.dtype} {found.shape}, expected {expected.dtype} {expected.shape}"
    wrong = [i for i in np.ndindex(found.shape) if not same_bits(found[i], expected[i])]
    at = wrong[0]
    place = name if at == () else f"{name}[{', '.join(map(str, at))}]"
    return (
        f"{place} is {found[at].item()!r}, expected {expected[at].item()!r} "
        f"({len(wrong)} of {found.size} differ)"
    )

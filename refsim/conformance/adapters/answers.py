"""What an implementation answered, as arrays: real numbers of the shapes that were asked for, or a failure."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from refsim.errors import TargetFailure

__all__ = [
    "LARGEST",
    "MOST_NAMES",
    "Sizes",
    "array",
    "gradients",
    "malformed",
    "names",
    "output",
    "plain_text",
    "shown",
    "stages",
    "state",
]

Array = NDArray[Any]
Shape = tuple[int, ...]

LARGEST: Final = 2**28
"""No answer may hold arrays of more bytes."""
MOST_NAMES: Final = 1000
"""No answer may name more arrays."""


@dataclass
class Sizes:
    """The sizes of a tile, and the leading axes of its last batch."""

    out: int
    into: int
    lead: Shape = ()

    def parameters(self) -> dict[str, tuple[Shape, ...]]:
        """The shapes that a parameter or buffer may have; names that are not here have none prescribed."""
        each = ((1,), (self.out,))
        return {
            "weight": ((self.out, self.into),),
            "bias": ((self.out,),),
            "input_range": ((1,),),
            "input_range_update_idx": ((1,),),
            "mapping_scales": each,
            "out_scaling_alpha": each,
        }


def array(value: Any, what: str) -> Array:
    """A copy of an answer as real numbers.

    Parameters
    ----------
    value
        Anything that ``numpy.asarray`` takes.
    what
        What it is, for the message.

    Raises
    ------
    TargetFailure
        If it holds anything but real numbers, or too many of them.

    Examples
    --------
    >>> array([[1, 2]], "the output")
    array([[1, 2]])
    >>> array(["one"], "the output")
    Traceback (most recent call last):
        ...
    refsim.errors.TargetFailure: the output has dtype <U3, allowed are real numbers.
    """
    try:
        found = np.asarray(value)
    except (ValueError, TypeError) as error:
        raise malformed(f"{what} is no array: {str(error)[:200]}.") from error
    if found.nbytes > LARGEST:
        raise malformed(f"{what} has {found.nbytes} bytes, allowed are {LARGEST}.")
    if found.dtype.kind == "V" and np.can_cast(found.dtype, np.float32):
        return found.astype(np.float32)  # bfloat16 and the like
    if found.dtype.kind not in "fiub":
        raise malformed(f"{what} has dtype {found.dtype}, allowed are real numbers.")
    return found.copy()


def output(value: Any, sizes: Sizes) -> Array:
    """The output of a forward pass, ``(..., out)``."""
    return _fitting(array(value, "the output"), ((*sizes.lead, sizes.out),), "the output")


def gradients(value: Any, sizes: Sizes) -> dict[str, Array]:
    """The gradients of a backward pass by name; that of the input is ``(..., in)``."""
    shapes = sizes.parameters() | {"input": ((*sizes.lead, sizes.into),)}
    return _named(value, "the gradient of {}", shapes)


def state(value: Any, sizes: Sizes) -> dict[str, Array]:
    """The state by name; the weight must be there."""
    found = _named(value, "{} in the state", sizes.parameters())
    if "weight" not in found:
        names = ", ".join(found) or "nothing"
        raise malformed(f"the state has {names[:200]}, needed is at least weight.")
    return found


def stages(value: Any) -> dict[str, Array]:
    """Intermediates by name."""
    return _named(value, "the stage {}", {})


def names(value: Any, what: str) -> list[str]:
    """A list of short texts.

    >>> names(["x in forward"], "overwritten")
    ['x in forward']
    """
    fits = isinstance(value, list) and len(value) <= MOST_NAMES
    if not fits or not all(type(name) is str and name.isprintable() for name in value):
        raise malformed(f"{what} is {shown(value)}, allowed are lists of {MOST_NAMES} names.")
    return [name[:100] for name in value]


def malformed(text: str) -> TargetFailure:
    """The failure of an answer that has a wrong form."""
    return TargetFailure("malformed", plain_text(text, 1000))


def shown(value: Any) -> str:
    """A value of any size and depth in a few letters.

    >>> shown(["NaN", [1, [2, [3]]]])
    "['NaN', [1, [...]]]"
    """
    short = reprlib.Repr()
    short.maxlevel, short.maxstring, short.maxother = 2, 40, 40
    return short.repr(value)[:200]


def plain_text(text: str, longest: int) -> str:
    """One short line without anything that a terminal would obey.

    >>> plain_text("no\\x1b[31m range", 100)
    'no?[31m range'
    """
    short = " ".join(text[: 4 * longest].split())
    printable = "".join(c if c.isprintable() else "?" for c in short)
    return printable if len(printable) <= longest else f"{printable[: longest - 3]}..."


def _named(value: Any, what: str, shapes: Mapping[str, tuple[Shape, ...]]) -> dict[str, Array]:
    """The arrays of a mapping; entries that are None are left out."""
    if not isinstance(value, Mapping):
        raise malformed(f"{type(value).__name__} was returned, allowed are mappings of names.")
    given = dict(value)
    if len(given) > MOST_NAMES:
        raise malformed(f"{len(given)} names were returned, allowed are {MOST_NAMES}.")
    for name in given:
        if type(name) is not str or not 0 < len(name) <= 100 or not name.isprintable():
            raise malformed(f"a name is {shown(name)}, allowed are texts of 1 to 100 letters.")
    found, total = {}, 0
    for name, each in given.items():
        if each is not None:
            label = what.format(name)
            found[name] = _fitting(array(each, label), shapes.get(name), label)
            total += found[name].nbytes
        if total > LARGEST:
            raise malformed(f"more than {LARGEST} bytes were returned.")
    return found


def _fitting(found: Array, allowed: tuple[Shape, ...] | None, what: str) -> Array:
    """The array in an allowed shape; a number is as good as an array with one element."""
    if allowed is None or found.shape in allowed:
        return found
    if found.shape in ((), (1,)) and (1,) in allowed:
        return found.reshape(1)
    shapes = " or ".join(map(str, dict.fromkeys(allowed)))
    raise malformed(f"{what} has shape {found.shape}, allowed is {shapes}.")

"""The intermediates of a forward or backward pass, in order, named by clause."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from refsim.spec.sums import Array

from .difference import Difference, first_difference
from .noise import NoiseSource


@dataclass(frozen=True)
class Stage:
    """One intermediate value: the clause that defines it, its name, and the value."""

    clause: str
    name: str
    value: Any


@dataclass
class Trace:
    """Every intermediate of a pass.

    ``trace["name"]`` is the last value of that name; iterating gives all stages in order. Arrays are read-only copies.
    Not ``golden`` are the bits of a pass with ``runtime.matmul="fast"``, whose products are plain BLAS.

    Examples
    --------
    >>> trace = Trace()
    >>> trace.add("IR-3", "scaled_input", 0.5)
    >>> trace["scaled_input"], [stage.clause for stage in trace]
    (0.5, ['IR-3'])
    >>> other = Trace()
    >>> other.add("IR-3", "scaled_input", 0.25)
    >>> print(trace.diff(other))
    IR-3 scaled_input: 0.5 and 0.25, 4503599627370496 ulps apart
    """

    keeps: ClassVar[bool] = True
    stages: list[Stage] = field(default_factory=list)
    noise: dict[str, Array] = field(default_factory=dict)
    golden: bool = True

    def add(self, clause: str, name: str, value: Any, own: bool = False) -> None:
        """Append a stage; only an array that is the ``own`` one of a pass, and changed by nobody, is not copied."""
        if isinstance(value, np.ndarray):
            value = value.view() if own else value.copy()
            value.flags.writeable = False
        self.stages.append(Stage(clause, name, value))

    def keep_noise(self, source: NoiseSource) -> None:
        """Keep the noise that a forward pass used."""
        self.noise = {name: array.copy() for name, array in source.used.items()}

    def diff(self, other: Trace) -> Difference | None:
        """The first stage in which another trace differs, None if both are equal bit for bit.

        Bits are compared: ``-0`` is not ``+0``, and NaN equals NaN of the same bits.
        """
        return first_difference(self.stages, other.stages)

    def __iter__(self) -> Iterator[Stage]:
        return iter(self.stages)

    def __len__(self) -> int:
        return len(self.stages)

    def __getitem__(self, name: str) -> Any:
        for stage in reversed(self.stages):
            if stage.name == name:
                return stage.value
        names = dict.fromkeys(stage.name for stage in self.stages)
        raise KeyError(f"{name!r} is no stage of this trace, it has {', '.join(names)}")


class NoTrace(Trace):
    """A trace that keeps nothing; what only a trace needs is computed if ``trace.keeps``."""

    keeps: ClassVar[bool] = False

    def add(self, clause: str, name: str, value: Any, own: bool = False) -> None:
        """Drop the stage."""

    def keep_noise(self, source: NoiseSource) -> None:
        """Drop the noise."""

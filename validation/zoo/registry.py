"""The inhabitants of the zoo, by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from refsim.conformance.adapters import Capabilities
from refsim.conformance.admissible import FLOAT32
from refsim.conformance.cases import FEATURES

from .adapter import ZooAdapter
from .sources import ENGINEER

__all__ = ["WRONG", "Wrong", "capabilities", "mistake"]

CLASSES: Final = frozenset(
    {"quantised_tile", "inference_tile", "custom_tile", "floating_point_tile"}
)
"""Features that stand for a class of tiles."""

PERIPHERY: Final = frozenset(
    {"quantised_periphery", "asymmetric_periphery", "learned_quantisers", "output_quantiser"}
)
"""Features of the quantised tile."""


@dataclass(frozen=True)
class Wrong:
    """A tile with one mistake.

    Parameters
    ----------
    name
        What the mistake is called, in CamelCase.
    sentence
        What it does.
    clauses
        The clause that it breaks; more than one where several say the same.
    source
        ``"engineer"``, or where it was reported.
    needs
        Features without which it does not show, of :data:`refsim.conformance.cases.FEATURES`.
    change
        The methods that differ from the right tile.
    """

    name: str
    sentence: str
    clauses: tuple[str, ...]
    source: str
    needs: frozenset[str]
    change: type

    def adapter(self) -> ZooAdapter:
        """The tile, as the kit takes it."""
        return ZooAdapter(self.change)


WRONG: Final[dict[str, Wrong]] = {}


def mistake(
    *clauses: str, source: str = ENGINEER, needs: Iterable[str] = ()
) -> Callable[[type], type]:
    """Enter a class of changed methods into the zoo under its own name."""

    def enter(change: type) -> type:
        needed = frozenset(needs)
        unknown = needed - FEATURES.keys()
        if unknown or change.__name__ in WRONG or not change.__doc__:
            raise ValueError(f"{change.__name__} has unknown features {unknown} or is there twice")
        sentence = " ".join(change.__doc__.split())
        WRONG[change.__name__] = Wrong(change.__name__, sentence, clauses, source, needed, change)
        return change

    return enter


def capabilities(name: str, needs: frozenset[str] = frozenset()) -> Capabilities:
    """What an inhabitant declares: everything that a tile of the autograd path has, and what it needs besides."""
    left_out = (CLASSES | PERIPHERY | {"float64"}) - needs
    return Capabilities(name=name, profile=FLOAT32, features=frozenset(FEATURES) - left_out)

"""The inhabitants of the zoo, by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from refsim.conformance.adapters import Capabilities
from refsim.conformance.admissible import FLOAT32, Profile
from refsim.conformance.cases import FEATURES

from .adapter import ShowingAdapter, ZooAdapter
from .sources import ENGINEER

__all__ = ["RIGHT", "WRONG", "Right", "Wrong", "mistake", "right"]

CLASSES: Final = {
    "quantised_tile": "QuantizedTorchInferenceRPUConfig",
    "inference_tile": "InferenceRPUConfig",
    "custom_tile": "CustomRPUConfig",
    "floating_point_tile": "FloatingPointRPUConfig",
}
"""Classes of configurations by the feature that stands for them; the plain tile of the autograd path has none."""

PLAIN: Final = "TorchInferenceRPUConfig"
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

    @property
    def configs(self) -> tuple[str, ...]:
        """The class of configurations that it is shown on."""
        return tuple(CLASSES[name] for name in self.needs if name in CLASSES) or (PLAIN,)

    def adapter(self, shows: bool = False) -> ZooAdapter:
        """The tile, as the kit takes it, with or without its intermediates."""
        return (ShowingAdapter if shows else ZooAdapter)(self.change, self.configs)

    @property
    def capabilities(self) -> Capabilities:
        """What it declares: all that such a tile has."""
        left_out = ({*CLASSES, "noise_spread"} - self.needs) | {"float64"}
        if "quantised_tile" not in self.needs:
            left_out |= PERIPHERY
        return Capabilities(self.name, FLOAT32, frozenset(FEATURES) - left_out)


@dataclass(frozen=True)
class Right:
    """A right tile that computes in its own way.

    Parameters
    ----------
    name
        What it is called, in CamelCase.
    sentence
        What it does.
    profile
        The arithmetic that it declares.
    change
        The methods that differ from the plain tile.
    double
        Whether it has float64 tiles, and those alone.
    """

    name: str
    sentence: str
    profile: Profile
    change: type
    double: bool = False

    def adapter(self, shows: bool = False) -> ZooAdapter:
        """The tile, as the kit takes it, with or without its intermediates."""
        return (ShowingAdapter if shows else ZooAdapter)(self.change)

    @property
    def capabilities(self) -> Capabilities:
        """What it declares: everything."""
        left_out = frozenset() if self.double else frozenset({"float64"})
        return Capabilities(self.name, self.profile, frozenset(FEATURES) - left_out)


WRONG: Final[dict[str, Wrong]] = {}
RIGHT: Final[dict[str, Right]] = {}


def mistake(
    *clauses: str, source: str = ENGINEER, needs: Iterable[str] = ()
) -> Callable[[type], type]:
    """Enter a class of changed methods into the zoo under its own name.

    Parameters
    ----------
    clauses
        As for :class:`Wrong`, and so are ``source`` and ``needs``.

    Raises
    ------
    ValueError
        If a feature is unknown, the name is taken, or the class has no docstring.
    """

    def enter(change: type) -> type:
        needed = frozenset(needs)
        if needed - FEATURES.keys():
            raise ValueError(f"needs has {needed - FEATURES.keys()}, allowed are features.")
        name, sentence = _named(change)
        WRONG[name] = Wrong(name, sentence, clauses, source, needed, change)
        return change

    return enter


def right(profile: Profile = FLOAT32, double: bool = False) -> Callable[[type], type]:
    """Enter a class of methods that compute differently; parameters as for :class:`Right`."""

    def enter(change: type) -> type:
        name, sentence = _named(change)
        RIGHT[name] = Right(name, sentence, profile, change, double)
        return change

    return enter


def _named(change: type) -> tuple[str, str]:
    name = change.__name__
    if name in WRONG or name in RIGHT or not change.__doc__:
        raise ValueError(f"{name} is in the zoo already or says nothing about itself.")
    return name, " ".join(change.__doc__.split())

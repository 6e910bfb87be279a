"""What an implementation declares: its arithmetic, what it can do, its choices, and known deviations."""

from __future__ import annotations

from dataclasses import dataclass, field

from refsim.config import Choices
from refsim.config.checks import nearest
from refsim.conformance.admissible import FLOAT32, Profile
from refsim.conformance.cases import FEATURES
from refsim.errors import ConfigError

from .waivable import check_waived

__all__ = ["DEFAULT_FEATURES", "Capabilities", "Waiver"]

DEFAULT_FEATURES = frozenset(FEATURES) - {
    "noise",
    "noise_spread",
    "float64",
    "checkpoint",
    "set_weights",
    "calibration",
    "output_clipping",
    "quantised_tile",
    "quantised_periphery",
    "asymmetric_periphery",
    "learned_quantisers",
    "output_quantiser",
    "inference_tile",
    "custom_tile",
    "floating_point_tile",
}
"""What an implementation of the autograd tile is taken to have unless it says otherwise."""


@dataclass(frozen=True)
class Waiver:
    """A known deviation that is not counted as a failure.

    Parameters
    ----------
    clause
        The clause that is not kept, ``"IR-8"``, or one stage of it, ``"IR-8 range_residual"``.
    reason
        Why, in a sentence; it is printed with the report.

    Raises
    ------
    ConfigError
        If there is no such clause, or no such stage.
    """

    clause: str
    reason: str

    def __post_init__(self) -> None:
        """Refuse what no finding has, with a :class:`~refsim.ConfigError`."""
        check_waived(self.clause, "the clause of a waiver")

    def names(self, clause: str, stage: str) -> bool:
        """Whether a clause is meant, or this stage of it."""
        return self.clause in (clause, f"{clause} {stage}")

    @property
    def narrow(self) -> bool:
        """Whether one stage is meant."""
        return " " in self.clause


@dataclass(frozen=True)
class Capabilities:
    """What an implementation declares.

    Parameters
    ----------
    name
        Its name, for reports.
    profile
        Its arithmetic.
    features
        What it has, of :data:`~refsim.conformance.cases.FEATURES`; cases that ask for more are left out.
    choices
        Which reading it follows where there are two.
    waivers
        Known deviations.

    Raises
    ------
    ConfigError
        If a feature is unknown.
    """

    name: str = "implementation"
    profile: Profile = FLOAT32
    features: frozenset[str] = DEFAULT_FEATURES
    choices: Choices = field(default_factory=Choices)
    waivers: tuple[Waiver, ...] = ()

    def __post_init__(self) -> None:
        """Refuse features that there are not, with a :class:`~refsim.ConfigError`."""
        for name in sorted(self.features - FEATURES.keys()):
            raise ConfigError(
                f"features has {name!r}{nearest(name, [*FEATURES])}, allowed are {', '.join(FEATURES)}."
            )

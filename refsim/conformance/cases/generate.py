"""Generated cases: one builder, driven by random numbers or by Hypothesis."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Final

import numpy as np

from refsim.config import Choices
from refsim.errors import RangeWarning, RefsimError

from .builder import CaseBuilder
from .draft import Draft
from .features import features
from .model import Case
from .picker import Picker, RandomPicker

__all__ = ["build_case", "generated_cases"]

SALT: Final = 0xCA5E
SHARE_OF_FLOAT64: Final = 0.3


def generated_cases(
    seed: int,
    count: int,
    allowed: frozenset[str],
    choices: Choices | None = None,
    length: tuple[int, int] = (1, 4),
    double: float = SHARE_OF_FLOAT64,
) -> Iterator[Case]:
    """Cases by random numbers, the same ones for the same arguments.

    Parameters
    ----------
    seed
        Seed of all.
    count
        How many.
    allowed
        The features that they may ask for.
    choices
        The readings that they follow, ``Choices()`` by default.
    length
        Fewest and most steps.
    double
        Share of float64 tiles, where they are allowed.

    Yields
    ------
    Case
        Named by seed and number; each is drawn on its own.

    Examples
    --------
    >>> one, other = generated_cases(0, 2, frozenset({"input_range", "dac"}))
    >>> one.name, features(one) <= {"input_range", "dac"}
    ('generated 0, seed 0', True)
    """
    for index in range(count):
        yield _generated(seed, index, allowed, choices, length, double)


def _generated(
    seed: int,
    index: int,
    allowed: frozenset[str],
    choices: Choices | None,
    length: tuple[int, int],
    double: float,
) -> Case:
    for attempt in range(1000):
        pick = RandomPicker(seed, SALT, index, attempt)
        name = f"generated {index}, seed {seed}"
        case = build_case(pick, allowed, choices, length, name, double=double)
        if case is not None:
            return case
    raise AssertionError("a thousand configurations in a row were refused")


def build_case(
    pick: Picker,
    allowed: frozenset[str],
    choices: Choices | None = None,
    length: tuple[int, int] = (1, 4),
    name: str = "generated",
    exact: bool | None = None,
    double: float = SHARE_OF_FLOAT64,
) -> Case | None:
    """One case that looks where bugs live.

    The tile is played along while the steps are drawn, so that inputs lie at the thresholds of the state that the tile
    is in by then. Half of the cases hold small multiples of powers of two only, whose sums are exact in every order.

    Parameters
    ----------
    pick
        What decides.
    allowed
        The features that the case may ask for, of :data:`~refsim.conformance.cases.FEATURES`.
    choices, length, name
        As for :func:`generated_cases`.
    exact
        Whether all sums are to be exact in every order; half of the cases by default.
    double
        Chance of a float64 tile, where it is allowed.

    Returns
    -------
    Case or None
        The case; None if refsim itself refuses what was drawn.
    """
    if exact is None:
        exact = not pick.chance(0.5)
    wide = "float64" in allowed and pick.chance(double)
    T = np.dtype(np.float64 if wide else np.float32)
    draft = Draft(pick, allowed, exact, T, choices or Choices())
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", RangeWarning)
        try:
            case = CaseBuilder(draft).case(int(pick.integers(1, *length)[0]), name)
        except RefsimError:
            return None
    return case if case is not None and features(case) <= allowed else None

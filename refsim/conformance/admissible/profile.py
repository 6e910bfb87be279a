"""What an implementation promises about its arithmetic: a small table of formats and error bounds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refsim.errors import ConfigError

__all__ = ["BINARY32", "BINARY64", "FLOAT32", "FLOAT64", "Format", "Profile", "float32_in_order"]

Floats = NDArray[np.float64]
DEVIATIONS = ("two-pass", "updating", "one-pass")


@dataclass(frozen=True)
class Format:
    """A binary floating-point format.

    Parameters
    ----------
    name
        Its name.
    precision
        Number of significant bits, the hidden one included.
    least_exponent
        Exponent of the smallest normal number.

    Examples
    --------
    >>> bfloat16 = Format("bfloat16", 8, -126)
    >>> print(bfloat16.rounded(np.float64(1.005)), bfloat16.unit == 2.0**-8)
    1.0078125 True
    """

    name: str
    precision: int
    least_exponent: int

    @property
    def unit(self) -> float:
        """Unit roundoff: bound of the relative error of one rounding."""
        return 2.0**-self.precision

    @property
    def least(self) -> float:
        """The smallest positive number."""
        return 2.0 ** max(self.least_exponent - self.precision + 1, -1074)

    def rounded(self, x: Any) -> Any:
        """The numbers of the format nearest to float64 numbers, ties to even; overflow is left alone."""
        if self.precision == 53:
            return x
        if self.precision == 24 and self.least_exponent == -126:
            return np.asarray(x).astype(np.float32).astype(np.float64)
        _, exponent = np.frexp(x)
        quantum = np.maximum(exponent - 1, self.least_exponent) - self.precision + 1
        return np.ldexp(np.rint(np.ldexp(x, -quantum)), quantum)


@dataclass(frozen=True)
class Profile:
    """The arithmetic that an implementation declares.

    Element-wise operations are those of the clauses, in their order, each rounded to ``format``. The other fields
    say what is left open.

    Parameters
    ----------
    name
        Shown in reports.
    format
        Format of all stored values, of at most 24 bits or float64.
    accumulator
        Format in which sums are accumulated.
    lanes
        None: a sum may be formed in any order. A number: the products of the crossbar are summed in this known
        order: term ``k`` goes to accumulator ``k % lanes``, left to right, then the second half of the accumulators
        is added to the first until one is left. 1 is a plain loop; a power of two not below the number of terms is
        pairwise summation.
    fused
        Whether a product that feeds a sum may be left unrounded (FMA).
    reciprocal
        Whether a division may be replaced by the multiplication by a rounded reciprocal, or by one in the last place
        beside it, as it comes of settings that are divided before they are rounded. A power of two is divided by
        exactly.
    operand
        Bound of the relative error of the operands of products (TF32, bf16 inputs), 0 for none.
    setting
        By how many units in the last place a combined setting (a grid step, a bound) may be off.
    spare
        Roundings that a term of the gradient of the range, or of the divisor of noise management, may have more
        than in the clause, because the derivative may be associated in another way.
    deviation
        Formulas of a standard deviation that are allowed: ``"two-pass"``, squares of the distances from the mean;
        ``"updating"``, that or a running mean and sum of squares, element by element or in parts that are merged
        (Welford, Chan); ``"one-pass"``, any of these or the sum of squares less the square of the sum.
    wide
        Whether intermediate results may keep more digits than the format, those of float64 or some of them, so that
        only what is stored is rounded to it. Factors may be associated anyhow then.

    Raises
    ------
    ConfigError
        If a number is not possible.

    Examples
    --------
    >>> print(FLOAT32.reciprocals().name)
    float32, sums in any order, FMA or not, reciprocals
    """

    name: str
    format: Format
    accumulator: Format
    lanes: int | None = None
    fused: bool = True
    reciprocal: bool = False
    operand: float = 0.0
    setting: int = 0
    spare: int = 4
    deviation: str = "updating"
    wide: bool = False

    def __post_init__(self) -> None:
        """Refuse what no arithmetic has."""
        if 24 < self.format.precision != 53:
            raise ConfigError(
                f"format has {self.format.precision} bits, allowed are at most 24, and 53."
            )
        if self.lanes is not None and self.lanes < 1:
            raise ConfigError(f"lanes is {self.lanes}, allowed are positive integers and None.")
        if not 0 <= self.operand < 1 or self.setting < 0 or self.spare < 0:
            raise ConfigError(
                f"operand, setting and spare are {self.operand}, {self.setting} and {self.spare}, allowed are "
                "fractions below 1 and integers from 0."
            )
        if self.deviation not in DEVIATIONS:
            raise ConfigError(
                f"deviation is {self.deviation!r}, allowed are {', '.join(map(repr, DEVIATIONS))}."
            )

    def reciprocals(self) -> Profile:
        """The same arithmetic with reciprocals instead of divisions allowed."""
        return replace(self, name=f"{self.name}, reciprocals", reciprocal=True)

    def wider(self) -> Profile:
        """The same arithmetic with intermediate results of more digits allowed.

        >>> print(FLOAT32.wider().name)
        float32, sums in any order, FMA or not, wider intermediates
        """
        return replace(self, name=f"{self.name}, wider intermediates", wide=True)

    def codes(self) -> Profile:
        """The same arithmetic with operands of products that are integer codes, multiplied by the step behind the sum.

        >>> print(FLOAT32.codes().name)
        float32, sums in any order, FMA or not, steps behind products
        """
        operand = max(self.operand, 2 * self.format.unit)
        return replace(self, name=f"{self.name}, steps behind products", operand=operand)

    def gamma(self, n: int) -> float:
        r"""Bound :math:`\gamma_n = n u / (1 - n u)` of the relative error of ``n`` roundings, rounded up."""
        product = n * self.accumulator.unit
        if product >= 0.5:
            raise ConfigError(
                f"a sum of {n} terms has no bound in {self.accumulator.name}, allowed are at most "
                f"{int(0.5 / self.accumulator.unit)}."
            )
        return float(np.nextafter(np.nextafter(product / (1 - product), np.inf), np.inf))


BINARY32 = Format("float32", 24, -126)
BINARY64 = Format("float64", 53, -1022)
FLOAT64 = Profile("float64, sums in any order, FMA or not", BINARY64, BINARY64)
FLOAT32 = Profile("float32, sums in any order, FMA or not", BINARY32, BINARY32)


def float32_in_order(lanes: int = 1) -> Profile:
    """float32 with the products of the crossbar summed in a known order, FMA or not.

    >>> print(float32_in_order(8).name)
    float32, sums in the order of 8 lanes, FMA or not
    """
    order = "a plain loop" if lanes == 1 else f"{lanes} lanes"
    name = f"float32, sums in the order of {order}, FMA or not"
    return Profile(name, BINARY32, BINARY32, lanes=lanes)

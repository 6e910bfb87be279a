"""Random numbers that are addressed, not drawn (clauses RN).

A sample is a pure function of ``(seed, stream, step, pass, index)``. Philox4x32-10 (Salmon et al., SC 2011)
turns a key and a counter into four 32-bit words:

==========  ===============================================================
key         low and high 32 bits of the seed, ``0 <= seed < 2**64``
counter 0   low 32 bits of the block number, ``block = index // 4``
counter 1   high 32 bits of the block number
counter 2   step, ``0 <= step < 2**32``
counter 3   ``stream * 2**16 + pass``, both below ``2**16``
word        ``index % 4``
==========  ===============================================================
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .elementary import horner, log

MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
WEYL = (0x9E3779B9, 0xBB67AE85)
MASK = 0xFFFFFFFF
TAU = 6.283185307179586
Words = NDArray[np.uint64]
Float32 = NDArray[np.float32]


def philox(
    key: tuple[int, int], counter: tuple[Words, Words, Words, Words]
) -> tuple[Words, Words, Words, Words]:
    r"""Ten rounds of Philox4x32 on 32-bit words held in uint64. [RN-1]

    One round, with the products :math:`p_0 = M_0 c_0`, :math:`p_1 = M_1 c_2` of 64 bits:

    .. math:: (c_0, c_1, c_2, c_3) \leftarrow
        (\mathrm{hi}\,p_1 \oplus c_1 \oplus k_0,\ \mathrm{lo}\,p_1,\
        \mathrm{hi}\,p_0 \oplus c_3 \oplus k_1,\ \mathrm{lo}\,p_0)

    and after each round the key words grow by the Weyl constants modulo :math:`2^{32}`.

    Parameters
    ----------
    key
        Two 32-bit words.
    counter
        Four arrays of 32-bit words.

    Returns
    -------
    Four arrays of 32-bit words.

    Examples
    --------
    >>> zero = np.zeros(1, dtype=np.uint64)
    >>> [hex(word[0]) for word in philox((0, 0), (zero, zero, zero, zero))]
    ['0x6627e8d5', '0xe169c58d', '0xbc57ac4c', '0x9b00dbd8']
    """
    c0, c1, c2, c3 = counter
    k0, k1 = key
    mask, high = np.uint64(MASK), np.uint64(32)
    for _ in range(10):
        p0, p1 = c0 * np.uint64(MULTIPLIERS[0]), c2 * np.uint64(MULTIPLIERS[1])
        c0, c1, c2, c3 = (
            (p1 >> high) ^ c1 ^ np.uint64(k0),
            p1 & mask,
            (p0 >> high) ^ c3 ^ np.uint64(k1),
            p0 & mask,
        )
        k0, k1 = (k0 + WEYL[0]) & MASK, (k1 + WEYL[1]) & MASK
    return c0, c1, c2, c3


def words(seed: int, stream: int, step: int, pass_: int, block: Words) -> NDArray[np.uint64]:
    """The four words of each block, ``(blocks, 4)``."""
    high = np.uint64(32)
    c2, c3 = np.full_like(block, step), np.full_like(block, stream << 16 | pass_)
    return np.stack(
        philox((seed & MASK, seed >> 32), (block & np.uint64(MASK), block >> high, c2, c3)), axis=-1
    )


def unit(word: Words) -> Float32:
    """``(word >> 8) * 2**-24``, exact in float32, in ``[0, 1)``."""
    return (word >> np.uint64(8)).astype(np.float32) * np.float32(2**-24)


def uniform(seed: int, stream: int, step: int, pass_: int, count: int) -> Float32:
    r"""Uniform deviates in :math:`[0, 1)` for the flat indices ``0 ... count - 1``. [RN-2]

    .. math:: u = \lfloor w / 2^8 \rfloor \cdot 2^{-24}

    where :math:`w` is word ``index % 4`` of block ``index // 4``.

    Parameters
    ----------
    seed, stream, step, pass_
        The address, see the module's table.
    count
        How many numbers.

    Returns
    -------
    ``(count,)`` float32.

    Examples
    --------
    >>> uniform(0, 0, 0, 0, 2)
    array([0.39904642, 0.88052016], dtype=float32)
    """
    blocks = np.arange(-(-count // 4), dtype=np.uint64)
    return unit(words(seed, stream, step, pass_, blocks)).ravel()[:count]


def normal(seed: int, stream: int, step: int, pass_: int, count: int) -> Float32:
    r"""Standard normal deviates for the flat indices ``0 ... count - 1``, by Box and Muller in float32. [RN-3]

    Words 0 and 1 of a block give the deviates 0 and 1, words 2 and 3 the deviates 2 and 3:

    .. math:: \rho = \sqrt{-2 \ln(1 - u_0)},\qquad n_0 = \rho \cos(2\pi u_1),\qquad n_1 = \rho \sin(2\pi u_1)

    The logarithm is EF-1; cosine and sine are RN-4. :math:`1 - u_0 \ge 2^{-24}`, so the tails end at
    :math:`|n| \le \sqrt{48 \ln 2} \approx 5.77`.

    Parameters
    ----------
    seed, stream, step, pass_
        The address, see the module's table.
    count
        How many numbers.

    Returns
    -------
    ``(count,)`` float32; a float64 tile uses the same numbers, widened.

    Examples
    --------
    >>> normal(0, 0, 0, 0, 2)
    array([ 0.7379257 , -0.68843365], dtype=float32)
    """
    blocks = np.arange(-(-count // 4), dtype=np.uint64)
    return deviates(unit(words(seed, stream, step, pass_, blocks))).ravel()[:count]


def deviates(u: Float32) -> Float32:
    """Box-Muller: four uniforms of a block, ``(blocks, 4)``, to four normal deviates."""
    radius = np.sqrt(np.float32(-2) * log(np.float32(1) - u[:, 0::2]))
    cosine, sine = unit_circle(u[:, 1::2])
    return np.stack([radius * cosine, radius * sine], axis=-1).reshape(u.shape)


def unit_circle(u: Float32) -> tuple[Float32, Float32]:
    r"""Cosine and sine of :math:`2\pi u` in float32. [RN-4]

    With :math:`k = \mathrm{rint}(4u)` and the exact rest :math:`f = u - k/4`, :math:`|f| \le 1/8`, the Taylor series

    .. math:: c = 1 + \sum_{i=1}^{5} \frac{(-1)^i (2\pi)^{2i}}{(2i)!} f^{2i},\qquad
        s = f \left(2\pi + \sum_{i=1}^{4} \frac{(-1)^i (2\pi)^{2i+1}}{(2i+1)!} f^{2i}\right)

    by Horner's rule in :math:`f^2`, then turned by :math:`k` quarters.

    Parameters
    ----------
    u
        Multiples of :math:`2^{-24}` in :math:`[0, 1)`.

    Returns
    -------
    Cosine and sine, arrays of the shape of ``u``.

    Examples
    --------
    >>> unit_circle(np.array([0.0, 0.25, 0.5], dtype=np.float32))
    (array([ 1., -0., -1.], dtype=float32), array([ 0.,  1., -0.], dtype=float32))
    """
    k = np.rint(u * np.float32(4))
    f = u - k * np.float32(0.25)
    z = f * f
    cosine = horner(z, taylor(0, 6))
    sine = f * horner(z, taylor(1, 5))
    quarter = k.astype(np.int32) % 4
    odd, flip_cosine, flip_sine = quarter % 2 == 1, (quarter == 1) | (quarter == 2), quarter >= 2
    cosine, sine = np.where(odd, sine, cosine), np.where(odd, cosine, sine)
    return np.where(flip_cosine, -cosine, cosine), np.where(flip_sine, -sine, sine)


def taylor(first: int, terms: int) -> list[float]:
    """``(-1)**i * TAU**n / n!`` for ``n = first, first + 2, ...``, in float64."""
    powers: list[float] = [1.0]
    for n in range(1, first + 2 * terms - 1):
        powers.append(powers[-1] * TAU / n)
    return [(-1) ** i * powers[first + 2 * i] for i in range(terms)]


__all__ = ["normal", "philox", "uniform", "unit_circle"]

"""Addressed random numbers: a sample is a pure function of its address (clauses RN).

The layout of key and counter is documented in :mod:`refsim.spec.random`. The streams name the purpose of a number:
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import InputError
from .spec import random as addressed

#: Stream numbers, part of the published layout: a number is never given to another purpose.
STREAMS = {
    "weight_noise": 0,
    "inp_noise": 1,
    "out_noise": 2,
    "weight_sto_round": 3,
    "inp_sto_round": 4,
    "out_sto_round": 5,
    "out_noise_std": 6,
    "tile_seed": 7,
    "weight_init": 8,
    "shuffle": 9,
    "data_split": 10,
    "backward_inp_noise": 11,
    "backward_out_noise": 12,
    "backward_inp_sto_round": 13,
    "backward_out_sto_round": 14,
    "backward_out_noise_std": 15,
    "calibration_cache": 16,
}


def uniform(
    seed: int, stream: str | int, step: int, index: ArrayLike, pass_: int = 0
) -> NDArray[np.float32]:
    r"""Uniform deviates in :math:`[0, 1)` at the given addresses. [RN-2]

    Stochastic rounding uses them less 0.5.

    Parameters
    ----------
    seed
        ``0 <= seed < 2**64``.
    stream
        A name of :data:`STREAMS`, or a number below ``2**16``.
    step
        Forward pass of the tile, ``0 <= step < 2**32``.
    index
        Flat indices in the logical array, integers below ``2**64``, any shape.
    pass_
        Pass of bound management, below ``2**16``.

    Returns
    -------
    float32 array of the shape of ``index``.

    Raises
    ------
    InputError
        If a part of the address is not an integer or out of its range.

    Examples
    --------
    >>> uniform(0, "weight_noise", 0, [0, 1])
    array([0.39904642, 0.88052016], dtype=float32)
    """
    flat, blocks = _address(index)
    u = addressed.unit(_words(seed, stream, step, pass_, blocks))
    return _select(u, flat, np.shape(index))


def normal(
    seed: int, stream: str | int, step: int, index: ArrayLike, pass_: int = 0
) -> NDArray[np.float32]:
    r"""Standard normal deviates at the given addresses. [RN-3]

    The tails end at :math:`\sqrt{48 \ln 2} \approx 5.77`.

    Parameters
    ----------
    seed, stream, step, index, pass_
        The address, as for :func:`uniform`.

    Returns
    -------
    float32 array of the shape of ``index``; a float64 tile uses the same numbers, widened.

    Raises
    ------
    InputError
        If a part of the address is not an integer or out of its range.

    Examples
    --------
    >>> normal(0, "weight_noise", 0, [0, 1])
    array([ 0.7379257 , -0.68843365], dtype=float32)
    """
    flat, blocks = _address(index)
    u = addressed.unit(_words(seed, stream, step, pass_, blocks))
    return _select(addressed.deviates(u), flat, np.shape(index))


def derived_seed(seed: int, index: int) -> int:
    """Seed of the tile with the given number in an array or network.

    Words 0 (low) and 1 (high) of block ``index`` of the stream ``tile_seed`` at step 0.

    Parameters
    ----------
    seed
        Seed of the whole, ``0 <= seed < 2**64``.
    index
        Number of the tile, ``0 <= index < 2**64``.

    Returns
    -------
    A seed below ``2**64``.

    Examples
    --------
    >>> derived_seed(7, 0) == derived_seed(7, 1)
    False
    """
    block = np.array([_integer(index, "index", 64)], dtype=np.uint64)
    low, high = _words(seed, "tile_seed", 0, 0, block)[0, :2].tolist()
    return int(low | high << 32)


def checked_seed(seed: object) -> int:
    """The seed as a Python integer below ``2**64``."""
    return _integer(seed, "seed", 64)


def _words(
    seed: int, stream: str | int, step: int, pass_: int, blocks: NDArray[np.uint64]
) -> NDArray[np.uint64]:
    if isinstance(stream, str):
        if stream not in STREAMS:
            raise InputError(f"stream is {stream!r}, allowed are {', '.join(STREAMS)}.")
        stream = STREAMS[stream]
    return addressed.words(
        checked_seed(seed),
        _integer(stream, "stream", 16),
        _integer(step, "step", 32),
        _integer(pass_, "pass_", 16),
        blocks,
    )


def _integer(value: object, name: str, bits: int) -> int:
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool):
        number = int(value)
        if 0 <= number < 2**bits:
            return number
    raise InputError(f"{name} is {value!r}, allowed are integers from 0 to 2**{bits} - 1.")


def _address(index: ArrayLike) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    given = np.asarray(index)
    if given.size and (given.dtype.kind not in "iu" or given.min() < 0):
        lowest = f" and the value {given.min()}" if given.dtype.kind in "iu" else ""
        raise InputError(
            f"index has dtype {given.dtype}{lowest}, allowed are integers from 0 to 2**64 - 1."
        )
    flat = given.astype(np.uint64).ravel()
    return flat, flat // np.uint64(4)


def _select(
    values: NDArray[np.float32], flat: NDArray[np.uint64], shape: tuple[int, ...]
) -> NDArray[np.float32]:
    lane = (flat % np.uint64(4)).astype(np.intp)
    chosen: NDArray[Any] = values[np.arange(len(flat)), lane]
    return chosen.reshape(shape)

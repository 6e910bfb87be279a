"""Integer codes for RTL test benches: hexadecimal words that Verilog's ``$readmemh`` reads, and results read back.

A folder of a bench holds ``dac_codes.hex`` (N, I), ``weights.hex`` (O, I) and the expected ``adc_codes.hex`` (N, O),
row by row, a word a line in two's complement, and ``bench.json`` with widths, shapes and steps. What the simulated
hardware writes with ``$writememh`` is read by :func:`from_hex` and turned into outputs by :func:`outputs`, to be judged
by :func:`~refsim.conformance.admissible.judge_forward`.
"""

from __future__ import annotations

import copy
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from refsim import __version__
from refsim.config.atomic import write_atomically
from refsim.errors import ConfigError, InputError, VectorError
from refsim.tile import TorchInferenceTile, settings

__all__ = ["from_hex", "outputs", "to_hex", "write_bench"]

Codes = NDArray[np.int64]

MOST_WORDS: Final = 2**24
MOST_BITS: Final = 48
_COMMENTS: Final = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)


def to_hex(codes: Any, bits: int) -> str:
    """Integers as words of two's complement, one a line.

    Parameters
    ----------
    codes
        Integers of any shape, written row by row.
    bits
        Width of a word.

    Raises
    ------
    InputError
        If a number is no integer or does not fit.

    Examples
    --------
    >>> print(to_hex([[1, -1]], 6), end="")
    // 2 words of 6 bits, shape 1 2
    01
    3f
    """
    array = np.asarray(codes)
    whole = array.astype(np.int64) if array.dtype.kind in "fiu" else None
    if whole is None or not np.array_equal(whole, array):
        raise InputError("codes has numbers that are no integers of 64 bits.")
    _check_bits(bits)
    if array.size and (whole.min() < -(2 ** (bits - 1)) or whole.max() >= 2 ** (bits - 1)):
        raise InputError(
            f"codes reaches from {whole.min()} to {whole.max()}, which {bits} bits do not hold."
        )
    digits = -(-bits // 4)
    words = [f"{code & (2**bits - 1):0{digits}x}" for code in whole.reshape(-1).tolist()]
    shape = " ".join(map(str, array.shape))
    return "\n".join([f"// {array.size} words of {bits} bits, shape {shape}", *words, ""])


def from_hex(text: str, bits: int, shape: tuple[int, ...]) -> Codes:
    """The integers of :func:`to_hex`, or of a file that ``$writememh`` wrote.

    Parameters
    ----------
    text
        Words in hexadecimal; comments, underscores and addresses that go on where the last word was are understood.
    bits
        Width of a word.
    shape
        Shape of the array.

    Raises
    ------
    VectorError
        If there are more or fewer words, or one is unknown (``x``, ``z``) or too wide.

    Examples
    --------
    >>> from_hex("// two\\n@0 01 3f", 6, (1, 2))
    array([[ 1, -1]])
    """
    _check_bits(bits)
    count = int(np.prod(shape, dtype=object))
    if not 0 <= count <= MOST_WORDS or len(text) > 32 * (count + 1000):
        raise VectorError(f"the text is too long for {count} words, allowed are {MOST_WORDS}.")
    words: list[int] = []
    for word in _COMMENTS.sub(" ", text).split():
        if word.startswith("@"):
            if _number(word[1:]) != len(words):
                raise VectorError(
                    f"the address {word[:40]} does not go on after {len(words)} words."
                )
            continue
        words.append(_number(word))
        if words[-1] >= 2**bits:
            raise VectorError(f"the word {word[:40]} has more than {bits} bits.")
    if len(words) != count:
        raise VectorError(f"there are {len(words)} words, an array of shape {shape} has {count}.")
    found = np.array(words, dtype=np.int64).reshape(shape)
    return np.where(found >= 2 ** (bits - 1), found - 2**bits, found)


def write_bench(
    folder: str | os.PathLike[str], tile: TorchInferenceTile, x: object, weight_step: float
) -> dict[str, Any]:
    """Write the files of a bench for one forward pass in evaluation.

    Parameters
    ----------
    folder
        An existing folder.
    tile
        A tile of the autograd path whose converters both round; it is not changed.
    x
        ``(..., in)``, the batch.
    weight_step
        What one unit of an integer weight is worth; all stored weights must be multiples of it.

    Returns
    -------
    dict
        The content of ``bench.json``.

    Raises
    ------
    ConfigError
        If a converter does not round, or its bound is not on its grid.
    InputError
        If a weight is no multiple of ``weight_step``.
    OSError
        If a file cannot be written.
    """
    dac, adc = _converters(tile)
    _, trace = copy.deepcopy(tile).eval().forward(x, trace=True)
    weight = np.asarray(tile.parameters["weight"], dtype=np.float64) / weight_step
    if not np.array_equal(weight, np.rint(weight)):
        raise InputError(f"weight_step is {weight_step!r}, but a weight is no multiple of it.")
    codes = {
        "dac_codes": (np.rint(trace["converted_input"] / dac.step), _top(dac)),
        "weights": (weight, int(np.abs(weight).max())),
        "adc_codes": (np.rint(trace["output_code"] / adc.step), _top(adc)),
    }
    steps = {"dac_codes": dac.step, "weights": weight_step, "adc_codes": adc.step}
    bench: dict[str, Any] = {"schema": 1, "refsim": __version__}
    for name, (values, top) in codes.items():
        bits = top.bit_length() + 1
        entry = {"bits": bits, "shape": list(values.shape), "top": top, "step": float(steps[name])}
        bench[name] = entry
        write_atomically(Path(folder, f"{name}.hex"), to_hex(values, bits).encode())
    write_atomically(Path(folder, "bench.json"), (json.dumps(bench, indent=2) + "\n").encode())
    return bench


def outputs(tile: TorchInferenceTile, x: object, codes: Codes) -> tuple[Any, Mapping[str, Any]]:
    """The output that follows from ADC codes, and the stage that they are.

    Parameters
    ----------
    tile, x
        As for :func:`write_bench`.
    codes
        ``(N, out)``, what the hardware returned.

    Returns
    -------
    tuple
        ``(N, out)``, and ``{"output_code": ...}`` in the units of the tile, for ``stages`` of
        :func:`~refsim.conformance.admissible.judge_forward`.

    Raises
    ------
    ConfigError
        As for :func:`write_bench`.
    InputError
        If a code is beyond the largest one.

    Examples
    --------
    >>> import refsim as rs
    >>> from refsim.conformance.admissible import judge_forward
    >>> io = rs.IOParameters(inp_res=4, out_res=8, out_bound=4.0, out_noise=0.0,
    ...     noise_management=rs.NoiseManagementType.NONE, bound_management=rs.BoundManagementType.NONE)
    >>> tile = rs.TorchInferenceRPUConfig(forward=io).create_tile(out_size=1, in_size=2, backend="spec")
    >>> tile.set_weights([[2.0, -1.0]])
    >>> y, stages = outputs(tile, [[0.6, 0.2]], np.array([[1]]))
    >>> judge_forward(tile, [[0.6, 0.2]], y, stages=stages).passed
    True
    """
    adc = _converters(tile)[1]
    top = _top(adc)
    if codes.size and np.abs(codes).max() > top:
        raise InputError(f"codes has {np.abs(codes).max()}, allowed are codes up to {top}.")
    _, trace = copy.deepcopy(tile).eval().forward(x, trace=True)
    ops, code = tile.ops, codes.astype(tile.dtype) * adc.step
    code = np.where(np.abs(codes) == top, np.sign(codes).astype(tile.dtype) * adc.bound, code)
    scale = settings.core(tile.config.forward, tile.dtype).out_scale
    y = ops.rescaled_output(code, trace["input_scale"], scale)
    found = {stage.name: stage.value for stage in trace}
    for name in ("output_factor", "out_scaling_alpha"):
        if name in found:
            y = ops.scaled_output(y, found[name])
    return (ops.shifted_output(y, found["bias"]) if "bias" in found else y), {"output_code": code}


def _converters(tile: TorchInferenceTile) -> tuple[settings.Converter, settings.Converter]:
    io = getattr(tile.config, "forward", None)
    if type(tile) is not TorchInferenceTile or io is None or io.is_perfect:
        raise ConfigError("tile has no converters of the autograd path, which a bench needs.")
    core = settings.core(io, tile.dtype)
    for side, each in (("inp", core.dac), ("out", core.adc)):
        if not (each.step > 0 and np.isfinite(each.bound)) or each.noise > 0:
            raise ConfigError(
                f"forward.{side}_res and {side}_bound make no grid of codes without noise, which a bench needs."
            )
        if np.abs(each.bound / each.step - _top(each)) > 1e-4:
            raise ConfigError(
                f"forward.{side}_bound is not on the grid of codes, as a bench needs."
            )
    return core.dac, core.adc


def _top(converter: settings.Converter) -> int:
    """The code of the bound."""
    return int(np.rint(converter.bound / converter.step))


def _number(word: str) -> int:
    plain = word.replace("_", "")
    if not re.fullmatch(r"[0-9a-fA-F]{1,16}", plain):
        raise VectorError(f"the word {word[:40]!r} is not in hexadecimal.")
    return int(plain, 16)


def _check_bits(bits: int) -> None:
    if type(bits) is not int or not 1 <= bits <= MOST_BITS:
        raise InputError(f"bits is {bits!r}, allowed are integers from 1 to {MOST_BITS}.")

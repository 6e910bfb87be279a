"""The state of a training in one file: all tiles, velocities of the optimiser, and a header; written atomically."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from refsim.config.atomic import write_atomically
from refsim.errors import InputError, StateError

from .layers import Sequential
from .sgd import SGD

FORMAT = "refsim-training-1"
Arrays = dict[str, NDArray[Any]]


def save_training(
    path: str | os.PathLike[str], model: Sequential, optimizer: SGD, header: Mapping[str, Any]
) -> None:
    """Write parameters, buffers and random state of all tiles, velocities and number of steps, and the header.

    The file appears under its name only when it is complete; until then an older one stays as it is.

    Parameters
    ----------
    path
        Name of the safetensors file.
    model, optimizer
        What is trained, between two steps.
    header
        Anything that JSON can hold.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    from safetensors.numpy import save as to_bytes

    states = {f"tile.{i}": tile.state_dict() for i, tile in enumerate(model.tiles())}
    states["optimizer"] = optimizer.state_dict()
    arrays = {f"{part}.{name}": a for part, state in states.items() for name, a in state.items()}
    text = json.dumps({**header, "format": FORMAT}, allow_nan=False)
    write_atomically(path, to_bytes(arrays, {"refsim": text}))


def load_training(path: str | os.PathLike[str]) -> tuple[Arrays, dict[str, Any]]:
    """Read arrays and header of a file that :func:`save_training` wrote.

    Raises
    ------
    InputError
        If the file is truncated, not a safetensors file, or of another format.
    OSError
        If the file cannot be read.
    """
    from safetensors import SafetensorError, safe_open

    Path(path).stat()
    try:
        with safe_open(path, framework="np") as file:
            header = json.loads((file.metadata() or {}).get("refsim", "null"))
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, ValueError, TypeError, OSError) as error:
        raise InputError(f"{path} is not a readable safetensors file: {error}") from None
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise InputError(f"{path} is no state of a training, allowed is the format {FORMAT}.")
    return arrays, header


def restore(arrays: Arrays, model: Sequential, optimizer: SGD | None = None) -> None:
    """Give tiles, and an optimiser over them, the state of a file.

    Raises
    ------
    StateError, InputError, ShapeError
        If the state does not fit.
    """
    parts: dict[str, Arrays] = {}
    for key, array in arrays.items():
        part, name = _split(key)
        parts.setdefault(part, {})[name] = array
    tiles = {f"tile.{i}": tile for i, tile in enumerate(model.tiles())}
    if set(parts) != {*tiles, "optimizer"}:
        raise StateError(f"the state has {sorted(parts)}, allowed are {[*tiles, 'optimizer']}.")
    for part, tile in tiles.items():
        tile.load_state_dict(parts[part])
    if optimizer is not None:
        optimizer.load_state_dict(parts["optimizer"])


def _split(key: str) -> tuple[str, str]:
    words = key.split(".")
    cut = 2 if words[0] == "tile" else 1
    return ".".join(words[:cut]), ".".join(words[cut:])


__all__ = ["load_training", "restore", "save_training"]

"""Tiles in files: safetensors with the configuration in the header, written atomically."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from refsim.config.atomic import write_atomically
from refsim.config.files import from_json, to_json
from refsim.errors import InputError, StateError

from . import array_checkpoint
from .array import TileModuleArray
from .state import Tile

FORMAT = "refsim-tile-1"
HEADER = {
    "format": str,
    "class": str,
    "out_size": int,
    "in_size": int,
    "bias": bool,
    "backend": str,
    "name": str,
    "training": bool,
    "config": str,
}
HEADERS = {FORMAT: HEADER, array_checkpoint.FORMAT: array_checkpoint.HEADER}


def save(path: str | os.PathLike[str], tile: Tile | TileModuleArray) -> None:
    """Write a tile or an array - configuration, parameters, buffers, random state - to a safetensors file.

    The file appears under its name only when it is complete. Gradients and a pending backward pass are not saved.

    Parameters
    ----------
    path
        Name of the file.
    tile
        Any tile, or an array of tiles.

    Raises
    ------
    InputError
        If ``tile`` is not a tile, or holds NaN or infinity, so that it could not be loaded.
    OSError
        If the file cannot be written.
    """
    from safetensors.numpy import save as to_bytes

    if isinstance(tile, TileModuleArray):
        state, header = array_checkpoint.contents(tile)
        return write_atomically(path, to_bytes(state, {"refsim": json.dumps(header)}))
    if not isinstance(tile, Tile):
        raise InputError(f"tile is {type(tile).__name__}, allowed are refsim's tiles and arrays.")
    state = tile.state_dict()
    tile.accepted_state(state, strict=True)
    header = {
        "format": FORMAT,
        "class": type(tile).__name__,
        "out_size": tile.out_size,
        "in_size": tile.in_size,
        "bias": tile.has_bias,
        "backend": tile.backend,
        "name": tile.name,
        "training": tile.training,
        "config": to_json(tile.config),
    }
    write_atomically(path, to_bytes(state, {"refsim": json.dumps(header)}))


def load(path: str | os.PathLike[str], backend: str | None = None) -> Any:
    """Read a tile or an array that :func:`save` wrote.

    Parameters
    ----------
    path
        Name of the file.
    backend
        Backend of the new tile; that of the saved one by default.

    Returns
    -------
    The tile, which goes on to the same bits as the saved one.

    Raises
    ------
    InputError
        If the file is truncated, not a safetensors file, or not refsim's.
    OSError
        If the file cannot be read.
    """
    state, header = _read(Path(path))
    try:
        if header["format"] == array_checkpoint.FORMAT:
            return array_checkpoint.array(state, header, backend)
        size = header["out_size"], header["in_size"]
        if state["weight"].shape != size:
            raise InputError(f"{path} speaks of a weight of shape {size}, but holds another.")
        config = from_json(header["config"])
        tile: Tile = config.create_tile(
            out_size=header["out_size"],
            in_size=header["in_size"],
            bias=header["bias"],
            backend=backend or header["backend"],
            name=header["name"],
        )
        if type(tile).__name__ != header["class"]:
            raise InputError(
                f"the configuration makes a {type(tile).__name__}, not a {header['class']}"
            )
        tile.load_state_dict(state)
        return tile.train(header["training"])
    except (KeyError, StateError) as error:
        raise InputError(f"{path} is not a whole refsim checkpoint: {error}") from error


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    from safetensors import SafetensorError, safe_open

    if path.is_dir():
        raise InputError(f"{path} is a folder, allowed are files that refsim.save wrote.")
    path.stat()
    try:
        with safe_open(path, framework="np") as file:
            header = json.loads((file.metadata() or {}).get("refsim", "null"))
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, ValueError, TypeError) as error:
        raise InputError(f"{path} is not a readable safetensors file: {error}") from None
    if not isinstance(header, dict) or header.get("format") not in HEADERS:
        allowed = " and ".join(HEADERS)
        raise InputError(
            f"{path} was not written by refsim.save, allowed are the formats {allowed}."
        )
    for name, kind in HEADERS[header["format"]].items():
        if type(header.get(name)) is not kind:
            raise InputError(
                f"{path} has {name}={header.get(name)!r}, allowed is a {kind.__name__}."
            )
    return state, header

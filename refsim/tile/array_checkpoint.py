"""Arrays of tiles in files: what their header says, and the array that it describes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from refsim.config.files import from_json, to_json
from refsim.errors import InputError

from .array import TileModuleArray
from .quantised_array import QuantizedTileModuleArray

FORMAT = "refsim-array-1"
HEADER = {
    "format": str,
    "class": str,
    "out_size": int,
    "in_size": int,
    "bias": bool,
    "seed": int,
    "backend": str,
    "name": str,
    "training": bool,
    "config": str,
    "configs": list,
    "config_of_tile": list,
}


def contents(array: TileModuleArray) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """State and header of an array; configurations that tiles share are written once.

    Raises
    ------
    InputError
        If a value is NaN or infinite, so that it could not be loaded.
    """
    tiles = list(array.named_tiles().values())
    for tile in tiles:
        tile.accepted_state(tile.state_dict(), strict=True)
    array.periphery.accepted(array.periphery.state_dict(), strict=True)
    texts = [to_json(tile.config) for tile in tiles]
    distinct = list(dict.fromkeys(texts))
    number = {text: k for k, text in enumerate(distinct)}
    header = {
        "format": FORMAT,
        "class": type(array).__name__,
        "out_size": array.out_size,
        "in_size": array.in_size,
        "bias": array.has_bias,
        "seed": array.seed,
        "backend": array.backend,
        "name": array.name,
        "training": array.training,
        "config": to_json(array.given),
        "configs": distinct,
        "config_of_tile": [number[text] for text in texts],
    }
    return array.state_dict(), header


def array(state: Mapping[str, Any], header: Mapping[str, Any], backend: str | None) -> Any:
    """The array that a file describes.

    Raises
    ------
    InputError, KeyError, StateError
        If header and state do not fit together.
    """
    cls = {c.__name__: c for c in (TileModuleArray, QuantizedTileModuleArray)}.get(header["class"])
    if cls is None:
        raise InputError(f"the class {header['class']} is not in this version of refsim")
    made = cls(
        header["out_size"],
        header["in_size"],
        from_json(header["config"]),
        bias=header["bias"],
        seed=header["seed"],
        backend=backend or header["backend"],
        name=header["name"],
    )
    _configure(made, header)
    made.load_state_dict(state)
    return made.train(header["training"])


def _configure(made: TileModuleArray, header: Mapping[str, Any]) -> None:
    """Make the tiles anew whose configuration is not that of the array."""
    places = [(i, o) for i, row in enumerate(made.tiles) for o in range(len(row))]
    configs = [from_json(text) for text in header["configs"]]
    chosen = header["config_of_tile"]
    known = range(len(configs))
    if len(chosen) != len(places) or not all(type(k) is int and k in known for k in chosen):
        raise InputError(f"the header does not give each of {len(places)} tiles a configuration")
    for (i, o), k in zip(places, chosen, strict=True):
        if header["configs"][k] != header["config"]:
            made.tiles[i][o] = made.made_tile(i, o, configs[k])

"""A layer on one tile or on an array of tiles, as its mapping says."""

from __future__ import annotations

from typing import Any

from refsim.config import MappableRPU, MappingParameter, QuantizedTorchInferenceRPUConfig

from .array import TileModuleArray
from .quantised_array import QuantizedTileModuleArray


def needs_array(out_size: int, in_size: int, mapping: MappingParameter) -> bool:
    """Whether a layer of that size is an array: if an axis is longer than its limit, but not if both limits are 0.

    So a single limit of 0, or a negative one, always makes an array, whose axis is not split there.

    >>> needs_array(10, 600, MappingParameter()), needs_array(10, 600, MappingParameter(max_input_size=600))
    (True, False)
    >>> unlimited = MappingParameter(max_input_size=0, max_output_size=0)
    >>> needs_array(10, 600, unlimited), needs_array(10, 6, MappingParameter(max_output_size=0))
    (False, True)
    """
    inputs, outputs = mapping.max_input_size, mapping.max_output_size
    return (inputs, outputs) != (0, 0) and (in_size > inputs or out_size > outputs)


def tile_or_array(
    out_size: int,
    in_size: int,
    config: Any,
    bias: bool = False,
    seed: int = 0,
    backend: str = "cpu",
    name: str | None = None,
) -> Any:
    """The tile of a layer, or the array where the mapping asks for one; parameters as for either."""
    if isinstance(config, MappableRPU) and needs_array(out_size, in_size, config.mapping):
        quantised = isinstance(config, QuantizedTorchInferenceRPUConfig)
        made = QuantizedTileModuleArray if quantised else TileModuleArray
        return made(out_size, in_size, config, bias, seed, backend, name)
    return config.create_tile(out_size, in_size, bias, seed, backend, name)


def single_tiles(tile: Any) -> list[Any]:
    """The tile itself, or the tiles of an array row by row."""
    return list(tile.named_tiles().values()) if isinstance(tile, TileModuleArray) else [tile]

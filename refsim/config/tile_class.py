"""The field ``tile_class``: which tile a configuration makes.

A configuration lies below the tiles, so it holds the name of a refsim tile and imports it only when
the field is read.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final, overload

from refsim.config.checks import REFUSED
from refsim.errors import ConfigError

__all__ = ["TILES", "TileClass", "tile_name"]

_PACKAGE: Final = "refsim.tile"
TILES: Final = (
    "TorchInferenceTile",
    "QuantizedTorchInferenceTile",
    "InferenceTile",
    "CustomTile",
    "FloatingPointTile",
)
"""The tiles that a configuration may name."""


class TileClass:
    """Descriptor of the field: set to a class or to ``"refsim.tile:Name"``, read as the class.

    Parameters
    ----------
    default
        The name of the refsim tile that is the default; without one the field is required.

    Raises
    ------
    ConfigError
        On reading, if the named tile is not part of this version of refsim.
    """

    def __init__(self, default: str | None = None) -> None:
        self.default = default

    @overload
    def __get__(self, config: None, owner: type) -> str: ...
    @overload
    def __get__(self, config: object, owner: type) -> type[Any]: ...
    def __get__(self, config: object | None, owner: type) -> str | type[Any]:
        if config is not None:
            return _resolved(vars(config)["tile_class"])
        if self.default is None:
            raise AttributeError(f"{owner.__name__} has no default tile_class")
        return f"{_PACKAGE}:{self.default}"

    def __set__(self, config: object, value: str | type[Any]) -> None:
        vars(config)["tile_class"] = value

    @staticmethod
    def accepted(value: object) -> Any:
        """The value as the field stores it: refsim's tiles by name, other classes as they are."""
        if isinstance(value, type):
            ours = f"{value.__module__}.".startswith(f"{_PACKAGE}.") and value.__name__ in TILES
            return f"{_PACKAGE}:{value.__name__}" if ours else value
        named = isinstance(value, str) and value in [f"{_PACKAGE}:{name}" for name in TILES]
        return value if named else REFUSED

    @staticmethod
    def described() -> str:
        """What the field takes, in words."""
        return f'a class, or "{_PACKAGE}:NAME" with NAME one of {", ".join(TILES)}'


def tile_name(config: object) -> str:
    """The name of the tile class of a configuration, without importing it."""
    stored = vars(config)["tile_class"]
    return stored.__name__ if isinstance(stored, type) else str(stored).partition(":")[2]


def _resolved(stored: str | type[Any]) -> type[Any]:
    if isinstance(stored, type):
        return stored
    module, _, name = stored.partition(":")
    found = getattr(import_module(module), name, None)
    if not isinstance(found, type):
        raise ConfigError(f"tile_class is {name}, which is not part of this version of refsim.")
    return found

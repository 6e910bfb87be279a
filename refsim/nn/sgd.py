"""Stochastic gradient descent over tiles (clause OP)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from refsim.errors import ConfigError, InputError, StateError
from refsim.spec.sums import Array
from refsim.tile.array import TileModuleArray
from refsim.tile.arrays import of_shape
from refsim.tile.holder import Holder
from refsim.tile.settings import typed
from refsim.tile.state import Tile


@dataclass
class Group:
    """Tiles that share options; with ``parameters`` only those of that name."""

    tiles: list[Tile]
    parameters: list[str] | None
    lr: float
    momentum: float
    dampening: float
    weight_decay: float
    nesterov: bool
    velocities: dict[tuple[int, str], Array] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("lr", "momentum", "dampening", "weight_decay"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(
                value, (int, float, np.integer, np.floating)
            ):
                raise ConfigError(f"SGD.{name} is {value!r}, allowed are numbers.")
            if not math.isfinite(value) or (value < 0 and name != "dampening"):
                raise ConfigError(f"SGD.{name} is {value!r}, allowed are finite numbers from 0.")
        if not isinstance(self.nesterov, bool):
            raise ConfigError(f"SGD.nesterov is {self.nesterov!r}, allowed are True and False.")
        if self.nesterov and (self.momentum <= 0 or self.dampening != 0):
            raise ConfigError(
                "SGD.nesterov is True, allowed only with momentum above 0 and dampening 0."
            )

    def trained(self) -> Iterable[tuple[int, Tile, str]]:
        """Position and tile of every parameter of the group."""
        for position, tile in enumerate(self.tiles):
            for name in tile.parameters:
                if self.parameters is None or name in self.parameters:
                    yield position, tile, name

    def update(self, tile: Tile, name: str, velocity: Array | None) -> tuple[Array, Array | None]:
        """New value and velocity of a parameter."""
        T = tile.parameters[name].dtype
        return tile.ops.sgd_step(  # type: ignore[no-any-return]
            tile.parameters[name],
            tile.checked_gradient(name),
            velocity,
            typed(self.lr, T, "SGD.lr"),
            typed(self.momentum, T, "SGD.momentum"),
            typed(1.0 - self.dampening, T, "1 - SGD.dampening"),
            typed(self.weight_decay, T, "SGD.weight_decay"),
            self.nesterov,
        )


OPTIONS = ("lr", "momentum", "dampening", "weight_decay", "nesterov")


class SGD:
    """Gradient descent with momentum, dampening, Nesterov's look-ahead and weight decay.

    Every parameter of a tile takes part, the input range included. A step updates the parameters, then the
    weights of tiles that leave this to it (:class:`~refsim.CustomTile`), then lets each tile clip and remap its
    weights. It is all or nothing: a step that would make a value infinite or a range 0 raises and changes nothing.

    Parameters
    ----------
    tiles
        Tiles and arrays, or groups: mappings with the key ``tiles``, optionally ``parameters`` (names in a tile), and
        options of their own. An array counts as its tiles, row by row, and what stands behind them.
    lr
        Learning rate, at least 0.
    momentum, dampening, weight_decay, nesterov
        As in clause OP-1.

    Raises
    ------
    ConfigError
        If an option is impossible.
    InputError
        If ``tiles`` holds something else, or a parameter twice.

    Examples
    --------
    >>> import numpy as np, refsim as rs
    >>> config = rs.TorchInferenceRPUConfig(forward=rs.IOParameters(is_perfect=True))
    >>> tile = config.create_tile(out_size=1, in_size=2, backend="spec")
    >>> optimizer = SGD([tile], lr=0.5)
    >>> y, dx = tile.forward([[1.0, 2.0]]), tile.backward([[1.0]])
    >>> optimizer.step()
    >>> tile.parameters["weight"]
    array([[-0.5, -1. ]], dtype=float32)
    """

    def __init__(
        self,
        tiles: Iterable[Tile | TileModuleArray | Mapping[str, Any]],
        lr: float,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        defaults = dict(
            zip(OPTIONS, (lr, momentum, dampening, weight_decay, nesterov), strict=True)
        )
        if isinstance(tiles, (Mapping, Tile)) or not hasattr(tiles, "__iter__"):
            raise InputError(
                f"tiles is {type(tiles).__name__}, allowed are lists of tiles or groups."
            )
        given = list(tiles)
        if not given:
            raise InputError("tiles is empty, allowed are non-empty lists of tiles or groups.")
        plain = [tile for tile in given if not isinstance(tile, Mapping)]
        self.groups = [_group({"tiles": plain}, defaults)] if plain else []
        self.groups += [_group(group, defaults) for group in given if isinstance(group, Mapping)]
        self.steps = 0
        seen = [(id(tile), name) for group in self.groups for _, tile, name in group.trained()]
        if len(set(seen)) < len(seen):
            raise InputError(
                "tiles holds a parameter twice, allowed is each parameter in one group."
            )

    def step(self) -> None:
        """Update every parameter that has a gradient, then weights with pending updates, then clip and remap.

        Raises
        ------
        StateError
            If a parameter would become infinite, or (:class:`~refsim.RangeError`) an input range 0; nothing is changed.
        """
        updates = [(group, *update) for group in self.groups for update in self._updates(group)]
        results: dict[Tile, dict[str, Array]] = {
            tile: dict(tile.parameters) for tile in self._tiles()
        }
        for _, _, tile, name, value, _ in updates:
            results[tile][name] = value
        weights = list(self._weights())
        with np.errstate(all="ignore"):
            for group, tile in weights:
                results[tile] = tile.manual_update(results[tile], group.lr)
        results = {tile: tile.after_update(values) for tile, values in results.items()}
        for tile, values in results.items():
            tile.assign(values)
        for _, tile in weights:
            tile.forget_updates()
        for group, position, _, name, _, velocity in updates:
            if velocity is not None:
                group.velocities[position, name] = velocity
        self.steps += 1

    def _tiles(self) -> list[Tile]:
        return list(dict.fromkeys(tile for group in self.groups for tile in group.tiles))

    def _weights(self) -> Iterable[tuple[Group, Tile]]:
        """The tiles whose weight is trained, with its group."""
        for group in self.groups:
            for _, tile, name in group.trained():
                if name == "weight":
                    yield group, tile

    def _updates(self, group: Group) -> Iterable[tuple[int, Tile, str, Array, Array | None]]:
        for position, tile, name in group.trained():
            if name not in tile.gradients:
                continue
            with np.errstate(all="ignore"):
                value, velocity = group.update(tile, name, group.velocities.get((position, name)))
            if name == "input_range":
                tile.checked_range(value[0])
            if not np.isfinite(value).all():
                raise StateError(
                    f"{name} of {tile.name} becomes infinite in optimiser step {self.steps + 1}."
                )
            yield position, tile, name, value, velocity

    def zero_grad(self) -> None:
        """Discard the gradients of all tiles."""
        for tile in self._tiles():
            tile.zero_grad()

    def state_dict(self) -> dict[str, Array]:
        """Copies of the velocities, by group, tile and parameter, and the number of steps."""
        state: dict[str, Any] = {
            f"{g}.{position}.{name}": velocity.copy()
            for g, group in enumerate(self.groups)
            for (position, name), velocity in group.velocities.items()
        }
        state["steps"] = np.array([self.steps], dtype=np.uint64)
        return state

    def load_state_dict(self, state: Mapping[str, Array]) -> None:
        """Take over a state from :meth:`state_dict` of an optimiser with the same groups; all or nothing."""
        if not isinstance(state, Mapping):
            raise InputError(f"state is {type(state).__name__}, allowed are mappings.")
        places = {
            f"{g}.{position}.{name}": (group, position, name, tile.parameters[name])
            for g, group in enumerate(self.groups)
            for position, tile, name in group.trained()
        }
        velocities = {key: value for key, value in state.items() if key != "steps"}
        for key, array in velocities.items():
            if key not in places:
                raise StateError(
                    f"the state of the optimiser has {key!r}, which is none of its parameters."
                )
            parameter = places[key][3]
            velocities[key] = of_shape(array, parameter.dtype, parameter.shape, f"velocity {key!r}")
        steps = np.asarray(state.get("steps"))
        if steps.shape != (1,) or steps.dtype.kind not in "iu" or steps[0] < 0:
            raise StateError(
                "the state of the optimiser has no 'steps', allowed is an array with one count."
            )
        for group in self.groups:
            group.velocities.clear()
        for key, array in velocities.items():
            group, position, name, _ = places[key]
            group.velocities[position, name] = array.copy()
        self.steps = int(steps[0])


def _parts(tiles: Iterable[Any]) -> Iterable[Any]:
    """The tiles; those of an array and what stands behind them one by one."""
    for tile in tiles:
        if isinstance(tile, TileModuleArray):
            yield from tile.parts().values()
        else:
            yield tile


def _chosen(names: Any, known: set[str]) -> list[str] | None:
    """The names of the parameters of a group, None for all."""
    if names is None:
        return None
    listed = list(names) if isinstance(names, Iterable) and not isinstance(names, str) else [names]
    if isinstance(names, str) or not all(isinstance(n, str) and n in known for n in listed):
        raise ConfigError(
            f"parameters of SGD is {names!r}, allowed are lists of {', '.join(sorted(known))}."
        )
    return listed


def _group(given: Mapping[str, Any], defaults: Mapping[str, Any]) -> Group:
    allowed = ("tiles", "parameters", *OPTIONS)
    for key in given:
        if key not in allowed:
            raise ConfigError(
                f"a group of SGD has the key {key!r}, allowed are {', '.join(allowed)}."
            )
    tiles = given.get("tiles")
    tiles = list(_parts(tiles)) if isinstance(tiles, Iterable) else []
    if not tiles or not all(isinstance(tile, Holder) for tile in tiles):
        raise InputError(
            "tiles of SGD must be a non-empty list of tiles, or of groups with the key 'tiles'."
        )
    chosen = _chosen(given.get("parameters"), {name for tile in tiles for name in tile.parameters})
    options = {name: given.get(name, defaults[name]) for name in OPTIONS}
    return Group(tiles=tiles, parameters=chosen, **options)

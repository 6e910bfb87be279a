"""Stochastic gradient descent over tiles (clause OP)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from refsim.errors import ConfigError, InputError, StateError
from refsim.spec.sums import Array
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


OPTIONS = ("lr", "momentum", "dampening", "weight_decay", "nesterov")


class SGD:
    """Gradient descent with momentum, dampening, Nesterov's look-ahead and weight decay.

    Every parameter of a tile takes part, the input range included. A step updates the parameters, then lets
    each tile clip and remap its weights. It is all or nothing: a step that would make a value infinite or a
    range 0 raises and changes nothing.

    Parameters
    ----------
    tiles
        Tiles, or groups: mappings with the key ``tiles``, optionally ``parameters`` (names), and options of their own.
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
        tiles: Iterable[Tile | Mapping[str, Any]],
        lr: float,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        defaults = dict(
            zip(OPTIONS, (lr, momentum, dampening, weight_decay, nesterov), strict=True)
        )
        given = list(tiles)
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
        """Update every parameter that has a gradient, then clip and remap.

        Raises
        ------
        StateError
            If a parameter would become infinite, or (:class:`~refsim.RangeError`) an input range 0; nothing is changed.
        """
        with np.errstate(all="ignore"):
            updates = [(group, *update) for group in self.groups for update in self._updates(group)]
        for group, position, tile, name, value, velocity in updates:
            tile.parameters[name][...] = value
            if velocity is not None:
                group.velocities[position, name] = velocity
        self.steps += 1
        for tile in dict.fromkeys(tile for group in self.groups for tile in group.tiles):
            tile.post_update()

    def _updates(self, group: Group) -> Iterable[tuple[int, Tile, str, Array, Array | None]]:
        for position, tile, name in group.trained():
            if name not in tile.gradients:
                continue
            value, velocity = tile.ops.sgd_step(
                tile.parameters[name],
                tile.gradients[name],
                group.velocities.get((position, name)),
                *(
                    typed(getattr(group, option), tile.dtype, f"SGD.{option}")
                    for option in ("lr", "momentum")
                ),
                typed(1.0 - group.dampening, tile.dtype, "1 - SGD.dampening"),
                typed(group.weight_decay, tile.dtype, "SGD.weight_decay"),
                group.nesterov,
            )
            if name == "input_range":
                tile.checked_range(value[0])
            if not np.isfinite(value).all():
                raise StateError(
                    f"{name} of {tile.name} becomes infinite in optimiser step {self.steps + 1}."
                )
            yield position, tile, name, value, velocity

    def zero_grad(self) -> None:
        """Discard the gradients of all tiles."""
        for group in self.groups:
            for tile in group.tiles:
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
        places = {
            f"{g}.{position}.{name}": (group, position, name, tile.parameters[name])
            for g, group in enumerate(self.groups)
            for position, tile, name in group.trained()
        }
        for key, array in state.items():
            if key != "steps" and (
                key not in places
                or places[key][3].shape != array.shape
                or places[key][3].dtype != array.dtype
            ):
                raise StateError(
                    f"the state of the optimiser has {key!r}, which fits none of its parameters."
                )
        if "steps" not in state:
            raise StateError("the state of the optimiser lacks 'steps'.")
        for group in self.groups:
            group.velocities.clear()
        for key, array in state.items():
            if key != "steps":
                group, position, name, _ = places[key]
                group.velocities[position, name] = array.copy()
        self.steps = int(state["steps"][0])


def _group(given: Mapping[str, Any], defaults: Mapping[str, Any]) -> Group:
    allowed = ("tiles", "parameters", *OPTIONS)
    for key in given:
        if key not in allowed:
            raise ConfigError(
                f"a group of SGD has the key {key!r}, allowed are {', '.join(allowed)}."
            )
    tiles = list(given.get("tiles", ()))
    if not tiles or not all(isinstance(tile, Tile) for tile in tiles):
        raise InputError(
            "tiles of SGD must be a non-empty list of tiles, or of groups with the key 'tiles'."
        )
    names = given.get("parameters")
    chosen = None if names is None else list(names)
    options = {name: given.get(name, defaults[name]) for name in OPTIONS}
    return Group(tiles=tiles, parameters=chosen, **options)

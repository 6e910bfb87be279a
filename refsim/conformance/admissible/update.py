"""Is this what a correct optimiser step may make of a tile?"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from refsim.errors import InputError, StateError
from refsim.nn.sgd import SGD, Group
from refsim.tile import CustomTile
from refsim.tile.array import TileModuleArray
from refsim.tile.names import by_place
from refsim.tile.state import Tile

from .arithmetic import Arithmetic
from .entries import checked_entries, digits_of, judged, unchanged, without_random_state
from .flow import Admissible
from .interval import Floats, Interval, hull, point
from .pending import pending_update
from .post_update import clip_bound, clipped, remapped
from .profile import FLOAT32, Profile
from .report import Report, StageVerdict
from .wide import arithmetic_of

__all__ = ["SGDSettings", "Velocities", "judge_update"]


@dataclass(frozen=True)
class SGDSettings:
    """Options of gradient descent, as for :class:`refsim.SGD`.

    Raises
    ------
    ConfigError
        If one is impossible.
    """

    lr: float = 0.05
    momentum: float = 0.0
    dampening: float = 0.0
    weight_decay: float = 0.0
    nesterov: bool = False

    def __post_init__(self) -> None:
        """Refuse what the optimiser refuses."""
        Group([], None, **asdict(self))


class Velocities(dict[str, Interval]):
    """Sets of the momentum buffers by parameter.

    Attributes
    ----------
    own
        The buffers of refsim, as far as they are known: they tell the exact results from those that are admissible.
    """

    def __init__(self, sets: Mapping[str, Interval], own: Mapping[str, Any]) -> None:
        super().__init__(sets)
        self.own = dict(own)


def judge_update(
    tile: Tile | TileModuleArray,
    gradients: Mapping[str, object],
    after: Mapping[str, object],
    profile: Profile = FLOAT32,
    *,
    settings: SGDSettings,
    velocity: Mapping[str, Interval] | None = None,
) -> tuple[Report, Mapping[str, Interval]]:
    """Whether a correct implementation may have these parameters after an optimiser step.

    Parameters
    ----------
    tile
        A tile in the state before the step, with its pending weight updates if it is a :class:`~refsim.CustomTile`;
        it is not changed.
    gradients
        The implementation's own gradients, by parameter. A parameter without one must stay as it is.
    after
        Its parameters and buffers after the step, clip and remap included, or some of them. Buffers that no step
        changes must be as before.
    profile
        The arithmetic that it declares.
    settings
        Options of the optimiser.
    velocity
        What the step before returned; None before the first step.

    Returns
    -------
    Report
        The verdict on each entry given.
    Mapping
        The sets of the momentum buffers, for the next step.

    Raises
    ------
    InputError, ShapeError
        If an array does not fit, or the tile has no parameter of a name.

    Notes
    -----
    A wrong weight is put down to OP-1 if elements are wrong that the clip leaves alone, or if a remap is consistent in
    itself; else to the clause of clip or remap.

    Examples
    --------
    >>> import numpy as np, refsim as rs
    >>> tile = rs.TorchInferenceRPUConfig().create_tile(out_size=1, in_size=2)
    >>> tile.set_weights([[1.0, -1.0]])
    >>> report, velocity = judge_update(
    ...     tile, {"weight": [[0.5, 2.0]]}, {"weight": [[0.75, -2.0]]}, settings=SGDSettings(0.5, momentum=0.9))
    >>> report.passed, velocity["weight"].lo
    (True, array([[0.5, 2. ]]))
    >>> report, _ = judge_update(tile, {"weight": [[0.5, 2.0]]}, {"weight": [[1.25, 0.0]]}, settings=SGDSettings(0.5))
    >>> print(report.first)
    VIOLATION OP-1 weight[0, 1]: got 0.0, admissible -2.0, refsim returns -2.0 (2 of 2 elements)
    """
    if isinstance(tile, TileModuleArray):
        return _array_update(tile, gradients, after, profile, settings, velocity)
    if not isinstance(tile, Tile):
        raise InputError(f"tile is a {type(tile).__name__}, allowed are tiles and arrays.")
    return _judged_part(tile, gradients, after, profile, settings, velocity)


def _judged_part(
    tile: Any,
    gradients: Mapping[str, object],
    after: Mapping[str, object],
    profile: Profile,
    settings: SGDSettings,
    velocity: Mapping[str, Interval] | None,
) -> tuple[Report, Velocities]:
    """The verdict on a tile, or on what stands behind the tiles of an array."""
    given = checked_entries(tile, gradients, "gradients", tile.parameters)
    shown = checked_entries(tile, without_random_state(after), "after")
    with np.errstate(all="ignore"):
        sets, velocities = _stepped(tile, profile, given, settings, velocity or {})
        if isinstance(tile, CustomTile):
            sets["weight"] = pending_update(tile, arithmetic_of(profile), sets, shown, settings.lr)
        own, own_velocities = _own(tile, given, settings, velocity)
        found = _entries(tile, profile, sets, shown)
        verdicts = [judged(tile, each, profile, shown, own) for each in found]
    return Report(profile.name, verdicts), Velocities(velocities, own_velocities)


def _array_update(
    array: TileModuleArray,
    gradients: Mapping[str, object],
    after: Mapping[str, object],
    profile: Profile,
    settings: SGDSettings,
    velocity: Mapping[str, Interval] | None,
) -> tuple[Report, Velocities]:
    """The verdict on each tile of an array, and on what stands behind them."""
    given, shown, moved = by_place(gradients), by_place(after), by_place(velocity or {})
    own = by_place(velocity.own) if isinstance(velocity, Velocities) else {}
    for place in {*given, *shown} - set(array.parts()):
        raise InputError(
            f"{place!r} is the place of no tile, allowed are {', '.join(array.parts())}."
        )
    found: list[StageVerdict] = []
    sets: dict[str, Interval] = {}
    known: dict[str, Any] = {}
    for place, part in array.parts().items():
        before = Velocities(moved.get(place, {}), own.get(place, {})) if velocity else None
        report, new = _judged_part(
            part,
            given.get(place, {}),
            shown.get(place, {}),
            profile,
            settings,
            before,
        )
        found += [replace(stage, name=place + stage.name) for stage in report.stages]
        sets |= {place + name: value for name, value in new.items()}
        known |= {place + name: value for name, value in new.own.items()}
    return Report(profile.name, found), Velocities(sets, known)


def _stepped(
    tile: Any,
    profile: Profile,
    gradients: Mapping[str, Floats],
    settings: SGDSettings,
    velocity: Mapping[str, Interval],
) -> tuple[dict[str, Interval], dict[str, Interval]]:
    """Parameters and velocities after the step of the optimiser."""
    sets, velocities = {name: point(p) for name, p in tile.parameters.items()}, dict(velocity)
    for name, gradient in gradients.items():
        g, A = point(gradient.reshape(sets[name].lo.shape)), digits_of(profile, tile, name)
        sets[name], moved = sgd_step(A, sets[name], g, velocity.get(name), settings)
        if moved is not None:
            velocities[name] = moved
    return sets, velocities


def sgd_step(
    A: Arithmetic, p: Interval, g: Interval, v: Interval | None, settings: SGDSettings
) -> tuple[Interval, Interval | None]:
    """New value and velocity of a parameter; each product may be fused with the sum that takes it."""
    rate, momentum = -settings.lr, A.setting(settings.momentum)
    direction = g
    if settings.weight_decay != 0:
        direction = A.product_sum(A.setting(settings.weight_decay), p, g)
    if settings.momentum != 0:
        v = direction if v is None else _moved(A, v, direction, momentum, settings)
        direction = A.product_sum(momentum, v, direction) if settings.nesterov else v
    else:
        v = None
    return A.product_sum(A.setting(rate), direction, p), v


def _moved(
    A: Arithmetic, v: Interval, direction: Interval, momentum: Interval, settings: SGDSettings
) -> Interval:
    new, old = A.setting(1.0 - settings.dampening), A.product(momentum, v)
    first = A.product_sum(momentum, v, A.product(new, direction))
    return hull(first, A.product_sum(new, direction, old))


def _entries(
    tile: Any, profile: Profile, sets: Mapping[str, Interval], shown: Mapping[str, Floats]
) -> list[Admissible]:
    """What the entries may be after clip and remap; those that the optimiser alone has changed come first."""
    A = arithmetic_of(profile)
    found = unchanged(tile)
    found |= {name: Admissible("OP-1", name, [value]) for name, value in sets.items()}
    if isinstance(tile, CustomTile):
        found["weight"] = Admissible("MS-5", "weight", [sets["weight"]])
    if "weight" not in sets:
        return [each for each in found.values() if each.name in shown]
    weight, bound = sets["weight"], clip_bound(tile, A, sets["weight"])
    if bound is not None:
        limited = clipped(A, weight, bound)
        free = (limited.lo == weight.lo) & (limited.hi == weight.hi)
        clause = "OP-1" if _wrong_inside(weight, shown.get("weight"), free) else "WP-2"
        found["weight"], weight = Admissible(clause, "weight", [limited]), limited
    again = remapped(tile, A, weight, sets.get("out_scaling_alpha"), shown.get("mapping_scales"))
    if again is not None:
        whole = _normalised(tile, A, shown.get("weight"))
        scale, stored = ("OP-1", "OP-1") if whole else ("MS-1", "MS-2")
        found["mapping_scales"] = Admissible(scale, "mapping_scales", [again.scales])
        found["weight"] = Admissible(stored, "weight", [again.weight])
        if "out_scaling_alpha" in found:
            ones = point(np.ones_like(sets["out_scaling_alpha"].lo))
            found["out_scaling_alpha"] = Admissible("MS-1", "out_scaling_alpha", [ones])
    last = ("mapping_scales", "weight")
    order = [name for name in found if name not in last] + [name for name in last if name in found]
    return [found[name] for name in order if name in shown]


def _wrong_inside(sets: Interval, shown: Floats | None, free: Any) -> bool:
    """Whether a weight is wrong that no clip has touched: neither the right one, nor one that limits the largest."""
    if shown is None:
        return False
    value = shown.reshape(sets.lo.shape)
    inside = np.abs(value) < np.abs(value).max()
    return bool((~sets.contains(value) & free & inside).any())


def _normalised(tile: Any, A: Arithmetic, weight: Floats | None) -> bool:
    """Whether the largest stored weights are 1, so that a remap is consistent in itself."""
    if weight is None:
        return False
    peaks = np.abs(weight.reshape(tile.out_size, tile.in_size)).max(axis=1)
    layerwise = tile.config.remap.type.name.startswith("LAYER")
    peaks = peaks.max(keepdims=True) if layerwise else peaks[peaks > 0]
    return bool(A.widened(A.ratio_of_equals, 1).contains(peaks).all())


def _own(
    tile: Any,
    gradients: Mapping[str, Floats],
    settings: SGDSettings,
    velocity: Mapping[str, Interval] | None,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """State and velocities of refsim after the step; nothing where it refuses the step, or was not followed so far."""
    known = velocity.own if isinstance(velocity, Velocities) else {}
    twin = copy.deepcopy(tile)
    twin.gradients.clear()
    for name, gradient in gradients.items():
        p = tile.parameters[name]
        twin.gradients[name] = gradient.reshape(p.shape).astype(p.dtype)
    optimizer = SGD([twin], **asdict(settings))
    if set(velocity or {}) - set(known):
        return {}, {}
    velocities = optimizer.groups[0].velocities
    velocities.update({(0, name): value.copy() for name, value in known.items()})
    try:
        optimizer.step()
    except StateError:
        return {}, {}
    state = dict(twin.state_dict())
    return state, {name: value for (_, name), value in velocities.items()}

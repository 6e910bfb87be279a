"""What one step of a tile starts from: the batch, the state and the settings, as an implementation holds them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from refsim.config import NoiseManagementType, RPUDataType
from refsim.errors import InputError, ShapeError
from refsim.tile import QuantizedTorchInferenceTile, TorchInferenceTile
from refsim.tile import settings as tile_settings
from refsim.tile.core import DATA_MANAGED
from refsim.tile.settings import DATA_TYPES, Core, Range
from refsim.tile.state import Tile

from .arithmetic import Arithmetic
from .initial_range import RangeStart, range_start
from .interval import Floats, Interval, point
from .manual import MANUAL, Manual, backward_core, forward_core, manual_of, running_peak
from .plan import Plan, plans
from .profile import Profile
from .sums import matrix_product, sample_product
from .weight import EffectiveWeight, effective_weight
from .wide import arithmetic_of

__all__ = ["Converter", "MissingNoise", "Problem", "arrays", "problem", "transposed_problem"]

WIDE = DATA_TYPES[RPUDataType.DOUBLE]
TILES = (TorchInferenceTile, QuantizedTorchInferenceTile, *MANUAL)
NOISE = ("inp_noise", "out_noise", "inp_sto_round", "out_sto_round")


class MissingNoise(InputError):
    """A pass is possible for which no deviates were given."""


@dataclass(frozen=True)
class Converter:
    """Settings of a converter in the format of a profile."""

    step: Interval
    bound: Interval
    noise: Interval
    factor: Interval
    gridded: bool
    noisy: bool
    stochastic: bool


@dataclass(frozen=True)
class Problem:
    """A batch, the state of a tile, and its settings in the format of a profile.

    ``core`` and ``range`` hold the settings in float64, of which only those that are not rounded are used. ``start``
    says what the range may be, ``r`` is the one to go on with. ``quantisers`` says what the quantisers of a
    quantised tile do, by name; ``manual`` what the way back of the manual path needs, and ``average`` is the
    running peak of noise management; ``source`` is the argument with the noise.
    """

    A: Arithmetic
    x: Interval
    modified: EffectiveWeight
    outputs: int
    r: Interval | None
    scales: Interval | None
    a: Interval | None
    bias: Interval | None
    core: Core
    range: Range | None
    dac: Converter
    adc: Converter
    noise: Mapping[str, Floats] = field(default_factory=dict)
    start: RangeStart | None = None
    quantised: bool = False
    quantisers: Mapping[str, Plan] = field(default_factory=dict)
    manual: Manual | None = None
    average: Interval | None = None
    source: str = "noise"

    @property
    def product_clause(self) -> str:
        """The clause of the product."""
        return "MV-2" if self.modified.samples else "MV-1"

    @property
    def transposed_clause(self) -> str:
        """The clause of the product on the way back."""
        return "MV-5" if self.modified.samples else "MV-3"

    def product(self, d: Interval) -> Interval:
        """Products of inputs with the effective weight."""
        w = self.modified.used
        if not self.modified.samples:
            return matrix_product(self.A, d, w)
        shape = (len(d.lo), self.outputs, d.lo.shape[1])
        return sample_product(self.A, d, Interval(w.lo.reshape(shape), w.hi.reshape(shape)))

    def transposed_product(self, g: Interval) -> Interval:
        """Products of gradients of the outputs with the effective weight."""
        w = self.modified.used
        if not self.modified.samples:
            return matrix_product(self.A, g, w.T)
        shape = (len(g.lo), self.outputs, self.x.lo.shape[1])
        ends = (end.reshape(shape).swapaxes(1, 2) for end in (w.lo, w.hi))
        return sample_product(self.A, g, Interval(*ends))

    @property
    def managed(self) -> bool:
        """Whether the divisor of noise management depends on the data."""
        return self.core.noise_management in DATA_MANAGED

    @property
    def absolute(self) -> bool:
        """Whether noise management takes magnitudes."""
        return self.core.noise_management == NoiseManagementType.ABS_MAX

    @property
    def uncertain_range(self) -> bool:
        """Whether the range is an interval, which is positive then."""
        return self.r is not None and bool(self.r.lo[0] < self.r.hi[0])

    def has_pass(self, pass_: int) -> bool:
        """Whether there is noise for one more pass; the implementation made none without."""
        return all(pass_ < len(values) for values in self.noise.values())

    def deviates(self, name: str, pass_: int) -> Floats | None:
        """Noise of one pass of bound management, None if it is switched off."""
        side = self.dac if name.startswith("inp") else self.adc
        if not (side.noisy if name.endswith("noise") else side.stochastic):
            return None
        values = self.noise.get(name)
        if values is None:
            raise MissingNoise(
                f"{name} is switched on; give the deviates that were used as {self.source}[{name!r}]."
            )
        if not self.core.iterative:
            return values
        if pass_ >= len(values):
            raise InputError(
                f"{self.source}[{name!r}] has {len(values)} passes, allowed are those of bound management, here at "
                f"least {pass_ + 1}."
            )
        chosen: Floats = values[pass_]
        return chosen


def problem(
    tile: Tile,
    x: object,
    profile: Profile,
    noise: Mapping[str, object] | None,
    stages: Mapping[str, Floats],
    backward_noise: Mapping[str, object] | None = None,
) -> Problem:
    """The step that a tile is about to make; range and weight may come from the stages of the implementation."""
    if type(tile) not in TILES:
        raise InputError(
            f"tile is a {type(tile).__name__}, allowed are tiles of the classes "
            f"{', '.join(each.__name__ for each in TILES)}."
        )
    A = arithmetic_of(profile)
    tile.check_config()
    core = forward_core(tile)
    p, choices = tile.config.pre_post.input_range, tile.config.choices
    ranged = tile_settings.input_range(
        p, choices.gradient_scale_applies, WIDE, choices.output_percentage_of
    )
    rows = A.given(_rows(x, tile.in_size))
    start = None if ranged is None else range_start(A, tile, ranged, rows, stages)
    level = tile.buffers.get("out_noise_values")
    eta = A.setting(core.adc.noise) if level is None else point(level)
    state = {name: _state(tile, name) for name in ("mapping_scales", "out_scaling_alpha", "bias")}
    return Problem(
        A,
        rows,
        effective_weight(A, tile, len(rows.lo), noise, stages),
        tile.out_size,
        None if start is None else start.used(A, stages),
        state["mapping_scales"],
        state["out_scaling_alpha"],
        state["bias"],
        core,
        ranged,
        _converter(A, core.dac, A.setting(core.dac.noise)),
        _converter(A, core.adc, eta),
        _noise(core, noise, len(rows.lo), tile.in_size, tile.out_size),
        start,
        isinstance(tile, QuantizedTorchInferenceTile),
        plans(tile) if isinstance(tile, QuantizedTorchInferenceTile) else {},
        _manual(tile, len(rows.lo), backward_noise),
        running_peak(tile, "forward"),
    )


def _manual(tile: Any, rows: int, noise: Mapping[str, object] | None) -> Manual | None:
    """What a tile of the manual path has besides."""
    if not isinstance(tile, MANUAL):
        return None
    core = backward_core(tile)
    return manual_of(tile, core, _noise(core, noise, rows, tile.out_size, tile.in_size))


def transposed_problem(p: Problem) -> Problem:
    """The pass that gradients of the outputs make through the converters of a manual way back."""
    m, A = p.manual, p.A
    assert m is not None
    strength = A.setting(m.core.adc.noise) if m.spread is None else m.spread
    return replace(
        p,
        core=m.core,
        noise=m.noise,
        average=m.average,
        source="backward_noise",
        modified=p.modified.transposed(p.outputs),
        outputs=p.x.lo.shape[1],
        dac=_converter(A, m.core.dac, A.setting(m.core.dac.noise)),
        adc=_converter(A, m.core.adc, strength),
    )


def arrays(given: Mapping[str, object]) -> dict[str, Floats]:
    """Stages of an implementation as float64 arrays."""
    found = {}
    for name, value in given.items():
        array = np.asarray(value)
        if array.dtype.kind not in "fiub":
            raise InputError(f"stages[{name!r}] has dtype {array.dtype}, allowed are real numbers.")
        found[name] = array.astype(np.float64)
    return found


def _rows(x: object, columns: int) -> Floats:
    array = np.asarray(x)
    if array.dtype.kind not in "fiub":
        raise InputError(f"the batch has dtype {array.dtype}, allowed are real numbers.")
    if array.ndim == 0 or array.shape[-1] != columns:
        raise ShapeError(f"the batch has shape {array.shape}, allowed is (..., {columns}).")
    rows = array.astype(np.float64).reshape(-1, columns)
    if not np.isfinite(rows).all():
        raise InputError("the batch contains NaN or infinity, allowed are finite numbers.")
    return rows


def _state(tile: Tile, name: str) -> Interval | None:
    value = tile.value(name)
    return None if value is None else point(value)


def _converter(A: Arithmetic, c: tile_settings.Converter, noise: Interval) -> Converter:
    return Converter(
        step=A.setting(c.step),
        bound=A.setting(c.bound),
        noise=noise,
        factor=A.setting(c.negative_factor),
        gridded=bool(c.step != 0),
        noisy=bool((noise.hi > 0).any()),
        stochastic=c.stochastic,
    )


def _noise(
    core: Core, given: Mapping[str, object] | None, count: int, inputs: int, outputs: int
) -> dict[str, Floats]:
    """The noise that is given, in rows."""
    found: dict[str, Floats] = {}
    for name in NOISE:
        if given is None or name not in given:
            continue
        columns = inputs if name.startswith("inp") else outputs
        array = np.asarray(given[name]).astype(np.float64)
        lead = array.shape[:1] if core.iterative else ()
        if array.size != count * columns * int(np.prod(lead)):
            raise ShapeError(
                f"noise[{name!r}] has shape {array.shape}, allowed are {count} rows of {columns}"
                f"{' for each pass of bound management' if core.iterative else ''}."
            )
        found[name] = array.reshape(*lead, count, columns)
    return found

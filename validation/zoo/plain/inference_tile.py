"""The tile of the manual path with the core that manages each row by itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from refsim.config import BoundManagementType, NoiseManagementType
from refsim.errors import Unsupported

from .manual_tile import ManualTile

Array = Any
SUPPORTED = (
    NoiseManagementType.NONE,
    NoiseManagementType.CONSTANT,
    NoiseManagementType.ABS_MAX,
    NoiseManagementType.MAX,
)


class InferenceTile(ManualTile):
    """The compiled core of section C of the description, without running peaks and worst cases."""

    def create(self) -> None:
        """The entries that the configuration asks for."""
        super().create()
        for io in (self.config.forward, self.config.backward):
            worst = io.bound_management == BoundManagementType.ITERATIVE_WORST_CASE
            if not io.is_perfect and (worst or io.noise_management not in SUPPORTED):
                raise Unsupported("no worst case, no running peak")

    def core(self, v: Array, weight: Array, noise: Mapping[str, Array]) -> Array:
        """Core output, row by row as far as management goes."""
        io = self.io
        self.v, self.used_weight, self.empty = v, weight, False
        if self.perfect:
            self.z = self.product(v, weight)
            return self.z
        alpha = self.divisors(v, io)
        z, t = (np.zeros((len(v), weight.shape[-2]), self.T) for _ in range(2))
        rows, beta, turn = np.flatnonzero(alpha > 0), 1.0, 0
        while rows.size:
            w = weight if weight.ndim == 2 else weight[rows]
            given = self.noise_of(noise, len(v), rows)
            self.one_pass(v[rows], w, alpha[rows], beta, given, turn)
            z[rows], t[rows] = self.rescaled(self.code, io), self.t
            if not self.iterates(io) or self.gives_up(beta, io):
                break
            rows, beta, turn = rows[~self.rows_fit(self.t, io)], beta * 2, turn + 1
        self.z, self.t = z, t
        return z

    def usable(self, alpha: Array) -> Array:
        """Divisors as they are: rows without a positive one give zeros."""
        return alpha

    def rows_fit(self, t: Array, io: Any) -> Array:
        """Rows without an output beyond the bound."""
        if io.out_bound <= 0:
            return np.ones(len(t), bool)
        size = np.abs(t) if io.bm_test_negative_bound else t
        return (size <= self.setting(io.out_bound)).all(axis=1)

    def noise_of(self, noise: Mapping[str, Array], count: int, rows: Array) -> dict[str, Array]:
        """The deviates of some rows."""
        passes = self.iterates(self.io)
        found = {}
        for name, given in noise.items():
            if name.startswith("weight"):
                continue
            array = np.asarray(given, self.T)
            lead = array.shape[:1] if passes else ()
            found[name] = array.reshape(*lead, count, -1)[..., rows, :]
        return found

    def analog_to_digital(self, m: Array, io: Any, noise: Mapping[str, Array], turn: int) -> Array:
        """Products to rounded outputs; without a bound there is no grid."""
        t = self.damped(m, max(io.out_asymmetry, 0.0))
        if io.out_noise > 0 or io.out_noise_std > 0:
            t = self.muladd(self.noise_strength(io), self.deviates(noise, "out_noise", m, turn), t)
        if io.out_res > 0 and io.out_bound > 0:
            shift = self.deviates(noise, "out_sto_round", m, turn) if io.out_sto_round else None
            t = self.on_grid(t, self.step_size(io.out_res, io.out_bound), shift)
        return t

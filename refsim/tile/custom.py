"""The tile of the manual path on the torch core, whose weights are updated inside the optimiser step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from refsim.config.support_manual import check_custom
from refsim.spec.sums import Array, Scalar

from . import core, settings
from .core import CoreRecord, finite
from .manual import ManualTile
from .manual_settings import ManualCore
from .noise import BackwardNoise, NoiseSource
from .record import Given
from .settings import typed
from .trace import Trace


@dataclass(frozen=True)
class PendingUpdate:
    """What a backward pass leaves for the optimiser step.

    Attributes
    ----------
    x
        ``(N, I)``, the input before the clip: the range of the step decides how it is clipped and scaled.
    h
        ``(N, O)``, gradient of the outputs over scale and compensation.
    compensation
        Factor on the learning rate.
    """

    x: Array
    h: Array
    compensation: Scalar


class CustomTile(ManualTile):
    """Tile of the manual path with the core of the autograd path, without a mask of clipped outputs.

    Parameters as for :class:`refsim.tile.state.Tile`; the configuration is a :class:`~refsim.CustomRPUConfig`.
    There is no gradient of the weight: each backward pass leaves an update that :meth:`refsim.SGD.step` carries out
    after the parameters, so with the range already updated. Momentum and weight decay have no part in it.
    ``zero_grad`` discards it.

    Raises
    ------
    ConfigError
        If the configuration asks for something that this tile cannot honour.

    Examples
    --------
    >>> import refsim as rs
    >>> perfect = rs.IOParameters(is_perfect=True)
    >>> tile = rs.CustomRPUConfig(forward=perfect, backward=perfect).create_tile(1, 2, backend="spec")
    >>> optimizer = rs.SGD([tile], lr=0.5)
    >>> y, dx = tile.forward([[1.0, 2.0]]), tile.backward([[1.0]])
    >>> sorted(tile.gradients), len(tile.pending)
    ([], 1)
    >>> optimizer.step()
    >>> tile.parameters["weight"], len(tile.pending)
    (array([[-0.5, -1. ]], dtype=float32), 0)
    """

    pending: list[PendingUpdate]
    """Updates that wait for the optimiser step, in order."""
    _update: PendingUpdate | None = None

    def check_config(self) -> None:
        """Refuse what the tile cannot honour."""
        self._checked_settings()

    def _checked_settings(self) -> tuple[settings.Core, settings.Range | None]:
        check_custom(self.config, self.has_bias)
        T, config = self.dtype, self.config
        both = ManualCore(
            **vars(settings.core(config.forward, T)),
            back=settings.core(config.backward, T, way="backward"),
            compensated=config.mapping.weight_scaling_lr_compensation,
        )
        return both, self._range_settings()

    def _fixed_values(self) -> dict[str, object]:
        spread = {"backward.out_noise_std": self.config.backward.out_noise_std}
        return super()._fixed_values() | spread

    def _create_state(self) -> None:
        super()._create_state()
        self.pending = []
        if self.config.backward.out_noise_std > 0:
            drawn = self._drawn_out_noise("backward", self.in_size, "backward_out_noise_std")
            self.buffers["backward_out_noise_values"] = drawn

    def _forget(self) -> None:
        super()._forget()
        self.pending.clear()

    def zero_grad(self) -> None:
        """Discard all gradients and pending updates."""
        super().zero_grad()
        self.pending.clear()

    def _effective_weight(self, noise: NoiseSource, rows: int) -> Array:
        return self.parameters["weight"].copy()

    def _clip_mask(self, record: CoreRecord) -> None:
        return None

    def _core_backward(
        self, record: CoreRecord, s: ManualCore, g: Array, noise: BackwardNoise, trace: Trace
    ) -> Array:
        back, weight = s.back, record.weight
        if back.perfect:
            return core.transposed(self.ops, g, weight, self.name)
        strength = self.buffers.get("backward_out_noise_values", np.full(1, back.adc.noise))
        transposed = np.ascontiguousarray(weight.T)
        return core.forward(self.ops, g, transposed, back, strength, noise, trace, self.name).z

    def _take_weight_gradient(
        self,
        given: Given,
        record: CoreRecord,
        h: Array,
        c: Scalar,
        gradients: dict[str, Array],
        trace: Trace,
    ) -> None:
        self._update = PendingUpdate(given.x, h, c)

    def _finish(self, given: Given) -> None:
        super()._finish(given)
        assert self._update is not None
        self.pending.append(self._update)

    # ----- the optimiser step

    def manual_update(self, values: dict[str, Array], lr: float) -> dict[str, Array]:
        """The values with the weight after all pending updates, one after the other.

        Raises
        ------
        StateError
            If a weight would become infinite.
        """
        weight, T = values["weight"], self.dtype.type
        for update in self.pending:
            product = self.ops.outer_product_sum(
                update.h, self._in_units_of_the_range(update.x, values)
            )
            finite(product, f"the weight update of {self.name}")
            rate = typed(lr, self.dtype, "SGD.lr") * update.compensation
            weight, _ = self.ops.sgd_step(weight, product, None, rate, T(0), T(1), T(0), False)
        return values | {"weight": finite(weight, f"the updated weight of {self.name}")}

    def _in_units_of_the_range(self, x: Array, values: dict[str, Array]) -> Array:
        """Input in units of the range that is in force in the step."""
        stored = values.get("input_range", self.buffers.get("input_range"))
        if stored is None:
            return x
        r = self.checked_range(stored[0])
        return self.ops.scaled_input(self.ops.clipped_input(x, r), r)

    def forget_updates(self) -> None:
        """Drop the pending updates, which a step has carried out."""
        self.pending.clear()

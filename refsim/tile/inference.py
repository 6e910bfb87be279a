"""The tile of the manual path with the rules of the compiled core."""

from __future__ import annotations

from typing import Any

import numpy as np

from refsim.config import NoiseManagementType, WeightClipType
from refsim.config.support_manual import PASSES, check_inference
from refsim.errors import StateError
from refsim.spec.sums import Array, Scalar

from . import core, manual_settings, post_update, row_core, settings
from .core import CoreRecord, finite
from .manual import ManualTile
from .manual_settings import ManualCore, ManualRowCore, RowCore
from .noise import BackwardNoise, NoiseSource
from .record import Given, Stages
from .trace import Trace

AVERAGES = {"forward": "average_abs_max", "backward": "backward_average_abs_max"}
"""Buffers of the running peaks by pass; a negative value says that there is none so far."""


class InferenceTile(ManualTile):
    """Analog tile whose gradients are written by hand, with a core that manages each row by itself.

    Parameters as for :class:`refsim.tile.state.Tile`; the configuration is an
    :class:`~refsim.InferenceRPUConfig`. Both ``forward`` and ``backward`` are honoured.

    Raises
    ------
    ConfigError
        If the configuration asks for something that this tile cannot honour.

    Examples
    --------
    >>> import numpy as np, refsim as rs
    >>> io = rs.IOParameters(inp_res=4, out_res=-1, out_noise=0.0,
    ...     noise_management=rs.NoiseManagementType.NONE, bound_management=rs.BoundManagementType.NONE)
    >>> tile = rs.InferenceRPUConfig(forward=io).create_tile(out_size=1, in_size=2, backend="spec")
    >>> tile.set_weights([[2.0, -1.0]])
    >>> tile.forward([[0.6, 0.2]])
    array([[1.]], dtype=float32)
    >>> tile.backward([[1.0]])
    array([[ 2., -1.]], dtype=float32)
    >>> tile.gradients["weight"]
    array([[0.6, 0.2]], dtype=float32)
    """

    _back: CoreRecord | None = None

    def check_config(self) -> None:
        """Refuse what the tile cannot honour."""
        self._checked_settings()

    def _checked_settings(self) -> tuple[settings.Core, settings.Range | None]:
        check_inference(self.config, self.has_bias)
        T, config = self.dtype, self.config
        forward = manual_settings.row_core(config.forward, T, config.choices)
        both = ManualRowCore(
            **vars(forward),
            back=manual_settings.row_core(config.backward, T, config.choices, "backward"),
            compensated=config.mapping.weight_scaling_lr_compensation,
        )
        return both, self._range_settings()

    # ----- state

    def _averages(self) -> list[str]:
        return [name for way, name in AVERAGES.items() if self._averaging(way)]

    def _averaging(self, way: str) -> bool:
        kind = getattr(self.config, way).noise_management
        return bool(kind is NoiseManagementType.AVERAGE_ABS_MAX)

    def _fixed_values(self) -> dict[str, object]:
        averaging = {
            f"the averaging of {way}.noise_management": self._averaging(way) for way in PASSES
        }
        spread = {"backward.out_noise_std": self.config.backward.out_noise_std}
        return super()._fixed_values() | averaging | spread

    def _create_state(self) -> None:
        super()._create_state()
        for name in self._averages():
            self.buffers[name] = np.full(1, -1, dtype=self.dtype)
        if self.config.backward.out_noise_std > 0:
            drawn = self._drawn_out_noise("backward", self.in_size, "backward_out_noise_std")
            self.buffers["backward_out_noise_values"] = drawn

    def switch_noise_management_off(self) -> None:
        """Take the inputs of the forward pass as they are from now on; a running peak is dropped."""
        super().switch_noise_management_off()
        name = AVERAGES["forward"]
        self.buffers.pop(name, None)
        self._layout = {key: value for key, value in self._layout.items() if key != name}
        self._fixed = self._fixed | {"the averaging of forward.noise_management": False}

    def _average(self, way: str) -> Scalar | None:
        """The running peak so far, None without averaging."""
        stored = self.buffers.get(AVERAGES[way])
        if stored is None:
            return None
        if not np.isfinite(stored[0]):
            raise StateError(
                f"{AVERAGES[way]} of {self.name} is {stored[0]}, allowed are finite numbers."
            )
        return stored[0]

    # ----- forward

    def _core(
        self, v: Array, weight: Array, s: Any, noise: NoiseSource, trace: Trace
    ) -> CoreRecord:
        return row_core.forward(
            self.ops,
            v,
            weight,
            s,
            self._out_noise(s),
            noise,
            trace,
            self.name,
            self._average("forward"),
        )

    def _commit(self, x: Array, r: Scalar | None, counter: Scalar | None, given: Given) -> None:
        super()._commit(x, r, counter, given)
        assert self._record is not None
        stages = self._record[1]
        assert isinstance(stages, Stages)
        self._keep_average("forward", stages.core)

    def _keep_average(self, way: str, record: CoreRecord | None) -> None:
        """Store the running peak after a pass of training; an evaluation leaves it alone."""
        average = record.average if isinstance(record, row_core.RowRecord) else None
        if self.training and average is not None:
            self.buffers[AVERAGES[way]][0] = average

    # ----- backward

    def _core_backward(
        self, record: CoreRecord, s: ManualCore, g: Array, noise: BackwardNoise, trace: Trace
    ) -> Array:
        back, weight = s.back, record.weight
        assert isinstance(back, RowCore)
        self._back = None
        if back.perfect:
            return self._perfect(back, g, weight)
        strength = self.buffers.get("backward_out_noise_values", np.full(1, back.adc.noise))
        transposed = np.ascontiguousarray(weight.swapaxes(-1, -2))
        self._back = row_core.forward(
            self.ops,
            g,
            transposed,
            back,
            strength,
            noise,
            trace,
            self.name,
            self._average("backward"),
        )
        return self._back.z

    def _perfect(self, back: RowCore, g: Array, weight: Array) -> Array:
        d = core.transposed(self.ops, g, weight, self.name)
        if back.keeps_out_scale:
            d = self.ops.scaled_output(d, np.full(1, back.out_scale))
        return finite(d, f"the input gradient of {self.name}")

    def _take_weight_gradient(
        self,
        given: Given,
        record: CoreRecord,
        h: Array,
        c: Scalar,
        gradients: dict[str, Array],
        trace: Trace,
    ) -> None:
        dw = self.ops.outer_product_sum(h, record.v)
        gradients["weight"] = finite(dw, f"the weight gradient of {self.name}")
        trace.add("MV-4", "weight_gradient", dw)

    def _finish(self, given: Given) -> None:
        super()._finish(given)
        if given.x.size:
            self._keep_average("backward", self._back)
        self._back = None

    # ----- after the step

    def after_update(self, values: dict[str, Array]) -> dict[str, Array]:
        """Values after clip and remap, as configured; a fixed value that is not positive clips nothing."""
        self.check_config()
        clip = self.config.clip
        with np.errstate(all="ignore"):
            if clip.type is not WeightClipType.FIXED_VALUE or clip.fixed_value > 0:
                values = post_update.clipped(self, values)
            return post_update.remapped(self, values)

    def post_update(self) -> None:
        """Clip and remap the weights, as configured; :meth:`refsim.SGD.step` does so after each step."""
        self.assign(self.after_update(dict(self.parameters)))

"""The tile of the manual path without converters."""

from __future__ import annotations

from typing import Any

from refsim.config import IOParameters
from refsim.config.support_manual import check_floating_point
from refsim.spec.sums import Array, Scalar

from . import core, settings
from .core import CoreRecord, finite
from .manual import ManualTile
from .manual_settings import ManualCore
from .noise import BackwardNoise, NoiseSource
from .record import Given
from .trace import Trace


class FloatingPointTile(ManualTile):
    """Tile with an ideal product and the periphery of the others: the rules of the manual path without a converter.

    Parameters as for :class:`refsim.tile.state.Tile`; the configuration is a
    :class:`~refsim.FloatingPointRPUConfig`. There is no mask of clipped outputs.

    Raises
    ------
    ConfigError
        If the configuration asks for something that this tile cannot honour.

    Examples
    --------
    >>> import refsim as rs
    >>> ranged = rs.InputRangeParameter(enable=True, init_value=2.0, init_from_data=0, decay=0.0)
    >>> config = rs.FloatingPointRPUConfig(pre_post=rs.PrePostProcessingParameter(input_range=ranged))
    >>> tile = config.create_tile(out_size=1, in_size=2, backend="spec")
    >>> tile.set_weights([[1.0, -1.0]])
    >>> tile.forward([[3.0, 1.0]]), tile.backward([[-1.0]])
    (array([[1.]], dtype=float32), array([[-1.,  1.]], dtype=float32))
    >>> tile.gradients["weight"], tile.gradients["input_range"]
    (array([[-1. , -0.5]], dtype=float32), array([-2.], dtype=float32))
    """

    def check_config(self) -> None:
        """Refuse what the tile cannot honour."""
        self._checked_settings()

    def _checked_settings(self) -> tuple[settings.Core, settings.Range | None]:
        check_floating_point(self.config, self.has_bias)
        ideal = settings.core(IOParameters(is_perfect=True), self.dtype)
        compensated = self.config.mapping.weight_scaling_lr_compensation
        both = ManualCore(**vars(ideal), back=ideal, compensated=compensated)
        return both, self._range_settings()

    def _effective_weight(self, noise: NoiseSource, rows: int) -> Array:
        return self.parameters["weight"].copy()

    def _core(
        self, v: Array, weight: Array, s: Any, noise: NoiseSource, trace: Trace
    ) -> CoreRecord:
        z = core.product(self.ops, v, weight, self.name)
        trace.add("MV-1", "product", z)
        return CoreRecord(s, v, weight, z)

    def _clip_mask(self, record: CoreRecord) -> None:
        return None

    def _core_backward(
        self, record: CoreRecord, s: ManualCore, g: Array, noise: BackwardNoise, trace: Trace
    ) -> Array:
        return core.transposed(self.ops, g, record.weight, self.name)

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

"""A layer on several quantised tiles, whose bias and output are quantised once more behind them."""

from __future__ import annotations

import copy
from typing import Any

from .array import TileModuleArray
from .array_periphery import ArrayPeriphery
from .quantised_array_periphery import QuantisedArrayPeriphery


class QuantizedTileModuleArray(TileModuleArray):
    r"""Array of :class:`refsim.QuantizedTorchInferenceTile` with a quantised bias and output.

    .. math:: y = Q_y\Bigl(\sum_i Q_i(y_i) + Q_b(b)\Bigr)

    Each tile quantises its scales and its own output. The outputs of the input splits are added left to right (clause
    TA-2), then the quantised bias, and the sum is quantised by the output quantiser of the array. Parameters, methods
    and errors are those of :class:`refsim.TileModuleArray`; the managers are ``array.bias_quantizer`` and
    ``array.out_quantizer``, None where there is none.

    Examples
    --------
    >>> import refsim as rs
    >>> config = rs.QuantizedTorchInferenceRPUConfig(
    ...     forward=rs.IOParameters(is_perfect=True), mapping=rs.MappingParameter(max_input_size=1),
    ...     act_quant_config=rs.ActivationQuantConfig(
    ...         n_bits=2, range_estimator=rs.RangeEstimators.current_minmax))
    >>> array = rs.QuantizedTileModuleArray(1, 2, config, backend="spec")
    >>> array.set_weights([[1.0, 1.0]])
    >>> array.forward([[3.0, 0.0], [0.4, 6.0], [1.7, 4.4]])
    array([[4.],
           [6.],
           [6.]], dtype=float32)
    >>> array.buffers["t0_0_out_quantizer.delta"], array.buffers["out_quantizer.delta"]
    (array(1., dtype=float32), array(2., dtype=float32))
    """

    wants_quantisers = True

    def _made_periphery(self) -> ArrayPeriphery:
        config = copy.deepcopy(self.given)
        return QuantisedArrayPeriphery(
            self.name, self.out_size, self.has_bias, self.dtype, self.backend, config
        )

    @property
    def bias_quantizer(self) -> Any:
        """Manager of the quantiser of the bias of the array."""
        return self.quantizers.get("bias_quantizer")

    @property
    def out_quantizer(self) -> Any:
        """Manager of the quantiser of the outputs of the array."""
        return self.quantizers.get("out_quantizer")

    @property
    def quantizers(self) -> dict[str, Any]:
        """The managers of the array itself, without those of its tiles."""
        periphery: Any = self.periphery
        return periphery.quantizers


__all__ = ["QuantizedTileModuleArray"]

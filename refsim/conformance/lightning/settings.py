"""Settings of a linear layer of aihwkit-lightning, by its names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from refsim.errors import ConfigError

__all__ = ["LightningSettings"]


@dataclass(frozen=True)
class LightningSettings:
    """Settings of a layer; each field is named as in aihwkit-lightning, and so are the defaults.

    Parameters
    ----------
    inp_res, out_res
        Resolution of inputs and outputs: up to 1 a fraction of the full range, above a number of steps; not positive:
        no rounding.
    out_bound
        Bound of the outputs in units of ``r * max|W|``; not positive: none.
    max_input_size
        Largest number of inputs of a slice; not positive: one slice.
    clip_type, clip_sigma
        Weights are clipped after a step, to so many standard deviations; ``"LayerGaussianPerChannel"`` row by row, and
        then output bounds are row by row, too.
    quantization_type, weight_res
        Whether weights are rounded, with one range for a slice or for each row of it, and their resolution.
    enable
        Whether there is an input range; without one the layer is a plain linear one.
    dynamic
        The range of each row is its largest magnitude.
    fast_mode, act_range_momentum
        Ranges follow the extremes of the first batches, averaged with this momentum (-1: the extremes of all), and have
        the derivative of a clip.
    learn_input_range, init_value, init_from_data, init_std_alpha, decay, input_min_percentage
        As in :class:`refsim.InputRangeParameter`.
    double
        Whether the data type is float64.

    Raises
    ------
    ConfigError
        If outputs are rounded without a bound, or anything without a range, or a name is unknown.

    Examples
    --------
    >>> LightningSettings(out_res=30.0)
    Traceback (most recent call last):
        ...
    refsim.errors.ConfigError: out_res is 30.0, which needs enable=True.
    """

    inp_res: float = -1.0
    out_res: float = -1.0
    out_bound: float = 0.0
    max_input_size: int = -1
    clip_type: Literal["None", "LayerGaussian", "LayerGaussianPerChannel"] = "None"
    clip_sigma: float = -1.0
    quantization_type: Literal["None", "Discretize", "DiscretizePerChannel"] = "None"
    weight_res: float = 0.0
    enable: bool = False
    dynamic: bool = False
    fast_mode: bool = False
    act_range_momentum: float = 0.95
    learn_input_range: bool = True
    init_value: float = 3.0
    init_from_data: int = 100
    init_std_alpha: float = 3.0
    decay: float = 0.001
    input_min_percentage: float = 0.95
    double: bool = False

    def __post_init__(self) -> None:
        """Refuse what aihwkit-lightning refuses, and names that it does not have."""
        for name in ("inp_res", "out_bound", "out_res"):
            if getattr(self, name) > 0 and not self.enable:
                raise ConfigError(f"{name} is {getattr(self, name)}, which needs enable=True.")
        if self.out_res > 0 and self.out_bound <= 0:
            raise ConfigError(
                f"out_res is {self.out_res} and out_bound {self.out_bound}, but rounding needs a bound above 0."
            )
        if self.dynamic and self.fast_mode:
            raise ConfigError("dynamic and fast_mode are both True, allowed is one of them.")
        if self.clip_type != "None" and self.clip_sigma <= 0:
            raise ConfigError(
                f"clip_sigma is {self.clip_sigma}, allowed with clip_type {self.clip_type!r} are numbers above 0."
            )
        for name, allowed in (
            ("clip_type", ("None", "LayerGaussian", "LayerGaussianPerChannel")),
            ("quantization_type", ("None", "Discretize", "DiscretizePerChannel")),
        ):
            if getattr(self, name) not in allowed:
                raise ConfigError(
                    f"{name} is {getattr(self, name)!r}, allowed are {', '.join(allowed)}."
                )

    @property
    def T(self) -> Any:
        """The data type."""
        return np.float64 if self.double else np.float32

    @property
    def static(self) -> bool:
        """Whether the range is a number of each slice."""
        return self.enable and not self.dynamic

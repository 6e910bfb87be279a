"""Generated runs of whole tiles of the manual path."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from refsim.config import (
    BoundManagementType,
    Choices,
    CustomRPUConfig,
    FloatingPointRPUConfig,
    InferenceRPUConfig,
    IOParameters,
    NoiseManagementType,
    PrePostProcessingParameter,
    RPUDataType,
    RuntimeParameter,
    WeightRemapParameter,
    WeightRemapType,
)

from . import runs
from .draws import Draw
from .runs import GeneratedRun, member

__all__ = ["GeneratedManualRun"]


@dataclass(frozen=True)
class GeneratedManualRun(GeneratedRun):
    """A generated run of a tile of the manual path, the three kinds in turn.

    Parameters
    ----------
    index, seed
        Number of the run, and the seed of all.
    """

    salt: ClassVar[int] = 0x3A17

    def __str__(self) -> str:
        return f"manual tile, run {self.index}, seed {self.seed}"

    @property
    def quantised(self) -> bool:
        """Never: the manual path has no quantised periphery."""
        return False

    def config(self, d: Draw) -> Any:
        """The configuration of this run."""
        kind = (self.index // 2) % 4
        if kind == 3:
            return FloatingPointRPUConfig(**_parts(d))
        if kind == 2:
            made = CustomRPUConfig(
                **_parts(d), forward=runs.drawn_forward(d), backward=_way_back(d, compiled=False)
            )
            return runs.with_output_clipping(d, made)
        return runs.with_output_clipping(d, _inference(d))


def _parts(d: Draw) -> dict[str, Any]:
    """What every configuration has."""
    single = np.float32 == d.T
    mapping = runs.drawn_mapping(d)
    mapping.weight_scaling_lr_compensation = d.chance()
    return {
        "runtime": RuntimeParameter(data_type=RPUDataType.FLOAT if single else RPUDataType.DOUBLE),
        "pre_post": PrePostProcessingParameter(input_range=runs.drawn_range(d)),
        "mapping": mapping,
        "choices": Choices.aihwkit() if d.chance() else Choices(),
    }


def _inference(d: Draw) -> InferenceRPUConfig:
    return InferenceRPUConfig(
        **_parts(d),
        forward=_compiled(d, runs.drawn_forward(d)),
        backward=_way_back(d, compiled=True),
        modifier=runs.drawn_modifier(d),
        clip=runs.drawn_clip(d),
        remap=WeightRemapParameter(
            type=member(d, WeightRemapType, "NONE", "LAYERWISE_SYMMETRIC", "CHANNELWISE_SYMMETRIC")
        ),
    )


def _way_back(d: Draw, compiled: bool) -> IOParameters:
    io = runs.drawn_forward(d)
    io.is_perfect = d.chance()
    return _compiled(d, io) if compiled else io


def _compiled(d: Draw, io: IOParameters) -> IOParameters:
    """The parameters with what only the compiled core honours."""
    io.noise_management = member(d, NoiseManagementType, *NoiseManagementType.__members__)
    io.bound_management = member(
        d, BoundManagementType, "NONE", "ITERATIVE", "ITERATIVE_WORST_CASE"
    )
    io.bm_test_negative_bound = d.chance(0.7)
    if io.noise_management is not NoiseManagementType.NONE:
        io.inp_bound = 1.0
    return io

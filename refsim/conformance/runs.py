"""Generated runs of whole tiles: a random configuration, and a few steps of forward, backward and update.

A run is named by number and seed. Its record holds every intermediate by clause, so that the first difference between
two backends names the clause that made it.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, ClassVar, Final, TypeVar

import numpy as np

from refsim.config import (
    BoundManagementType,
    Choices,
    CustomRPUConfig,
    InferenceRPUConfig,
    InputRangeParameter,
    IOParameters,
    MappingParameter,
    NoiseManagementType,
    PrePostProcessingParameter,
    RPUDataType,
    RuntimeParameter,
    TorchInferenceRPUConfig,
    WeightClipParameter,
    WeightClipType,
    WeightModifierParameter,
    WeightModifierType,
    WeightRemapParameter,
    WeightRemapType,
)
from refsim.errors import RangeWarning, RefsimError
from refsim.nn import SGD
from refsim.tile import QuantizedTileModuleArray, TileModuleArray, Trace

from .draws import Draw
from .participants import FAILURES, Participant
from .quantised_runs import quantised_config

__all__ = ["FAILURE", "REFUSAL", "STEPS", "Entry", "GeneratedRun"]

STEPS: Final = 4
"""Steps of a run: all but the last train, the last evaluates and goes back without an update."""
REFUSAL: Final = "refusal"
FAILURE: Final = "failure"
"""In place of a clause: an error of refsim's, which is part of the result, and any other error."""


Config = TypeVar("Config", TorchInferenceRPUConfig, InferenceRPUConfig, CustomRPUConfig)


@dataclass(frozen=True)
class Entry:
    """One value of a run: the step, the clause that made it, its name, the value."""

    step: int
    clause: str
    name: str
    value: Any

    def __str__(self) -> str:
        return f"step {self.step}, {self.name}"


@dataclass(frozen=True)
class GeneratedRun:
    """A generated run of a tile.

    Parameters
    ----------
    index, seed
        Number of the run, and the seed of all.
    """

    index: int
    seed: int
    salt: ClassVar[int] = 0x71E5

    def __str__(self) -> str:
        what = "array" if self.array else "tile"
        return f"whole {what}, run {self.index}, seed {self.seed}"

    def draw(self) -> Draw:
        """The draws of this run, from the start."""
        T = np.dtype((np.float32, np.float64)[self.index % 2])
        return Draw((self.seed, self.salt, self.index), T, self.index // 2)

    def config(self, d: Draw) -> Any:
        """The configuration of this run."""
        return drawn_config(d)

    @property
    def quantised(self) -> bool:
        """Whether the tile has a quantised periphery: one pair of runs in two."""
        return self.index // 2 % 2 == 1

    @property
    def array(self) -> bool:
        """Whether the tiles are those of an array: four runs in twelve."""
        return self.index // 4 % 3 == 1

    @property
    def size(self) -> int:
        """Number of multiplications of a forward pass."""
        d = self.draw()
        return d.N * d.I * d.O

    def play(self, participant: Participant) -> list[Entry]:
        """Everything that the tile computed, in order; an error ends the run and is its last entry."""
        entries: list[Entry] = []
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore", RangeWarning)
            try:
                self._play(participant, entries)
            except (RefsimError, *FAILURES) as error:
                clause = REFUSAL if isinstance(error, RefsimError) else FAILURE
                entries.append(
                    Entry(
                        entries[-1].step if entries else 0, clause, type(error).__name__, str(error)
                    )
                )
        return entries

    def _created(self, d: Draw, config: Any, bias: bool, backend: str) -> Any:
        """The tile or the array of a run."""
        if not self.array:
            return config.create_tile(d.O, d.I, bias=bias, seed=d.integer(2**64), backend=backend)
        config.mapping.max_input_size = int(d.of(2, 3, 4, 0))
        config.mapping.max_output_size = int(d.of(1, 2, 0, 16))
        made = QuantizedTileModuleArray if self.quantised else TileModuleArray
        return made(d.O, d.I, config, bias=bias, seed=d.integer(2**64), backend=backend)

    def _play(self, participant: Participant, entries: list[Entry]) -> None:
        d = self.draw()
        config, bias = self.config(d), d.chance()
        if self.quantised:
            config = quantised_config(d, config)
        tile = self._created(d, config, bias, participant.backend)
        tile.set_weights(d.moderate(d.O, d.I), d.moderate(d.O) if bias else None)
        for name, value in tile.parameters.items():
            if name.endswith("out_scaling_alpha"):
                value[...] = d.row_scales(value.size)
        momentum = float(d.of(0, 0, 0.5))
        decay, nesterov = float(d.of(0, 0, 2**-7)), momentum > 0 and d.chance()
        optimizer = SGD([tile], lr=0.05, momentum=momentum, weight_decay=decay, nesterov=nesterov)
        for k in range(STEPS):
            trained = k < STEPS - 1
            tile.train(trained)
            if d.chance(0.8):
                tile.zero_grad()
            x = _input(d, tile.input_range())
            y, forward = tile.forward(x, trace=True)
            dx, backward = tile.backward(d.moderate(*y.shape), trace=True)
            _record(entries, k, forward, backward)
            entries.extend(Entry(k, "PP-2", name, value) for name, value in (("y", y), ("dx", dx)))
            entries.extend(
                Entry(k, "gradient", name, value.copy()) for name, value in tile.gradients.items()
            )
            if trained:
                optimizer.step()
            entries.extend(
                Entry(k, "OP-1", name, value) for name, value in tile.state_dict().items()
            )


def _record(entries: list[Entry], k: int, *traces: Trace) -> None:
    for trace in traces:
        entries.extend(
            Entry(k, row.clause, row.name, np.copy(row.value))
            for row in trace
            if row.value is not None
        )
        entries.extend(Entry(k, "RN-3", name, value) for name, value in trace.noise.items())


def _input(d: Draw, r: Any) -> Any:
    edge = d.T.type(1) if r is None else np.asarray(r).flat[0]
    x = d.moderate_near((d.N, d.I), edge)
    return x.reshape(1, d.N, d.I) if d.chance(0.2) else x


# ----- configurations


def drawn_config(d: Draw) -> TorchInferenceRPUConfig:
    """A configuration that the autograd path honours, with every part of it switched on or off at random."""
    made = TorchInferenceRPUConfig(
        runtime=RuntimeParameter(
            data_type=RPUDataType.FLOAT if np.float32 == d.T else RPUDataType.DOUBLE
        ),
        pre_post=PrePostProcessingParameter(input_range=drawn_range(d)),
        forward=drawn_forward(d),
        mapping=drawn_mapping(d),
        modifier=drawn_modifier(d),
        clip=drawn_clip(d),
        remap=WeightRemapParameter(
            type=member(d, WeightRemapType, "NONE", "LAYERWISE_SYMMETRIC", "CHANNELWISE_SYMMETRIC")
        ),
        choices=Choices.aihwkit() if d.chance() else Choices(),
    )
    return with_output_clipping(d, made)


def with_output_clipping(d: Draw, made: Config) -> Config:
    """The configuration, now and then with output clipping managed and what that needs."""
    if not d.chance(0.25):
        return made
    made.pre_post.input_range.manage_output_clipping = True
    made.choices.output_clipping_on_autograd_path = "supported"
    made.forward.is_perfect, made.forward.out_bound = False, value(d, 0.6, 0.2)
    made.forward.noise_management = NoiseManagementType.NONE
    made.forward.bound_management = BoundManagementType.NONE
    return made


def member(d: Draw, kind: Any, *names: str) -> Any:
    """One member of an enumeration."""
    return kind[names[int(d.rng.integers(len(names)))]]


def value(d: Draw, *values: float) -> float:
    """One of the values."""
    return values[int(d.rng.integers(len(values)))]


def drawn_range(d: Draw) -> InputRangeParameter:
    """An input range."""
    return InputRangeParameter(
        enable=d.chance(0.8),
        learn_input_range=d.chance(0.8),
        init_value=value(d, 3.0, 0.7, 1.0, 0.5, -0.8),
        init_from_data=int(d.of(0, 0, 1, 2)),
        init_std_alpha=value(d, 3.0, 1.0),
        decay=value(d, 0.0, 0.01, 0.1),
        input_min_percentage=value(d, 0.95, 0.5, 0.0),
        gradient_relative=d.chance(),
        gradient_scale=value(d, 1.0, 0.3),
    )


def drawn_forward(d: Draw) -> IOParameters:
    """Converters, noise and management."""
    noisy = d.chance(0.4)
    return IOParameters(
        is_perfect=d.chance(0.1),
        inp_bound=value(d, 1.0, 1.0, 0.8, -1.0),
        inp_res=value(d, -1.0, 254.0, 255.0, 1 / 126, 6.0),
        inp_noise=value(d, 0.0, 0.1) if noisy else 0.0,
        inp_sto_round=noisy and d.chance(),
        inp_asymmetry=value(d, 0.0, 0.0, 0.15),
        out_bound=value(d, 12.0, 1.5, 0.6, -1.0),
        out_res=value(d, -1.0, 254.0, 1 / 30, 6.0),
        out_noise=value(d, 0.0, 0.06) if noisy else 0.0,
        out_noise_std=value(d, 0.0, 0.2) if noisy else 0.0,
        out_sto_round=noisy and d.chance(),
        out_scale=value(d, 1.0, 1.0, 1.7),
        out_asymmetry=value(d, 0.0, 0.0, 0.075),
        noise_management=member(d, NoiseManagementType, "NONE", "ABS_MAX", "MAX", "CONSTANT"),
        nm_thres=value(d, 0.0, 0.9),
        bound_management=member(d, BoundManagementType, "NONE", "ITERATIVE"),
    )


def drawn_mapping(d: Draw) -> MappingParameter:
    """Weight and output scales."""
    return MappingParameter(
        weight_scaling_omega=value(d, 0.0, 0.6, 1.0),
        weight_scaling_columnwise=d.chance(),
        learn_out_scaling=d.chance(),
        out_scaling_columnwise=d.chance(),
    )


def drawn_modifier(d: Draw) -> WeightModifierParameter:
    """A weight modifier."""
    return WeightModifierParameter(
        type=member(
            d, WeightModifierType, "NONE", "NONE", "ADD_NORMAL", "MULT_NORMAL", "DISCRETIZE", "COPY"
        ),
        std_dev=value(d, 0.1, 0.5),
        res=value(d, 1 / 14, 30.0),
        sto_round=d.chance(),
        per_batch_sample=d.chance(),
        rel_to_actual_wmax=d.chance(),
        assumed_wmax=value(d, 1.0, 2.0),
    )


def drawn_clip(d: Draw) -> WeightClipParameter:
    """A weight clip."""
    return WeightClipParameter(
        type=member(d, WeightClipType, "NONE", "FIXED_VALUE", "LAYER_GAUSSIAN"),
        fixed_value=value(d, 0.5, 0.4),
        sigma=value(d, 2.5, 1.2),
    )

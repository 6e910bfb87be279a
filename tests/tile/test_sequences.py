"""Random sequences of everything a tile can do: every backend and thread count, the same bits.

A thread does its share from the first element on here, so that small tiles use several threads.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

import refsim as rs
from refsim.kernels.cpu import threads
from tests.exact import Array, same
from tests.strategies import dtypes, seeds
from tests.tile.cases import configs, mostly

PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "dev")
STEPS = {"dev": 300, "ci": 1_500, "deep": 20_000}.get(PROFILE, 300)
WRITINGS = (("spec", 1), ("cpu", 1), ("cpu", 2))
SHARED = ("runtime", "mapping", "choices", "forward", "modifier", "clip", "remap")
numbers_from = st.integers(0, 2**32 - 1)
clips = st.fixed_dictionaries(
    {
        "type": mostly(rs.WeightClipType.NONE, *rs.WeightClipType).filter(
            lambda kind: kind is not rs.WeightClipType.AVERAGE_CHANNEL_MAX
        ),
        "fixed_value": st.sampled_from([0.5, 2.0]),
        "sigma": st.sampled_from([2.5, 0.5]),
    }
)
options = st.fixed_dictionaries(
    {
        "lr": st.sampled_from([0.05, 0.5, 0.0]),
        "momentum": st.sampled_from([0.0, 0.9]),
        "dampening": st.sampled_from([0.0, 0.25]),
        "weight_decay": st.sampled_from([0.0, 0.1]),
    }
)


def values(seed: int, shape: tuple[int, ...], T: Any, r: float) -> Array:
    """Numbers with few and with many digits, edges of a range, zero rows, sometimes huge ones."""
    rng = np.random.default_rng(seed)
    pool = [rng.integers(-32, 33, shape) / 16, rng.normal(size=shape) * 2]
    pool.append(rng.choice([r, -r, 0.0, 2 * r, 1e-30], shape))
    chosen = np.choose(rng.integers(0, 3, shape), pool)
    if len(shape) > 1 and rng.random() < 0.2:
        chosen[..., : shape[-2] // 2, :] = 0
    if rng.random() < 0.02:
        chosen = chosen * 1e25
    limit = float(np.finfo(T).max)
    return np.clip(chosen, -limit, limit).astype(T)


class Tiles(RuleBasedStateMachine):
    """One tile and its optimiser in every writing; every step on all of them."""

    steps = 0
    errors = 0

    @initialize(
        made=dtypes.flatmap(lambda T: st.tuples(st.just(T), configs(T))),
        clip=clips,
        remap=mostly(*rs.WeightRemapType),
        sizes=st.tuples(st.integers(1, 5), st.integers(1, 5)) | st.just((9, 17)),
        bias=st.booleans(),
        seed=seeds,
        option=options,
    )
    def start(
        self, made: Any, clip: Any, remap: Any, sizes: Any, bias: bool, seed: int, option: Any
    ) -> None:
        self.T, config = made
        config.clip, config.remap.type = rs.WeightClipParameter(**clip), remap
        self.sizes, self.option, self.lead = sizes, option, (0,)
        self.tiles = [
            self.created(config, sizes, bias=bias, seed=seed, backend=backend)
            for backend, _ in WRITINGS
        ]
        self.optimizers = [rs.SGD([tile], **option) for tile in self.tiles]
        self.folder = TemporaryDirectory()
        self.set_weights(seed % 1000)

    def created(self, config: Any, sizes: tuple[int, int], **given: Any) -> Any:
        """What the steps are done with."""
        return config.create_tile(*sizes, **given)

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.folder.cleanup()

    def drawn(self, seed: int, *shape: int) -> Array:
        r = self.tiles[0].value("input_range")
        return values(seed, shape, self.T, 1.0 if r is None else float(r[0]))

    def everywhere(self, act: Callable[[int, Any], Any]) -> None:
        """The same on every tile: equal results or equal errors, and equal states."""
        results = [self.attempt(act, i) for i in range(len(WRITINGS))]
        for result in results[1:]:
            compare(result, results[0])
        states = [self.state(i) for i in range(len(WRITINGS))]
        for state in states[1:]:
            compare(state, states[0])
        Tiles.steps += 1
        Tiles.errors += isinstance(results[0], str)

    def attempt(self, act: Callable[[int, Any], Any], i: int) -> Any:
        threads.set_num_threads(WRITINGS[i][1])
        before = self.state(i)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", rs.RangeWarning)
                return act(i, self.tiles[i])
        except rs.RefsimError as error:
            compare(self.state(i), before)
            return str(error)

    def state(self, i: int) -> dict[str, Any]:
        tile = self.tiles[i]
        return {**tile.state_dict(), "gradients": dict(tile.gradients)} | {
            f"optimiser {name}": value for name, value in self.optimizers[i].state_dict().items()
        }

    @rule(seed=numbers_from)
    def set_weights(self, seed: int) -> None:
        weight = self.drawn(seed, *self.sizes)
        self.everywhere(lambda _, tile: tile.set_weights(weight))

    @rule(seed=numbers_from, lead=st.sampled_from([(), (0,), (1,), (3,), (7,), (2, 2)]))
    def forward(self, seed: int, lead: tuple[int, ...]) -> None:
        x = self.drawn(seed, *lead, self.sizes[1])
        self.lead = lead
        self.everywhere(lambda _, tile: traced(tile.forward(x, trace=True)))

    @rule(seed=numbers_from)
    def backward(self, seed: int) -> None:
        dy = self.drawn(seed, *self.lead, self.sizes[0])
        self.everywhere(lambda _, tile: traced(tile.backward(dy, trace=True)))

    @rule(seed=numbers_from)
    def train(self, seed: int) -> None:
        """What is done most often: forward, backward, step."""
        x, dy = self.drawn(seed, 3, self.sizes[1]), self.drawn(seed + 1, 3, self.sizes[0])
        self.lead = (3,)
        self.everywhere(lambda _, tile: tile.train().forward(x))
        self.everywhere(lambda _, tile: tile.backward(dy))
        self.everywhere(lambda i, _: self.optimizers[i].step())

    @rule()
    def step(self) -> None:
        self.everywhere(lambda i, _: self.optimizers[i].step())

    @rule()
    def zero_grad(self) -> None:
        self.everywhere(lambda i, _: self.optimizers[i].zero_grad())

    @rule(mode=st.booleans())
    def mode(self, mode: bool) -> None:
        for tile in self.tiles:
            tile.train(mode)

    @rule(value=st.sampled_from([0.5, 1.0, 3.3, 0.0]))
    def set_input_range(self, value: float) -> None:
        if self.tiles[0].value("input_range") is not None:
            self.everywhere(lambda _, tile: tile.set_input_range(value))

    @rule(seed=numbers_from, columnwise=st.booleans())
    def set_scales(self, seed: int, columnwise: bool) -> None:
        scales = self.drawn(seed, self.sizes[0] if columnwise else 1)
        self.everywhere(lambda _, tile: tile.set_scales(scales))

    @rule()
    def save_and_load(self) -> None:
        """Each tile goes on as its file, on the backend of its neighbour's file."""
        paths = [Path(self.folder.name, str(i)) for i in range(len(WRITINGS))]
        for tile, path in zip(self.tiles, paths, strict=True):
            rs.save(path, tile)
        saved = [optimizer.state_dict() for optimizer in self.optimizers]
        for i, (backend, _) in enumerate(WRITINGS):
            self.tiles[i] = rs.load(paths[i - 1], backend=backend)
            self.optimizers[i] = rs.SGD([self.tiles[i]], **self.option)
            self.optimizers[i].load_state_dict(saved[i - 1])
        self.everywhere(lambda _, tile: tile.training)


def traced(result: tuple[Array, Any]) -> dict[str, Any]:
    """Result, intermediates and noise of a pass."""
    y, trace = result
    stages = {f"{i} {stage.name}": stage.value for i, stage in enumerate(trace)}
    return {"result": y, **stages, **trace.noise}


def compare(actual: Any, expected: Any) -> None:
    if isinstance(expected, Mapping):
        assert actual.keys() == expected.keys()
        for name, value in expected.items():
            compare(actual[name], value)
    else:
        same(actual, expected)


class Arrays(Tiles):
    """The same with arrays of one to nine tiles."""

    def created(self, config: Any, sizes: tuple[int, int], **given: Any) -> Any:
        seed = given["seed"]
        config.mapping.max_input_size = (1, 2, 3, 0, 6)[seed % 5]
        config.mapping.max_output_size = (2, 3, 0, 4)[seed % 4]
        return rs.TileModuleArray(*sizes, config, **given)


class QuantisedArrays(Arrays):
    """The same with quantised tiles, and quantisers behind them."""

    def created(self, config: Any, sizes: tuple[int, int], **given: Any) -> Any:
        seed = given["seed"]
        symmetric, learned = seed % 2 == 0, seed % 3 == 0
        quantised = rs.QuantizedTorchInferenceRPUConfig(
            **{name: value for name, value in vars(config).items() if name in SHARED},
            pre_post=rs.PrePostProcessingParameterQuant(
                input_range=config.pre_post.input_range,
                periph_quant=rs.PeripheryQuantizationParameter(
                    n_bits=4, symmetric=symmetric, learn_quant_params=learned, init_learning_after=2
                ),
            ),
            act_quant_config=rs.ActivationQuantConfig(n_bits=5, symmetric=symmetric),
        )
        quantised.mapping.max_input_size = (1, 2, 3, 0, 6)[seed % 5]
        quantised.mapping.max_output_size = (2, 3, 0, 4)[seed % 4]
        return rs.QuantizedTileModuleArray(*sizes, quantised, **given)


@pytest.mark.parametrize("machine", [Tiles, Arrays, QuantisedArrays])
def test_every_writing_takes_the_same_steps(
    machine: type[Tiles], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threads, "ELEMENTS", 1)
    monkeypatch.setattr(threads, "MULTIPLY_ADDS", 1)
    chosen, Tiles.steps, Tiles.errors = threads.get_num_threads(), 0, 0
    runs = settings(max_examples=STEPS // 40, stateful_step_count=50)
    try:
        while Tiles.steps < STEPS:
            run_state_machine_as_test(machine, settings=runs)
    finally:
        threads.set_num_threads(chosen)
    assert Tiles.errors < Tiles.steps / 2
    print(f"{Tiles.steps} steps on {len(WRITINGS)} writings, {Tiles.errors} refused by all")  # noqa: T201

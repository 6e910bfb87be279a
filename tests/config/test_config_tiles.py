"""Which tile a configuration makes, and what else a configuration object can do."""

from __future__ import annotations

import copy
import subprocess
import sys
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest

from refsim.config import (
    CustomRPUConfig,
    FloatingPointRPUConfig,
    InferenceRPUConfig,
    IOParameters,
    PrePostProcessingRPU,
    QuantizedTorchInferenceRPUConfig,
    TorchInferenceRPUConfig,
)
from refsim.errors import ConfigError


class Recorder:
    """A tile class that remembers how it was made."""

    def __init__(self, *sizes: int, **settings: Any) -> None:
        self.sizes, self.settings = sizes, settings


@pytest.fixture
def tiles(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A tile package that has one tile."""
    package = ModuleType("refsim.tile")
    package.TorchInferenceTile = type("TorchInferenceTile", (Recorder,), {})  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "refsim.tile", package)
    return package


def test_tile_class_is_found_on_reading(tiles: ModuleType) -> None:
    config = TorchInferenceRPUConfig()
    assert config.tile_class is tiles.TorchInferenceTile


def test_create_tile_passes_everything_on(tiles: ModuleType) -> None:
    config = TorchInferenceRPUConfig()
    tile = config.create_tile(3, 4)
    assert type(tile) is tiles.TorchInferenceTile
    assert tile.sizes == (3, 4)
    assert tile.settings.pop("config") is config
    assert tile.settings == {"bias": False, "seed": 0, "backend": "cpu", "name": None}
    tile = config.create_tile(
        out_size=3, in_size=4, bias=True, seed=7, backend="spec", name="first", depth=2
    )
    assert tile.settings.pop("config") is config
    assert tile.settings == {
        "bias": True,
        "seed": 7,
        "backend": "spec",
        "name": "first",
        "depth": 2,
    }


@pytest.mark.parametrize(
    ("cls", "tile"),
    [
        (QuantizedTorchInferenceRPUConfig, "QuantizedTorchInferenceTile"),
    ],
)
def test_a_tile_that_is_not_there(
    cls: type[PrePostProcessingRPU], tile: str, tiles: ModuleType
) -> None:
    message = rf"^tile_class is {tile}, which is not part of this version of refsim\.$"
    with pytest.raises(ConfigError, match=message):
        cls().create_tile(3, 4)
    with pytest.raises(ConfigError, match=message):
        _ = cls().tile_class
    assert cls() == cls()
    assert cls().compatible_with(tile)
    assert str(copy.deepcopy(cls())) == str(cls())
    assert repr(cls()).startswith(f"{cls.__name__}(tile_class='refsim.tile:{tile}'")


def test_a_class_of_your_own() -> None:
    config = TorchInferenceRPUConfig(tile_class=Recorder)
    assert config.tile_class is Recorder
    assert config.create_tile(3, 4).sizes == (3, 4)
    assert config.compatible_with("Recorder")
    assert PrePostProcessingRPU(Recorder).create_tile(1, 2).sizes == (1, 2)


def test_a_tile_of_refsim_is_held_by_name() -> None:
    own = type("CustomTile", (), {"__module__": "refsim.tile.custom"})
    assert TorchInferenceRPUConfig(tile_class=own) == TorchInferenceRPUConfig(
        tile_class="refsim.tile:CustomTile"
    )
    foreign = type("CustomTile", (), {"__module__": "refsim.tiles"})
    assert TorchInferenceRPUConfig(tile_class=foreign).tile_class is foreign


def test_compatible_tiles() -> None:
    names = ("TorchInferenceTile", "InferenceTile", "FloatingPointTile", "CustomTile")
    expected = {
        TorchInferenceRPUConfig: (True, False, False, False),
        InferenceRPUConfig: (True, True, False, False),
        QuantizedTorchInferenceRPUConfig: (True, False, False, False),
        FloatingPointRPUConfig: (False, False, True, False),
        CustomRPUConfig: (False, False, False, True),
    }
    for cls, answers in expected.items():
        assert tuple(map(cls().compatible_with, names)) == answers


def test_as_bindings_is_the_configuration() -> None:
    config = TorchInferenceRPUConfig()
    assert config.as_bindings() is config


def test_copies(tiles: ModuleType) -> None:
    config = TorchInferenceRPUConfig()
    twin = copy.deepcopy(config)
    assert twin == config
    twin.forward.out_noise = 0.5
    assert config.forward.out_noise == 0.06
    changed = replace(config, forward=IOParameters(is_perfect=True))
    assert changed.forward.is_perfect
    assert changed.clip is config.clip


def test_importing_configurations_is_light() -> None:
    heavy = [
        "numba",
        "scipy",
        "cattrs",
        "tomli_w",
        "tomllib",
        "rich",
        "typer",
        "safetensors",
        "refsim.tile",
    ]
    script = (
        "import sys, refsim.config as c; repr(c.TorchInferenceRPUConfig());"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"

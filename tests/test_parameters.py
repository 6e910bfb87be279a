"""The table of the fields of the parameter page is complete and true: each field is changed on each tile."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import parameters
import pytest
import traceability

import refsim as rs
from refsim.tile.layer import single_tiles
from tests.tile.cases import QUIET

PAGE = {
    "InputRangeParameter": "enable=<factory>, learn_input_range=True, init_value=3.0, init_from_data=100, "
    "init_std_alpha=3.0, decay=0.001, input_min_percentage=0.95, manage_output_clipping=False, "
    "output_min_percentage=0.95, gradient_scale=1.0, gradient_relative=True, calibration_info=None",
    "PeripheryQuantizationParameter": "n_bits=0, symmetric=True, learn_quant_params=False, init_learning_after=100",
    "PrePostProcessingParameter": "input_range=<factory>",
    "PrePostProcessingParameterQuant": "input_range=<factory>, periph_quant=<factory>",
    "PrePostProcessingRPU": "tile_class, runtime=<factory>, pre_post=<factory>",
}
"""The signatures of the parameter page of aihwkit, as published."""
SIGNATURE = re.compile(
    r"^- class aihwkit\.simulator\.parameters\.pre_post\.(\w+)\((.*)\)\[source\]", re.M
)


def texts() -> list[Path]:
    """The text of the page where it lies beside or in the checkout."""
    roots = (traceability.ROOT, traceability.ROOT.parent)
    return [path for root in roots for path in root.glob("shared/seed/aihwkit_pre_post.txt")]


PAGES: dict[str, Mapping[str, str]] = {
    "recorded": PAGE,
    **{
        f"text {i}": dict(SIGNATURE.findall(path.read_text(encoding="utf-8")))
        for i, path in enumerate(texts())
    },
}
CONFIGS: dict[str, Any] = {
    "TorchInferenceTile": rs.TorchInferenceRPUConfig,
    "InferenceTile": rs.InferenceRPUConfig,
    "CustomTile": rs.CustomRPUConfig,
    "FloatingPointTile": rs.FloatingPointRPUConfig,
    "QuantizedTorchInferenceTile": rs.QuantizedTorchInferenceRPUConfig,
    "QuantizedTileModuleArray": rs.QuantizedTorchInferenceRPUConfig,
}
BASE = {"enable": True, "init_value": 2.0, "init_from_data": 0, "decay": 0.25}
ALL_INSIDE, EDGES = [[0.5, -0.5]], [[3.0, -0.5]]
TWO = [[3.0, -0.5], [1.0, 0.25]]
BATCHES = {
    "decay": ALL_INSIDE,
    "input_min_percentage": ALL_INSIDE,
    "init_from_data": TWO,
    "init_std_alpha": TWO,
}
"""Batches in which a field matters, where it is not ``EDGES``."""
NEEDS: dict[str, dict[str, Any]] = {
    "enable": {"enable": False},
    "init_std_alpha": {"init_from_data": 1},
    "output_min_percentage": {"manage_output_clipping": True},
    "init_learning_after": {"learn_quant_params": True},
}
"""Other settings that a field needs to act, or another value of its own than in ``BASE``."""


def published(signature: str) -> dict[str, str]:
    """Fields and defaults of a signature, as text; empty where a field has none."""
    parts = (part.partition("=") for part in signature.split(", "))
    return {name: default for name, _, default in parts}


def config(tile_name: str, **settings: Any) -> Any:
    """The configuration of a tile."""
    if tile_name != "FloatingPointTile":
        settings["forward"] = rs.IOParameters(**{**QUIET, "out_bound": 0.75})
    if tile_name == "QuantizedTileModuleArray":
        settings["mapping"] = rs.MappingParameter(max_input_size=1)
    made = CONFIGS[tile_name](**settings)
    if tile_name == "CustomTile":
        made.backward.is_perfect = True
    return made


def settings_before(tile_name: str, name: str, field: str) -> dict[str, Any]:
    """What a class of the page holds before a field is changed."""
    quantised = tile_name.startswith("Quantized")
    before: dict[str, Any] = {
        "InputRangeParameter": BASE,
        "PeripheryQuantizationParameter": {"n_bits": 4 if quantised else 0},
    }.get(name, {})
    if tile_name == "FloatingPointTile" and field == "output_min_percentage":
        return dict(before)  # it refuses what this field needs
    return {**before, **NEEDS.get(field, {})}


def configured(tile_name: str, name: str, settings: dict[str, Any]) -> Any:
    """The configuration of a tile where one class of the page holds these settings."""
    plain, quantised = rs.PrePostProcessingParameter, rs.PrePostProcessingParameterQuant
    if name == "PrePostProcessingRPU":
        return config(tile_name, **{"pre_post": quantised(), **settings})
    if name == "PeripheryQuantizationParameter":
        periphery = rs.PeripheryQuantizationParameter(**settings)
        made = quantised(rs.InputRangeParameter(**BASE), periphery)
    else:
        if name == "InputRangeParameter":
            settings = {"input_range": rs.InputRangeParameter(**settings)}
        asked = tile_name.startswith("Quantized") or name == "PrePostProcessingParameterQuant"
        made = (quantised if asked else plain)(**settings)
    return config(tile_name, pre_post=made)


def tile_of(tile_name: str, made: Any) -> Any:
    """The tile, or the array."""
    if tile_name == "QuantizedTileModuleArray":
        return rs.QuantizedTileModuleArray(2, 2, made, bias=True, backend="spec")
    return made.create_tile(2, 2, bias=True, backend="spec")


def result(tile: Any, x: Any) -> tuple[Any, ...]:
    """Everything that two training steps of a tile compute."""
    tile.set_weights([[1.0, 0.5], [-0.5, 0.25]], [0.125, -0.3])
    optimizer, steps = rs.SGD([tile], lr=0.5), []
    for _ in range(2):
        y, dx = tile.forward(x), tile.backward([[-1.0, 2.0]] * len(x))
        gradients = {name: value.tolist() for name, value in tile.gradients.items()}
        steps.append((y.tolist(), dx.tolist(), gradients))
        optimizer.step()
        optimizer.zero_grad()
    state = {name: repr(value.tolist()) for name, value in tile.state_dict().items()}
    return steps, state, y.dtype


def effect(tile_name: str, name: str, field: str) -> str:
    """What a change of a field to the value of its example does."""
    before, value = settings_before(tile_name, name, field), parameters.FIELDS[name][field].example
    try:
        changed = tile_of(tile_name, configured(tile_name, name, {**before, field: value}))
    except rs.ConfigError:
        return parameters.REFUSED
    x = BATCHES.get(field, EDGES)
    if result(changed, x) != result(tile_of(tile_name, configured(tile_name, name, before)), x):
        return parameters.ACTS
    return parameters.KEPT if isinstance(value, str) else parameters.IGNORED


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_the_table_has_the_fields_of_the_page_in_their_order(page: Mapping[str, str]) -> None:
    found = {name: list(rows) for name, rows in parameters.FIELDS.items()}
    assert found == {name: list(published(signature)) for name, signature in page.items()}
    assert list(found) == list(page)


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_the_classes_have_the_fields_and_defaults_of_the_page(page: Mapping[str, str]) -> None:
    for name, signature in page.items():
        own = {field.name: field.default for field in fields(getattr(rs, name))}
        assert list(own) == list(published(signature))
        for field, text in published(signature).items():
            if text not in ("", "<factory>"):
                assert own[field] is not MISSING
                assert str(own[field]) == text


CELLS = [
    (name, field, position)
    for name, rows in parameters.FIELDS.items()
    for field in rows
    if field != "tile_class"
    for position in range(len(parameters.TILES))
]


@pytest.mark.parametrize(("name", "field", "position"), CELLS)
@pytest.mark.clause("IR-1", "IR-2", "IR-3", "IR-5", "IR-7", "IR-10", "IR-11")
def test_each_field_does_on_each_tile_what_the_table_says(
    name: str, field: str, position: int
) -> None:
    row = parameters.FIELDS[name][field]
    assert effect(parameters.TILES[position], name, field) == row.effects[position]


@pytest.mark.parametrize("tile_name", parameters.TILES)
def test_the_tile_class_makes_the_tile(tile_name: str) -> None:
    made = config(tile_name)
    own = type("Own", (made.tile_class,), {})
    made.tile_class = own
    tile = tile_of(tile_name, made)
    assert all(type(single) is own for single in single_tiles(tile))


def test_the_example_of_a_tile_class_names_one() -> None:
    named = parameters.FIELDS["PrePostProcessingRPU"]["tile_class"].example
    assert rs.PrePostProcessingRPU(tile_class=named).tile_class is rs.TorchInferenceTile


def test_every_example_is_another_value_than_the_default() -> None:
    for name, rows in parameters.FIELDS.items():
        required = {"tile_class": rs.CustomTile} if name == "PrePostProcessingRPU" else {}
        for field, row in rows.items():
            kind, given = getattr(rs, name), {**required, field: row.example}
            assert getattr(kind(**given), field) != getattr(kind(**required), field)


def test_a_text_is_saved_and_loaded(tmp_path: Any) -> None:
    ranged = rs.InputRangeParameter(enable=True, calibration_info="by hand")
    config = rs.InferenceRPUConfig(pre_post=rs.PrePostProcessingParameter(input_range=ranged))
    rs.save(tmp_path / "tile.safetensors", config.create_tile(1, 1, backend="spec"))
    loaded = rs.load(tmp_path / "tile.safetensors")
    assert loaded.config.pre_post.input_range.calibration_info == "by hand"
    assert "calibration_info=by hand" in str(loaded.config)


def test_every_cell_is_filled() -> None:
    known = traceability.specified()
    for rows in parameters.FIELDS.values():
        for field, row in rows.items():
            assert set(row.clauses) <= known.keys()
            assert row.clauses or set(row.effects) == {parameters.KEPT}
            assert len(row.effects) == len(parameters.TILES)
            assert set(row.effects) <= parameters.MEANING.keys()
            tests = parameters.tests_of(field, row)
            assert tests
            assert all((traceability.ROOT / path).is_file() for path in tests)


def test_the_page_shows_every_field_with_its_example() -> None:
    sections = re.split(r"^## ", parameters.page(), flags=re.MULTILINE)[1:]
    for section, (name, rows) in zip(sections, parameters.FIELDS.items(), strict=True):
        assert section.startswith(f"{name}\n")
        assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == list(rows)
        assert all(
            parameters.shown(name, field, row.example) in section for field, row in rows.items()
        )
        assert all(f"`{tile}`" in section for tile in parameters.TILES)

"""The table of the fields of the parameter page is complete and true: each field is changed on each tile."""

from __future__ import annotations

import re
from dataclasses import MISSING, fields
from typing import Any

import parameters
import pytest
import traceability

import refsim as rs
from tests.tile.cases import QUIET

PAGE = {
    "InputRangeParameter": "enable=<factory>, learn_input_range=True, init_value=3.0, init_from_data=100, "
    "init_std_alpha=3.0, decay=0.001, input_min_percentage=0.95, manage_output_clipping=False, "
    "output_min_percentage=0.95, gradient_scale=1.0, gradient_relative=True, calibration_info=None",
}
"""The signatures of the parameter page of aihwkit, as published."""
CONFIGS: dict[str, Any] = {
    "TorchInferenceTile": rs.TorchInferenceRPUConfig,
    "InferenceTile": rs.InferenceRPUConfig,
    "CustomTile": rs.CustomRPUConfig,
    "FloatingPointTile": rs.FloatingPointRPUConfig,
}
BASE = {"enable": True, "init_value": 2.0, "init_from_data": 0, "decay": 0.25}
ALL_INSIDE, EDGES = [[0.5, -0.5]], [[3.0, -0.5]]
CHANGES: dict[str, tuple[dict[str, Any], Any, Any]] = {
    "enable": ({}, False, EDGES),
    "learn_input_range": ({}, False, EDGES),
    "init_value": ({}, 1.5, EDGES),
    "init_from_data": ({}, 1, EDGES),
    "init_std_alpha": ({"init_from_data": 1}, 2.0, EDGES),
    "decay": ({}, 0.5, ALL_INSIDE),
    "input_min_percentage": ({}, 1.0, ALL_INSIDE),
    "manage_output_clipping": ({}, True, EDGES),
    "output_min_percentage": ({"manage_output_clipping": True}, 0.25, EDGES),
    "gradient_scale": ({}, 0.5, EDGES),
    "gradient_relative": ({}, False, EDGES),
    "calibration_info": ({}, "by hand", EDGES),
}
"""For each field: other settings that it needs, another value than theirs, and a batch in which it matters."""


def published(name: str) -> dict[str, str]:
    """Fields and defaults of a signature, as text."""
    return dict(part.split("=") for part in PAGE[name].split(", "))


def result(tile_name: str, x: Any, **settings: Any) -> tuple[Any, ...]:
    """Everything that a training step of a tile computes."""
    parts: dict[str, Any] = {}
    if tile_name != "FloatingPointTile":
        parts["forward"] = rs.IOParameters(**{**QUIET, "out_bound": 0.75})
    ranged = rs.InputRangeParameter(**settings)
    config = CONFIGS[tile_name](pre_post=rs.PrePostProcessingParameter(input_range=ranged), **parts)
    if tile_name == "CustomTile":
        config.backward.is_perfect = True
    tile = config.create_tile(2, 2, backend="spec")
    tile.set_weights([[1.0, 0.5], [-0.5, 0.25]])
    y = tile.forward(x)
    dx = tile.backward([[-1.0, 2.0]])
    gradients = {name: value.tolist() for name, value in tile.gradients.items()}
    rs.SGD([tile], lr=0.5).step()
    state = {name: value.tolist() for name, value in tile.state_dict().items()}
    return y.tolist(), dx.tolist(), gradients, state


def effect(tile_name: str, field: str) -> str:
    """What a change of the field does."""
    needs, value, x = CHANGES[field]
    before = {**BASE, **needs}
    if tile_name == "FloatingPointTile" and field == "output_min_percentage":
        before["manage_output_clipping"] = False  # which it refuses
    try:
        changed = result(tile_name, x, **{**before, field: value})
    except rs.ConfigError:
        return parameters.REFUSED
    if changed != result(tile_name, x, **before):
        return parameters.ACTS
    text = isinstance(value, str)
    return parameters.KEPT if text else parameters.IGNORED


@pytest.mark.parametrize("name", parameters.FIELDS)
def test_the_table_has_the_fields_of_the_page_in_their_order(name: str) -> None:
    assert list(parameters.FIELDS[name]) == list(published(name))


@pytest.mark.parametrize("name", PAGE)
def test_the_class_has_the_fields_and_defaults_of_the_page(name: str) -> None:
    own = {field.name: field.default for field in fields(getattr(rs, name))}
    assert list(own) == list(published(name))
    for field, text in published(name).items():
        if text != "<factory>":
            assert own[field] is not MISSING
            assert str(own[field]) == text


@pytest.mark.parametrize("field", parameters.FIELDS["InputRangeParameter"])
@pytest.mark.parametrize("position", range(len(parameters.TILES)))
@pytest.mark.clause("IR-1", "IR-2", "IR-3", "IR-5", "IR-7", "IR-10", "IR-11")
def test_each_field_does_on_each_tile_what_the_table_says(field: str, position: int) -> None:
    row = parameters.FIELDS["InputRangeParameter"][field]
    assert effect(parameters.TILES[position], field) == row.effects[position]


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


def test_the_page_shows_every_field_once() -> None:
    page = parameters.page()
    for rows in parameters.FIELDS.values():
        for field in rows:
            assert len(re.findall(rf"^\| `{field}` \|", page, re.MULTILINE)) == 1
    assert all(f"`{tile}`" in page for tile in parameters.TILES)

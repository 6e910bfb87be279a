"""Capability files: what is declared, how a target is reached, and one sentence for each mistake."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refsim import Choices
from refsim.conformance.adapters import Capabilities, Waiver
from refsim.conformance.adapters.capabilities import DEFAULT_FEATURES
from refsim.conformance.adapters.capability_file import (
    CapabilityFile,
    capabilities_from,
    capability_table,
    read_capabilities,
    to_text,
    write_capabilities,
)
from refsim.conformance.admissible import BINARY32, FLOAT32, FLOAT64, Format, Profile
from refsim.conformance.cases import FEATURES
from refsim.errors import ConfigError

EVERYTHING = """
name = "my tile"
features = { all_but = ["noise", "float64"] }
command = ["./my_tile", "--fast"]
timeout = 2.5
memory_mib = 512

[profile]
base = "float32 in order"
lanes = 8
fused = false
reciprocal = true
operand = "tf32"
accumulator = "float64"
setting = 1
spare = 5

[choices]
percentile = "lower_only"

[[waivers]]
clause = "IR-8"
reason = "the residual is left out on purpose"

[[waivers]]
clause = "IR-8 range_residual"
reason = "the same"
"""


def read(tmp_path: Path, text: str) -> CapabilityFile:
    path = tmp_path / "tile.toml"
    path.write_text(text)
    return read_capabilities(path)


def test_a_file_with_everything(tmp_path: Path) -> None:
    found = read(tmp_path, EVERYTHING)
    p = found.declared.profile
    assert found.declared.name == "my tile"
    assert found.declared.features == frozenset(FEATURES) - {"noise", "float64"}
    assert found.declared.choices == Choices(percentile="lower_only")
    assert found.declared.waivers[1] == Waiver("IR-8 range_residual", "the same")
    assert (p.lanes, p.fused, p.reciprocal, p.operand) == (8, False, True, 2.0**-11)
    assert (p.format, p.accumulator.name, p.setting, p.spare) == (BINARY32, "float64", 1, 5)
    assert found.command == ("./my_tile", "--fast")
    assert (found.timeout, found.memory_mib, found.folder) == (2.5, 512, tmp_path)


def test_an_empty_file_declares_the_default(tmp_path: Path) -> None:
    assert read(tmp_path, "").declared == Capabilities()


@pytest.mark.parametrize(
    ("given_profile", "expected"),
    [
        ("float32", FLOAT32),
        ("float64", FLOAT64),
        ({}, FLOAT32),
        ({"reciprocal": True}, FLOAT32.reciprocals()),
        ({"wide": True}, FLOAT32.wider()),
        (
            {"name": "one", "deviation": "one-pass"},
            replace(FLOAT32, name="one", deviation="one-pass"),
        ),
        (
            {"name": "half", "format": "float16", "accumulator": "float32"},
            Profile("half", Format("float16", 11, -14), BINARY32),
        ),
        (
            {
                "name": "odd",
                "format": {"name": "fp9", "precision": 4, "least_exponent": -14},
                "accumulator": "bfloat16",
            },
            Profile("odd", Format("fp9", 4, -14), Format("bfloat16", 8, -126)),
        ),
    ],
    ids=["float32", "float64", "empty", "reciprocal", "wide", "one-pass", "half", "odd"],
)
def test_profiles(given_profile: Any, expected: Profile) -> None:
    assert capabilities_from({"profile": given_profile}).profile == expected


@pytest.mark.parametrize(
    ("given_features", "expected"),
    [
        (["bias"], {"bias"}),
        ({"only": ["bias", "dac"]}, {"bias", "dac"}),
        ({"all_but": ["bias"]}, FEATURES.keys() - {"bias"}),
        ({"default_and": ["noise"]}, DEFAULT_FEATURES | {"noise"}),
        ({"default_but": ["dac"]}, DEFAULT_FEATURES - {"dac"}),
    ],
    ids=["list", "only", "all_but", "default_and", "default_but"],
)
def test_sets_of_features(given_features: Any, expected: Any) -> None:
    assert capabilities_from({"features": given_features}).features == set(expected)


def test_named_choices() -> None:
    assert capabilities_from({"choices": "aihwkit"}).choices == Choices.aihwkit()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name = 3", "name is 3, but it must be text"),
        ("name = ''", "name is '', but it must be one line of 1 to 100 letters"),
        ("nmae = 'a'", "'nmae' is not a key of the file; did you mean name"),
        ("features = ['bais']", "features has 'bais'; did you mean bias"),
        ("features = {al_but = []}", "features is .*, but it must be a list, or a table with one"),
        ("features = 'bias'", "features is 'bias', but it must be a list, or a table"),
        (
            "features = {only = 'bias'}",
            "features.only is 'bias', but it must be a list of features",
        ),
        ("features = [3]", "features has 3"),
        ("profile = 'float23'", "profile is 'float23'; did you mean float32"),
        ("profile = 32", "profile is 32, but it must be a name or a table"),
        ("profile = {lane = 1}", "profile has the key 'lane'; did you mean lanes"),
        ("profile = {lanes = 0}", "profile.lanes is 0, but it must be a 64-bit integer in"),
        ("profile = {lanes = true}", "profile.lanes is True"),
        ("profile = {operand = 1.5}", "profile.operand is 1.5, but it must be a number in"),
        ("profile = {operand = 'tf23'}", "profile.operand is 'tf23'; did you mean tf32"),
        ("profile = {deviation = 'welford'}", "profile.deviation is 'welford'"),
        ("profile = {format = 'half'}", "profile.format is 'half'; it has float32, float64"),
        ("profile = {format = {name = 'a'}}", "or a table of name, precision and least_exponent"),
        ("profile = {format = {name = 'a', precision = 30, least_exponent = -9}}", "30 bits"),
        ("choices = 'lightning'", "choices is 'lightning', but it must be 'aihwkit' or a table"),
        ("choices = {percentil = 'x'}", "choices has 'percentil'; did you mean percentile"),
        ("choices = {percentile = 'x'}", "Choices.percentile is 'x', but it must be one of"),
        ("waivers = 3", "waivers is 3, but it must be a list of tables"),
        (
            "waivers = [{clause = 'IR-8'}]",
            r"waivers\[0\].reason is None, but each waiver needs one",
        ),
        (
            "waivers = [{clause = 'IR8', reason = 'x'}]",
            r"waivers\[0\].clause is 'IR8', but there is no clause 'IR8'; did you mean IR-8\?$",
        ),
        (
            "waivers = [{claus = 'IR8'}]",
            r"'claus' is not a key of waivers\[0\]; did you mean clause",
        ),
        ("command = 'ls -l'", "command is 'ls -l', but it must be a list whose items"),
        ("command = []", "command is .., but it must be a list of a program"),
        (
            "python = 'a:b'\nrecording = 'c'",
            "python and recording are given, but there must be one",
        ),
        (
            "timeout = 0",
            "timeout is 0, but it must be a finite number in|timeout is 0, but it must",
        ),
        ("memory_mib = 1.5", "memory_mib is 1.5, but it must be 0 or an integer from 16"),
        ("name = 'a'\nname = 'b'", "the text is not TOML: Cannot overwrite a value"),
        ("a = " + "[" * 5000, "the text is not TOML"),
    ],
    ids=range(33),
)
def test_a_mistake_is_one_sentence_with_the_file(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as info:
        read(tmp_path, text)
    assert str(info.value).startswith(str(tmp_path / "tile.toml"))
    assert "\n" not in str(info.value)


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "tile.toml"
    path.write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="is not UTF-8 text"):
        read_capabilities(path)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "tile.toml"
    first = read(tmp_path, EVERYTHING)
    write_capabilities(path, first)
    assert read_capabilities(path) == first


@given(
    st.sets(st.sampled_from(sorted(FEATURES))),
    st.none() | st.integers(1, 1000),
    st.booleans(),
    st.lists(st.sampled_from(["IR-8", "DC-3 rounded_input", "state"]), max_size=3),
)
def test_any_capabilities_survive_text(
    features: set[str], lanes: int | None, fused: bool, clauses: list[str]
) -> None:
    declared = Capabilities(
        name="tile",
        profile=Profile("any", BINARY32, BINARY32, lanes=lanes, fused=fused),
        features=frozenset(features),
        waivers=tuple(Waiver(clause, "known") for clause in clauses),
    )
    assert capabilities_from(capability_table(declared)) == declared
    import tomllib

    table = tomllib.loads(to_text(CapabilityFile(declared, python="a:b")))
    assert capabilities_from({k: table[k] for k in capability_table(declared)}) == declared

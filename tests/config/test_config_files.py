"""Files: nothing is lost on the way out and in, and nothing foreign is taken."""

from __future__ import annotations

import json
import math
import tomllib
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refsim import config as package
from refsim.config import (
    ActivationQuantConfig,
    BoundManagementType,
    Choices,
    CrossEntropyEstimatorParams,
    InputRangeParameter,
    IOParameters,
    MappableRPU,
    MSEEstimatorParams,
    Parameters,
    PrePostProcessingParameter,
    PrePostProcessingParameterQuant,
    PrePostProcessingRPU,
    QuantizedTorchInferenceRPUConfig,
    RangeEstimators,
    RPUDataType,
    RuntimeParameter,
    TorchInferenceRPUConfig,
    WeightModifierParameter,
    from_json,
    from_toml,
    load_config,
    save_config,
    to_json,
    to_toml,
)
from refsim.config.base import field_hints
from refsim.config.checks import Interval
from refsim.config.tile_class import TILES, TileClass
from refsim.errors import ConfigError

Strategy = st.SearchStrategy[Any]

INF = float("inf")
CLASSES = [
    found
    for name in package.__all__
    if isinstance(found := getattr(package, name), type)
    and issubclass(found, Parameters)
    and found is not Parameters
]
UNUSUAL = [0.0, -0.0, 5e-324, 2.0**-1022, 0.1, 1 / 3, 1e16, 1e22, 1.7976931348623157e308]
ESTIMATOR_PARAMS: dict[RangeEstimators, Strategy] = {}


# --- arbitrary valid objects ----------------------------------------------------------------------


def numbers(interval: Interval) -> Strategy:
    """Floats, unusual floats and integers in an interval."""
    floats = st.floats(
        interval.low,
        interval.high,
        exclude_min=interval.ends[0] == "(",
        exclude_max=interval.ends[1] == ")",
    )
    edges = [sign * value for value in UNUSUAL for sign in (1, -1) if sign * value in interval]
    return floats | st.sampled_from(edges) | integers(interval)


def integers(interval: Interval) -> Strategy:
    """Integers of 64 bits in an interval."""
    low, high = max(interval.low, -(2.0**63)), min(interval.high, 2**63 - 1)
    return st.integers(int(low), int(high)).filter(lambda value: value in interval)


def values(hint: Any) -> Strategy:
    """Whatever a field with that annotation takes."""
    arguments = get_args(hint)
    if get_origin(hint) is Annotated:
        return (integers if arguments[0] is int else numbers)(arguments[1])
    if get_origin(hint) is Literal:
        return st.sampled_from(arguments)
    if get_origin(hint) in (Union, UnionType):
        return st.one_of(*map(values, arguments))
    if get_origin(hint) is list:
        return st.lists(values(arguments[0]), max_size=4)
    if hint is TileClass:
        return st.sampled_from([f"refsim.tile:{name}" for name in TILES])
    if issubclass(hint, Parameters):
        return objects(hint)
    if issubclass(hint, Enum):
        return st.sampled_from(hint)
    everywhere = Interval(-INF, INF)
    plain = {
        bool: st.booleans(),
        int: integers(everywhere),
        float: numbers(everywhere),
        str: st.text(st.characters(exclude_categories=["Cs"])),
        NoneType: st.none(),
    }
    return plain[hint]


def objects(cls: type[Parameters]) -> Strategy:
    """Objects of a parameter class or of a subclass that may stand in its place."""
    if cls is ActivationQuantConfig:
        return quantisers()
    kinds = [kind for kind in CLASSES if issubclass(kind, cls)]
    if issubclass(cls, PrePostProcessingRPU):
        kinds = [cls]
    return st.sampled_from(kinds).flatmap(
        lambda kind: st.builds(
            kind, **{name: values(hint) for name, hint in field_hints(kind).items()}
        )
    )


@st.composite
def quantisers(draw: st.DrawFn) -> ActivationQuantConfig:
    """Output quantisers, with parameters that belong to the estimator."""
    made = ActivationQuantConfig(
        n_bits=draw(st.integers(-1, 16)),
        symmetric=draw(st.booleans()),
        range_estimator=draw(st.sampled_from(RangeEstimators)),
    )
    if made.range_estimator_params is not None:
        made.range_estimator_params = draw(objects(type(made.range_estimator_params)))
    return made


@given(st.sampled_from(CLASSES).flatmap(objects))
def test_round_trip(parameters: Parameters) -> None:
    for text, read in ((to_toml(parameters), from_toml), (to_json(parameters), from_json)):
        found = read(text)
        assert found == parameters
        assert repr(found) == repr(parameters)  # int or float, signs of zeros, the runtime too
        assert str(found) == str(parameters)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_defaults_round_trip(cls: type[Parameters]) -> None:
    bare = cls in (PrePostProcessingRPU, MappableRPU)
    named = {"tile_class": "refsim.tile:CustomTile"} if bare else {}
    parameters = cls(**named)
    for text, read in ((to_toml(parameters), from_toml), (to_json(parameters), from_json)):
        assert type(read(text)) is cls
        assert repr(read(text)) == repr(parameters)


# --- what a file looks like -----------------------------------------------------------------------


def test_a_file_holds_every_field_that_is_not_none() -> None:
    text = to_toml(InputRangeParameter(enable=True, init_value=2))
    assert text == (
        'format = 1\nclass = "InputRangeParameter"\nenable = true\nlearn_input_range = true\n'
        "init_value = 2\ninit_from_data = 100\ninit_std_alpha = 3.0\ndecay = 0.001\n"
        "input_min_percentage = 0.95\nmanage_output_clipping = false\n"
        "output_min_percentage = 0.95\ngradient_scale = 1.0\ngradient_relative = true\n"
    )
    assert json.loads(to_json(InputRangeParameter(enable=True, init_value=2))) == tomllib.loads(
        text
    )


def test_infinities() -> None:
    parameters = IOParameters(inp_bound=INF, out_bound=-INF)
    assert tomllib.loads(to_toml(parameters))["inp_bound"] == INF
    table = json.loads(to_json(parameters), parse_constant=pytest.fail)
    assert (table["inp_bound"], table["out_bound"]) == ("inf", "-inf")


def test_a_hand_written_file_may_be_short() -> None:
    config = from_toml(
        """
        format = 1
        class = "TorchInferenceRPUConfig"

        [forward]
        inp_res = 254
        bound_management = "None"

        [runtime]
        data_type = "double"
        """
    )
    expected = TorchInferenceRPUConfig(
        forward=IOParameters(inp_res=254, bound_management=BoundManagementType.NONE)
    )
    assert config == expected
    assert config.runtime.data_type is RPUDataType.DOUBLE


def test_a_nested_table_names_its_class_where_that_is_not_clear() -> None:
    config = TorchInferenceRPUConfig(pre_post=PrePostProcessingParameterQuant())
    table = tomllib.loads(to_toml(config))
    assert table["pre_post"]["class"] == "PrePostProcessingParameterQuant"
    assert "class" not in table["pre_post"]["input_range"]
    assert "class" not in tomllib.loads(to_toml(TorchInferenceRPUConfig()))["pre_post"]
    quantiser = ActivationQuantConfig(
        range_estimator=RangeEstimators.MSE,
        range_estimator_params=CrossEntropyEstimatorParams(range_margin=0.0),
    )
    found = from_toml(to_toml(quantiser)).range_estimator_params
    assert (type(found), found.range_margin) == (CrossEntropyEstimatorParams, 0.0)


# --- what is refused ------------------------------------------------------------------------------

HEAD = 'format = 1\nclass = "TorchInferenceRPUConfig"\n'

BAD_TOML = [
    ("", r"no refsim configuration"),
    ("forward = 1", r"no refsim configuration"),
    ('class = "IOParameters"', r"no refsim configuration"),
    ('format = 2\nclass = "IOParameters"', r"^format is 2, but refsim reads only 1\.$"),
    ('format = true\nclass = "IOParameters"', r"^format is True, but"),
    (
        'format = 1\nclass = "Mapping"',
        r"^class is 'Mapping', but it must be a class of refsim\.config",
    ),
    ('format = 1\nclass = "Parameters"', r"^class is 'Parameters'"),
    ('format = 1\nclass = "RPUDataType"', r"^class is 'RPUDataType'"),
    ('format = 1\nclass = "to_toml"', r"^class is 'to_toml'"),
    ("format = 1\nclass = 3", r"^class is 3"),
    ('format = 1\nclass = "IOParameters', r"^the text is not TOML: .*\.$"),
    ("a = 1\na = 2", r"^the text is not TOML: .*\.$"),
    ("a = " + "[" * 100_000, r"^the text is not TOML: .*\.$"),
    ("a = 1" + "0" * 5000, r"^the text is not TOML: .*\.$"),
    (HEAD + "speed = 1", r"^speed is not a field of TorchInferenceRPUConfig; it has "),
    (HEAD + "device = 1", r"^device is not a field of TorchInferenceRPUConfig; refsim does not"),
    (HEAD + "forward = 1", r"^forward is 1, but it must be a table\.$"),
    (HEAD + "[[forward]]", r"^forward is \[\{\}\], but it must be a table\.$"),
    (
        HEAD + "[forward]\ninp_rez = 254",
        r"^forward\.inp_rez is not a field of IOParameters; did you mean inp_res\?$",
    ),
    (
        HEAD + '[forward]\ninp_res = "254"',
        r"^forward\.inp_res is '254', but it must be a finite number\.$",
    ),
    (
        HEAD + "[forward]\ninp_res = inf",
        r"^forward\.inp_res is inf, but it must be a finite number",
    ),
    (
        HEAD + "[forward]\ninp_bound = nan",
        r"^forward\.inp_bound is nan, but it must be a number\.$",
    ),
    (
        HEAD + '[forward]\ninp_bound = "inf"',
        r"^forward\.inp_bound is 'inf', but it must be a number",
    ),
    (
        HEAD + "[forward]\nis_perfect = 1",
        r"^forward\.is_perfect is 1, but it must be True or False",
    ),
    (
        HEAD + '[forward]\nbound_management = "ITERATIVE"',
        r"^forward\.bound_management is 'ITERATIVE', but it must be one of 'None', 'Iterative'",
    ),
    (HEAD + "[forward]\nmv_type = []", r"^forward\.mv_type is \[\], but it must be one of 'Ideal'"),
    (
        HEAD + '[forward]\nclass = "MappingParameter"',
        r"^forward is MappingParameter\(.*, but it must",
    ),
    (
        HEAD + '[runtime]\ndata_type = "half"',
        r"^runtime\.data_type is 'half', but .*'float', 'double'",
    ),
    (HEAD + '[choices]\npercentile = "both"', r"^choices\.percentile is 'both', but .*'two_sided'"),
    (
        HEAD + "[pre_post.input_range]\ndecay = 1979-05-27",
        r"^pre_post\.input_range\.decay is datetime\.date\(1979, 5, 27\), but",
    ),
    (HEAD + '[modifier]\ncoeffs = ["a"]', r"^modifier\.coeffs is \['a'\], but it must be a list"),
    (HEAD + 'tile_class = "os:system"', r"^tile_class is 'os:system', but it must be a class, or"),
    ('format = 1\nclass = "PrePostProcessingRPU"', r"^tile_class is missing\.$"),
    (
        'format = 1\nclass = "ActivationQuantConfig"\n[range_estimator_params]\nmomentum = 0.5',
        r"^range_estimator_params\.class is missing\.$",
    ),
    (
        'format = 1\nclass = "ActivationQuantConfig"\n[range_estimator_params]\n'
        'class = "MSEEstimatorParams"',
        r"range_estimator_params is MSEEstimatorParams\(.*takes RunningMinMaxEstimatorParams\.$",
    ),
]

BAD_JSON = [
    ("", r"^the text is not JSON: .*\.$"),
    ("null", r"no refsim configuration"),
    ("[1, 2]", r"no refsim configuration"),
    ('"format class"', r"no refsim configuration"),
    ('{"a": 1, "a": 2}', r"^the text is not JSON: an object has the same key twice\.$"),
    ('{"format": NaN}', r"^the text is not JSON: NaN is not allowed\.$"),
    ('{"format": Infinity}', r"^the text is not JSON: Infinity is not allowed\.$"),
    ("[" * 100_000, r"^the text is not JSON: it is nested too deeply\.$"),
    ("1" + "0" * 5000, r"^the text is not JSON: .*\.$"),
    ('{"format": 1, "class": "IOParameters"} x', r"^the text is not JSON: Extra data"),
    (
        '{"format": 1, "class": "IOParameters", "inp_res": "inf"}',
        r"^inp_res is inf, but it must be a finite number\.$",
    ),
    (
        '{"format": 1, "class": "IOParameters", "inp_bound": "nan"}',
        r"^inp_bound is 'nan', but it must be a number\.$",
    ),
    ('{"format": 1, "class": "IOParameters", "inp_res": {}}', r"^inp_res is \{\}, but"),
    ('{"format": 1, "class": "IOParameters", "inp_res": null}', r"^inp_res is None, but"),
]


@pytest.mark.parametrize(("text", "message"), BAD_TOML)
def test_bad_toml(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        from_toml(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("text", "message"), BAD_JSON)
def test_bad_json(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        from_json(text)
    assert "\n" not in str(caught.value)


def test_a_truncated_text_is_refused_or_whole_up_to_there() -> None:
    config = QuantizedTorchInferenceRPUConfig(act_quant_config=ActivationQuantConfig(n_bits=8))
    text = to_json(config)
    for end in range(0, len(text.rstrip()), 7):
        with pytest.raises(ConfigError):
            from_json(text[:end])
    text = to_toml(config)
    for end in range(0, len(text), 7):
        try:
            assert isinstance(from_toml(text[:end]), QuantizedTorchInferenceRPUConfig)
        except ConfigError as error:
            assert str(error).endswith(".")  # noqa: PT017


@given(st.text())
def test_arbitrary_text_is_a_config_error(text: str) -> None:
    for read in (from_toml, from_json):
        with pytest.raises(ConfigError):
            read(text)


def test_what_a_file_cannot_hold() -> None:
    @dataclass
    class Mine(PrePostProcessingParameter):
        pass

    with pytest.raises(
        ConfigError, match=r"^TorchInferenceRPUConfig\.tile_class is <class 'dict'>"
    ):
        to_toml(TorchInferenceRPUConfig(tile_class=dict))
    for written in (Mine(), TorchInferenceRPUConfig(pre_post=Mine())):
        with pytest.raises(ConfigError, match=r"^Mine is not a class of refsim\.config"):
            to_json(written)
    with pytest.raises(ConfigError, match=r"^int is not a class of refsim\.config"):
        to_toml(3)  # type: ignore[arg-type]
    modifier = WeightModifierParameter()
    modifier.coeffs.append(math.nan)
    with pytest.raises(ConfigError, match=r"^WeightModifierParameter\.coeffs is \["):
        to_json(modifier)


# --- paths ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".toml", ".json"])
def test_save_and_load(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"tile{suffix}"
    config = TorchInferenceRPUConfig(
        runtime=RuntimeParameter(data_type=RPUDataType.DOUBLE), choices=Choices.aihwkit()
    )
    config.pre_post.input_range.calibration_info = 'größe "µ"\r\n\x00\t\u2028🙂'
    save_config(path, config)
    assert repr(load_config(str(path))) == repr(config)
    save_config(str(path), MSEEstimatorParams())
    assert load_config(path) == MSEEstimatorParams()
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_save_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "tile.toml"
    save_config(path, IOParameters())
    before = path.read_bytes()
    with pytest.raises(ConfigError):
        save_config(path, TorchInferenceRPUConfig(tile_class=dict))

    def full(*_: object) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="the disk is full"):
        save_config(path, IOParameters(is_perfect=True))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_path_needs_a_known_suffix(tmp_path: Path) -> None:
    for name in ("tile.yaml", "tile", ".toml"):
        message = r", but it must end in \.toml or \.json\.$"
        with pytest.raises(ConfigError, match=message):
            save_config(tmp_path / name, IOParameters())
        with pytest.raises(ConfigError, match=message):
            load_config(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_bad_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "tile.toml"
    path.write_text('format = 1\nclass = "IOParameters"\ninp_res = "fine"')
    with pytest.raises(ConfigError, match=r"tile\.toml: inp_res is 'fine', but"):
        load_config(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match=r"tile\.toml: the file is not UTF-8 text\.$"):
        load_config(path)
    with pytest.raises(FileNotFoundError):
        load_config(tmp_path / "none.toml")

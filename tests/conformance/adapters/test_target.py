"""What TARGET may be on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from refsim.conformance.adapters import Capabilities, TargetFailure
from refsim.conformance.adapters.process import ProcessTarget
from refsim.conformance.adapters.recorded import Recorded
from refsim.conformance.adapters.recordings import write_recording
from refsim.conformance.adapters.target import load_target
from refsim.conformance.kit import play
from refsim.errors import ConfigError, InputError
from tests.conformance.adapters.cases import case

ADAPTER = """
from refsim.conformance.adapters import Capabilities, Own, Waiver

class Adapter(Own):
    capabilities = Capabilities(name="mine", waivers=(Waiver("IR-8", "known"),))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "mine.py").write_text(ADAPTER)
    return tmp_path


def test_refsim_itself() -> None:
    target, declared = load_target("refsim")
    assert declared.name == "refsim"
    assert play(target, case()).failure is None


def test_a_python_file_runs_in_a_process_of_its_own(folder: Path) -> None:
    target, declared = load_target(f"{folder}/mine.py:Adapter", timeout=20, memory=2**30)
    with target:
        assert isinstance(target, ProcessTarget)
        assert (target.timeout, target.memory) == (20, 2**30)
        assert (declared.name, declared.waivers[0].clause) == ("mine", "IR-8")
        assert play(target, case()).failure is None


def test_a_python_file_in_this_process(folder: Path) -> None:
    target, declared = load_target(f"{folder}/mine.py:Adapter", in_process=True)
    assert not isinstance(target, ProcessTarget)
    assert declared.name == "mine"
    assert play(target, case()).failure is None


def test_a_module() -> None:
    target, declared = load_target("refsim.conformance.adapters:Own", memory=0)
    with target:
        assert target.memory is None
        assert declared == Capabilities(name="refsim.conformance.adapters:Own")


def test_a_capability_file_declares_and_reaches(folder: Path) -> None:
    (folder / "tile.toml").write_text('name = "other"\npython = "mine.py:Adapter"\ntimeout = 9\n')
    target, declared = load_target(str(folder / "tile.toml"))
    with target:
        assert (declared.name, target.timeout) == ("other", 9)
        assert declared.waivers[0].clause == "IR-8"  # the file is silent, the adapter is not
        assert play(target, case()).failure is None


def test_a_module_beside_the_capability_file(folder: Path) -> None:
    (folder / "tile.toml").write_text('python = "mine:Adapter"\n')
    target, declared = load_target(str(folder / "tile.toml"))
    with target:
        assert declared.name == "mine"


def test_options_come_before_the_file(folder: Path) -> None:
    (folder / "tile.toml").write_text('python = "mine:Adapter"\ntimeout = 9\n')
    target, _ = load_target(str(folder / "tile.toml"), timeout=7, memory=0)
    with target:
        assert (target.timeout, target.memory) == (7, None)


def test_recorded_observations(folder: Path) -> None:
    target, _ = load_target("refsim")
    write_recording(folder / "seen.safetensors", [play(target, case())])
    (folder / "tile.toml").write_text('recording = "seen.safetensors"\n')
    for text in (folder / "seen.safetensors", folder / "tile.toml"):
        found, _ = load_target(str(text))
        assert isinstance(found, Recorded)
        assert len(found.recordings) == 1


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("my_tile", InputError, "the target is 'my_tile', allowed are"),
        ("", InputError, "the target is '', allowed are"),
        ("no/such.py:Adapter", InputError, "there is no file no/such.py"),
        ("no_such_module:adapter", TargetFailure, "No module named 'no_such_module'"),
        ("no_such.toml", OSError, "No such file"),
    ],
)
def test_a_target_that_does_not_exist(text: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        load_target(text)


def test_a_capability_file_without_a_way(folder: Path) -> None:
    (folder / "tile.toml").write_text('name = "x"')
    with pytest.raises(InputError, match=r"tile.toml names no target, needed is one of python, "):
        load_target(str(folder / "tile.toml"))


def test_wrong_capabilities_of_an_adapter_are_bad_usage(folder: Path) -> None:
    (folder / "mine.py").write_text(f"{ADAPTER}\nAdapter.capabilities = {{'nmae': 'x'}}")
    with pytest.raises(ConfigError, match="'nmae' is not a key of the capabilities"):
        load_target(f"{folder}/mine.py:Adapter", in_process=True)
    with pytest.raises(TargetFailure, match="'nmae' is not a key of the capabilities"):
        load_target(f"{folder}/mine.py:Adapter")

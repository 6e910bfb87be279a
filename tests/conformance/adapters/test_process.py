"""An adapter in another process does what it does in this one."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from refsim.conformance.adapters import Own, TargetFailure, Unsupported
from refsim.conformance.adapters.process import ProcessTarget
from refsim.conformance.bits import same_bits
from refsim.conformance.kit import play
from refsim.errors import InputError
from tests.conformance.adapters.cases import F, case, config

HOST = [sys.executable, "-m", "refsim.conformance.adapters.host"]


@pytest.fixture(scope="module")
def own() -> Iterator[ProcessTarget]:
    with ProcessTarget([*HOST, "refsim.conformance.adapters:Own"]) as target:
        yield target


@pytest.mark.parametrize("rows", [1, 4, 0])
def test_every_bit_survives_the_pipe(own: ProcessTarget, rows: int) -> None:
    here, there = play(Own(), case(rows)), play(own, case(rows))
    assert there.failure is None
    for a, b in zip(here.observations, there.observations, strict=True):
        assert same_bits(vars(a), vars(b))


def test_large_arrays_go_through_files_that_are_removed(own: ProcessTarget) -> None:
    large = case(1, 128, 130)
    here, there = play(Own(), large), play(own, large)
    assert same_bits(here.observations[-1].output, there.observations[-1].output)
    assert list(own._held.folder.path.iterdir()) == []


def test_what_the_adapter_does_not_have_is_unsupported(own: ProcessTarget) -> None:
    with pytest.raises(Unsupported, match="ir_drop"):
        own.create(config(ir_drop=1.0), np.ones((1, 1), F), None, {})


def test_weights_and_ranges_from_data(own: Any) -> None:
    asked = config()
    asked.mapping.weight_scaling_omega = 0.5
    handle = own.create(asked, np.ones((1, 2), F), None, {})
    own.set_weights(handle, np.array([[1.0, -2.0]], F), None)
    options = {"quantile": 1.0, "max_samples": 10, "std_alpha": None}
    own.calibrate(handle, "MAX", [np.array([[1.0, -4.0]], F)], **options)
    state = own.state(handle)
    assert state["weight"].tolist() == [[0.25, -0.5]]
    assert state["input_range"].tolist() == [4.0]
    own.close(handle)


def test_an_error_is_told_and_the_process_lives_on(own: ProcessTarget) -> None:
    handle = own.create(config(), np.ones((1, 1), F), None, {})
    with pytest.raises(TargetFailure, match="needs a forward pass before it") as info:
        own.backward(handle, np.ones((1, 1), F))
    assert info.value.kind == "error"
    assert own.forward(handle, np.ones((1, 1), F), training=False, noise={}).shape == (1, 1)


def test_thousands_of_tiles_leave_nothing_behind(own: Any) -> None:
    asked, one = config(), np.ones((1, 1), F)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(300):
        own.close(own.create(asked, one, None, {}))
    assert len(list(Path("/proc/self/fd").iterdir())) <= before
    assert list(own._held.folder.path.iterdir()) == []


def test_the_folder_is_removed_at_the_end() -> None:
    with ProcessTarget([*HOST, "refsim.conformance.adapters:Own"]) as target:
        folder = target._held.folder.path
        assert folder.is_dir()
    assert not folder.exists()


PRINTING = """
import sys, os
from refsim.conformance.adapters import Own
print("hello from the import")

class Adapter(Own):
    def forward(self, handle, x, **options):
        print("a line", flush=True)
        os.write(1, b"and one from below\\n")
        assert sys.stdin.read() == ""
        return super().forward(handle, x, **options)
"""


def test_what_an_adapter_prints_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "printing.py").write_text(PRINTING)
    with ProcessTarget([*HOST, f"{tmp_path}/printing.py:Adapter"]) as target:
        assert play(target, case()).failure is None


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("Adapter = 3", "the adapter is a int without create"),
        ("raise SystemExit(4)", "SystemExit: 4"),
        ("def Adapter(): raise ValueError('not today')", "ValueError: not today"),
    ],
)
def test_an_adapter_that_cannot_be_loaded_is_an_error(
    tmp_path: Path, source: str, text: str
) -> None:
    (tmp_path / "bad.py").write_text(source)
    with pytest.raises(TargetFailure, match=text) as info:
        ProcessTarget([*HOST, f"{tmp_path}/bad.py:Adapter"])
    assert info.value.kind == "error"


def test_a_wrong_form_in_the_child_is_malformed(tmp_path: Path) -> None:
    source = "from refsim.conformance.adapters import Own\nclass Adapter(Own):\n"
    source += "    def forward(self, handle, x, **options):\n        return x\n"
    (tmp_path / "wrong.py").write_text(source)
    with ProcessTarget([*HOST, f"{tmp_path}/wrong.py:Adapter"]) as target:
        failure = play(target, case()).failure
        assert failure is not None
        assert failure.kind == "malformed"
        assert "the output has shape (4, 5), allowed is (4, 3)" in failure.text


@pytest.mark.parametrize(
    ("command", "options", "text"),
    [
        (["/no/such/program"], {}, "cannot be started: .*No such file"),
        ("ls -l", {}, "command is 'ls -l', allowed are non-empty lists"),
        ([], {}, "allowed are non-empty lists"),
        (HOST, {"timeout": 0}, "timeout is 0"),
        (HOST, {"memory": 1}, "memory is 1"),
    ],
)
def test_bad_usage_is_one_sentence(command: Any, options: Any, text: str) -> None:
    with pytest.raises(InputError, match=text):
        ProcessTarget(command, **options)

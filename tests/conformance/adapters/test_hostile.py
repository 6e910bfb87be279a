"""Targets that die, hang, lie or eat: each is one failure within its time, and nothing is left behind."""

from __future__ import annotations

import gc
import os
import sys
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from refsim.conformance.adapters import TargetFailure
from refsim.conformance.adapters.process import ProcessTarget
from refsim.conformance.kit import play
from tests.conformance.adapters.cases import case

HOSTILE = Path(__file__).with_name("hostile.py")


def target(kind: str, timeout: float = 10.0, **options: Any) -> ProcessTarget:
    command = [sys.executable, "-S", "-E", str(HOSTILE), kind]
    return ProcessTarget(command, timeout=timeout, **options)


def failure(kind: str, **options: Any) -> TargetFailure:
    with target(kind, **options) as hostile:
        found = play(hostile, case()).failure
    assert found is not None
    return found


def gone(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    return False


ENDS = {
    "exit": ("crash", "the process ended with status 3 (forward)."),
    "words": ("crash", "ended with status 3; it wrote: no ?[31mrange (forward)."),
    "kill": ("crash", "the process was ended by SIGKILL (forward)."),
    "segfault": ("crash", "the process was ended by SIGSEGV (forward)."),
    "endless": ("malformed", "a line is longer than 33554432 bytes (forward)."),
    "lines": ("malformed", "a line is int, allowed are JSON objects (forward)."),
    "brackets": ("malformed", "more than 1000000 brackets"),
    "closed": ("malformed", "its standard output is closed (forward)."),
    "greedy": ("crash", "MemoryError"),
    "garbage": ("malformed", "is not JSON (Expecting value: line 1 column 1 (char 0)): 'Segm"),
    "binary": ("malformed", "a line is not JSON"),
    "empty": ("malformed", "a line is not JSON"),
    "nan": ("malformed", '(NaN must be written as "nan")'),
    "wrongnan": ("malformed", "the value 'NaN', allowed are numbers, and the texts nan"),
    "wrongid": ("malformed", "a response has the id 999, asked was "),
    "noid": ("malformed", "a response has 'result', allowed are id and"),
    "both": ("malformed", "a response has 'error', 'id', 'result', allowed"),
    "samekey": ("malformed", "an object has the same key twice"),
    "badkind": ("malformed", "an error is {'kind': 'x', 'text': 'y'}, allowed are"),
    "manydigits": ("malformed", "a line is not JSON (Exceeds the limit"),
    "huge": ("malformed", "the output has 48 bytes, a float32 array of shape [1000000000000]"),
    "negative": ("malformed", "the output has shape [-4, -3], allowed are"),
    "overflow": ("malformed", "which no machine can hold"),
    "short": ("malformed", "the output has 3 bytes, a float32 array of shape [4, 3] has 48."),
    "notbase64": ("malformed", "the output is not in base64"),
    "dtype": ("malformed", "the output has dtype 'object', allowed are float16"),
    "complex": ("malformed", "the output has dtype 'complex64'"),
    "shape": ("malformed", "the output has shape (3, 4), allowed is (4, 3)."),
    "nokey": ("malformed", "the result has no output (forward)."),
    "list": ("malformed", "the result is list, allowed are objects (forward)."),
    "null": ("malformed", "the output is None, allowed are"),
    "texts": ("malformed", "the output has the value 'a'"),
    "ragged": ("malformed", "the output has lists of different lengths"),
    "deep": ("malformed", "the output is nested more than 8 lists deep"),
    "bigint": ("malformed", "the output has an integer of more than 64 bits"),
    "outside": ("malformed", "is in the file '../secret.npy', allowed are names in the folder"),
    "missing": ("malformed", "No such file"),
    "twice": ("malformed", "allowed are dtype, shape and base64 or values"),
    "fifo": ("malformed", "no plain file"),
    "device": ("malformed", "not readable in z.npy"),
    "badnpy": ("malformed", "48 bytes are no array float32 of shape (1000000000000,)"),
    "manyfiles": ("malformed", "stages has more than 268435456 bytes"),
    "pickled": ("malformed", "not readable in p.npy: its header is damaged"),
}


@pytest.mark.parametrize("kind", ENDS)
def test_a_failure_has_its_kind_and_says_what_happened(kind: str) -> None:
    found = failure(kind)
    assert found.kind == ENDS[kind][0]
    assert ENDS[kind][1] in found.text


@pytest.mark.parametrize("kind", ["hang", "stop", "drip", "stderr", "stubborn"])
def test_one_that_does_not_answer_in_time_is_ended(kind: str) -> None:
    start = time.monotonic()
    found = failure(kind, timeout=0.5)
    assert (found.kind, found.text[:22]) == ("timeout", "no answer within 0.5 s")
    assert time.monotonic() - start < 5


def test_one_that_eats_memory_is_ended() -> None:
    found = failure("hungry", memory=2**28)
    assert found.kind in ("memory", "crash")
    assert "are held, allowed are 256" in found.text or "MemoryError" in found.text


def test_children_are_ended_too_even_in_another_session(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    with target("forking", timeout=0.5, env={"MARK": str(mark)}) as hostile:
        assert hostile._held.pipe is not None
        recorded: list[int] = []
        found = play(hostile, case()).failure
        assert found is not None
        assert found.kind == "timeout"
        recorded.append(int(mark.read_text()))
    assert all(gone(process) for process in recorded)
    assert not children_of_session()


def children_of_session() -> list[str]:
    """Command lines of processes that still run the hostile target."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(HOSTILE) in path.read_text():
                found.append(str(path))
        except OSError:
            continue
    return found


def test_endless_output_does_not_fill_the_memory() -> None:
    tracemalloc.start()
    try:
        failure("endless")
        assert tracemalloc.get_traced_memory()[1] < 200 * 2**20
    finally:
        tracemalloc.stop()


def test_the_next_tile_gets_a_new_process() -> None:
    with target("exit") as hostile:
        first = hostile._held.pipe
        kinds = {play(hostile, case()).failure.kind for _ in range(3)}  # type: ignore[union-attr]
        assert kinds == {"crash"}
        assert hostile._held.pipe is not first


def test_after_an_interruption_nothing_is_misunderstood(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*arguments: Any) -> None:
        raise KeyboardInterrupt

    with target("hang") as hostile:
        asked = case()
        handle = hostile.create(asked.config, asked.weight, asked.bias, asked.state)
        with monkeypatch.context() as patch:
            patch.setattr("refsim.conformance.adapters.pipe.Pipe._watch", interrupt)
            with pytest.raises(KeyboardInterrupt):
                hostile.forward(handle, asked.steps[0].x, training=True, noise={})
        with pytest.raises(TargetFailure, match="lost with its process"):
            hostile.state(handle)


def test_a_tile_of_a_lost_process_is_lost() -> None:
    with target("exit") as hostile:
        asked = case()
        handle = hostile.create(asked.config, asked.weight, asked.bias, asked.state)
        with pytest.raises(TargetFailure, match="status 3"):
            hostile.forward(handle, asked.steps[0].x, training=True, noise={})
        hostile.create(asked.config, asked.weight, asked.bias, asked.state)
        with pytest.raises(TargetFailure, match="lost with its process"):
            hostile.state(handle)


def test_restarts_come_to_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("refsim.conformance.adapters.process.MOST_RESTARTS", 2)
    with target("exit") as hostile:
        texts = [play(hostile, case()).failure.text for _ in range(4)]  # type: ignore[union-attr]
    assert "status 3" in texts[2]
    assert texts[3] == "the process was lost 3 times and is not started again."


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("banner", "a line is not JSON .*'MyTile 1.0 starting'"),
        ("future", "speaks version 2 of the protocol, this refsim speaks 1"),
        ("wrongmethods", "methods is .'dance'., allowed are lists of stages"),
        ("escape", "name is .*x1b"),
        ("promises", "the capabilities are wrong: features has 'bais'; did you mean bias"),
        ("form", "arrays is 'xml', allowed are base64"),
    ],
)
def test_a_wrong_introduction_is_malformed(kind: str, text: str) -> None:
    with pytest.raises(TargetFailure, match=text) as info:
        target(kind)
    assert info.value.kind == "malformed"


def test_a_program_that_says_nothing_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("refsim.conformance.adapters.process.START", 0.2)
    with pytest.raises(TargetFailure, match=r"no answer within 0.3 s \(hello\)") as info:
        ProcessTarget(["sleep", "60"], timeout=0.3)
    assert info.value.kind == "timeout"


def test_a_program_that_is_no_target_is_a_failure() -> None:
    with pytest.raises(TargetFailure, match="ended with status 0") as info:
        ProcessTarget(["true"])
    assert info.value.kind == "crash"


def zombies() -> list[str]:
    """Children of this process that ended and were not collected."""
    own = f"/proc/{os.getpid()}/task/{os.getpid()}/children"
    states = (Path(f"/proc/{child}/stat").read_text() for child in Path(own).read_text().split())
    return [state for state in states if state.rpartition(")")[2].split()[0] == "Z"]


def test_no_zombies_and_no_open_files_are_left() -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        failure("kill")
    assert len(list(Path("/proc/self/fd").iterdir())) <= before
    assert zombies() == []


def test_a_forgotten_target_is_ended() -> None:
    hostile = target("hang")
    held = hostile._held
    del hostile
    gc.collect()
    assert held.pipe is not None
    assert not held.pipe.alive
    assert not held.folder.path.exists()

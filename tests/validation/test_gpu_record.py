"""The record of a GPU: parts, limits, what is kept when something fails; without a GPU, with parts of its own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.kernels.data import ROOT
from validation.gpu import __main__ as record
from validation.gpu import identity, parts

HEAD = {"date": "2026-01-02", "commit": "abc", "GPU": "a stand-in"}


def part(name: str, script: str, seconds: float = 20) -> parts.Part:
    """A part that runs some Python; ``{report}`` is its report."""
    code = f"import pathlib, sys, time\nreport = pathlib.Path(sys.argv[1])\n{script}"
    return parts.Part(name, name.title(), seconds, ("-c", code, "REPORT"))


GOOD = part("good", "print('all is well')")
BAD = part("bad", "print('one'); sys.exit('two is wrong')")
SLOW = part(
    "slow", "print('begun', flush=True)\nreport.write_text('# Half\\n\\nfirst')\ntime.sleep(60)", 1
)
TABLE = part("table", "report.write_text('# Table\\n\\n| a |\\n'); print('not shown')")


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Runs some parts; the status and the text of the record."""

    def run(*chosen: parts.Part, arguments: tuple[str, ...] = ()) -> tuple[int, str]:
        monkeypatch.setattr(record, "PARTS", chosen)
        status = record.main(["--out", str(tmp_path), *arguments])
        (path,) = tmp_path.glob("*.md")
        return status, path.read_text(encoding="utf-8")

    monkeypatch.setattr(record, "PAUSE", 0.1)
    monkeypatch.setattr(identity, "missing", lambda: None)
    monkeypatch.setattr(identity, "machine", lambda: {"GPU": "A Stand-in, 1.0"})
    previous = signal.getsignal(signal.SIGTERM)
    yield run
    signal.signal(signal.SIGTERM, previous)


def test_parts_that_pass_leave_a_record_of_what_they_printed(found: Any) -> None:
    status, text = found(GOOD, TABLE)
    assert status == 0
    assert "- good: passed, after " in text
    assert "```\nall is well\n```" in text
    assert "## Table\n\n## Table\n\n| a |" in text
    assert "not shown" not in text
    assert f"- sources: {identity.sources(ROOT)}" in text


def test_a_part_that_fails_or_runs_out_of_time_keeps_no_other_from_its_record(found: Any) -> None:
    status, text = found(BAD, SLOW, GOOD)
    assert status == 1
    assert "- bad: FAILED, status 1, after 0 s" in text
    assert "one\ntwo is wrong" in text
    assert "- slow: NOT FINISHED, its time was up, after 1 s" in text
    assert "## Half\n\nfirst\n```\nbegun\n```" in text
    assert "- good: passed" in text


def test_when_the_time_for_everything_is_up_the_record_says_what_was_not_run(
    found: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record, "GRACE", 0.2)
    status, text = found(SLOW._replace(seconds=50), GOOD, BAD, arguments=("--seconds", "1.5"))
    assert status == 1
    assert "- slow: NOT FINISHED, its time was up, after 1 s" in text
    assert "- not run: good, bad" in text


def test_the_record_is_there_while_a_part_is_under_way(tmp_path: Path) -> None:
    """Another process, killed in the middle of its second part."""
    script = f"""
import sys
from tests.validation import test_gpu_record as test
from validation.gpu import __main__ as record, identity
record.PAUSE, record.PARTS = 0.1, (test.GOOD, test.SLOW._replace(seconds=50))
identity.missing, identity.machine = lambda: None, lambda: {{"GPU": "A Stand-in"}}
sys.exit(record.main(["--out", {str(tmp_path)!r}]))
"""
    process = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT)
    until = time.monotonic() + 60
    text = ""
    while "begun" not in text and time.monotonic() < until:
        time.sleep(0.1)
        text = "".join(path.read_text(encoding="utf-8") for path in tmp_path.glob("*.md"))
    assert "- good: passed" in text
    assert "- slow: under way" in text
    process.terminate()
    assert process.wait(30) == 1
    (path,) = tmp_path.glob("*.md")
    assert "- ended: early, by a signal" in path.read_text(encoding="utf-8")


def test_some_parts_can_be_chosen(found: Any) -> None:
    status, text = found(BAD, GOOD, arguments=("--only", "good"))
    assert (status, "two is wrong" in text) == (0, False)
    with pytest.raises(SystemExit, match="--only is fast, allowed are bad, good"):
        found(BAD, GOOD, arguments=("--only", "fast,good"))


# what was tested


def sources(folder: Path) -> None:
    (folder / "refsim").mkdir()
    (folder / "refsim" / "a.py").write_text("a = 1\n")


def test_without_git_the_hash_of_the_sources_names_what_was_tested(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    first = identity.tested(tmp_path, None)
    assert first["commit"] == "unknown, git says nothing"
    assert identity.tested(tmp_path, "v1")["commit"] == "v1"
    (tmp_path / "refsim" / "a.py").write_text("a = 2\n")
    assert identity.tested(tmp_path, None)["sources"] != first["sources"]
    monkeypatch.setenv("PATH", "")
    assert identity.tested(tmp_path, None)["commit"] == "unknown, git says nothing"


@pytest.mark.parametrize("changed", [False, True], ids=["clean", "changed"])
def test_git_names_the_commit_and_whether_something_was_changed(
    tmp_path: Path, changed: bool
) -> None:
    sources(tmp_path)
    identity_ = ("-c", "user.name=a", "-c", "user.email=a@b")
    for command in (("init", "-q"), ("add", "."), (*identity_, "commit", "-qm", "a")):
        subprocess.run(["git", "-C", str(tmp_path), *command], check=True)
    if changed:
        (tmp_path / "b").touch()
    commit = identity.tested(tmp_path, None)["commit"]
    assert len(commit.partition(",")[0]) == 40
    assert commit.endswith(", with changes to 1 files") == changed
    assert identity.tested(tmp_path, "v1")["commit"].startswith("v1 (git says ")


def test_packages_are_listed_without_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity.gpu, "description", lambda: {"GPU": "one", "numba-cuda": "0"})
    found = identity.machine()
    assert found["GPU"] == "one"
    assert "numba-cuda" not in found
    assert ", numba-cuda " in found["packages"]


def test_every_part_names_tests_or_a_benchmark_that_exist() -> None:
    report = Path("r.md")
    for one in parts.PARTS:
        *_, last = command = one.command("python", report)
        assert command[1] == "-m"
        assert last == "r.md" or (ROOT / last).is_file()
    assert {one.name for one in parts.PARTS} >= {"bits", "benchmark", "suite"}


@pytest.mark.parametrize("several", [False, True], ids=["alone", "together"])
def test_tests_run_in_several_processes_where_that_is_possible(
    monkeypatch: pytest.MonkeyPatch, several: bool
) -> None:
    monkeypatch.setattr(parts, "find_spec", lambda name: several or None)
    assert ("-n" in parts.pytest("a.py", 4)) == several
    assert "-n" not in parts.pytest("a.py", 1)


def test_the_script_says_what_is_missing_without_a_gpu() -> None:
    bash = shutil.which("bash")
    assert bash is not None
    env = os.environ | {"PYTHON": sys.executable, "NUMBA_ENABLE_CUDASIM": "0"}
    env |= {"CUDA_VISIBLE_DEVICES": ""}
    script = ROOT / "validation" / "gpu" / "run.sh"
    command = [bash, str(script), "--seconds", "9"]
    result = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert result.returncode == 2, result.stdout + result.stderr
    assert result.stderr.startswith('Nothing was run: backend "cuda" does not run here: ')

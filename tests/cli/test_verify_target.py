"""``refsim verify TARGET``: the adapter runs in a process of its own, whatever it does."""

from __future__ import annotations

import json
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
TILES = ROOT / "tests" / "conformance" / "kit" / "tiles.py"
FEW = ("--max-examples", "5", "--phase", "examples", "--phase", "generated")


class Done(NamedTuple):
    """What a command returned and wrote."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def verify(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Done]:
    """Run the command in an empty folder."""
    from refsim.cli import main

    monkeypatch.chdir(tmp_path)

    def invoked(*options: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["refsim", "verify", *options])
        with pytest.raises(SystemExit) as status:
            main()
        out, err = capsys.readouterr()
        code = status.value.code
        return Done(0 if code is None else int(code), out, err)

    return invoked


def test_a_right_tile(verify: Any, tmp_path: Path) -> None:
    done = verify(f"{TILES}:Small", *FEW)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.strip().splitlines()[-1].startswith("small is admissible: ")
    assert not list(tmp_path.iterdir())


def test_a_wrong_tile_and_its_replay(verify: Any, tmp_path: Path) -> None:
    target = f"{TILES}:NoBias"
    done = verify(target, *FEW, "--junit", "junit.xml")
    assert done.returncode == 1, done.stderr
    assert "VIOLATION PP-2 output, step 0: got " in done.stdout
    (kept,) = (tmp_path / "refsim-findings").iterdir()
    assert f"Reproduce: refsim verify {target} --replay {kept.stem}" in done.stdout
    assert ET.parse(tmp_path / "junit.xml").getroot().get("failures") == "1"
    again = verify(target, "--replay", kept.stem, "--json")
    assert again.returncode == 1, again.stderr
    document = json.loads(again.stdout)
    assert [finding["clause"] for finding in document["findings"]] == ["PP-2"]
    assert document["findings"][0]["case"] == json.loads(kept.read_text())["case"]
    assert verify(f"{TILES}:Small", "--replay", kept.stem).returncode == 0


def test_a_capability_file_with_a_waiver(verify: Any, tmp_path: Path) -> None:
    (tmp_path / "tile.toml").write_text(
        f'name = "mine"\npython = "{TILES}:NoBias"\n[[waivers]]\nclause = "PP-2"\nreason = "no bias yet"\n'
    )
    done = verify("tile.toml", *FEW)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Waived, no bias yet: PP-2 step 0, output" in done.stdout


@pytest.mark.parametrize(
    ("what", "kind"),
    [
        ("import time; time.sleep(600)", "timeout"),
        ("import os; os._exit(3)", "crash"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "crash"),
        ("return [[1.0]] * 100", "malformed"),
        ("return 'nonsense'", "malformed"),
        ("raise ValueError('no')", "error"),
    ],
)
def test_whatever_it_does_is_a_finding(verify: Any, tmp_path: Path, what: str, kind: str) -> None:
    (tmp_path / "bad.py").write_text(
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
        "from tests.conformance.kit.tiles import Small\n"
        "class Bad(Small):\n"
        "    def forward(self, h, x, *, training, noise):\n"
        f"        {what}\n"
    )
    done = verify("bad.py:Bad", *FEW, "--timeout", "1", "--json")
    assert done.returncode == 1, done.stderr
    found = json.loads(done.stdout)["findings"]
    assert [finding["kind"] for finding in found] == [kind]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["nothing_here"], "the target is 'nothing_here', allowed are module:object"),
        (["no_such_module:x"], "no_such_module"),
        ([f"{TILES}:Missing"], "Missing"),
        ([f"{TILES}:Small", "--phase", "dance"], "phases has 'dance', allowed are examples"),
        ([f"{TILES}:Small", "--profile", "float31"], "float31"),
        (
            [f"{TILES}:Small", "--profile", "float32, luck"],
            "behind commas are allowed reciprocals, wider, codes",
        ),
        ([f"{TILES}:Small", "--replay", "IR-4-1"], "there is no finding 'IR-4-1'"),
        ([f"{TILES}:Small", "--backend", "cpu"], "--backend is for refsim itself"),
        (["--only", "IR-4"], "are for a TARGET, which is missing"),
    ],
)
def test_nonsense_is_one_sentence(verify: Any, options: list[str], message: str) -> None:
    done = verify(*options)
    assert done.returncode == 2, done.stdout
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not done.stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--junit", "missing/report.xml"],
            "--junit is 'missing/report.xml', but there is no folder missing.",
        ),
        (["--junit", "."], "--junit is '.', which is a folder, but it must be the name of a file."),
        (["--junit", ""], "--junit is '', which is no file"),
        (["--junit", "/dev/null"], "--junit is '/dev/null', which is no file"),
        (
            ["--junit", "/proc/report.xml"],
            "--junit is '/proc/report.xml', but /proc cannot be written",
        ),
        (["--findings", "a_file"], "a_file is no folder."),
        (["--findings", "a_file/deeper"], "a_file is no folder."),
        (
            ["--findings", "/proc/findings"],
            "--findings is '/proc/findings', but /proc cannot be written",
        ),
        (["--findings", ""], "--findings is '', but it must be the name of a folder."),
    ],
)
def test_what_cannot_be_written_is_said_before_the_run(
    verify: Any, tmp_path: Path, options: list[str], message: str
) -> None:
    (tmp_path / "a_file").write_text("mine")
    (tmp_path / "never.py").write_text("raise SystemError('it was started')")
    done = verify("never.py:tile", *options)
    assert done.returncode == 2, done.stdout
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not done.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a_file", "never.py"]
    assert (tmp_path / "a_file").read_text() == "mine"


def test_a_report_replaces_the_one_before(verify: Any, tmp_path: Path) -> None:
    (tmp_path / "junit.xml").write_text("old")
    done = verify(f"{TILES}:Small", *FEW, "--junit", "junit.xml", "--findings", "deep/er")
    assert done.returncode == 0, done.stderr
    assert ET.parse(tmp_path / "junit.xml").getroot().get("failures") == "0"
    assert [path.name for path in tmp_path.iterdir()] == ["junit.xml"]

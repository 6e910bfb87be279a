"""The command line: exit status, one sentence for each error, and JSON that programs can read."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from refsim import __version__, backends, spec
from refsim.cli import output
from refsim.conformance.vectors import recorded_folder

GROUP = "g04_mapping"


def refsim(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "refsim", *arguments],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        **options,
    )


@pytest.fixture
def invoke(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Run the command in this process; returns exit status, standard output and standard error."""
    from refsim.cli import main

    def invoked(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["refsim", *arguments])
        with pytest.raises(SystemExit) as status:
            main()
        out, err = capsys.readouterr()
        code = status.value.code
        return (0 if code is None else int(code)), out, err

    return invoked


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of one recorded group."""
    manifest = json.loads((recorded_folder() / "manifest.json").read_text())
    manifest["groups"] = {GROUP: manifest["groups"][GROUP]}
    manifest["cases"] = [case for case in manifest["cases"] if case["group"] == GROUP]
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    shutil.copy(recorded_folder() / f"{GROUP}.npz", tmp_path)
    return tmp_path


# ----- the command itself


def test_help_names_the_commands_and_is_light() -> None:
    result = refsim("--help")
    assert result.returncode == 0
    assert all(
        name in result.stdout for name in ("verify", "train", "explain", "vectors", "doctor")
    )
    code = (
        "import atexit, sys; sys.argv = ['refsim', '--help']; from refsim.cli import main; "
        "atexit.register(lambda: print('loaded:', *{m.partition('.')[0] for m in sys.modules})); main()"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = shown.stdout.partition("loaded:")[2].split()
    assert "refsim" in loaded
    assert not {"numpy", "numba", "scipy", "rich", "cattrs", "safetensors"} & set(loaded)


def test_the_version_is_shown(invoke: Any) -> None:
    assert invoke("--version") == (0, f"refsim {__version__}\n", "")


@pytest.mark.parametrize(
    "arguments",
    [
        ("brew",),
        ("--colour",),
        ("verify", "--seed", "x"),
        ("verify", "--seed", "-1"),
        ("vectors", "brew"),
        ("vectors", "check", "--choices", "mine"),
        ("vectors", "check", "a", "b"),
        ("doctor", "--cure"),
    ],
)
def test_bad_usage_is_status_2(invoke: Any, arguments: tuple[str, ...]) -> None:
    status, out, err = invoke(*arguments)
    assert status == 2
    assert not out
    assert "Error" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ("vectors", "check", "nowhere"),
            "Error: nowhere/manifest.json is not a readable file of recorded vectors: there is no such",
        ),
        (
            ("vectors", "check", "--group", "g99"),
            "Error: group is 'g99', allowed are g01_input_range, ",
        ),
        (
            ("vectors", "check", "--backend", "abacus", "--group", GROUP),
            "Error: backend is 'abacus'",
        ),
        (("verify", "--backend", "abacus"), "Error: backend is 'abacus'"),
        (("verify", "--backend", "gpu"), "Error: backend is 'gpu'"),
        (("verify", "--clause", "XX-1"), "Error: clause is 'XX-1', allowed are BM-1, "),
    ],
)
@pytest.mark.parametrize("json_wanted", [False, True])
def test_bad_input_is_one_sentence_and_status_2(
    invoke: Any, arguments: tuple[str, ...], sentence: str, json_wanted: bool
) -> None:
    status, out, err = invoke(*arguments, *(["--json"] if json_wanted else []))
    assert status == 2
    assert not out
    assert err.startswith(sentence)
    assert err.count("\n") == 1


# ----- vectors check


def test_all_vectors_are_reproduced(invoke: Any) -> None:
    status, out, err = invoke("vectors", "check", str(recorded_folder()), "--backend", "spec")
    assert status == 0, out + err
    assert not err
    assert out.splitlines()[-1] == (
        "The recording is reproduced: 27248 arrays compared, 0 failures, 0 cases not compared."
    )


def test_a_folder_is_checked_and_reported_as_json(invoke: Any, folder: Path) -> None:
    status, out, err = invoke("vectors", "check", str(folder), "--json")
    assert (status, err) == (0, "")
    document = json.loads(out)
    (group,) = document["groups"]
    assert document["choices"] == "aihwkit"
    assert (group["cases"], group["compared_arrays"], group["failures"], group["unsupported"]) == (
        36,
        1098,
        0,
        0,
    )
    assert 0 < group["largest_deviation"] < 1e-6


def test_several_groups_follow_one_option(invoke: Any) -> None:
    where = str(recorded_folder())
    words = ("g05_post_update", "g04_mapping")
    status, out, _ = invoke(
        "vectors", "check", where, "--group", *words, "--backend", "spec", "--json"
    )
    assert status == 0
    assert {group["group"] for group in json.loads(out)["groups"]} == set(words)
    assert invoke("vectors", "check", where, "g04_mapping")[0] == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_one_sentence_and_status_2() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "refsim", "--version"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr.startswith("Error: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("name", ["f4", "f8"])
def test_one_changed_number_in_a_file_fails(invoke: Any, folder: Path, name: str) -> None:
    path = folder / f"{GROUP}.npz"
    with np.load(path, allow_pickle=False) as stored:
        buffers = {key: stored[key].copy() for key in stored.files}
    buffers[name][buffers[name].size // 3] += 1e-3
    np.savez(path, **buffers)
    status, out, _ = invoke("vectors", "check", str(folder))
    assert status == 1
    assert "The recording is NOT reproduced" in out


def test_default_choices_fail_where_documented(invoke: Any) -> None:
    status, out, _ = invoke(
        "vectors",
        "check",
        "--choices",
        "default",
        "--group",
        "g05_post_update",
        "--backend",
        "spec",
    )
    assert status == 1
    assert "2 cases not compared: clip.fixed_value is -1.0" in out
    assert out.splitlines()[-1].startswith("The recording is only partly checked")


def test_an_empty_recording_is_no_success(invoke: Any, folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "groups": {}, "cases": []}))
    status, out, _ = invoke("vectors", "check", str(folder))
    assert status == 1
    assert "0 arrays compared" in out


# ----- verify


def test_quick_verification_succeeds() -> None:
    result = refsim("verify", "--quick")
    assert result.returncode == 0, result.stdout + result.stderr
    assert not result.stderr
    assert result.stdout.splitlines()[-1].startswith("refsim agrees: ")
    assert "Recorded groups that this version does not replay" not in result.stdout


def test_one_clause_is_verified_as_json(invoke: Any) -> None:
    status, out, err = invoke("verify", "--quick", "--clause", "DC-1", "--seed", "3", "--json")
    assert (status, err) == (0, "")
    document = json.loads(out)
    assert document["passed"]
    assert document["seed"] == 3
    (row,) = document["clauses"]
    assert (row["clause"], row["function"], row["deviations"]) == ("DC-1", "on_grid", 0)
    assert row["cases"] == row["equal"] > 0


def test_a_wrong_backend_is_reported_with_a_way_to_reproduce(
    invoke: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = SimpleNamespace(**{**vars(spec), "clip": lambda a, bound: a})
    original = backends.load
    monkeypatch.setattr(backends, "load", lambda name: wrong if name == "cpu" else original(name))
    status, out, _ = invoke("verify", "--quick", "--clause", "DC-2", "--seed", "1")
    assert status == 1
    assert "DC-2 on cpu (clip, float32, case 0, seed 1): result[0, 0] is " in out
    assert "to reproduce: python -c 'from refsim import backends; " in out
    assert out.splitlines()[-1].startswith("refsim does NOT agree: 6 comparisons")
    status, out, _ = invoke("verify", "--quick", "--clause", "DC-2", "--seed", "1", "--json")
    assert status == 1
    assert json.loads(out)["clauses"][0]["smallest"]["clause"] == "DC-2"


# ----- output


def test_progress_is_drawn_on_a_terminal_only(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with output.progress_bar() as progress:
        progress("clauses", 0, 2)
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with output.progress_bar() as progress:
        progress("clauses", 1, 2)
    out, err = capsys.readouterr()
    assert not out
    assert "clauses" in err

"""``refsim explain``: the chain in the terminal, as JSON, and errors in one sentence."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import refsim as rs
from refsim.inspection import explain
from refsim.nn.experiment import default_config


@pytest.fixture
def invoke(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Any:
    """Run the command in a folder with files; returns exit status, standard output and standard error."""
    from refsim.cli import main

    rs.save_config(tmp_path / "tile.toml", default_config())
    rng = np.random.default_rng(0)
    np.save(tmp_path / "x.npy", rng.normal(size=(2, 3)).astype(np.float32))
    np.save(tmp_path / "w.npy", rng.normal(size=(4, 3)).astype(np.float32))
    np.save(tmp_path / "objects.npy", np.array([{}]), allow_pickle=True)
    np.savez(tmp_path / "two.npz", np.zeros(2))
    monkeypatch.chdir(tmp_path)

    def invoked(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["refsim", "explain", *arguments])
        with pytest.raises(SystemExit) as status:
            main()
        out, err = capsys.readouterr()
        code = status.value.code
        return (0 if code is None else int(code)), out, err

    return invoked


def test_the_chain_in_the_terminal(invoke: Any) -> None:
    status, out, err = invoke("tile.toml", "--random", "1", "--input-index", "2")
    assert (status, err) == (0, "")
    assert out.startswith("Forward: row 0, input 2, output 0\n")
    assert "v = c / r" in out
    assert "Backward: gradient 1 at this output, 0 at all others\n" in out
    assert "∂r = R′ + ρ" in out


def test_the_document_is_that_of_the_library(invoke: Any) -> None:
    place = ("--row", "1", "--output", "3", "--input-index", "2")
    status, out, err = invoke(
        "tile.toml", "--input", "x.npy", "--weight", "w.npy", *place, "--json"
    )
    assert (status, err) == (0, "")
    document = json.loads(out)
    found = explain(rs.load_config("tile.toml"), np.load("x.npy"), np.load("w.npy"), 1, 3, 2)
    assert (document["row"], document["output"], document["input_index"]) == (1, 3, 2)
    for name, steps in (("forward", found.forward), ("backward", found.backward)):
        assert document[name] == [{**vars(s), "value": s.value.item()} for s in steps]


def test_the_seed_decides_the_numbers(invoke: Any) -> None:
    one, same, other = (invoke("tile.toml", "--random", seed, "--json")[1] for seed in "112")
    assert one == same != other


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("tile.toml",), "allowed are either --input with --weight, or --random."),
        (("tile.toml", "--input", "x.npy"), "allowed are either --input with --weight, or"),
        (("tile.toml", "--random", "1", "--weight", "w.npy"), "allowed are either --input with"),
        (("none.toml", "--random", "1"), "none.toml: No such file or directory"),
        (("tile.toml", "--input", "y.npy", "--weight", "w.npy"), "y.npy: No such file"),
        (("tile.toml", "--input", "objects.npy", "--weight", "w.npy"), "objects.npy is not an"),
        (("tile.toml", "--input", "two.npz", "--weight", "w.npy"), "two.npz is not an .npy file"),
        (("tile.toml", "--input", "tile.toml", "--weight", "w.npy"), "tile.toml is not an .npy"),
        (("tile.toml", "--input", "w.npy", "--weight", "x.npy", "--row", "4"), "row is 4, allowed"),
        (("tile.toml", "--random", "1", "--backend", "abacus"), "backend is 'abacus'"),
    ],
)
@pytest.mark.parametrize("json_wanted", [False, True])
def test_bad_input_is_one_sentence_and_status_2(
    invoke: Any, arguments: tuple[str, ...], sentence: str, json_wanted: bool
) -> None:
    status, out, err = invoke(*arguments, *(["--json"] if json_wanted else []))
    assert (status, out) == (2, "")
    assert err.startswith(f"Error: {sentence}")
    assert err.count("\n") == 1

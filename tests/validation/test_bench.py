from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from validation.bench import setup, tile

ROOT = Path(__file__).resolve().parents[2]


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "validation.bench", "tile", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_benchmark_measures_every_task_of_every_shape() -> None:
    result = bench("--json", "--shapes", "2x3x4,1x2x2", "--processes", "1", "--seconds", "0")
    assert result.returncode == 0, result.stderr
    document = json.loads(result.stdout)
    assert {"BLAS", "variables", "refsim threads"} <= document["environment"].keys()
    assert [r["shape"] for r in document["results"]] == [[2, 3, 4], [1, 2, 2]]
    for measured in document["results"]:
        passes = ("forward", "forward + backward")
        kinds = [f"{m} {p}" for m in ("fast", "exact") for p in passes]
        tasks = {f"refsim {kind}{noise}" for kind in kinds for noise in ("", ", noise")}
        assert tasks == measured["fallback"].keys()
        assert tasks <= measured["ratios"].keys()
        assert all(seconds > 0 for seconds in measured["seconds"].values())
        assert all(0 <= share <= 1 for share in measured["fallback"].values())
    rows = list(tile.table(document))
    text = tile.markdown(document, "the command")
    assert "the command" in text
    assert text.count("\n| ") >= len(rows) + 1
    assert len({len(row) for row in rows}) == 1
    assert {row[0] for row in rows} == {"2 x 3 x 4", "1 x 2 x 2"}


@pytest.mark.parametrize("shapes", ["", "3x4", "3x4x0", "axbxc"])
def test_a_shape_that_is_none_is_refused(shapes: str) -> None:
    result = bench("--shapes", shapes)
    assert result.returncode == 2
    assert "allowed are shapes" in result.stderr


def test_ratios_are_formed_within_a_process() -> None:
    names = ("numpy float32", "refsim exact forward", "aihwkit forward")
    runs = [
        {"seconds": dict(zip(names, seconds, strict=True)), "fallback": {}}
        for seconds in ((1, 2, 4), (10, 30, 30), (1, 4, 2))
    ]
    ratios = tile.summary(runs)["ratios"]
    assert ratios["refsim exact forward"]["numpy float32"] == {
        "median": 3,
        "lowest": 2,
        "highest": 4,
    }
    assert ratios["refsim exact forward"]["aihwkit"] == {"median": 1, "lowest": 0.5, "highest": 2}
    assert ratios["aihwkit forward"].keys() == {"numpy float32"}


def test_a_training_step_is_compared_with_three_products() -> None:
    assert tile.base_of("refsim exact forward + backward, noise", "numpy float32") == (
        "numpy float32, three products"
    )
    assert tile.base_of("refsim exact forward", "numpy float64") == "numpy float64"


def test_the_tasks_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(setup, "WARM", 0.0)
    calls: list[str] = []
    setup.interleaved({name: lambda name=name: calls.append(name) for name in "ab"}, 0.0)
    turn = setup.SERIES
    assert "".join(calls) == ("a" * turn + "b" * turn) * 5

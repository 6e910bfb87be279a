from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from validation.bench import estimator
from validation.bench.estimator_setup import SEARCHES

ROOT = Path(__file__).resolve().parents[2]


def test_the_benchmark_measures_every_search_and_writes_a_report(tmp_path: Path) -> None:
    report = tmp_path / "report.md"
    options = ["--values", "200", "--processes", "1", "--repeats", "1", "--report", str(report)]
    command = [sys.executable, "-m", "validation.bench", "estimator", "--json", *options]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    document = json.loads(result.stdout)
    assert document["results"]["refsim"].keys() == {str(search) for search in SEARCHES}
    for found in document["results"]["refsim"].values():
        assert 0 < found["lowest"] <= found["median"] <= found["highest"]
        lo, hi = found["range"]
        assert lo < 0 < hi
    text = report.read_text(encoding="utf-8")
    assert "--values 200" in text
    assert all(str(search) in text for search in SEARCHES)


def test_the_ratio_is_that_of_the_medians() -> None:
    side = {"median": 0.01, "lowest": 0.009, "highest": 0.02, "range": [-1.0, 2.0]}
    theirs = {**side, "median": 0.5, "lowest": 0.18}
    document = {"results": {"refsim": {"a search": side}, "aihwkit": {"a search": theirs}}}
    ((search, ours, its, *ratios, lo, hi),) = estimator.table(document)
    assert (search, ratios) == ("a search", ["50.0", "20.0"])
    assert lo == hi == "-1.000000 to 2.000000"
    assert ours == "10.00 (9.00 to 20.00)"
    assert its.startswith("500.00")


def test_medians_are_over_all_processes() -> None:
    runs = [
        {"a": {"seconds": [3.0, 1.0], "range": [0, 1]}},
        {"a": {"seconds": [2.0], "range": [0, 1]}},
    ]
    assert estimator.merged(runs)["a"] == {"median": 2, "lowest": 1, "highest": 3, "range": [0, 1]}

"""The figures of the documentation: their code runs, each is shown, and the text says of them what is true."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import make_estimators
import make_output_clipping
import make_quantiser_schedule
import make_range_learning
import make_range_rule
import make_tile
import make_training
import numpy as np
import pytest

from refsim.nn.experiment import Experiment, default_config

DOCS = Path(__file__).resolve().parents[2] / "docs"
FIGURES = DOCS / "figures"
SMALL = Experiment(default_config(), (2,), epochs=1, batch_size=500, backend="spec")
MAKERS: list[tuple[Callable[..., None], dict[str, Any], list[str]]] = [
    (make_tile.main, {}, ["one_tile.png", "tile.png"]),
    (
        make_range_learning.main,
        {"steps": 3, "points": 3},
        ["range_errors.png", "range_settings.png", "range_starts.png", "range_terms.png"],
    ),
    (make_range_rule.main, {"steps": 3, "points": 5}, ["rule_slopes.png", "rule_training.png"]),
    (make_training.main, {"experiment": SMALL}, ["training.png"]),
    (make_output_clipping.main, {"epochs": 1}, ["output_clipping.png"]),
    (
        make_estimators.main,
        {"experiment": SMALL, "bits": (2, 3)},
        ["error_range.png", "estimators.png", "staircase.png"],
    ),
    (make_quantiser_schedule.main, {"steps": 6, "switch": 3}, ["quantiser_schedule.png"]),
]


@pytest.mark.parametrize(
    ("main", "settings", "names"), MAKERS, ids=[maker[2][0] for maker in MAKERS]
)
def test_the_code_of_a_figure_runs(
    tmp_path: Path, main: Callable[..., None], settings: dict[str, Any], names: list[str]
) -> None:
    main(tmp_path, **settings)
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    for path in tmp_path.iterdir():
        assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")


def test_each_figure_is_made_and_shown() -> None:
    committed = {path.name for path in FIGURES.glob("*.png")}
    shown = {
        name
        for page in DOCS.rglob("*.md")
        for name in re.findall(r"figures/(\w+\.png)\)", page.read_text(encoding="utf-8"))
    }
    assert committed == shown == {name for _, _, names in MAKERS for name in names}
    assert all((FIGURES / name).stat().st_size < 150_000 for name in committed)


def test_the_tile_of_the_figure_is_that_of_the_tutorial() -> None:
    y = make_tile.tile().forward([[0.625, 3.0], [-1.0, 0.5]])
    assert (y + np.array([0.25, 0])).tolist() == [[1.25, 0], [-0.75, 0.5]]


def test_ranges_meet_only_if_something_pulls_down() -> None:
    """What the text says of range_starts.png."""
    alone = [make_range_learning.learn(r, 120, decay=0.0, dac_steps=-1).range for r in (0.5, 8.0)]
    assert (np.diff(alone) >= 0).all()
    assert alone[1] == [8.0] * 120
    low, high = (make_range_learning.learn(r, 300) for r in (0.5, 8.0))
    assert 2.4 < min(low.range[150:]) <= max(low.range[150:]) < 2.7
    assert 2.4 < min(high.range[200:]) <= max(high.range[200:]) < 2.7
    assert max(low.rule) <= 0 <= min(low.decay)


def test_the_error_is_least_near_two_and_a_half() -> None:
    """What the text says of range_errors.png."""
    x = make_range_learning.normal(1, 2000, make_range_learning.INPUTS)
    clip, rounding, both = zip(
        *(make_range_learning.errors(r, x) for r in (0.5, 2.0, 2.5, 3.0, 8.0)), strict=True
    )
    assert min(both) == both[2]
    assert clip[0] > 0.99 * both[0]
    assert clip[4] == 0
    assert rounding[4] == both[4]
    assert 0.01 < float(np.mean(np.abs(x) > 2.5)) < 0.015


def test_what_the_chain_rule_does_to_a_range() -> None:
    """What the text says of rule_training.png."""
    chain, rule = (make_range_rule.train(which, 200) for which in (False, True))
    assert min(chain.range) < 1 < 2 <= min(rule.range)
    assert 38 <= max(chain.clipped) < 39
    assert all(c < r for c, r in zip(chain.loss[2:20], rule.loss[2:20], strict=True))
    assert all(c > r for c, r in zip(chain.loss[25:90], rule.loss[25:90], strict=True))
    assert np.diff(rule.range).min() >= 0
    equal = make_range_rule.train(False, 200, lr_range=0.05)
    assert min(equal.range) > 1.9
    chain, rule = (make_range_rule.train(which, 200, 3.0, 0.2, 0.02) for which in (False, True))
    assert 0.35 < chain.range[-1] < 0.45
    assert 64 < np.mean(chain.clipped[-10:]) < 70
    assert 2.6 < chain.weight[-1] < 2.75
    assert 1.05 < rule.weight[-1] < 1.15


def test_the_slope_of_the_loss_and_the_rule() -> None:
    """What the text says of rule_slopes.png: one curve without rounding, and a rule below it and below 0."""
    ranges, x = np.linspace(0.5, 3.5, 61), make_range_rule.normal(0, 500)
    losses, chain, rule = np.array([make_range_rule.slopes(r, x, -1) for r in ranges]).T
    assert abs(ranges[losses.argmin()] - 1) <= 0.05
    assert (rule <= 0).all()
    assert (rule < chain)[ranges < 2].all()
    assert chain[0] < 0 < chain[20]
    assert float(np.mean(np.abs(x) > 1)) == 0.34


def test_who_sets_the_step_of_a_quantiser() -> None:
    """What the text says of quantiser_schedule.png."""
    found, switch = make_quantiser_schedule.runs(), make_quantiser_schedule.SWITCH
    estimated, learned, first = found.values()
    for name in ("scale_quantizer", "bias_quantizer"):
        assert estimated.delta[name][:switch] == learned.delta[name][:switch]
        assert learned.state[name] == ["ESTIMATE_TRAIN"] * switch + ["LEARN"] * 100
        assert first.delta[name][:switch] == estimated.delta[name][:1] * switch
        assert first.delta[name][switch:] == estimated.delta[name][switch:]
        assert first.state[name] == ["FIX"] * switch + ["ESTIMATE_TRAIN"] * 100
    assert learned.state["out_quantizer"][switch:] == ["LEARN"] * 100
    assert first.state["out_quantizer"] == ["FIX"] * 150
    assert first.delta["out_quantizer"] == estimated.delta["out_quantizer"][:1] * 150
    scales = np.array(learned.delta["scale_quantizer"])
    jumps = np.flatnonzero(np.diff(scales) > 0.02)
    assert [int(k) for k in jumps if k >= switch] == [65, 125]


def test_a_scale_beyond_its_grid_pulls_hard_at_the_step() -> None:
    """What the text says of the jumps in quantiser_schedule.png."""
    gradients, ends = make_quantiser_schedule.pulls(make_quantiser_schedule.STEPS)
    switch = make_quantiser_schedule.SWITCH
    assert [k + switch for k, end in enumerate(ends) if end > 15.5] == [65, 125]
    assert max(abs(g) for g in gradients[:15]) < 1
    assert -24 < gradients[15] < -23

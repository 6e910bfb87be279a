"""What an optimiser step may make of a tile, clip and remap included."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import refsim as rs
from refsim.conformance.admissible import FLOAT32, FLOAT64, SGDSettings, judge_update
from tests.conformance.admissible.evaluator import F, Float32
from tests.strategies import dtypes, seeds
from tests.tile.cases import config

CT, RT = rs.WeightClipType, rs.WeightRemapType
O, I = 3, 4
CLIPS = {
    "none": rs.WeightClipParameter(),
    "fixed": rs.WeightClipParameter(type=CT.FIXED_VALUE, fixed_value=0.4),
    "gaussian": rs.WeightClipParameter(type=CT.LAYER_GAUSSIAN, sigma=1.5),
    "both": rs.WeightClipParameter(type=CT.LAYER_GAUSSIAN, sigma=2.0, fixed_value=0.5),
}
REMAPS = {
    "none": rs.WeightRemapParameter(),
    "layer": rs.WeightRemapParameter(type=RT.LAYERWISE_SYMMETRIC),
    "channel": rs.WeightRemapParameter(type=RT.CHANNELWISE_SYMMETRIC),
}
clips, remaps = st.sampled_from(sorted(CLIPS)), st.sampled_from(sorted(REMAPS))
options = st.builds(
    lambda lr, momentum, decay, dampening: SGDSettings(
        lr,
        momentum,
        0.0 if dampening == "nesterov" else dampening,
        decay,
        dampening == "nesterov" and momentum > 0,
    ),
    st.sampled_from([0.1, 0.01, 0.5]),
    st.sampled_from([0.0, 0.9]),
    st.sampled_from([0.0, 0.01]),
    st.sampled_from([0.0, 0.3, "nesterov"]),
)


def made(clip: str = "none", remap: str = "none", T: Any = F) -> Any:
    mapping = rs.MappingParameter(learn_out_scaling=True, out_scaling_columnwise=True)
    parts = {"clip": CLIPS[clip], "remap": REMAPS[remap], "mapping": mapping}
    tile = config(T, r={"init_value": 2.0}, **parts).create_tile(O, I, bias=True, backend="spec")
    draw = np.random.default_rng(4)
    tile.parameters["weight"][...] = draw.normal(0, 0.3, (O, I))
    tile.parameters["bias"][...] = draw.normal(0, 1, O)
    tile.parameters["out_scaling_alpha"][...] = draw.uniform(0.5, 2, O)
    return tile


def drawn(seed: int, T: Any = F) -> dict[str, Any]:
    draw = np.random.default_rng(seed)
    shapes = {"weight": (O, I), "bias": (O,), "input_range": (1,), "out_scaling_alpha": (O,)}
    return {name: draw.normal(0, 0.3, shape).astype(T) for name, shape in shapes.items()}


@given(T=dtypes, clip=clips, remap=remaps, settings=options, seed=seeds)
def test_the_own_step_is_exact(T: Any, clip: str, remap: str, settings: Any, seed: int) -> None:
    tile, velocity = made(clip, remap, T), None
    optimizer = rs.SGD([tile], **vars(settings))
    base = FLOAT32 if T is F else FLOAT64
    for step in range(3):
        before = made(clip, remap, T)
        before.load_state_dict(tile.state_dict())
        gradients = drawn(seed % 2**32 + step, T)
        tile.gradients.update(gradients)
        optimizer.step()
        for profile in (base.reciprocals(), base):
            report, moved = judge_update(
                before, gradients, tile.state_dict(), profile, settings=settings, velocity=velocity
            )
            assert report.passed, report
            assert all(stage.exact == stage.total for stage in report.stages), report
        velocity = moved


class Optimiser:
    """Gradient descent as another program writes it."""

    def __init__(self, ops: Float32, tile: Any, settings: SGDSettings) -> None:
        self.ops, self.config, self.settings = ops, tile.config, settings
        self.p = {name: value.copy() for name, value in tile.parameters.items()}
        stored = tile.buffers.get("mapping_scales")
        self.s = None if stored is None else stored.copy()
        self.v: dict[str, Any] = {}

    def step(self, gradients: dict[str, Any]) -> dict[str, Any]:
        o, s = self.ops, self.settings
        for name, g in gradients.items():
            p, mu, lr = self.p[name], F(s.momentum), F(s.lr)
            d = o.muladd(F(s.weight_decay), p, g) if s.weight_decay else g
            if mu:
                undamped = F(1 - s.dampening)
                if name not in self.v:
                    self.v[name] = d
                elif o.rng.random() < 0.5:
                    self.v[name] = o.muladd(mu, self.v[name], undamped * d)
                else:
                    self.v[name] = o.muladd(undamped, d, mu * self.v[name])
                d = o.muladd(mu, self.v[name], d) if s.nesterov else self.v[name]
            self.p[name] = o.muladd(-lr, d, p)
        self.clip()
        self.remap()
        scales = {} if self.s is None else {"mapping_scales": self.s.copy()}
        return {name: value.copy() for name, value in self.p.items()} | scales

    def clip(self) -> None:
        p = self.config.clip
        if p.type == CT.NONE:
            return
        bound = F(p.fixed_value)
        if p.type == CT.LAYER_GAUSSIAN:
            gaussian = F(p.sigma) * self.ops.std(self.p["weight"])
            bound = min(gaussian, bound) if bound > 0 else gaussian
        self.p["weight"] = np.clip(self.p["weight"], -bound, bound)

    def remap(self) -> None:
        kind = self.config.remap.type
        if kind == RT.NONE:
            return
        logical = self.p["weight"] * self.s[:, None] * self.p["out_scaling_alpha"][:, None]
        peak = np.abs(logical).max(axis=1 if kind == RT.CHANNELWISE_SYMMETRIC else None)
        self.s = np.broadcast_to(peak, (O,)).copy()
        self.p["weight"] = self.ops.div(logical, self.s[:, None])
        self.p["out_scaling_alpha"] = np.ones(O, F)


@given(clip=clips, remap=remaps, settings=options, seed=seeds, reciprocal=st.booleans())
def test_right_optimisers_stay_in_the_sets(
    clip: str, remap: str, settings: Any, seed: int, reciprocal: bool
) -> None:
    profile = FLOAT32.reciprocals() if reciprocal else FLOAT32
    tile, velocity = made(clip, remap), None
    other = Optimiser(Float32(np.random.default_rng(seed), reciprocal=reciprocal), tile, settings)
    for step in range(4):
        gradients = drawn(seed % 2**32 + step)
        after = other.step(gradients)
        report, velocity = judge_update(
            tile, gradients, after, profile, settings=settings, velocity=velocity
        )
        assert report.passed, report
        for name, value in after.items():
            tile.value(name)[...] = value


PLAIN, HEAVY = SGDSettings(0.1), SGDSettings(0.1, momentum=0.9, dampening=0.5, weight_decay=0.1)


class Wrong(Optimiser):
    """One mistake in the step of the second of two equal gradients."""

    def __init__(self, ops: Float32, tile: Any, settings: SGDSettings, mistake: str) -> None:
        super().__init__(ops, tile, settings)
        self.mistake, self.calls = mistake, 0

    def step(self, gradients: dict[str, Any]) -> dict[str, Any]:
        self.calls += 1
        if self.mistake == "first velocity damped" and self.calls == 1:
            self.v = {name: F(0.5) * (g + F(0.1) * self.p[name]) for name, g in gradients.items()}
            self.p = {name: p - F(0.1) * self.v[name] for name, p in self.p.items()}
            return dict(self.p)
        if self.mistake == "sum and not difference":
            gradients = {name: -g for name, g in gradients.items()}
        if self.mistake == "range left out":
            gradients = {name: g for name, g in gradients.items() if name != "input_range"}
        if self.mistake == "dampening forgotten":
            self.settings = SGDSettings(0.1, momentum=0.9, weight_decay=0.1)
        if self.mistake == "decay of all that has no gradient":
            self.p["bias"] *= F(0.99)
            gradients = {name: g for name, g in gradients.items() if name != "bias"}
        return super().step(gradients)

    def clip(self) -> None:
        weight = self.p["weight"]
        if self.mistake == "biased deviation":
            bound = F(1.5) * np.std(weight)
            self.p["weight"] = np.clip(weight, -bound, bound)
        elif self.mistake == "clip at the deviation":
            bound = np.std(weight, ddof=1)
            self.p["weight"] = np.clip(weight, -bound, bound)
        elif self.mistake != "clip forgotten":
            super().clip()

    def remap(self) -> None:
        before = self.p["out_scaling_alpha"]
        if self.mistake == "remap by the signed maximum":
            self.s = (self.p["weight"] * self.s[:, None] * before[:, None]).max(axis=1)
            self.p["weight"] = self.p["weight"] / self.p["weight"].max(axis=1)[:, None]
            self.p["out_scaling_alpha"] = np.ones(O, F)
            return
        super().remap()
        if self.mistake == "learned scales kept":
            self.p["out_scaling_alpha"] = before
        if self.mistake == "remap without a division":
            self.p["weight"] = self.p["weight"] * self.s[:, None]


MISTAKES = [
    ("sum and not difference", PLAIN, "none", "none", "OP-1", "bias"),
    ("range left out", PLAIN, "none", "none", "OP-1", "input_range"),
    ("dampening forgotten", HEAVY, "none", "none", "OP-1", "bias"),
    ("first velocity damped", HEAVY, "none", "none", "OP-1", "bias"),
    ("decay of all that has no gradient", PLAIN, "none", "none", "OP-1", "bias"),
    ("clip forgotten", PLAIN, "fixed", "none", "WP-2", "weight"),
    ("clip forgotten", PLAIN, "gaussian", "none", "WP-2", "weight"),
    ("biased deviation", PLAIN, "gaussian", "none", "WP-2", "weight"),
    ("clip at the deviation", PLAIN, "gaussian", "none", "WP-2", "weight"),
    ("remap by the signed maximum", PLAIN, "none", "channel", "MS-1", "mapping_scales"),
    ("learned scales kept", PLAIN, "none", "channel", "MS-1", "out_scaling_alpha"),
    ("remap without a division", PLAIN, "none", "layer", "MS-2", "weight"),
]


@pytest.mark.parametrize(
    ("mistake", "settings", "clip", "remap", "clause", "name"),
    MISTAKES,
    ids=[f"{m[0]} {m[2]} {m[3]}" for m in MISTAKES],
)
def test_a_wrong_step_is_rejected_by_its_clause(
    mistake: str, settings: SGDSettings, clip: str, remap: str, clause: str, name: str
) -> None:
    exact = Float32(np.random.default_rng(0), fused=False)
    firsts = []
    for other in (
        Wrong(exact, made(clip, remap), settings, mistake),
        Optimiser(exact, made(clip, remap), settings),
    ):
        tile, velocity = made(clip, remap), None
        for _ in range(2):
            gradients = drawn(8)
            if mistake.startswith("decay"):
                gradients.pop("bias")
            after = other.step(gradients)
            report, velocity = judge_update(
                tile, gradients, after, settings=settings, velocity=velocity
            )
            firsts.append(report.first)
            for entry, value in after.items():
                tile.value(entry)[...] = value
    assert firsts[2:] == [None, None]
    first = next(first for first in firsts if first is not None)
    assert (first.clause, first.name) == (clause, name), str(first)


@pytest.mark.parametrize("remap", sorted(REMAPS))
def test_a_wrong_optimiser_is_not_put_down_to_clip_and_remap(remap: str) -> None:
    tile, wrong = (
        made("fixed", remap),
        Wrong(
            Float32(np.random.default_rng(0), fused=False),
            made("fixed", remap),
            PLAIN,
            "sum and not difference",
        ),
    )
    gradients = {"weight": drawn(8)["weight"]}
    report, _ = judge_update(tile, gradients, wrong.step(gradients), settings=PLAIN)
    assert report.first is not None
    assert report.first.clause == "OP-1"


def test_weights_of_zeros_keep_their_scale() -> None:
    tile = made(remap="channel")
    tile.parameters["weight"][1] = 0
    other = made(remap="channel")
    other.parameters["weight"][1] = 0
    rs.SGD([other], lr=0.1).step()
    state = other.state_dict()
    report, _ = judge_update(tile, {}, state, settings=PLAIN)
    assert report.passed
    state["mapping_scales"][1] = 0.5
    report, _ = judge_update(tile, {}, state, settings=PLAIN)
    assert report.first is not None
    assert report.first.name == "mapping_scales"


def test_a_layer_may_show_one_scale() -> None:
    tile, other = made(remap="layer"), made(remap="layer")
    rs.SGD([other], lr=0.1).step()
    state = {**other.state_dict(), "mapping_scales": other.value("mapping_scales")[:1]}
    report, _ = judge_update(tile, {}, state, settings=PLAIN)
    assert report.passed, report


def test_what_does_not_fit_is_named() -> None:
    tile = made()
    with pytest.raises(rs.InputError, match="gradients has the key 'x', allowed are weight, "):
        judge_update(tile, {"x": 1.0}, {}, settings=PLAIN)
    with pytest.raises(rs.ShapeError, match=r"after\['bias'\] has shape \(2,\), allowed is \(3,\)"):
        judge_update(tile, {}, {"bias": [1.0, 2.0]}, settings=PLAIN)
    with pytest.raises(rs.ConfigError, match=r"SGD\.lr is -1, allowed are finite numbers from 0"):
        SGDSettings(-1)
    with pytest.raises(rs.InputError, match="tile is a int, allowed are tiles and arrays"):
        judge_update(3, {}, {}, settings=PLAIN)  # type: ignore[arg-type]


def test_what_quantisers_learn_takes_part_and_the_rest_of_them_stays() -> None:
    learned = rs.PeripheryQuantizationParameter(
        n_bits=8, learn_quant_params=True, init_learning_after=1
    )
    made = rs.QuantizedTorchInferenceRPUConfig(
        pre_post=rs.PrePostProcessingParameterQuant(periph_quant=learned),
        forward=rs.IOParameters(is_perfect=True),
        mapping=rs.MappingParameter(weight_scaling_omega=0.6, weight_scaling_columnwise=True),
    )
    tile = made.create_tile(O, I, bias=True, backend="spec")
    tile.set_weights(np.random.default_rng(0).normal(0, 0.3, (O, I)).astype(F), np.ones(O, F))
    for _ in range(3):
        tile.zero_grad()
        tile.forward(np.ones((2, I), F))
        tile.backward(np.ones((2, O), F))
    before = made.create_tile(O, I, bias=True, backend="spec")
    before.load_state_dict(tile.state_dict())
    gradients = {name: value.copy() for name, value in tile.gradients.items()}
    assert "scale_quantizer.delta" in gradients
    rs.SGD([tile], lr=0.1).step()
    state = tile.state_dict()
    for profile in (FLOAT32, FLOAT32.reciprocals()):
        report, _ = judge_update(before, gradients, state, profile, settings=PLAIN)
        assert report.passed, report
        assert all(stage.exact == stage.total for stage in report.stages), report
    for name, clause in (("scale_quantizer.delta", "OP-1"), ("scale_quantizer.state", "QU-1")):
        wrong = {**state, name: state[name] + 1}
        report, _ = judge_update(before, gradients, wrong, settings=PLAIN)
        assert report.first is not None
        assert (report.first.clause, report.first.name) == (clause, name)

"""Codes for RTL test benches: what hardware with integers computes is judged like any other tile."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import refsim as rs
from refsim.conformance.adapters.readmemh import from_hex, outputs, to_hex, write_bench
from refsim.conformance.admissible import judge_forward
from refsim.errors import ConfigError, InputError, VectorError
from tests.conformance.adapters.cases import F, config

STEP = 2.0**-6


def bench_tile(**changes: Any) -> Any:
    draw = np.random.default_rng(3)
    tile = config(out_bound=2.0, **changes).create_tile(4, 6, bias=True, backend="spec")
    weight = np.rint(draw.normal(0, 16, (4, 6))) * STEP
    tile.set_weights(weight.astype(F), draw.normal(size=4).astype(F))
    return tile


BATCH = np.random.default_rng(4).normal(0, 1.5, (8, 6)).astype(F)


def hardware(folder: Path, half_up: bool = False) -> str:
    """A test bench in integers and exact fractions, which knows the files alone."""
    bench = json.loads((folder / "bench.json").read_text())

    def read(name: str) -> Any:
        each = bench[name]
        return from_hex((folder / f"{name}.hex").read_text(), each["bits"], tuple(each["shape"]))

    adc = bench["adc_codes"]
    product = read("dac_codes") @ read("weights").T
    level = product * bench["dac_codes"]["step"] * bench["weights"]["step"] / adc["step"]
    rounded = np.floor(level + 0.5) if half_up else np.rint(level)
    return to_hex(np.clip(rounded, -adc["top"], adc["top"]), adc["bits"])


def codes(text: str) -> Any:
    return from_hex(text, 8, (8, 4))


@given(
    st.integers(1, 48).flatmap(
        lambda bits: st.tuples(
            st.just(bits),
            hnp.arrays(
                np.int64,
                hnp.array_shapes(min_side=0, max_side=4),
                elements=st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1),
            ),
        )
    )
)
def test_codes_survive_text(drawn: tuple[int, Any]) -> None:
    bits, array = drawn
    assert np.array_equal(from_hex(to_hex(array, bits), bits, array.shape), array)


def test_what_simulators_write_is_understood() -> None:
    text = "/* memory */ @00 0_1 FF // last\n@2\n80"
    assert from_hex(text, 8, (3,)).tolist() == [1, -1, -128]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("01", "there are 1 words, an array of shape .2,. has 2"),
        ("01 xx", "the word 'xx' is not in hexadecimal"),
        ("01 100", "the word 100 has more than 8 bits"),
        ("01 @3 01", "the address @3 does not go on after 1 words"),
        ("0" * 10**6, "the text is too long for 2 words"),
        ("01 -1", "the word '-1' is not in hexadecimal"),
    ],
    ids=["few", "unknown", "wide", "address", "long", "sign"],
)
def test_wrong_texts_are_refused(text: str, message: str) -> None:
    with pytest.raises(VectorError, match=message):
        from_hex(text, 8, (2,))


@pytest.mark.parametrize(
    ("given_codes", "bits", "message"),
    [
        ([128], 8, "reaches from 128 to 128, which 8 bits do not hold"),
        ([0.5], 8, "numbers that are no integers"),
        (["1"], 8, "numbers that are no integers"),
        ([1], 0, "bits is 0, allowed are integers from 1 to 48"),
    ],
)
def test_wrong_codes_are_refused(given_codes: Any, bits: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        to_hex(given_codes, bits)


def test_the_expected_codes_are_those_of_refsim(tmp_path: Path) -> None:
    tile = bench_tile()
    bench = write_bench(tmp_path, tile, BATCH, STEP)
    y, _ = outputs(tile, BATCH, codes((tmp_path / "adc_codes.hex").read_text()))
    assert np.array_equal(y, tile.eval().forward(BATCH))
    assert (bench["adc_codes"]["bits"], bench["adc_codes"]["top"]) == (8, 127)
    assert bench["weights"]["step"] == STEP


@pytest.mark.parametrize("half_up", [False, True])
def test_hardware_is_judged_by_its_codes(tmp_path: Path, half_up: bool) -> None:
    tile = bench_tile(inp_res=256, out_res=256)  # powers of two, so that there are ties
    tile.set_weights(np.full((4, 6), STEP / 2, F) * np.eye(4, 6, dtype=F))
    batch = np.full((8, 6), 1.5, F)
    write_bench(tmp_path, tile, batch, STEP / 2)
    y, stages = outputs(tile, batch, from_hex(hardware(tmp_path, half_up), 9, (8, 4)))
    first = judge_forward(tile, batch, y, stages=stages).first
    assert (first is not None) == half_up
    if first is not None:
        assert (first.clause, first.name) == ("DC-4", "output_code")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"is_perfect": True}, "no converters"),
        ({"out_res": -1}, "forward.out_res and out_bound make no grid"),
        ({"inp_res": 0.3}, "forward.inp_bound is not on the grid"),
        ({"out_noise": 0.1}, "without noise"),
    ],
)
def test_tiles_without_codes_are_refused(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        write_bench(tmp_path, bench_tile(**changes), BATCH, STEP)


def test_weights_off_the_grid_are_refused(tmp_path: Path) -> None:
    tile = bench_tile()
    with pytest.raises(InputError, match="a weight is no multiple of it"):
        write_bench(tmp_path, tile, BATCH, 2 * STEP)
    with pytest.raises(InputError, match="allowed are codes up to 127"):
        outputs(tile, BATCH, np.full((8, 4), 128))
    other: Any = rs.FloatingPointRPUConfig().create_tile(4, 6, backend="spec")
    with pytest.raises(ConfigError, match="no converters"):
        outputs(other, BATCH, np.zeros((8, 4), int))

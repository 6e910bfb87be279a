"""Each operation of the CPU kernels: the specification's bits, for arrays of every form and any number of threads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from refsim import spec
from refsim.kernels import cpu
from refsim.kernels.cpu import exact, threads
from tests.exact import Array, Type, same
from tests.kernels import data

EVERY = {name for name, _ in data.calls(np.float32)}
by_name = pytest.mark.parametrize("name", sorted(EVERY))


def arguments(name: str, T: Type, *sizes: int) -> list[tuple[Any, ...]]:
    return [given for called, given in data.calls(T, *sizes) if called == name]


def changed(given: tuple[Any, ...], form: Any) -> tuple[Any, ...]:
    """The arguments with each array in another form."""
    return tuple(form(x) if isinstance(x, np.ndarray) else x for x in given)


def read_only(x: Array) -> Array:
    x = x.copy()
    x.flags.writeable = False
    return x


def spread(x: Array) -> Array:
    """Every second element of a larger array."""
    larger = np.zeros(tuple(2 * n for n in x.shape), x.dtype)
    view = larger[tuple(slice(None, None, 2) for _ in x.shape)]
    view[...] = x
    return view


def backwards(x: Array) -> Array:
    return np.ascontiguousarray(x[..., ::-1])[..., ::-1]


FORMS = [np.asfortranarray, read_only, spread, backwards]


def test_each_operation_is_called() -> None:
    assert EVERY == set(spec.__all__) == set(cpu.__all__)


@by_name
@pytest.mark.parametrize("sizes", [(6, 37, 23), (1, 1, 1), (2, 70, 3)], ids=str)
def test_the_bits_of_the_specification(T: Type, name: str, sizes: tuple[int, ...]) -> None:
    for given in arguments(name, T, *sizes):
        same(getattr(cpu, name)(*given), getattr(spec, name)(*given))


@by_name
def test_empty_batches(T: Type, name: str) -> None:
    for given in arguments(name, T, 0, 5, 4):
        if name == "standard_deviation":
            continue  # no estimate
        same(getattr(cpu, name)(*given), getattr(spec, name)(*given))


@by_name
@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_an_array(T: Type, name: str, form: Any) -> None:
    for given in arguments(name, T):
        if name == "philox":
            continue  # takes a tuple of arrays
        before = changed(given, np.copy)
        same(getattr(cpu, name)(*changed(given, form)), getattr(cpu, name)(*given))
        same(given, before)


@by_name
def test_the_result_is_new_memory(T: Type, name: str) -> None:
    """Nothing that a caller does to a result reaches back into an argument."""
    for given in arguments(name, T):
        result = getattr(cpu, name)(*given)
        for part in result if isinstance(result, tuple) else [result]:
            for x in given:
                if isinstance(part, np.ndarray) and isinstance(x, np.ndarray):
                    assert not np.shares_memory(part, x)


LARGE = [
    *("analog_to_digital", "clip", "column_product_totals", "dac_gradient"),
    *("digital_to_analog", "discretised_weight", "exp", "log", "on_grid", "range_input_gradient"),
    *("range_rule_sums", "row_max", "row_product_totals", "sgd_step", "clipped_weight", "total"),
    *("mean", "product_total", "column_totals", "additive_noise_weight", "standard_deviation"),
    *("cross_entropy", "cross_entropy_gradient", "relu", "relu_gradient", "softmax"),
    "squared_errors",
    *("masked_gradient", "output_clip_mask", "row_sum_peak", "rows_within_bound"),
]


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("name", LARGE)
def test_any_number_of_threads(T: Type, name: str) -> None:
    draw = data.Draw(T, 1)
    N, I = 421, 503
    assert N * I > threads.ELEMENTS
    sources = data.converter_calls(T, draw, N, I), data.sum_calls(T, draw, N, I)
    sources += data.output_calls(T, draw, N, I, 50), data.input_calls(T, draw, N, I)
    sources += data.weight_calls(T, draw, N, I), data.network_calls(T, draw, N, I)
    sources += (data.range_calls(T, draw, N, I),)
    sources += (data.manual_calls(T, draw, N, I, I),)
    for called, given in (call for source in sources for call in source):
        if called == name:
            threads.set_num_threads(2)
            two = getattr(cpu, name)(*given)
            threads.set_num_threads(1)
            same(getattr(cpu, name)(*given), two)


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("shape", [(160, 512, 512), (3, 4000, 4000)], ids=str)
def test_large_products(T: Type, shape: tuple[int, int, int]) -> None:
    """One thread, two threads and the superaccumulator agree."""
    N, K, O = shape
    a, b = data.pair("normal", T, (N, K), (O, K))
    assert N * K * O > threads.MULTIPLY_ADDS
    two = cpu.matrix_product(a, b)
    threads.set_num_threads(1)
    same(cpu.matrix_product(a, b), two)
    rng = np.random.default_rng(1)
    n, o = rng.integers(0, N, 200), rng.integers(0, O, 200)
    same(two[n, o], exact.row_sums(a[n], b[o], a.dtype))


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("name", ["per_sample_product", "per_sample_transposed_product"])
def test_large_products_of_each_sample(T: Type, name: str) -> None:
    given = next(
        g for called, g in data.per_sample_calls(T, data.Draw(T, 0), 9, 170, 180) if called == name
    )
    assert given[1].size > threads.ELEMENTS
    two = getattr(cpu, name)(*given)
    threads.set_num_threads(1)
    same(getattr(cpu, name)(*given), two)


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("name", ["uniform", "normal"])
@pytest.mark.clause("RN-2", "RN-3")
def test_many_random_numbers(name: str) -> None:
    count = threads.ELEMENTS + 3
    two = getattr(cpu, name)(2**63 + 7, 65535, 2**32 - 1, 3, count)
    same(two, getattr(spec, name)(2**63 + 7, 65535, 2**32 - 1, 3, count))
    threads.set_num_threads(1)
    same(getattr(cpu, name)(2**63 + 7, 65535, 2**32 - 1, 3, count), two)

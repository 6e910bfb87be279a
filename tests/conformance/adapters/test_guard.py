"""Foreign code in this process: each way in which it can go wrong is a failure of one kind."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from refsim.conformance.adapters import Own, TargetFailure, Unsupported, guarded
from refsim.conformance.bits import same_bits
from refsim.conformance.kit import play
from refsim.errors import InputError
from tests.conformance.adapters.cases import case


def raising(error: BaseException) -> Any:
    def method(*args: Any, **options: Any) -> Any:
        raise error

    return method


def changed(method: str, value: Any) -> Any:
    """refsim's own tile, but one method returns something else."""
    adapter = Own()
    setattr(adapter, method, lambda *args, **options: value)
    return guarded(adapter)


def failure(adapter: Any) -> TargetFailure:
    found = play(adapter, case()).failure
    assert found is not None
    return found


def test_a_guarded_adapter_does_what_the_adapter_does() -> None:
    plain, behind = play(Own(), case()), play(guarded(Own()), case())
    assert len(behind.observations) == 4
    for a, b in zip(plain.observations, behind.observations, strict=True):
        assert same_bits(vars(a), vars(b))


def test_a_class_is_called() -> None:
    assert play(guarded(Own), case()).failure is None


def test_guarding_twice_is_guarding_once() -> None:
    adapter = guarded(Own())
    assert guarded(adapter) is adapter


@pytest.mark.parametrize(
    "method", ["create", "forward", "backward", "step", "state", "save", "load"]
)
def test_whatever_a_method_raises_is_a_failure_that_names_it(method: str) -> None:
    adapter = Own()
    setattr(adapter, method, raising(ZeroDivisionError("no\nrange.")))
    found = failure(guarded(adapter))
    assert (found.kind, found.text) == ("error", f"ZeroDivisionError: no range in {method}.")


def test_leaving_python_is_an_error_too() -> None:
    adapter = Own()
    adapter.forward = raising(SystemExit(3))  # type: ignore[method-assign]
    assert failure(guarded(adapter)).text == "SystemExit: 3 in forward."


def test_want_of_memory_has_its_own_kind() -> None:
    adapter = Own()
    adapter.forward = raising(MemoryError("too much"))  # type: ignore[method-assign]
    assert failure(guarded(adapter)).kind == "memory"


def test_an_exception_that_cannot_be_printed_is_named_all_the_same() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise ValueError

    adapter = Own()
    adapter.forward = raising(Mute())  # type: ignore[method-assign]
    assert failure(guarded(adapter)).text.startswith("Mute: ")


@pytest.mark.parametrize("error", [Unsupported("no"), KeyboardInterrupt()])
def test_these_pass(error: BaseException) -> None:
    adapter = Own()
    adapter.create = raising(error)  # type: ignore[method-assign]
    with pytest.raises(type(error)):
        play(guarded(adapter), case())


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (np.zeros((3, 4)), "the output has shape (3, 4), allowed is (4, 3) (forward)."),
        (np.zeros((4, 3), complex), "dtype complex128"),
        (np.full((4, 3), "1"), "dtype <U1"),
        (np.full((4, 3), None), "dtype object"),
        ([[1.0], [1.0, 2.0]], "is no array"),
        (None, "dtype object"),
        (np.broadcast_to(np.zeros(1), (2**20, 2**10)), f"has {2**33} bytes"),
    ],
    ids=["shape", "complex", "text", "objects", "ragged", "none", "huge"],
)
def test_an_output_of_a_wrong_form_is_malformed(value: Any, text: str) -> None:
    found = failure(changed("forward", value))
    assert found.kind == "malformed"
    assert text in found.text


@pytest.mark.parametrize(
    ("method", "value", "text"),
    [
        ("state", {}, "the state has nothing, needed is at least weight"),
        ("state", [], "list was returned, allowed are mappings"),
        ("state", {"weight": np.zeros((5, 3))}, "weight in the state has shape (5, 3)"),
        ("state", {1: 2}, "a name is 1, allowed"),
        ("state", {f"n{i}": 0 for i in range(1001)}, "1001 names"),
        ("backward", {"input": np.zeros((4, 3))}, "the gradient of input has shape (4, 3)"),
        ("backward", {"out_scaling_alpha": np.zeros(2)}, "allowed is (1,) or (3,)"),
        ("stages", {"product": "high"}, "the stage product has dtype <U4"),
    ],
)
def test_a_table_of_a_wrong_form_is_malformed(method: str, value: Any, text: str) -> None:
    found = failure(changed(method, value))
    assert found.kind == "malformed"
    assert text in found.text


def test_a_number_is_as_good_as_one_element() -> None:
    adapter = changed("backward", {"input_range": 0.5, "weight": None})
    seen = play(adapter, case()).observations[0]
    assert seen.gradients is not None
    assert seen.gradients.keys() == {"input_range"}
    assert seen.gradients["input_range"].shape == (1,)


def test_an_adapter_cannot_change_a_case() -> None:
    class Vandal(Own):
        def create(self, config: Any, weight: Any, bias: Any, state: Any) -> Any:
            handle = super().create(config, weight, bias, state)
            config.forward.inp_res = 2
            weight[...], bias[...], state["input_range"][...] = 0, 0, 0
            return handle

        def forward(self, handle: Any, x: Any, **options: Any) -> Any:
            y = super().forward(handle, x, **options)
            x[...] = 0
            return y

    asked, kept = case(), case()
    assert play(guarded(Vandal()), asked).failure is None
    assert asked.config == kept.config
    assert same_bits(asked.weight, kept.weight)
    assert same_bits(asked.state, kept.state)
    assert same_bits(asked.steps[0].x, kept.steps[0].x)


def test_what_an_adapter_returned_cannot_change_later() -> None:
    class Live(Own):
        def state(self, handle: Any) -> Any:
            return handle.tile.parameters

    first = play(guarded(Live()), case()).observations[0]
    assert first.after is not None
    assert not same_bits(first.before["weight"], first.after["weight"])


def test_a_missing_method_is_bad_usage() -> None:
    class Half:
        create = forward = state = step = print

    with pytest.raises(InputError, match="without backward"):
        guarded(Half())


def test_methods_that_an_adapter_lacks_stay_absent() -> None:
    adapter = guarded(Own(traced=False))
    assert not hasattr(adapter, "stages")
    assert hasattr(adapter, "save")
    assert play(adapter, case()).observations[0].stages == {}


def test_a_tile_that_cannot_be_closed_is_a_failure_at_the_end() -> None:
    adapter = Own()
    adapter.close = raising(ValueError("locked"))  # type: ignore[method-assign]
    found = play(guarded(adapter), case())
    assert len(found.observations) == 4
    assert found.failure is not None
    assert found.failure.text == "ValueError: locked in close."


def test_every_tile_is_closed_also_those_that_were_saved_and_loaded() -> None:
    class Counting(Own):
        open = 0

        def _new(self, *given: Any) -> Any:
            self.open += 1
            return super()._new(*given)

        def close(self, handle: Any) -> None:
            self.open -= 1

    adapter = Counting()
    play(guarded(adapter), case())
    assert adapter.open == 0

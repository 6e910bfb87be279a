"""The JSON Schema agrees with what is sent, what is accepted, and what the code knows."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from refsim.conformance.adapters import Unsupported, wire
from refsim.conformance.adapters.pipe import Pipe
from refsim.conformance.adapters.process import ProcessTarget
from refsim.conformance.adapters.wire_arrays import DTYPES, FORMS
from refsim.conformance.kit import play
from tests.conformance.adapters.cases import case, config

SCHEMA = wire.schema()
DEFINITIONS = SCHEMA["$defs"]
OPERATIONS = [name.removesuffix("_request") for name in DEFINITIONS if name.endswith("_request")]


def errors(name: str, message: Any) -> list[str]:
    part = {"$ref": f"#/$defs/{name}", "$defs": DEFINITIONS}
    return [error.message for error in Draft202012Validator(part).iter_errors(message)]


@pytest.fixture
def messages(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, Any]]:
    """Every request and its response."""
    seen: list[tuple[Any, Any]] = []
    exchange = Pipe.exchange

    def noted(self: Pipe, line: bytes, timeout: float) -> bytes:
        answer = exchange(self, line, timeout)
        seen.append((json.loads(line), json.loads(answer)))
        return answer

    monkeypatch.setattr(Pipe, "exchange", noted)
    return seen


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)


def test_every_message_of_a_session_is_as_the_schema_says(messages: list[tuple[Any, Any]]) -> None:
    host = [sys.executable, "-m", "refsim.conformance.adapters.host"]
    with ProcessTarget([*host, "refsim.conformance.adapters:Own"]) as target:
        assert play(target, case(1, 128, 130)).failure is None
        own: Any = target
        asked = case(1, 1, 2)
        handle = own.create(config(), asked.weight, None, {})
        own.set_weights(handle, asked.weight, None)
        options = {"quantile": 1.0, "max_samples": 10, "std_alpha": None}
        own.calibrate(handle, "MAX", [asked.steps[0].x], **options)
        refused = config()
        refused.mapping.digital_bias = False
        with pytest.raises(Unsupported, match="digital bias"):
            own.create(refused, asked.weight, asked.weight[0, :1], {})
    assert {request["op"] for request, _ in messages} == set(OPERATIONS)
    assert any("npy" in request.get("weight", {}) for request, _ in messages)
    for request, response in messages:
        assert errors("request", request) == []
        assert errors("response", response) == []
        if "result" in response:
            assert errors(f"{request['op']}_result", response["result"]) == []


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("request", {"id": 1, "op": "dance"}),
        ("request", {"id": 1, "op": "bye", "now": True}),
        ("request", {"op": "bye"}),
        ("response", {"id": 1}),
        ("response", {"id": 1, "result": {}, "error": {"kind": "error", "text": "x"}}),
        ("response", {"id": 1, "error": {"kind": "odd", "text": "x"}}),
        ("forward_result", {"output": None}),
        ("forward_result", {"output": ["NaN"]}),
        ("forward_result", {"output": {"dtype": "float32", "shape": [1]}}),
        ("forward_result", {"output": {"npy": "../a.npy"}}),
        ("state_result", {"state": {"bias": [1.0]}}),
        ("hello_result", {"protocol": 2, "name": "x"}),
    ],
)
def test_what_is_wrong_is_wrong_for_the_schema(name: str, message: Any) -> None:
    assert errors(name, message)


def test_code_and_schema_know_the_same_names() -> None:
    array = DEFINITIONS["array"]["oneOf"][0]["properties"]
    hello = DEFINITIONS["hello_result"]["properties"]
    assert array["dtype"]["enum"] == list(DTYPES)
    assert hello["arrays"]["enum"] == list(FORMS)
    assert hello["methods"]["items"]["enum"] == list(wire.METHODS)
    assert hello["protocol"]["const"] == wire.PROTOCOL
    assert DEFINITIONS["error"]["properties"]["kind"]["enum"] == list(wire.KINDS)
    for op in OPERATIONS:
        result = DEFINITIONS[f"{op}_result"]
        assert tuple(result["required"]) == wire.RESULTS.get(op, ())
        optional = [name for name in result["properties"] if name not in result["required"]]
        assert tuple(optional) == wire.MORE.get(op, ())

"""Cases of optional methods: reproducible, defined, and nothing lost in documents."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import numpy as np
import pytest

import refsim as rs
from refsim.conformance.adapters.own import Own
from refsim.conformance.bits import same_bits
from refsim.conformance.cases import FEATURES
from refsim.conformance.cases.generate_other import generated_other_cases
from refsim.conformance.cases.other import (
    CalibrationCase,
    MappingCase,
    other_document,
    other_from_document,
)

pytestmark = pytest.mark.filterwarnings("ignore::refsim.RangeWarning")


@pytest.fixture(scope="module")
def many() -> list[MappingCase | CalibrationCase]:
    return list(generated_other_cases(0, 120, frozenset(FEATURES)))


def test_there_are_many_of_both(many: list[Any]) -> None:
    kinds = Counter(getattr(case, "kind", "mapping") for case in many)
    assert min(kinds[k] for k in ("mapping", "MAX", "CACHE_QUANTILE", "MOVING_STD")) >= 5
    assert len(many) > 100
    again = [other_document(case) for case in generated_other_cases(0, 20, frozenset(FEATURES))]
    assert again == [other_document(case) for case in many[: len(again)]]


def test_documents_lose_nothing(many: list[Any]) -> None:
    for case in many:
        document = json.loads(json.dumps(other_document(case), allow_nan=False))
        back = other_from_document(document)
        assert other_document(back) == document
        assert same_bits(back.right(), case.right())


def test_refsim_behind_its_adapter_is_right(many: list[Any]) -> None:
    own = Own(traced=False)
    for case in many:
        with np.errstate(all="ignore"):
            start = np.zeros_like(case.weight) if isinstance(case, MappingCase) else case.weight
            bias = None if case.bias is None else np.zeros_like(case.bias)
            handle = own.create(case.config, start, bias, case.state)
            if isinstance(case, MappingCase):
                own.set_weights(handle, case.weight, case.bias)
            else:
                kind = rs.InputRangeCalibrationType[case.kind]
                own.calibrate(handle, kind, list(case.batches), **case.options)
        assert same_bits(dict(own.state(handle)), case.right())


@pytest.mark.parametrize(
    "change",
    [
        {"method": "shell"},
        {"kind": "BEST"},
        {"batches": []},
        {"batches": [3]},
        {"quantile": 2.0},
        {"quantile": "all"},
        {"max_samples": 0},
        {"max_samples": 2**40},
        {"std_alpha": "inf"},
        {"weight": {"dtype": "float32", "shape": [], "values": [1]}},
        {"surprise": 1},
    ],
    ids=str,
)
def test_hostile_documents_are_refused(change: dict[str, Any], many: list[Any]) -> None:
    case = next(case for case in many if isinstance(case, CalibrationCase))
    with pytest.raises(rs.errors.VectorError):
        other_from_document({**other_document(case), **change})
    with pytest.raises(rs.errors.VectorError):
        other_from_document([3])

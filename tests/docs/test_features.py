"""The table of features in the page on capability files."""

from __future__ import annotations

import features

from refsim.conformance.adapters.capabilities import DEFAULT_FEATURES
from refsim.conformance.cases import FEATURES


def test_every_feature_has_a_row_that_says_whether_it_is_taken_for_granted() -> None:
    rows = dict.fromkeys(FEATURES, "")
    for line in features.page().splitlines()[2:]:
        name, _, default = (cell.strip() for cell in line.strip("|").split("|"))
        rows[name.strip("`")] = default
    assert rows == {name: "yes" if name in DEFAULT_FEATURES else "" for name in FEATURES}

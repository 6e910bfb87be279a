"""The command in this process."""

from __future__ import annotations

import sys
from typing import Any

import pytest


@pytest.fixture
def train(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Run ``refsim train``; returns exit status, standard output and standard error."""
    from refsim.cli import main

    def invoked(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["refsim", "train", *arguments])
        with pytest.raises(SystemExit) as status:
            main()
        out, err = capsys.readouterr()
        code = status.value.code
        return (0 if code is None else int(code)), out, err

    return invoked

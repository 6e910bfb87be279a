"""A stateful test of an implementation, for your own test suite; needs ``pip install hypothesis``.

Hypothesis makes sequences of training, evaluation, accumulation, updates and checkpoints, and shrinks one that fails.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np

from refsim.errors import BackendError, RangeWarning, RefsimError, Unsupported

from .adapters import Capabilities
from .adapters.guard import guarded
from .cases.builder import CaseBuilder
from .kit.judge import judge
from .kit.play import play
from .strategies import DrawPicker, drawn_draft

try:
    from hypothesis import strategies as st
    from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
except ModuleNotFoundError as error:
    raise BackendError(
        "hypothesis is not installed, which state machines need; pip install hypothesis."
    ) from error

__all__ = ["state_machine"]


def state_machine(
    adapter: Any, capabilities: Capabilities | None = None
) -> type[RuleBasedStateMachine]:
    """A state machine that puts an implementation through sequences, and judges what it did.

    Parameters
    ----------
    adapter
        An :class:`~refsim.conformance.adapters.Adapter`, or a class of one without parameters.
    capabilities
        What it declares; by default what its attribute ``capabilities`` says, or else the defaults.

    Returns
    -------
    type
        A :class:`hypothesis.stateful.RuleBasedStateMachine`; its ``TestCase`` runs under unittest and pytest.

    Examples
    --------
    >>> from hypothesis import settings
    >>> from hypothesis.stateful import run_state_machine_as_test
    >>> from refsim.conformance.adapters.own import Own
    >>> few = settings(max_examples=5, stateful_step_count=4, deadline=None)
    >>> run_state_machine_as_test(state_machine(Own), settings=few)
    """
    target = guarded(adapter)
    declared = capabilities or getattr(adapter, "capabilities", None) or Capabilities()

    class Sequences(_Machine):
        pass

    Sequences.target, Sequences.declared = target, declared
    Sequences.__name__ = Sequences.__qualname__ = f"Sequences of {declared.name}"
    return Sequences


class _Machine(RuleBasedStateMachine):
    """The rules; subclasses say what is tested."""

    target: Any
    declared: Capabilities

    def __init__(self) -> None:
        super().__init__()
        self.builder: CaseBuilder | None = None

    @initialize(data=st.data())
    def create(self, data: st.DataObject) -> None:
        """A configuration and a state."""
        draft = drawn_draft(data.draw, self.declared.features, None, self.declared.choices)
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore", RangeWarning)
                self.builder = CaseBuilder(draft)
        except RefsimError:
            self.builder = None  # nothing to test

    def has(self, *features: str) -> bool:
        """Whether there is a tile, and the features are declared."""
        return self.builder is not None and set(features) <= self.declared.features

    @rule(data=st.data())
    @precondition(lambda self: self.has("backward", "sgd"))
    def train(self, data: st.DataObject) -> None:
        """Forward, backward and update."""
        self._add(data, training=True, back=True, update=True)

    @rule(data=st.data())
    @precondition(lambda self: self.has("backward"))
    def accumulate(self, data: st.DataObject) -> None:
        """Forward and backward."""
        self._add(data, training=True, back=True)

    @rule(data=st.data())
    @precondition(lambda self: self.has())
    def look(self, data: st.DataObject) -> None:
        """Forward alone, in training mode."""
        self._add(data, training=True, back=False)

    @rule(data=st.data(), back=st.booleans())
    @precondition(lambda self: self.has("eval") and self.builder.may_evaluate)
    def evaluate(self, data: st.DataObject, back: bool) -> None:
        """Evaluation, perhaps with a backward pass."""
        self._add(data, training=False, back=back and self.has("backward"))

    @rule(data=st.data(), training=st.booleans())
    @precondition(lambda self: self.has("checkpoint", "eval") and not self.builder.pending)
    @precondition(lambda self: bool(self.builder and self.builder.steps))
    def reload(self, data: st.DataObject, training: bool) -> None:
        """Save, load, and go on."""
        self._add(data, training=training, back=False, reload=True)

    def _add(self, data: st.DataObject, **what: bool) -> None:
        builder = self.builder
        assert builder is not None
        builder.d = replace(builder.d, pick=DrawPicker(data.draw))
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore", RangeWarning)
                builder.add(**what)
        except RefsimError:
            self._finish()
            self.builder = None  # nothing is defined from here on

    def teardown(self) -> None:
        """Play the sequence and judge it."""
        self._finish()

    def _finish(self) -> None:
        if self.builder is None or not self.builder.steps:
            return
        case = self.builder.made("state machine")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RangeWarning)
            try:
                found = judge(play(self.target, case), self.declared.profile).findings
            except Unsupported:
                return
        if found:
            raise AssertionError("\n".join(map(str, found)))

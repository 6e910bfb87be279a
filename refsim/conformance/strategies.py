"""Hypothesis strategies that look where bugs live, for your own tests; needs ``pip install hypothesis``.

All of them shrink: to tiles of one input and one output, to numbers near 0, to features switched off.

>>> import refsim as rs
>>> from hypothesis import given
>>> io = rs.IOParameters(inp_res=0.25, out_res=-1, out_noise=0.0, noise_management=rs.NoiseManagementType.NONE)
>>> config = rs.TorchInferenceRPUConfig(forward=io)
>>> @given(batches(config, shape=(2, 3)))
... def signs_agree(x):
...     tile = config.create_tile(out_size=1, in_size=3, backend="spec")
...     tile.set_weights([[1.0, 2.0, -3.0]])
...     assert (tile.forward(-x) == -tile.forward(x)).all()
>>> signs_agree()
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from refsim.config import Choices, RPUDataType
from refsim.errors import BackendError, RefsimError

from .adapters.capabilities import DEFAULT_FEATURES
from .cases import Case
from .cases import generate_arrays as arrays
from .cases.draft import Draft
from .cases.generate import build_case
from .cases.generate_config import build_config

try:
    from hypothesis import assume
    from hypothesis import strategies as st
    from hypothesis.extra import numpy as hnp
except ModuleNotFoundError as error:
    raise BackendError(
        "hypothesis is not installed, which strategies need; pip install hypothesis."
    ) from error

__all__ = ["DrawPicker", "batches", "cases", "configurations", "gradients", "tiles", "weights"]

Value = TypeVar("Value")
Shape = tuple[int, ...]


class DrawPicker:
    """Decisions of a generator, drawn by Hypothesis and shrunk by it.

    Parameters
    ----------
    draw
        What a composite strategy draws with.
    """

    large = False

    def __init__(self, draw: Any) -> None:
        self.draw = draw

    def chance(self, p: float) -> bool:
        """True with probability ``p``, False when shrunk."""
        return bool(self.draw(st.integers(0, 99)) >= 100 * (1 - p))

    def choice(self, values: Sequence[Value]) -> Value:
        """One of the values, the first when shrunk."""
        value: Value = self.draw(st.sampled_from(values))
        return value

    def integers(self, count: int, low: int, high: int) -> NDArray[np.int64]:
        """Integers from ``low`` to ``high``, both included, ``(count,)``."""
        drawn = self.draw(st.lists(st.integers(low, high), min_size=count, max_size=count))
        return np.array(drawn, dtype=np.int64)

    def reals(self, count: int, low: float, high: float) -> NDArray[np.float64]:
        """Numbers from ``low`` to ``high``, ``(count,)``."""
        drawn = self.draw(hnp.arrays(np.float64, count, elements=st.floats(low, high)))
        return np.asarray(drawn)


def drawn_draft(
    draw: Any, features: frozenset[str], double: bool | None, choices: Choices | None
) -> Draft:
    """The settings of one drawn case; ``double`` None leaves the data type open."""
    pick = DrawPicker(draw)
    if double is None:
        double = "float64" in features and pick.chance(0.3)
    T = np.dtype(np.float64 if double else np.float32)
    return Draft(pick, features, not pick.chance(0.5), T, choices or Choices())


@st.composite
def cases(
    draw: st.DrawFn,
    features: frozenset[str] = DEFAULT_FEATURES,
    choices: Choices | None = None,
    length: tuple[int, int] = (1, 4),
) -> Case:
    """Whole cases: a configuration, a state, and a few steps whose inputs lie at the edges of that state.

    Parameters
    ----------
    features
        The features that they may ask for, of :data:`~refsim.conformance.cases.FEATURES`.
    choices
        The readings that they follow, ``Choices()`` by default.
    length
        Fewest and most steps.

    Examples
    --------
    >>> from hypothesis import find
    >>> smallest = find(cases(), lambda case: case.bias is not None)
    >>> smallest.weight.shape, smallest.steps[0].x.tolist()
    ((1, 1), [[0.0]])
    """
    case = build_case(DrawPicker(draw), features, choices, length)
    assume(case is not None)
    assert case is not None
    return case


@st.composite
def configurations(
    draw: st.DrawFn,
    features: frozenset[str] = DEFAULT_FEATURES,
    choices: Choices | None = None,
) -> Any:
    """Configurations that refsim accepts; parameters as for :func:`cases`."""
    config = build_config(drawn_draft(draw, features, None, choices))
    try:
        config.create_tile(1, 1, backend="spec")
    except RefsimError:
        assume(False)
    return config


def tiles(
    features: frozenset[str] = DEFAULT_FEATURES,
    choices: Choices | None = None,
    backend: str = "spec",
) -> st.SearchStrategy[Any]:
    """refsim's tiles in some state; parameters as for :func:`cases`, and the backend."""
    return cases(features, choices, (1, 1)).map(lambda case: case.tile(backend))


@st.composite
def batches(
    draw: st.DrawFn, config: Any, shape: Shape, r: float | None = None, counting: bool = False
) -> NDArray[Any]:
    """Inputs at the edges of a configuration: the range, the bounds, ties of both converters, and beside them.

    Parameters
    ----------
    config
        A configuration of refsim's.
    shape
        ``(..., in)``.
    r
        The input range in force, that of the configuration by default.
    counting
        Whether the range is about to be taken from the spread of the batch.

    Examples
    --------
    >>> from hypothesis import find
    >>> import refsim as rs
    >>> config = rs.TorchInferenceRPUConfig(forward=rs.IOParameters(inp_res=0.25))
    >>> float(find(batches(config, (1, 1)), lambda x: bool(x[0, 0] > 0))[0, 0])
    1.0
    """
    p = config.pre_post.input_range
    edge = p.init_value if r is None and p.enable else r
    draft = drawn_draft(draw, frozenset(), _double(config), None)
    return arrays.batch(draft, shape, edge, getattr(config, "forward", None), counting)


@st.composite
def weights(draw: st.DrawFn, config: Any, shape: Shape) -> NDArray[Any]:
    """Stored weights ``(out, in)``, sometimes with a row or column of zeros."""
    return arrays.weight_matrix(drawn_draft(draw, frozenset(), _double(config), None), shape)


@st.composite
def gradients(draw: st.DrawFn, config: Any, shape: Shape) -> NDArray[Any]:
    """Gradients of the output ``(..., out)``: small integers, any numbers, all 0, huge or tiny."""
    return arrays.gradient(drawn_draft(draw, frozenset(), _double(config), None), shape)


def _double(config: Any) -> bool:
    return bool(config.runtime.data_type == RPUDataType.DOUBLE)

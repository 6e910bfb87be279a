"""A figure of a training: loss, accuracy and input ranges over the steps. It needs matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from refsim.config.atomic import write_atomically
from refsim.errors import InputError

from .training import Epoch


def require_matplotlib() -> None:
    """An :class:`~refsim.InputError` with the way to install it if matplotlib is not there."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise InputError(
            "a plot needs matplotlib, which is not installed: pip install 'refsim[plot]'."
        ) from None


def plot_training(path: str | Path, epochs: Sequence[Epoch]) -> None:
    """Write loss, accuracy and input ranges over the steps as a PNG.

    Parameters
    ----------
    path
        The file; it appears only when it is complete.
    epochs
        What :func:`refsim.nn.train` returned.

    Raises
    ------
    InputError
        If matplotlib is not installed.
    """
    require_matplotlib()
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 2.8), dpi=80, layout="constrained")
    loss, accuracy, ranges = figure.subplots(1, 3)
    steps = [epoch.steps for epoch in epochs]
    loss.plot(steps, [epoch.loss for epoch in epochs], ".-")
    accuracy.plot(steps, [100 * epoch.accuracy for epoch in epochs], ".-")
    _plot_ranges(ranges, steps, epochs)
    titles = ("training loss", "training accuracy (%)", "input range")
    for axes, title in zip((loss, accuracy, ranges), titles, strict=True):
        axes.set(title=title, xlabel="step")
    image = BytesIO()
    figure.savefig(image, format="png", metadata={"Software": None})
    write_atomically(Path(path), image.getvalue())


def _plot_ranges(axes: Any, steps: Sequence[int], epochs: Sequence[Epoch]) -> None:
    for i, first in enumerate(epochs[0].input_ranges if epochs else ()):
        if first is not None:
            values = [epoch.input_ranges[i] for epoch in epochs]
            axes.plot(steps, values, ".-", label=f"tile {i + 1}")
    if axes.lines:
        axes.legend()


__all__ = ["plot_training", "require_matplotlib"]

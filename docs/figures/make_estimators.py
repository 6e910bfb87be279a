"""Draw staircase.png, error_range.png and estimators.png: ``python docs/figures/make_estimators.py``.

The data are the outputs of both layers of the trained digits network of ``refsim train`` for all test images.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import refsim as rs
from refsim import backends
from refsim.config import OptMethod, RangeEstimators
from refsim.nn import digits
from refsim.nn.experiment import Experiment, run
from refsim.spec.sums import Array
from refsim.tile import Quantiser
from refsim.tile.estimators import make_estimator

FOLDER = Path(__file__).parent
BITS = (2, 3, 4, 5, 6, 7, 8)
GRID = {"range_opt_method": OptMethod.grid}
ESTIMATORS: dict[str, tuple[RangeEstimators, Any]] = {
    "min-max": (RangeEstimators.current_minmax, None),
    "percentile 1": (
        RangeEstimators.current_minmax,
        rs.CurrentMinMaxEstimatorParams(percentile=1),
    ),
    "squared error, grid": (RangeEstimators.MSE, rs.MSEEstimatorParams(**GRID)),
    "squared error, golden": (RangeEstimators.MSE, rs.MSEEstimatorParams()),
    "cross-entropy, grid": (
        RangeEstimators.cross_entropy,
        rs.CrossEntropyEstimatorParams(**GRID),
    ),
}


def figure(rows: int, columns: int, width: float, height: float) -> tuple[Figure, Any]:
    """An empty figure and its axes."""
    drawn = Figure(figsize=(width, height), dpi=80, layout="constrained")
    return drawn, drawn.subplots(rows, columns, squeeze=False)


def save(drawn: Figure, path: Path) -> None:
    """Write a figure."""
    drawn.savefig(path, metadata={"Software": None})


def activations(experiment: Experiment) -> dict[str, Array]:
    """Outputs of the two layers of the trained network: hidden ones before the rectifier, and logits."""
    network = run(experiment).model.eval()
    hidden = network.layers[0].forward(digits().test_x)
    return {
        "hidden": hidden,
        "logits": network.layers[2].forward(network.layers[1].forward(hidden)),
    }


def found_range(x: Array, name: str, n_bits: int, symmetric: bool) -> tuple[Any, Any]:
    """The range that an estimator finds."""
    kind, params = ESTIMATORS[name]
    given = {"n_bits": n_bits, "symmetric": symmetric}
    return make_estimator(backends.load("cpu"), kind, params, **given).range(x)


def quantised(x: Array, lo: Any, hi: Any, n_bits: int, symmetric: bool) -> Array:
    """The data on the grid over a range."""
    quantiser = Quantiser(n_bits, symmetric)
    quantiser.set_quant_range(lo, hi)
    return quantiser.quantised(x)


def error(x: Array, lo: Any, hi: Any, n_bits: int, symmetric: bool = False) -> float:
    """Squared error as a share of the power of the data, in decibels."""
    difference = np.float64(quantised(x, lo, hi, n_bits, symmetric)) - x
    return float(10 * np.log10((difference**2).sum() / (np.float64(x) ** 2).sum()))


def excess(x: Array, lo: Any, hi: Any, n_bits: int) -> float:
    """Cross-entropy of the softmax of quantised logits beyond that of the logits themselves, a sample."""

    def log_softmax(y: Array) -> Array:
        wide = np.float64(y) - y.max(axis=1, keepdims=True)
        return wide - np.log(np.exp(wide).sum(axis=1, keepdims=True))

    gap = log_softmax(x) - log_softmax(quantised(x, lo, hi, n_bits, symmetric=False))
    return float((np.exp(log_softmax(x)) * gap).sum(axis=1).mean())


def staircase(path: Path) -> None:
    """What a quantiser of 3 bits returns, and its error, for two ranges."""
    drawn, axes = figure(2, 2, 9, 4.4)
    x = np.linspace(-2, 2, 2001, dtype=np.float32)
    for column, (lo, hi, symmetric) in enumerate(((-1, 1, True), (-0.5, 1.25, False))):
        y = quantised(x, lo, hi, 3, symmetric)
        kind = "symmetric" if symmetric else "asymmetric"
        axes[0, column].plot(x, x, color="0.7", lw=1)
        axes[0, column].plot(x, y)
        axes[1, column].plot(x, y - x, color="C1")
        axes[0, column].set(title=f"3 bits, {kind}, range {lo:g} to {hi:g}", ylabel="value")
        axes[1, column].set(xlabel="x", ylabel="error", ylim=(-1.1, 1.1))
        for row in range(2):
            axes[row, column].axvspan(lo, hi, color="0.93", zorder=0)
            axes[row, column].set_xlim(-2, 2)
    save(drawn, path)


def error_over_range(path: Path, data: dict[str, Array]) -> None:
    """Error of symmetric ranges of all sizes, with the best of each number of bits."""
    drawn, axes = figure(1, 2, 9, 3.4)
    for plot, (name, x) in zip(axes[0], data.items(), strict=True):
        largest = np.abs(x).max()
        sizes = np.geomspace(0.02, 3, 200, dtype=np.float32) * largest
        for n_bits in (2, 3, 4, 6, 8):
            errors = [error(x, -size, size, n_bits, True) for size in sizes]
            best = int(np.argmin(errors))
            (line,) = plot.plot(sizes, errors, label=f"{n_bits} bits")
            plot.plot(sizes[best], errors[best], "o", color=line.get_color())
        plot.axvline(largest, color="0.6", ls=":", lw=1)
        plot.set(title=name, xscale="log", xlabel="range", ylabel="error (dB)")
    axes[0, 0].legend(fontsize="small")
    save(drawn, path)


def comparison(path: Path, data: dict[str, Array], bits: Sequence[int]) -> None:
    """Error of all estimators over the number of bits, asymmetric grids."""
    drawn, axes = figure(1, 3, 11, 3.4)
    for i, name in enumerate(ESTIMATORS):
        for plot, (title, x) in zip(axes[0], data.items(), strict=False):
            ranges = [found_range(x, name, n_bits, False) for n_bits in bits]
            errors = [error(x, *ends, b) for ends, b in zip(ranges, bits, strict=True)]
            if title == "logits" or "entropy" not in name:
                plot.plot(bits, errors, ".-", label=name, color=f"C{i}")
        gaps = [excess(x, *ends, b) for ends, b in zip(ranges, bits, strict=True)]
        axes[0, 2].semilogy(bits, gaps, ".-", label=name, color=f"C{i}")
    titles = ("hidden: error (dB)", "logits: error (dB)", "logits: excess cross-entropy")
    for plot, title in zip(axes[0], titles, strict=True):
        plot.set(title=title, xlabel="bits")
    axes[0, 2].legend(fontsize="small")
    save(drawn, path)


def main(
    folder: Path = FOLDER, experiment: Experiment | None = None, bits: Sequence[int] = BITS
) -> None:
    """Train the network, by default with the default settings, and draw all figures into a folder."""
    staircase(folder / "staircase.png")
    data = activations(experiment or Experiment())
    error_over_range(folder / "error_range.png", data)
    comparison(folder / "estimators.png", data, bits)


if __name__ == "__main__":
    main()

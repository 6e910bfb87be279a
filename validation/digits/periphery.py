"""Test accuracy of the digits network with a quantised periphery, over bits, grids and how the grids come about."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import dataclass

from refsim import __version__
from refsim.errors import StateError
from refsim.nn.experiment import Experiment, default_quantised_config, run
from refsim.nn.quantised import adjust_quantisers

BITS = (8, 4, 2)
LR = Experiment.lr
RATES = {"estimated": None, "learned": LR / 1000, "learned, full rate": LR}
"""How the steps come about, and their learning rate if they are learned."""


@dataclass(frozen=True)
class Setting:
    """A row of the table, and one of its columns; 0 bits: no quantisation."""

    bits: int
    symmetric: bool = True
    ranges: str = "estimated"

    def experiment(self, seed: int, epochs: int) -> Experiment:
        """A training with this setting; the outputs are not quantised."""
        config, rate = default_quantised_config(), RATES[self.ranges]
        adjust_quantisers(config, activation_bits=0, periphery_bits=self.bits)
        if self.bits:
            learned = {"symmetric": self.symmetric, "learn_quantisers": rate is not None}
            adjust_quantisers(config, **learned)
        return Experiment(config, epochs=epochs, seed=seed, quantiser_lr=rate)


def settings() -> Iterator[Setting]:
    """All settings, the one without quantisation first."""
    yield Setting(0)
    for bits in BITS:
        for symmetric in (True, False):
            for ranges in RATES:
                yield Setting(bits, symmetric, ranges)


def accuracies(setting: Setting, seeds: int, epochs: int) -> list[float | None]:
    """Test accuracy for each seed; None where the training stopped because a value became infinite."""
    found: list[float | None] = []
    for seed in range(seeds):
        try:
            found.append(run(setting.experiment(seed, epochs)).test_accuracy)
        except StateError:
            found.append(None)
    return found


def cell(found: list[float | None]) -> str:
    """Mean, standard deviation and extremes in per cent, and the number of trainings that stopped.

    >>> cell([0.5, 0.75, None])
    '62.5 ± 17.7 (50.0 to 75.0), 1 stopped'
    """
    done = [100 * value for value in found if value is not None]
    stopped = len(found) - len(done)
    parts = [f"{stopped} stopped"] if stopped else []
    if done:
        spread = statistics.stdev(done) if len(done) > 1 else 0.0
        ends = f"({min(done):.1f} to {max(done):.1f})"
        parts.insert(0, f"{statistics.mean(done):.1f} ± {spread:.1f} {ends}")
    return ", ".join(parts)


def markdown(results: dict[Setting, list[float | None]], seeds: int, epochs: int) -> str:
    """The table, with what it holds and how it was made."""
    head = ["bits", "grids", *RATES]
    rows = [
        [str(bits), "symmetric" if symmetric else "asymmetric"]
        + [cell(results[Setting(bits, symmetric, ranges)]) for ranges in RATES]
        for bits in BITS
        for symmetric in (True, False)
    ]
    return "\n".join(
        [
            f"Test accuracy in per cent after {epochs} epochs: mean ± standard deviation (lowest to highest) of "
            f"{seeds} seeds. Without quantisation: {cell(results[Setting(0)])}. One test image is 0.28.",
            "",
            *(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)),
            "",
            f"Made with refsim {__version__} by `python -m validation.digits periphery --seeds {seeds} --epochs "
            f"{epochs}`; the numbers are the same on every machine.",
            "",
        ]
    )

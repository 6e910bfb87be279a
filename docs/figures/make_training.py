"""Draw training.png: ``python docs/figures/make_training.py``."""

from __future__ import annotations

from pathlib import Path

from refsim.nn.experiment import Experiment, run
from refsim.nn.plot import plot_training


def main() -> None:
    """Train with the default settings and draw the figure beside this file."""
    plot_training(Path(__file__).with_name("training.png"), run(Experiment()).epochs)


if __name__ == "__main__":
    main()

"""Draw training.png: ``python docs/figures/make_training.py``."""

from __future__ import annotations

from pathlib import Path

from refsim.nn.experiment import Experiment, run
from refsim.nn.plot import plot_training

FOLDER = Path(__file__).parent


def main(folder: Path = FOLDER, experiment: Experiment | None = None) -> None:
    """Train, by default with the default settings, and draw the figure into a folder."""
    plot_training(folder / "training.png", run(experiment or Experiment()).epochs)


if __name__ == "__main__":
    main()

"""Options of ``refsim train`` that belong together: quantisers, and calibration before the training."""

from __future__ import annotations

from typing import Annotated

import typer

Quantised = Annotated[
    bool,
    typer.Option("--quantised", help="Quantise periphery and outputs, each to 8 bits by default."),
]
PeripheryBits = Annotated[
    int | None, typer.Option(min=0, max=24, help="Bits of scales and biases; 0: not quantised.")
]
Symmetric = Annotated[
    bool | None,
    typer.Option(
        "--symmetric/--asymmetric", help="Grids of scales and biases, symmetric by default."
    ),
]
LearnQuantisers = Annotated[
    bool | None,
    typer.Option(
        "--learn-quantisers/--estimate-quantisers",
        help="Whether the grids of scales and biases are learned; estimated by default.",
    ),
]
InitLearningAfter = Annotated[
    int | None,
    typer.Option(min=1, help="Batches that estimate a grid before it is learned, 100 by default."),
]
QuantiserLr = Annotated[
    float | None,
    typer.Option(min=0.0, help="Learning rate of learned grids, a thousandth of --lr by default."),
]
ActivationBits = Annotated[
    int | None, typer.Option(min=0, max=24, help="Bits of the outputs; 0: not quantised.")
]
ActivationSymmetric = Annotated[
    bool | None,
    typer.Option(
        "--activation-symmetric/--activation-asymmetric",
        help="Grids of the outputs, symmetric by default.",
    ),
]
Estimator = Annotated[
    str | None,
    typer.Option(
        help="Range of the outputs: current_minmax, allminmax, running_minmax (the default), MSE or cross_entropy."
    ),
]
Search = Annotated[
    str | None, typer.Option(help="How MSE and cross_entropy search: grid or golden_section.")
]
Calibrate = Annotated[
    str | None,
    typer.Option(
        help="Input ranges before the training, from its first batches: MAX, CACHE_QUANTILE, MOVING_QUANTILE, "
        "MOVING_STD or NONE."
    ),
]
CalibrationBatches = Annotated[
    int | None, typer.Option(min=1, help="Batches that --calibrate looks at, 20 by default.")
]

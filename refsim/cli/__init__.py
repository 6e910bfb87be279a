"""The command line: ``refsim verify``, ``refsim train``, ``refsim explain``, ``refsim vectors`` and ``refsim doctor``.

Exit status: 0 all is well, 1 a check failed, 2 bad usage or input. With ``--json`` the standard output is one JSON
document and nothing else.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated, NoReturn

import typer

from refsim import __version__
from refsim.errors import InputError, RefsimError

from . import target_options as target_option
from . import train_options as option
from .vector_commands import vectors

EXAMPLES, QUICK_EXAMPLES = 200, 30
"""Generated cases of a target."""

__all__ = ["app", "main"]

app = typer.Typer(
    help="A golden model of analog in-memory-computing tiles.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(vectors, name="vectors")

Json = Annotated[
    bool, typer.Option("--json", help="One JSON document on the standard output, nothing else.")
]


def main() -> None:
    """Run the command line; an error of refsim's, or of a file, is one sentence and exit status 2."""
    if sys.stdout is None:
        sys.exit(2)  # closed: there is nowhere to report to
    try:
        try:
            app()
        finally:
            sys.stdout.flush()
    except RefsimError as error:
        _fail(error)
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # or leaving Python fails on the output again
        _fail(error)


def _fail(error: Exception) -> NoReturn:
    typer.secho(f"Error: {error}", fg=typer.colors.RED, err=True)
    sys.exit(2)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"refsim {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """A golden model of analog in-memory-computing tiles."""


@app.command()
def verify(
    target: target_option.Target = None,
    quick: Annotated[bool, typer.Option("--quick", help="Few cases, in a few seconds.")] = False,
    seed: Annotated[
        int, typer.Option(min=0, max=2**62 - 1, help="Seed of the generated cases.")
    ] = 0,
    backend: Annotated[
        list[str] | None,
        typer.Option(help="Of refsim itself, check this backend only; may be repeated."),
    ] = None,
    clause: Annotated[
        list[str] | None,
        typer.Option(
            help="Check this clause only; may be repeated. With a target the same as --only."
        ),
    ] = None,
    only: target_option.Only = None,
    phase: target_option.Phase = None,
    profile: target_option.ProfileName = None,
    max_examples: target_option.MaxExamples = None,
    time: target_option.Time = None,
    replay: target_option.Replay = None,
    findings: target_option.Findings = "refsim-findings",
    junit: target_option.Junit = None,
    in_process: target_option.InProcess = False,
    timeout: target_option.Timeout = None,
    json: Json = False,
) -> None:
    """Check an implementation, or refsim itself if there is none.

    TARGET is an adapter in Python (module:object or file.py:object), a capability file in TOML, a file or folder of
    recorded observations, or refsim, its own tiles behind the same adapter.

    Without TARGET every backend of this machine is compared with the specification, and with recorded vectors.
    """
    if target is None:
        _refuse_of_targets(only, phase, profile, max_examples, time, replay, junit, timeout)
        from .verify import run

        raise typer.Exit(run(quick, seed, backend or [], clause or [], json))
    if backend:
        raise InputError("--backend is for refsim itself, not allowed with a target.")
    from .verify_target import Options, run_target

    options = Options(
        seed=seed,
        max_examples=max_examples or (QUICK_EXAMPLES if quick else EXAMPLES),
        seconds=time,
        phases=tuple(phase or ()),
        only=(*(only or ()), *(clause or ())),
        profile=profile,
        replay=replay,
        findings=findings,
        junit=junit,
        in_process=in_process,
        timeout=timeout,
        json=json,
    )
    raise typer.Exit(run_target(target, options))


def _refuse_of_targets(*given: object) -> None:
    if any(value not in (None, []) for value in given):
        raise InputError(
            "--only, --phase, --profile, --max-examples, --time, --replay, --junit and --timeout are for a TARGET, "
            "which is missing."
        )


@app.command()
def train(
    hidden: Annotated[
        list[int] | None,
        typer.Option(min=1, help="Outputs of a hidden layer, 64 unless given; may be repeated."),
    ] = None,
    epochs: Annotated[int, typer.Option(min=0, help="Passes over the training images.")] = 30,
    batch_size: Annotated[int, typer.Option(min=1, help="Images in a batch.")] = 32,
    lr: Annotated[float, typer.Option(min=0.0, help="Learning rate.")] = 0.05,
    momentum: Annotated[float, typer.Option(min=0.0, help="Momentum.")] = 0.9,
    dac_bits: Annotated[
        int | None, typer.Option(min=0, max=24, help="Bits of the DAC, 6 by default; 0: none.")
    ] = None,
    adc_bits: Annotated[
        int | None, typer.Option(min=0, max=24, help="Bits of the ADC, 8 by default; 0: none.")
    ] = None,
    out_noise: Annotated[
        float | None, typer.Option(min=0.0, help="Output noise, 0.04 by default.")
    ] = None,
    learn_range: Annotated[
        bool | None,
        typer.Option("--learn-range/--fix-range", help="Whether input ranges are learned."),
    ] = None,
    input_range: Annotated[
        float | None,
        typer.Option("--range", help="First input range, instead of one from the first batches."),
    ] = None,
    matmul: Annotated[
        str | None,
        typer.Option(help="Matrix products: exact, by default, or fast (plain BLAS, not golden)."),
    ] = None,
    quantised: option.Quantised = False,
    periphery_bits: option.PeripheryBits = None,
    symmetric: option.Symmetric = None,
    learn_quantisers: option.LearnQuantisers = None,
    init_learning_after: option.InitLearningAfter = None,
    quantiser_lr: option.QuantiserLr = None,
    activation_bits: option.ActivationBits = None,
    activation_symmetric: option.ActivationSymmetric = None,
    estimator: option.Estimator = None,
    search: option.Search = None,
    calibrate: option.Calibrate = None,
    calibration_batches: option.CalibrationBatches = None,
    seed: Annotated[
        int, typer.Option(min=0, max=2**63 - 1, help="Seed of weights, order and noise.")
    ] = 0,
    backend: Annotated[str, typer.Option(help="What computes: spec, cpu or cuda.")] = "cpu",
    config: Annotated[
        str | None,
        typer.Option(help="TOML or JSON file with the tiles' configuration; options change it."),
    ] = None,
    output: Annotated[
        str | None, typer.Option(help="Folder for the checkpoint and metrics.jsonl.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the checkpoint in the folder.")
    ] = False,
    plot: Annotated[
        bool, typer.Option("--plot", help="Write training.png to the folder; needs matplotlib.")
    ] = False,
    json: Json = False,
) -> None:
    """Train a network of tiles on handwritten digits, and test it."""
    from .train import Source, calibration, run

    changes = {
        "dac_bits": dac_bits,
        "adc_bits": adc_bits,
        "out_noise": out_noise,
        "learn_range": learn_range,
        "input_range": input_range,
        "matmul": matmul,
    }
    quantisers = {
        "periphery_bits": periphery_bits,
        "symmetric": symmetric,
        "learn_quantisers": learn_quantisers,
        "init_learning_after": init_learning_after,
        "activation_bits": activation_bits,
        "activation_symmetric": activation_symmetric,
        "estimator": estimator,
        "search": search,
    }
    options = {
        "hidden": tuple(hidden or [64]),
        "epochs": epochs,
        "batch_size": batch_size,
        "lr": lr,
        "momentum": momentum,
        "quantiser_lr": quantiser_lr,
        "seed": seed,
        "backend": backend,
        **calibration(calibrate, calibration_batches, input_range),
    }
    source = Source(config, quantised, changes, quantisers)
    raise typer.Exit(run(source, options, output, resume, plot, json))


@app.command()
def explain(
    config: Annotated[
        str, typer.Argument(help="TOML or JSON file with a configuration.", metavar="CONFIG")
    ],
    input_file: Annotated[
        str | None, typer.Option("--input", help="Inputs (N, I) or (I,), an .npy file.")
    ] = None,
    weight: Annotated[str | None, typer.Option(help="Weight (O, I), an .npy file.")] = None,
    random: Annotated[
        int | None,
        typer.Option(min=0, max=2**63 - 1, help="Seed of random inputs and weights, and of noise."),
    ] = None,
    row: Annotated[int, typer.Option(help="Row of the batch.")] = 0,
    output: Annotated[int, typer.Option(help="Output of the tile.")] = 0,
    input_index: Annotated[int, typer.Option(help="Input of the tile.")] = 0,
    backend: Annotated[str, typer.Option(help="What computes: spec, cpu or cuda.")] = "cpu",
    json: Json = False,
) -> None:
    """Show the chain of one element, forward and back, each clause with its formula and numbers."""
    from .explain import run

    raise typer.Exit(
        run(config, (input_file, weight), random, (row, output, input_index), backend, json)
    )


@app.command()
def doctor(
    warm_up: Annotated[bool, typer.Option("--warm-up", help="Compile all kernels now.")] = False,
    json: Json = False,
) -> None:
    """Show versions, threads, BLAS, cache and GPU; what is missing, and how to get it."""
    from .doctor import run

    raise typer.Exit(run(warm_up, json))

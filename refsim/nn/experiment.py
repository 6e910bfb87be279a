"""A network of tiles that learns the handwritten digits; what ``refsim train`` runs."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from itertools import pairwise
from pathlib import Path
from typing import Any

from refsim import random
from refsim.config import (
    BoundManagementType,
    InputRangeParameter,
    IOParameters,
    MappingParameter,
    NoiseManagementType,
    PrePostProcessingParameter,
    QuantizedTorchInferenceRPUConfig,
    TorchInferenceRPUConfig,
    from_json,
    to_json,
)
from refsim.config.atomic import write_atomically
from refsim.errors import ConfigError, InputError

from .calibrated import calibrate, first_batches
from .checkpoint import load_training, restore, save_training
from .dataset import digits
from .layers import Layer, Linear, ReLU, Sequential
from .quantised import optimizer_of, quantised_config
from .sgd import SGD
from .training import Epoch, accuracy, input_ranges, train

PIXELS, CLASSES = 64, 10
CHECKPOINT, METRICS = "checkpoint.safetensors", "metrics.jsonl"
MAY_CHANGE = ("epochs", "backend")
ADDED = {"quantiser_lr": None, "calibration": None, "calibration_batches": 20}
"""Settings that checkpoints of earlier versions lack, and what they were trained with."""


def default_config() -> TorchInferenceRPUConfig:
    """6-bit DAC, 8-bit ADC, output noise 0.04, learned ranges that start from the first 20 batches.

    >>> default_config().forward.inp_res
    62.0
    """
    return TorchInferenceRPUConfig(
        pre_post=PrePostProcessingParameter(
            input_range=InputRangeParameter(enable=True, init_from_data=20)
        ),
        forward=IOParameters(
            inp_res=steps(6),
            out_res=steps(8),
            out_noise=0.04,
            noise_management=NoiseManagementType.NONE,
            bound_management=BoundManagementType.NONE,
        ),
    )


def default_quantised_config() -> QuantizedTorchInferenceRPUConfig:
    """The same with a periphery and outputs of 8 bits, and a learned scale for each output to be quantised.

    >>> default_quantised_config().mapping.out_scaling_columnwise
    True
    """
    config = quantised_config(default_config())
    config.mapping = MappingParameter(
        weight_scaling_omega=1.0,
        weight_scaling_columnwise=True,
        learn_out_scaling=True,
        out_scaling_columnwise=True,
    )
    return config


def steps(bits: int) -> float:
    """Resolution of a converter, in steps, such that 0 is a level: ``2**bits - 2``; -1, off, for 0 bits.

    >>> steps(6), steps(0)
    (62.0, -1.0)
    """
    if bits != 0 and not 2 <= bits <= 24:
        raise ConfigError(
            f"bits is {bits}, allowed are 0 (no converter) and integers from 2 to 24."
        )
    return float(2**bits - 2) if bits else -1.0


def adjust(
    config: Any,
    dac_bits: int | None = None,
    adc_bits: int | None = None,
    out_noise: float | None = None,
    learn_range: bool | None = None,
    input_range: float | None = None,
    matmul: str | None = None,
) -> None:
    """Change a configuration where a value is given; a range that is given replaces that from data."""
    if dac_bits is not None:
        config.forward.inp_res = steps(dac_bits)
    if adc_bits is not None:
        config.forward.out_res = steps(adc_bits)
    if matmul is not None:
        config.runtime.matmul = matmul
    if out_noise is not None:
        config.forward.out_noise = out_noise
    parameters = config.pre_post.input_range
    if not parameters.enable and (learn_range is not None or input_range is not None):
        raise ConfigError("a range was given, but pre_post.input_range.enable is False.")
    if learn_range is not None:
        parameters.learn_input_range = learn_range
    if input_range is not None:
        if input_range <= 0:
            raise ConfigError(f"range is {input_range}, allowed are numbers above 0.")
        parameters.init_value, parameters.init_from_data = input_range, 0


@dataclass(frozen=True)
class Experiment:
    """A multi-layer perceptron on the digits and how it is trained.

    Tile ``i`` has the seed ``derived_seed(seed, i)``.

    Parameters
    ----------
    config
        Configuration of all tiles.
    hidden
        Outputs of the hidden layers.
    epochs, batch_size, lr, momentum, seed
        As for :func:`refsim.nn.train` and :class:`refsim.SGD`.
    backend
        What computes; no result depends on it.
    quantiser_lr
        Learning rate of learned quantisers; None: ``lr / 1000``.
    calibration, calibration_batches
        Name of the type by which :func:`refsim.calibrate_input_ranges` sets the input ranges before the training, None
        for none, and the number of batches, the first ones of the training, that it looks at.
    """

    config: Any = field(default_factory=default_config)
    hidden: tuple[int, ...] = (64,)
    epochs: int = 30
    batch_size: int = 32
    lr: float = 0.05
    momentum: float = 0.9
    seed: int = 0
    backend: str = "cpu"
    quantiser_lr: float | None = None
    calibration: str | None = None
    calibration_batches: int = 20

    def network(self) -> Sequential:
        """The network before its training, calibrated if that was asked for."""
        layers: list[Layer] = []
        for i, (inputs, outputs) in enumerate(pairwise((PIXELS, *self.hidden, CLASSES))):
            seed = random.derived_seed(self.seed, i)
            layers += [ReLU(self.backend)] if layers else []
            layers.append(Linear(inputs, outputs, self.config, seed=seed, backend=self.backend))
        model = Sequential(*layers)
        if self.calibration is not None:
            count, size = self.calibration_batches, self.batch_size
            batches = first_batches(digits().train_x, count, size, self.seed)
            calibrate(model, self.calibration, batches, self.seed)
        return model

    @property
    def golden(self) -> bool:
        """Whether all bits are the specified ones; not so with ``runtime.matmul="fast"``."""
        return bool(self.config.runtime.matmul == "exact")

    def settings(self) -> dict[str, Any]:
        """The parameters as JSON can hold them."""
        given = {f.name: getattr(self, f.name) for f in fields(self)}
        return {**given, "hidden": list(self.hidden), "config": to_json(self.config)}


@dataclass(frozen=True)
class Result:
    """A trained network, its epochs, and its accuracy on the test images, which took no part in the training."""

    model: Sequential
    epochs: list[Epoch]
    test_accuracy: float
    input_ranges: list[float | None]


def run(
    experiment: Experiment,
    output: str | Path | None = None,
    resume: bool = False,
    progress: bool = False,
) -> Result:
    """Train and test a network.

    Parameters
    ----------
    experiment
        What to train.
    output
        Folder for ``checkpoint.safetensors``, written after each epoch, and ``metrics.jsonl``, a line for each epoch
        and one for the test; it is made if need be.
    resume
        Go on from the checkpoint in ``output`` to the same bits as an uninterrupted run; from the beginning if there is
        none yet. Only the number of epochs and the backend may differ from those of the run that wrote it.
    progress
        Whether to draw a bar on a terminal.

    Returns
    -------
    The :class:`Result`.

    Raises
    ------
    InputError
        If ``output`` holds a checkpoint and ``resume`` is not set, or the checkpoint is of another experiment.
    """
    data, model, e = digits(), experiment.network(), experiment
    optimizer = optimizer_of(model.tiles(), e.lr, e.momentum, e.quantiser_lr)
    folder = None if output is None else Path(output)
    history = _history(experiment, folder, resume, model, optimizer)

    def after_epoch(epoch: Epoch) -> None:
        history.append(epoch)
        if folder is not None:
            header = {**experiment.settings(), "history": [asdict(done) for done in history]}
            save_training(folder / CHECKPOINT, model, optimizer, header)
            _write_metrics(folder, history)

    train(
        model,
        (data.train_x, data.train_y),
        e.epochs,
        e.batch_size,
        optimizer,
        e.seed,
        progress,
        first_epoch=len(history),
        after_epoch=after_epoch,
    )
    tested = accuracy(model, data.test_x, data.test_y)
    if folder is not None:
        _write_metrics(folder, history, [{"test_accuracy": tested, "golden": experiment.golden}])
    return Result(model, history, tested, input_ranges(model))


def load_network(path: str | Path, backend: str | None = None) -> Sequential:
    """The network in a checkpoint that :func:`run` wrote.

    Raises
    ------
    InputError
        If the file is not such a checkpoint.
    """
    arrays, header = load_training(path)
    try:
        names = [f.name for f in fields(Experiment)]
        given = {name: {**ADDED, **header}[name] for name in names}
        given |= {"config": from_json(given["config"]), "hidden": tuple(given["hidden"])}
        model = Experiment(**{**given, "backend": backend or given["backend"]}).network()
    except (KeyError, TypeError) as error:
        raise InputError(f"{path} is not a whole checkpoint of refsim train: {error}") from None
    restore(arrays, model)
    return model


def _history(
    experiment: Experiment, folder: Path | None, resume: bool, model: Sequential, optimizer: SGD
) -> list[Epoch]:
    """The epochs done so far; model and optimiser as they were after them."""
    if folder is None:
        if resume:
            raise InputError("resume is True and output is None, allowed is resume with a folder.")
        return []
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / CHECKPOINT
    if not path.exists():
        return []
    if not resume:
        raise InputError(f"{folder} holds a checkpoint; resume it, or choose another folder.")
    arrays, header = load_training(path)
    before = {**ADDED, **header}
    for name, value in experiment.settings().items():
        if name not in MAY_CHANGE and before.get(name) != value:
            raise InputError(
                f"{name} of the run in {folder} is {before.get(name)!r}, but {value!r} was given; "
                f"allowed to change are {' and '.join(MAY_CHANGE)}."
            )
    history = [Epoch(**done) for done in header["history"]]
    if len(history) > experiment.epochs:
        raise InputError(
            f"epochs is {experiment.epochs}, but {folder} holds {len(history)}; allowed are as many or more."
        )
    restore(arrays, model, optimizer)
    return history


def _write_metrics(
    folder: Path, history: Iterable[Epoch], rest: Iterable[dict[str, Any]] = ()
) -> None:
    lines = [json.dumps(row, allow_nan=False) for row in (*map(asdict, history), *rest)]
    write_atomically(folder / METRICS, "".join(f"{line}\n" for line in lines).encode())


__all__ = [
    "Experiment",
    "Result",
    "adjust",
    "default_config",
    "default_quantised_config",
    "load_network",
    "run",
    "steps",
]

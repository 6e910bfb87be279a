"""The training loop: the same bits for the same seed, whatever the machine and the number of threads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refsim import random
from refsim.errors import InputError
from refsim.progress import progress_bar
from refsim.tile.layer import single_tiles

from .layers import Sequential
from .loss import checked_labels, softmax_cross_entropy
from .sgd import SGD


@dataclass(frozen=True)
class Epoch:
    """One epoch: its number, optimiser steps so far, mean loss, share of right answers, and input ranges after it.

    Loss and accuracy are those of the training batches, each before its step. A range is None where a tile has none.
    """

    epoch: int
    steps: int
    loss: float
    accuracy: float
    input_ranges: list[float | None]


def order(seed: int, epoch: int, samples: int) -> NDArray[np.int64]:
    """Order of the samples in an epoch: by the uniform deviates of stream ``shuffle``, whose step is the epoch.

    The index is the number of the sample; equal deviates keep the order of the samples.

    >>> order(7, 0, 5)
    array([0, 2, 1, 3, 4])
    """
    deviates = random.uniform(seed, "shuffle", epoch, np.arange(samples))
    return np.argsort(deviates, kind="stable").astype(np.int64)


def train(
    model: Sequential,
    data: tuple[Any, Any],
    epochs: int,
    batch_size: int,
    optimizer: SGD,
    seed: int = 0,
    progress: bool = False,
    *,
    first_epoch: int = 0,
    after_epoch: Callable[[Epoch], None] | None = None,
) -> list[Epoch]:
    """Train a classifier with softmax and cross-entropy.

    Parameters
    ----------
    model
        Its outputs are the logits.
    data
        Inputs ``(samples, in)`` and labels ``(samples,)``.
    epochs
        Number of the epoch to stop before.
    batch_size
        Samples in a batch; the last batch of an epoch may be smaller.
    optimizer
        Over the tiles of the model.
    seed
        Seed of the order of the samples, see :func:`order`.
    progress
        Whether to draw a bar on the standard error, if that is a terminal.
    first_epoch
        Number of the first epoch, to go on where another run stopped.
    after_epoch
        Called with each :class:`Epoch` when it is done.

    Returns
    -------
    The epochs of this call.

    Raises
    ------
    InputError, ShapeError
        If the data or a number does not fit.
    """
    tiles = list(model.tiles())
    if not tiles:
        raise InputError("model has no tile, allowed are networks with one tile or more.")
    ops, backend = tiles[0].ops, tiles[0].backend
    x = np.asarray(data[0])
    y = checked_labels(data[1], len(x), 2**31)
    for name, value, least in (
        ("epochs", epochs, first_epoch),
        ("batch_size", batch_size, 1),
        ("the number of samples", len(x), 1),
    ):
        if value < least:
            raise InputError(f"{name} is {value}, allowed are integers from {least}.")
    history = []
    with progress_bar(progress) as report:
        for epoch in range(first_epoch, epochs):
            report(f"epoch {epoch + 1}", epoch, epochs)
            rows = order(seed, epoch, len(x))
            losses, right = [], 0
            for begin in range(0, len(x), batch_size):
                batch = rows[begin : begin + batch_size]
                loss, hits = step(model, x[batch], y[batch], optimizer, backend)
                losses.append(loss)
                right += hits
            mean = float(ops.mean(np.concatenate(losses)))
            done = Epoch(epoch, optimizer.steps, mean, right / len(x), input_ranges(model))
            history.append(done)
            if after_epoch is not None:
                after_epoch(done)
            report(f"epoch {epoch + 1}", epoch + 1, epochs)
    return history


def step(
    model: Sequential, x: Any, y: NDArray[np.int64], optimizer: SGD, backend: str = "cpu"
) -> tuple[Any, int]:
    """One step of the optimiser on one batch; the losses ``(N,)`` and the number of right answers before it."""
    logits = model.train().forward(x)
    losses, gradient = softmax_cross_entropy(logits, y, backend)
    optimizer.zero_grad()
    model.backward(gradient)
    optimizer.step()
    return losses, int((logits.argmax(axis=1) == y).sum())


def accuracy(model: Sequential, x: Any, y: Any, batch_size: int = 256) -> float:
    """Share of inputs whose largest logit, the first of equal ones, is at the label; in evaluation mode."""
    labels = checked_labels(y, len(x), 2**31)
    model.eval()
    right = 0
    for begin in range(0, len(x), batch_size):
        logits = model.forward(x[begin : begin + batch_size])
        right += int((logits.argmax(axis=1) == labels[begin : begin + batch_size]).sum())
    return right / len(x)


def input_ranges(model: Sequential) -> list[float | None]:
    """The input range of each tile, of arrays row by row, None where there is none."""
    ranges = [tile.input_range() for layer in model.tiles() for tile in single_tiles(layer)]
    return [None if r is None else float(r) for r in ranges]


__all__ = ["Epoch", "accuracy", "input_ranges", "order", "step", "train"]

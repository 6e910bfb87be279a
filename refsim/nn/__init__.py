"""Networks of tiles and their training: layers, loss, optimiser, data; NumPy in and out."""

from __future__ import annotations

from .dataset import Digits, digits
from .layers import Layer, Linear, ReLU, Sequential
from .loss import softmax_cross_entropy
from .sgd import SGD
from .training import Epoch, accuracy, train

__all__ = [
    "SGD",
    "Digits",
    "Epoch",
    "Layer",
    "Linear",
    "ReLU",
    "Sequential",
    "accuracy",
    "digits",
    "softmax_cross_entropy",
    "train",
]

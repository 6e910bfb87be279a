"""A linear layer by aihwkit-lightning's rules, with exact sums: the reference for implementations of that variant."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from refsim import spec
from refsim.errors import RangeError, ShapeError, StateError
from refsim.spec.sums import Array, Scalar

from . import rules
from .settings import LightningSettings

__all__ = ["LightningLinear"]


@dataclass(frozen=True)
class _Slice:
    """What one input slice did in the last forward pass."""

    columns: slice
    x: Array
    r: Any
    q: Array
    w: Array
    inside: NDArray[np.bool_] | None


class LightningLinear:
    r"""Linear layer with one input range for each slice of its inputs.

    .. math:: y = \Bigl(\sum_k \mathrm{clip}\bigl(Q(q_k W_k^\top),\ b_k\bigr)\Bigr) + b,\qquad
        q_k = Q(\mathrm{clip}(x_k, r_k))

    Slices are added left to right, and then the bias. Each product, and each sum of a gradient, is exact and rounded
    once.

    Parameters
    ----------
    settings
        Settings of the layer.
    weight
        ``(out, in)``.
    bias
        ``(out,)``, or None.

    Examples
    --------
    >>> settings = LightningSettings(enable=True, init_from_data=0, init_value=1.0, decay=0.0, double=True)
    >>> layer = LightningLinear(settings, np.array([[2.0, 1.0]]))
    >>> layer.forward(np.array([[1.0, 3.0], [-1.0, -2.0], [0.5, 1.0]])).tolist()
    [[3.0], [-3.0], [2.0]]
    >>> layer.backward(np.array([[-1.0], [1.0], [1.0]])).tolist()
    [[-2.0, 0.0], [2.0, 0.0], [2.0, 1.0]]
    >>> layer.gradients["input_range"].tolist(), layer.gradients["weight"].tolist()
    ([-6.0], [[-1.5, -1.0]])
    """

    def __init__(
        self, settings: LightningSettings, weight: Array, bias: Array | None = None
    ) -> None:
        self.settings, self.training = settings, True
        T = settings.T
        self.parameters: dict[str, Array] = {"weight": np.array(weight, dtype=T)}
        if bias is not None:
            self.parameters["bias"] = np.array(bias, dtype=T)
        self.buffers: dict[str, Array] = {}
        self.gradients: dict[str, Array] = {}
        self._velocities: dict[str, Array | None] = {}
        self._done: list[_Slice] | None = None
        inputs, largest = weight.shape[1], settings.max_input_size
        pieces = -(-inputs // largest) if 0 < largest < inputs else 1
        self.sizes = spec.split_sizes(inputs, largest) if pieces > 1 else [inputs]
        if settings.static:
            holder = self.parameters if settings.learn_input_range else self.buffers
            holder["input_range"] = np.full(pieces, settings.init_value, dtype=T)
            self.buffers["input_range_update_idx"] = np.zeros(pieces, dtype=T)
            self.buffers["x_min"] = np.full(pieces, -1e-5, dtype=T)
            self.buffers["x_max"] = np.full(pieces, 1e-5, dtype=T)

    def state(self) -> dict[str, Array]:
        """Copies of parameters and buffers."""
        return {name: value.copy() for name, value in (self.parameters | self.buffers).items()}

    def train(self, training: bool = True) -> Self:
        """Put the layer into training mode, or out of it."""
        self.training = training
        return self

    # ----- forward

    def forward(self, x: Array) -> Array:
        """Output ``(..., out)`` for a batch ``(..., in)``; in training the ranges may learn from it first.

        Raises
        ------
        ShapeError
            If the batch has another number of inputs.
        RangeError
            If a range is NaN or infinite, or not positive while inputs or outputs are rounded.
        """
        T, weight = self.settings.T, self.parameters["weight"]
        given = np.asarray(x, dtype=T)
        if given.shape[-1:] != weight.shape[1:]:
            raise ShapeError(f"x has the shape {given.shape}, allowed is (..., {weight.shape[1]}).")
        rows = given.reshape(-1, weight.shape[1])
        self._done, y = [], np.zeros((len(rows), len(weight)), dtype=T)
        for k, columns in enumerate(self._columns()):
            part = self._one(k, columns, rows[:, columns])
            y = part if k == 0 else y + part
        if "bias" in self.parameters:
            y = y + self.parameters["bias"]
        return y.reshape(*given.shape[:-1], len(weight))

    def _columns(self) -> Iterator[slice]:
        start = 0
        for size in self.sizes:
            yield slice(start, start + size)
            start += size

    def _one(self, k: int, columns: slice, x: Array) -> Array:
        """The contribution of a slice."""
        s, stored = self.settings, self.parameters["weight"][:, columns]
        w = stored
        if s.quantization_type != "None" and s.weight_res > 0:
            per_row = s.quantization_type == "DiscretizePerChannel"
            w = rules.quantised_weight(stored, s.weight_res, per_row)
        r = self._range(k, x)
        q = x if r is None else rules.converted(rules.clipped(x, r), r, s.inp_res)
        m, inside = spec.matrix_product(q, w), None
        if r is not None and s.out_bound > 0:
            bound = rules.output_bound(r, s.out_bound, self._largest(stored))
            t = rules.converted(m, bound, s.out_res)
            inside, m = np.abs(t) <= bound, rules.clipped(t, bound)
        assert self._done is not None
        self._done.append(_Slice(columns, x, r, q, w, inside))
        return m

    def _largest(self, w: Array) -> Array:
        """Largest magnitude of the stored weights, by row if these are clipped by row."""
        by_row = self.settings.clip_type == "LayerGaussianPerChannel"
        return np.asarray(np.abs(w).max(axis=1 if by_row else None))

    def _range(self, k: int, x: Array) -> Any:
        """The range of a slice: a number, ``(N, 1)`` if it is dynamic, or None."""
        s = self.settings
        if not s.enable:
            return None
        if s.dynamic:
            return np.abs(x).max(axis=1, keepdims=True, initial=s.T(0))
        if (
            self.training
            and x.size
            and self.buffers["input_range_update_idx"][k] < s.init_from_data
        ):
            self._learn_from_data(k, x)
        r = self._ranges()[k]
        rounds = s.inp_res > 0 or s.out_bound > 0
        if not np.isfinite(r) or (rounds and r < 0):
            raise RangeError(
                f"the input range of slice {k} is {r}, allowed are finite numbers, and none below 0 where "
                "inputs or outputs are rounded."
            )
        return r

    def _ranges(self) -> Array:
        return (self.parameters | self.buffers)["input_range"]

    def _learn_from_data(self, k: int, x: Array) -> None:
        s, r, counter = self.settings, self._ranges(), self.buffers["input_range_update_idx"]
        if s.fast_mode:
            r[k] = self._from_extremes(k, x)
            counter[k] += 1
            return
        F = np.float32
        deviation = spec.standard_deviation(x.astype(F)) if x.size > 1 else F(0)
        if deviation > 0:
            r[k] = spec.range_from_data(F(r[k]), F(counter[k]), deviation, F(s.init_std_alpha))
            counter[k] += 1
        r[k] = abs(r[k])

    def _from_extremes(self, k: int, x: Array) -> Scalar:
        """The range from the extremes of a slice, which take this batch in."""
        least, largest = self.buffers["x_min"], self.buffers["x_max"]
        T, momentum = self.settings.T, self.settings.act_range_momentum
        first = bool(least[k] == T(-1e-5) and largest[k] == T(1e-5))
        least[k] = rules.averaged_extreme(least[k], x.min(), first, momentum, least=True)
        largest[k] = rules.averaged_extreme(largest[k], x.max(), first, momentum, least=False)
        return max(abs(least[k]), abs(largest[k]))

    # ----- backward

    def backward(self, dy: Array) -> Array:
        """Gradient of the input; those of the parameters are added to ``gradients``.

        Raises
        ------
        StateError
            If there was no forward pass.
        """
        if self._done is None:
            raise StateError("there is no forward pass to go back through; call forward first.")
        weight = self.parameters["weight"]
        given = np.asarray(dy, dtype=self.settings.T)
        g = given.reshape(-1, len(weight))
        if "bias" in self.parameters:
            self._add("bias", spec.column_totals(g))
        parts = [self._one_back(k, part, g) for k, part in enumerate(self._done)]
        self._add("weight", np.hstack([dw for _, dw, _ in parts]))
        if "input_range" in self.parameters:
            ranges = [dr for _, _, dr in parts]
            self._add("input_range", np.array(ranges, dtype=self.settings.T))
        self._done = None
        dx = np.hstack([dx for dx, _, _ in parts])
        return dx.reshape(*given.shape[:-1], weight.shape[1])

    def _one_back(self, k: int, part: _Slice, g: Array) -> tuple[Array, Array, Scalar | None]:
        gm = g if part.inside is None else np.where(part.inside, g, g.dtype.type(0))
        d = spec.transposed_product(gm, part.w)
        dw = spec.outer_product_sum(gm, part.q)
        if part.r is None:
            return d, dw, None
        inside = (-part.r <= part.x) & (part.x <= part.r)
        dr = self._range_gradient(part, d) if "input_range" in self.parameters else None
        return np.where(inside, d, d.dtype.type(0)), dw, dr

    def _range_gradient(self, part: _Slice, d: Array) -> Scalar:
        s, T, r = self.settings, self.settings.T, part.r
        if s.fast_mode:
            return rules.clip_gradient(part.x, d, r)
        rule = spec.range_rule(*spec.range_rule_sums(part.x, d, r), r, True, T(1))
        fraction = spec.unclipped_fraction(part.x, r)
        return spec.range_decay(rule, r, T(s.decay), fraction, np.float32(s.input_min_percentage))

    def _add(self, name: str, value: Array) -> None:
        before = self.gradients.get(name)
        self.gradients[name] = value if before is None else before + value

    # ----- update

    def step(self, lr: float, momentum: float = 0.0, weight_decay: float = 0.0) -> None:
        """One step of gradient descent on all parameters, then the clip of the weights; gradients are cleared."""
        T = self.settings.T
        for name, gradient in self.gradients.items():
            value, velocity = spec.sgd_step(
                self.parameters[name],
                gradient,
                self._velocities.get(name),
                T(lr),
                T(momentum),
                T(1),
                T(weight_decay),
                False,
            )
            self.parameters[name], self._velocities[name] = value, velocity
        self.gradients = {}
        self.clip_weights()

    def clip_weights(self) -> None:
        """Clip the weights to so many of their standard deviations, of all of them or of each row."""
        s, w = self.settings, self.parameters["weight"]
        if s.clip_type == "None":
            return
        groups = w if s.clip_type == "LayerGaussianPerChannel" else w.reshape(1, -1)
        if groups.shape[1] < 2:
            return
        bounds = [s.T(s.clip_sigma) * spec.standard_deviation(row) for row in groups]
        self.parameters["weight"] = rules.clipped(groups, np.array(bounds)[:, None]).reshape(
            w.shape
        )

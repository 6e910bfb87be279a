"""Whole arrays as Hypothesis draws them, and the array in exact arithmetic."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import strategies as st

import refsim as rs
from tests.exact import Array, Type
from tests.strategies import arrays, moderate, seeds, wide
from tests.tile import oracle
from tests.tile.cases import LEADS, Case, batch, configs, edges, mostly
from tests.tile.oracle import Numbers, finite, numbers, plain


@dataclass
class ArrayCase:
    """An array in some state (without its backend), and what is done with it."""

    config: Any
    T: Type
    sizes: tuple[int, int]
    seed: int
    training: bool
    weight: Array
    bias: Array | None
    batches: list[tuple[Array, Array]]

    def array(self, backend: str) -> Any:
        """The array on a backend."""
        made = rs.TileModuleArray(
            *self.sizes, self.config, bias=self.bias is not None, seed=self.seed, backend=backend
        )
        for tile, rows, columns in parts(made):
            tile.parameters["weight"][...] = self.weight[rows, columns]
        if self.bias is not None:
            made.parameters["bias"][...] = self.bias
        return made.train(self.training)


def parts(array: Any) -> Iterator[tuple[Any, slice, slice]]:
    """Tiles with their outputs and inputs; the splits counted out here."""
    begin = 0
    for row in array.tiles:
        columns, top = slice(begin, begin + row[0].in_size), 0
        begin = columns.stop
        for tile in row:
            yield tile, slice(top, top + tile.out_size), columns
            top += tile.out_size


@st.composite
def array_cases(draw: st.DrawFn, T: Type, count: int = 2) -> ArrayCase:
    """An array with ``count`` batches; sometimes with values that overflow."""
    config = draw(configs(T))
    config.mapping.max_input_size = draw(st.sampled_from([1, 2, 3, 0, -1, 512]))
    config.mapping.max_output_size = draw(st.sampled_from([1, 2, 0, 512]))
    O, I = draw(st.integers(1, 4)), draw(st.integers(1, 5))
    values = moderate(T) | wide(T) if draw(st.integers(0, 9)) == 0 else moderate(T)
    weight = draw(arrays(T, (O, I), values))
    bias = draw(arrays(T, (O,), values)) if draw(st.booleans()) else None
    r = abs(T(config.pre_post.input_range.init_value))
    batches = []
    for _ in range(count):
        lead = draw(st.sampled_from(LEADS))
        x = draw(batch(T, lead, I, edges(T, config, r) | values))
        batches.append((x, draw(batch(T, lead, O, values))))
    training = draw(mostly(True, False))
    return ArrayCase(config, T, (O, I), draw(seeds), training, weight, bias, batches)


def dealt(size: int, limit: int) -> list[slice]:
    """The splits: elements dealt out in turn."""
    count = -(-size // limit) if limit > 0 else 1
    sizes = [len(range(j, size, count)) for j in range(count)]
    ends = [sum(sizes[: j + 1]) for j in range(count)]
    return [slice(end - n, end) for n, end in zip(sizes, ends, strict=True)]


@dataclass
class ExactArray:
    """An array of exact tiles: outputs and input gradients are added left to right, one rounding each."""

    case: ArrayCase
    states: dict[str, dict[str, Array]]
    gradients: dict[str, Array] = field(default_factory=dict)

    def __post_init__(self) -> None:
        mapping, (O, I) = self.case.config.mapping, self.case.sizes
        self.inputs, self.outputs = (
            dealt(I, mapping.max_input_size),
            dealt(O, mapping.max_output_size),
        )
        self.tiles = {
            (i, o): oracle.Tile(
                self.case.config, self.case.T, self.case.training, self.states[f"t{i}_{o}_"]
            )
            for i in range(len(self.inputs))
            for o in range(len(self.outputs))
        }

    def tile_case(self, i: int, o: int) -> Case:
        """What the addresses of the noise of one tile need."""
        rows, columns = self.outputs[o], self.inputs[i]
        seed = rs.random.derived_seed(self.case.seed, i * len(self.outputs) + o)
        sizes = rows.stop - rows.start, columns.stop - columns.start
        return Case(
            self.case.config, self.case.T, sizes, seed, self.case.training, {}, self.case.batches
        )

    def forward(self, x: Array, noise: Any) -> Array:
        """Output ``(N, O)``; ``noise(case)`` is the noise of one tile."""
        y: Numbers = np.empty((len(x), self.case.sizes[0]), dtype=object)
        for o, rows in enumerate(self.outputs):
            for i, columns in enumerate(self.inputs):
                part = np.ascontiguousarray(x[:, columns])
                out = numbers(self.tiles[i, o].forward(part, noise(self.tile_case(i, o))))
                y[:, rows] = out if i == 0 else y[:, rows] + out
        if self.case.bias is not None:
            y = y + numbers(self.case.bias)
        return plain(self.case.T, finite(y))

    def backward(self, dy: Array) -> Array:
        """Gradient ``(N, I)`` of the input."""
        T, g = self.case.T, numbers(dy)
        dx: Numbers = np.empty((len(dy), self.case.sizes[1]), dtype=object)
        if self.case.bias is not None:
            new = np.array([oracle.total(T, column) for column in g.T], dtype=object)
            before = self.gradients.get("bias")
            added = new if before is None else numbers(before) + new
            self.gradients["bias"] = plain(T, finite(added))
        for (i, o), tile in self.tiles.items():
            part = numbers(tile.backward(np.ascontiguousarray(dy[:, self.outputs[o]])))
            columns = self.inputs[i]
            dx[:, columns] = part if o == 0 else dx[:, columns] + part
        return plain(T, finite(dx))

    def all_gradients(self) -> dict[str, Array]:
        """The gradients with the names of the array."""
        named = {
            f"t{i}_{o}_{name}": value
            for (i, o), tile in self.tiles.items()
            for name, value in tile.gradients.items()
        }
        return named | self.gradients

"""What adapters of PyTorch tiles have in common: tensors for arrays, autograd for the way back, ``torch.optim.SGD``."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refsim.errors import Unsupported

from .libraries import library

__all__ = ["TorchAdapter", "TorchHandle"]

Array = NDArray[Any]


@dataclass
class TorchHandle:
    """A module, what it was last asked, and its optimiser.

    Parameters
    ----------
    module
        The tile.
    sizes
        Arguments that made it, after the configuration: outputs, inputs, whether it has a bias.
    x, y
        The last batch and its output.
    optimizer
        Made by the first step.
    velocities
        State of an optimiser to start from, None for none.
    """

    module: Any
    sizes: tuple[int, int, bool]
    x: Any = None
    y: Any = None
    optimizer: Any = None
    velocities: Any = None


class TorchAdapter:
    """Adapter of a tile that is a ``torch.nn.Module``; a subclass says how one is made.

    :meth:`module` must be given. The others fit a module whose parameters and buffers are named as in
    ``tile.state_dict()``, and a plain ``torch.optim.SGD``. Noise is not taken.

    Examples
    --------
    An adapter of your own::

        class MyAdapter(TorchAdapter):
            capabilities = Capabilities(name="my tile")

            def module(self, config, out_size, in_size, bias):
                return MyTile(out_size, in_size, bias, r=config.pre_post.input_range.init_value)

        adapter = MyAdapter()
    """

    def module(self, config: Any, out_size: int, in_size: int, bias: bool) -> Any:
        """A new module; raise :class:`Unsupported` for a configuration that it does not have."""
        raise NotImplementedError

    def tensors(self, module: Any) -> dict[str, Any]:
        """The tensors of the state, by refsim's names."""
        return {**dict(module.named_parameters()), **dict(module.named_buffers())}

    def put(self, module: Any, values: Mapping[str, Any]) -> None:
        """Write values, which are tensors, into the state."""
        present = self.tensors(module)
        for name, value in values.items():
            if name not in present:
                raise Unsupported(f"the state has {name}, which the module does not have.")
            present[name].data = value

    def optimizer(self, module: Any, **sgd: Any) -> Any:
        """The optimiser of a module."""
        return library("torch").optim.SGD(module.parameters(), **sgd)

    # ----- what the kit calls

    def create(
        self, config: Any, weight: Array, bias: Array | None, state: Mapping[str, Array]
    ) -> TorchHandle:
        """A module with this stored weight, bias and further state."""
        sizes = (*weight.shape, bias is not None)
        handle = TorchHandle(self.module(config, *sizes), sizes)
        given = {"weight": weight, "bias": bias, **state}
        self.put(
            handle.module,
            {name: _tensor(value) for name, value in given.items() if value is not None},
        )
        return handle

    def forward(
        self, handle: TorchHandle, x: Array, *, training: bool, noise: Mapping[str, Array]
    ) -> Array:
        """The output, with the graph kept for the way back."""
        if noise:
            raise Unsupported("this implementation draws its own noise.")
        handle.module.train(training)
        handle.x = _tensor(x).requires_grad_()
        handle.y = handle.module(handle.x)
        return _array(handle.y)

    def backward(self, handle: TorchHandle, dy: Array) -> dict[str, Array]:
        """Gradients by autograd; parameters that the graph does not reach have none, and the input has zeros."""
        if handle.y.requires_grad:
            handle.y.backward(_tensor(dy))
        found = {n: t.grad for n, t in self.tensors(handle.module).items() if t.grad is not None}
        dx = handle.x.grad
        given = {"input": np.zeros_like(_array(handle.x)) if dx is None else _array(dx)}
        return given | {name: _array(gradient) for name, gradient in found.items()}

    def step(self, handle: TorchHandle, **sgd: Any) -> None:
        """One step of the optimiser; then the gradients are cleared."""
        if handle.optimizer is None:
            handle.optimizer = self.optimizer(handle.module, **sgd)
            if handle.velocities is not None:
                handle.optimizer.load_state_dict(handle.velocities)
        handle.optimizer.step()
        handle.optimizer.zero_grad()

    def state(self, handle: TorchHandle) -> dict[str, Array]:
        """Copies of the state."""
        return {name: _array(tensor) for name, tensor in self.tensors(handle.module).items()}

    def save(self, handle: TorchHandle) -> Any:
        """The state dict of the module and of its optimiser."""
        trained = handle.velocities if handle.optimizer is None else handle.optimizer.state_dict()
        return copy.deepcopy((handle.sizes, handle.module.state_dict(), trained))

    def load(self, config: Any, saved: Any) -> TorchHandle:
        """A new module from what was saved."""
        sizes, state, velocities = copy.deepcopy(saved)
        handle = TorchHandle(self.module(config, *sizes), sizes, velocities=velocities)
        handle.module.load_state_dict(state)
        return handle


def _tensor(value: Array) -> Any:
    return library("torch").from_numpy(np.array(value))


def _array(tensor: Any) -> Array:
    return np.array(tensor.detach().numpy())

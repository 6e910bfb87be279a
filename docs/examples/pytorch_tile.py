"""A tile in plain PyTorch with its adapter: the worked example of "Check your own PyTorch tile in ten minutes".

It learns an input range, converts inputs and outputs, and manages noise and bounds. Sums are PyTorch's, float32.

    refsim verify docs/examples/pytorch_tile.py:adapter
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from refsim.conformance.adapters import Capabilities, Unsupported
from refsim.conformance.adapters.capabilities import DEFAULT_FEATURES
from refsim.conformance.adapters.torch_module import TorchAdapter
from refsim.conformance.admissible import FLOAT32

INFINITE = float("inf")

# ----- the tile


@dataclass
class Converter:
    """Grid step (0: none) and bound of a converter."""

    step: float
    bound: float

    @classmethod
    def of(cls, res: float, bound: float) -> Converter:
        """From a resolution: up to 1 a fraction of the full range, above a number of steps."""
        fraction = 1 / res if res > 1 else res
        return cls(fraction * 2 * abs(bound) if res > 0 else 0.0, bound if bound > 0 else INFINITE)


@dataclass
class Settings:
    """What a tile does; as a user of the tile would write it."""

    dac: Converter
    adc: Converter
    perfect: bool = False
    out_scale: float = 1.0
    scale_rows_by: str = "NONE"  # NONE, ABS_MAX, MAX, CONSTANT
    threshold: float = 0.0
    repeat: bool = False
    most_factor: float = 1000.0
    most_steps: float = INFINITE
    ranged: bool = False
    learned: bool = True
    start: float = 3.0
    batches: int = 100
    deviations: float = 3.0
    decay: float = 0.001
    inside: float = 0.95
    relative: bool = True
    scale: float = 1.0


class RangeClip(torch.autograd.Function):
    """Clip to the range; its own gradient is a rule, not a derivative."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, r: Tensor, s: Settings) -> Tensor:
        """Clip to plus and minus the range."""
        ctx.save_for_backward(x, r)
        ctx.settings = s
        return torch.clamp(x, -r.abs(), r.abs())

    @staticmethod
    def backward(ctx: Any, d: Tensor) -> tuple[Tensor, Tensor, None]:
        """Pull outwards where clipped inputs ask for it, decay where hardly any are."""
        (x, r), s = ctx.saved_tensors, ctx.settings
        c = torch.clamp(x, -r.abs(), r.abs())
        gradient = d[c >= r].clamp(max=0).sum() - d[c <= -r].clamp(min=0).sum()
        if s.relative:
            gradient = gradient * r
        gradient = gradient * s.scale
        if s.decay > 0 and (c.abs() < r).float().mean() > s.inside:
            gradient = gradient + s.decay * r
        return torch.where(x.abs() <= r.abs(), d, 0.0), gradient.reshape(1), None


class InUnitsOf(torch.autograd.Function):
    """Divide by the range; autograd's own derivative would overflow for a tiny one."""

    @staticmethod
    def forward(ctx: Any, c: Tensor, r: Tensor) -> Tensor:
        """The clipped input in units of the range."""
        v = c / r
        ctx.save_for_backward(v, r)
        return v

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, Tensor]:
        """One sum, divided once."""
        v, r = ctx.saved_tensors
        return g / r, -(g * v).sum() / r


class OnGrid(torch.autograd.Function):
    """Round to a grid, straight through on the way back."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, step: float) -> Tensor:
        """Round half to even."""
        return torch.round(x / step) * step

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None]:
        """As if nothing had been rounded."""
        return g, None


def on_grid(x: Tensor, converter: Converter) -> Tensor:
    """The value on the grid of a converter, not clipped."""
    return OnGrid.apply(x, converter.step) if converter.step else x


class Tile(nn.Module):
    """An analog linear layer."""

    def __init__(self, out_size: int, in_size: int, bias: bool, settings: Settings) -> None:
        super().__init__()
        self.settings = settings
        self.weight = nn.Parameter(torch.zeros(out_size, in_size))
        self.bias = nn.Parameter(torch.zeros(out_size)) if bias else None
        if settings.ranged:
            start = torch.full((1,), settings.start)
            if settings.learned:
                self.input_range = nn.Parameter(start)
            else:
                self.register_buffer("input_range", start)
            self.register_buffer("input_range_update_idx", torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        """Range, crossbar, range, bias."""
        s = self.settings
        if not s.ranged:
            y = self.crossbar(x)
        else:
            if self.training and x.numel() > 0:
                self.learn_from_data(x)
            r = self.input_range
            y = self.crossbar(InUnitsOf.apply(RangeClip.apply(x, r, s), r)) * r
        return y if self.bias is None else y + self.bias

    @torch.no_grad()
    def learn_from_data(self, x: Tensor) -> None:
        """Average some standard deviations over the first batches."""
        s, r, k = self.settings, self.input_range, self.input_range_update_idx
        if k >= s.batches:
            return
        deviation = x.std() if x.numel() > 1 else torch.zeros(())
        if deviation > 0:
            r.copy_((r * k + s.deviations * deviation) / (k + 1))
            k += 1
        r.copy_(r.abs())

    def crossbar(self, v: Tensor) -> Tensor:
        """Converters around a matrix product, repeated with halved inputs while outputs are clipped."""
        s = self.settings
        if s.perfect:
            return v @ self.weight.T
        alpha = self.row_scale(v)
        if alpha is None:
            return v.new_zeros(*v.shape[:-1], len(self.weight))
        factor = 1.0
        while True:
            sigma = (1 / alpha) / factor
            d = torch.clamp(on_grid(v * sigma, s.dac), -s.dac.bound, s.dac.bound)
            t = on_grid(d @ self.weight.T, s.adc)
            inside = not s.repeat or bool((t.abs() <= s.adc.bound).all())
            if inside or factor > s.most_factor or factor > s.most_steps:
                break
            factor *= 2
        return torch.clamp(t, -s.adc.bound, s.adc.bound) * (s.out_scale / sigma)

    def row_scale(self, v: Tensor) -> Tensor | None:
        """What each row is divided by; None if all rows are zero."""
        s = self.settings
        if s.scale_rows_by in ("NONE", "CONSTANT"):
            fixed = s.threshold if s.scale_rows_by == "CONSTANT" and s.threshold > 0 else 1.0
            return v.new_full((*v.shape[:-1], 1), fixed)
        size = v.abs() if s.scale_rows_by == "ABS_MAX" else v
        alpha = size.max(dim=-1, keepdim=True).values
        if alpha.numel() and not alpha.any():
            return None
        if s.threshold > 0:
            alpha = alpha.clamp(max=s.threshold)
        return torch.where(alpha > 0, alpha, 1.0)


# ----- its adapter


class Example(TorchAdapter):
    """How the kit makes a tile from a configuration of refsim."""

    capabilities = Capabilities(
        name="docs/examples/pytorch_tile.py",
        profile=FLOAT32.reciprocals(),
        features=DEFAULT_FEATURES
        - {"asymmetry", "mapping_scales", "out_scaling", "weight_modifier", "clip", "remap"}
        | {"checkpoint"},
    )

    def module(self, config: Any, out_size: int, in_size: int, bias: bool) -> Tile:
        """Translate the settings."""
        io, p = config.forward, config.pre_post.input_range
        if io.inp_noise > 0 or (io.out_noise > 0 and not io.is_perfect):
            raise Unsupported("this tile has no noise.")
        dac, adc = Converter.of(io.inp_res, io.inp_bound), Converter.of(io.out_res, io.out_bound)
        settings = Settings(
            dac, adc, io.is_perfect, io.out_scale, io.noise_management.name, io.nm_thres,
            io.bound_management.name != "NONE", io.max_bm_factor,
            io.max_bm_res / dac.step if dac.step and io.inp_bound > 0 else INFINITE,
            p.enable, p.learn_input_range, p.init_value, p.init_from_data, p.init_std_alpha,
            p.decay, p.input_min_percentage, p.gradient_relative, p.gradient_scale,
        )  # fmt: skip
        return Tile(out_size, in_size, bias, settings)


adapter = Example()

"""A learned completion of a render's holes, before the `tiny` autoencoder sees it.

`fill` lets the surroundings flow into a hole: far ones first, all alike, or the farthest alone. A small U-Net then
draws what such a hole usually shows: surfaces and edges go on behind what hid them, the floor goes on past the
frame's edge. It sees one frame at a time; the generator makes frames agree and has the last word. Where nothing is
missing it removes the flying pixels that the splat leaves at jumps of depth.

    starts (N, 9, H, W), known (N, H, W), depth (N, H, W)
      three fills, mask, relative disparity       (N, 11, H, W)
      2x2 pixels to channels                      (N, 44, H/2, W/2)
      down to 1/16, residual blocks at each size, attention over the whole picture at the last, up again
      what the first fill lacks                   (N, 3, H, W)
"""

from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

import torch
import torch.nn.functional as F
from einops import rearrange
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from .fill import DISTANCE_RANGE, fill_holes, median_depth
from .splat import Render

POWERS = (1.0, 0.0, 3.0)  # of distance, one for each of the fills
FRAMES_AT_ONCE = 4  # bounds memory and stays near the caches; the result doesn't depend on it


@dataclass(frozen=True)
class CompletionConfig:
    """Widths at 1/2, 1/4, 1/8 and 1/16 of the picture, and residual blocks there, once on the way down and once up."""

    widths: tuple[int, int, int, int] = (32, 64, 128, 224)
    blocks: tuple[int, int, int, int] = (1, 1, 2, 3)


def zero(module: nn.Module) -> None:
    """Start a module at zero, so that what it is added to goes through unchanged."""
    for parameter in module.parameters():
        nn.init.zeros_(parameter)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions around a shortcut; the second starts at zero, so a new block does nothing."""

    def __init__(self, width: int):
        super().__init__()
        self.norm = nn.GroupNorm(1, width)
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        zero(self.second)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(F.silu(self.first(F.silu(self.norm(x)))))


class GlobalAttention(nn.Module):
    """Every place looks at every other: what stands at one end of the picture tells what to expect at the other."""

    def __init__(self, width: int, heads: int = 4):
        super().__init__()
        self.heads = heads
        self.norm = nn.GroupNorm(1, width)
        self.qkv = nn.Conv2d(width, 3 * width, 1)
        self.out = nn.Conv2d(width, width, 1)
        zero(self.out)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        query, key, value = rearrange(
            self.qkv(self.norm(x)), "n (three k c) h w -> three n k (h w) c", three=3, k=self.heads
        )
        seen = F.scaled_dot_product_attention(query, key, value)
        return x + self.out(rearrange(seen, "n k (h w) c -> n (k c) h w", h=height, w=width))


class Completion(nn.Module):
    """See the module's docstring. A new one changes nothing."""

    def __init__(self, config: CompletionConfig):
        super().__init__()
        self.config = config
        widths, blocks = config.widths, config.blocks
        self.stem = nn.Conv2d(44, widths[0], 3, padding=1)
        self.down = nn.ModuleList(_stage(width, count) for width, count in zip(widths, blocks, strict=True))
        self.shrink = nn.ModuleList(nn.Conv2d(fine, coarse, 2, stride=2) for fine, coarse in pairwise(widths))
        self.middle = nn.Sequential(GlobalAttention(widths[-1]), ResidualBlock(widths[-1]))
        self.grow = nn.ModuleList(nn.Conv2d(coarse, 4 * fine, 1) for fine, coarse in pairwise(widths))
        self.up = nn.ModuleList(_stage(width, count) for width, count in zip(widths, blocks, strict=True))
        self.head = nn.Conv2d(widths[0], 12, 3, padding=1)
        zero(self.head)

    def forward(self, starts: Tensor, known: Tensor, depth: Tensor) -> Tensor:
        """Pictures (N, 3, H, W) of `starts_of`'s fills (N, 9, H, W), known (N, H, W) bool, depth (N, H, W)."""
        picture = torch.cat([starts, (2.0 * known - 1).unsqueeze(1), relative_disparity(known, depth)], dim=1)
        x = F.pixel_unshuffle(picture, 2).to(self.stem.weight.dtype)
        x = self.stem(x.contiguous(memory_format=torch.channels_last))
        passed = []
        for stage, shrink in zip(self.down, self.shrink, strict=False):
            x = stage(x)
            passed.append(x)
            x = shrink(x)
        x = self.up[-1](self.middle(self.down[-1](x)))
        for stage, grow, skip in reversed(list(zip(self.up, self.grow, passed, strict=False))):
            x = stage(F.pixel_shuffle(grow(x), 2) + skip)
        lacks = F.pixel_shuffle(self.head(F.silu(x)), 2).to(starts.dtype)
        return starts[:, :3] + lacks

    @torch.inference_mode()
    def complete(self, render: Render) -> Tensor:
        """The render's colour (F, 3, H, W) with every hole completed, in [-1, 1], on the render's device."""
        device, parts = self.stem.weight.device, []
        for some in render.split(FRAMES_AT_ONCE):
            parts.append(self(*(x.to(device) for x in (starts_of(some), some.known, some.depth))))
        return torch.cat(parts).clamp(-1, 1).to(render.colour.device)

    def set_dtype(self, dtype: torch.dtype) -> "Completion":
        """Weights in `dtype`, channels last, which is what a CPU's convolutions are fast with."""
        return self.to(dtype=dtype, memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]

    @classmethod
    def load(cls, path: Path) -> "Completion":
        """Weights written by `save`, on the CPU."""
        tensors = load_file(path)
        sizes = [int(n) for n in tensors.pop("config").tolist()]
        completion = cls(CompletionConfig(tuple(sizes[:4]), tuple(sizes[4:])))  # type: ignore[arg-type]
        completion.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
        return completion

    def save(self, path: Path) -> None:
        """Weights in bfloat16, and the configuration."""
        tensors = {
            name: tensor.detach().bfloat16().contiguous() for name, tensor in self.state_dict().items()
        }
        values = asdict(self.config)
        save_file(tensors | {"config": torch.tensor([*values["widths"], *values["blocks"]])}, path)


def _stage(width: int, blocks: int) -> nn.Sequential:
    return nn.Sequential(*(ResidualBlock(width) for _ in range(blocks)))


def starts_of(render: Render) -> Tensor:
    """A render's holes filled in three ways (F, 9, H, W): far surroundings first, all alike, the farthest alone.

    Which of them is right depends on whether a hole lies behind something or past the frame's edge.
    """
    return fill_holes(render, POWERS)


def relative_disparity(known: Tensor, depth: Tensor) -> Tensor:
    """Logarithm of the frame's median depth over depth, within DISTANCE_RANGE: 0 in holes. (N, H, W) -> (N, 1, H, W).

    It tells which side of a hole lies behind, whatever the scene's unit; the far end stands for the sky.
    """
    nearest, farthest = DISTANCE_RANGE
    relative = (depth / median_depth(known & depth.isfinite(), depth)).clamp(nearest, farthest)
    return torch.where(known, -relative.log(), 0.0).unsqueeze(1)

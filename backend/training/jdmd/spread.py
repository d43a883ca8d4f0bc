"""How clean latents lie around what a network expects of them: normal, far where the render is rich, smooth or grainy.

By Bayes' rule that says what a noisy clip was before, without a network (Wiener's filter). Its variance is that of the
place: on a wall the render lacks a hundredth of what it lacks in leaves. How that is spread over frequencies is each
channel's own: taken as one number a channel, everything that is not known would be grain.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .condition import Condition, per_clip

KNOWN = 0.5
"""Mean of a latent's mask from which on it counts as known, as in the causal stage's loss."""
LEAST = 0.02**2
"""Variance, of latents of unit variance: where the error were nothing, no noisy clip would tell anything."""
KINDS = "covered", "holes", "nothing"
"""Of latents: the render knows them, or lacks them, or there is no render."""
CONTRASTS = 0.02, 0.1, 0.3, 0.7
"""Between the levels of how rich the render is around a latent: variance there, over the picture."""
LEVELS = len(CONTRASTS) + 1
TIMES = np.arange(6) / 6
"""Frequencies in time at which power is kept, of half a cycle a latent."""
RADII = np.array([0.0, 0.06, 0.12, 0.2, 0.3, 0.4, 0.5, 0.62, 0.75, 0.9, 1.1, 1.4])
"""The same in the picture, in any direction. Between them power is interpolated."""


class Spread(nn.Module):
    """Variance of what lacks an expectation at each kind and level (3, LEVELS, C), and the power (3, C, T, R) at each
    frequency that it has in units of that.

    Kept as weighted sums of squares and of weights, in buffers, so that more can be added to them.
    """

    local_squares: Tensor
    local_counts: Tensor
    squares: Tensor
    counts: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("local_squares", torch.zeros(len(KINDS), LEVELS, channels))
        self.register_buffer("local_counts", torch.zeros(len(KINDS), LEVELS, 1))
        self.register_buffer("squares", torch.zeros(len(KINDS), channels, len(TIMES), len(RADII)))
        self.register_buffer("counts", torch.zeros(len(KINDS), 1, len(TIMES), len(RADII)))

    @staticmethod
    def of(
        examples: Sequence[Mapping[str, Tensor]], expected: Callable[[int], Tensor] | None = None
    ) -> "Spread":
        """Of examples with their truth (G, C, h, w), and with render and mask where they have those.

        expected: what is expected of the example of an index, (G, C, h, w); its render, where nothing is given.
        """
        spread = Spread(examples[0]["truth"].shape[1])
        clips: list[tuple[Tensor, Condition]] = []
        for index, each in enumerate(examples):
            truth = each["truth"].float()[None]
            clips.append((truth, Condition.nothing(truth)))
            if "render" in each:
                render, mask = each["render"].float()[None], each["mask"].float()[None]
                about = expected(index).float()[None] if expected else render
                clips.append((truth - about, Condition(render, mask, render)))
        for apart, condition in clips:
            spread._add_local(apart, condition, 1.0)
        for apart, condition in clips:
            spread._add_power(apart, condition, 1.0)
        return spread

    @torch.no_grad()
    def add(self, x0: Tensor, condition: Condition, expected: Tensor, kept: float = 1.0) -> None:
        """Count clips x0 (B, G, C, h, w) of which that was expected. kept: share that remains of what was counted."""
        apart = (x0 - expected).float()
        self._add_local(apart, condition, kept)
        self._add_power(apart, condition, kept)

    def forget(self) -> None:
        """Begin anew, with nothing counted."""
        for total in self.buffers():
            total.zero_()

    def _add_local(self, apart: Tensor, condition: Condition, kept: float) -> None:
        places = _places(condition)
        squares, counts = torch.zeros_like(self.local_squares), torch.zeros_like(self.local_counts)
        chosen = places.flatten()
        squares.view(-1, squares.shape[-1]).index_add_(
            0, chosen, apart.square().movedim(2, -1).flatten(0, -2)
        )
        counts.view(-1, 1).index_add_(0, chosen, torch.ones(len(chosen), 1, device=chosen.device))
        _blend((self.local_squares, self.local_counts), (squares, counts), kept)

    def _add_power(self, apart: Tensor, condition: Condition, kept: float) -> None:
        places, nodes = _places(condition), _nodes(*_size(apart)).to(apart)
        even = apart / self.local().flatten(0, 1)[places].movedim(-1, 2).sqrt()
        squares, counts = torch.zeros_like(self.squares), torch.zeros_like(self.counts)
        for kind in range(len(KINDS)):
            weight = (places // LEVELS == kind).to(apart)[:, :, None]
            if weight.any():
                power = _cosines(even * weight).square().sum(dim=0)
                squares[kind] = torch.einsum("trghw,gchw->ctr", nodes, power)
                counts[kind] = nodes.sum(dim=(2, 3, 4)) * weight.mean(dim=(1, 2, 3, 4)).sum()
        _blend((self.squares, self.counts), (squares, counts), kept)

    def local(self) -> Tensor:
        """Variances (3, LEVELS, C)."""
        return _ratio(self.local_squares, self.local_counts, (1,)).clamp(min=LEAST)

    def power(self) -> Tensor:
        """(3, C, T, R), about 1 on the mean."""
        return _ratio(self.squares, self.counts, (-2, -1)).clamp(min=LEAST)

    def guess(
        self, expected: Tensor, noisy: Tensor, sigma: Tensor, condition: Condition
    ) -> tuple[Tensor, Tensor]:
        """What noisy clips (B, G, C, h, w) at levels sigma (B,) were before, and the deviation of that.

        By Bayes' rule, of clips that are normal around what is `expected` of them. Each kind and level is filtered as
        if all of the clip were of it: exact but for its rim.
        """
        level = per_clip(sigma).to(noisy)
        apart = _cosines(noisy - (1 - level) * expected)
        places, local = _places(condition), self.local().flatten(0, 1).to(noisy)
        power = torch.einsum("qctr,trghw->qgchw", self.power(), _nodes(*_size(noisy))).to(noisy)
        mean, variance = expected, torch.zeros_like(noisy)
        for place in places.unique().tolist():
            weight = (places == place).to(noisy)[:, :, None]
            each = local[place][:, None, None] * power[place // LEVELS]
            seen = (1 - level).square() * each + level.square()
            mean = mean + weight * _cosines((1 - level) * each / seen * apart, back=True)
            left = (level.square() * each / seen).mean(dim=(1, 3, 4), keepdim=True)
            variance = variance + weight * left
        return mean, variance.sqrt()


def _places(condition: Condition) -> Tensor:
    """Which kind and level each latent is of, kind * LEVELS + level: (B, G, h, w)."""
    render = condition.render.float()
    told = render.abs().amax(dim=(1, 2, 3, 4), keepdim=True)[:, :, 0] > 0
    known = condition.mask.mean(dim=2) >= KNOWN
    rich = _blurred((render - _blurred(render)).square().mean(dim=2, keepdim=True))[:, :, 0]
    level = torch.bucketize(rich, torch.tensor(CONTRASTS, device=render.device))
    kind = torch.where(told, torch.where(known, 0, 1), 2)
    return kind * LEVELS + level


def _blurred(x: Tensor) -> Tensor:
    """Latents (B, G, C, h, w), each the mean of those around it in the picture."""
    padded = F.pad(x.flatten(0, 1), (1, 1, 1, 1), mode="replicate")
    return F.avg_pool2d(padded, 3, 1).view_as(x)


def _blend(totals: Sequence[Tensor], more: Sequence[Tensor], kept: float) -> None:
    """Add squares and their counts to those so far, of the kinds (first axis) of which there are any."""
    seen = more[1].flatten(1).amax(dim=1) > 0
    for total, new in zip(totals, more, strict=True):
        chosen = seen.view(-1, *[1] * (total.ndim - 1))
        total.copy_(torch.where(chosen, kept * total + new, total))


def _ratio(squares: Tensor, counts: Tensor, over: tuple[int, ...]) -> Tensor:
    """Squares by counts. Where nothing was counted, the mean over those axes; kinds without any are as the last."""
    mean = squares.sum(over, keepdim=True) / counts.sum(over, keepdim=True).clamp(min=1e-9)
    ratio = torch.where(counts > 0, squares / counts.clamp(min=1e-9), mean)
    there = (counts > 0).flatten(1).any(dim=1).view(-1, *[1] * (squares.ndim - 1))
    return torch.where(there, ratio, ratio[-1:])


def _size(x: Tensor) -> tuple[int, int, int]:
    return x.shape[1], x.shape[3], x.shape[4]


@lru_cache(maxsize=32)
def _nodes(count: int, height: int, width: int) -> Tensor:
    """How much each kept frequency counts for each of a clip's: (T, R, count, height, width), 1 in all for each."""
    times = _between(np.arange(count) / count, TIMES)
    radii = np.hypot(*np.meshgrid(np.arange(height) / height, np.arange(width) / width, indexing="ij"))
    both = np.einsum("tg,rhw->trghw", times, _between(radii, RADII))
    return torch.from_numpy(both).float()


def _between(frequencies: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Weights (len(kept), *frequencies.shape) of linear interpolation between kept frequencies."""
    place = np.interp(frequencies, kept, np.arange(len(kept)))
    return np.maximum(0, 1 - np.abs(place - np.arange(len(kept)).reshape(-1, *[1] * place.ndim)))


def _cosines(x: Tensor, back: bool = False) -> Tensor:
    """The orthonormal cosine transform of clips (B, G, C, h, w) over time and picture, or its inverse."""
    times, rows, columns = (_basis(size).to(x) for size in _size(x))
    if back:
        times, rows, columns = times.T, rows.T, columns.T
    x = torch.einsum("kg,bgchw->bkchw", times, x)
    return rows @ x @ columns.T


@lru_cache(maxsize=64)
def _basis(size: int) -> Tensor:
    """The orthonormal DCT-II (size, size), a row for each frequency."""
    place, frequency = np.arange(size) + 0.5, np.arange(size)[:, None]
    rows = np.cos(np.pi * frequency * place / size) * np.sqrt(2 / size)
    rows[0] /= np.sqrt(2)
    return torch.from_numpy(rows).float()

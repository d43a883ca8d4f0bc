"""Stage `autoencoder`: tiny's, principal components in closed form, then the decoder by gradient descent.

A new run may start from another's weights, whose basis it keeps. RUN/codec.safetensors are the averaged weights.
"""

from collections.abc import Sequence as Many
from pathlib import Path

import numpy as np
import torch
from einops import rearrange, repeat
from torch import Tensor

from ..codec.tiny import GROUP, PATCH, TinyCodec, TinyCodecConfig, cosines
from .examples import Sequence, graded, pictures
from .fleet import Fleet
from .runs import Average, cosine, descend, set_rate
from .samples import encoded, last_frame, sheet

CROP = 96  # pixels
GROUPS = 3  # of a crop: the first only comes before, and from the second to the third a stream must not jump
BATCH = 6
LEARNING_RATE = 8e-4
BORDER_WEIGHT = 4.0  # of a step from patch to patch or from group to group
SCALE_POWER = 0.5  # 0: latents are plain components, 1: every component has unit variance


def sequence_files(folders: list[Path]) -> list[Path]:
    return sorted(
        path for folder in folders for path in folder.glob("*.npz") if not path.name.startswith(".")
    )


def principal_components(files: list[Path], channels: int, rng: np.random.Generator) -> dict[str, Tensor]:
    """Mean, first components and their scale over 4-frame 8x8 patches of `files`, frame 0's groups among them.

    Components are sought apart for each frequency in time, and the largest of all are taken. Components of whole
    patches mix frequencies by chance, and a patch that stands still comes back with a shimmer of period 4.
    """
    waves = cosines(GROUP).double()
    total, mean = 0, torch.zeros(GROUP, 3 * PATCH * PATCH, dtype=torch.float64)
    scatter = torch.zeros(GROUP, 3 * PATCH * PATCH, 3 * PATCH * PATCH, dtype=torch.float64)
    for path in files:
        sequence = Sequence.load(path)
        frames = pictures(graded(sequence.colour[0], rng) if rng.random() < 0.5 else sequence.colour[0])
        alone = repeat(frames[:1], "1 c h w -> 1 t c h w", t=GROUP)
        groups = torch.cat([alone, rearrange(frames[1:], "(g t) c h w -> g t c h w", t=GROUP)])
        patches = rearrange(groups, "g t c (h p) (w q) -> t (g h w) (c p q)", p=PATCH, q=PATCH)
        waved = torch.einsum("k t, t n v -> k n v", waves.float(), patches)
        total += waved.shape[1]
        mean += waved.sum(1)
        scatter += waved.mT @ waved
    mean /= total
    mean[1:] = 0  # time may run either way
    variance, vectors = torch.linalg.eigh(scatter / total - mean[:, :, None] * mean[:, None, :])
    order = variance.flatten().argsort(descending=True)[:channels]
    frequency, place = order // variance.shape[1], order % variance.shape[1]
    basis = torch.einsum("n t, n v -> n t v", waves[frequency], vectors[frequency, :, place]).flatten(1)
    deviation = variance.flatten()[order].clamp(min=1e-12).sqrt()
    scale = deviation**SCALE_POWER
    scale *= (deviation / scale).square().mean().sqrt()  # latents of unit variance on the whole
    centre = torch.einsum("k t, k v -> t v", waves, mean).flatten()
    return {"basis": basis.float(), "mean": centre.float(), "scale": scale.float()}


def draw_batch(sequences: list[np.ndarray], rng: np.random.Generator) -> Tensor:
    """Crops (B, GROUPS, 4, 3, CROP, CROP) of sequences drawn at random; every 8th starts a stream, or stands still."""
    crops = []
    for _ in range(BATCH):
        colour = sequences[rng.integers(len(sequences))]
        top, left = rng.integers(0, colour.shape[1] - CROP + 1), rng.integers(0, colour.shape[2] - CROP + 1)
        if rng.random() < 1 / 8:
            frames = np.concatenate([np.repeat(colour[:1], GROUP, 0), colour[1 : 1 + (GROUPS - 1) * GROUP]])
        else:
            start = 1 + rng.integers(0, colour.shape[0] - GROUPS * GROUP)
            frames = colour[start : start + GROUPS * GROUP]
        if rng.random() < 1 / 8:
            frames = np.repeat(frames[:1], len(frames), 0)
        frames = frames[:, top : top + CROP, left : left + CROP]
        if rng.random() < 0.5:
            frames = frames[:, :, ::-1]
        if rng.random() < 0.5:
            frames = graded(frames, rng)
        crops.append(rearrange(pictures(frames), "(g t) c h w -> g t c h w", t=GROUP))
    return torch.stack(crops)


def reconstruction_loss(decoded: Tensor, truth: Tensor) -> Tensor:
    """Squared error of frames (B, F, 3, H, W), plus that of steps from pixel to pixel and from frame to frame.

    The steps are where blur shows, and, from patch to patch and from group to group, a grid and a flicker.
    """
    error = decoded - truth
    across, down, later = (
        step_error(error, dim, period) for dim, period in ((-1, PATCH), (-2, PATCH), (1, GROUP))
    )
    charbonnier = (error.square() + 1e-4).sqrt().mean()
    return error.square().mean() + 0.5 * (across + down + later) + 0.03 * charbonnier


def step_error(error: Tensor, dim: int, period: int) -> Tensor:
    """Mean squared error of steps along `dim`, those from one `period` to the next counted BORDER_WEIGHT times."""
    steps = error.diff(dim=dim).square().movedim(dim, -1)
    weights = torch.ones(steps.shape[-1], device=error.device)
    weights[period - 1 :: period] = BORDER_WEIGHT
    return (steps * weights).mean() / weights.mean()


def decode_crops(codec: TinyCodec, groups: Tensor, noise: float) -> Tensor:
    """Frames (B, F, 3, H, W) of all groups (B, GROUPS, 4, 3, H, W) but the first, each decoded after the one before.

    `noise` is added to the latents: a generator errs, too.
    """
    latents = codec.encode_groups(groups)
    latents = latents + noise * torch.randn_like(latents)
    after, before = (
        rearrange(part, "b g c h w -> (b g) c h w") for part in (latents[:, 1:], latents[:, :-1])
    )
    with torch.autocast(groups.device.type, torch.bfloat16):
        decoded = codec.decode_latents(after, before)
    return rearrange(decoded, "(b g) t c h w -> b (g t) c h w", b=len(groups))


@torch.no_grad()
def evaluate(codec: TinyCodec, sequences: list[np.ndarray]) -> tuple[float, float]:
    """PSNR in dB of held-out sequences (all frames but the first), by the linear basis alone and by the decoder."""
    linear, decoded = [], []
    for colour in sequences:
        frames = pictures(colour)[None].to(codec.basis.device)
        latents = codec.encoder().push(frames)
        flat = rearrange(codec.linear_decode(latents[0]), "g (t c) h w -> (g t) c h w", t=GROUP)[GROUP - 1 :]
        with torch.autocast(frames.device.type, torch.bfloat16):
            full = codec.decoder().push(latents)[0].clamp(-1, 1)
        linear.append((flat.clamp(-1, 1) - frames[0]).square().mean() / 4)
        decoded.append((full - frames[0]).square().mean() / 4)
    return tuple(-10 * float(np.log10(np.mean(errors))) for errors in (linear, decoded))  # type: ignore[return-value]


class Autoencoder:
    """The stage: trained on the sequences of `folders`, its figures those of `tests`.

    start: weights to go on from.
    """

    name, every = "codec", 200

    def __init__(
        self,
        folders: Many[Path],
        tests: Many[Path],
        config: TinyCodecConfig,
        start: Path | None = None,
        seed: int = 0,
        fleet: Fleet | None = None,
    ) -> None:
        self._seed, self._fleet = seed, fleet or Fleet()
        rng = np.random.default_rng(seed)
        torch.manual_seed(seed)
        codec = TinyCodec(config) if start is None else TinyCodec.load(start).train()
        files = sequence_files(list(folders))
        if not files:
            raise ValueError(
                f"There are no sequences in {', '.join(map(str, folders)) or 'no folder at all'}."
            )
        self._tests = [Sequence.load(path).colour[0] for path in sequence_files(list(tests))]
        if start is None:
            measured = principal_components(
                list(rng.permutation(np.array(files))[:150]), config.latent_channels, rng
            )
            codec.load_state_dict(measured, strict=False)
        self.model = codec.to(self._fleet.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimizers: list[torch.optim.Optimizer] = [
            torch.optim.AdamW(codec.parameters(), lr=LEARNING_RATE, weight_decay=1e-4, betas=(0.9, 0.98))
        ]
        self.average = Average(codec, 0.998)
        self._sequences = [Sequence.load(path).colour[0] for path in files]

    def step(self, number: int, progress: float) -> dict[str, float]:
        """See `loop.Stage`."""
        place = (self._seed, number, self._fleet.rank)
        rng = np.random.default_rng(place)
        torch.manual_seed(int(rng.integers(1 << 31)))
        groups = draw_batch(self._sequences, rng).to(self._fleet.device)
        noise = float(rng.random() < 0.7) * float(rng.uniform(0, 0.3))
        truth = rearrange(groups[:, 1:], "b g t c h w -> b (g t) c h w")
        loss = reconstruction_loss(decode_crops(self.model, groups, noise), truth)
        set_rate(self.optimizers, LEARNING_RATE * cosine(progress))
        descend(loss, self.model, self.optimizers, self._fleet)
        self.average.update(self.model, number + 1)
        return {"loss": loss.item()}

    def _averaged(self) -> TinyCodec:
        averaged = TinyCodec(self.model.config)
        averaged.load_state_dict(self.model.state_dict())
        self.average.copy_to(averaged)
        return averaged.to(self._fleet.device)

    @torch.no_grad()
    def look(self) -> tuple[dict[str, float], np.ndarray | None]:
        """PSNR of the held-out sequences, by the linear basis alone and by the decoder; frames, and what comes back."""
        if not self._tests:
            return {}, None
        codec, rows = self._averaged(), []
        linear, decoded = evaluate(codec, self._tests)
        for colour in self._tests[:4]:
            latents = encoded(codec, pictures(colour))
            rows.append([pictures(colour[-1:])[0], last_frame(codec, latents)])
        return {"psnr_linear": linear, "psnr": decoded}, sheet(rows)

    def save(self, folder: Path) -> None:
        """codec.safetensors."""
        self._averaged().cpu().save(folder / "codec.safetensors")

"""Training of tiny's autoencoder: principal components in closed form, then the decoder by gradient descent.

    python -m backend.training.codec --data DIR [DIR ...] --run DIR --minutes 30

Resumes from RUN/codec.pt. Writes RUN/codec.safetensors (the averaged weights) at every checkpoint.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from einops import rearrange, repeat
from torch import Tensor

from ..codec.tiny import GROUP, PATCH, TinyCodec, TinyCodecConfig
from .examples import Sequence, graded, pictures
from .runs import Average, Clock, cosine, load_checkpoint, save_checkpoint

CROP = 96  # pixels; a crop is two groups long, so that the decoder has a latent before
BATCH = 8
LEARNING_RATE = 8e-4
HELD_OUT = {f"scene_001_{5000 + index:06d}" for index in range(12)}
SCALE_POWER = 0.5  # 0: latents are plain components, 1: every component has unit variance


def sequence_files(folders: list[Path]) -> list[Path]:
    return sorted(
        path for folder in folders for path in folder.glob("*.npz") if not path.name.startswith(".")
    )


def principal_components(files: list[Path], channels: int, rng: np.random.Generator) -> dict[str, Tensor]:
    """Mean, first components and their scale over 4-frame 8x8 patches of `files`, frame 0's groups among them."""
    values = GROUP * 3 * PATCH * PATCH
    total, mean = 0, torch.zeros(values, dtype=torch.float64)
    scatter = torch.zeros(values, values, dtype=torch.float64)
    for path in files:
        sequence = Sequence.load(path)
        frames = pictures(graded(sequence.colour[0], rng) if rng.random() < 0.5 else sequence.colour[0])
        alone = repeat(frames[:1], "1 c h w -> 1 t c h w", t=GROUP)
        groups = torch.cat([alone, rearrange(frames[1:], "(g t) c h w -> g t c h w", t=GROUP)])
        patches = rearrange(groups, "g t c (h p) (w q) -> (g h w) (t c p q)", p=PATCH, q=PATCH).double()
        total += len(patches)
        mean += patches.sum(0)
        scatter += patches.T @ patches
    mean /= total
    variance, vectors = torch.linalg.eigh(scatter / total - torch.outer(mean, mean))
    deviation = variance.flip(0)[:channels].clamp(min=1e-12).sqrt()
    scale = deviation**SCALE_POWER
    scale *= (deviation / scale).square().mean().sqrt()  # latents of unit variance on the whole
    return {"basis": vectors.flip(1)[:, :channels].T.float(), "mean": mean.float(), "scale": scale.float()}


def draw_batch(sequences: list[np.ndarray], rng: np.random.Generator) -> Tensor:
    """Crops (B, 2, 4, 3, CROP, CROP): two groups in a row of sequences drawn at random; every 8th starts a stream."""
    crops = []
    for _ in range(BATCH):
        colour = sequences[rng.integers(len(sequences))]
        top, left = rng.integers(0, colour.shape[1] - CROP + 1), rng.integers(0, colour.shape[2] - CROP + 1)
        if rng.random() < 1 / 8:
            frames = np.concatenate([np.repeat(colour[:1], GROUP, 0), colour[1 : 1 + GROUP]])
        else:
            start = 1 + rng.integers(0, colour.shape[0] - 2 * GROUP)
            frames = colour[start : start + 2 * GROUP]
        frames = frames[:, top : top + CROP, left : left + CROP]
        if rng.random() < 0.5:
            frames = frames[:, :, ::-1]
        if rng.random() < 0.5:
            frames = graded(frames, rng)
        crops.append(rearrange(pictures(frames), "(g t) c h w -> g t c h w", t=GROUP))
    return torch.stack(crops)


def reconstruction_loss(decoded: Tensor, truth: Tensor) -> Tensor:
    """Squared error, plus the error of pixel-to-pixel steps, which is where blur and patch grids show."""
    error = decoded - truth
    across, down = error.diff(dim=-1), error.diff(dim=-2)
    charbonnier = (error.square() + 1e-4).sqrt().mean()
    return error.square().mean() + 0.5 * (across.square().mean() + down.square().mean()) + 0.03 * charbonnier


def decode_pair(codec: TinyCodec, groups: Tensor, noise: float) -> Tensor:
    """Second group of each pair (B, 2, 4, 3, H, W) decoded after the first; `noise` on both, as a generator errs."""
    latents = codec.encode_groups(groups)
    latents = latents + noise * torch.randn_like(latents)
    with torch.autocast("cpu", torch.bfloat16):
        return codec.decode_latents(latents[:, 1], latents[:, 0])


@torch.no_grad()
def evaluate(codec: TinyCodec, sequences: list[np.ndarray]) -> tuple[float, float]:
    """PSNR in dB of held-out sequences (all frames but the first), by the linear basis alone and by the decoder."""
    linear, decoded = [], []
    for colour in sequences:
        frames = pictures(colour)[None]
        latents = codec.encoder().push(frames)
        flat = rearrange(codec.linear_decode(latents[0]), "g (t c) h w -> (g t) c h w", t=GROUP)[GROUP - 1 :]
        with torch.autocast("cpu", torch.bfloat16):
            full = codec.decoder().push(latents)[0].clamp(-1, 1)
        linear.append((flat.clamp(-1, 1) - frames[0]).square().mean() / 4)
        decoded.append((full - frames[0]).square().mean() / 4)
    return tuple(-10 * float(np.log10(np.mean(errors))) for errors in (linear, decoded))  # type: ignore[return-value]


def train(folders: list[Path], run: Path, minutes: float, config: TinyCodecConfig, seed: int = 0) -> None:
    """Train on the sequences of `folders`, which may grow meanwhile, but for HELD_OUT: those give the log's PSNR."""
    run.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    codec = TinyCodec(config)
    files = sequence_files(folders)
    tests = [Sequence.load(path).colour[0] for path in files if path.stem in HELD_OUT]
    files = [path for path in files if path.stem not in HELD_OUT]
    checkpoint = load_checkpoint(run / "codec.pt")
    if checkpoint is None:
        measured = principal_components(
            list(rng.permutation(np.array(files))[:150]), config.latent_channels, rng
        )
        codec.load_state_dict(measured, strict=False)
    optimizer = torch.optim.AdamW(codec.parameters(), lr=LEARNING_RATE, weight_decay=1e-4, betas=(0.9, 0.98))
    codec.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    average, step, before = Average(codec, 0.998), 0, 0.0
    if checkpoint is not None:
        codec.load_state_dict(checkpoint["codec"])
        optimizer.load_state_dict(checkpoint["optimizer"])
        average.weights, step, before = checkpoint["average"], checkpoint["step"], checkpoint["seconds"]
        rng = np.random.default_rng((seed, step))
    sequences = [Sequence.load(path).colour[0] for path in files]
    clock = Clock(run / "codec.jsonl", before)
    losses: list[float] = []
    while clock.seconds < minutes * 60:
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * cosine(clock.seconds / (minutes * 60))
        groups = draw_batch(sequences, rng)
        noise = float(rng.random() < 0.7) * float(rng.uniform(0, 0.3))
        loss = reconstruction_loss(decode_pair(codec, groups, noise), groups[:, 1])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(codec.parameters(), 1.0)
        optimizer.step()
        step += 1
        average.update(codec, step)
        losses.append(loss.item())
        if step % 200 == 0 or clock.seconds >= minutes * 60:
            averaged = TinyCodec(config)
            averaged.load_state_dict(codec.state_dict())
            average.copy_to(averaged)
            linear, decoded = evaluate(averaged, tests)
            clock.report(step=step, loss=float(np.mean(losses)), psnr_linear=linear, psnr=decoded)
            losses.clear()
            new = [
                path for path in sequence_files(folders) if path.stem not in HELD_OUT and path not in files
            ]
            sequences += [Sequence.load(path).colour[0] for path in new]
            files += new
            averaged.save(run / "codec.safetensors")
            save_checkpoint(
                run / "codec.pt",
                {
                    "codec": codec.state_dict(),
                    "optimizer": optimizer.state_dict(),
                    "average": average.weights,
                    "step": step,
                    "seconds": clock.seconds,
                },
            )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="folders of sequences")
    parser.add_argument("--run", type=Path, required=True, help="folder of checkpoints")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--channels", type=int, default=TinyCodecConfig.latent_channels)
    arguments = parser.parse_args()
    config = TinyCodecConfig(latent_channels=arguments.channels)
    train(arguments.data, arguments.run, arguments.minutes, config)


if __name__ == "__main__":
    main()

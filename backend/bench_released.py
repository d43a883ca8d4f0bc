"""Measures a released preset stage by stage, and holds each stage against its floor.

    inspatio bench --preset inspatio-1.5-1.3b --random-weights                       on a GPU, as it is
    inspatio bench --preset inspatio-1.5-1.3b --random-weights --size 208x128 --scale 6   on a CPU, scaled down
    inspatio bench --preset inspatio-1.5-1.3b --count            nothing is run: operations, bytes, an H100's floors

A real session generates a take of the bench's room, twice: once to warm up, once on the clock. The room is a moving
reference, so every block encodes it beside the render; a still one costs that until its latents have settled. Random
weights take the time that trained ones do, so no file is needed. `scale` divides channels, heads and layers of the
generator and channels of Wan's autoencoder; TAEHV has one size.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import torch

from .bench import BenchError, machine, room, room_cameras
from .codec import Codec
from .codec.taehv import Taehv
from .device import PRECISIONS, Device, DeviceError, default_device
from .floors import H100, Work, block_work, floor, measure_ceilings
from .memory import MB, peak_mb
from .model import CausalDiT, GeneratorConfig
from .model.accelerate import AccelerationError, Accelerator
from .plan import Plan
from .presets import Autoencoder, LoadedPreset, Preset, PresetError, Presets
from .presets.released import RELEASED
from .protocol.blocks import block_size, block_span
from .residency import Networks
from .session import Session, SessionError, camera_block
from .world import World

SEED = 0
WARM_UP_BLOCKS, BLOCKS = 2, 4
"""Blocks of the take that warms up, and of the one on the clock: all but its first are counted."""
SCALES = (1, 2, 3, 4, 6, 12)
"""What the generator's 12 heads can be divided by."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Setting:
    """What is measured. precision, compiling, ahead: None for what the device does by itself."""

    preset: str
    width: int
    height: int
    scale: int = 1
    quality: str = "draft"
    precision: str | None = None
    compiling: bool | None = None
    random_weights: bool = False
    ahead: bool | None = None

    def __post_init__(self) -> None:
        if self.preset not in RELEASED:
            raise BenchError(
                f"{self.preset} has no stages to hold against floors: choose {', '.join(RELEASED)}."
            )
        if self.scale not in SCALES:
            raise BenchError(f"A generator of 12 heads can be scaled by {', '.join(map(str, SCALES))}.")
        if self.scale > 1 and not self.random_weights:
            raise BenchError("Only random weights can be scaled down: add --random-weights.")

    @property
    def config(self) -> GeneratorConfig:
        """The preset's generator, scaled; channels in steps of 16."""
        full = RELEASED[self.preset].config
        return replace(
            full,
            dim=full.dim // self.scale,
            ffn_dim=full.ffn_dim // self.scale // 16 * 16,
            num_heads=full.num_heads // self.scale,
            num_layers=max(2, full.num_layers // self.scale),
            text_dim=full.text_dim // self.scale,
        )


@dataclass(frozen=True)
class Stage:
    """A stage of a block: what it took, what it does, and what that takes at least."""

    name: str
    milliseconds: float
    work: Work
    floor_ms: float


def measure(setting: Setting, out: Path, compiled: Path | None, say: Say) -> str:
    """Measure, write `out`, and return the table. `compiled` is a folder for compiled layers. Raises BenchError."""
    try:
        figures, table = _measure(setting, compiled, say)
    except (AccelerationError, DeviceError, PresetError, SessionError) as error:
        raise BenchError(str(error)) from error
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    return table


def _measure(setting: Setting, compiled: Path | None, say: Say) -> tuple[dict[str, Any], str]:
    before, device = machine(), _device(setting)
    say("Loading the networks")
    if setting.random_weights:
        preset = _random(setting, device, compiled)
    else:
        preset = Presets(device=device, compiling=setting.compiling).load(setting.preset)
    accelerator = preset.accelerator
    assert accelerator is not None
    ahead = device.torch_device.type == "cuda" if setting.ahead is None else setting.ahead
    say("Measuring what the device can do")
    ceilings = measure_ceilings(device.torch_device, device.dtype, device.fp8)
    start = time.perf_counter()
    accelerator.warm_up(
        setting.height // 8, setting.width // 8, lambda text, share: say(f"{text} ({share:.0%})")
    )
    say("Warming up")
    _take(preset, setting, WARM_UP_BLOCKS)
    warm_up_seconds = time.perf_counter() - start
    if device.torch_device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    say("Measuring")
    seconds, milliseconds = _take(preset, setting, BLOCKS)
    counted = slice(1, None)
    # Stage by stage nothing runs beside anything; how fast a take is, it is as takes are made.
    whole = _take(preset.under(Plan(ahead=True)), setting, BLOCKS)[0] if ahead else seconds
    work = work_of(setting, device.dtype, fp8=device.fp8)
    stages = [
        Stage(
            name,
            median(block[name] for block in milliseconds[counted]),
            done,
            1000 * floor(done, ceilings, device.fp8),
        )
        for name, done in work.items()
    ]
    figures = {
        **asdict(setting),
        "precision": device.precision,
        "compiled": accelerator.compiled,
        "ahead": ahead,
        "machine": before,
        "device": device.words,
        "ceilings": asdict(ceilings),
        "stages": {
            stage.name: {**asdict(stage.work), "ms": stage.milliseconds, "floor_ms": round(stage.floor_ms, 4)}
            for stage in stages
        },
        "block_s": round(median(whole[counted]), 4),
        "fps": round(block_size(1) / median(whole[counted]), 3),
        "first_block_s": round(seconds[0], 4),
        "warm_up_s": round(warm_up_seconds, 2),
        "peak_mb": _peak_mb(device),
    }
    return figures, _report(figures, stages)


def count(setting: Setting) -> str:
    """Operations and bytes of every stage, and an H100's floors.

    Of a block that encodes its reference, and of one whose still reference has settled.
    """
    precision = setting.precision or "bf16"
    text = []
    for encoded, when in ((True, "reference encoded"), (False, "reference settled")):
        work = work_of(setting, PRECISIONS[precision], fp8=precision == "fp8", reference_encoded=encoded)
        floors = {name: 1000 * floor(done, H100, precision == "fp8") for name, done in work.items()}
        total = sum(floors.values())
        lines = [f"{name:8} {_numbers(done)} {floors[name]:10.3f}" for name, done in work.items()]
        whole = sum(work.values(), Work())
        text.append(
            f"{setting.preset}, {setting.width}x{setting.height}, {setting.quality}, {precision}, {when}\n"
            f"{'stage':8} {'TFLOP':>9} {'GB':>8} {'floor ms':>10}   ({H100.name})\n"
            + "\n".join(lines)
            + f"\n{'total':8} {_numbers(whole)} {total:10.3f}"
            + f"   at most {1000 * block_size(1) / total:.0f} frames a second\n"
        )
    return "\n".join(text)


def work_of(
    setting: Setting, dtype: torch.dtype, *, fp8: bool = False, reference_encoded: bool = True
) -> dict[str, Work]:
    """What every stage of a later block does."""
    with torch.device("meta"):
        dit = CausalDiT(setting.config).to(dtype)
    dit.fuse()
    codec = _random_codec(setting, torch.device("meta"), dtype)
    return block_work(
        dit, codec, setting.width, setting.height, 1, reference_encoded=reference_encoded, fp8=fp8
    )


def _device(setting: Setting) -> Device:
    return default_device().in_precision(setting.precision or "")


def _take(preset: LoadedPreset, setting: Setting, blocks: int) -> tuple[list[float], list[dict[str, float]]]:
    """Seconds of every block of a take of the room, opening the session with the first, and of its stages."""
    frames = block_span(blocks - 1, 1 << 20).start + block_size(blocks - 1)
    world = _room_world(setting, frames)
    cameras = room_cameras(world.intrinsics[0].flatten().tolist(), frames)
    seconds, milliseconds = [], []
    start = time.perf_counter()
    session = Session(
        preset,
        world,
        setting.width,
        setting.height,
        SEED,
        keep_reference_detail=preset.preset.keep_reference_detail,
        quality=setting.quality,
    )
    for block in range(blocks):
        after = cameras.after(block)
        made = session.step(
            camera_block(cameras.block(block)), following=None if after is None else camera_block(after)
        )
        seconds.append(time.perf_counter() - start)
        milliseconds.append(made.milliseconds)
        start = time.perf_counter()
    return seconds, milliseconds


def _room_world(setting: Setting, frames: int) -> World:
    """The bench's room at the size of the take, as footage in which nothing moves."""
    colour, depth, lens = room(setting.width, setting.height)
    return World(
        "moving",
        torch.from_numpy(colour).permute(2, 0, 1).expand(frames, -1, -1, -1),
        torch.from_numpy(depth).expand(frames, -1, -1),
        torch.tensor(lens, dtype=torch.float64).view(3, 3).expand(frames, -1, -1),
        torch.eye(4, dtype=torch.float64).expand(frames, -1, -1),
        torch.arange(1, frames + 1, dtype=torch.float64),
    )


def _random(setting: Setting, device: Device, compiled: Path | None = None) -> LoadedPreset:
    """The preset with random weights, the same ones every time. `compiled` is a folder for compiled layers."""
    released, config = RELEASED[setting.preset], setting.config
    torch.manual_seed(SEED)
    with _made_on(device.torch_device, device.dtype):
        dit = CausalDiT(config).eval().requires_grad_(False)
        embedding = torch.randn(1, config.text_len, config.text_dim)
    codec = _random_codec(setting, device.torch_device, device.dtype)
    with torch.inference_mode():
        text = dit.encode_text(embedding)
    described = Preset(released.id, released.label, released.width, released.height, 16, True, True, False)
    return LoadedPreset(
        described,
        dit,
        lambda quality: Autoencoder(codec, "random"),
        None,
        lambda prompt: text,
        device,
        Networks(device),
        accelerator=Accelerator(dit, device.torch_device, device.fp8, setting.compiling, compiled),
    )


def _random_codec(setting: Setting, device: torch.device, dtype: torch.dtype) -> Codec:
    """The autoencoder of the quality, with random weights."""
    if setting.quality == "draft":
        with _made_on(device, dtype):
            return Taehv().eval().requires_grad_(False)
    try:
        from diffusers import AutoencoderKLWan
    except ImportError as error:
        raise BenchError(
            "Final needs the package diffusers: install it, or choose --quality draft."
        ) from error
    from .codec.wan import WanCodec

    with _made_on(device, dtype):
        vae = AutoencoderKLWan(base_dim=96 // setting.scale).eval().requires_grad_(False)
    return WanCodec(vae).to(device)


@contextmanager
def _made_on(device: torch.device, dtype: torch.dtype) -> Iterator[None]:
    """Parameters are made on the device in their format: in float32 first, they would take twice the memory."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            yield
    finally:
        torch.set_default_dtype(before)


def _peak_mb(device: Device) -> float:
    """The most memory that tensors took on a GPU during the take; elsewhere, that the process ever did."""
    if device.torch_device.type == "cuda":
        return round(torch.cuda.max_memory_allocated(device.torch_device) / MB, 1)
    return peak_mb()


def _report(figures: dict[str, Any], stages: list[Stage]) -> str:
    """The figures as a table for a person."""
    ceilings = figures["ceilings"]
    lines = [
        f"{figures['preset']}, {figures['width']}x{figures['height']}, scale {figures['scale']}, "
        f"{figures['quality']}, {figures['precision']}, {'compiled' if figures['compiled'] else 'not compiled'}, "
        f"{'the next block prepared meanwhile' if figures['ahead'] else 'one block after the other'}",
        f"{ceilings['name']}: {ceilings['operations'] / 1e12:.3g} TFLOP/s, {ceilings['bandwidth'] / 1e9:.3g} GB/s",
        f"{'stage':8} {'ms':>10} {'TFLOP':>9} {'GB':>8} {'floor ms':>10} {'ratio':>7}",
    ]
    for stage in [*stages, _total(stages)]:
        ratio = stage.milliseconds / stage.floor_ms if stage.floor_ms else 0.0
        lines.append(
            f"{stage.name:8} {stage.milliseconds:10.2f} {_numbers(stage.work)} {stage.floor_ms:10.3f} {ratio:7.2f}"
        )
    lines += [
        f"frames a second      {figures['fps']:g}",
        f"first block          {figures['first_block_s']:g} s after a warm-up of {figures['warm_up_s']:g} s",
        f"peak memory          {figures['peak_mb']:g} MB",
    ]
    return "\n".join(lines) + "\n"


def _total(stages: list[Stage]) -> Stage:
    return Stage(
        "total",
        sum(stage.milliseconds for stage in stages),
        sum((stage.work for stage in stages), Work()),
        sum(stage.floor_ms for stage in stages),
    )


def _numbers(work: Work) -> str:
    return f"{work.operations / 1e12:9.4f} {work.bytes / 1e9:8.3f}"

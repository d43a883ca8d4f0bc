"""The stages of a config, one after the other: what each is trained on and begins with.

autoencoder  sequences            -> RUN/autoencoder/codec.safetensors
             then sequences and real video are encoded, once: RUN/latents
teacher      latents              -> RUN/teacher/teacher.safetensors, RUN/teacher_free/teacher.safetensors
causal       latents              -> RUN/causal/generator.safetensors
jdmd         teachers, the causal -> RUN/jdmd/generator.safetensors
"""

import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..codec.base import Codec
from ..codec.tiny import TinyCodec, TinyCodecConfig
from ..constraint.completion import Completion
from ..digest import digest_files
from ..model import CausalDiT
from ..presets import Presets
from ..presets.tiny import TINY as TINY_PRESET
from ..presets.tiny import WARP
from .codec import Autoencoder
from .config import Config, ConfigError
from .fleet import Fleet
from .generator import TINY, Causal, Latents, load_dit, read_examples
from .jdmd.clips import STILLS, encode_clips
from .jdmd.distil import Distil, stream
from .jdmd.joint import Settings
from .jdmd.teacher import Teacher
from .loop import train
from .prepare import prepare
from .runs import hold_to


def autoencoder(config: Config, fleet: Fleet) -> None:
    """Train the codec, unless the config names one that is trained."""
    asked = config.autoencoder
    if asked.weights is not None:
        _say(fleet, f"autoencoder: {asked.weights} is taken as it is.")
        return
    if config.preset != TINY_PRESET:
        raise ConfigError(f"{config.preset} has an autoencoder of its own, which is not trained here.")
    data = config.data
    _hold(config.codec_file.parent, {"seed": config.seed, "start": asked.start}, fleet)
    stage = Autoencoder(data.scenes, data.held_out, TinyCodecConfig(), asked.start, config.seed, fleet)
    train(stage, config.codec_file.parent, asked.steps, fleet)


def teacher(config: Config, fleet: Fleet) -> None:
    """Train the teacher of re-rendering, then that of real video."""
    latents, asked = encode(config, fleet), config.teacher
    start = None
    if asked.start is not None:
        start = load_dit(asked.start)
    elif config.preset != TINY_PRESET:
        start = student(config)
    shape = TINY if start is None else start.config
    settings = {"seed": config.seed, "batch": asked.batch, "rate": asked.rate, "start": asked.start}
    for free, steps in ((False, asked.steps), (True, asked.free_steps)):
        _hold(_teacher(config, free).parent, settings, fleet)
        stage = Teacher(
            latents("free" if free else "train"),
            latents("free_held_out" if free else "held_out"),
            codec_of(config),
            free,
            asked.batch,
            asked.rate,
            config.seed,
            replace(shape, prediction="flow"),
            start,
            fleet,
        )
        train(stage, _teacher(config, free).parent, steps, fleet)


def causal(config: Config, fleet: Fleet) -> None:
    """Train the student's start, unless the config names one that is trained."""
    asked = config.causal
    if asked.weights is not None:
        _say(fleet, f"causal: {asked.weights} is taken as it is.")
        return
    if config.preset != TINY_PRESET:
        _say(fleet, f"causal: {config.preset} is released as a causal generator, which is taken as it is.")
        return
    latents, codec = encode(config, fleet), TinyCodec.load(config.codec_file)
    examples, data = (latents("train"), latents("held_out")), config.data
    free = latents("free") if data.movies or data.stills else None
    settings = {"seed": config.seed, "batch": asked.batch, "rate": asked.rate, "start": asked.start}
    _hold(config.student_file.parent, settings, fleet)
    stage = Causal(*examples, codec, asked.batch, asked.rate, config.seed, TINY, asked.start, fleet, free)
    train(stage, config.student_file.parent, asked.steps, fleet)


def jdmd(config: Config, fleet: Fleet) -> None:
    """Distil the student between its teachers."""
    latents, asked = encode(config, fleet), config.jdmd
    begun = student(config)
    for free in (False, True)[: 2 if asked.joint > 0 else 1]:
        _check_teacher(config, free)
    held = {name: value for name, value in asdict(asked).items() if name not in ("name", "steps")}
    _hold(config.run / asked.name, {"seed": config.seed, **held}, fleet)
    streams = [
        stream("rerender", _teacher(config, False), latents("train"), asked.batch, 1.0, asked.guidance, fleet)
    ]
    if asked.joint > 0:
        streams.append(
            stream("free", _teacher(config, True), latents("free"), asked.batch, asked.joint, fleet=fleet)
        )
    settings = Settings(
        asked.rate, asked.critic_rate, asked.critic_steps, sampling=asked.sampling, seed=config.seed
    )
    stage = Distil(begun, streams, settings, latents("held_out"), codec_of(config), fleet)
    train(stage, config.run / asked.name, asked.steps, fleet)


STAGES: dict[str, Callable[[Config, Fleet], None]] = {
    "autoencoder": autoencoder,
    "teacher": teacher,
    "causal": causal,
    "jdmd": jdmd,
}
"""In the order in which they need each other."""


def run(config: Config, names: Iterable[str], fleet: Fleet) -> None:
    """Run stages, in their own order. Raises ConfigError, ValueError, loop.Interrupted."""
    chosen = set(names)
    for name, stage in STAGES.items():
        if name in chosen:
            stage(config, fleet)


def codec_of(config: Config) -> Codec:
    """The codec that latents are encoded and shown with. Raises ConfigError where it is missing."""
    if config.preset != TINY_PRESET:
        return Presets().load(config.preset).autoencoder("final").codec
    if not config.codec_file.exists():
        raise ConfigError(f"{config.codec_file} is missing: the stage autoencoder makes it.")
    return TinyCodec.load(config.codec_file)


def student(config: Config) -> CausalDiT:
    """The causal generator that distillation begins with, float32. Raises ConfigError where it is missing."""
    if config.preset != TINY_PRESET:
        return Presets().trainable(config.preset)
    if not config.student_file.exists():
        raise ConfigError(f"{config.student_file} is missing: the stage causal makes it.")
    return load_dit(config.student_file)


def encode(config: Config, fleet: Fleet) -> Callable[[str], list[Latents]]:
    """Encode what isn't yet, by the first process; returns what reads a folder of examples by its name."""
    if fleet.leads:
        _encode(config)
    fleet.wait()
    return lambda name: read_examples(config.latents(name))


def _encode(config: Config) -> None:
    data, codec, text = config.data, codec_of(config), _prompt(config)
    completion = None if config.completion is None else Completion.load(config.completion)
    warp = WARP if config.preset == TINY_PRESET else "splat"
    files = {
        "codec": config.codec_file if config.preset == TINY_PRESET else None,
        "completion": config.completion,
    }
    made_with = {name: None if file is None else digest_files(file)[:12] for name, file in files.items()}
    hold_to(config.latents("train").parent, {"preset": config.preset, "warp": warp, **made_with})
    for name, moves, still, held_out in (
        ("train", data.scenes, data.still, False),
        ("held_out", data.held_out, data.held_out_still, True),
    ):
        out = config.latents(name)
        for folders, stands in ((moves, False), (still, True)):
            _tell(prepare(list(folders), codec, completion, out, data.variants, stands, warp, text), out)
        out = config.latents(f"free_{name}" if held_out else "free")
        count = data.clips_held_out if held_out else data.clips
        real = STILLS if data.stills else ()
        if data.movies or real:
            _tell(encode_clips(data.movies, real, count, held_out, codec, out, text), out)


def _prompt(config: Config) -> Tensor | None:
    """The embedding (L, D) of the prompt that a generator with text is told with every clip."""
    if config.preset == TINY_PRESET:
        return None
    embedding = Presets().embedding(config.preset, "")
    return None if embedding is None else embedding[0]


def _tell(names: Iterable[str], out: Path) -> None:
    """A line for every hundred examples that had to be made."""
    made = 0
    for made, _ in enumerate(names, 1):
        if made % 100 == 0:
            sys.stdout.write(f"{out}: {made} examples encoded\n")
            sys.stdout.flush()


def _teacher(config: Config, free: bool) -> Path:
    return config.run / ("teacher_free" if free else "teacher") / "teacher.safetensors"


def _check_teacher(config: Config, free: bool) -> None:
    """Raises ConfigError where a teacher is missing, or not at its end yet."""
    path, steps = _teacher(config, free), config.teacher.free_steps if free else config.teacher.steps
    if not path.exists():
        raise ConfigError(f"{path} is missing: the stage teacher makes it.")
    kept = path.with_suffix(".pt")
    if kept.exists():
        step = torch.load(kept, map_location="cpu", mmap=True, weights_only=True)["step"]
        if step < steps:
            raise ConfigError(f"{path} is at step {step} of {steps}: the stage teacher goes on with it.")


def _hold(run: Path, settings: dict[str, Any], fleet: Fleet) -> None:
    """See `hold_to`; once for all processes."""
    if fleet.leads:
        hold_to(run, settings)


def _say(fleet: Fleet, words: str) -> None:
    if fleet.leads:
        sys.stdout.write(f"{words}\n")


def one_thread_a_core() -> None:
    """Networks as small as `tiny` are trained faster by one thread, and by more of them only on a GPU."""
    if not torch.cuda.is_available():
        torch.set_num_threads(1)

"""What a training run is: a TOML file, read strictly, so that a word that is spelt wrongly is not one that is ignored.

Paths are relative to the folder that the command is given in. `configs/tiny.toml` names everything there is.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

Paths = tuple[Path, ...]


class ConfigError(ValueError):
    """A config cannot be used; the message says where and why."""


@dataclass(frozen=True)
class DataConfig:
    """Folders of sequences (`backend.training.scenes`), and real video.

    scenes: moves of two cameras. still: scenes in which nothing moves, for cameras that stand still. held_out and
    held_out_still: the same for the logs' figures. variants: examples drawn of each sequence. movies, stills: real
    video, the packages' photographs among it. clips, clips_held_out: how many are drawn of it.
    """

    scenes: Paths = ()
    still: Paths = ()
    held_out: Paths = ()
    held_out_still: Paths = ()
    variants: int = 2
    movies: Paths = ()
    stills: bool = True
    clips: int = 240
    clips_held_out: int = 24


@dataclass(frozen=True)
class AutoencoderConfig:
    """weights: a codec to take as it is; the stage then has nothing to do. start: one to go on from."""

    weights: Path | None = None
    start: Path | None = None
    steps: int = 2000


@dataclass(frozen=True)
class TeacherConfig:
    """Both teachers. start: a generator of the same shape whose layers they begin with. rate: the peak."""

    steps: int = 1500
    free_steps: int = 1000
    batch: int = 8
    rate: float = 1.5e-3
    start: Path | None = None


@dataclass(frozen=True)
class CausalConfig:
    """weights: a generator to take as it is; the stage then has nothing to do. start: one to go on from."""

    weights: Path | None = None
    start: Path | None = None
    steps: int = 4000
    batch: int = 8
    rate: float = 2.5e-3


@dataclass(frozen=True)
class JdmdConfig:
    """name: its folder. joint: weight of the free stream. sampling: steps of the sampler, four or two.

    critic_steps: of every critic to one of the student.
    """

    name: str = "jdmd"
    steps: int = 200
    batch: int = 4
    joint: float = 0.3
    guidance: float = 1.5
    sampling: int = 4
    rate: float = 5e-4
    critic_rate: float = 3e-4
    critic_steps: int = 3


@dataclass(frozen=True)
class Config:
    """run: the folder of all stages. preset: whose warp, size of latents and text it is, and whose codec if large.

    completion: what completes the holes of a render; none where the generator gets them as they are.
    """

    run: Path
    seed: int = 0
    preset: str = "tiny"
    completion: Path | None = None
    data: DataConfig = field(default_factory=DataConfig)
    autoencoder: AutoencoderConfig = field(default_factory=AutoencoderConfig)
    teacher: TeacherConfig = field(default_factory=TeacherConfig)
    causal: CausalConfig = field(default_factory=CausalConfig)
    jdmd: JdmdConfig = field(default_factory=JdmdConfig)

    @property
    def codec_file(self) -> Path:
        """The codec that everything after the first stage works in."""
        return self.autoencoder.weights or self.run / "autoencoder" / "codec.safetensors"

    @property
    def student_file(self) -> Path:
        """The causal generator that distillation begins with."""
        return self.causal.weights or self.run / "causal" / "generator.safetensors"

    def latents(self, name: str) -> Path:
        """Folder of encoded examples: train, held_out, free or free_held_out."""
        return self.run / "latents" / name


def read_config(path: Path, changes: Sequence[str] = ()) -> Config:
    """The config in a file, with changes like "jdmd.joint=0.1" made to it. Raises ConfigError."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror or error}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not TOML: {error}.") from error
    for change in changes:
        _change(table, change)
    config: Config = _read(Config, table, path.name)
    if not config.jdmd.joint >= 0:
        raise ConfigError(f"{path.name}: [jdmd] joint is {config.jdmd.joint}; a weight is not negative.")
    if config.jdmd.sampling not in (2, 4):
        raise ConfigError(f"{path.name}: [jdmd] sampling is {config.jdmd.sampling}; it is 4 or 2.")
    return config


def _change(table: dict[str, Any], change: str) -> None:
    name, _, value = change.partition("=")
    *sections, key = name.strip().split(".")
    try:
        read = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        read = value
    for section in sections:
        table = table.setdefault(section, {})
        if not isinstance(table, dict):
            raise ConfigError(f"{change}: {section} is not a section.")
    table[key] = read


def _read(kind: type, table: Mapping[str, Any], where: str) -> Any:
    known, types = {each.name: each for each in fields(kind)}, get_type_hints(kind)
    for name in table:
        if name not in known:
            raise ConfigError(f"{where}: there is no {name!r} here; there are {', '.join(known)}.")
    for name, each in known.items():
        if name not in table and each.default is MISSING and each.default_factory is MISSING:
            raise ConfigError(f"{where}: {name!r} is missing.")
    return kind(**{name: _value(types[name], value, f"{where}: {name}") for name, value in table.items()})


def _value(kind: Any, value: Any, where: str) -> Any:
    if is_dataclass(kind):
        if not isinstance(value, dict):
            raise ConfigError(f"{where} is a section.")
        return _read(kind, value, f"{where.replace(': ', ' [', 1)}]")  # type: ignore[arg-type]
    if get_origin(kind) is tuple:
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise ConfigError(f"{where} is a list of paths.")
        return tuple(Path(each) for each in value)
    allowed = get_args(kind) or (kind,)
    if Path in allowed and isinstance(value, str):
        return Path(value)
    if float in allowed and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if (int in allowed and isinstance(value, bool)) or not isinstance(value, allowed):
        raise ConfigError(f"{where} is {value!r}, not {' or '.join(each.__name__ for each in allowed)}.")
    if int in allowed and isinstance(value, int) and not isinstance(value, bool) and value < 0:
        raise ConfigError(f"{where} is {value}; it cannot be negative.")
    return value

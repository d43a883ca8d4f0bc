"""Measures speed and memory of the whole pipeline: `python -m backend bench --out out/bench.json`.

A backend is started as the add-on starts it, and a take of the `tiny` preset at 256x144 is generated over HTTP and
written to disk as PNGs. The reference is a made-up room (`room`), so nothing but the project is needed. The splat
is timed alone, beside the surface warp and, where the tests are here, the plain splat that they hold it against. What
only Blender can measure (tick_ms_p99) is merged in from JSON files.
"""

from __future__ import annotations

import http.client
import json
import os
import platform
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np

from . import __version__, protocol
from .pictures import encode_png
from .protocol.cameras import Cameras
from .protocol.envelope import pack, parse_json, unpack
from .protocol.files import Reference, Shot, View
from .protocol.references import reference_body, reference_digest
from .protocol.takes import TakeWriter

ROOT = Path(__file__).resolve().parent.parent
WIDTH, HEIGHT = 256, 144
SPLAT_WIDTH, SPLAT_HEIGHT, SPLAT_FRAMES = 832, 480, 12


class BenchError(Exception):
    """The backend could not be measured; the message says why."""


def measure(out: Path, merge: Sequence[Path] = (), frames: int = 97) -> str:
    """Measure everything, write `out`, and return the figures as text."""
    figures: dict[str, Any] = {"frames": frames, "width": WIDTH, "height": HEIGHT, "machine": machine()}
    with tempfile.TemporaryDirectory(prefix="inspatio-bench-") as folder:
        figures.update(measure_pipeline(Path(folder), frames))
    figures.update(measure_splat())
    for path in merge:
        merged = parse_json(path.read_bytes())
        figures.update({name: value for name, value in merged.items() if name.startswith("tick")})
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    return "".join(f"{name:24} {value}\n" for name, value in figures.items())


def machine() -> dict[str, Any]:
    """What the figures were taken on, and how busy it was with other things before."""
    import torch

    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else -1.0
    return {
        "system": platform.system(),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "load_before": round(load, 2),
    }


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor()


@dataclass
class Stages:
    """Milliseconds of every stage of every block."""

    blocks: list[dict[str, float]] = field(default_factory=list)

    def means(self) -> dict[str, float]:
        """The mean of each stage over the blocks of 12 frames (all blocks if there is but one)."""
        counted = self.blocks[1:] or self.blocks
        return {name: round(mean(block[name] for block in counted), 2) for name in counted[0]}


def measure_pipeline(folder: Path, frames: int) -> dict[str, Any]:
    """Start a backend and generate a take of `frames` frames with it, from reference to PNGs on disk."""
    shot = room_shot(folder, frames)
    with started_backend(folder / "backend.log") as (backend, start_seconds):
        stages = Stages()
        start = time.perf_counter()
        digest = reference_digest(folder / "reference")
        backend.put_reference(digest, folder / "reference")
        take = backend.open_take(digest, shot)
        writer = TakeWriter.create(folder, shot, digest, take["preset_digest"], __version__)
        first_frame = 0.0
        while not writer.done:
            asked = time.perf_counter()
            block = backend.generate(take["take"], writer.next_block, shot.cameras)
            seconds = time.perf_counter() - asked
            computed = sum(block.milliseconds.values())
            writing = time.perf_counter()
            writer.write_block(
                block.frames,
                block.snapshot,
                block.coverage,
                seconds=seconds,
                milliseconds=block.milliseconds,
                peak_mb=block.peak_mb,
            )
            first_frame = first_frame or time.perf_counter() - start
            write = (time.perf_counter() - writing) * 1000
            stages.blocks.append(
                {**block.milliseconds, "transfer": seconds * 1000 - computed, "write": write}
            )
        writer.finish()
        total = time.perf_counter() - start
    return {
        "fps_total": round(frames / total, 2),
        "first_frame_s": round(first_frame, 3),
        "backend_start_s": round(start_seconds, 2),
        "peak_mb": writer.take.peak_mb,
        "milliseconds": stages.means(),
    }


@dataclass(frozen=True)
class _Block:
    frames: list[bytes]
    snapshot: bytes | None
    coverage: list[float]
    milliseconds: dict[str, float]
    peak_mb: float


class _Backend:
    """Just enough of a client: the add-on's own is not imported here."""

    def __init__(self, port: int, token: str) -> None:
        self.port, self.token = port, token

    def put_reference(self, digest: str, folder: Path) -> None:
        _, chunks = reference_body(folder)
        self._ask("PUT", f"{protocol.REFERENCES_PATH}/{digest}", b"".join(chunks), protocol.ENVELOPE_TYPE)

    def open_take(self, digest: str, shot: Shot) -> dict[str, Any]:
        content = {
            "reference": digest,
            "preset": shot.preset,
            "width": shot.width,
            "height": shot.height,
            "seed": shot.seed,
            "keep_reference_detail": shot.keep_reference_detail,
        }
        return parse_json(
            self._ask("POST", protocol.TAKES_PATH, json.dumps(content).encode(), protocol.JSON_TYPE)
        )

    def generate(self, take: str, block: int, cameras: Cameras) -> _Block:
        body = pack({"block": block}, cameras.block(block).blobs())
        answer = self._ask("POST", f"{protocol.TAKES_PATH}/{take}/blocks", body, protocol.ENVELOPE_TYPE)
        header, blobs = unpack(answer)
        snapshot = bytes(blobs.pop("snapshot").data) if "snapshot" in blobs else None
        frames = [bytes(blob.data) for blob in blobs.values()]
        return _Block(frames, snapshot, header["coverage"], header["milliseconds"], header["peak_mb"])

    def _ask(self, method: str, path: str, body: bytes, kind: str) -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        headers = {
            "Authorization": f"Bearer {self.token}",
            protocol.PROTOCOL_HEADER: str(protocol.PROTOCOL_VERSION),
            "Content-Type": kind,
        }
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            answer = response.read()
        finally:
            connection.close()
        if response.status >= 300:
            raise BenchError(f"{method} {path} was answered {response.status}: {answer.decode()}")
        return answer


@contextmanager
def started_backend(log: Path) -> Iterator[tuple[_Backend, float]]:
    """A backend process of its own, and the seconds until it was ready; ended on the way out."""
    token = secrets.token_urlsafe(32)
    command = [sys.executable, "-m", "backend", "serve", "--parent", str(os.getpid())]
    start = time.perf_counter()
    with open(log, "wb") as errors:
        child = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, protocol.TOKEN_VARIABLE: token},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
        )
        try:
            assert child.stdout is not None
            said = json.loads(child.stdout.readline() or b"{}")
            if said.get("inspatio") != "ready":
                raise BenchError(said.get("message") or f"The backend did not start: {log.read_text()}")
            yield _Backend(said["port"], token), time.perf_counter() - start
        finally:
            child.terminate()
            child.wait(10)
            if child.stdout is not None:
                child.stdout.close()


def room(width: int, height: int) -> tuple[np.ndarray, np.ndarray, list[float]]:
    """A room with a sphere in it: colour (H, W, 3) uint8, planar depth (H, W), intrinsics (9 numbers)."""
    lens = [0.9 * width, 0.0, (width - 1) / 2, 0.0, 0.9 * width, (height - 1) / 2, 0.0, 0.0, 1.0]
    columns, rows = np.meshgrid(np.arange(width), np.arange(height))
    x, y = (columns - lens[2]) / lens[0], (rows - lens[5]) / lens[4]
    with np.errstate(divide="ignore"):
        walls = np.minimum.reduce([np.full(x.shape, 8.0), 3.0 / np.abs(x), 1.6 / np.abs(y)])
    # The sphere: centre (0.4, 0.3, 4), radius 0.8; the near root of a quadratic in z along the ray (x, y, 1).
    centre, square = np.array([0.4, 0.3, 4.0]), x**2 + y**2 + 1
    along = (x * centre[0] + y * centre[1] + centre[2]) / square
    inside = along**2 - (centre @ centre - 0.64) / square
    hit = np.where(inside > 0, along - np.sqrt(np.maximum(inside, 0)), np.inf)
    depth = np.minimum(walls, hit)
    checks = (np.floor(x * depth * 2) + np.floor(y * depth * 2) + np.floor(depth * 2)) % 2
    shade = np.where(hit < walls, 0.9, 0.35 + 0.4 * checks) / (1 + 0.08 * depth)
    tint = np.where((hit < walls)[..., None], [1.0, 0.5, 0.3], [0.8, 0.9, 1.0])
    return (255 * shade[..., None] * tint).astype(np.uint8), depth.astype(np.float32), lens


def pose(x: float, z: float) -> list[float]:
    """World-to-camera of a camera at (x, 0, z) that looks along z."""
    return [1.0, 0.0, 0.0, -x, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, -z, 0.0, 0.0, 0.0, 1.0]


def room_shot(folder: Path, frames: int) -> Shot:
    """A reference of the room, and a shot that moves sideways and forward through it."""
    colour, depth, lens = room(WIDTH, HEIGHT)
    reference = folder / "reference"
    reference.mkdir(parents=True)
    (reference / "view_0000.png").write_bytes(encode_png(colour))
    np.save(reference / "view_0000.npy", depth)
    view = View(1.0, "Camera", "view_0000.png", "view_0000.npy", tuple(lens), tuple(pose(0, 0)))
    described = Reference("still", WIDTH, HEIGHT, (view,))
    (reference / "reference.json").write_text(json.dumps(described.to_json()))
    return Shot("Bench", "tiny", 0, WIDTH, HEIGHT, room_cameras(lens, frames))


def room_cameras(lens: list[float], frames: int) -> Cameras:
    """A camera that moves sideways and forward through the room."""
    way = [step / max(1, frames - 1) for step in range(frames)]
    return Cameras.checked(
        [float(number + 1) for number in range(frames)],
        [lens] * frames,
        [pose(step * 0.8, step * 0.6) for step in way],
    )


def measure_splat() -> dict[str, Any]:
    """Seconds to splat one view into 12 frames of 832x480, how many times as fast that is as done plainly, and how long
    the surface warp takes for the same, in turns with it."""
    import torch

    from .constraint import WARPS

    colour, depth, lens = room(SPLAT_WIDTH, SPLAT_HEIGHT)
    picture = torch.from_numpy(colour).permute(2, 0, 1).float() / 127.5 - 1
    distance, intrinsics = torch.from_numpy(depth), torch.tensor(lens).view(3, 3)
    source = torch.eye(4)
    targets = torch.tensor([pose(0.05 * i, 0.04 * i) for i in range(SPLAT_FRAMES)]).view(-1, 4, 4)
    lenses = intrinsics.expand(SPLAT_FRAMES, 3, 3)

    views = picture[None], distance[None], intrinsics[None], source[None]
    taken: dict[str, list[float]] = {name: [] for name in WARPS}

    with torch.inference_mode():
        for _ in range(5):  # In turns, so that what else the machine does slows both alike.
            for name, warp in WARPS.items():
                taken[name].append(best(partial(warp, *views, lenses, targets), 1))
        seconds = min(taken["splat"])
        figures: dict[str, Any] = {
            f"{name}_832x480_12_s": round(min(times), 3) for name, times in taken.items()
        }
        plain = _plain_splat()
        if plain is not None:
            size = SPLAT_HEIGHT, SPLAT_WIDTH

            def plainly() -> None:
                for target in targets:
                    plain(picture, distance, intrinsics, source, intrinsics, target, size)

            figures["splat_speedup"] = round(best(plainly, 2) / seconds, 2)
    return figures


def _plain_splat() -> Callable[..., Any] | None:
    """`plain_splat` of the tests; None in an installation without them."""
    import importlib.util

    path = ROOT / "tests" / "plain_splat.py"
    spec = importlib.util.spec_from_file_location("plain_splat", path)
    if not path.is_file() or spec is None or spec.loader is None:
        return None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.plain_splat


def best(work: Callable[[], object], times: int) -> float:
    """Seconds of the fastest of some runs, after one that warms up."""
    work()
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)

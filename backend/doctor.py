"""`inspatio doctor`: is everything that generation needs here, and does it work?

Each finding says "ok", "warn" or "fail" and, where something is to be done, what. Nothing heavy is imported before
it has been looked for, so a broken installation still gets its report.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import product
from typing import Literal

from . import __version__
from .protocol.files import QUALITIES
from .protocol.words import slowness

State = Literal["ok", "warn", "fail"]
PACKAGES = {
    "torch": "torch",
    "numpy": "numpy",
    "einops": "einops",
    "safetensors": "safetensors",
    "huggingface_hub": "huggingface_hub",
    "opencv-python-headless": "cv2",
    "av": "av",
    "OpenEXR": "OpenEXR",
    "scipy": "scipy",
    "fastapi": "fastapi",
    "uvicorn": "uvicorn",
    "psutil": "psutil",
}
"""What is installed by pip, and the module by which it is known."""
NEEDED_GB = 1.5
CARD_GB = (24, 16, 12, 8)
"""Sizes of graphics cards in the table of plans."""
FPS = 24
NEWEST_TESTED_PYTHON = (3, 13)


@dataclass(frozen=True)
class Finding:
    """One thing looked at."""

    name: str
    state: State
    message: str


def examine() -> list[Finding]:
    """Look at everything; never raises."""
    findings = [Finding("version", "ok", f"InSpatio backend {__version__}"), _python(), *_packages()]
    if all(finding.state != "fail" for finding in findings):
        findings += [_guarded(name, look) for name, look in _LOOKS]
    return findings


def report(findings: list[Finding], *, as_json: bool) -> str:
    """The findings as text for a person, or as JSON."""
    fine = all(finding.state != "fail" for finding in findings)
    if as_json:
        return (
            json.dumps({"ok": fine, "findings": [asdict(finding) for finding in findings]}, indent=1) + "\n"
        )
    lines = [f"{finding.state:5} {finding.name:24} {finding.message}" for finding in findings]
    lines.append("Everything works." if fine else "Something is missing: see the lines that say fail.")
    return "\n".join(lines) + "\n"


def _python() -> Finding:
    version = platform.python_version()
    if sys.version_info[:2] > NEWEST_TESTED_PYTHON:
        return Finding("python", "warn", f"{version} at {sys.executable} is newer than what was tested")
    return Finding("python", "ok", f"{version} at {sys.executable}")


def _packages() -> list[Finding]:
    findings = []
    for package, module in PACKAGES.items():
        try:
            importlib.import_module(module)
            findings.append(Finding(package, "ok", _version(package)))
        except Exception as error:  # a broken package may raise anything
            remedy = f'"{sys.executable}" -m pip install {package}'
            findings.append(Finding(package, "fail", f"cannot be imported ({error}); try {remedy}"))
    return findings


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "version unknown"


def _guarded(name: str, look: Callable[[], Finding]) -> Finding:
    try:
        return look()
    except Exception as error:
        return Finding(name, "fail", f"{type(error).__name__}: {error}")


def _device() -> Finding:
    import torch

    from .device import DeviceError, default_device

    try:
        device = default_device()
    except DeviceError as error:
        return Finding("device", "warn", str(error))
    threads = torch.get_num_threads()
    return Finding("device", "ok", f"{device.torch_device} in {device.dtype}, {threads} threads")


def _memory() -> Finding:
    import psutil

    free = psutil.virtual_memory().available / 1e9
    if free < NEEDED_GB:
        return Finding("memory", "warn", f"{free:.1f} GB are free, {NEEDED_GB} GB are wanted: close programs")
    return Finding("memory", "ok", f"{free:.1f} GB are free")


def _plans() -> Finding:
    """Whether takes of the large presets fit on the device, in either quality."""
    from .device import DeviceError
    from .pace import seconds_per_frame
    from .plan import Asked
    from .presets import PresetError, Presets

    presets, lines, fits = Presets(), [], True
    try:
        for preset in presets.all():
            for quality in QUALITIES if preset.draft else ():
                planned = presets.plan(Asked(preset.id, preset.width, preset.height, quality))
                if planned is None:
                    continue
                line = f"{preset.label} in {quality.capitalize()}: {planned.choice.words}"
                if presets.device.has_own_memory:
                    line += f", {planned.plan.words}"
                seconds = seconds_per_frame(presets.device, planned.needs)
                if seconds is not None:
                    line += f", {slowness(seconds, FPS)}"
                lines.append(line)
                fits = fits and planned.choice.fits
    except (DeviceError, PresetError) as error:
        return Finding("large presets", "warn", str(error))
    too_little = "" if fits else "; where less is free than needed, close programs or choose a smaller size"
    return Finding("large presets", "ok" if fits else "warn", "; ".join(lines) + too_little)


def plans() -> str:
    """The plan of every large preset at its own size, for graphics cards of several sizes: a table in Markdown."""
    import torch

    from .device import Device
    from .plan import Asked, choose, gigabytes, usable
    from .presets import Presets

    card, presets = Device(torch.device("cuda"), torch.bfloat16), Presets()
    cards = [f"{size} GB" for size in CARD_GB]
    rows = [["preset", "quality", "reference", "all stays", *cards], ["---"] * (4 + len(cards))]
    for preset in presets.all():
        for quality, moving in product(QUALITIES, (False, True)):
            asked = Asked(preset.id, preset.width, preset.height, quality, moving=moving)
            needs = presets.needs(asked, card)
            if needs is None:
                continue
            cells = []
            for size in CARD_GB:
                chosen = choose(needs, usable(size), needs.by_cost)
                moved = f", {gigabytes(needs.moved(chosen.plan))} a block" * bool(needs.moved(chosen.plan))
                words = f"{gigabytes(chosen.needs)}: {chosen.plan.words}{moved}"
                cells.append(words if chosen.fits else f"too little ({gigabytes(chosen.needs)})")
            kind = "moving" if moving else "still"
            rows.append([preset.label, quality, kind, gigabytes(needs.peak()), *cells])
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _temporary_folder() -> Finding:
    import tempfile

    with tempfile.NamedTemporaryFile() as file:
        file.write(b"inspatio")
    return Finding("temporary folder", "ok", tempfile.gettempdir())


def _loopback() -> Finding:
    import socket

    with socket.socket() as listening, socket.socket() as calling:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        calling.settimeout(2.0)
        calling.connect(listening.getsockname())
    return Finding("loopback", "ok", "127.0.0.1 can be reached")


def _weights() -> Finding:
    from .presets import PresetError, Presets

    try:
        loaded = Presets().load("tiny")
    except PresetError as error:
        return Finding("weights of tiny", "fail", str(error))
    count = sum(parameter.numel() for parameter in loaded.dit.parameters())
    digest = loaded.autoencoder("final").digest
    return Finding("weights of tiny", "ok", f"{count / 1e6:.1f} M parameters, {digest[:12]}")


def _one_block() -> Finding:
    """Generate a block, as a take would."""
    import torch

    from .bench import room, room_cameras
    from .presets import load_preset
    from .session import Session, camera_block
    from .world import World

    preset = load_preset("tiny")
    width, height = preset.preset.width, preset.preset.height
    colour, depth, lens = room(width, height)
    world = World(
        "still",
        torch.from_numpy(colour).permute(2, 0, 1)[None].contiguous(),
        torch.from_numpy(depth)[None],
        torch.tensor(lens, dtype=torch.float64).view(1, 3, 3),
        torch.eye(4, dtype=torch.float64)[None],
        torch.ones(1, dtype=torch.float64),
    )
    start = time.perf_counter()
    session = Session(preset, world, width, height, seed=0)
    block = session.step(camera_block(room_cameras(lens, 9)))
    seconds = time.perf_counter() - start
    if block.frames.std() < 1.0:
        return Finding("one block", "fail", "was generated, but is one flat colour: the weights are damaged")
    return Finding("one block", "ok", f"{len(block.frames)} frames of {width}x{height} in {seconds:.2f} s")


_LOOKS: list[tuple[str, Callable[[], Finding]]] = [
    ("device", _device),
    ("memory", _memory),
    ("large presets", _plans),
    ("temporary folder", _temporary_folder),
    ("loopback", _loopback),
    ("weights of tiny", _weights),
    ("one block", _one_block),
]

"""The pinned, hashed lists that "Set Up Backend" installs: `python -m tests.pin` (or `make pin`).

    pyproject.toml + constraints.txt  --uv, for every system and Python-->  backend/requirements/SYSTEM-DEVICE.txt

A list names the wheels that fit its system, no others, so one that is not there is an error and nothing is ever built
on a user's machine. PyPI's torch is a CUDA build on Linux, a CPU build on Windows and an mps build on macOS. The
two builds that are not on PyPI come from download.pytorch.org, each by its address and hash (`PYTORCH`).

Needs the program uv (`pip install uv`) and a way to pypi.org.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path

from tests.build import ROOT

LISTS = ROOT / "backend" / "requirements"
PYTHONS = ("3.11", "3.12", "3.13")
PLATFORMS = {
    "linux": "x86_64-unknown-linux-gnu",
    "windows": "x86_64-pc-windows-msvc",
    "macos": "aarch64-apple-darwin",
}
ONLY_CUDA = ("cuda-", "nvidia-", "triton")
"""How the names of those packages begin that only torch's CUDA build on PyPI asks for."""

NOT_WITHOUT_CUDA = ("torchao",)
"""Packages that a CPU has no use for."""


MACOS = "14.0"
"""The oldest macOS that torch has wheels for."""


@dataclass(frozen=True)
class Pin:
    """One package: `asked` is how a list asks for it, `hashes` (sha256) are those of the wheels that fit."""

    asked: str
    hashes: tuple[str, ...]
    size: int


TORCH = "2.13.0"
PYTORCH = {
    "linux-cpu": {
        "3.11": ("6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b", 191_794_682),
        "3.12": ("4ca4a9394b0c771238a4f73590fdbbc4debad85ed0fa63d026ae1b085da7d6e2", 191_800_000),
        "3.13": ("3fbf9c9d1f3c10c2d59d04aca426dee9ccc6ceb32d255c61e93acc3b4f75fae6", 191_800_000),
    },
    "windows-cuda": {
        "3.12": ("2efab1e83604ca628c6d85b9e188c153690980498d1297081a9dad704919303c", 1_915_519_202),
        "3.13": ("cf23236e9deed7d3510d14d9b9592d75d272ef7b35bbfee31a02bea339c73971", 1_915_517_499),
    },
}
"""sha256 and size of the wheels at download.pytorch.org, by list and Python: to fill in anew for another torch."""
_PYTORCH_NAMES = {"linux-cpu": ("cpu", "manylinux_2_28_x86_64"), "windows-cuda": ("cu130", "win_amd64")}


def main() -> None:
    """Write every list."""
    if shutil.which("uv") is None:
        sys.exit("The program uv is not there: pip install uv.")
    LISTS.mkdir(exist_ok=True)
    resolved = {
        (system, python): _resolve(platform, python)
        for system, platform in PLATFORMS.items()
        for python in PYTHONS
    }
    for name in ("linux-cpu", "linux-cuda", "windows-cpu", "windows-cuda", "macos-mps"):
        system = name.split("-")[0]
        pythons = tuple(PYTORCH.get(name, PYTHONS))
        _write(name, {python: _with_torch(name, python, resolved[system, python]) for python in pythons})


def _resolve(platform: str, python: str) -> dict[str, Pin]:
    """What PyPI has for a system and Python, by package."""
    with tempfile.TemporaryDirectory() as folder:
        lock = Path(folder) / "pylock.toml"
        options = {
            "--constraint": "constraints.txt",
            "--python-platform": platform,
            "--python-version": python,
            "--only-binary": ":all:",
            "--default-index": "https://pypi.org/simple",
            "--format": "pylock.toml",
            "--output-file": str(lock),
        }
        words = [word for option in options.items() for word in option]
        words += ["pyproject.toml", "--extra", "world", "--extra", "fp8"]
        subprocess.run(
            ["uv", "pip", "compile", "--quiet", "--no-config", *words],
            cwd=ROOT,
            env={**os.environ, "MACOSX_DEPLOYMENT_TARGET": MACOS},
            check=True,
        )
        packages = tomllib.loads(lock.read_text(encoding="utf-8"))["packages"]
    return {
        package["name"]: Pin(
            f"{package['name']}=={package['version']}",
            tuple(wheel["hashes"]["sha256"] for wheel in package["wheels"]),
            max(wheel["size"] for wheel in package["wheels"]),
        )
        for package in packages
    }


def _with_torch(name: str, python: str, pins: dict[str, Pin]) -> dict[str, Pin]:
    """The same with the torch of this list, and without what only a GPU can use where there is none."""
    if not name.endswith("-cuda"):
        pins = {package: pin for package, pin in pins.items() if package not in NOT_WITHOUT_CUDA}
    if name not in PYTORCH:
        return pins
    if pins["torch"].asked != f"torch=={TORCH}":
        sys.exit(f"constraints.txt names {pins['torch'].asked}: fill in PYTORCH for it.")
    build, platform = _PYTORCH_NAMES[name]
    tag = f"cp{python.replace('.', '')}"
    address = f"https://download.pytorch.org/whl/{build}/torch-{TORCH}%2B{build}-{tag}-{tag}-{platform}.whl"
    digest, size = PYTORCH[name][python]
    rest = {package: pin for package, pin in pins.items() if not package.startswith(ONLY_CUDA)}
    return rest | {"torch": Pin(f"torch @ {address}", (digest,), size)}


def _write(name: str, by_python: dict[str, dict[str, Pin]]) -> None:
    """Write a list; a package that differs from Python to Python stands in it once for each."""
    lines = [
        "# Made by `make pin`: what is installed, to the byte.",
        f"# python: {' '.join(by_python)}",
        f"# packages: {max(len(pins) for pins in by_python.values())}",
        f"# bytes: {max(sum(pin.size for pin in pins.values()) for pins in by_python.values())}",
    ]
    for package in sorted(set().union(*by_python.values())):
        found = {python: pins[package] for python, pins in by_python.items() if package in pins}
        asked = {pin.asked for pin in found.values()}
        if len(asked) == 1 and len(found) == len(by_python):
            lines.append(_entry(*asked, {digest for pin in found.values() for digest in pin.hashes}))
        else:
            lines += [
                _entry(f'{pin.asked} ; python_version == "{python}"', set(pin.hashes))
                for python, pin in found.items()
            ]
    (LISTS / f"{name}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _entry(asked: str, hashes: set[str]) -> str:
    return " \\\n    ".join([asked, *(f"--hash=sha256:{digest}" for digest in sorted(hashes))])


if __name__ == "__main__":
    main()

"""An extension's folder whose lists ask for a few packages made on the spot, so that setting up takes seconds.

FOLDER/backend/requirements/linux-cpu.txt     small-package, by its hash; SYSTEM-DEVICE of the machine that tests
FOLDER/backend/__main__.py                    a FakeDoctor: marks the environment ready if small_package is there
WHEELS/                                       an index of files: point PIP_FIND_LINKS and UV_FIND_LINKS to it
"""

from __future__ import annotations

import base64
import hashlib
import sys
import zipfile
from pathlib import Path

from inspatio_addon.inspatio_blender import environment

FAKE_DOCTOR = """
import json, sys
try:
    import small_package
except ImportError as error:
    print(json.dumps({"findings": [{"name": "small-package", "state": "fail", "message": str(error)}]}, indent=1))
    sys.exit(1)
assert sys.argv[1:4] == ["doctor", "--json", "--mark"], sys.argv
print(json.dumps({"findings": []}))
open(sys.argv[4], "w").write("{}")
"""


def write_wheel(folder: Path, name: str, files: dict[str, str], version: str = "1.0") -> str:
    """Write a wheel of some text files; returns its sha256."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"{name.replace('-', '_')}-{version}"
    contents = {
        **files,
        f"{stem}.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{stem}.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = f"{stem}.dist-info/RECORD"
    lines = []
    for path, text in contents.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        lines.append(f"{path},sha256={digest},{len(text.encode())}")
    contents[record] = "\n".join([*lines, f"{record},,"]) + "\n"
    wheel = folder / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in contents.items():
            archive.writestr(zipfile.ZipInfo(path, (2026, 1, 1, 0, 0, 0)), text)
    return hashlib.sha256(wheel.read_bytes()).hexdigest()


def write_list(path: Path, pins: dict[str, str], extra: str = "") -> None:
    """Write a list that asks for packages (NAME==VERSION) by their hashes."""
    running = f"{sys.version_info[0]}.{sys.version_info[1]}"
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [
        f"# python: {running}",
        f"# packages: {len(pins)}",
        f"# bytes: {1000 * len(pins)}",
        *([extra] * bool(extra)),
    ]
    lines += [f"{pin} --hash=sha256:{digest}" for pin, digest in pins.items()]
    path.write_text("\n".join(lines) + "\n")
    environment.wanted_list.cache_clear()


def list_name() -> str:
    """The name of the list for the machine that tests."""
    return f"{environment._system()}-{environment._device()}.txt"


def small_extension(folder: Path, wheels: Path) -> Path:
    """Make the extension's folder and the wheels; returns `folder`."""
    digest = write_wheel(wheels, "small-package", {"small_package.py": "VALUE = 1\n"})
    lists = folder / "backend" / "requirements"
    write_list(lists / list_name(), {"small-package==1.0": digest})
    (folder / "backend" / "__init__.py").write_text("")
    (folder / "backend" / "__main__.py").write_text(FAKE_DOCTOR)
    return folder

"""Builds the extension's zip by Blender's own tool: `python -m tests.build FOLDER`."""

import importlib.util
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


class BuildError(RuntimeError):
    """The extension does not build; the message holds what Blender's tool said."""


def build_extension(target: Path) -> Path:
    """Validate the extension and build the zip `target` of this work tree; returns `target`."""
    spec = importlib.util.find_spec("bpy")
    if spec is None or spec.origin is None:
        raise BuildError(f"bpy is not installed for {sys.executable}: run `make venv`.")
    tool = next(Path(spec.origin).parent.glob("*/scripts/addons_core/bl_pkg/cli/blender_ext.py"))
    for command in (
        ["validate", str(ROOT)],
        ["build", "--source-dir", str(ROOT), "--output-filepath", str(target)],
    ):
        done = subprocess.run([sys.executable, tool, *command], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise BuildError(f"The extension does not build:\n{done.stdout}{done.stderr}")
    return target


if __name__ == "__main__":
    manifest = tomllib.loads((ROOT / "blender_manifest.toml").read_text(encoding="utf-8"))
    print(build_extension(Path(sys.argv[1]) / f"{manifest['id']}-{manifest['version']}.zip"))

"""Builds the extension's zip by Blender's own tool: `python -m tests.build FOLDER`."""

import importlib.util
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


class BuildError(RuntimeError):
    """The extension does not build; the message holds what Blender's tool said."""


def manifest_of(source: Path) -> dict[str, Any]:
    """blender_manifest.toml of a work tree."""
    return tomllib.loads((source / "blender_manifest.toml").read_text(encoding="utf-8"))


def zip_name(manifest: dict[str, Any]) -> str:
    """The name of the extension's zip."""
    return f"{manifest['id']}-{manifest['version']}.zip"


def run_tool(*arguments: object) -> None:
    """Run Blender's tool for extensions, bl_pkg's blender_ext.py. Raises BuildError."""
    spec = importlib.util.find_spec("bpy")
    if spec is None or spec.origin is None:
        raise BuildError(f"bpy is not installed for {sys.executable}: run `make venv`.")
    tool = next(Path(spec.origin).parent.glob("*/scripts/addons_core/bl_pkg/cli/blender_ext.py"))
    command = [sys.executable, str(tool), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BuildError(f"{' '.join(map(str, arguments))}:\n{done.stdout}{done.stderr}")


def build_extension(target: Path, source: Path = ROOT) -> Path:
    """Validate the extension and build the zip `target` of a work tree; returns `target`."""
    run_tool("validate", source)
    run_tool("build", "--source-dir", source, "--output-filepath", target)
    return target


if __name__ == "__main__":
    print(build_extension(Path(sys.argv[1]) / zip_name(manifest_of(ROOT))))

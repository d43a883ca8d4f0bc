"""The import contracts of the backend and of the add-on, and that the protocol is standard library only."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PARTS = ("__init__.py", "backend", "inspatio_blender", "operators", "panels")


def test_the_backend_keeps_its_layers() -> None:
    _check_contracts(ROOT / "pyproject.toml", ROOT)


def test_imports_go_one_way(tmp_path: Path) -> None:
    package = tmp_path / "inspatio_addon"
    package.mkdir()
    for part in PARTS:
        (package / part).symlink_to(ROOT / part)
    _check_contracts(ROOT / "tests" / "import_contracts.toml", tmp_path)


def _check_contracts(contracts: Path, folder: Path) -> None:
    """Run import-linter on what can be imported from `folder`."""
    linter = Path(sys.executable).with_name("lint-imports")
    if not linter.exists():
        pytest.skip("import-linter is not installed: pip install -e .[dev]")
    done = subprocess.run(
        [str(linter), "--config", str(contracts), "--no-cache"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "path", sorted((ROOT / "backend" / "protocol").glob("*.py")), ids=lambda path: path.name
)
def test_the_protocol_is_standard_library_only(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level <= 1, f"{path.name} reaches out of the protocol"
            names = [node.module or ""] if node.level == 0 else []
        else:
            continue
        for name in names:
            assert name.split(".")[0] in sys.stdlib_module_names, f"{path.name} imports {name}"


def test_the_add_on_reads_what_the_backend_writes_without_the_backend() -> None:
    """Everything Blender imports of the backend loads in a Python that has no packages at all."""
    code = (
        "import sys, types\n"
        f"package = types.ModuleType('addon'); package.__path__ = [{str(ROOT)!r}]; sys.modules['addon'] = package\n"
        "import addon.inspatio_blender.process\n"
        "import addon.backend.protocol.takes, addon.backend.protocol.references\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_tiny_needs_no_package_of_the_larger_presets() -> None:
    code = (
        "import sys\n"
        "for name in ('diffusers', 'tokenizers', 'transformers'): sys.modules[name] = None\n"
        "import backend.cli, backend.server, backend.codec.wan, backend.text\n"
        "from backend.presets import load_preset\n"
        "assert load_preset('tiny').preset.available\n"
        "assert 'torch._dynamo' not in sys.modules, 'it takes 100 MB and a second'\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

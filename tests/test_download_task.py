"""The Download button's work: the backend's command in a process of its own, against a hub on loopback."""

from __future__ import annotations

import os
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hub import Hub
from inspatio_addon.inspatio_blender.download import download
from inspatio_addon.inspatio_blender.jobs import Setup
from inspatio_addon.inspatio_blender.task import Task

ROOT = Path(__file__).resolve().parent.parent
CONTENT = bytes(range(256)) * 4096


@pytest.fixture
def hub() -> Iterator[Hub]:
    with Hub() as hub:
        hub.add("owner/generator", "generator.safetensors", CONTENT)
        yield hub


def setup(folder: Path, hub: Hub, **variables: str) -> Setup:
    """An extension's folder whose backend takes one small file for a preset."""
    backend = folder / "extension" / "backend"
    backend.mkdir(parents=True)
    (backend / "__init__.py").write_text("")
    code = f"""
        import sys
        sys.path[:0] = [{str(ROOT)!r}]
        for name in [name for name in sys.modules if name == "backend" or name.startswith("backend.")]:
            del sys.modules[name]
        from backend import cli
        from backend.protocol.sources import SOURCES, Source
        SOURCES["inspatio-1.3b"] = (Source("owner/generator", "generator.safetensors", "generator", "MIT"),)
        sys.exit(cli.main(sys.argv[1:]))
    """
    (backend / "__main__.py").write_text(textwrap.dedent(code))
    environment = {
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(folder / "home"),
        "NO_PROXY": "127.0.0.1",
        "INSPATIO_WEIGHTS": str(folder / "weights"),
        **variables,
    }
    return Setup(sys.executable, backend.parent, folder / "backend.log", True, environment)


def carried_out(folder: Path, made: Setup, preset: str = "inspatio-1.3b") -> Task:
    task = Task("Download", lambda task: download(task, made, preset), folder / "log")
    until = time.monotonic() + 120
    while task.running:
        assert time.monotonic() < until
        time.sleep(0.02)
    return task


def test_brings_the_files_and_tells_progress(hub: Hub, tmp_path: Path) -> None:
    task = carried_out(tmp_path, setup(tmp_path, hub))
    assert (task.state, task.message) == ("finished", "The weights of inspatio-1.3b are there"), (
        task.log_file.read_text()
    )
    assert (tmp_path / "weights/owner/generator/generator.safetensors").read_bytes() == CONTENT
    said = task.log_file.read_text()
    assert "generator, MIT" in said
    assert '"share": 1.0' in said


def test_says_what_went_wrong(hub: Hub, tmp_path: Path) -> None:
    task = carried_out(tmp_path, setup(tmp_path, hub), "nothing")
    assert task.state == "failed"
    assert task.message.startswith("There is no preset 'nothing' to download")


def test_brings_nothing_where_online_access_is_forbidden(hub: Hub, tmp_path: Path) -> None:
    task = carried_out(tmp_path, setup(tmp_path, hub, HF_HUB_OFFLINE="1"))
    assert task.state == "failed" and "offline nothing is downloaded" in task.message
    assert hub.requests == []


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_cancel_leaves_what_the_next_one_uses(hub: Hub, tmp_path: Path) -> None:
    made = setup(tmp_path, hub)
    hub.cuts = [
        100_000,
        *([0] * 50),
    ]  # Then the connection breaks again and again: it would go on for minutes.
    task = Task("Download", lambda task: download(task, made, "inspatio-1.3b"), tmp_path / "log")
    until = time.monotonic() + 120
    while "the connection broke" not in task.line:
        assert task.running and time.monotonic() < until, task.message
        time.sleep(0.02)
    began = time.monotonic()
    task.shutdown(5.0)
    assert time.monotonic() - began < 2.0
    assert task.state == "cancelled"
    # As much as arrived before the connection broke, to the last byte: the kernel may have dropped the end of it.
    (partial,) = (tmp_path / "weights/owner/generator").glob(".*.part")
    kept = partial.stat().st_size
    assert 0 < kept <= 100_000
    hub.cuts, hub.requests = [], []
    again = carried_out(tmp_path, made)
    assert again.state == "finished"
    assert any(ranged == f"bytes={kept}-" for _, _, ranged in hub.requests)

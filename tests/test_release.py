"""`make release`: refused without a commit and a changelog, the same bytes each time, and Blender updates from it."""

from __future__ import annotations

import functools
import hashlib
import http.server
import json
import os
import shutil
import subprocess
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_window import run_in_window

from tests.blenders import PYTHONS, Blender, bpy_python
from tests.build import ROOT, BuildError, run_tool
from tests.release import ReleaseError, changelog_section, release

ADDON = "bl_ext.inspatio_test.inspatio_blender"
LEFT_OUT = ("backend/training/", "backend/weights/", "docs/", "tests/")
"""Large, and of no matter here."""
VERSION = "0.1.0"


def _git(folder: Path, *arguments: str) -> None:
    names = {
        f"GIT_{role}_{what}": "test@localhost"
        for role in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    }
    subprocess.run(
        ["git", "-C", folder, *arguments], check=True, capture_output=True, env={**os.environ, **names}
    )


def _change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def _commit(folder: Path) -> None:
    _git(folder, "add", "--all")
    _git(folder, "commit", "--message", "A version")


def _to_version(folder: Path, version: str, note: str = "Something new.") -> None:
    """Another version, committed as one that is released is."""
    _change(folder / "blender_manifest.toml", f'version = "{VERSION}"', f'version = "{version}"')
    _change(folder / "backend/__init__.py", f'"{VERSION}"', f'"{version}"')
    _change(
        folder / "CHANGELOG.md", f"## [{VERSION}]", f"## [{version}] - 2027-01-31\n\n{note}\n\n## [{VERSION}]"
    )
    _commit(folder)


@pytest.fixture(scope="module")
def committed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of its own, which holds what this work tree would commit."""
    try:
        run_tool("--version")
    except BuildError as error:
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp("committed")
    listed = subprocess.run(
        ["git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        check=True,
        capture_output=True,
    ).stdout
    for name in filter(None, listed.decode().split("\0")):
        if not name.startswith(LEFT_OUT) and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    _git(folder, "init")
    _commit(folder)
    return folder


@pytest.fixture
def source(committed: Path, tmp_path: Path) -> Path:
    """A clone of it, to be changed."""
    _git(tmp_path, "clone", str(committed), "source")
    return tmp_path / "source"


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_same_commit_gives_the_same_bytes(
    source: Path, committed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = release(tmp_path / "first", source)
    for path in source.rglob("*.py"):
        os.utime(path, (1e9, 1e9))
        path.chmod(0o600)
    (source / "out").mkdir()
    (source / "out" / "ignored.txt").write_text("what git ignores is in no release")
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    mask = os.umask(0o077)
    try:
        _git(source, "config", "core.fileMode", "false")
        release(tmp_path / "second", source)
    finally:
        os.umask(mask)
        monkeypatch.undo()
        time.tzset()
    made = _contents(tmp_path / "first")
    assert made == _contents(tmp_path / "second")
    assert made.keys() == {path.name for path in files}
    assert set(made) == {
        f"inspatio_blender-{VERSION}.zip",
        "CHANGELOG.md",
        "SHA256SUMS",
        "index.json",
        "index.html",
    }

    sums = dict(reversed(line.split("  ")) for line in made["SHA256SUMS"].decode().splitlines())
    assert sums == {name: hashlib.sha256(made[name]).hexdigest() for name in made if name != "SHA256SUMS"}
    (entry,) = json.loads(made["index.json"])["data"]
    assert (entry["id"], entry["version"]) == ("inspatio_blender", VERSION)
    assert entry["archive_url"] == f"./inspatio_blender-{VERSION}.zip"
    assert entry["archive_hash"] == f"sha256:{sums[f'inspatio_blender-{VERSION}.zip']}"
    assert b"inspatio_blender-0.1.0" in made["index.html"]
    assert made["CHANGELOG.md"].decode().startswith(f"## [{VERSION}] - ")
    with zipfile.ZipFile(tmp_path / "first" / f"inspatio_blender-{VERSION}.zip") as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        assert names == sorted(names)
        for name in names:
            assert archive.read(name) == (committed / name).read_bytes()
    assert {"__init__.py", "blender_manifest.toml", "backend/protocol/__init__.py"} <= set(names)


def test_a_release_takes_the_place_of_an_older_one(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "dist"
    release(out, source)
    (out / "notes.txt").write_text("somebody's own")
    _to_version(source, "0.2.0", note="- More **frames**.")
    release(out, source)
    assert [path.name for path in out.glob("*.zip")] == ["inspatio_blender-0.2.0.zip"]
    assert (out / "CHANGELOG.md").read_text() == "## [0.2.0] - 2027-01-31\n\n- More **frames**.\n"
    assert (out / "notes.txt").exists()
    assert not list(out.glob(".*"))


def _modified(source: Path) -> None:
    _change(source / "README.md", "InSpatio", "Inspatio")


def _untracked(source: Path) -> None:
    (source / "backend" / "new.py").write_text("")


def _without_section(source: Path) -> None:
    _change(source / "blender_manifest.toml", VERSION, "0.1.1")
    _commit(source)


def _without_date(source: Path) -> None:
    path = source / "CHANGELOG.md"
    path.write_text(f"## [{VERSION}] - Unreleased\n\n- Something.\n\n## [0.0.9] - 2026-01-01\n")
    _commit(source)


def _empty(source: Path) -> None:
    (source / "CHANGELOG.md").write_text(
        f"## [{VERSION}] - 2026-11-28\n\n## [0.0.9] - 2026-01-01\n\n- First.\n"
    )
    _commit(source)


def _without_changelog(source: Path) -> None:
    _git(source, "rm", "CHANGELOG.md")
    _commit(source)


def _other_backend(source: Path) -> None:
    _change(source / "backend/__init__.py", f'"{VERSION}"', '"0.3.0"')
    _commit(source)


def _broken(source: Path) -> None:
    _change(source / "blender_manifest.toml", 'type = "add-on"', 'type = "adorn"')
    _commit(source)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_modified, "A release is made of a commit, but README.md differ"),
        (_untracked, "but backend/new.py differ"),
        (_without_section, r"no section for 0\.1\.1: write one, “## \[0\.1\.1\] - YYYY"),
        (_without_date, "has no date"),
        (_empty, "is empty"),
        (_without_changelog, "no section for"),
        (_other_backend, r"has version 0\.1\.0, backend/__init__\.py 0\.3\.0"),
        (_broken, "The extension does not build"),
    ],
)
def test_what_cannot_be_released_is_said_and_changes_nothing(
    source: Path, tmp_path: Path, spoil, words: str
) -> None:
    out = tmp_path / "dist"
    out.mkdir()
    (out / "index.json").write_text("the release before")
    spoil(source)
    with pytest.raises(ReleaseError, match=words):
        release(out, source)
    assert _contents(out) == {"index.json": b"the release before"}


def test_this_work_trees_changelog_has_a_section_for_its_version() -> None:
    assert changelog_section(ROOT, VERSION).startswith(f"## [{VERSION}]")


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def releases(committed: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two versions, each in a folder."""
    folder = tmp_path_factory.mktemp("releases")
    _git(folder, "clone", str(committed), "source")
    release(folder / "older", folder / "source")
    _to_version(folder / "source", "0.1.10")
    release(folder / "newer", folder / "source")
    return [folder / "older", folder / "newer"]


class Served:
    """A file server on loopback, which serves the older release until `update`."""

    def __init__(self, folder: Path, releases: list[Path]) -> None:
        self._folder, self._releases = folder, releases
        shutil.copytree(releases[0], folder, dirs_exist_ok=True)
        handler = functools.partial(_Quiet, directory=str(folder))
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.zip = next(folder.glob("*.zip"))
        self.url = f"http://127.0.0.1:{self._server.server_port}/index.json"

    def update(self) -> None:
        shutil.copytree(self._releases[1], self._folder, dirs_exist_ok=True)

    def end(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def served(releases: list[Path], tmp_path: Path) -> Iterator[Served]:
    folder = tmp_path / "served"
    folder.mkdir()
    server = Served(folder, releases)
    yield server
    server.end()


@pytest.mark.parametrize("name", list(PYTHONS))
def test_blender_installs_and_updates_from_the_repository(
    name: str, served: Served, tmp_path: Path, painting_python: Path
) -> None:
    python = bpy_python(name)
    if python is None:
        pytest.skip(f"{name} is not installed: run `make venv`")
    blender = Blender(name, (str(python),), tmp_path / "user")
    blender.resources.mkdir()
    environment = {"INSPATIO_ADDON": ADDON, "INSPATIO_PYTHON": str(painting_python)}
    found = blender.run("repository.py", "install", served.url, served.zip, **environment)
    assert found["version"] == VERSION
    assert Path(found["file"]).is_relative_to(blender.resources)
    served.update()
    found = blender.run("repository.py", "update", tmp_path, served.zip, **environment)
    assert found["version"] == "0.1.10"
    assert len(list((tmp_path / "frames from elsewhere").rglob("take_002/*.png"))) == 9


def test_the_repository_in_the_window(served: Served, tmp_path: Path) -> None:
    if not os.environ.get("BLENDER"):
        pytest.skip("the environment variable BLENDER names no Blender")
    command = (
        os.environ["BLENDER"],
        "--python-use-system-env",
        "--python-exit-code",
        "1",
        "--python",
    )
    blender = Blender("window", command, tmp_path / "user")
    blender.resources.mkdir()
    found = run_in_window(
        blender,
        "window_repository.py",
        served.url,
        folder=tmp_path,
        limit=120,
        also={"serve newer": served.update},
        INSPATIO_ADDON=ADDON,
    )
    assert found["version"] == "0.1.10"

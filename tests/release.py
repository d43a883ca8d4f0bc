"""A release of what is committed: `make release`, or `python -m tests.release FOLDER`.

    inspatio_blender-0.1.0.zip   the extension
    CHANGELOG.md                 what this version brings: its section of the repository's
    index.json, index.html       a repository that Blender installs and updates from
    SHA256SUMS                   of them all, for `sha256sum -c`

It is made of the commit, never of what lies around it, and the same commit gives the same bytes. docs/releasing.md
tells how to serve it.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from datetime import UTC, datetime
from pathlib import Path

from tests.build import ROOT, BuildError, build_extension, manifest_of, run_tool, zip_name

CHANGELOG, SUMS = "CHANGELOG.md", "SHA256SUMS"
PAGE = Path(__file__).with_name("release_page.html")
_SECTION = re.compile(r"^## \[(?P<version>[^\]]+)\](?: - (?P<date>\S+))?\s*$", re.MULTILINE)
_BACKEND_VERSION = re.compile(r'^__version__ = "(.+)"$', re.MULTILINE)


class ReleaseError(Exception):
    """There can be no release; the message says why and what to do."""


def release(target: Path, source: Path = ROOT) -> list[Path]:
    """Make the release of the commit that is checked out in `source`, in the folder `target`; returns its files.

    An older release there makes room. Raises ReleaseError, before anything in `target` is changed.
    """
    _check_clean(source)
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".release.", dir=target) as made:
        work, out = Path(made), Path(made) / "out"
        out.mkdir()
        committed = _export(source, work / "source")
        manifest = manifest_of(committed)
        section = changelog_section(committed, manifest["version"])
        _check_backend(committed, manifest["version"])
        try:
            built = build_extension(work / "built.zip", committed)
            _write_zip(built, out / zip_name(manifest), _commit_time(source))
            run_tool("server-generate", "--repo-dir", out, "--html", "--html-template", PAGE)
        except BuildError as error:
            raise ReleaseError(f"The extension does not build: {error}") from error
        (out / CHANGELOG).write_text(section, encoding="utf-8")
        sums = [f"{_sha256(path)}  {path.name}\n" for path in sorted(out.iterdir())]
        (out / SUMS).write_text("".join(sums), encoding="utf-8")
        for old in target.glob(f"{manifest['id']}-*.zip"):
            old.unlink()
        # The index is last: it never names a zip that is not there yet.
        files = sorted(out.iterdir(), key=lambda path: (path.name == "index.json", path.name))
        return [path.replace(target / path.name) for path in files]


def changelog_section(source: Path, version: str) -> str:
    """The section of CHANGELOG.md for a version. Raises ReleaseError where it is missing, empty or has no date."""
    path = source / CHANGELOG
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    headings = list(_SECTION.finditer(text))
    found = next((place for place, one in enumerate(headings) if one["version"] == version), None)
    if found is None:
        raise ReleaseError(
            f"{CHANGELOG} has no section for {version}: write one, “## [{version}] - YYYY-MM-DD”."
        )
    heading = headings[found]
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", heading["date"] or "") is None:
        raise ReleaseError(
            f"The section for {version} in {CHANGELOG} has no date: “## [{version}] - YYYY-MM-DD”."
        )
    end = headings[found + 1].start() if found + 1 < len(headings) else len(text)
    section = text[heading.start() : end].strip()
    if not text[heading.end() : end].strip():
        raise ReleaseError(f"The section for {version} in {CHANGELOG} is empty: say what the version brings.")
    return section + "\n"


def _check_clean(source: Path) -> None:
    changed = _git(source, "status", "--porcelain").decode().splitlines()
    if changed:
        more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
        named = ", ".join(line[3:] for line in changed[:3])
        raise ReleaseError(
            f"A release is made of a commit, but {named}{more} differ from it: commit them first."
        )


def _check_backend(source: Path, version: str) -> None:
    found = _BACKEND_VERSION.search((source / "backend" / "__init__.py").read_text(encoding="utf-8"))
    if found is None or found[1] != version:
        said = found[1] if found else "none"
        raise ReleaseError(
            f"blender_manifest.toml has version {version}, backend/__init__.py {said}: they must be the same."
        )


def _export(source: Path, folder: Path) -> Path:
    """The commit's files in a folder."""
    archive = _git(source, "archive", "--format=tar", "HEAD")
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(folder, filter="data")
    return folder


def _commit_time(source: Path) -> datetime:
    return datetime.fromtimestamp(int(_git(source, "log", "-1", "--format=%ct")), UTC)


def _write_zip(built: Path, target: Path, time: datetime) -> None:
    """The same files in order of their names, all of one time and mode: neither clock nor disk leave a trace."""
    # Zips count in steps of two seconds, and from 1980 on.
    moment = (max(time.year, 1980), time.month, time.day, time.hour, time.minute, time.second // 2 * 2)
    with zipfile.ZipFile(built) as old, zipfile.ZipFile(target, "w") as new:
        for entry in sorted(old.infolist(), key=lambda one: one.filename):
            info = zipfile.ZipInfo(entry.filename, moment)
            info.create_system, info.external_attr = 3, 0o100644 << 16
            info.compress_type = entry.compress_type
            new.writestr(info, old.read(entry), compresslevel=9)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _git(source: Path, *arguments: str) -> bytes:
    try:
        done = subprocess.run(["git", "-C", source, *arguments], capture_output=True, check=False)
    except OSError as error:
        raise ReleaseError(f"git cannot be run: {error.strerror}.") from error
    if done.returncode != 0:
        raise ReleaseError(f"git {arguments[0]}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, help="where the release goes")
    parser.add_argument("--source", type=Path, default=ROOT, help="another work tree than this one")
    parsed = parser.parse_args()
    try:
        files = release(parsed.folder, parsed.source)
    except ReleaseError as error:
        print(error, file=sys.stderr)
        return 1
    for path in files:
        print(f"{os.path.getsize(path):>12,}  {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

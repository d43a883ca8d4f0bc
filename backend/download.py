"""`inspatio download PRESET`: weights of a preset or a depth network from the Hugging Face hub into a folder.

    list     ask the hub once a repository: which files, how large, with which checksum
    compare  what is in the folder already, what in huggingface's own cache, what is left of a broken download
    check    that the disk has room for the rest, before its first byte
    fetch    file by file into `.NAME.CHECKSUM.part`, going on where an earlier download broke
    verify   the checksum, and only then the file gets its name

huggingface_hub finds, authorizes and describes the files. Its own downloads start anew in every process and compare no
checksum, so bytes are moved here. Its environment variables count: HF_ENDPOINT, HF_TOKEN, HF_HOME, HF_HUB_OFFLINE.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from io import FileIO
from pathlib import Path, PurePosixPath

import httpx2
from filelock import FileLock, Timeout
from huggingface_hub import HfApi, constants, get_session, hf_hub_url, is_offline_mode, try_to_load_from_cache
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
)
from huggingface_hub.hf_api import RepoSibling
from huggingface_hub.utils import build_hf_headers, hf_raise_for_status  # type: ignore[attr-defined]

from .protocol import MIB
from .protocol.disk import write_json
from .protocol.sources import DEPTH_SOURCES, LISTING, SOURCES, HubFile, Source

constants.HF_HUB_DISABLE_TELEMETRY = True  # The hub is asked for files and told nothing about this machine.

RETRIES = 5
"""Attempts in a row that may bring nothing before a download is given up."""
FIRST_WAIT = 1.0
"""Seconds before the first new attempt; every further one waits twice as long."""

RATE_SECONDS = 10.0
"""The rate is that of the last so many seconds."""

_CHUNK = 1 * MIB


@dataclass(frozen=True)
class Line:
    """A line for a person. passing: it is only good until the next; share: how much is done, where that is known."""

    text: str
    passing: bool = False
    share: float | None = None


Show = Callable[[Line], None]


class DownloadError(Exception):
    """Weights are not there, and cannot be had; the message says why and what to do."""


def download(
    preset_id: str,
    folder: Path,
    show: Show = lambda line: None,
    *,
    offline: bool = False,
    every: float = 1.0,
) -> None:
    """Bring all files of a preset, or of a depth network, into `folder`, or find them there.

    `show` is given the licence of every source, then progress, a line every `every` seconds.
    offline: nothing is asked of the network (so it is with HF_HUB_OFFLINE set, too).
    Raises DownloadError; also KeyboardInterrupt, and what came until then is used by the next download.
    """
    sources = SOURCES.get(preset_id) or DEPTH_SOURCES.get(preset_id)
    if sources is None:
        raise DownloadError(
            "tiny ships with the backend: there is nothing to download."
            if preset_id == "tiny"
            else f"There is no preset {preset_id!r} to download; there are {', '.join([*SOURCES, *DEPTH_SOURCES])}."
        )
    for source in sources:
        show(Line(f"{source.repo}/{source.path}: {source.purpose}, {source.licence}"))
    if offline or is_offline_mode():
        _find_all(preset_id, folder, sources, show)
        return
    with _told_in_a_sentence(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".download.lock", timeout=0):
            _bring_all(folder, sources, show, every)
    show(Line(f"Everything that {preset_id} needs is in {folder}"))


def _find_all(preset_id: str, folder: Path, sources: tuple[Source, ...], show: Show) -> None:
    """Raise DownloadError unless all files are in the folder, as far as that can be told without the hub."""
    missing = []
    for source in sources:
        listed = source.listed(folder)
        # Without a listing somebody brought the files here: there is nothing to compare them with.
        if not listed and not source.within(folder).exists():
            missing.append(f"{source.repo}/{source.path}")
        missing += [f"{file.repo}/{file.path}" for file in listed if not _is_there(file, folder, show)]
    if missing:
        raise DownloadError(
            f"{preset_id} lacks {', '.join(missing)} in {folder}, and offline nothing is downloaded: "
            f"allow online access (no --offline, no HF_HUB_OFFLINE), or copy the folder from another machine."
        )
    show(Line(f"Everything that {preset_id} needs is in {folder}"))


def _bring_all(folder: Path, sources: tuple[Source, ...], show: Show, every: float) -> None:
    wanted = _ask_hub(folder, sources)
    to_fetch = [
        file for file in wanted if not _is_there(file, folder, show) and not _from_cache(file, folder, show)
    ]
    already = {file: _size(file.partial(folder)) for file in to_fetch}
    total = sum(file.size for file in to_fetch)
    needed = total - sum(already.values())
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise DownloadError(
            f"{gigabytes(needed)} are still to come, but only {gigabytes(free)} are free in {folder}: "
            f"make room, or choose another folder with --folder."
        )
    progress = Progress(total, sum(already.values()), show, every)
    for file in to_fetch:
        progress.name = PurePosixPath(file.path).name
        _fetch(file, folder, progress)
        _verify(file, folder, show)


def _ask_hub(folder: Path, sources: tuple[Source, ...]) -> list[HubFile]:
    """All files of the sources, as the hub describes them now; what it says is kept in the folder."""
    wanted: list[HubFile] = []
    for repo in dict.fromkeys(source.repo for source in sources):
        siblings, commit = _repository(repo)
        chosen = []
        for source in (source for source in sources if source.repo == repo):
            found = [
                _described(repo, commit, sibling) for sibling in siblings if source.owns(sibling.rfilename)
            ]
            if not found:
                raise DownloadError(
                    f"The hub's {repo} has no {source.path} any more: look for a newer version of this program."
                )
            chosen += found
        listing = folder / repo / LISTING
        listing.parent.mkdir(parents=True, exist_ok=True)
        write_json(listing, {"format": "inspatio-hub-files", "files": [asdict(file) for file in chosen]})
        wanted += chosen
    return wanted


def _repository(repo: str) -> tuple[list[RepoSibling], str | None]:
    """A repository's files and its commit."""
    with _named(repo):
        try:
            info = HfApi().model_info(repo, files_metadata=True, timeout=constants.HF_HUB_ETAG_TIMEOUT)
        except HfHubHTTPError:
            raise
        except (ValueError, TypeError, KeyError):
            raise DownloadError(
                f"{constants.ENDPOINT} doesn't answer as a hub does: check HF_ENDPOINT, and whether the network "
                "wants a login first."
            ) from None
    return info.siblings or [], info.sha


def _described(repo: str, commit: str | None, sibling: RepoSibling) -> HubFile:
    """A file of the hub's answer. Large files have a sha256 there, small ones git's id of their content."""
    size = sibling.lfs.size if sibling.lfs else sibling.size
    digest = sibling.lfs.sha256 if sibling.lfs else sibling.blob_id
    if commit is None or size is None or digest is None:
        raise DownloadError(
            f"{constants.ENDPOINT} tells no sizes and checksums: unset HF_ENDPOINT, or take a full mirror of the hub."
        )
    return HubFile(repo, commit, sibling.rfilename, size, f"{'sha256' if sibling.lfs else 'git'}:{digest}")


def _is_there(file: HubFile, folder: Path, show: Show) -> bool:
    """Whether the folder has the file, right to the last byte."""
    target = file.within(folder)
    if not file.has_its_size(folder) or not target.is_file():
        return False
    show(Line(f"{target.name}: checking what is there", passing=True))
    return checksum(target, file) == file.checksum


def _from_cache(file: HubFile, folder: Path, show: Show) -> bool:
    """Take the file from huggingface's cache, if it is there: as a link where that can be, which takes no room."""
    cached = try_to_load_from_cache(file.repo, file.path, revision=file.commit)
    if not isinstance(cached, str):
        return False
    blob = Path(cached).resolve()
    if _size(blob) != file.size or checksum(blob, file) != file.checksum:
        return False
    target, partial = file.within(folder), file.partial(folder)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial.unlink(missing_ok=True)
    try:
        os.link(blob, partial)
    except OSError:
        if shutil.disk_usage(folder).free < file.size:
            return False  # The check of the disk will say so.
        shutil.copyfile(blob, partial)
    os.replace(partial, target)
    show(Line(f"{target.name}: taken from huggingface's cache"))
    return True


def _fetch(file: HubFile, folder: Path, progress: Progress) -> None:
    """All bytes of a file into its partial file, with new attempts when the connection breaks."""
    partial = file.partial(folder)
    partial.parent.mkdir(parents=True, exist_ok=True)
    failures = 0
    # Unbuffered: what has come is on disk when the process is ended, and the next one goes on from there.
    with open(partial, "ab", buffering=0) as out:
        while (before := out.tell()) < file.size:
            broke: Exception | None = None
            try:
                _transfer(file, out, progress)
            except httpx2.TransportError as error:
                broke = error
            except HfHubHTTPError as error:
                if error.response.status_code < 500:
                    raise
                broke = error
            failures = 0 if out.tell() > before else failures + 1
            if failures > RETRIES:
                raise broke or DownloadError(f"The hub sends nothing of {file.path}: try again later.")
            if out.tell() < file.size:
                progress.say(f"the connection broke, attempt {failures + 1}")
                time.sleep(FIRST_WAIT * 2**failures)


def _transfer(file: HubFile, out: FileIO, progress: Progress) -> None:
    """One request for what is still missing, appended to `out`."""
    start = out.tell()
    url = hf_hub_url(file.repo, file.path, revision=file.commit)
    headers = {**build_hf_headers(), "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    with get_session().stream(
        "GET", url, headers=headers, timeout=constants.HF_HUB_DOWNLOAD_TIMEOUT
    ) as response:
        with _named(file.repo):
            hf_raise_for_status(response)
        if start and response.status_code != httpx2.codes.PARTIAL_CONTENT:
            # Not every server knows ranges; but a page that wants a login must not cost what is there.
            if response.headers.get("Content-Length") != str(file.size):
                raise DownloadError(
                    f"{constants.ENDPOINT} sends something else than {file.path}: check whether the network wants a "
                    "login, then run the same command again."
                )
            out.truncate(0)
            out.seek(0)
            progress.advance(-start)
        for chunk in response.iter_raw():
            room = file.size - out.tell()
            _write(out, chunk[:room])
            progress.advance(min(len(chunk), room))
            if len(chunk) > room:
                return  # Too many bytes are wrong bytes: the checksum will tell.


def _write(out: FileIO, data: bytes) -> None:
    """All of `data`: a disk that is nearly full may take a part of it at a time, before it raises OSError."""
    left = memoryview(data)
    while left:
        left = left[out.write(left) :]


def _verify(file: HubFile, folder: Path, show: Show) -> None:
    """Give the partial file its name if its checksum is the hub's; else remove it and raise DownloadError."""
    partial, target = file.partial(folder), file.within(folder)
    show(Line(f"{target.name}: checking", passing=True))
    if checksum(partial, file) != file.checksum:
        partial.unlink()
        raise DownloadError(
            f"{target.name} arrived damaged (its checksum is not the hub's) and was removed: download it again."
        )
    os.replace(partial, target)


def checksum(path: Path, file: HubFile) -> str:
    """The checksum of the bytes in `path`, of the kind that the hub states for `file`."""
    kind = file.checksum.partition(":")[0]
    digest = hashlib.sha256() if kind == "sha256" else hashlib.sha1(f"blob {path.stat().st_size}\0".encode())
    with open(path, "rb") as data:
        while chunk := data.read(_CHUNK):
            digest.update(chunk)
    return f"{kind}:{digest.hexdigest()}"


class Progress:
    """How far a download has come: bytes, rate and time left, as lines for a person."""

    def __init__(self, total: int, done: int, show: Show, every: float) -> None:
        self.name = ""
        self._total, self._done, self._show, self._every = total, done, show, every
        self._shown = float("-inf")
        self._past: deque[tuple[float, int]] = deque([(time.monotonic(), done)])

    def advance(self, count: int) -> None:
        """`count` bytes more are there; fewer, where it is negative."""
        self._done += count
        now = time.monotonic()
        self._past.append((now, self._done))
        while now - self._past[0][0] > RATE_SECONDS and len(self._past) > 2:
            self._past.popleft()
        if now - self._shown >= self._every or self._done >= self._total:
            self._shown = now
            (then, before), (_, after) = self._past[0], self._past[-1]
            rate = max(after - before, 0) / max(now - then, 1e-3)
            left = (
                f"{rate / 1e6:.1f} MB/s, {_duration((self._total - self._done) / rate)} left" if rate else ""
            )
            self.say(f"{gigabytes(self._done)} of {gigabytes(self._total)}, {left or 'waiting'}")

    def say(self, what: str) -> None:
        """Show a line about the file that is being fetched."""
        share = self._done / self._total if self._total else None
        self._show(Line(f"{self.name}: {what}", passing=True, share=share))


def gigabytes(count: float) -> str:
    """A number of bytes for a person."""
    return f"{count / 1e9:.2f} GB" if count >= 1e7 else f"{count / 1e6:.2f} MB"


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


@contextmanager
def _named(repo: str) -> Iterator[None]:
    """Say which repository the hub refuses."""
    try:
        yield
    except GatedRepoError as error:
        raise DownloadError(
            f"The hub gives {repo} only to who accepted its terms: accept them at {constants.ENDPOINT}/{repo}, "
            "then log in with `hf auth login`."
        ) from error
    except (RepositoryNotFoundError, EntryNotFoundError) as error:
        raise DownloadError(
            f"The hub has no {repo}, or no longer what is needed of it: check HF_ENDPOINT, or look for a newer "
            "version of this program."
        ) from error


@contextmanager
def _told_in_a_sentence(folder: Path) -> Iterator[None]:
    """Turn what may go wrong between here, the hub and the disk into a DownloadError that says what to do."""
    again = "Run the same command again: it goes on where this one stopped."
    try:
        yield
    except Timeout:
        raise DownloadError(f"Another download into {folder} is running: wait for it to end.") from None
    except OfflineModeIsEnabled:
        raise DownloadError(
            "Online access is not allowed (HF_HUB_OFFLINE): nothing was downloaded."
        ) from None
    except HfHubHTTPError as error:
        raise DownloadError(
            f"The hub answered {error.response.status_code}, not the file. {again}"
        ) from error
    except httpx2.HTTPError as error:
        raise DownloadError(
            f"{constants.ENDPOINT} cannot be reached, or broke off ({error or type(error).__name__}). {again}"
        ) from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DownloadError(f"The disk of {folder} is full: make room. {again}") from error
        raise DownloadError(
            f"{error.filename or folder} cannot be written: {error.strerror or error}."
        ) from error

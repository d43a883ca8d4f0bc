"""`inspatio download` against a hub imitated on loopback: nothing here leaves this machine."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock
from hub import COMMIT, Hub
from huggingface_hub import close_session, constants

from backend import cli, download
from backend.download import DownloadError, Line
from backend.protocol import sources
from backend.protocol.sources import Source

Usage = namedtuple("Usage", "total used free")
ROOT = Path(__file__).resolve().parent.parent
REPO, FILE, FOLDER_REPO = "owner/generator", "generator.safetensors", "owner/shared"
CONTENT = bytes(range(256)) * 1024
PATHS = {
    f"{FOLDER_REPO}/text/config.json": b'{"layers": 2}',
    f"{FOLDER_REPO}/text/part-1.safetensors": b"first part" * 50,
    f"{REPO}/{FILE}": CONTENT,
}
TABLE = {
    "small": (
        Source(REPO, FILE, "generator", "Apache-2.0"),
        Source(FOLDER_REPO, "text/", "encoder of the prompt", "MIT"),
    )
}


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    """The hub that huggingface_hub is led to, with the files of the preset "small" in it."""
    with Hub() as hub:
        hub.add(REPO, FILE, CONTENT)
        hub.add(REPO, "README.md", b"of no use here")
        hub.add(FOLDER_REPO, "text/config.json", PATHS[f"{FOLDER_REPO}/text/config.json"])
        hub.add(FOLDER_REPO, "text/part-1.safetensors", PATHS[f"{FOLDER_REPO}/text/part-1.safetensors"])
        hub.add(FOLDER_REPO, "text/weights.bin", b"a pickle")
        hub.add(FOLDER_REPO, "other/model.safetensors", b"of another preset")
        monkeypatch.setattr(download, "SOURCES", TABLE)
        monkeypatch.setattr(download, "FIRST_WAIT", 0.001)
        monkeypatch.setattr(
            constants,
            "HUGGINGFACE_CO_URL_TEMPLATE",
            f"{hub.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}",
        )
        monkeypatch.setattr(constants, "ENDPOINT", hub.url)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        close_session()
        yield hub
        close_session()


def bring(folder: Path, offline: bool = False) -> list[str]:
    lines: list[str] = []
    download.download("small", folder, lambda line: lines.append(line.text), offline=offline, every=0.0)
    return lines


def refusal(folder: Path, offline: bool = False) -> str:
    with pytest.raises(DownloadError) as error:
        bring(folder, offline)
    message = str(error.value)
    assert "\n" not in message and message.endswith(".")
    return message


def in_folder(folder: Path) -> dict[str, bytes]:
    """What a preset is loaded from: not the listings, the lock and partial files."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def partials(folder: Path) -> list[Path]:
    return list(folder.rglob("*.part"))


def ranges(hub: Hub) -> list[str]:
    """The Range of every request for the generator's bytes."""
    return [ranged for path, ranged in hub.file_requests() if path.endswith(FILE)]


def leave(monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    monkeypatch.setattr(download.shutil, "disk_usage", lambda path: Usage(0, 0, free))


def test_everything_arrives_and_nothing_else(hub: Hub, tmp_path: Path) -> None:
    lines = bring(tmp_path / "weights")
    assert in_folder(tmp_path / "weights") == PATHS
    assert not partials(tmp_path)
    assert f"{REPO}/{FILE}: generator, Apache-2.0" in lines
    assert f"{FOLDER_REPO}/text/: encoder of the prompt, MIT" in lines
    total = sum(map(len, PATHS.values())) / 1e6
    assert any("MB/s" in line and " left" in line and f"of {total:.2f} MB" in line for line in lines)


def test_a_cut_connection_is_taken_up_where_it_broke(hub: Hub, tmp_path: Path) -> None:
    hub.cuts = [100_000, 100_000]
    lines = bring(tmp_path)
    assert in_folder(tmp_path) == PATHS
    assert ranges(hub) == ["", "bytes=100000-", "bytes=200000-"]
    assert any("the connection broke" in line for line in lines)


def test_a_broken_download_goes_on_in_the_next_one(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "RETRIES", 0)
    hub.cuts = [100_000, 0]
    assert "goes on where this one stopped" in refusal(tmp_path)
    assert in_folder(tmp_path) == {}
    hub.requests.clear()
    bring(tmp_path)
    assert ranges(hub) == ["bytes=100000-"]
    assert in_folder(tmp_path) == PATHS


def test_ctrl_c_leaves_what_the_next_download_uses(hub: Hub, tmp_path: Path) -> None:
    def stop(line: Line) -> None:
        if "MB/s" in line.text:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download.download("small", tmp_path, stop, every=0.0)
    assert in_folder(tmp_path) == {}
    (partial,) = partials(tmp_path)
    came = partial.stat().st_size
    assert 0 < came < len(CONTENT)
    hub.requests.clear()
    bring(tmp_path)
    assert ranges(hub) == [f"bytes={came}-"]
    assert in_folder(tmp_path) == PATHS


def test_a_server_without_ranges_starts_from_the_beginning(hub: Hub, tmp_path: Path) -> None:
    hub.ranges, hub.cuts = False, [100_000]
    bring(tmp_path)
    assert in_folder(tmp_path) == PATHS


def test_a_partial_file_of_another_version_is_not_gone_on_from(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "RETRIES", 0)
    hub.cuts = [100_000, 0]
    refusal(tmp_path)
    newer = CONTENT[::-1]
    hub.add(REPO, FILE, newer)
    hub.requests.clear()
    bring(tmp_path)
    assert ranges(hub) == [""]
    assert in_folder(tmp_path)[f"{REPO}/{FILE}"] == newer


@pytest.mark.parametrize(
    "claimed", [CONTENT[:-1] + b"!", CONTENT[1:-8]], ids=["other bytes", "too many bytes"]
)
def test_wrong_bytes_are_not_kept(hub: Hub, tmp_path: Path, claimed: bytes) -> None:
    hub.add(REPO, FILE, CONTENT, claimed)
    assert "generator.safetensors arrived damaged" in refusal(tmp_path)
    assert in_folder(tmp_path) == {} and not partials(tmp_path)


def test_wrong_bytes_of_a_small_file_are_not_kept(hub: Hub, tmp_path: Path) -> None:
    hub.add(FOLDER_REPO, "text/config.json", b"{}", b"[]")
    assert "config.json arrived damaged" in refusal(tmp_path)
    assert f"{FOLDER_REPO}/text/config.json" not in in_folder(tmp_path)


def test_a_hub_that_sends_too_little_for_ever_is_given_up(hub: Hub, tmp_path: Path) -> None:
    hub.add(REPO, FILE, CONTENT[:1000], CONTENT)
    assert f"sends nothing of {FILE}" in refusal(tmp_path)
    assert in_folder(tmp_path) == {}


def test_a_repository_that_is_not_there(hub: Hub, tmp_path: Path) -> None:
    del hub.files[REPO]
    assert f"The hub has no {REPO}" in refusal(tmp_path)


def test_a_file_that_the_repository_has_no_more(hub: Hub, tmp_path: Path) -> None:
    del hub.files[REPO][FILE]
    assert f"has no {FILE}" in refusal(tmp_path)
    assert not hub.file_requests()


def test_a_file_that_cannot_be_found_when_it_is_fetched(hub: Hub, tmp_path: Path) -> None:
    hub.statuses = [404]
    assert f"The hub has no {REPO}, or no longer" in refusal(tmp_path)
    assert in_folder(tmp_path) == {}


def test_a_repository_with_terms_to_accept(hub: Hub, tmp_path: Path) -> None:
    hub.statuses = [403]
    assert f"accept them at {hub.url}/{REPO}" in refusal(tmp_path)


def test_a_network_that_wants_a_login_first(hub: Hub, tmp_path: Path) -> None:
    hub.page = b"<html>Welcome to our hotel</html>"
    assert "wants a login first" in refusal(tmp_path)


def test_a_login_page_does_not_cost_what_is_there(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "RETRIES", 0)
    hub.cuts = [100_000, 0]
    refusal(tmp_path)
    hub.ranges = False
    hub.add(REPO, FILE, b"<html>Welcome to our hotel</html>", CONTENT)
    assert "wants a login" in refusal(tmp_path)
    (partial,) = partials(tmp_path)
    assert partial.stat().st_size == 100_000


def test_a_hub_that_is_busy_is_asked_again(hub: Hub, tmp_path: Path) -> None:
    hub.statuses = [503, 503]
    bring(tmp_path)
    assert in_folder(tmp_path) == PATHS


def test_a_hub_that_stays_busy_is_given_up(hub: Hub, tmp_path: Path) -> None:
    hub.statuses = [503] * 20
    assert "answered 503" in refusal(tmp_path)
    assert len(hub.statuses) == 20 - 1 - download.RETRIES


def test_a_hub_that_cannot_be_reached(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    assert "cannot be reached" in refusal(tmp_path)


def test_a_mirror_without_checksums_is_refused(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.checksums = False
    assert "no sizes and checksums" in refusal(tmp_path)
    assert not hub.file_requests()


def test_too_little_disk_is_told_before_the_first_byte(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    total = sum(map(len, PATHS.values()))
    leave(monkeypatch, total - 1)
    message = refusal(tmp_path)
    assert "0.26 MB are still to come" in message and "--folder" in message
    assert not hub.file_requests() and in_folder(tmp_path) == {}
    leave(monkeypatch, total)
    bring(tmp_path)
    assert in_folder(tmp_path) == PATHS


def test_what_is_there_already_needs_no_disk(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "RETRIES", 0)
    hub.cuts = [100_000, 0]
    refusal(tmp_path)
    leave(monkeypatch, sum(map(len, PATHS.values())) - 100_000)
    bring(tmp_path)
    assert in_folder(tmp_path) == PATHS


def test_a_disk_that_fills_up_is_named(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(download, "_transfer", full)
    message = refusal(tmp_path)
    assert f"The disk of {tmp_path} is full" in message


def test_files_that_are_there_are_not_fetched_again(hub: Hub, tmp_path: Path) -> None:
    for path, content in PATHS.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    bring(tmp_path)
    assert not hub.file_requests()


def test_a_file_of_the_right_size_with_other_bytes_is_replaced(hub: Hub, tmp_path: Path) -> None:
    bring(tmp_path)
    (tmp_path / REPO / FILE).write_bytes(bytes(len(CONTENT)))
    hub.requests.clear()
    bring(tmp_path)
    assert ranges(hub) == [""]
    assert in_folder(tmp_path) == PATHS


def cached(tmp_path: Path, content: bytes) -> Path:
    """`FILE` in huggingface's cache, laid out as huggingface_hub does."""
    snapshot = tmp_path / "cache" / "models--owner--generator" / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    (snapshot / FILE).write_bytes(content)
    return snapshot / FILE


def test_a_file_in_huggingfaces_cache_is_used_and_takes_no_room(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = cached(tmp_path, CONTENT)
    leave(monkeypatch, sum(map(len, PATHS.values())) - len(CONTENT))
    bring(tmp_path / "weights")
    assert in_folder(tmp_path / "weights") == PATHS
    assert ranges(hub) == []
    assert os.path.samefile(there, tmp_path / "weights" / REPO / FILE)


def test_a_damaged_file_in_huggingfaces_cache_is_not_used(hub: Hub, tmp_path: Path) -> None:
    cached(tmp_path, bytes(len(CONTENT)))
    bring(tmp_path / "weights")
    assert in_folder(tmp_path / "weights") == PATHS


@pytest.mark.parametrize("how", ["option", "variable"])
def test_without_online_access_nothing_is_asked(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", how == "variable")
    message = refusal(tmp_path, offline=how == "option")
    assert f"lacks {REPO}/{FILE}, {FOLDER_REPO}/text/ in" in message
    assert hub.requests == []


def test_offline_says_which_file_is_missing_or_broken(hub: Hub, tmp_path: Path) -> None:
    bring(tmp_path)
    hub.requests.clear()
    assert "is in" in bring(tmp_path, offline=True)[-1]
    (tmp_path / FOLDER_REPO / "text" / "config.json").unlink()
    (tmp_path / REPO / FILE).write_bytes(bytes(len(CONTENT)))
    message = refusal(tmp_path, offline=True)
    assert f"lacks {REPO}/{FILE}, {FOLDER_REPO}/text/config.json in" in message
    assert hub.requests == []


def test_offline_takes_files_that_somebody_copied_here(hub: Hub, tmp_path: Path) -> None:
    for path, content in PATHS.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    bring(tmp_path, offline=True)


def test_two_downloads_into_one_folder_do_not_mix(hub: Hub, tmp_path: Path) -> None:
    with FileLock(tmp_path / ".download.lock"):
        assert "is running" in refusal(tmp_path)
    assert hub.requests == []


def test_nothing_leaves_the_folder(hub: Hub, tmp_path: Path) -> None:
    hub.add(FOLDER_REPO, "text/../../../escaped.json", b"{}")
    bring(tmp_path / "weights")
    assert in_folder(tmp_path) == {f"weights/{path}": content for path, content in PATHS.items()}


@pytest.mark.parametrize(("preset", "words"), [("tiny", "ships"), ("large", "inspatio-1.5-1.3b")])
def test_presets_that_are_not_downloaded(tmp_path: Path, preset: str, words: str) -> None:
    with pytest.raises(DownloadError, match=words):
        download.download(preset, tmp_path)


def test_a_depth_network_is_downloaded_like_a_preset(hub: Hub, tmp_path: Path) -> None:
    network = sources.DEPTH_NETWORKS["depth"]
    files = {"config.json": b"{}", "model.safetensors": CONTENT}
    for path, content in {**files, "pytorch_model.bin": b"a pickle"}.items():
        hub.add(network.repo, path, content)
    lines: list[str] = []
    download.download("depth", tmp_path, lambda line: lines.append(line.text))
    assert in_folder(tmp_path) == {f"{network.repo}/{path}": content for path, content in files.items()}
    assert f"{network.repo}/model.safetensors: depth network, Apache-2.0" in lines


def test_every_preset_names_what_it_needs_once() -> None:
    for preset, needed in sources.SOURCES.items():
        places = [(source.repo, source.path) for source in needed]
        assert len(set(places)) == len(places)
        assert [source.purpose for source in needed].count("generator") == 1
        assert all(source.licence for source in needed), preset


def test_the_command_line_downloads_what_hf_endpoint_names(hub: Hub, tmp_path: Path) -> None:
    """In a process of its own, so that huggingface_hub reads its variables as a user sets them."""
    code = (
        "from backend import cli\nfrom backend.protocol import sources\n"
        f"small = (sources.Source{(REPO, FILE, 'generator', 'MIT')!r},)\n"
        "sources.SOURCES['inspatio-1.3b'] = small\n"
        "raise SystemExit(cli.main(['download', 'inspatio-1.3b']))"
    )
    environment = {
        **os.environ,
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(tmp_path / "home"),
        "INSPATIO_WEIGHTS": str(tmp_path / "weights"),
    }
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == cli.DONE, done.stderr
    assert in_folder(tmp_path / "weights") == {f"{REPO}/{FILE}": CONTENT}
    assert done.stdout.splitlines()[0] == f"{REPO}/{FILE}: generator, MIT"
    assert "MB/s" in done.stdout
    assert "The neutral prompt will be encoded with the first take" in done.stdout


def test_the_command_line_says_what_is_missing(
    hub: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["download", "small", "--offline", "--folder", str(tmp_path)]) == cli.FAILED
    assert f"lacks {REPO}/{FILE}" in capsys.readouterr().err


def test_the_command_line_tells_after_ctrl_c_how_to_go_on(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(download, "_transfer", interrupt)
    assert cli.main(["download", "small", "--folder", str(tmp_path)]) == cli.INTERRUPTED
    assert "Run the same command again" in capsys.readouterr().err


def test_the_weights_folder_is_the_users_own_or_the_chosen_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("INSPATIO_WEIGHTS", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))
    for platform, expected in (
        ("linux", tmp_path / "inspatio" / "weights"),
        ("win32", tmp_path / "inspatio" / "weights"),
        ("darwin", Path.home() / "Library" / "Application Support" / "inspatio" / "weights"),
    ):
        monkeypatch.setattr(sources.sys, "platform", platform)
        assert sources.weights_folder() == expected
    monkeypatch.setenv("INSPATIO_WEIGHTS", str(tmp_path / "chosen"))
    assert sources.weights_folder() == tmp_path / "chosen"

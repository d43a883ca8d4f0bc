"""`inspatio shot FOLDER` and the rest of the command line, over small random weights."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
import pytest
from fakes import small_presets
from movies import check_film
from references import write_shot

from backend import cli, movie, presets
from backend.constraint import compile_loops
from backend.protocol.disk import write_whole
from backend.protocol.files import Take, read_take
from backend.report import ReportError, make_report
from backend.shots import ShotError, generate_shot

ROOT = Path(__file__).resolve().parent.parent
FRAMES = [f"{number:04d}.png" for number in range(1, 15)]


@pytest.fixture
def small(tmp_path_factory: pytest.TempPathFactory) -> presets.Presets:
    return small_presets(tmp_path_factory.mktemp("weights"))


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch, small: presets.Presets) -> None:
    """The command line finds the small weights as if they had come with the project."""
    monkeypatch.setattr("backend.shots.Presets", lambda: small)


def _frames(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.png"))}


@pytest.fixture(scope="module", autouse=True)
def compiled() -> None:
    """Once on a machine a first shot says that the warp is compiled: here lines are counted."""
    compile_loops()


@pytest.mark.usefixtures("installed")
def test_a_shot_folder_becomes_a_take(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_shot(tmp_path, frames=14)
    assert cli.main(["shot", str(tmp_path)]) == 0
    folder = tmp_path / "take_001"
    assert list(_frames(folder)) == FRAMES
    assert cv2.imread(str(folder / "0014.png")).shape == (48, 64, 3)
    take = read_take(folder)
    assert (take.state, take.frames_done, take.blocks_done, take.number) == ("finished", 14, 2, 1)
    assert len(take.coverage) == 14
    assert take.first_frame_s > 0
    assert take.peak_mb > 10
    check_film(folder / "shot.mp4", [folder / name for name in FRAMES], fps=24)
    assert (folder / "report.html").read_bytes() == make_report(folder, take)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3 and lines[-1] == str(folder)
    assert lines[0].startswith("take_001: 9 of 14 frames, ")
    assert cli.main(["shot", str(tmp_path), "--seed", "9"]) == 0
    assert read_take(tmp_path / "take_002").shot.seed == 9
    assert _frames(tmp_path / "take_002") != _frames(folder)


@pytest.mark.usefixtures("installed")
def test_a_world_of_nothing_but_sky_can_be_entered(tmp_path: Path) -> None:
    write_shot(tmp_path, frames=9)
    for path in (tmp_path / "reference").glob("*.npy"):
        np.save(path, np.full_like(np.load(path), np.inf))
    assert cli.main(["shot", str(tmp_path)]) == 0
    take = read_take(tmp_path / "take_001")
    assert (take.state, take.frames_done, take.coverage[0]) == ("finished", 9, 1.0)


def test_the_same_shot_gives_the_same_frames_also_when_stopped_between(
    tmp_path: Path, small: presets.Presets
) -> None:
    write_shot(tmp_path, frames=30)
    whole = generate_shot(tmp_path, presets=small)
    for stop in (0, 1, 2):
        lines: list[str] = []

        def interrupt(line: str, stop: int = stop, lines: list[str] = lines) -> None:
            lines.append(line)
            if len(lines) > stop:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            generate_shot(tmp_path, presets=small, show=interrupt)
        stopped = read_take(tmp_path / f"take_{2 + stop:03d}")
        assert stopped.state == "cancelled"
        assert "Cancelled after" in stopped.message
        again = generate_shot(tmp_path, presets=small, number=0)
        assert again.name == f"take_{2 + stop:03d}"
        assert read_take(again).state == "finished"
        assert _frames(again) == _frames(whole)
        check_film(again / "shot.mp4", sorted(again.glob("*.png")), fps=24)


def test_without_a_state_it_catches_up_to_the_same_frames(
    tmp_path: Path, small: presets.Presets, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of the large presets: after the first block nothing is kept."""
    write_shot(tmp_path, frames=33)
    whole = generate_shot(tmp_path, presets=small)
    monkeypatch.setattr("backend.snapshots.SMALL_BYTES", 0)
    lines: list[str] = []

    def interrupt(line: str) -> None:
        lines.append(line)
        if len(lines) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        generate_shot(tmp_path, presets=small, show=interrupt)
    stopped = read_take(tmp_path / "take_002")
    assert (stopped.blocks_done, stopped.state_after) == (2, 0)
    again = generate_shot(tmp_path, presets=small, number=2, show=lines.append)
    assert [line.split(": ")[1].split(",")[0] for line in lines[2:]] == ["catching up"] * 2 + [
        "33 of 33 frames"
    ]
    assert _frames(again) == _frames(whole)


def test_killed_it_is_continued_to_the_same_frames(tmp_path: Path, small: presets.Presets) -> None:
    write_shot(tmp_path, frames=105)
    code = f"""
import sys
sys.path[:0] = [{str(ROOT / "tests")!r}, {str(ROOT)!r}]
import fakes
from pathlib import Path
from backend.presets import Presets
from backend.shots import generate_shot
generate_shot(Path({str(tmp_path)!r}), presets=Presets(Path({str(small._tiny.parent)!r})))
"""
    child = subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "OMP_NUM_THREADS": "1"})
    folder = tmp_path / "take_001"
    deadline = time.monotonic() + 120
    while not (folder / "0025.png").exists():
        assert child.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert read_take(folder).abandoned
    continued = generate_shot(tmp_path, presets=small, number=1)
    assert continued == folder
    assert _frames(folder) == _frames(generate_shot(tmp_path, presets=small))


def test_as_far_as_a_frame_and_on_from_there(
    tmp_path: Path, small: presets.Presets, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A piece ends with its state, also where states are seldom kept; the pieces are the whole."""
    write_shot(tmp_path, frames=33)
    whole = generate_shot(tmp_path, presets=small)
    monkeypatch.setattr("backend.snapshots.SMALL_BYTES", 0)
    shares: list[float] = []
    piece = generate_shot(tmp_path, presets=small, until=10, share=shares.append)
    take = read_take(piece)
    assert (take.state, take.frames_done, take.state_after, take.writer) == ("cancelled", 21, 2, 0)
    assert take.message == "Generated as far as frame 21, as asked: 21 of 33 frames."
    assert shares == [0.5, 1.0]
    assert not (piece / "shot.mp4").exists()
    lines: list[str] = []
    assert generate_shot(tmp_path, presets=small, number=0, show=lines.append) == piece
    assert not any("catching up" in line for line in lines)
    assert _frames(piece) == _frames(whole)
    assert read_take(piece).state == "finished" and (piece / "shot.mp4").exists()
    with pytest.raises(ShotError, match="begins at frame 1, after frame 0"):
        generate_shot(tmp_path, presets=small, until=0)


@pytest.mark.usefixtures("installed")
def test_a_take_by_its_number_is_made_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Begun, continued, or left as it is: the same command, as a farm runs it again. Its progress is the runner's."""
    write_shot(tmp_path / "shot", frames=21)
    out = tmp_path / "takes"
    (out / "take_004").mkdir(parents=True)  # As one is that was killed before it wrote anything.
    command = ["shot", str(tmp_path / "shot"), "--out", str(out), "--take", "4", "--openjd"]
    assert cli.main([*command, "--until", "9"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert "openjd_progress: 100.0" in said and said[1].startswith("openjd_status: take_004: 9 of 9 frames, ")
    assert cli.main([*command, "--until", "9"]) == 0
    assert "openjd_progress" not in capsys.readouterr().out, "it is there"
    assert cli.main(command) == 0
    capsys.readouterr()
    take = read_take(out / "take_004")
    assert (take.state, take.frames_done, take.number) == ("finished", 21, 4)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    assert cli.main(command) == 0
    assert before == {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    assert capsys.readouterr().out.splitlines()[-1] == str(out / "take_004")
    assert cli.main([*command, "--seed", "9"]) == 1
    said = capsys.readouterr().out
    assert "openjd_fail: take_004 was made from another state of the shot: choose another number." in said
    assert [path.name for path in (tmp_path / "shot").glob("take_*")] == []


def test_sigterm_is_a_cancel(tmp_path: Path, small: presets.Presets) -> None:
    """As a farm ends a task: the take says so, and its worker's next one can go on."""
    write_shot(tmp_path, frames=105)
    weights = small._tiny.parent
    command = [sys.executable, str(ROOT / "tests/small_inspatio.py"), str(weights), "shot", str(tmp_path)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    child = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert "9 of 105 frames" in child.stdout.readline()
    child.terminate()
    child.communicate(timeout=30)
    assert child.returncode == cli.INTERRUPTED
    take = read_take(tmp_path / "take_001")
    assert (take.state, take.writer) == ("cancelled", 0)


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--preset", "inspatio-1.3b"], "download its weights"),
        (["--preset", "huge"], "There is no preset"),
        (["--continue"], "There is no take in"),
        (["--continue", "7"], "There is no take 7 in"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], words: str
) -> None:
    write_shot(tmp_path)
    assert cli.main(["shot", str(tmp_path), *options]) == 1
    assert words in capsys.readouterr().err
    assert not (tmp_path / "take_001").exists()


@pytest.mark.usefixtures("installed")
def test_folders_that_are_no_shot(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["shot", str(tmp_path)]) == 1
    assert "shot.json is missing" in capsys.readouterr().err
    write_shot(tmp_path, width=60)
    assert cli.main(["shot", str(tmp_path)]) == 1
    assert "multiples of 16" in capsys.readouterr().err
    write_shot(tmp_path)
    (tmp_path / "reference" / "view_0000.npy").unlink()
    assert cli.main(["shot", str(tmp_path)]) == 1
    assert "view_0000.npy" in capsys.readouterr().err


def test_a_changed_reference_is_not_continued(tmp_path: Path, small: presets.Presets) -> None:
    write_shot(tmp_path, frames=30)

    def interrupt(line: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        generate_shot(tmp_path, presets=small, show=interrupt)
    picture = cv2.imread(str(tmp_path / "reference" / "view_0000.png"))
    cv2.imwrite(str(tmp_path / "reference" / "view_0000.png"), 255 - picture)
    with pytest.raises(ShotError, match="reference has changed"):
        generate_shot(tmp_path, presets=small, number=0)


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        ("taken", "is a directory"),
        ("full", "no space left on device"),
        ("encoder", "The movie cannot be encoded"),
    ],
)
def test_without_its_movie_a_take_is_finished_all_the_same(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    trouble: str,
    words: str,
) -> None:
    write_shot(tmp_path)
    folder = tmp_path / "take_001"
    made = movie.encode_movie

    def full(path: Path, data: bytes, **options: bool) -> None:
        if path.name == "shot.mp4":
            raise OSError(28, "No space left on device")
        write_whole(path, data, **options)

    def taken(pngs: Iterable[bytes], fps: float) -> bytes:
        (folder / "shot.mp4").mkdir()
        return made(pngs, fps)

    if trouble == "full":
        monkeypatch.setattr("backend.protocol.takes.write_whole", full)
    elif trouble == "taken":
        monkeypatch.setattr("backend.shots.encode_movie", taken)
    else:
        monkeypatch.setattr(movie, "ENCODING", {"preset": "there is no such preset"})
    assert cli.main(["shot", str(tmp_path)]) == 0
    take = read_take(folder)
    assert (take.state, list(_frames(folder))) == ("finished", FRAMES)
    assert take.message.startswith(f"All frames are there, but shot.mp4 is not: {words}")
    assert f"take_001: {take.message}" in capsys.readouterr().out
    assert not (folder / "shot.mp4").is_file()
    assert not list(folder.glob("state_*")) and not list(folder.glob(".*"))


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("trouble", "words"),
    [("taken", "is a directory"), ("full", "no space left on device"), ("broken", "Why not")],
)
def test_without_its_report_a_take_is_finished_all_the_same(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    trouble: str,
    words: str,
) -> None:
    write_shot(tmp_path)
    folder = tmp_path / "take_001"

    def full(path: Path, data: bytes, **options: bool) -> None:
        if path.name == "report.html":
            raise OSError(28, "No space left on device")
        write_whole(path, data, **options)

    def taken(of: Path, take: Take) -> bytes:
        (of / "report.html").mkdir()
        return make_report(of, take)

    def broken(of: Path, take: Take) -> bytes:
        raise ReportError("Why not.")

    if trouble == "full":
        monkeypatch.setattr("backend.protocol.takes.write_whole", full)
    else:
        monkeypatch.setattr("backend.shots.make_report", taken if trouble == "taken" else broken)
    assert cli.main(["shot", str(tmp_path)]) == 0
    take = read_take(folder)
    assert (take.state, list(_frames(folder))) == ("finished", FRAMES)
    assert take.message.startswith(f"All frames are there, but report.html is not: {words}")
    assert f"take_001: {take.message}" in capsys.readouterr().out
    check_film(folder / "shot.mp4", [folder / name for name in FRAMES], fps=24)
    assert not (folder / "report.html").is_file()
    assert not list(folder.glob("state_*")) and not list(folder.glob(".*"))


def test_killed_while_the_movie_is_made_it_is_continued_to_have_it(
    tmp_path: Path, small: presets.Presets, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_shot(tmp_path)

    def interrupted(*_: object) -> bytes:
        raise KeyboardInterrupt

    monkeypatch.setattr("backend.shots.encode_movie", interrupted)
    with pytest.raises(KeyboardInterrupt):
        generate_shot(tmp_path, presets=small)
    monkeypatch.undo()
    folder = generate_shot(tmp_path, presets=small, number=1)
    assert read_take(folder).state == "finished"
    check_film(folder / "shot.mp4", [folder / name for name in FRAMES], fps=24)


@pytest.mark.usefixtures("installed")
def test_a_take_that_does_not_fit_on_the_disk_says_so_and_is_continued(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_shot(tmp_path)

    def full(path: Path, data: bytes, **options: bool) -> None:
        if path.name == "0012.png":
            raise OSError(28, "No space left on device")
        write_whole(path, data, **options)

    monkeypatch.setattr("backend.protocol.takes.write_whole", full)
    assert cli.main(["shot", str(tmp_path)]) == 1
    assert "no space left on device. 9 frames are kept" in capsys.readouterr().err
    take = read_take(tmp_path / "take_001")
    assert (take.state, take.writer, take.frames_done) == ("failed", 0, 9)
    monkeypatch.setattr("backend.protocol.takes.write_whole", write_whole)
    assert cli.main(["shot", str(tmp_path), "--continue"]) == 0
    assert list(_frames(tmp_path / "take_001")) == FRAMES


def test_a_failure_is_written_into_the_take(
    tmp_path: Path, small: presets.Presets, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_shot(tmp_path)

    def broken(_: object) -> None:
        raise RuntimeError("no more memory")

    monkeypatch.setattr("backend.shots.encode_pngs", broken)
    with pytest.raises(RuntimeError):
        generate_shot(tmp_path, presets=small)
    take = read_take(tmp_path / "take_001")
    assert (take.state, take.message) == ("failed", "The backend failed: no more memory")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["fly"],
        ["shot"],
        ["serve", "--port", "x"],
        ["shot", ".", "--take", "0"],
        ["shot", ".", "--take", "1", "--continue"],
        ["render"],
        ["render", "a.blend", "--frames", "9:3"],
        ["render", "a.blend", "--frames", ":x"],
    ],
)
def test_wrong_arguments(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == cli.BAD_ARGUMENTS
    assert "usage: inspatio" in capsys.readouterr().err


@pytest.mark.parametrize("token", ["", "short"])
def test_serve_wants_a_token(
    token: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("INSPATIO_TOKEN", token)
    assert cli.main(["serve"]) == cli.BAD_ARGUMENTS
    assert "at least 16 characters" in capsys.readouterr().err


def test_serve_says_that_weights_are_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("INSPATIO_TOKEN", "a-token-for-tests-only")
    monkeypatch.setattr("backend.service.Presets", lambda: presets.Presets(tmp_path))
    assert cli.main(["serve"]) == cli.MISSING
    said = json.loads(capsys.readouterr().out)
    assert (said["inspatio"], said["error"]) == ("error", "weights_missing")
    assert "install" in said["message"]


def test_serve_says_that_it_cannot_listen(
    small: presets.Presets, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("INSPATIO_TOKEN", "a-token-for-tests-only")
    monkeypatch.setattr("backend.service.Presets", lambda: small)
    assert cli.main(["serve", "--host", "203.0.113.1"]) == cli.BAD_ARGUMENTS
    assert json.loads(capsys.readouterr().out)["error"] == "cannot_listen"

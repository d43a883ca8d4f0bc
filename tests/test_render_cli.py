"""`inspatio render`: how it finds Blender, and that it passes on what Blender says, ends with it, and ends it."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from backend import cli
from backend.blenders import NoBlender, find_blender
from backend.commands import render
from backend.protocol import headless
from backend.protocol.files import read_take
from tests.blenders import ROOT, SCRIPTS


def _program(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_blender_is_found_where_it_is_named_then_on_the_path_then_where_it_is_installed(
    tmp_path: Path,
) -> None:
    named, by_variable = _program(tmp_path / "named"), _program(tmp_path / "by variable")
    on_path = _program(tmp_path / "bin/blender")
    for version in ("4.2.9", "4.10.1", "4.5.3"):
        newest = _program(tmp_path / f"home/blender-{version}-linux-x64/blender")
    newest = tmp_path / "home/blender-4.10.1-linux-x64/blender"
    environment = {"BLENDER": str(by_variable), "PATH": str(on_path.parent), "HOME": str(tmp_path / "home")}
    assert find_blender(named, environment, "linux") == named
    assert find_blender(None, environment, "linux") == by_variable
    del environment["BLENDER"]
    assert find_blender(None, environment, "linux") == on_path
    environment["PATH"] = ""
    assert find_blender(None, environment, "linux") == newest
    mac = _program(tmp_path / "home/Applications/Blender.app/Contents/MacOS/Blender")
    assert find_blender(None, environment, "darwin") == mac
    windows = _program(tmp_path / "Programs/Blender Foundation/Blender 4.5/blender.exe")
    environment["LOCALAPPDATA"] = str(tmp_path)
    assert find_blender(None, environment, "win32") == windows
    with pytest.raises(NoBlender, match="named by --blender, is no program"):
        find_blender(tmp_path / "nothing", environment, "linux")
    with pytest.raises(NoBlender, match="named by the environment variable BLENDER, is no program"):
        find_blender(None, {"BLENDER": "nothing", "PATH": str(on_path.parent)}, "linux")
    with pytest.raises(NoBlender, match="name one with --blender"):
        find_blender(None, {"HOME": str(tmp_path / "empty"), "PATH": ""}, "win32")


@pytest.mark.parametrize(
    "arguments",
    [
        ["film.blend"],
        ["film.blend", "--shot=A b", "--shot=-c", "--frames=-5:12", "--take=0", "--enable-autoexec"],
        ["/a b/film.blend", "--frames", ":12"],
        ["film.blend", "--frames", "7:"],
        ["film.blend", "--frames", "7"],
    ],
)
def test_both_commands_are_told_the_same(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser()
    headless.add_arguments(parser)
    parsed = parser.parse_args(arguments)
    again = parser.parse_args(headless.arguments_of(parsed))
    assert again.file == Path(arguments[0]).absolute() and again.json
    again.file, again.json = parsed.file, parsed.json
    assert again == parsed


def test_what_blender_says_is_passed_on(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """By a program that stands in for Blender, and says in its own words what it was asked."""
    events = [
        {"event": "frames", "message": "A: 9 of 20 frames", "frame": 9},
        {"event": "end", "message": "0 of 1 shot done.", "code": 1},
    ]
    lines = "\n".join(f"echo '{json.dumps(event)}'" for event in events)
    blender = _program(
        tmp_path / "blender", f'echo "Blender 5.2"\necho "$@" >&2\necho "{{no event}}"\n{lines}\nexit 1'
    )
    command = ["render", str(tmp_path / "film.blend"), "--blender", str(blender)]
    assert cli.main([*command, "--json"]) == 1
    said = capfd.readouterr()
    assert [json.loads(line) for line in said.out.splitlines()] == events
    assert "Blender 5.2\n" in said.err and "{no event}" in said.err
    assert (
        f"--command inspatio render {tmp_path}/film.blend --json --attached --python={sys.executable}"
        in said.err
    )
    assert cli.main(command) == 1
    assert capfd.readouterr().out.splitlines() == ["A: 9 of 20 frames", "0 of 1 shot done."]


@pytest.mark.parametrize(
    ("script", "code", "words"),
    [
        ("echo 'Unrecognized command: \"inspatio\"'; exit 1", 3, "InSpatio is not enabled in"),
        (
            "echo 'Segmentation'; echo 'fault'; kill -9 $$",
            1,
            "ended with signal 9, after: Segmentation fault.",
        ),
        ("exit 0", 0, "ended with exit code 0."),
    ],
)
def test_a_blender_that_says_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], script: str, code: int, words: str
) -> None:
    blender = _program(tmp_path / "blender", script)
    ended = cli.main(["render", "film.blend", "--json", "--blender", str(blender)])
    assert ended == (code or headless.FAILED), "without a last word nothing was done"
    (line,) = capfd.readouterr().out.splitlines()
    said = json.loads(line)
    assert (said["event"], said["code"]) == ("end", ended)
    assert words in said["message"]


def test_no_blender(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["render", "film.blend", "--blender", str(tmp_path / "none")]) == cli.MISSING
    assert "is no program that can be run" in capfd.readouterr().out


@pytest.mark.parametrize("last", ["kill -11 $$", "exec sleep 600"])
def test_what_it_told_counts_however_it_quits(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, last: str
) -> None:
    monkeypatch.setattr(render, "LEAVE_S", 0.5)
    event = json.dumps({"event": "end", "message": "1 of 1 shot done.", "code": 0})
    blender = _program(tmp_path / "blender", f"echo '{event}'\n{last}")
    assert cli.main(["render", "film.blend", "--json", "--blender", str(blender)]) == 0
    assert capfd.readouterr().out.splitlines() == [event]


def test_one_that_does_not_end_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blender = _program(tmp_path / "blender", f"echo $$ > {tmp_path}/pid\nexec sleep 600")
    monkeypatch.setattr(render, "GRACE_S", 0.3)

    def interrupt(self: object, until: float = 0.0, *_: object) -> None:
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
            time.sleep(0.01)
        monkeypatch.undo()
        monkeypatch.setattr(render, "GRACE_S", 0.3)
        raise KeyboardInterrupt

    monkeypatch.setattr(render._Child, "listen", interrupt)
    assert cli.main(["render", "film.blend", "--blender", str(blender)]) == cli.INTERRUPTED
    assert not psutil.pid_exists(int((tmp_path / "pid").read_text()))


@pytest.fixture
def blender_program(installed, tmp_path, painting_python):
    """The module bpy in a Blender's place, with a film of two shots beside it."""
    blender = installed("bpy-4.5")
    blender.run("film_of_two.py", tmp_path, 30, INSPATIO_PYTHON=str(painting_python))
    python = blender.command[0]
    return _program(
        tmp_path / "blender",
        f'export BLENDER_USER_RESOURCES="{blender.resources}" PYTHONPATH="{SCRIPTS}"\n'
        f'exec "{python}" "{SCRIPTS / "as_blender.py"}" "$@"',
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_it_ends_what_it_began(blender_program, tmp_path, painting_python, number):
    """However it is ended, the take is put away, and nothing goes on behind its back."""
    environment = {**os.environ, "INSPATIO_PYTHON": str(painting_python), "INSPATIO_PAINT_SECONDS": "0.7"}
    child = subprocess.Popen(
        [sys.executable, "-m", "backend", "render", str(tmp_path / "film.blend"), "--json"],
        cwd=ROOT,
        env={**environment, "BLENDER": str(blender_program)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        # What a shell starts in the background doesn't hear Ctrl-C, nor does what that starts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert child.stdout is not None
    events = []
    for line in child.stdout:
        events.append(json.loads(line))
        if events[-1]["event"] == "frames":
            break
    below = psutil.Process(child.pid).children(recursive=True)
    assert len(below) >= 2, "Blender, and its backend"
    child.send_signal(number)
    out, _ = child.communicate(timeout=60)
    assert child.returncode == (cli.INTERRUPTED if number == signal.SIGINT else -number)
    _, alive = psutil.wait_procs(below, timeout=30)
    assert not alive
    take = read_take(tmp_path / "inspatio/Shot_1/take_001")
    assert (take.state, take.writer) == ("cancelled", 0)
    assert 9 <= take.frames_done < 30
    assert not (tmp_path / "inspatio/Shot_2/take_001").exists()
    if number == signal.SIGINT:
        last = json.loads(out.splitlines()[-1])
        assert (last["event"], last["state"], last["code"]) == ("end", "cancelled", 130)


def test_in_a_real_blender(installed, tmp_path, painting_python, capfd, monkeypatch):
    """Nothing stands in for Blender: it starts, opens the file, runs the command of the installed extension."""
    blender = installed("window")
    installed("bpy-4.5").run("film_of_two.py", tmp_path, 14, INSPATIO_PYTHON=str(painting_python))
    monkeypatch.setenv("BLENDER_USER_RESOURCES", str(blender.resources))
    monkeypatch.setenv("INSPATIO_PYTHON", str(painting_python))
    assert cli.main(["render", str(tmp_path / "film.blend"), "--json", "--frames", "3:20"]) == 0
    events = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert [event["event"] for event in events if event["event"] in ("begin", "shot", "end")] == [
        "begin",
        "shot",
        "shot",
        "end",
    ]
    assert [len(event["files"]) for event in events if event["event"] == "shot"] == [12, 6]
    assert read_take(tmp_path / "inspatio/Shot_1/take_001").state == "finished"
    monkeypatch.setenv("BLENDER_USER_RESOURCES", str(tmp_path / "none"))
    assert cli.main(["render", str(tmp_path / "film.blend")]) == cli.MISSING
    assert "InSpatio is not enabled in" in capfd.readouterr().out

"""The command `--command inspatio render`, called as Blender calls it, on a film of two shots."""

import json
import os
import signal
import threading
import time
from pathlib import Path

import bpy
from door import main, part
from film_of_two import film_of_two

LENGTH = 30


def render(*arguments, then=None):
    """Run the command; returns its exit code, the events it told, and its lines."""
    heard = Path(bpy.app.tempdir) / "heard.txt"
    before, into = os.dup(1), os.open(heard, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(into, 1)
    try:
        if then is not None:
            threading.Thread(target=then, daemon=True).start()
        code = part("inspatio_blender.headless").run(["render", *map(str, arguments)])
    finally:
        os.dup2(before, 1)
        os.close(into)
        os.close(before)
    lines = heard.read_text().splitlines()
    return code, [json.loads(line) for line in lines if line.startswith("{")], lines


def frames_of(folder):
    return {path.name: path.read_bytes() for path in sorted(Path(folder).glob("*.png"))}


def names(first, last):
    return [f"{frame:04d}.png" for frame in range(first, last + 1)]


def refused(code, words, *arguments):
    ended, events, lines = render(*arguments, "--json")
    assert ended == code, (ended, lines)
    assert [event["event"] for event in events] == ["end"], lines
    assert words in events[0]["message"] and events[0]["code"] == code, events


def wrong(file):
    """What is asked wrongly is said in a sentence, and nothing is made."""
    refused(2, "There is no file", file.with_name("none.blend"))
    refused(2, "There is no shot Shot_9 in film.blend: it has Shot_1 and Shot_2", file, "--shot", "Shot_9")
    refused(2, "None of these frames is asked for: the shots have 1 to 60", file, "--frames", "70:80")
    refused(2, "A take is of one shot", file, "--take", "1")
    refused(2, "There is no take 4 of Shot_1", file, "--take", "4", "--shot", "Shot_1")
    no_blend = file.with_name("text.blend")
    no_blend.write_text("this is no blend file")
    refused(1, "cannot be opened", no_blend)
    for arguments in (["--frames", "9:3"], ["--frames", "a:b"], ["--take", "x"], ["--nonsense"]):
        assert render(file, *arguments)[0] == 2, arguments
    preferences = part("inspatio_blender.preferences")
    python = os.environ.pop(preferences.PYTHON_VARIABLE)
    refused(3, "The backend is not set up", file)
    os.environ[preferences.PYTHON_VARIABLE] = python


def scripts(file):
    """Drivers that need Python are run where that is asked for; else it is told that they are not."""
    bpy.ops.wm.open_mainfile(filepath=str(file))
    bpy.data.objects["Camera 1"].driver_add(
        "location", 2
    ).driver.expression = "bpy.data.scenes[0].frame_start * 2.0"
    driven = file.with_name("driven.blend")
    bpy.ops.wm.save_as_mainfile(filepath=str(driven), copy=True)
    for asked, told in ((), ["warning", "end"]), (("--enable-autoexec",), ["end"]):
        _, events, lines = render(driven, "--shot", "none", "--json", *asked)
        assert [event["event"] for event in events] == told, lines
    driven.unlink()


def whole(file):
    """Every shot; that without a reference is told, and keeps nothing from being made."""
    shots = file.parent / "inspatio"
    (shots / "Shot_1").rename(file.parent / "away")
    code, events, _ = render(file, "--json", "--shot", "Shot_1", "--shot", "Shot 2")
    assert code == 1, events
    (file.parent / "away").rename(shots / "Shot_1")
    assert [event["state"] for event in events if event["event"] == "shot"] == ["failed", "finished"]
    assert "There is no reference yet" in next(e["message"] for e in events if e["event"] == "shot")
    assert events[-1]["message"].startswith("1 of 2 shots done in ") and "not Shot_1" in events[-1]["message"]

    code, events, lines = render(file, "--json")
    assert code == 0 and len(events) == len(lines), "nothing but events is on standard output"
    kinds = [event["event"] for event in events]
    assert kinds[0] == "begin" and kinds[-1] == "end" and kinds.count("shot") == kinds.count("take") == 2
    assert events[0]["shots"] == [
        {"shot": "Shot_1", "first": 1, "last": 30},
        {"shot": "Shot_2", "first": 31, "last": 60},
    ]
    told = [e for e in events if e["event"] == "frames" and e["shot"] == "Shot_2"]
    assert [(e["frame"], e["done"], e["frames"], e["take"]) for e in told] == [
        (39, 9, 30, 2),
        (51, 21, 30, 2),
        (60, 30, 30, 2),
    ]
    assert told[-1]["seconds_left"] == 0 and told[0]["seconds_left"] > 0
    end = events[-1]
    assert (end["state"], end["code"]) == ("finished", 0)
    assert [(s["shot"], s["take"], s["state"]) for s in end["shots"]] == [
        ("Shot_1", 1, "finished"),
        ("Shot_2", 2, "finished"),
    ]
    ended = next(e for e in events if e["event"] == "shot")
    assert ended["files"] == names(1, 30) and Path(ended["folder"]) == shots / "Shot_1/take_001"
    assert frames_of(shots / "Shot_2/take_001") == frames_of(shots / "Shot_2/take_002")


def some_frames(file):
    """A shot is causal: whole blocks from its start are generated, what was asked is told, and all can be continued."""
    first = file.parent / "inspatio/Shot_1"
    code, events, _ = render(file, "--json", "--frames", "5:12")
    assert code == 0 and [s["shot"] for s in events[0]["shots"]] == ["Shot_1"]
    told = [(e["frame"], e["done"], e["frames"]) for e in events if e["event"] == "frames"]
    assert told == [(9, 5, 8), (21, 8, 8)], told
    assert next(e for e in events if e["event"] == "shot")["files"] == names(5, 12)
    take = json.loads((first / "take_002/take.json").read_text())
    assert (take["state"], take["frames_done"], take["state_after"]) == ("cancelled", 21, 2)
    assert take["message"] == "Generated as far as frame 21, as asked: 21 of 30 frames."
    everything = frames_of(first / "take_001")
    assert frames_of(first / "take_002") == {name: everything[name] for name in names(1, 21)}

    code, events, lines = render(file, "--take", "2", "--shot", "Shot_1")
    assert code == 0 and not events, "without --json it is for people"
    assert lines[-1].startswith("1 of 1 shot done in "), lines
    assert frames_of(first / "take_002") == everything and (first / "take_002/shot.mp4").exists()
    code, events, _ = render(file, "--json", "--take", "0", "--shot", "Shot_1")
    assert code == 0 and "finished already" in events[-2]["message"], events


def cancelled(file, number):
    """A signal ends it cleanly: the take says so, the frames are kept, and it is continued to the same."""
    shots = file.parent / "inspatio"
    before = sorted(path.name for path in (shots / "Shot_1").glob("take_*"))

    def end():
        while not list(shots.glob("Shot_1/take_00[3-9]/0009.png")):
            time.sleep(0.01)
        os.kill(os.getpid(), number)

    os.environ["INSPATIO_PAINT_SECONDS"] = "0.5"
    part("inspatio_blender.driver").get().worker.backend.stop()  # The next one paints slowly.
    began = time.monotonic()
    code, events, _ = render(file, "--json", then=end)
    assert code == 130 and events[-1]["state"] == "cancelled", events[-1]
    assert [s["state"] for s in events[-1]["shots"]] == ["cancelled"], "the second shot was not begun"
    assert time.monotonic() - began < 30
    os.environ["INSPATIO_PAINT_SECONDS"] = "0"
    after = sorted(path.name for path in (shots / "Shot_1").glob("take_*"))
    assert len(after) == len(before) + 1
    take = json.loads((shots / "Shot_1" / after[-1] / "take.json").read_text())
    assert (take["state"], take["writer"]) == ("cancelled", 0) and 9 <= take["frames_done"] < LENGTH
    code, events, _ = render(file, "--json", "--shot", "Shot_1", "--take", "0")
    assert code == 0, events
    assert frames_of(shots / "Shot_1" / after[-1]) == frames_of(shots / "Shot_1/take_001")


def test(folder):
    file = film_of_two(folder, LENGTH)
    saved = file.read_bytes()
    wrong(file)
    scripts(file)
    whole(file)
    some_frames(file)
    cancelled(file, signal.SIGTERM)
    assert file.read_bytes() == saved, "the file is not written to"
    return {}


main(test)

"""report.html as a browser would take it apart: what it loads, what it says, what its drawings show."""

from __future__ import annotations

import base64
import json
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from references import lens, move, picture, write_reference
from test_window import run_in_window

from backend import cli
from backend.pictures import encode_png
from backend.protocol.cameras import Cameras
from backend.protocol.disk import write_json
from backend.protocol.files import Shot, Take, frame_names, read_take
from backend.protocol.references import reference_digest
from backend.protocol.takes import TakeWriter
from backend.report import Report, ReportError, make_report, write_report
from backend.report.facts import low_sentence
from backend.report.graphs import nice_steps
from backend.report.timings import REST, block_times, stage_times, steady

MILLISECONDS = {"render": 10.0, "encode": 20.0, "denoise": 60.0, "decode": 30.0}
VOID = {"meta", "img", "br", "hr"}


class Page(HTMLParser):
    """The page as elements: (tag, attributes, text) of each, and the text of the whole. Refuses what is not nested."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str], list[str]]] = []
        self.words = ""
        self._open: list[tuple[str, list[str]]] = []
        self.feed(data.decode("utf-8"))
        assert not self._open, f"not closed: {self._open}"

    def handle_starttag(self, tag, attributes):
        text: list[str] = []
        self.elements.append((tag, dict(attributes), text))
        if tag not in VOID:
            self._open.append((tag, text))

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes), []))

    def handle_endtag(self, tag):
        opened, _ = self._open.pop()
        assert opened == tag, f"</{tag}> closes <{opened}>"

    def handle_data(self, data):
        for _, text in self._open:
            text.append(data)
        if not self._open or self._open[-1][0] != "style":
            self.words += data + " "

    def all(self, tag: str, kind: str = "") -> list[dict[str, str]]:
        """Attributes of the elements with a tag and, where it is given, a class."""
        return [
            a for found, a, _ in self.elements if found == tag and kind in ("", *a.get("class", "").split())
        ]

    def rows(self) -> dict[str, str]:
        """The tables of settings and versions."""
        texts = [(tag, "".join(text)) for tag, _, text in self.elements if tag in ("th", "td")]
        return {
            label: value
            for (first, label), (second, value) in pairwise(texts)
            if (first, second) == ("th", "td")
        }


def write_take(
    parent: Path,
    cameras: Cameras,
    size: tuple[int, int] = (64, 48),
    coverage: Sequence[float] = (),
    frames: Sequence[np.ndarray] = (),
    timed: bool = True,
    **changed: object,
) -> Path:
    """A finished take of so many cameras, with a reference beside it, and pictures of stripes where none are given."""
    width, height = size
    if not (parent / "reference").exists():
        write_reference(parent / "reference", width, height)
    shot = replace(Shot("Shot", "tiny", 3, width, height, cameras), **changed)
    writer = TakeWriter.create(
        parent, shot, reference_digest(parent / "reference"), "weights", "0.1.0", "cpu, float32"
    )
    shares = coverage or [0.9] * len(cameras)
    pictures = frames or [picture(width, height, index) for index in range(len(cameras))]
    at = 0
    while not writer.done:
        count = min(9 if at == 0 else 12, len(cameras) - at)
        writer.write_block(
            [encode_png(one) for one in pictures[at : at + count]],
            None,
            shares[at : at + count],
            seconds=(5.0 if at == 0 else 0.15) if timed else 0.0,
            milliseconds=MILLISECONDS if timed else {},
            peak_mb=321.5,
        )
        at += count
    writer.finish(None, make_report)
    assert read_take(writer.folder).message == ""
    return writer.folder


def read(folder: Path) -> Page:
    return Page((folder / "report.html").read_bytes())


def test_it_loads_nothing_and_runs_nothing(tmp_path: Path) -> None:
    folder = write_take(tmp_path, move(97, 64, 48))
    data = (folder / "report.html").read_bytes()
    page = Page(data)
    tags = {tag for tag, _, _ in page.elements}
    assert not tags & {
        "script",
        "link",
        "iframe",
        "object",
        "embed",
        "video",
        "audio",
        "base",
        "form",
        "use",
        "image",
    }
    assert [a["src"][:23] for a in page.all("img")] == ["data:image/jpeg;base64,"] * 20
    for _, attributes, _ in page.elements:
        assert not [
            name for name in attributes if name.startswith("on") or name in ("srcset", "style", "xlink:href")
        ]
        # What is pressed leads to files beside it, and nowhere else.
        assert re.fullmatch(r"\d{4}\.png|shot\.mp4|", attributes.get("href", ""))
    assert not re.search(rb"https?:|//|@import|url\(", re.sub(rb"base64,[^\"]*", b"", data))
    policy = next(a["content"] for a in page.all("meta") if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'")
    assert b"prefers-color-scheme: dark" in data and b"@media print" in data


def test_the_contact_sheet_shows_the_frames(tmp_path: Path) -> None:
    folder = write_take(tmp_path, move(97, 64, 48))
    page = read(folder)
    links = [a["href"] for a in page.all("a")]
    assert links[:2] == ["0001.png", "0006.png"] and links[19] == "0097.png"
    for attributes, name in zip(page.all("img"), links, strict=False):
        data = base64.b64decode(attributes["src"].partition(",")[2])
        shown = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        assert (str(shown.shape[1]), str(shown.shape[0])) == (attributes["width"], attributes["height"])
        assert cv2.PSNR(shown, cv2.imread(str(folder / name))) > 20
        assert attributes["alt"] == f"Frame {int(name[:4])}"


@pytest.mark.parametrize(("count", "shown"), [(1, 1), (14, 14), (20, 20), (21, 20), (30, 20)])
def test_short_takes_are_shown_whole(tmp_path: Path, count: int, shown: int) -> None:
    page = read(write_take(tmp_path, move(count, 64, 48)))
    names = [a["href"] for a in page.all("a") if a["href"].endswith(".png")]
    assert len(names) == len(set(names)) == shown
    assert (names[0], names[-1]) == ("0001.png", f"{count:04d}.png")


def test_every_text_is_escaped(tmp_path: Path) -> None:
    name, prompt = '<b>Tür & "Tor"</b> ’', "<script>alert(1)</script> &amp; Öl"
    folder = write_take(tmp_path, move(9, 64, 48), name=name, prompt=prompt)
    take = replace(
        read_take(folder),
        message="<img src=x> & more",
        device="<cpu>",
        preset_digest="<&>",
        backend_version="<v>",
    )
    write_json(folder / "take.json", take.to_json())
    content = json.loads((folder / "take.json").read_text())
    content["timings"][0]["milliseconds"]["<i>stage</i>"] = 3.0
    (folder / "take.json").write_text(json.dumps(content))
    write_report(folder)
    data = (folder / "report.html").read_bytes()
    assert not re.search(rb"<(b|script|img src=x|cpu|v|i)>", data)
    page = read(folder)
    rows = page.rows()
    assert rows["Prompt"] == prompt
    assert (rows["Device"], rows["Weights"], rows["Message"]) == ("<cpu>", "<&>", "<img src=x> & more")
    assert rows["Generated by"].startswith("InSpatio <v>, protocol ")
    assert name in page.words and "<i>stage</i>" in page.words
    assert next("".join(text) for tag, _, text in page.elements if tag == "title") == f"{name}, take 1"


def test_settings_and_versions_are_told(tmp_path: Path) -> None:
    cameras = move(30, 64, 48)
    zooming = [[(1 + index / 29) * k for k in lens(64, 48)] for index in range(30)]
    for k in zooming:
        k[2], k[5], k[8] = 31.5, 23.5, 1.0
    cameras = replace(
        cameras, intrinsics=tuple(map(tuple, zooming)), times=tuple(float(t) for t in range(30, 0, -1))
    )
    page = read(write_take(tmp_path, cameras, seed=77, fps=25.0, keep_reference_detail=False, remember=True))
    rows = page.rows()
    assert rows["Frames"] == "1–30 (30)" and rows["Size"] == "64 × 48"
    assert (rows["Seed"], rows["Frames a second"], rows["Prompt"]) == ("77", "25", "none")
    assert (rows["Keep Reference Detail"], rows["Remember"]) == ("off", "on")
    assert rows["Field of view"] == "31.0° to 58.1°, from 58.1° to 31.0° over the shot"
    assert rows["Reference Time"] == "animated, 1–30"
    assert rows["Its views"] == "1 view, still, 64 × 48"
    assert rows["Generated by"] == "InSpatio 0.1.0, protocol 6"
    assert rows["Reference"] == reference_digest(tmp_path / "reference")
    assert (rows["State"], rows["Weights"]) == ("finished", "weights")
    assert "Message" not in rows and "Pieces" not in rows


def test_a_setting_of_a_later_version_is_told_under_its_own_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_take(tmp_path, move(9, 64, 48))
    told = Shot.to_json
    later = {"plate": {"width": 1920, "strength": 0.5}, "grain_size": None}
    monkeypatch.setattr(Shot, "to_json", lambda shot: {**told(shot), **later})
    write_report(folder)
    rows = read(folder).rows()
    assert rows["Plate"] == "width 1920, strength 0.5"
    assert rows["Grain size"] == "none"


def test_coverage_is_drawn_and_what_is_low_is_marked(tmp_path: Path) -> None:
    shares = [0.95] * 10 + [0.49999] * 5 + [0.5] * 5 + [0.2, 0.1, 0.3] + [1.0] * 10
    page = read(write_take(tmp_path, move(33, 64, 48), coverage=shares))
    low, reached = page.all("rect", "low"), page.all("rect", "reached")
    assert (len(low), len(reached)) == (8, 25)
    heights = [float(a["height"]) for a in (*reached, *low)]
    assert max(heights) / heights[0] == pytest.approx(1 / 0.95, rel=1e-2)
    assert min(heights) / max(heights) == pytest.approx(0.1, rel=1e-2)
    assert "8 of 33 frames lie below 50 %: 11–15, 21–23. The lowest has 10 %, frame 22." in page.words
    assert "Frame 11: 49 %" in page.words
    assert page.all("span", "low"), "the contact sheet marks them, too"


def test_runs_of_low_coverage_follow_the_shots_frames() -> None:
    frames = [1.0, 3.0, 5.0, 7.0, 9.0]
    assert "2 of 5 frames lie below 50 %: 3–5." in low_sentence(frames, [0.9, 0.1, 0.2, 0.9, 0.9])
    assert low_sentence(frames, [0.5] * 5) == "The reference reaches at least 50 % of every frame."
    many = low_sentence([float(i) for i in range(60)], [0.1 if i % 2 else 0.9 for i in range(60)])
    assert many.startswith("30 of 60 frames") and "and 18 more runs" in many


def test_timings_are_means_and_shares_without_the_first_block(tmp_path: Path) -> None:
    folder = write_take(tmp_path, move(33, 64, 48))
    counted = steady(block_times(read_take(folder)))
    found = {time.stage: time for time in stage_times(counted)}
    assert list(found) == ["render", "encode", "denoise", "decode", REST]
    assert found["denoise"].block_ms == 60.0 and found["denoise"].frame_ms == 5.0
    assert found["denoise"].share == pytest.approx(60 / 150)
    assert found[REST].block_ms == pytest.approx(30.0)
    assert sum(time.share for time in found.values()) == pytest.approx(1.0)
    page = read(folder)
    assert "80.0" in page.words and "First frames after 5.00 s" in re.sub(r"\s+", " ", page.words)
    assert re.search(r"Denoise\s+5\.00 ms\s+60\.0 ms\s+40\.0 %", page.words)
    columns = page.all("rect", "stage4")
    assert len(columns) == 3 + 1, "three blocks, and the table's"
    first, second = (float(a["height"]) for a in columns[:2])
    assert first / second == pytest.approx(12 / 9, rel=2e-2), "a block of 9 frames takes as long as one of 12"


def test_a_take_of_one_block_and_one_that_was_not_timed(tmp_path: Path) -> None:
    page = read(write_take(tmp_path / "short", move(9, 64, 48)))
    assert "its only block" in page.words
    page = read(write_take(tmp_path / "kept", move(33, 64, 48), timed=False))
    assert "kept from a preview" in page.words
    assert "First frames after" not in page.words


def test_times_that_are_none_do_no_harm(tmp_path: Path) -> None:
    folder = write_take(tmp_path, move(33, 64, 48))
    content = json.loads((folder / "take.json").read_text())
    content["timings"] = [
        {"block": "x"},
        {"block": 1, "seconds": "y", "milliseconds": {"render": None, "a": -1}},
        {},
    ]
    (folder / "take.json").write_text(json.dumps(content))
    write_report(folder)
    assert "Nothing was timed" in read(folder).words


def _points(page: Page, kind: str) -> list[np.ndarray]:
    """The ways of cameras in the two drawings, as their pixels (n, 2)."""
    return [
        np.array([[float(x) for x in pair.split(",")] for pair in a["points"].split()])
        for a in page.all("polyline", kind)
    ]


def test_the_cameras_way_is_drawn_from_above_and_from_the_side(tmp_path: Path) -> None:
    # A Blender camera at (x, y, z) that looks along +Y: right is +X, down is -Z, ahead is +Y.
    places = [(0.1 * index, 0.02 * index, 0.05 * index) for index in range(31)]
    poses = [[1, 0, 0, -x, 0, 0, -1, z, 0, 1, 0, -y, 0, 0, 0, 1] for x, y, z in places]
    cameras = Cameras.checked([float(i) for i in range(31)], [lens(64, 48)] * 31, poses)
    page = read(write_take(tmp_path, cameras))
    above, side = _points(page, "path")
    assert len(above) == 31
    # Right is to the right, up is up, and both axes have one scale.
    for drawn, up in ((above, 0.6), (side, 1.5)):
        way = drawn[-1] - drawn[0]
        assert way[0] > 0 and way[1] < 0
        assert -way[1] / way[0] == pytest.approx(up / 3.0, rel=2e-2)
    assert "From above" in page.words and "From the front" in page.words
    (start_above, start_side), (end_above, _) = page.all("circle", "start")[:2], page.all("rect", "end")[:2]
    assert float(start_above["cx"]) == pytest.approx(above[0][0]) and float(start_side["cy"]) == side[0][1]
    assert float(end_above["x"]) + 5 == pytest.approx(above[-1][0])
    # Seen from above, the frustums open upwards, where the camera looks.
    frustum = page.all("path", "path")[0]["d"]
    corners = np.array(
        [[float(x) for x in pair.split(",")] for pair in re.findall(r"[\d.]+,[\d.]+", frustum)[:4]]
    )
    assert corners[:, 1].max() < above[0][1]
    assert corners[:, 0].mean() == pytest.approx(above[0][0], abs=0.3)


def test_a_way_along_y_is_seen_from_the_right(tmp_path: Path) -> None:
    poses = [[1, 0, 0, 0, 0, 0, -1, 1, 0, 1, 0, -0.2 * i, 0, 0, 0, 1] for i in range(14)]
    cameras = Cameras.checked([float(i) for i in range(14)], [lens(64, 48)] * 14, poses)
    page = read(write_take(tmp_path, cameras))
    assert "From the right" in page.words
    _, side = _points(page, "path")
    assert side[-1][0] > side[0][0] and side[-1][1] == side[0][1]


def test_a_camera_that_stands_still_is_drawn(tmp_path: Path) -> None:
    page = read(write_take(tmp_path, move(14, 64, 48, reach=0.0)))
    for kind in ("path", "view"):
        assert np.isfinite(np.concatenate(_points(page, kind))).all()
    assert len(page.all("path", "view")) == 2 + 1, "one view in each drawing, and the legend"


def test_views_of_a_reference_that_is_gone_or_another_are_not_drawn(tmp_path: Path) -> None:
    folder = write_take(tmp_path, move(14, 64, 48))
    assert "its views are not drawn" not in read(folder).words
    cv2.imwrite(str(tmp_path / "reference" / "view_0000.png"), np.zeros((48, 64, 3), np.uint8))
    write_report(folder)
    page = read(folder)
    assert "its views are not drawn" in page.words
    assert not page.all("polyline", "view")
    assert "Its views" not in page.rows()


def test_it_is_the_same_file_again(tmp_path: Path) -> None:
    folder = write_take(tmp_path, move(33, 64, 48))
    before = (folder / "report.html").read_bytes()
    (folder / "report.html").unlink()
    assert write_report(folder) == folder / "report.html"
    assert (folder / "report.html").read_bytes() == before
    assert not list(folder.glob(".*"))


def test_a_long_take_of_noise_stays_small(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (480, 832, 3), np.uint8)
    cameras, count = move(9, 832, 480), 3000
    write_reference(tmp_path / "reference", 64, 48)
    many = Cameras.checked(
        [float(index) for index in range(count)],
        [cameras.intrinsics[0]] * count,
        [cameras.world_to_camera[index % 9] for index in range(count)],
    )
    shot = Shot("Long", "tiny", 0, 832, 480, many)
    take = Take(1, shot, "", "", "0.1.0", 6, blocks_total=251, blocks_done=251, frames_done=count)
    timings = [{"block": b, "seconds": 1.0, "milliseconds": MILLISECONDS} for b in range(251)]
    shares = [0.4 + 0.2 * (index % 2) for index in range(count)]
    report = Report(replace(take, timings=tuple(timings), coverage=tuple(shares)))
    png = encode_png(noise)
    for index in range(20):
        report.add(frame_names(many.frames)[150 * index], png)
    data = report.finish()
    assert len(data) < 3e6
    page = Page(data)
    assert {(a["width"], a["height"]) for a in page.all("img")} == {("384", "222")}
    assert len(page.all("rect", "low")) == 250, "of frames drawn together the lowest"


def test_what_can_be_no_report_is_said(tmp_path: Path) -> None:
    folder = write_take(tmp_path, move(14, 64, 48))
    take = read_take(folder)
    with pytest.raises(ReportError, match="Take 1 has no frames yet"):
        Report(replace(take, frames_done=0))
    report = Report(take)
    for name, png, words in (
        ("0015.png", b"", "0015.png is no frame of take 1"),
        ("../0001.png", b"", "is no frame"),
        ("0001.png", b"GIF89a" + bytes(100), "0001.png is not a PNG"),
        ("0001.png", (folder / "0001.png").read_bytes()[:-40], "0001.png cannot be decoded"),
        ("0001.png", encode_png(np.zeros((2, 9000, 3), np.uint8)), "at most 8192"),
    ):
        with pytest.raises(ReportError, match=words):
            report.add(name, png)
    for _ in range(20):
        report.add("0002.png", (folder / "0002.png").read_bytes())
    with pytest.raises(ReportError, match="at most 20"):
        report.add("0002.png", (folder / "0002.png").read_bytes())


def test_the_command_makes_it_and_says_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_take(tmp_path, move(14, 64, 48))
    (folder / "report.html").unlink()
    assert cli.main(["report", str(folder)]) == 0
    assert capsys.readouterr().out == f"{folder / 'report.html'}\n"
    assert read(folder).all("img")
    (folder / "0003.png").unlink()
    before = (folder / "report.html").read_bytes()
    assert cli.main(["report", str(folder)]) == 1
    assert capsys.readouterr().err == f"0003.png is missing in {folder}.\n"
    assert (folder / "report.html").read_bytes() == before
    assert cli.main(["report", str(tmp_path), "--json"]) == 1
    assert json.loads(capsys.readouterr().out) == {"error": f"take.json is missing in {tmp_path}"}


def test_a_take_that_stopped_has_a_report_of_what_is_there(tmp_path: Path) -> None:
    write_reference(tmp_path / "reference", 64, 48)
    shot = Shot("Shot", "tiny", 3, 64, 48, move(33, 64, 48))
    writer = TakeWriter.create(tmp_path, shot, "digest", "weights", "0.1.0")
    pngs = [encode_png(picture(64, 48, index)) for index in range(9)]
    writer.write_block(pngs, None, [0.8] * 9, seconds=1.0, milliseconds=MILLISECONDS, peak_mb=1.0)
    writer.cancel()
    write_report(writer.folder)
    page = read(writer.folder)
    assert "9 of 33" in page.words and "Cancelled after 9 of 33 frames." in page.words
    assert len(page.all("img")) == 9
    assert "shot.mp4" not in page.words, "there is none"


@pytest.mark.parametrize(("low", "high", "most"), [(0, 1, 4), (0, 37.2, 6), (0, 1e-4, 6), (0, 900, 4)])
def test_steps_of_a_scale_are_round_and_reach_all_of_it(low: float, high: float, most: int) -> None:
    steps = nice_steps(low, high, most)
    assert steps[0] <= low and steps[-1] >= high * (1 - 1e-9)
    assert 2 <= len(steps) <= most + 2
    assert f"{steps[1] - steps[0]:e}"[0] in "125"


def test_it_is_opened_from_the_list_of_takes(installed, tmp_path: Path, painting_python: Path) -> None:
    """In a window: made where it is missing, shown by whatever opens such files, and cancelled."""
    programs, slow = tmp_path / "programs", tmp_path / "slow"
    programs.mkdir()
    # Stands in for the desktop's opener; and a backend's Python whose reports take long enough to be cancelled.
    for path, text in (
        (programs / "xdg-open", f'#!/bin/sh\necho "$1" > "{tmp_path}/opened"\n'),
        (slow, f'#!/bin/sh\n[ "$3" = report ] && sleep 3\nexec "{painting_python}" "$@"\n'),
    ):
        path.write_text(text)
        path.chmod(0o755)
    run_in_window(
        installed("window"),
        "window_report.py",
        tmp_path,
        folder=tmp_path,
        limit=200,
        INSPATIO_PYTHON=str(slow),
        PATH=f"{programs}:{os.environ['PATH']}",
    )


def test_the_command_needs_no_torch(tmp_path: Path) -> None:
    """It takes a second, not five, to have a report made."""
    import subprocess

    folder = write_take(tmp_path, move(9, 64, 48))
    code = (
        "import sys; from backend.cli import main; "
        f"code = main(['report', {str(folder)!r}]); sys.exit(code or 'torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr

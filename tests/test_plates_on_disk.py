"""Plates beside the frames of a take: made with it, made later, begun anew, and what goes wrong on the way."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import pytest
from fakes import small_presets
from references import write_shot

from backend import cli, presets
from backend.plate_files import develop_take
from backend.protocol.cameras import Cameras
from backend.protocol.files import PlateSettings, read_shot, read_take
from backend.protocol.plates import PlateWriteError, make_plates, missing_plates, plates_of
from backend.shots import generate_shot

SIZE = PlateSettings(160, 120, 1.0)
NAMES = [f"{number:04d}.png" for number in range(1, 15)]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> presets.Presets:
    return small_presets(tmp_path_factory.mktemp("weights"))


def make_take(folder: Path, small: presets.Presets, plate: PlateSettings | None) -> Path:
    write_shot(folder, frames=14)
    shot = replace(read_shot(folder), plate=plate)
    (folder / "shot.json").write_text(json.dumps(shot.to_json()))
    return generate_shot(folder, presets=small)


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder / "plate").glob("*.png"))}


def test_a_shot_that_asks_for_plates_has_them_and_they_can_be_made_again(
    tmp_path: Path, small: presets.Presets
) -> None:
    folder = make_take(tmp_path, small, SIZE)
    made = files(folder)
    assert list(made) == NAMES
    assert cv2.imread(str(folder / "plate" / "0014.png")).shape == (120, 160, 3)
    assert cv2.imread(str(folder / "0014.png")).shape == (48, 64, 3)
    take = read_take(folder)
    assert (take.state, take.message) == ("finished", "") and plates_of(folder) == SIZE
    (folder / "plate" / "0003.png").unlink()
    (folder / "plate" / "0011.png").unlink()
    assert missing_plates(folder, take, SIZE) == [2, 10]
    develop_take(folder)
    assert files(folder) == made

    assert cli.main(["plates", str(folder), "--strength", "0"]) == 0
    assert plates_of(folder) == replace(SIZE, strength=0.0)
    weaker = files(folder)
    assert list(weaker) == NAMES and weaker["0001.png"] != made["0001.png"]


def test_a_take_without_plates_gets_them_by_the_command_line(
    tmp_path: Path, small: presets.Presets, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_take(tmp_path, small, None)
    assert not (folder / "plate").exists()
    assert cli.main(["plates", str(folder)]) == 1
    assert "say --size" in capsys.readouterr().err
    assert cli.main(["plates", str(folder), "--size", "128x96"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[-2:] == ["take_001: 14 of 14 plates", str(folder / "plate")]
    assert list(files(folder)) == NAMES
    for wrong in (["--size", "9000x96"], ["--strength", "2"]):
        assert cli.main(["plates", str(folder), "--size", "128x96", *wrong]) == 1
    with pytest.raises(SystemExit):
        cli.main(["plates", str(folder), "--size", "large"])
    assert cli.main(["plates", str(tmp_path / "nothing"), "--size", "128x96"]) == 1
    assert len(files(folder)) == 14
    capsys.readouterr()
    picture = tmp_path / "reference" / "view_0000.png"
    cv2.imwrite(str(picture), cv2.imread(str(picture))[::-1])
    assert cli.main(["plates", str(folder), "--size", "64x48"]) == 1
    assert "reference has changed" in capsys.readouterr().err


def copied(_cameras: Cameras, frames: Sequence[bytes], _settings: PlateSettings) -> Sequence[bytes]:
    return frames


def test_what_is_made_stays_when_it_is_stopped(tmp_path: Path, small: presets.Presets) -> None:
    folder = make_take(tmp_path, small, None)
    take = read_take(folder)
    steps = make_plates(folder, take, SIZE, copied)
    assert next(steps) == 12
    steps.close()
    assert missing_plates(folder, take, SIZE) == [12, 13]
    assert list(make_plates(folder, take, SIZE, copied)) == [14]
    assert list(make_plates(folder, take, SIZE, copied)) == []
    large = PlateSettings(7680, 4320)
    assert list(make_plates(folder, take, large, copied)) == [2, 4, 6, 8, 10, 12, 14]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, small: presets.Presets) -> None:
    folder = make_take(tmp_path, small, None)
    (folder / "plate").write_bytes(b"in the way")
    with pytest.raises(PlateWriteError, match="plate cannot be written"):
        list(make_plates(folder, read_take(folder), SIZE, copied))


def test_frames_are_kept_where_plates_fail(
    tmp_path: Path, small: presets.Presets, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> object:
        raise PlateWriteError("The disk is full.")

    monkeypatch.setattr("backend.shots.make_plates", full)
    folder = make_take(tmp_path, small, SIZE)
    take = read_take(folder)
    assert (take.state, take.frames_done) == ("finished", 14)
    assert take.message == "Not all plates are there: The disk is full."
    assert (folder / "shot.mp4").is_file()

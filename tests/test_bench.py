"""The bench and the doctor, with the weights that ship: every key is there, every finding has a remedy."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from backend import bench, cli, doctor
from backend.presets import Presets

shipped = pytest.mark.skipif(
    not Presets().all()[0].available, reason="the weights of tiny are not in this checkout"
)

STAGES = {
    "render",
    "complete",
    "encode",
    "prefill",
    "denoise",
    "decode",
    "finish",
    "png",
    "transfer",
    "write",
}


@shipped
def test_the_bench_writes_every_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench, "SPLAT_WIDTH", 104)
    monkeypatch.setattr(bench, "SPLAT_HEIGHT", 60)
    (tmp_path / "blender.json").write_text('{"tick_ms_p99": 1.5}')
    out = tmp_path / "out" / "bench.json"
    arguments = ["bench", "--out", str(out), "--frames", "21", "--merge", str(tmp_path / "blender.json")]
    assert cli.main(arguments) == 0
    figures = json.loads(out.read_text())
    numbers = [
        "fps_total",
        "first_frame_s",
        "backend_start_s",
        "peak_mb",
        "splat_832x480_12_s",
        "surface_832x480_12_s",
        "splat_speedup",
        "tick_ms_p99",
    ]
    assert all(figures[name] > 0 for name in numbers)
    assert set(figures["milliseconds"]) == STAGES
    assert all(value >= 0 for value in figures["milliseconds"].values())
    assert figures["peak_mb"] < 1500
    assert "fps_total" in capsys.readouterr().out


def test_the_room_has_near_and_far_and_a_move_that_uncovers() -> None:
    colour, depth, _ = bench.room(256, 144)
    assert colour.shape == (144, 256, 3)
    assert colour.dtype == np.uint8
    assert depth.min() > 2
    assert depth.max() == 8
    assert np.isfinite(depth).all()


def test_a_backend_that_does_not_start_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "ROOT", tmp_path)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    (tmp_path / "backend").mkdir()
    (tmp_path / "backend" / "__main__.py").write_text("raise SystemExit('no')")
    with (
        pytest.raises(bench.BenchError, match="did not start: no"),
        bench.started_backend(tmp_path / "backend.log"),
    ):
        pass


@shipped
def test_the_doctor_finds_everything_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["doctor", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["ok"]
    found = {finding["name"]: finding for finding in said["findings"]}
    assert {"python", "torch", "memory", "weights of tiny", "one block"} <= set(found)
    assert all(finding["state"] in ("ok", "warn") for finding in found.values())


def test_the_doctor_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor, "PACKAGES", {"no-such-package": "no_such_module", "numpy": "numpy"})
    assert cli.main(["doctor"]) == 1
    said = capsys.readouterr().out
    assert "fail  no-such-package" in said
    assert "-m pip install no-such-package" in said
    assert "one block" not in said
    assert "Something is missing" in said


def test_a_look_that_goes_wrong_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> doctor.Finding:
        raise RuntimeError("no more memory")

    monkeypatch.setattr(doctor, "_LOOKS", [("one block", broken)])
    monkeypatch.setattr(doctor, "PACKAGES", {})
    finding = doctor.examine()[-1]
    assert (finding.state, finding.message) == ("fail", "RuntimeError: no more memory")

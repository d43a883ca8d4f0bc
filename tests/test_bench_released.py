"""The bench of released presets at its smallest: real networks and a real session, every stage held to its floor."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from backend import bench_released, cli
from backend.bench_released import Setting
from backend.codec.taehv import Taehv
from backend.device import Device
from backend.model import BLOCK_LATENTS

PRESET = "inspatio-1.5-1.3b"
SMALL = ["bench", "--preset", PRESET, "--size", "32x32", "--scale", "12", "--random-weights"]
STAGES = ["render", "encode", "prefill", "denoise", "decode", "finish"]
torch.set_num_threads(1)  # What is this small is slower on two.
CPU = Device(torch.device("cpu"), torch.float32)


def test_every_stage_is_measured_and_held_to_its_floor(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out" / "bench.json"
    assert cli.main([*SMALL, "--precision", "float32", "--out", str(out)]) == 0
    figures = json.loads(out.read_text())
    assert list(figures["stages"]) == STAGES
    for stage in figures["stages"].values():
        assert stage["ms"] > 0
        assert stage["floor_ms"] > 0
        assert stage["bytes"] > 0
    assert all(figures["stages"][name]["linear"] > 0 for name in ("prefill", "denoise"))
    assert all(figures["stages"][name]["convolution"] > 0 for name in ("encode", "decode"))
    numbers = ["fps", "block_s", "first_block_s", "warm_up_s", "peak_mb"]
    assert all(figures[name] > 0 for name in numbers)
    assert figures["ceilings"]["operations"] > 1e8
    assert (figures["precision"], figures["compiled"], figures["quality"]) == ("float32", False, "draft")
    said = capsys.readouterr()
    assert all(f"\n{name} " in said.out for name in [*STAGES, "total", "frames a second", "peak memory"])
    assert "Preparing the steps of a later block" in said.err


def test_every_block_encodes_render_and_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    groups: list[int] = []
    real = Taehv.encode_group

    def counting(*arguments: Any) -> Tensor:
        groups.append(1)
        return real(*arguments)

    monkeypatch.setattr(Taehv, "encode_group", counting)
    setting = Setting(PRESET, 32, 32, scale=12, random_weights=True)
    bench_released._take(bench_released._random(setting, CPU), setting, 3)
    assert len(groups) == 3 * 2 * BLOCK_LATENTS


def test_final_has_the_other_autoencoder() -> None:
    pytest.importorskip("diffusers", reason="pip install -e .[world]")
    setting = Setting(PRESET, 32, 32, scale=12, quality="final", random_weights=True)
    seconds, milliseconds = bench_released._take(bench_released._random(setting, CPU), setting, 1)
    assert seconds[0] > 0
    assert set(STAGES) <= set(milliseconds[0])


def test_random_weights_are_the_same_every_time() -> None:
    setting = Setting(PRESET, 32, 32, scale=12, random_weights=True)
    first, second = (bench_released._random(setting, CPU) for _ in range(2))
    for name, weight in first.dit.state_dict().items():
        torch.testing.assert_close(second.dit.state_dict()[name], weight, atol=0, rtol=0)
    assert torch.get_default_dtype() == torch.float32


def test_counting_alone_runs_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*SMALL, "--count"]) == 0
    said = capsys.readouterr().out
    assert "H100" in said
    assert said.count("frames a second") == 2
    gigabytes = [
        {line.split()[0]: float(line.split()[2]) for line in part.splitlines()[2:8]}
        for part in said.split("\n\n")
    ]
    encoded, settled = gigabytes
    assert list(settled) == STAGES
    assert encoded["encode"] == pytest.approx(2 * settled["encode"], abs=0.002)
    assert encoded["decode"] == settled["decode"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--scale", "5"], "scaled by 1, 2, 3, 4, 6, 12"),
        (["--size", "large"], "such as 832x480"),
        (["--size", "100x100"], "multiples of 16"),
        (["--precision", "fp8"], "NVIDIA GPU"),
        (["--preset", "huge"], "inspatio-1.3b, inspatio-1.5-1.3b"),
    ],
)
def test_what_cannot_be_measured_is_said(
    arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "bench.json"
    assert cli.main([*SMALL, "--out", str(out), *arguments]) == 1
    assert said in capsys.readouterr().err
    assert not out.exists()


def test_without_weights_there_is_nothing_to_measure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("INSPATIO_WEIGHTS", str(tmp_path))
    assert cli.main(["bench", "--preset", PRESET, "--out", str(tmp_path / "bench.json")]) == 1
    assert "download its weights" in capsys.readouterr().err

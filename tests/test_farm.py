"""A farm's job: what is in the bundle, and that a runner of Open Job Description makes the takes of it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from fakes import small_presets
from movies import check_film

from backend.protocol.files import read_shot, read_take
from tests.blenders import ROOT

FRAMES = 21


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The Python that Blender starts its backend with, and the command `inspatio` of a farm's workers.

    Both backends are real, over the same small random weights.
    """
    folder = tmp_path_factory.mktemp("workers")
    weights = folder / "weights"
    small_presets(weights)
    common = f'#!/bin/sh\nexport PYTHONPATH="{ROOT}" OMP_NUM_THREADS=1\n'
    python, command = folder / "python", folder / "inspatio on a worker"
    served, shot = ROOT / "tests/fake_backend.py", ROOT / "tests/small_inspatio.py"
    python.write_text(
        f'{common}shift 2  # "-m backend"\nexec "{sys.executable}" "{served}" "{weights}" "$@"\n'
    )
    command.write_text(f'{common}exec "{sys.executable}" "{shot}" "{weights}" "$@"\n')
    for program in (python, command):
        program.chmod(0o755)
    return python, command


@pytest.fixture(scope="module")
def jobs(installed, tmp_path_factory, workers):
    """Exported jobs, and the takes that the add-on itself makes of the shots."""
    folder = tmp_path_factory.mktemp("an artist's film")
    return installed("bpy-4.5").run("export_job.py", folder, FRAMES, INSPATIO_PYTHON=str(workers[0]))


@pytest.fixture
def job(jobs, tmp_path):
    """A job by its name, moved to another place, as it is when a farm gets it."""

    def moved(name: str) -> Path:
        return Path(shutil.copytree(jobs[name], tmp_path / "the farm's own" / Path(jobs[name]).name))

    return moved


def openjd(*arguments: object) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONUTF8": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "openjd", *map(str, arguments)],
        cwd="/",
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> str:
    out, _ = process.communicate(timeout=200)
    assert process.returncode == 0, out
    return out


def frames_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.png"))}


def read(path: Path) -> dict:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def test_what_is_in_the_bundle(jobs, job):
    folder = job("whole")
    assert folder.name == "Käfer_Söhne_job"
    ended(openjd("check", folder / "template.yaml"))
    template = read(folder / "template.yaml")
    assert template["specificationVersion"] == "jobtemplate-2023-09"
    (step,) = template["steps"]
    assert step["parameterSpace"]["taskParameterDefinitions"] == [
        {"name": "Shot", "type": "STRING", "range": ["Größe_1", "Shot_2"]}
    ]
    assert "hostRequirements" not in step, "tiny runs on any machine"
    flows = {p["name"]: (p.get("dataFlow"), p["default"]) for p in template["parameterDefinitions"]}
    assert flows == {
        "Shots": ("IN", "shots"),
        "Takes": ("OUT", "takes"),
        "InspatioCommand": (None, "inspatio"),
    }
    values = {v["name"]: v["value"] for v in read(folder / "parameter_values.yaml")["parameterValues"]}
    assert values["InspatioCommand"] == "inspatio"
    # Exactly the files that a shot's own files name, and no path of the machine that it was exported on.
    references = read(folder / "asset_references.yaml")["assetReferences"]
    there = {str(p.relative_to(folder)) for p in (folder / "shots").rglob("*") if p.is_file()}
    assert set(references["inputs"]["filenames"]) == there
    assert "shots/Größe_1/reference/v001/view_0000.exr" in there and len(there) == 2 * 5
    assert references["outputs"]["directories"] == [], "the parameter Takes says it"
    for path in folder.rglob("*"):
        if path.suffix in (".yaml", ".json"):
            text = path.read_text(encoding="utf-8")
            assert str(Path(jobs["whole"]).parent) not in text and '"/' not in text, path
    assert read_shot(folder / "shots/Shot_2") == read_take(Path(jobs["takes"][1])).shot


def test_two_shots_on_two_workers(jobs, job, workers):
    """Each makes the frames that the add-on makes, byte for byte; run again it does nothing."""
    folder = job("whole")

    def run(shot: str) -> subprocess.Popen[str]:
        command = f"InspatioCommand={workers[1]}"
        task = ["--step", "Shots", "--task-param", f"Shot={shot}"]
        return openjd("run", folder / "template.yaml", "-p", command, *task)

    running = [run("Größe_1"), run("Shot_2")]
    for process in running:
        out = ended(process)
        assert "openjd_progress: 100.0" in out, out
    for shot, local in zip(("Größe_1", "Shot_2"), jobs["takes"], strict=True):
        made = folder / "takes" / shot / "take_001"
        assert read_take(made).state == "finished"
        assert len(frames_of(made)) == FRAMES and frames_of(made) == frames_of(Path(local))
        check_film(made / "shot.mp4", sorted(made.glob("*.png")), fps=24)
    before = {path: path.stat().st_mtime_ns for path in (folder / "takes").rglob("*")}
    assert "it is finished" in ended(run("Shot_2"))
    assert before == {path: path.stat().st_mtime_ns for path in (folder / "takes").rglob("*")}


def test_a_shot_that_is_cut(jobs, job, workers):
    """Its pieces go on from one another's state, each in a process of its own, to the same frames."""
    folder = job("cut")
    ended(openjd("check", folder / "template.yaml"))
    steps = read(folder / "template.yaml")["steps"]
    assert [step["name"] for step in steps] == ["Größe_1, to frame 9", "Größe_1, to frame 21"]
    assert [step.get("dependencies") for step in steps] == [None, [{"dependsOn": "Größe_1, to frame 9"}]]
    run = ["run", folder / "template.yaml", "-p", f"InspatioCommand={workers[1]}", "--step"]
    made = folder / "takes/Größe_1/take_001"
    ended(openjd(*run, "Größe_1, to frame 9"))
    assert (read_take(made).state, len(frames_of(made))) == ("cancelled", 9)
    assert (made / "state_0001.bin").exists()
    # On another machine: the first finds its piece there, the second goes on from it.
    ended(openjd(*run, "Größe_1, to frame 21", "--run-dependencies"))
    assert read_take(made).state == "finished"
    assert frames_of(made) == frames_of(Path(jobs["takes"][0]))


def test_large_presets_ask_for_a_gpu_and_final_is_not_cut(job):
    folder = job("gpu")
    ended(openjd("check", folder / "template.yaml"))
    (step,) = read(folder / "template.yaml")["steps"]
    assert step["name"] == "Shots (GPU)"
    assert step["hostRequirements"] == {"amounts": [{"name": "amount.worker.gpu", "min": 1}]}

"""The job type of docs/flamenco, read by node with stand-ins for what a Flamenco Manager gives to it."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from backend import cli
from tests.blenders import ROOT

SCRIPT = ROOT / "docs/flamenco/inspatio_shots.js"
STAND_IN = """
const author = {
    Task: (name, type) => ({
        name, type, commands: [], after: [],
        addCommand(command) { this.commands.push(command); },
        addDependency(task) { this.after.push(task.name); },
    }),
    Command: (name, parameters) => ({ name, ...parameters }),
};
const tasks = [];
let error = null;
try {
    compileJob({ settings: SETTINGS, addTask: (task) => tasks.push(task) });
} catch (thrown) {
    error = thrown.message;
}
console.log(JSON.stringify({ tasks, error, keys: JOB_TYPE.settings.map((setting) => setting.key) }));
"""


def compiled(tmp_path: Path, shots: str) -> dict:
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    settings = json.dumps({"job": "/shared/a b_job", "shots": shots, "command": "{inspatio}"})
    program = tmp_path / "job.js"
    program.write_text(SCRIPT.read_text() + STAND_IN.replace("SETTINGS", settings))
    done = subprocess.run(["node", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_task_for_each_shot_and_a_chain_for_one_that_is_cut(tmp_path: Path, monkeypatch) -> None:
    said = compiled(tmp_path, "Größe_1@9@21, Shot_2")
    assert said["keys"] == ["job", "shots", "command"] and said["error"] is None
    tasks = {task["name"]: task for task in said["tasks"]}
    assert list(tasks) == ["Größe_1-to-9", "Größe_1-to-21", "Größe_1", "Shot_2"]
    assert [task["after"] for task in tasks.values()] == [[], ["Größe_1-to-9"], ["Größe_1-to-21"], []]
    asked = []
    monkeypatch.setattr("backend.commands.shot.run", lambda parsed: asked.append(parsed) or 0)
    for task in tasks.values():
        (command,) = task["commands"]
        assert (command["name"], command["exe"]) == ("exec", "{inspatio}")
        monkeypatch.setattr("backend.commands.shot.keep_to_own_cores", lambda: None)
        cli.main(command["args"])
    assert [parsed.until for parsed in asked] == [9.0, 21.0, None, None]
    assert {(str(parsed.folder), str(parsed.out), parsed.take) for parsed in asked} == {
        (f"/shared/a b_job/shots/{shot}", f"/shared/a b_job/takes/{shot}", 1)
        for shot in ("Größe_1", "Shot_2")
    }


@pytest.mark.parametrize("shots", ["", " , ", "../away", "Shot_1@last", "a/b"])
def test_what_is_no_shot_is_refused(tmp_path: Path, shots: str) -> None:
    said = compiled(tmp_path, shots)
    assert said["tasks"] == [] and ("is no shot" in said["error"] or "No shots are named" in said["error"])

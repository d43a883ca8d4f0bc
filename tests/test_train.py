"""`inspatio train`: its config, its loop, and every stage from sequences to a student, by the command itself."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from small_released import PRESET, SMALL, small_presets_of, small_released
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from backend.codec.tiny import TinyCodec
from backend.commands.train import NAMES
from backend.presets import WEIGHTS
from backend.training import stages
from backend.training.config import CausalConfig, Config, ConfigError, read_config
from backend.training.export import export
from backend.training.fleet import Fleet
from backend.training.generator import TINY, Causal, load_dit
from backend.training.jdmd.condition import Condition
from backend.training.jdmd.rollout import roll_out
from backend.training.loop import Interrupted, train
from backend.training.runs import Average

ROOT = Path(__file__).resolve().parent.parent
SHIPPED = ROOT / "backend" / "training" / "configs" / "tiny.toml"


def test_the_shipped_config_can_be_read() -> None:
    config = read_config(SHIPPED)
    assert config.preset == "tiny" and config.jdmd.joint > 0 and len(config.data.movies) == 2
    for path in (config.autoencoder.weights, config.causal.start, config.teacher.start, config.completion):
        assert path is not None and (ROOT / path).is_file(), path


def test_the_command_knows_the_stages() -> None:
    assert tuple(stages.STAGES) == NAMES


def test_changes_take_the_place_of_what_the_file_says() -> None:
    config = read_config(SHIPPED, ["jdmd.joint=0.1", "seed=3", "run=elsewhere", "data.stills=false"])
    assert (config.jdmd.joint, config.seed, config.run, config.data.stills) == (
        0.1,
        3,
        Path("elsewhere"),
        False,
    )
    assert config.jdmd.batch == read_config(SHIPPED).jdmd.batch


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("seed = 1", "'run' is missing"),
        ('run = "r"\nsed = 1', "no 'sed' here"),
        ('run = "r"\n[jdmd]\njoints = 1', r"\[jdmd\]: there is no 'joints'"),
        ('run = "r"\n[jdmd]\nsteps = "many"', r"\[jdmd\]: steps is 'many', not int"),
        ('run = "r"\n[jdmd]\nsteps = true', "steps is True"),
        ('run = "r"\n[jdmd]\nsteps = -5', "cannot be negative"),
        ('run = "r"\n[jdmd]\njoint = -0.5', "not negative"),
        ('run = "r"\n[jdmd]\nsampling = 3', "4 or 2"),
        ('run = "r"\n[data]\nmovies = "a.mp4"', "list of paths"),
        ('run = "r"\njdmd = 4', "is a section"),
        ("run = ", "not TOML"),
    ],
)
def test_a_config_that_cannot_be_meant_is_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "c.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=said):
        read_config(path)


def test_a_config_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_config(tmp_path / "none.toml")


class Counting:
    """A stage of one number, which every step moves on by a draw of its own number."""

    name, every = "counting", 4

    def __init__(self) -> None:
        self.model = torch.nn.Linear(1, 1, bias=False)
        torch.nn.init.zeros_(self.model.weight)
        self.optimizers = [torch.optim.Adam(self.model.parameters(), lr=0.1)]
        self.average = Average(self.model, 0.5)
        self.at: list[int] = []

    def step(self, number: int, progress: float) -> dict[str, float]:
        self.at.append(number)
        generator = torch.Generator().manual_seed(number)
        loss = (self.model.weight - torch.rand(1, generator=generator)).square().sum()
        self.optimizers[0].zero_grad()
        loss.backward()
        self.optimizers[0].step()
        self.average.update(self.model, number + 1)
        return {"loss": loss.item()}

    def look(self) -> tuple[dict[str, float], np.ndarray]:
        weight = float(self.average.weights["weight"])
        return {"weight": weight}, np.full((8, 8, 3), (250, 10, 10), np.uint8)

    def save(self, folder: Path) -> None:
        (folder / "weights.txt").write_text(str(self.look()[0]))


def test_a_run_writes_lines_events_and_pictures(tmp_path: Path) -> None:
    train(Counting(), tmp_path, 10)
    lines = [json.loads(line) for line in (tmp_path / "counting.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [4, 8, 10]
    assert {"seconds", "loss", "weight"} < set(lines[0])
    curves = cv2.imread(str(tmp_path / "curves.png"))
    assert curves.shape[0] > 100 and curves.std() > 1
    assert cv2.imread(str(tmp_path / "samples.png"))[0, 0].tolist() == [10, 10, 250]
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert [event.step for event in events.Scalars("loss")] == [4, 8, 10]
    assert events.Scalars("weight")[-1].value == pytest.approx(lines[-1]["weight"], rel=1e-4)
    assert [event.step for event in events.Images("samples")] == [4, 8, 10]


def test_a_run_that_is_asked_to_end_keeps_what_it_has_done(tmp_path: Path) -> None:
    """SIGTERM in a step: that step is made to its end, and the next run begins with the one after it."""
    train(unbroken := Counting(), tmp_path / "unbroken", 10)
    asked = Counting()
    step = asked.step

    def step_and_ask(number: int, progress: float) -> dict[str, float]:
        if number == 5:
            os.kill(os.getpid(), signal.SIGTERM)
        return step(number, progress)

    asked.step = step_and_ask  # type: ignore[method-assign]
    with pytest.raises(Interrupted, match="step 6 of 10"):
        train(asked, tmp_path / "asked", 10)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    train(again := Counting(), tmp_path / "asked", 10)
    assert asked.at == [0, 1, 2, 3, 4, 5] and again.at == [6, 7, 8, 9]
    assert torch.equal(unbroken.model.weight, again.model.weight)


def test_a_process_alone_averages_nothing() -> None:
    parameter = torch.nn.Parameter(torch.ones(3))
    parameter.grad = torch.full((3,), 2.0)
    Fleet().average_gradients([parameter])
    assert parameter.grad.tolist() == [2, 2, 2] and not Fleet().any(False) and Fleet().any(True)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with sequences of a textured wall, a movie, and a config of a few steps a stage."""
    folder = tmp_path_factory.mktemp("train")
    height, width, length = 96, 128, 21
    for name, count, dynamic in (("scenes", 2, False), ("held_out", 1, True)):
        (folder / name).mkdir()
        for index in range(count):
            rng = np.random.default_rng((index, int(dynamic)))
            texture = cv2.resize(rng.integers(0, 256, (24, 60, 3), dtype=np.uint8), (400, 160))
            poses = np.tile(np.eye(4, dtype=np.float32), (2, length, 1, 1))
            poses[..., 0, 3] = -np.linspace(0, 1.2, 2 * length).reshape(2, length)
            lens = np.array([[100, 0, (width - 1) / 2], [0, 100, (height - 1) / 2], [0, 0, 1]], np.float32)
            columns = (-poses[..., 0, 3] * 100 / 2).round().astype(int)
            colour = np.stack(
                [[texture[20 : 20 + height, 100 + c : 100 + c + width] for c in row] for row in columns]
            )
            np.savez(
                folder / name / f"wall{index}.npz",
                colour=colour,
                depth=np.full((2, length, height, width), 2, np.float32),
                intrinsics=np.tile(lens, (2, length, 1, 1)),
                world_to_camera=poses,
                dynamic=np.array(dynamic),
            )
    writer = cv2.VideoWriter(str(folder / "real.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 25, (320, 180))
    for number in range(150):
        writer.write(np.roll(cv2.resize(texture, (320, 180)), number, axis=1))
    writer.release()
    (folder / "config.toml").write_text(
        f"""
        run = "{folder}/run"
        completion = "{ROOT}/backend/weights/tiny/completion.safetensors"
        [data]
        scenes = ["{folder}/scenes"]
        held_out = ["{folder}/held_out"]
        movies = ["{folder}/real.mp4"]
        stills = false
        variants = 1
        clips = 2
        clips_held_out = 1
        [autoencoder]
        steps = 1
        [teacher]
        steps = 2
        free_steps = 1
        batch = 2
        [causal]
        steps = 2
        batch = 2
        [jdmd]
        steps = 2
        batch = 1
        critic_steps = 1
        """
    )
    return folder


def command(*words: str | Path) -> list[str]:
    return [sys.executable, "-m", "backend", *map(str, words)]


def ended(words: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "OMP_NUM_THREADS": "1", **environment}
    return subprocess.run(
        words, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=600, check=False
    )


def test_all_stages_follow_one_another_by_the_command(small: Path) -> None:
    done = ended(command("train", small / "config.toml"))
    assert done.returncode == 0, done.stdout + done.stderr
    run = small / "run"
    made = {
        "autoencoder": "codec",
        "teacher": "teacher",
        "teacher_free": "teacher",
        "causal": "generator",
        "jdmd": "generator",
    }
    for folder, stem in made.items():
        assert load_file(run / folder / f"{stem}.safetensors"), folder
        assert (run / folder / "curves.png").is_file() and (run / folder / "samples.png").is_file(), folder
    for name, count in (("train", 2), ("held_out", 1), ("free", 2), ("free_held_out", 1)):
        assert len(list((run / "latents" / name).glob("*.safetensors"))) == count, name
    begun, moved = (load_file(run / folder / "generator.safetensors") for folder in ("causal", "jdmd"))
    assert any(not torch.equal(begun[name], moved[name]) for name in begun)
    # All of it is there: a second time nothing is done.
    before = (run / "jdmd" / "generator.safetensors").stat().st_mtime_ns
    assert ended(command("train", small / "config.toml")).returncode == 0
    assert (run / "jdmd" / "generator.safetensors").stat().st_mtime_ns == before
    # What was begun with one setting does not go on with another.
    done = ended(command("train", small / "config.toml", "jdmd", "--set", "jdmd.joint=0"))
    assert (
        done.returncode == 1 and "was begun with joint = " in done.stderr and "Traceback" not in done.stderr
    )
    done = ended(
        command(
            "train", small / "config.toml", "jdmd", "--set", "jdmd.name=early", "--set", "teacher.steps=9"
        )
    )
    assert done.returncode == 1 and "is at step 2 of 9" in done.stderr
    shutil.copy(WEIGHTS / "tiny" / "codec.safetensors", small / "other.safetensors")
    other = f"autoencoder.weights={small / 'other.safetensors'}"
    done = ended(command("train", small / "config.toml", "teacher", "--set", other))
    assert done.returncode == 1 and "latents was begun with codec = " in done.stderr


def test_two_processes_run_a_stage_and_go_on_with_it(small: Path) -> None:
    if not (small / "run" / "teacher").exists():
        assert ended(command("train", small / "config.toml")).returncode == 0
    for steps in (2, 3):
        done = ended(
            [
                *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"),
                *("-m", "backend", "train", str(small / "config.toml"), "jdmd"),
                *("--set", "jdmd.name=two", "--set", f"jdmd.steps={steps}"),
            ]
        )
        assert done.returncode == 0, done.stdout + done.stderr
    lines = [json.loads(line) for line in (small / "run/two/jdmd.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [2, 3], "one of the two tells"
    begun, moved = (load_file(small / "run" / name / "generator.safetensors") for name in ("causal", "two"))
    assert any(not torch.equal(begun[name], moved[name]) for name in begun)


def test_two_processes_make_the_same_steps(small: Path) -> None:
    """Over gloo, connected by accelerate: both end with the same weights, which are the mean of both shares."""
    if not (small / "run" / "teacher").exists():
        assert ended(command("train", small / "config.toml")).returncode == 0
    words = [
        *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"),
        *("-m", "tests.two_processes", str(small / "config.toml")),
    ]
    done = ended(words)
    assert done.returncode == 0, done.stdout + done.stderr
    told = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert sorted(line["rank"] for line in told) == [0, 1]
    assert told[0]["weights"] == told[1]["weights"]
    assert told[0]["spread"] == told[1]["spread"]
    assert told[0]["draws"] != told[1]["draws"], "each has a share of its own"
    assert all(line["apart"] < 1e-5 for line in told), "a step is that of the mean of both gradients"


def test_a_generator_is_measured_by_the_command(small: Path, tmp_path: Path) -> None:
    """All that `inspatio evaluate` writes, of the wall whose camera moves sideways, beside real video."""
    words = ["--scenes", small / "scenes", "--real", small / "real.mp4", "--steps", "2", "--out", tmp_path]
    done = ended(command("evaluate", *words))
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((tmp_path / "evaluation.json").read_text())
    assert report["steps"] == 2 and [each["scene"] for each in report["scenes"]] == ["wall0", "wall1"]
    wall = report["scenes"][0]
    # A wall whose reference is sharp: the frames show it from where they were asked to, and from everywhere alike.
    assert wall["controlled"] > 0.5 and wall["rotation"] < 1.5 and wall["translation"] < 0.05
    assert wall["reprojection"] < 2 and wall["reprojection_true"] < 0.7
    assert wall["photometric_true"] > 25 and wall["revisit"] > 20 and 0.2 < wall["sharpness"] < 1.3
    assert set(report["distance"]) == {"generated", "true", "free", "halves"}
    assert report["distance"]["halves"] < report["distance"]["generated"]
    assert "| wall0 |" in (tmp_path / "evaluation.md").read_text()
    for name in ("evaluation.png", "wall0.png", "free.png"):
        assert cv2.imread(str(tmp_path / name)) is not None, name
    again = ended(command("evaluate", "--scenes", tmp_path / "none"))
    assert again.returncode == 2 and "tests.scenes.evaluation" in again.stderr


def test_the_command_says_what_is_missing(small: Path, tmp_path: Path) -> None:
    config = small / "config.toml"
    done = ended(command("train", config, "jdmd", "--set", f"run={tmp_path}/none"))
    assert done.returncode == 1 and "the stage autoencoder makes it" in done.stderr
    assert "Traceback" not in done.stderr
    done = ended(command("train", config, "--set", "jdmd.sampling=3"))
    assert done.returncode == 2 and "4 or 2" in done.stderr
    done = ended(command("train", tmp_path / "none.toml"))
    assert done.returncode == 2 and "cannot be read" in done.stderr
    done = ended(
        command("train", config, "--set", f"data.scenes=['{tmp_path}']", "--set", f"run={tmp_path}/r")
    )
    assert done.returncode == 1 and "no sequences" in done.stderr


def test_ctrl_c_ends_a_run_that_goes_on_later(small: Path, tmp_path: Path) -> None:
    words = command("train", small / "config.toml", "autoencoder", "--set", "autoencoder.steps=500")
    words += ["--set", f"run={tmp_path}/run"]
    started = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    log = tmp_path / "run" / "autoencoder" / "tensorboard"
    deadline = time.monotonic() + 120
    while not log.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(1.0)
    started.send_signal(signal.SIGINT)
    _, said = started.communicate(timeout=120)
    assert started.returncode == 130 and "the same command goes on" in said, said
    kept = torch.load(tmp_path / "run" / "autoencoder" / "codec.pt", weights_only=True)
    assert 0 < kept["step"] < 500


def test_what_a_stage_makes_is_where_the_next_one_looks() -> None:
    config = Config(Path("run"))
    assert config.codec_file == Path("run/autoencoder/codec.safetensors")
    assert config.student_file == Path("run/causal/generator.safetensors")
    taken = replace(config, causal=CausalConfig(weights=Path("g.safetensors")))
    assert taken.student_file == Path("g.safetensors")


def test_a_released_generator_is_distilled_by_the_same_stages(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A small random network of the released kind: Wan's latents, the release's warp and its holes, a prompt."""
    released = small_released(tmp_path / "weights")
    monkeypatch.setattr(stages, "Presets", lambda **_: small_presets_of(released))
    config = read_config(
        small / "config.toml",
        [f"run={tmp_path}/run", f"preset={PRESET}", "jdmd.joint=0.5", "jdmd.guidance=1.5", "teacher.steps=2"],
    )
    stages.run(replace(config, completion=None), ["causal", "teacher", "jdmd"], Fleet())
    example = load_file(sorted((tmp_path / "run" / "latents" / "train").iterdir())[0])
    assert example["truth"].shape[1] == 16 and example["text"].shape == (
        SMALL.config.text_len,
        SMALL.config.text_dim,
    )
    begun = small_presets_of(released).trainable(PRESET).state_dict()
    for folder, stem in (("teacher", "teacher"), ("teacher_free", "teacher"), ("jdmd", "generator")):
        trained = load_dit(tmp_path / "run" / folder / f"{stem}.safetensors")
        assert trained.config.prediction == "flow" and trained.config.text_dim == SMALL.config.text_dim
        # It begins as the released one, and two steps do not lead far from there.
        apart = [float((tensor - begun[name]).abs().max()) for name, tensor in trained.state_dict().items()]
        assert 0 < max(apart) < 0.1, folder
    with pytest.raises(ConfigError, match="autoencoder of its own"):
        stages.run(config, ["autoencoder"], Fleet())


def test_exported_weights_are_a_share_of_the_residual_and_a_mean(tmp_path: Path) -> None:
    tiny = WEIGHTS / "tiny"
    begun = load_file(tiny / "generator.safetensors")
    metadata = {"config": json.dumps({"dim": 256})}
    trained = {name: tensor + 1 for name, tensor in begun.items()}
    save_file(trained, tmp_path / "trained.safetensors", metadata)
    export(
        tmp_path / "trained.safetensors",
        tiny / "codec.safetensors",
        tiny / "completion.safetensors",
        tmp_path / "out",
        0.5,
        tiny / "generator.safetensors",
    )
    made = load_file(tmp_path / "out" / "generator.safetensors")
    with safe_open(tmp_path / "out" / "generator.safetensors", "pt") as file:
        assert file.metadata() == metadata
    for name, was in begun.items():
        share = 0.5 if name in ("head.head.weight", "head.head.bias") else 1.0
        expected = (share * trained[name].float() + was.float()) / 2
        torch.testing.assert_close(made[name].float(), expected, atol=0.01, rtol=0.01)
    assert (tmp_path / "out" / "codec.safetensors").read_bytes() == (tiny / "codec.safetensors").read_bytes()
    assert json.loads((tmp_path / "out" / "preset.json").read_text())["format"] == "inspatio-preset"


def test_a_start_that_has_seen_real_video_makes_it_of_nothing() -> None:
    """Real clips are all alike here. Of a render the model goes on to make what that shows."""
    generator = torch.Generator().manual_seed(0)
    real, other = (torch.randn((1, 64, 1, 1), generator=generator).expand(6, 64, 4, 4) for _ in range(2))
    told = {"truth": other, "render": other, "reference": other, "mask": torch.ones(6, 4, 4, 4)}
    codec = TinyCodec.load(WEIGHTS / "tiny" / "codec.safetensors")
    toy = replace(TINY, dim=32, ffn_dim=64, num_heads=2, num_layers=2, freq_dim=16)
    stage = Causal([told], [], codec, 4, 1e-2, config=toy, free=[{"truth": real}])
    for number in range(60):
        stage.step(number, (number + 1) / 60)
    nothing, same = Condition.nothing(real[None]), Condition(other[None], told["mask"][None], other[None])
    with torch.no_grad():
        free, made = (roll_out(stage.model, each, generator)[0] for each in (nothing, same))
    assert (free - real).square().mean() < 0.3 * real.square().mean()
    assert (made - other).square().mean() < 0.1 * other.square().mean()

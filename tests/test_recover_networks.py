"""Depth by a network of the released class, small and random; without weights, and with broken ones."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from references import move
from stage import FIELD_OF_VIEW, HEIGHT, PANS, TURNS, WIDTH, K, generated, pose, see, still, video_of

from backend import cli
from backend.protocol import sources
from backend.protocol.files import read_reference
from backend.recover import Asked, RecoverError, from_pictures, networks, recover
from backend.recover.networks import DepthNetwork, depth_of_relative
from backend.world import load_world


def small_network(folder: Path, name: str = "depth", kind: str = "relative") -> Path:
    """A depth network of the released class with few channels and random weights, as `inspatio download` leaves it."""
    transformers = pytest.importorskip("transformers", reason="pip install -e .[world]")
    torch.manual_seed(5)
    backbone = transformers.Dinov2Config(
        hidden_size=24,
        num_attention_heads=2,
        num_hidden_layers=4,
        image_size=70,
        patch_size=14,
        out_indices=[1, 2, 3, 4],
        reshape_hidden_states=False,
        apply_layernorm=True,
    )
    network = transformers.DepthAnythingForDepthEstimation(
        transformers.DepthAnythingConfig(
            backbone_config=backbone,
            reassemble_hidden_size=24,
            neck_hidden_sizes=[8, 8, 16, 16],
            fusion_hidden_size=8,
            head_hidden_size=8,
            depth_estimation_type=kind,
            max_depth=20 if kind == "metric" else 1,
        )
    )
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
        network.head.conv3.bias.fill_(0.5)
    network.save_pretrained(folder / sources.DEPTH_NETWORKS[name].repo)
    return folder


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "weights"
    monkeypatch.setenv("INSPATIO_WEIGHTS", str(folder))
    monkeypatch.setenv("INSPATIO_DEVICE", "cpu")
    return folder


@pytest.mark.parametrize(("name", "kind"), [("depth", "relative"), ("depth-indoor", "metric")])
def test_depth_by_a_network(
    tmp_path: Path, weights: Path, capsys: pytest.CaptureFixture[str], name: str, kind: str
) -> None:
    """A random network of the released class: what it says is worth nothing, that it is asked is the product's."""
    small_network(weights, name, kind)
    still(tmp_path)
    out = tmp_path / "shot" / "reference"
    arguments = ["recover", str(tmp_path / "photo.png"), str(out), "--depth", name]
    assert cli.main([*arguments, "--known", "20", "20", "100", "60", "2.5"]) == cli.DONE
    said = capsys.readouterr().out
    assert (
        "Depth Anything V2 Small" in said and "Apache-2.0" in said and "50 mm on 35 mm film, a guess" in said
    )
    world, _ = load_world(out)
    depth = world.depth[0].numpy()
    assert np.isfinite(depth).all() and (depth > 0).all() and depth.std() > 0
    k = world.intrinsics[0].numpy()
    ends = [
        np.median(depth[v - 2 : v + 3, u - 2 : u + 3]) * (np.linalg.inv(k) @ (u, v, 1))
        for u, v in ((20, 20), (100, 60))
    ]
    assert np.linalg.norm(ends[0] - ends[1]) == pytest.approx(2.5, rel=1e-5)
    assert read_reference(out).source["depth"].startswith("Depth Anything V2 Small")
    # Where the first camera stands, whatever depth was made up, the frame is the photograph.
    still_camera = move(9, WIDTH, HEIGHT, reach=0.0)
    photograph = cv2.imread(str(tmp_path / "photo.png"))[:, :, ::-1]
    k = tuple(world.intrinsics[0].numpy().ravel().tolist())
    frames = generated(tmp_path / "shot", replace(still_camera, intrinsics=(k,) * 9))
    assert all(cv2.PSNR(frame, photograph.copy()) > 18 for frame in frames.values())


def test_the_network_gives_the_same_for_the_same_picture_whatever_its_size(weights: Path) -> None:
    network = DepthNetwork("depth-indoor", small_network(weights, "depth-indoor", "metric"))
    picture, _ = see(K, pose(), WIDTH, HEIGHT)
    depth = network.depth(picture)
    assert depth.shape == (HEIGHT, WIDTH) and depth.dtype == np.float32 and network.is_metric
    assert np.array_equal(depth, network.depth(picture))
    larger = network.depth(cv2.resize(picture, (2 * WIDTH, 2 * HEIGHT), interpolation=cv2.INTER_CUBIC))
    assert np.abs(cv2.resize(larger, (WIDTH, HEIGHT)) - depth).mean() < 0.1 * depth.mean()


def test_relative_depth_runs_from_1_to_the_farthest() -> None:
    depth = depth_of_relative(np.linspace(0, 5, 11, dtype=np.float32))
    assert (depth[-1], depth[0]) == pytest.approx((1.0, networks.FARTHEST))
    assert (np.diff(depth) < 0).all()


def test_without_weights_the_other_road_is_offered(
    tmp_path: Path, weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    still(tmp_path)
    arguments = ["recover", str(tmp_path / "photo.png"), str(tmp_path / "out"), "--depth", "depth", "--json"]
    assert cli.main(arguments) == cli.FAILED
    error = json.loads(capsys.readouterr().out.splitlines()[-1])["error"]
    assert "inspatio download depth" in error and "match the camera in Blender" in error and "\n" not in error
    assert not (tmp_path / "out").exists()


def test_broken_weights_are_told(weights: Path) -> None:
    folder = small_network(weights) / sources.DEPTH_NETWORKS["depth"].repo
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[:1000])
    with pytest.raises(RecoverError, match=r"cannot be loaded .* `inspatio download depth"):
        DepthNetwork("depth")
    (folder / "model.safetensors").write_bytes(whole)
    config = json.loads((folder / "config.json").read_text())
    config["head_hidden_size"] = 12
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(RecoverError, match="inspatio download depth"):
        DepthNetwork("depth")


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [("depth", "relative", "a guess"), ("depth-indoor", "metric", "as the pictures agree")],
)
def test_a_lens_is_not_looked_for_by_relative_depth(
    tmp_path: Path, weights: Path, monkeypatch: pytest.MonkeyPatch, name: str, kind: str, words: str
) -> None:
    """Its contrast is unknown, so a wrong lens may explain the pictures just as well. A metric one's may tell."""
    small_network(weights, name, kind)
    video, maps = video_of(tmp_path, PANS)
    true_depth = np.load(maps / "depth_0001.npy")
    monkeypatch.setattr(DepthNetwork, "depth", lambda self, pixels: true_depth)
    request = from_pictures([video], Asked(network=name, every=6))
    assert words in recover(request, tmp_path / "out").source["lens"]


def test_a_network_measures_a_video_in_one_scale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A network that errs by a factor from frame to frame: depth and poses come out in the first frame's scale."""
    video, maps = video_of(tmp_path, TURNS[:5])

    class Wavering:
        words, is_metric = "a stand-in that wavers", True

        def __init__(self, name: str) -> None:
            self.calls = 0

        def depth(self, pixels: np.ndarray) -> np.ndarray:
            self.calls += 1
            return np.load(maps / f"depth_{self.calls:04d}.npy") * (1.3 if self.calls % 2 == 0 else 1.0)

    monkeypatch.setattr("backend.recover.recovering.DepthNetwork", Wavering)
    asked = Asked(network="depth", field_of_view=FIELD_OF_VIEW)
    reference = recover(from_pictures([video], asked), tmp_path / "out")
    world, _ = load_world(tmp_path / "out")
    for index, view in enumerate(reference.views):
        truth = np.load(maps / f"depth_{index + 1:04d}.npy")
        assert np.median(world.depth[index].numpy() / truth) == pytest.approx(1, abs=0.01)
        eye = np.linalg.inv(np.array(view.world_to_camera).reshape(4, 4))[:3, 3]
        assert np.linalg.norm(eye - np.linalg.inv(TURNS[index])[:3, 3]) < 0.03

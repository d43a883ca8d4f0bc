"""Plates: the reference's detail where it reaches, the generated picture elsewhere, at the scene's size."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import pytest
import torch
from fakes import small_presets
from inspatio_addon.inspatio_blender.client import BackendError, Client
from references import lens, move, pose, write_reference
from serving import HEIGHT, TOKEN, WIDTH, Answer, Server

from backend import protocol
from backend.model.sampler import Cancelled
from backend.pictures import encode_png
from backend.plate import PlateError, at_plate_size, develop, enlarged
from backend.protocol.cameras import Cameras
from backend.protocol.envelope import Blob, pack, unpack
from backend.session import CameraBlock, camera_block
from backend.world import World

SMALL, LARGE = (64, 48), (320, 240)


def wall(width: int, height: int) -> World:
    """A wall with fine detail that fills the view, and a box before it."""
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    fine = 40 * np.sin(columns * 1.3) * np.sin(rows * 1.1)
    coarse = 128 + 50 * np.sin(columns / width * 9) + 20 * np.cos(rows / height * 7)
    colour = np.stack([coarse + fine, coarse * 0.9 - fine, 255 - coarse + fine]).clip(0, 255)
    depth = np.full((height, width), 6.0, np.float32)
    box = (slice(height * 2 // 5, height * 4 // 5), slice(width * 2 // 5, width * 3 // 5))
    depth[box] = 3.0
    colour[:, box[0], box[1]] = (colour[:, box[0], box[1]] * 0.5).clip(0, 255)
    return World(
        "still",
        torch.from_numpy(colour.astype(np.uint8))[None],
        torch.from_numpy(depth)[None],
        torch.tensor(lens(width, height), dtype=torch.float64).view(1, 3, 3),
        torch.eye(4, dtype=torch.float64)[None],
        torch.ones(1, dtype=torch.float64),
    )


def cameras(*sides: float, width: int = SMALL[0], height: int = SMALL[1]) -> CameraBlock:
    """Cameras at x = `sides`, of pictures of this size."""
    numbers = [float(index + 1) for index in range(len(sides))]
    return camera_block(
        Cameras.checked(numbers, [lens(width, height)] * len(sides), [pose(x=x) for x in sides])
    )


def plates(world: World, frames: np.ndarray, *sides: float, strength: float = 1.0):
    placed = at_plate_size(cameras(*sides), *SMALL, *LARGE)
    return develop(world, placed, frames, *LARGE, strength)


def view_of(world: World) -> np.ndarray:
    return world.colour[0].permute(1, 2, 0).numpy()


def shrunk(picture: np.ndarray) -> np.ndarray:
    return cv2.resize(picture, SMALL, interpolation=cv2.INTER_AREA)


def error(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.sqrt(((one.astype(np.float32) - other.astype(np.float32)) ** 2).mean()))


def test_detail_that_the_frame_is_too_small_for_comes_from_the_reference() -> None:
    world = wall(*LARGE)
    truth = view_of(world)
    frame = shrunk(truth)
    made = plates(world, frame[None], 0.0)
    assert made.colour.shape == (1, 240, 320, 3) and made.colour.dtype == np.uint8
    plain = enlarged(frame, *LARGE)
    assert error(made.colour[0], truth) < 0.4 * error(plain, truth)
    assert made.coverage[0].mean() > 200


def test_strength_is_how_much_of_it() -> None:
    world = wall(*LARGE)
    truth = view_of(world)
    frame = shrunk(truth)
    none, half, full = (plates(world, frame[None], 0.0, strength=s).colour[0] for s in (0.0, 0.5, 1.0))
    assert np.array_equal(none, enlarged(frame, *LARGE))
    assert error(full, truth) < error(half, truth) < error(none, truth)


def test_holes_are_the_generated_frame_and_are_said_to_be() -> None:
    world = wall(*LARGE)
    frame = np.full((SMALL[1], SMALL[0], 3), (10, 200, 30), np.uint8)
    made = plates(world, frame[None], 1.5)
    hole = made.mask[0] == 255
    assert 0.05 < hole.mean() < 0.9
    assert set(np.unique(made.mask)) == {0, 255}
    assert np.array_equal(made.colour[0][hole], enlarged(frame, *LARGE)[hole])
    assert not made.coverage[0][hole].any()
    assert np.isinf(made.depth[0][hole]).all()
    assert np.abs(made.depth[0][~hole] - 6.0).min() < 1e-3 and made.depth[0][~hole].min() > 2.9


def test_a_light_that_the_generator_changed_stays_and_detail_goes_with_it() -> None:
    world = wall(*LARGE)
    truth = view_of(world)
    brighter = (truth.astype(np.float32) + 25).clip(0, 255)
    frame = shrunk(brighter.astype(np.uint8))
    made = plates(world, frame[None], 0.0).colour[0]
    assert error(made, brighter) < 0.6 * error(enlarged(frame, *LARGE), brighter)
    assert abs(float(made.mean()) - float(brighter.mean())) < 2


def test_what_the_generator_moved_stays_where_it_put_it() -> None:
    world = wall(*LARGE)
    frame = shrunk(view_of(world))
    frame[8:24, 4:20] = (250, 250, 20)
    made = plates(world, frame[None], 0.0).colour[0]
    plain = enlarged(frame, *LARGE)
    inner = (slice(55, 105), slice(35, 85))
    assert error(made[inner], plain[inner]) < 8


def test_a_frame_larger_than_its_plate_is_averaged() -> None:
    world = wall(*LARGE)
    frame = cv2.resize(view_of(world), (640, 480), interpolation=cv2.INTER_CUBIC)
    placed = at_plate_size(cameras(0.0, width=640, height=480), 640, 480, *LARGE)
    made = develop(world, placed, frame[None], *LARGE, 1.0)
    assert error(made.colour[0], view_of(world)) < 8


def test_the_same_is_made_of_one_frame_and_of_many() -> None:
    world = wall(*LARGE)
    frames = np.stack([shrunk(view_of(world))] * 2)
    both = plates(world, frames, 0.0, 0.3)
    alone = plates(world, frames[1:], 0.3)
    assert np.array_equal(both.colour[1], alone.colour[0])
    assert np.array_equal(both.depth[1], alone.depth[0])


@pytest.mark.parametrize(
    ("width", "height", "strength", "count", "says"),
    [
        (0, 10, 1.0, 1, "pixels a side"),
        (10, 8193, 1.0, 1, "pixels a side"),
        (8192, 8192, 1.0, 1, "million"),
        (7680, 4320, 1.0, 3, "ask for 2"),
        (64, 48, -0.1, 1, "0 to 1"),
        (64, 48, 1.1, 1, "0 to 1"),
        (64, 48, float("nan"), 1, "0 to 1"),
    ],
)
def test_what_cannot_be_is_refused(width: int, height: int, strength: float, count: int, says: str) -> None:
    frames = np.zeros((count, 48, 64, 3), np.uint8)
    with pytest.raises(PlateError, match=says):
        develop(wall(64, 48), cameras(*[0.0] * count), frames, width, height, strength)


def test_it_ends_when_it_is_cancelled() -> None:
    with pytest.raises(Cancelled):
        develop(
            wall(64, 48),
            cameras(0.0),
            np.zeros((1, 48, 64, 3), np.uint8),
            64,
            48,
            1.0,
            cancelled=lambda: True,
        )


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    weights = tmp_path_factory.mktemp("weights")
    small_presets(weights)
    server = Server(weights, "--fake")
    yield server
    server.end()


@pytest.fixture(scope="module")
def reference(server: Server, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("reference")
    write_reference(folder, WIDTH, HEIGHT)
    return server.put_reference(folder)


def ask(server: Server, reference: str, frames: list[bytes], **changed: object) -> Answer:
    header = {
        "form": "png",
        "reference": reference,
        "width": 160,
        "height": 120,
        "strength": 1.0,
        **changed,
    }
    blobs = [Blob.of(f"frame_{index}", frame) for index, frame in enumerate(frames)]
    body = pack(header, [*move(2, WIDTH, HEIGHT).blobs(), *blobs])
    return server.ask("POST", protocol.PLATES_PATH, body, protocol.ENVELOPE_TYPE)


FRAME = encode_png(np.full((HEIGHT, WIDTH, 3), 90, np.uint8))


def test_both_forms_over_http_hold_the_same_plates(server: Server, reference: str) -> None:
    client = Client(server.port, TOKEN)
    shot = move(2, WIDTH, HEIGHT)
    files = client.plates(reference, shot, [FRAME, FRAME], 160, 120).files
    raw = client.raw_plates(reference, shot, [FRAME, FRAME], 160, 120)
    assert raw.colour.shape == (2, 120, 160, 3)
    assert raw.mask.shape == raw.coverage.shape == raw.depth.shape == (2, 120, 160)
    for file, colour in zip(files, raw.colour, strict=True):
        assert np.array_equal(
            cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_COLOR)[..., ::-1], colour
        )
    assert raw.depth.dtype == np.float32 and np.isfinite(raw.depth).any()
    plain = client.raw_plates(reference, shot, [FRAME, FRAME], 160, 120, strength=0.0)
    assert np.array_equal(raw.enlarged, plain.colour)
    assert (plain.colour == 90).all() and not plain.coverage.any()


def test_bad_requests_are_refused(server: Server, reference: str) -> None:
    both = [FRAME, FRAME]
    other = encode_png(np.zeros((HEIGHT, WIDTH + 16, 3), np.uint8))
    assert ask(server, "abc", both).error == (404, "not_found")
    assert ask(server, reference, [FRAME]).error == (400, "bad_request")
    assert ask(server, reference, both, form="jpg").error == (400, "bad_request")
    assert ask(server, reference, both, width=1.5).error == (400, "bad_request")
    assert ask(server, reference, both, strength="full").error == (400, "bad_request")
    assert ask(server, reference, both, strength=2).error == (422, "invalid")
    assert ask(server, reference, both, height=100_000).error == (422, "invalid")
    assert ask(server, reference, both, width=0).error == (422, "invalid")
    answer = ask(server, reference, [FRAME, other])
    assert answer.error == (422, "invalid") and "Frame 2 is 80x48" in answer.json["message"]
    answer = ask(server, reference, [b"no picture", FRAME])
    assert answer.error == (422, "invalid") and "Frame 1 is not a PNG" in answer.json["message"]
    assert ask(server, reference, [FRAME[:60], FRAME[:60]]).error == (422, "invalid")
    assert unpack(ask(server, reference, both).body)[1].keys() == {"plate_0", "plate_1"}


def test_no_frames_are_refused(server: Server, reference: str) -> None:
    client = Client(server.port, TOKEN)
    with pytest.raises(BackendError, match="no frames"):
        client.plates(reference, move(2, WIDTH, HEIGHT).part(slice(0)), [], 160, 120)

"""Previews: the same frames as a take's, rewound and interrupted as an artist does who moves the camera meanwhile.

Sessions are real, of small random weights, but where a test says otherwise.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from fakes import SLOW, FakeSession, small_presets
from inspatio_addon.inspatio_blender.client import (
    BackendError,
    BlockResult,
    Client,
    Interrupted,
    PreviewBlock,
)
from painting_backend import PaintingSession
from references import move, write_reference
from serving import HEIGHT, TOKEN, WIDTH, Server

from backend import protocol
from backend.presets import Presets
from backend.protocol.cameras import Cameras
from backend.protocol.references import reference_digest
from backend.refusals import ServiceError
from backend.rewinding import Room
from backend.service import PreviewBlock as ServedBlock
from backend.service import Service, TakeRequest
from backend.session import Block, CameraBlock, Session
from backend.world import digest_of

CAMERAS = move(57, WIDTH, HEIGHT)
BLOCKS = 5


@pytest.fixture(scope="module")
def presets(tmp_path_factory: pytest.TempPathFactory) -> Presets:
    return small_presets(tmp_path_factory.mktemp("presets"))


class CountedSession(Session):
    """A session that counts the blocks that all of its kind have finished."""

    finished = 0

    def step(
        self,
        cameras: CameraBlock,
        cancelled: Callable[[], bool] = lambda: False,
        following: CameraBlock | None = None,
    ) -> Block:
        made = super().step(cameras, cancelled, following)
        CountedSession.finished += 1
        return made


class InProcess:
    """A service with a moving reference, and takes of it."""

    def __init__(
        self, presets: Presets, folder: Path, room: Room | None = None, session: Any = Session
    ) -> None:
        self.service = Service(presets, session, room)
        written = write_reference(folder, WIDTH, HEIGHT, "moving", views=40)
        files = {name: memoryview((folder / name).read_bytes()) for name in written.file_names}
        self.reference = digest_of(written, files)
        self.service.put_reference(self.reference, written, files)

    def open(self, preview: bool = True, seed: int = 5) -> str:
        request = TakeRequest(self.reference, "tiny", WIDTH, HEIGHT, seed, preview=preview)
        return str(self.service.open_take(request)["take"])

    def preview(self, take: str, block: int, cameras: Cameras = CAMERAS) -> np.ndarray:
        after = cameras.after(block)
        made = self.service.generate(take, block, cameras.block(block), threading.Event(), after)
        assert isinstance(made, ServedBlock)
        assert made.next_block == block + 1
        return made.frames

    def whole(self, cameras: Cameras = CAMERAS, seed: int = 5) -> list[np.ndarray]:
        take = self.open(seed=seed)
        frames = [self.preview(take, block, cameras) for block in range(BLOCKS)]
        self.service.close_take(take)
        return frames


def test_an_edit_at_block_k_recomputes_what_comes_after_it_and_no_more(
    presets: Presets, tmp_path: Path
) -> None:
    backend = InProcess(presets, tmp_path, session=CountedSession)
    old, new = CAMERAS, move(57, WIDTH, HEIGHT, reach=1.6)
    take = backend.open()
    frames = [backend.preview(take, block) for block in range(BLOCKS)]
    for k in range(BLOCKS):
        edited = Cameras.checked(
            old.frames,
            [*old.intrinsics[: _first(k)], *new.intrinsics[_first(k) :]],
            [*old.world_to_camera[: _first(k)], *new.world_to_camera[_first(k) :]],
        )
        before = CountedSession.finished
        assert backend.service.rewind(take, k) == k
        again = [backend.preview(take, block, edited) for block in range(k, BLOCKS)]
        assert CountedSession.finished - before == BLOCKS - k
        whole = backend.whole(edited)
        assert all(map(np.array_equal, [*frames[:k], *again], whole))
        assert not np.array_equal(again[-1], frames[-1])
        assert backend.service.rewind(take, k) == k
        assert all(np.array_equal(backend.preview(take, block), frames[block]) for block in range(k, BLOCKS))


def _first(block: int) -> int:
    return 9 + 12 * (block - 1) if block else 0


def test_in_a_full_room_it_goes_back_further_to_the_same_frames(presets: Presets, tmp_path: Path) -> None:
    room = Room(0)
    backend = InProcess(presets, tmp_path, room)
    probe = backend.open()
    backend.preview(probe, 0)
    room.limit = 10**9
    backend.preview(probe, 1)
    size = room.bytes
    assert size > 1000
    backend.service.close_take(probe)
    room.limit = int(2.5 * size)
    takes = [backend.open(seed=seed) for seed in (5, 6)]
    frames: dict[str, list[np.ndarray]] = {take: [] for take in takes}
    for block in range(BLOCKS):
        for take in takes:
            frames[take].append(backend.preview(take, block))
            assert room.bytes <= room.limit
    went_further = 0
    for asked in range(BLOCKS, -1, -1):
        for take in takes:
            found = backend.service.rewind(take, asked)
            assert 0 <= found <= asked
            went_further += found < asked
            for block in range(found, asked):
                assert np.array_equal(backend.preview(take, block), frames[take][block])
                assert room.bytes <= room.limit
    assert went_further
    for take in takes:
        backend.service.close_take(take)
    assert room.bytes == 0


def test_a_rewind_drops_the_block_that_is_being_generated_and_those_that_wait(
    presets: Presets, tmp_path: Path
) -> None:
    backend = InProcess(presets, tmp_path, session=FakeSession)
    take = backend.open(seed=SLOW)
    errors: list[ServiceError] = []

    def generate() -> None:
        try:
            backend.preview(take, 0)
        except ServiceError as error:
            errors.append(error)

    threads = [threading.Thread(target=generate) for _ in range(3)]
    for thread in threads:
        thread.start()
    time.sleep(0.3)
    began = time.monotonic()
    assert backend.service.rewind(take, 0) == 0
    for thread in threads:
        thread.join(10)
    assert time.monotonic() - began < 5
    assert {error.code for error in errors} == {"cancelled"} and len(errors) == 3


def test_a_preview_goes_on_from_a_takes_snapshot_and_can_be_rewound_from_there(
    presets: Presets, tmp_path: Path
) -> None:
    backend = InProcess(presets, tmp_path)
    whole = backend.whole()
    first = backend.open()
    for block in range(3):
        backend.preview(first, block)
    second = backend.open()
    backend.preview(second, 0)
    backend.service.restore(second, backend.service.snapshot(first))
    assert np.array_equal(backend.preview(second, 3), whole[3])
    assert backend.service.rewind(second, 3) == 3
    assert backend.service.rewind(second, 2) == 0
    assert np.array_equal(backend.preview(second, 0), whole[0])


def test_the_painting_stand_in_can_be_previewed_too(
    presets: Presets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tests of the add-on stand on it: it takes its time, is interrupted within a step, and paints the same again."""
    backend = InProcess(presets, tmp_path, session=PaintingSession)
    take = backend.open()
    frames = [backend.preview(take, block) for block in range(3)]
    assert backend.service.rewind(take, 1) == 1
    monkeypatch.setenv("INSPATIO_PAINT_SECONDS", "20")
    cancelled = threading.Event()
    threading.Timer(0.3, cancelled.set).start()
    began = time.monotonic()
    with pytest.raises(ServiceError, match="cancelled"):
        backend.service.generate(take, 1, CAMERAS.block(1), cancelled)
    assert 0.2 < time.monotonic() - began < 5
    monkeypatch.setenv("INSPATIO_PAINT_SECONDS", "0")
    assert backend.service.rewind(take, 1) == 1
    assert np.array_equal(backend.preview(take, 1), frames[1])
    assert not np.array_equal(frames[2], frames[1])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    weights = tmp_path_factory.mktemp("weights")
    small_presets(weights)
    server = Server(weights)
    yield server
    server.end()


@pytest.fixture(scope="module")
def reference(server: Server, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("reference")
    write_reference(folder, WIDTH, HEIGHT, "moving", views=40)
    digest = reference_digest(folder)
    _client(server).put_reference(digest, folder)
    return digest


def _client(server: Server) -> Client:
    return Client(server.port, TOKEN)


def _open(client: Client, reference: str, preview: bool, seed: int = 5) -> str:
    return client.open_take(reference, "tiny", WIDTH, HEIGHT, seed, preview=preview).id


def _pixels(block: BlockResult) -> np.ndarray:
    pictures = [cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR) for png in block.frames]
    return np.stack(pictures)[..., ::-1]


def test_a_previews_frames_are_a_takes_pixel_by_pixel(server: Server, reference: str) -> None:
    client = _client(server)
    take, preview = (_open(client, reference, preview) for preview in (False, True))
    for block in range(3):
        kept = client.generate(take, block, CAMERAS.block(block), CAMERAS.after(block))
        seen = client.preview_block(preview, block, CAMERAS.block(block), CAMERAS.after(block))
        assert isinstance(seen, PreviewBlock)
        assert (seen.block, seen.next_block) == (block, block + 1)
        assert seen.frames.dtype == np.uint8
        assert np.array_equal(seen.frames, _pixels(kept))
        assert seen.coverage == kept.coverage
        assert seen.milliseconds.keys() | {"png"} == kept.milliseconds.keys()
        assert seen.peak_mb > 10
    # Kept, the preview goes on as the take does.
    state = client.snapshot(preview)
    assert state is not None and kept.snapshot is not None
    continued = _open(client, reference, False)
    client.put_snapshot(continued, state)
    theirs = client.generate(take, 3, CAMERAS.block(3)).frames
    assert client.generate(continued, 3, CAMERAS.block(3)).frames == theirs
    for opened in (take, preview, continued):
        client.close_take(opened)


def test_interrupted_anywhere_a_preview_goes_on_from_where_the_client_wants(
    server: Server, reference: str
) -> None:
    client = _client(server)
    take = _open(client, reference, True)
    whole = [client.preview_block(take, block, CAMERAS.block(block)).frames for block in range(4)]
    interrupted = 0
    for number in range(24):
        block = 1 + number % 3
        assert client.rewind(take, block) == block
        timer = threading.Timer(0.004 * number, client.interrupt)
        timer.start()
        try:
            client.preview_block(take, block, move(57, WIDTH, HEIGHT, reach=1.6).block(block))
        except Interrupted:
            interrupted += 1
        timer.join()
        client.rearm()
        # At once: the backend may not have noticed yet that nobody waits any more.
        assert client.rewind(take, block) == block
        assert np.array_equal(client.preview_block(take, block, CAMERAS.block(block)).frames, whole[block])
    assert interrupted > 5
    client.close_take(take)


def test_previews_and_takes_at_the_same_time(server: Server, reference: str) -> None:
    def frames(preview: bool, seed: int, found: dict[tuple[bool, int], list[np.ndarray]]) -> None:
        client = _client(server)
        take = _open(client, reference, preview, seed)
        made = []
        for block in range(3):
            if preview:
                made.append(client.preview_block(take, block, CAMERAS.block(block)).frames)
                assert client.rewind(take, block) == block
                assert np.array_equal(
                    client.preview_block(take, block, CAMERAS.block(block)).frames, made[block]
                )
            else:
                made.append(_pixels(client.generate(take, block, CAMERAS.block(block))))
        client.close_take(take)
        found[preview, seed] = made

    alone: dict[tuple[bool, int], list[np.ndarray]] = {}
    together: dict[tuple[bool, int], list[np.ndarray]] = {}
    wanted = [(False, 5), (True, 5), (True, 6)]
    for preview, seed in wanted:
        frames(preview, seed, alone)
    threads = [threading.Thread(target=frames, args=(*asked, together)) for asked in wanted]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert together.keys() == alone.keys()
    for key, made in alone.items():
        assert all(map(np.array_equal, made, together[key]))


def test_what_cannot_be_rewound_says_why(server: Server, reference: str) -> None:
    client = _client(server)
    preview, take = _open(client, reference, True), _open(client, reference, False)
    client.preview_block(preview, 0, CAMERAS.block(0))

    def refused(opened: str, body: bytes) -> tuple[tuple[int, str], str]:
        answer = server.ask("POST", f"{protocol.TAKES_PATH}/{opened}/rewind", body)
        return answer.error, answer.json["message"]

    for opened, block, error, words in [
        (take, 0, (422, "invalid"), "no preview"),
        (preview, 2, (409, "out_of_order"), "Block 1 of the preview is next"),
        (preview, 10**30, (409, "out_of_order"), "Block 1 of the preview is next"),
        (preview, -1, (422, "invalid"), "block"),
        (preview, 0.5, (422, "invalid"), "block"),
        (preview, True, (422, "invalid"), "block"),
        (preview, "0", (422, "invalid"), "block"),
        (preview, None, (422, "invalid"), "block"),
        ("abc", 0, (404, "not_found"), "no such take"),
    ]:
        said, message = refused(opened, json.dumps({"block": block}).encode())
        assert said == error, (block, message)
        assert words in message
    assert refused(preview, b"{}")[0] == (422, "invalid")
    assert refused(preview, b'{"block": 0, "steps": 1}')[0] == (422, "invalid")
    with pytest.raises(BackendError, match="next: it cannot go back to 9"):
        client.rewind(preview, 9)
    assert client.rewind(preview, 1) == 1
    assert client.preview_block(preview, 1, CAMERAS.block(1)).next_block == 2
    answer = server.open_take(reference, preview="yes")
    assert answer.error == (422, "invalid") and "preview" in answer.json["message"]
    for opened in (preview, take):
        client.close_take(opened)


def test_a_snapshot_that_is_not_there(server: Server, reference: str) -> None:
    client = _client(server)
    take = _open(client, reference, True)
    path = f"{protocol.TAKES_PATH}/{take}/snapshot"
    answer = server.ask("GET", path)
    assert answer.error == (409, "no_snapshot")
    assert "no block yet" in answer.json["message"]
    assert client.snapshot(take) is None
    client.preview_block(take, 0, CAMERAS.block(0))
    assert client.snapshot(take) is not None
    client.rewind(take, 0)
    assert client.snapshot(take) is None
    client.close_take(take)
    with pytest.raises(BackendError, match="no such take"):
        client.snapshot(take)


def test_a_snapshot_that_is_too_large_is_refused(presets: Presets, tmp_path: Path) -> None:
    class FakeLargeSession(FakeSession):
        snapshot_bytes = protocol.MAX_SNAPSHOT_BYTES

    backend = InProcess(presets, tmp_path, session=FakeLargeSession)
    take = backend.open()
    backend.preview(take, 0)
    with pytest.raises(ServiceError, match="too large") as raised:
        backend.service.snapshot(take)
    assert (raised.value.status, raised.value.code) == (409, "no_snapshot")


def test_a_client_that_goes_away_leaves_the_preview_open(tmp_path: Path) -> None:
    small_presets(tmp_path / "weights")
    server = Server(tmp_path / "weights", "--fake")
    try:
        write_reference(tmp_path / "reference", WIDTH, HEIGHT)
        reference = server.put_reference(tmp_path / "reference")
        client = _client(server)
        take = _open(client, reference, True, SLOW)
        for _ in range(5):
            timer = threading.Timer(0.3, client.interrupt)
            timer.start()
            with pytest.raises(Interrupted):
                client.preview_block(take, 0, CAMERAS.block(0))
            client.rearm()
            began = time.monotonic()
            assert client.rewind(take, 0) == 0
            assert client.status()["state"] == "idle"
            assert time.monotonic() - began < 1
    finally:
        server.end()

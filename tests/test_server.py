"""The server as a client meets it: a real process, real HTTP, and every way to be turned away.

Sessions are fake (`fakes.FakeSession`, behaviour by seed) but where a test says otherwise: what is tested is
what lies around them.
"""

from __future__ import annotations

import http.client
import json
import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from fakes import BROKEN, COLD, DEAF, GREEDY, LOST, SLOW, small_presets
from movies import read_film
from references import move, write_reference, write_shot
from serving import HEIGHT, TOKEN, WIDTH, Answer, Server

from backend import protocol
from backend.pictures import encode_png
from backend.protocol import envelope
from backend.protocol.cameras import NEXT
from backend.protocol.envelope import Blob, pack, unpack
from backend.protocol.files import read_take
from backend.protocol.references import reference_body, reference_digest
from backend.protocol.reports import report_body
from backend.protocol.takes import TakeWriter
from backend.report import make_report


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    small_presets(folder)
    return folder


@pytest.fixture(scope="module")
def server(weights: Path) -> Iterator[Server]:
    server = Server(weights, "--fake")
    yield server
    server.end()


@pytest.fixture(scope="module")
def reference(server: Server, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("reference")
    write_reference(folder, WIDTH, HEIGHT)
    return server.put_reference(folder)


def test_it_says_that_it_is_ready(server: Server) -> None:
    assert server.ready == {
        "inspatio": "ready",
        "port": server.port,
        "protocol": protocol.PROTOCOL_VERSION,
        "version": "0.1.0",
    }


def test_status(server: Server) -> None:
    said = server.ask("GET", protocol.STATUS_PATH).json
    assert said["state"] == "idle"
    assert said["pid"] == server.process.pid
    assert 10 < said["memory_mb"] <= said["peak_mb"]
    tiny = said["presets"][0]
    assert (tiny["id"], tiny["available"], tiny["text"], tiny["multiple"]) == ("tiny", True, False, 16)
    assert all(preset["why_not"] for preset in said["presets"][1:])


@pytest.mark.parametrize(
    "token", [None, "Bearer", "Bearer ", "Bearer wrong", TOKEN, f"Basic {TOKEN}", "Bearer \xff"]
)
@pytest.mark.parametrize("path", [protocol.STATUS_PATH, "/openapi.json", "/", "/nowhere"])
def test_without_the_token_there_is_nothing(server: Server, token: str | None, path: str) -> None:
    assert server.ask("GET", path, authorization=token).error == (401, "unauthorized")


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "[::2]:1"])
def test_it_answers_to_no_other_name(server: Server, host: str) -> None:
    assert server.ask("GET", protocol.STATUS_PATH, host=host).error == (400, "bad_request")


@pytest.mark.parametrize("host", ["localhost", "localhost:1", "LOCALHOST", "[::1]:1", "127.0.0.1"])
def test_it_answers_to_its_own_names(server: Server, host: str) -> None:
    assert server.ask("GET", protocol.STATUS_PATH, host=host).status == 200


@pytest.mark.parametrize("spoken", [None, "0", "5", "7", "six", "6.0"])
def test_another_protocol_is_refused(server: Server, spoken: str | None) -> None:
    answer = server.ask("GET", protocol.STATUS_PATH, x_inspatio_protocol=spoken)
    assert answer.error == (426, "protocol_mismatch")


def test_unknown_paths_takes_and_references(server: Server, reference: str) -> None:
    assert server.ask("GET", "/v1/nowhere").error == (404, "not_found")
    assert server.ask("GET", protocol.TAKES_PATH).error == (405, "not_found")
    assert server.ask("HEAD", f"{protocol.REFERENCES_PATH}/abc").status == 404
    assert server.ask("HEAD", f"{protocol.REFERENCES_PATH}/{reference}").status == 204
    assert server.ask("DELETE", f"{protocol.TAKES_PATH}/abc").error == (404, "not_found")
    assert server.generate("abc", 0).error == (404, "not_found")
    assert server.open_take("abc").error == (404, "not_found")


BODIES = [
    ("PUT", f"{protocol.REFERENCES_PATH}/abc", protocol.ENVELOPE_TYPE, protocol.MAX_REFERENCE_BYTES),
    ("POST", protocol.COVERAGE_PATH, protocol.ENVELOPE_TYPE, protocol.MAX_CAMERAS_BYTES),
    ("POST", protocol.PLAN_PATH, protocol.JSON_TYPE, protocol.MAX_JSON_BYTES),
    ("POST", protocol.TAKES_PATH, protocol.JSON_TYPE, protocol.MAX_JSON_BYTES),
    ("PUT", f"{protocol.TAKES_PATH}/abc/snapshot", protocol.ENVELOPE_TYPE, protocol.MAX_SNAPSHOT_BYTES),
    ("POST", f"{protocol.TAKES_PATH}/abc/blocks", protocol.ENVELOPE_TYPE, protocol.MAX_CAMERAS_BYTES),
    ("POST", protocol.MOVIES_PATH, protocol.ENVELOPE_TYPE, protocol.MAX_MOVIE_FRAMES_BYTES),
    ("POST", protocol.REPORTS_PATH, protocol.ENVELOPE_TYPE, protocol.MAX_REPORT_FILES_BYTES),
    ("POST", protocol.PLATES_PATH, protocol.ENVELOPE_TYPE, protocol.MAX_PLATE_FRAMES_BYTES),
]


def _say(server: Server, text: str) -> Answer:
    """A request spelled out by hand, and the answer to it."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as raw:
        raw.sendall(text.encode())
        response = http.client.HTTPResponse(raw)
        response.begin()
        return Answer(response.status, response.read())


def _head(server: Server, method: str, path: str, kind: str, *lines: str) -> str:
    headers = [f"{name}: {value}" for name, value in server.headers(kind).items()]
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: localhost", *headers, *lines, "", ""])


@pytest.mark.parametrize(("method", "path", "kind", "limit"), BODIES)
def test_bodies_are_refused_by_what_is_said_of_them(
    server: Server, method: str, path: str, kind: str, limit: int
) -> None:
    chunked = _head(server, method, path, kind, "Transfer-Encoding: chunked") + "1\r\nx\r\n0\r\n\r\n"
    assert _say(server, chunked).error == (411, "length_required")
    # Refused before any of it is there: nothing but the head is sent.
    large = _head(server, method, path, kind, f"Content-Length: {limit + 1}")
    assert _say(server, large).error == (413, "too_large")
    other = protocol.JSON_TYPE if kind == protocol.ENVELOPE_TYPE else protocol.ENVELOPE_TYPE
    for wrong in (other, "text/plain", ""):
        assert server.ask(method, path, b"{}", wrong).error == (415, "wrong_type")


@pytest.mark.parametrize(("method", "path", "kind", "limit"), BODIES)
@pytest.mark.parametrize("body", [b"", b"{", b"INSP", b"INSP\xff\xff\xff\xff", b"INSP\x02\0\0\0{}", b"[1]"])
def test_malformed_bodies(server: Server, method: str, path: str, kind: str, limit: int, body: bytes) -> None:
    assert server.ask(method, path, body, kind).error == (400, "bad_request")


def _block_body(change: str) -> bytes:
    cameras = move(9, WIDTH, HEIGHT)
    body = pack({"block": 0}, cameras.blobs())
    frames, intrinsics, poses = cameras.blobs()
    sheared = bytearray(poses.data)
    sheared[8:16] = np.float64(0.5).tobytes()
    nan = bytearray(poses.data)
    nan[24:32] = np.float64("nan").tobytes()
    return {
        "short": body[:-1],
        "long": body + b"\0",
        "dtype": pack({"block": 0}, [Blob("frames", "float32", (18,), frames.data), intrinsics, poses]),
        "shape": pack({"block": 0}, [frames, Blob("intrinsics", "float64", (9, 9), intrinsics.data), poses]),
        "missing": pack({"block": 0}, [frames, intrinsics]),
        "block": pack({"block": "0"}, cameras.blobs()),
        "rotation": pack(
            {"block": 0}, [frames, intrinsics, Blob("world_to_camera", "float64", (9, 4, 4), bytes(sheared))]
        ),
        "nan": pack(
            {"block": 0}, [frames, intrinsics, Blob("world_to_camera", "float64", (9, 4, 4), bytes(nan))]
        ),
        "count": pack({"block": 0}, move(8, WIDTH, HEIGHT).blobs()),
    }[change]


@pytest.mark.parametrize(
    "change", ["short", "long", "dtype", "shape", "missing", "block", "rotation", "nan", "count"]
)
def test_blocks_that_cannot_be_generated(server: Server, reference: str, change: str) -> None:
    take = server.take(reference)
    path = f"{protocol.TAKES_PATH}/{take}/blocks"
    assert server.ask("POST", path, _block_body(change), protocol.ENVELOPE_TYPE).error == (400, "bad_request")
    assert server.generate(take, 0).status == 200


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"preset": "huge"}, "no preset"),
        ({"preset": "inspatio-1.3b"}, "download its weights"),
        ({"width": 60}, "multiples of 16"),
        ({"height": 0}, "multiples of 16"),
        ({"width": 8192}, "at most"),
        ({"width": "64"}, "width"),
        ({"seed": -1}, "seed"),
        ({"seed": 2**63}, "seed"),
        ({"seed": 1.5}, "seed"),
        ({"prompt": "x" * 10_001}, "prompt"),
        ({"keep_reference_detail": "yes"}, "keep_reference_detail"),
        ({"remember": 1}, "remember"),
        ({"remember": True}, "no geometry"),
        ({"steps": 4}, "steps"),
    ],
)
def test_takes_that_cannot_be_made(
    server: Server, reference: str, changed: dict[str, Any], words: str
) -> None:
    answer = server.open_take(reference, **changed)
    assert answer.error == (422, "invalid")
    assert words in answer.json["message"]


def test_blocks_arrive_as_pngs_in_order(server: Server, reference: str) -> None:
    take = server.take(reference, seed=77)
    for block, size in ((0, 9), (1, 12), (2, 12)):
        header, blobs = unpack(server.generate(take, block).body)
        assert header["block"] == block
        assert len(header["coverage"]) == size
        assert {"render", "png"} <= set(header["milliseconds"])
        assert header["peak_mb"] > 10
        assert list(blobs) == [*[f"frame_{i}" for i in range(size)], "snapshot"]
        picture = cv2.imdecode(np.frombuffer(blobs["frame_0"].data, np.uint8), cv2.IMREAD_COLOR)
        assert picture.shape == (HEIGHT, WIDTH, 3)
        assert picture[0, 0, ::-1].tolist() == [block, 77, 0]
    for block in (0, 2, 4, -1):
        assert server.generate(take, block, move(9, WIDTH, HEIGHT)).error == (409, "out_of_order")


def test_a_take_goes_on_from_a_snapshot(server: Server, reference: str) -> None:
    first = server.take(reference)
    _, blobs = unpack(server.generate(first, 0).body)
    second = server.take(reference)
    path = f"{protocol.TAKES_PATH}/{second}/snapshot"
    assert server.ask("PUT", path, pack({}, [blobs["snapshot"]]), protocol.ENVELOPE_TYPE).status == 204
    assert unpack(server.generate(second, 1).body)[0]["block"] == 1
    for bad in (
        [Blob.of("snapshot", b"junk")],
        [Blob.of("other", b"fake 1")],
        [Blob("snapshot", "uint8", (6,), b"fake 1")],
    ):
        assert server.ask("PUT", path, pack({}, bad), protocol.ENVELOPE_TYPE).error == (400, "bad_request")


def test_a_reference_that_was_changed_on_the_way(server: Server, tmp_path: Path) -> None:
    write_reference(tmp_path, WIDTH, HEIGHT)
    _, chunks = reference_body(tmp_path)
    path = f"{protocol.REFERENCES_PATH}/{'0' * 64}"
    assert server.ask("PUT", path, b"".join(chunks), protocol.ENVELOPE_TYPE).error == (409, "digest_mismatch")


def test_references_that_cannot_be_used(server: Server, tmp_path: Path) -> None:
    written = write_reference(tmp_path, WIDTH, HEIGHT)
    np.save(tmp_path / written.views[0].depth, np.full((HEIGHT, WIDTH), np.nan, np.float32))
    digest = reference_digest(tmp_path)
    path = f"{protocol.REFERENCES_PATH}/{digest}"
    answer = server.ask("PUT", path, b"".join(reference_body(tmp_path)[1]), protocol.ENVELOPE_TYPE)
    assert answer.error == (400, "bad_request")
    assert "holds no depth" in answer.json["message"]
    lonely = pack(written.to_json(), [])
    assert server.ask("PUT", path, lonely, protocol.ENVELOPE_TYPE).error == (400, "bad_request")


def test_the_newest_four_references_are_kept(weights: Path, tmp_path: Path) -> None:
    server = Server(weights, "--fake")
    try:
        digests = []
        for number in range(5):
            write_reference(tmp_path / str(number), WIDTH + 16 * number, HEIGHT)
            digests.append(server.put_reference(tmp_path / str(number)))
            server.ask("HEAD", f"{protocol.REFERENCES_PATH}/{digests[0]}")  # used again and again
        found = [server.ask("HEAD", f"{protocol.REFERENCES_PATH}/{digest}").status for digest in digests]
        assert found == [204, 404, 204, 204, 204]
    finally:
        server.end()


def test_coverage(server: Server, reference: str) -> None:
    def ask(count: int) -> Answer:
        header = {"reference": reference, "width": WIDTH, "height": HEIGHT}
        body = pack(header, move(count, WIDTH, HEIGHT, reach=5.0).blobs())
        return server.ask("POST", protocol.COVERAGE_PATH, body, protocol.ENVELOPE_TYPE)

    shares = ask(30).json["coverage"]
    assert len(shares) == 30
    assert shares[0] > 0.9 > 0.6 > shares[-1]
    assert ask(protocol.MAX_COVERAGE_CAMERAS + 1).error == (422, "invalid")


def test_at_most_eight_takes_stay_open(server: Server, reference: str) -> None:
    takes = [server.take(reference) for _ in range(9)]
    server.generate(takes[1], 0)
    assert server.generate(takes[0], 0).error == (404, "not_found")
    assert server.generate(takes[2], 0).status == 200
    for take in takes[1:]:
        assert server.ask("DELETE", f"{protocol.TAKES_PATH}/{take}").status == 204


class Running:
    """A block that is being generated on another thread."""

    def __init__(self, server: Server, take: str) -> None:
        self.answer: Answer | None = None
        self._server, self._take = server, take
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        self.answer = self._server.generate(self._take, 0)

    def wait(self) -> Answer:
        self._thread.join(30)
        assert self.answer is not None
        return self.answer


@pytest.mark.parametrize("seed", [SLOW, DEAF])
def test_a_take_is_cancelled_within_a_second_also_within_a_block(
    server: Server, reference: str, seed: int
) -> None:
    take = server.take(reference, seed)
    running = Running(server, take)
    time.sleep(0.5)
    assert server.ask("GET", protocol.STATUS_PATH).json["state"] == "generating"
    start = time.monotonic()
    assert server.ask("DELETE", f"{protocol.TAKES_PATH}/{take}").status == 204
    assert running.wait().error == (409, "cancelled")
    assert time.monotonic() - start < 1.0
    assert server.generate(take, 0).error == (404, "not_found")
    assert server.generate(server.take(reference), 0).status == 200


def test_a_take_that_waits_its_turn_is_cancelled_too(server: Server, reference: str) -> None:
    busy, waiting = server.take(reference, SLOW), server.take(reference)
    first = Running(server, busy)
    time.sleep(0.3)
    second = Running(server, waiting)
    time.sleep(0.3)
    start = time.monotonic()
    server.ask("DELETE", f"{protocol.TAKES_PATH}/{waiting}")
    assert second.wait().error == (409, "cancelled")
    server.ask("DELETE", f"{protocol.TAKES_PATH}/{busy}")
    assert first.wait().error == (409, "cancelled")
    assert time.monotonic() - start < 1.5


def test_two_takes_take_turns(server: Server, reference: str) -> None:
    takes = [server.take(reference, seed) for seed in (10, 11)]
    for block in range(3):
        for take, seed in zip(takes, (10, 11), strict=True):
            _, blobs = unpack(server.generate(take, block).body)
            picture = cv2.imdecode(np.frombuffer(blobs["frame_0"].data, np.uint8), cv2.IMREAD_COLOR)
            assert picture[0, 0, ::-1].tolist() == [block, seed, 0]


def test_a_client_that_goes_away_stops_its_block(server: Server, reference: str) -> None:
    take = server.take(reference, SLOW)
    body = pack({"block": 0}, move(9, WIDTH, HEIGHT).blobs())
    head = _head(
        server,
        "POST",
        f"{protocol.TAKES_PATH}/{take}/blocks",
        protocol.ENVELOPE_TYPE,
        f"Content-Length: {len(body)}",
    )
    with socket.create_connection(("127.0.0.1", server.port)) as raw:
        raw.sendall(head.encode() + body)
        time.sleep(0.5)
        assert server.ask("GET", protocol.STATUS_PATH).json["state"] == "generating"
    deadline = time.monotonic() + 2
    while server.ask("GET", protocol.STATUS_PATH).json["state"] != "idle":
        assert time.monotonic() < deadline
    server.ask("DELETE", f"{protocol.TAKES_PATH}/{take}")


def _movie(server: Server, pngs: list[bytes], fps: Any = 24, **changed: Any) -> Answer:
    body = pack({"fps": fps, **changed}, [Blob.of(f"{i:04d}.png", png) for i, png in enumerate(pngs)])
    return server.ask("POST", protocol.MOVIES_PATH, body, protocol.ENVELOPE_TYPE)


def _png(code: int, width: int = WIDTH) -> bytes:
    return encode_png(np.full((HEIGHT, width, 3), code, np.uint8))


def test_a_movie_is_made_of_pngs(server: Server, tmp_path: Path) -> None:
    answer = _movie(server, [_png(5 * code) for code in range(40)], 29.97)
    assert answer.status == 200
    header, blobs = unpack(answer.body)
    assert (header, list(blobs), blobs["movie"].dtype) == ({}, ["movie"], "bytes")
    (tmp_path / "film.mp4").write_bytes(blobs["movie"].data)
    film = read_film(tmp_path / "film.mp4")
    assert film.fps == pytest.approx(29.97, abs=1e-3)
    assert film.frames.shape == (40, HEIGHT, WIDTH, 3)
    for code, frame in enumerate(film.frames):
        assert abs(frame.mean() - 5 * code) < 2


@pytest.mark.parametrize("fps", [None, "24", True, 0, -1, protocol.MAX_FPS + 1, 10**400, [24]])
def test_a_movie_of_no_rate(server: Server, fps: Any) -> None:
    assert _movie(server, [_png(1)], fps).error == (400, "bad_request")


def test_movies_that_cannot_be_made(server: Server) -> None:
    assert _movie(server, []).error == (422, "invalid")
    for second in (b"", b"no picture", _png(2)[:-20], _png(2, width=80)):
        answer = _movie(server, [_png(1), second])
        assert answer.error == (422, "invalid")
        assert answer.json["message"].startswith("Frame 2 of the movie ")
    whole = pack({"fps": 24}, [Blob.of("0.png", _png(1))])
    numbers = pack({"fps": 24}, [Blob("0.png", "uint8", (len(_png(1)),), _png(1))])
    for body in (whole[:-1], whole + b"\0", numbers):
        answer = server.ask("POST", protocol.MOVIES_PATH, body, protocol.ENVELOPE_TYPE)
        assert answer.error == (400, "bad_request")
    # What is wrong is heard also by a client that has much left to send.
    assert _movie(server, [b"no picture", bytes(50 * protocol.MIB)]).error == (422, "invalid")
    assert _movie(server, [_png(1)]).status == 200


def test_a_movie_holds_one_frame_at_a_time(server: Server) -> None:
    """Frames of a hundred megabytes together, most of each behind the picture's end, leave the memory as it was."""
    import psutil

    assert _movie(server, [_png(1)]).status == 200
    process = psutil.Process(server.process.pid)
    before = process.memory_info().rss
    png = _png(3) + bytes(protocol.MIB)
    head = envelope.head({"fps": 24}, [(f"{i}.png", "bytes", (len(png),)) for i in range(100)])
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.putrequest("POST", protocol.MOVIES_PATH)
    for name, value in server.headers(protocol.ENVELOPE_TYPE).items():
        connection.putheader(name, value)
    connection.putheader("Content-Length", str(len(head) + 100 * len(png)))
    connection.endheaders(head)
    highest = 0
    for _ in range(100):
        connection.send(png)
        highest = max(highest, process.memory_info().rss)
    assert connection.getresponse().status == 200
    connection.close()
    assert highest - before < 60e6


def test_a_client_that_goes_away_ends_its_movie(server: Server) -> None:
    body = pack({"fps": 24}, [Blob.of(f"{i}.png", _png(1)) for i in range(20)])
    head = _head(server, "POST", protocol.MOVIES_PATH, protocol.ENVELOPE_TYPE, f"Content-Length: {len(body)}")
    with socket.create_connection(("127.0.0.1", server.port)) as raw:
        raw.sendall(head.encode() + body[:-100])
    assert _movie(server, [_png(1)]).status == 200


def _report(server: Server, blobs: list[Blob]) -> Answer:
    return server.ask("POST", protocol.REPORTS_PATH, pack({}, blobs), protocol.ENVELOPE_TYPE)


def _finished_take(folder: Path) -> tuple[Path, list[Blob]]:
    """A take of 30 frames and what its report is asked for with."""
    shot = write_shot(folder, frames=30, width=WIDTH, height=HEIGHT)
    writer = TakeWriter.create(folder, shot, reference_digest(folder / "reference"), "weights", "0.1.0")
    for count in (9, 12, 9):
        pngs = [_png(8 * index) for index in range(count)]
        writer.write_block(pngs, None, [0.5] * count, seconds=1.0, milliseconds={"render": 5.0}, peak_mb=9.0)
    writer.finish()
    _, chunks = report_body(writer.folder, writer.take)
    _, blobs = unpack(b"".join(chunks))
    return writer.folder, list(blobs.values())


def test_a_report_is_made_of_files(server: Server, tmp_path: Path) -> None:
    folder, blobs = _finished_take(tmp_path)
    assert [blob.name for blob in blobs[:3]] == ["take.json", "reference.json", "0001.png"]
    answer = _report(server, blobs)
    header, made = unpack(answer.body)
    assert (answer.status, header, list(made)) == (200, {}, ["report"])
    assert bytes(made["report"].data) == make_report(folder, read_take(folder))
    answer = _report(server, [blobs[0], *blobs[2:]])
    assert b"its views are not drawn" in bytes(unpack(answer.body)[1]["report"].data)


def test_reports_that_cannot_be_made(server: Server, tmp_path: Path) -> None:
    _, (take, reference, *frames) = _finished_take(tmp_path)
    numbers = Blob("0001.png", "uint8", (4,), b"1234")
    broken, other = Blob.of("take.json", b"{}"), Blob.of("reference.json", b'{"format": "x"}')
    too_many = [Blob.of(f"{index}.png", _png(1)) for index in range(protocol.MAX_SHEET + 1)]
    for blobs in (
        [],
        [*frames, take],
        [reference, take],
        [take, numbers],
        [broken],
        [Blob.of("take.json", b"no JSON")],
        [take, other],
        [take, *too_many],
        [take, *frames, reference],
    ):
        assert _report(server, blobs).status in (400, 422)
    assert _report(server, [frames[0]]).error == (400, "bad_request")
    for png, words in (
        (b"no picture", "0001.png is not a PNG"),
        (_png(2)[:-20], "0001.png cannot be decoded"),
    ):
        answer = _report(server, [take, Blob.of("0001.png", png), *frames[1:]])
        assert answer.error == (422, "invalid")
        assert answer.json["message"].startswith(words)
    answer = _report(server, [take, Blob.of("0099.png", _png(1))])
    assert answer.json["message"] == "0099.png is no frame of take 1."
    # What is wrong is heard also by a client that has much left to send.
    large = Blob.of("0002.png", bytes(50 * protocol.MIB))
    assert _report(server, [take, Blob.of("0001.png", b"no picture"), large]).error == (422, "invalid")
    assert _report(server, [take, *frames]).status == 200


def test_what_goes_wrong_inside_is_said_and_survived(server: Server, reference: str) -> None:
    assert server.generate(server.take(reference, GREEDY), 0).error == (507, "out_of_memory")
    answer = server.generate(server.take(reference, BROKEN), 0)
    assert answer.error == (500, "internal")
    assert "on purpose" not in answer.json["message"]
    assert server.generate(server.take(reference), 0).status == 200


def test_a_lost_device_is_said_and_ends_the_backend(weights: Path, tmp_path: Path) -> None:
    server = Server(weights, "--fake")
    try:
        write_reference(tmp_path, WIDTH, HEIGHT)
        answer = server.generate(server.take(server.put_reference(tmp_path), LOST), 0)
        assert answer.error == (503, "device_lost")
        assert "(CUDA error: unspecified launch failure)" in answer.json["message"]
        assert "start it again, then continue" in answer.json["message"]
        assert server.process.wait(5) == 0
    finally:
        server.end()


def test_while_a_take_is_opened_it_says_what_it_does(server: Server, reference: str) -> None:
    def doing() -> str:
        return str(server.ask("GET", protocol.STATUS_PATH).json["doing"])

    assert doing() == ""
    with ThreadPoolExecutor() as pool:
        opening = pool.submit(server.open_take, reference, COLD)
        said = set()
        while not opening.done():
            said.add(doing())
            time.sleep(0.05)
        assert opening.result().status == 201
    assert {
        "Warming up, 25%",
        "Warming up, 75%",
    } <= said
    assert doing() == ""


def test_a_client_that_goes_away_ends_the_warm_up(server: Server, reference: str) -> None:
    content = {"reference": reference, "preset": "tiny", "width": WIDTH, "height": HEIGHT, "seed": COLD}
    body = json.dumps(content).encode()
    head = _head(server, "POST", protocol.TAKES_PATH, protocol.JSON_TYPE, f"Content-Length: {len(body)}")
    with socket.create_connection(("127.0.0.1", server.port)) as raw:
        raw.sendall(head.encode() + body)
        time.sleep(0.3)
    began = time.monotonic()
    assert server.generate(server.take(reference), 0).status == 200
    assert time.monotonic() - began < 2.0  # It had 2.7 s to go.


def test_the_next_cameras_may_come_with_a_block(server: Server, reference: str) -> None:
    take, cameras = server.take(reference), move(33, WIDTH, HEIGHT)

    def generate(block: int, following: list[Blob]) -> Answer:
        body = pack({"block": block}, [*cameras.block(block).blobs(), *following])
        return server.ask("POST", f"{protocol.TAKES_PATH}/{take}/blocks", body, protocol.ENVELOPE_TYPE)

    after = cameras.block(1).blobs(NEXT)
    assert generate(0, after[:1]).error == (400, "bad_request")
    assert generate(0, after).status == 200
    assert generate(1, []).status == 200


def test_plans(server: Server) -> None:
    def ask(**changed: Any) -> Answer:
        content = {"preset": "tiny", "width": WIDTH, "height": HEIGHT, **changed}
        return server.ask("POST", protocol.PLAN_PATH, json.dumps(content).encode())

    assert ask().json == {
        "needs_mb": 0.0,
        "free_mb": 0.0,
        "fits": True,
        "words": "",
        "seconds_per_frame": None,
    }
    for changed, words in (
        ({"preset": "huge"}, "no preset"),
        ({"width": 60}, "64x48 is the nearest"),
        ({"views": 0}, "views"),
        ({"moving": 1}, "moving"),
        ({"quality": "best"}, "quality"),
        ({"depth": 1}, "depth"),
    ):
        answer = ask(**changed)
        assert answer.error == (422, "invalid")
        assert words in answer.json["message"]


def test_the_openapi_document_names_every_endpoint(server: Server) -> None:
    document = server.ask("GET", "/openapi.json").json
    assert set(document["paths"]) == {
        "/v1/status",
        "/v1/references/{digest}",
        "/v1/coverage",
        "/v1/plan",
        "/v1/takes",
        "/v1/takes/{take}",
        "/v1/takes/{take}/snapshot",
        "/v1/takes/{take}/rewind",
        "/v1/takes/{take}/blocks",
        "/v1/movies",
        "/v1/reports",
        "/v1/plates",
        "/v1/shutdown",
    }
    body = document["paths"]["/v1/takes"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body["required"] == ["reference", "preset", "width", "height", "seed"]
    for path in ("/v1/movies", "/v1/reports"):
        posted = document["paths"][path]["post"]
        assert list(posted["requestBody"]["content"]) == [protocol.ENVELOPE_TYPE]
        assert list(posted["responses"]["200"]["content"]) == [protocol.ENVELOPE_TYPE]
    assert document["info"]["version"] == "0.1.0"


def test_it_binds_loopback_only(server: Server) -> None:
    import psutil

    bound = [
        c.laddr.ip for c in psutil.Process(server.process.pid).net_connections("inet") if c.status == "LISTEN"
    ]
    assert bound == ["127.0.0.1"]


@pytest.mark.parametrize(
    ("how", "seed"), [("shutdown", None), ("sigterm", None), ("shutdown", SLOW), ("sigterm", DEAF)]
)
def test_it_ends_when_asked_also_while_it_computes(
    weights: Path, tmp_path: Path, how: str, seed: int | None
) -> None:
    server = Server(weights, "--fake")
    try:
        running = None
        if seed is not None:
            write_reference(tmp_path, WIDTH, HEIGHT)
            take = server.take(server.put_reference(tmp_path), seed)
            running = threading.Thread(target=_ignoring_errors, args=(server, take))
            running.start()
            time.sleep(0.5)
        if how == "shutdown":
            assert server.ask("POST", protocol.SHUTDOWN_PATH).status == 202
        else:
            server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(5) == 0
        if running is not None:
            running.join(5)
    finally:
        server.end()


def _ignoring_errors(server: Server, take: str) -> None:
    try:
        server.generate(take, 0)
    except (OSError, http.client.HTTPException):
        pass


def test_real_sessions_stream_and_continue_over_http(weights: Path, tmp_path: Path) -> None:
    server = Server(weights)
    try:
        write_reference(tmp_path, WIDTH, HEIGHT, "moving", views=30)
        reference = server.put_reference(tmp_path)
        whole, snapshots = [], []
        take = server.take(reference)
        for block in range(3):
            _, blobs = unpack(server.generate(take, block).body)
            snapshots.append(blobs.pop("snapshot"))
            whole.append([bytes(blob.data) for blob in blobs.values()])
        again = server.take(reference)
        body = pack({}, [snapshots[0]])
        path = f"{protocol.TAKES_PATH}/{again}/snapshot"
        assert server.ask("PUT", path, body, protocol.ENVELOPE_TYPE).status == 204
        for block in (1, 2):
            _, blobs = unpack(server.generate(again, block).body)
            del blobs["snapshot"]
            assert [bytes(blob.data) for blob in blobs.values()] == whole[block]
        other = server.take(reference, seed=6)
        path = f"{protocol.TAKES_PATH}/{other}/snapshot"
        assert server.ask("PUT", path, body, protocol.ENVELOPE_TYPE).error == (400, "bad_request")
    finally:
        server.end()

"""HTTP client of the backend: a method per endpoint of docs/protocol.md. Knows nothing of Blender.

A call blocks, so calls belong on the worker thread; one call runs at a time. `interrupt`, from any other
thread, shuts the socket of the running call down, and that call raises `Interrupted` at once. The request
to interrupt stays until `rearm`, so it cannot slip between two calls of a job:

    worker thread                               main thread
    client.rearm()                              job.cancelled = True
    if job.cancelled: return                    client.interrupt()
    client.generate(...)  -> Interrupted
    client.rearm(); client.close_take(take)     # the backend stops computing, too

Every failure is a `BackendError` whose message is a sentence for the user.
"""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..backend import protocol
from ..backend.protocol import envelope
from ..backend.protocol.cameras import NEXT, Cameras
from ..backend.protocol.disk import files_body
from ..backend.protocol.envelope import Blob, EnvelopeError
from ..backend.protocol.files import Take
from ..backend.protocol.references import reference_body
from ..backend.protocol.reports import report_body

if TYPE_CHECKING:
    import numpy as np

MAX_ANSWER_BYTES = 1024 * protocol.MIB
_CHUNK = 1 * protocol.MIB


class BackendError(Exception):
    """The backend refused a request, or a request failed. `code` as in docs/protocol.md, `status` of HTTP."""

    def __init__(self, code: str, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


class Interrupted(BackendError):
    """`interrupt` ended this call."""

    def __init__(self) -> None:
        super().__init__("interrupted", "Cancelled.")


class ConnectionLost(BackendError):
    """The backend cannot be reached, or went away while it answered."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            "connection_lost", f"The backend does not answer ({reason}). Start it again, then continue."
        )


@dataclass(frozen=True)
class OpenTake:
    """A take that the backend has opened."""

    id: str
    block_sizes: tuple[int, ...]
    preset_digest: str
    device: str
    backend_version: str


@dataclass(frozen=True)
class BlockResult:
    """One generated block: PNG files as bytes, and the state to continue from after it."""

    block: int
    frames: list[bytes]
    coverage: list[float]
    milliseconds: dict[str, float]
    peak_mb: float
    snapshot: bytes | None


@dataclass(frozen=True)
class PreviewBlock:
    """One generated block of a preview.

    frames (n, H, W, 3): uint8 sRGB, one piece of memory: a picture that is to outlive its block is copied.
    """

    block: int
    frames: np.ndarray
    coverage: list[float]
    milliseconds: dict[str, float]
    peak_mb: float
    next_block: int


@dataclass(frozen=True)
class PlateFiles:
    """Developed frames as PNG files, in order."""

    files: list[bytes]


@dataclass(frozen=True)
class RawPlates:
    """Developed frames as they are.

    colour (n, H, W, 3): uint8 sRGB. mask (n, H, W): uint8, 255 where the picture is generated, as no view of the
    reference reaches there. coverage (n, H, W): uint8, share of the reference's own detail, 255 all of it. depth
    (n, H, W): float32, planar depth in scene units; inf where no view reaches, and in the sky. enlarged (n, H, W, 3):
    uint8 sRGB, the frames alone at this size.
    """

    colour: np.ndarray
    mask: np.ndarray
    coverage: np.ndarray
    depth: np.ndarray
    enlarged: np.ndarray

    def part(self, index: int) -> RawPlates:
        """One of them alone."""
        return RawPlates(*(getattr(self, each.name)[index : index + 1] for each in fields(self)))


class Client:
    """Speaks to one backend process.

    `timeout` bounds, in seconds, how long the backend may stay silent within a call; a block of a large
    preset takes minutes on a CPU, so the default is an hour. A dead process is noticed at once regardless.
    """

    def __init__(self, port: int, token: str, host: str = "127.0.0.1", timeout: float = 3600.0) -> None:
        self._address = (host, port)
        self._token = token
        self._timeout = timeout
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._interrupted = False

    def interrupt(self) -> None:
        """End the running call, or the next one, with `Interrupted`. From any thread; returns at once."""
        with self._lock:
            self._interrupted = True
            if self._socket is not None:
                _shut(self._socket)

    def twin(self) -> Client:
        """Another client of the same process, for a call beside one of this."""
        host, port = self._address
        return Client(port, self._token, host, self._timeout)

    def rearm(self) -> None:
        """Allow calls again after `interrupt`."""
        with self._lock:
            self._interrupted = False

    def status(self) -> dict[str, Any]:
        """State, what it does before a take begins, version, protocol, presets, memory_mb and pid of the backend."""
        return self._json("GET", protocol.STATUS_PATH, timeout=10.0)

    def has_reference(self, digest: str) -> bool:
        """Whether the backend holds the reference with this digest already."""
        try:
            self._call("HEAD", f"{protocol.REFERENCES_PATH}/{digest}", timeout=10.0)
        except BackendError as error:
            if error.status == 404:
                return False
            raise
        return True

    def put_reference(self, digest: str, folder: Path) -> dict[str, Any]:
        """Hand over a reference folder with that digest: {digest, views, width, height}.

        Raises FileFormatError when a file of the folder is missing or cannot be read.
        """
        length, chunks = reference_body(folder)
        if length > protocol.MAX_REFERENCE_BYTES:
            raise BackendError(
                "too_large",
                f"The reference has {length >> 20} MiB: capture fewer frames, or at a lower resolution.",
            )
        path = f"{protocol.REFERENCES_PATH}/{digest}"
        return _object(self._call("PUT", path, chunks, length, protocol.ENVELOPE_TYPE))

    def coverage(self, reference: str, width: int, height: int, cameras: Cameras) -> list[float]:
        """The share of each target frame that the reference with this digest reaches, 0 to 1."""
        header = {"reference": reference, "width": width, "height": height}
        body = envelope.pack(header, cameras.blobs())
        answer = _object(
            self._call("POST", protocol.COVERAGE_PATH, [body], len(body), protocol.ENVELOPE_TYPE)
        )
        return [float(share) for share in answer["coverage"]]

    def plan(
        self, preset: str, width: int, height: int, quality: str, views: int, moving: bool
    ) -> dict[str, Any]:
        """What such a take would need: needs_mb, free_mb, fits, words, seconds_per_frame (None where it is fast)."""
        content = {
            "preset": preset,
            "width": width,
            "height": height,
            "quality": quality,
            "views": views,
            "moving": moving,
        }
        return self._json("POST", protocol.PLAN_PATH, content, timeout=120.0)

    def open_take(
        self,
        reference: str,
        preset: str,
        width: int,
        height: int,
        seed: int,
        prompt: str = "",
        keep_reference_detail: bool = True,
        quality: str = "final",
        remember: bool = False,
        preview: bool = False,
        endless: bool = False,
    ) -> OpenTake:
        """Open a take of the reference with this digest; its blocks can be generated then.

        preview: for `preview_block` and `rewind`, not for `generate`. endless: it is hardly ever rewound.
        """
        answer = self._json(
            "POST",
            protocol.TAKES_PATH,
            {
                "reference": reference,
                "preset": preset,
                "width": width,
                "height": height,
                "seed": seed,
                "prompt": prompt,
                "keep_reference_detail": keep_reference_detail,
                "quality": quality,
                "remember": remember,
                "preview": preview,
                "endless": endless,
            },
        )
        return OpenTake(
            answer["take"],
            tuple(answer["block_sizes"]),
            answer["preset_digest"],
            answer["device"],
            answer["backend_version"],
        )

    def put_snapshot(self, take: str, snapshot: bytes) -> None:
        """Put an open take into the state after a finished block, to continue from there."""
        body = envelope.pack({}, [Blob.of("snapshot", snapshot)])
        path = f"{protocol.TAKES_PATH}/{take}/snapshot"
        self._call("PUT", path, [body], len(body), protocol.ENVELOPE_TYPE)

    def generate(
        self, take: str, block: int, cameras: Cameras, following: Cameras | None = None
    ) -> BlockResult:
        """Generate one block: `cameras` are the block's own, as `Cameras.block(block)` gives them.

        `following` are those of the block after it, which the backend may prepare meanwhile.
        """
        header, blobs = self._block(take, block, cameras, following)
        try:
            return BlockResult(
                block=header["block"],
                frames=[bytes(blobs[f"frame_{i}"].data) for i in range(len(cameras))],
                coverage=header["coverage"],
                milliseconds=header["milliseconds"],
                peak_mb=header["peak_mb"],
                snapshot=bytes(blobs["snapshot"].data) if "snapshot" in blobs else None,
            )
        except KeyError as error:
            raise _bad_answer(f"without {error}") from None

    def preview_block(
        self, take: str, block: int, cameras: Cameras, following: Cameras | None = None
    ) -> PreviewBlock:
        """Generate one block of a preview, as `generate` does of a take.

        Interrupted, the preview may or may not have come past the block: `rewind` before the next one.
        """
        import numpy as np  # Where there are no previews, nothing here needs it.

        header, blobs = self._block(take, block, cameras, following)
        try:
            frames = blobs["frames"]
            if frames.dtype != "uint8" or len(frames.shape) != 4 or not all(frames.shape):
                raise _bad_answer(f"frames are {frames.dtype} {frames.shape}")
            return PreviewBlock(
                block=header["block"],
                frames=np.frombuffer(frames.data, np.uint8).reshape(frames.shape),
                coverage=header["coverage"],
                milliseconds=header["milliseconds"],
                peak_mb=header["peak_mb"],
                next_block=header["next_block"],
            )
        except KeyError as error:
            raise _bad_answer(f"without {error}") from None

    def rewind(self, take: str, block: int) -> int:
        """Have a preview stand before `block`, or the nearest block before it whose state is kept: which one that is.

        A block of it that is being generated is dropped. It takes no longer than the layer that is being computed.
        """
        answer = self._json("POST", f"{protocol.TAKES_PATH}/{take}/rewind", {"block": block})
        if type(answer.get("block")) is not int:
            raise _bad_answer("without 'block'")
        return int(answer["block"])

    def snapshot(self, take: str) -> bytes | None:
        """The state of a take after its newest block, as `put_snapshot` takes it; None where there is none."""
        try:
            _, blobs = _envelope(self._call("GET", f"{protocol.TAKES_PATH}/{take}/snapshot"))
        except BackendError as error:
            if error.code == "no_snapshot":
                return None
            raise
        if "snapshot" not in blobs:
            raise _bad_answer("without 'snapshot'")
        return bytes(blobs["snapshot"].data)

    def movie(self, frames: Sequence[Path], fps: float) -> bytes:
        """The MP4 file of PNG files of one size, in order.

        Raises FileFormatError when one of them is missing or cannot be read.
        """
        if len(frames) > envelope.MAX_BLOBS:
            raise BackendError("too_large", f"A movie has at most {envelope.MAX_BLOBS} frames.")
        length, chunks = files_body({"fps": fps}, frames)
        _, blobs = _envelope(self._call("POST", protocol.MOVIES_PATH, chunks, length, protocol.ENVELOPE_TYPE))
        if "movie" not in blobs:
            raise _bad_answer("without 'movie'")
        return bytes(blobs["movie"].data)

    def report(self, folder: Path, take: Take) -> bytes:
        """The HTML file about a take in its folder, of which `take` is what take.json is about to say.

        Raises FileFormatError when a frame is missing or cannot be read.
        """
        length, chunks = report_body(folder, take)
        _, blobs = _envelope(
            self._call("POST", protocol.REPORTS_PATH, chunks, length, protocol.ENVELOPE_TYPE)
        )
        if "report" not in blobs:
            raise _bad_answer("without 'report'")
        return bytes(blobs["report"].data)

    def plates(
        self,
        reference: str,
        cameras: Cameras,
        frames: Sequence[bytes],
        width: int,
        height: int,
        strength: float = 1.0,
    ) -> PlateFiles:
        """Develop frames of a take, PNG files, to plates of width x height: `cameras` are theirs, as the shot has them.

        At most `protocol.plates_at_a_time(width, height)` at a time. The backend has to hold the `reference` with this
        digest, and no take needs to be open.
        """
        blobs = self._plates("png", reference, cameras, frames, width, height, strength)
        try:
            return PlateFiles([bytes(blobs[f"plate_{index}"].data) for index in range(len(frames))])
        except KeyError as error:
            raise _bad_answer(f"without {error}") from None

    def raw_plates(
        self,
        reference: str,
        cameras: Cameras,
        frames: Sequence[bytes],
        width: int,
        height: int,
        strength: float = 1.0,
    ) -> RawPlates:
        """The same with mask, coverage and depth; nothing is packed."""
        import numpy as np

        blobs = self._plates("raw", reference, cameras, frames, width, height, strength)
        shape = (len(frames), height, width)
        arrays = {}
        for name, kind, tail in (
            ("colour", "uint8", (3,)),
            ("mask", "uint8", ()),
            ("coverage", "uint8", ()),
            ("depth", "float32", ()),
            ("enlarged", "uint8", (3,)),
        ):
            blob = blobs.get(name)
            if blob is None or blob.dtype != kind or blob.shape != (*shape, *tail):
                raise _bad_answer(f"{name} is {blob and (blob.dtype, blob.shape)}")
            arrays[name] = np.frombuffer(blob.data, np.dtype(kind).newbyteorder("<")).reshape(blob.shape)
        return RawPlates(**arrays)

    def close_take(self, take: str) -> None:
        """End a take; a block of it that is being generated ends within a second. Unknown takes are ended."""
        try:
            self._call("DELETE", f"{protocol.TAKES_PATH}/{take}", timeout=10.0)
        except BackendError as error:
            if error.status != 404:
                raise

    def shutdown(self) -> None:
        """Ask the backend to end."""
        self._call("POST", protocol.SHUTDOWN_PATH, timeout=5.0)

    def _block(
        self, take: str, block: int, cameras: Cameras, following: Cameras | None
    ) -> tuple[dict[str, Any], dict[str, Blob]]:
        after = [] if following is None else following.blobs(NEXT)
        body = envelope.pack({"block": block}, [*cameras.blobs(), *after])
        path = f"{protocol.TAKES_PATH}/{take}/blocks"
        return _envelope(self._call("POST", path, [body], len(body), protocol.ENVELOPE_TYPE))

    def _plates(
        self,
        form: str,
        reference: str,
        cameras: Cameras,
        frames: Sequence[bytes],
        width: int,
        height: int,
        strength: float,
    ) -> dict[str, Blob]:
        header = {
            "form": form,
            "reference": reference,
            "width": width,
            "height": height,
            "strength": strength,
        }
        files = [Blob.of(f"frame_{index}", frame) for index, frame in enumerate(frames)]
        body = envelope.pack(header, [*cameras.blobs(), *files])
        answer = self._call("POST", protocol.PLATES_PATH, [body], len(body), protocol.ENVELOPE_TYPE)
        return _envelope(answer)[1]

    def _json(
        self, method: str, path: str, content: dict[str, Any] | None = None, timeout: float | None = None
    ) -> dict[str, Any]:
        body = b"" if content is None else json.dumps(content).encode()
        return _object(self._call(method, path, [body], len(body), protocol.JSON_TYPE, timeout))

    def _call(
        self,
        method: str,
        path: str,
        body: Iterable[bytes] = (),
        length: int = 0,
        kind: str = protocol.JSON_TYPE,
        timeout: float | None = None,
    ) -> bytearray:
        connection = self._connect(timeout or self._timeout)
        try:
            connection.putrequest(method, path, skip_accept_encoding=True)
            for name, value in self._headers(kind, length).items():
                connection.putheader(name, value)
            connection.endheaders()
            try:
                for chunk in body:
                    connection.send(chunk)
            except (BrokenPipeError, ConnectionResetError):
                pass  # Refused before the body was read: the answer says why.
            response = connection.getresponse()
            answer = _read(response)
        except (OSError, http.client.HTTPException) as error:
            if self._interrupted:
                raise Interrupted from None
            raise ConnectionLost(str(error) or type(error).__name__) from error
        finally:
            self._disconnect(connection)
        if self._interrupted:
            raise Interrupted
        if response.status >= 300:
            raise _refusal(response.status, answer)
        return answer

    def _headers(self, kind: str, length: int) -> dict[str, str]:
        return {
            "Authorization": f"Bearer {self._token}",
            protocol.PROTOCOL_HEADER: str(protocol.PROTOCOL_VERSION),
            "Content-Type": kind,
            "Content-Length": str(length),
            "Connection": "close",
        }

    def _connect(self, timeout: float) -> http.client.HTTPConnection:
        """A fresh connection whose socket `interrupt` knows, also while it is still connecting."""
        connection = http.client.HTTPConnection(*self._address)
        if self._interrupted:
            raise Interrupted
        try:
            opened = socket.create_connection(self._address, timeout=5.0)
        except OSError as error:
            raise ConnectionLost(error.strerror or str(error)) from error
        opened.settimeout(timeout)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._lock:
            if not self._interrupted:
                self._socket = opened
                connection.sock = opened
                return connection
        opened.close()
        raise Interrupted

    def _disconnect(self, connection: http.client.HTTPConnection) -> None:
        with self._lock:
            opened, self._socket = self._socket, None
        connection.close()
        if opened is not None:
            opened.close()


def _shut(opened: socket.socket) -> None:
    try:
        opened.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # Already closed by the other side.


def _read(response: http.client.HTTPResponse) -> bytearray:
    answer = bytearray()
    while chunk := response.read(_CHUNK):
        answer += chunk
        if len(answer) > MAX_ANSWER_BYTES:
            raise http.client.HTTPException("the answer is too large")
    return answer


def _refusal(status: int, answer: bytearray) -> BackendError:
    try:
        content = envelope.parse_json(bytes(answer))
        return BackendError(str(content["error"]), str(content["message"]), status)
    except (EnvelopeError, KeyError):
        return BackendError(
            "not_found" if status == 404 else "unknown", f"The backend answered {status}.", status
        )


def _bad_answer(reason: str) -> BackendError:
    return BackendError(
        "bad_answer", f"The backend's answer cannot be read ({reason}): update both to one version."
    )


def _object(answer: bytearray) -> dict[str, Any]:
    try:
        return envelope.parse_json(bytes(answer))
    except EnvelopeError as error:
        raise _bad_answer(str(error)) from None


def _envelope(answer: bytearray) -> tuple[dict[str, Any], dict[str, Blob]]:
    try:
        return envelope.unpack(answer)
    except EnvelopeError as error:
        raise _bad_answer(str(error)) from None

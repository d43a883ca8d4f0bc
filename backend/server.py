"""The HTTP face of the service: docs/protocol.md as a FastAPI application.

`Gate` stands before everything and lets only requests in that name this host, carry the token and speak our
protocol. Bodies are refused by their stated length before a byte of them is kept. Work runs on threads; the
request of a block ends when the block is done, when the take is cancelled, or when the client is gone.
"""

from __future__ import annotations

import asyncio
import functools
import json
import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from fastapi import FastAPI, Request, Response
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import StreamingResponse
from starlette.types import Message

from . import __version__, protocol
from .bodies import Arriving, field, fps, number, read_body, read_json, stated_length
from .forms import (
    CoverageAnswer,
    ErrorAnswer,
    PlanAnswer,
    PlanBody,
    ReferenceAnswer,
    RewindAnswer,
    RewindBody,
    TakeAnswer,
    TakeBody,
)
from .gate import Gate, bad_request, error_answer
from .movie import Movie, MovieError
from .plan import Asked
from .plate import Plates
from .protocol import envelope
from .protocol.cameras import NEXT, CameraError, Cameras
from .protocol.disk import FileFormatError
from .protocol.envelope import Blob, EnvelopeError
from .protocol.files import PlateSettings, Reference
from .refusals import ServiceError, cancelled_error
from .service import GeneratedBlock, PlatesRequest, PreviewBlock, Service, TakeRequest

logger = logging.getLogger(__name__)

CANCEL_GRACE = 0.5
"""Seconds that a cancelled block has to end by itself before its request is answered without it."""
WORKERS = 16
PIECE = protocol.MIB
"""Bytes of an answer that are sent at a time."""


def create_app(service: Service, token: str, hosts: Iterable[str], end: Callable[[], None]) -> FastAPI:
    """The application over `service`. `hosts` are the names it may be called by, `end` ends the server."""
    app = FastAPI(
        title="InSpatio backend",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        responses={"default": {"model": ErrorAnswer}},
    )
    pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="request")
    upload = asyncio.Semaphore(1)

    async def in_thread(work: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(pool, functools.partial(work, *arguments))

    @app.get(protocol.STATUS_PATH)
    async def status() -> dict[str, Any]:
        """State, versions, presets and memory."""
        return await in_thread(service.status)

    @app.head(protocol.REFERENCES_PATH + "/{digest}", status_code=204)
    async def has_reference(digest: str) -> Response:
        """204 when the reference with this digest is here, else 404."""
        return Response(status_code=204 if service.has_reference(digest) else 404)

    @app.put(
        protocol.REFERENCES_PATH + "/{digest}",
        response_model=ReferenceAnswer,
        openapi_extra=_takes_envelope(),
    )
    async def put_reference(digest: str, request: Request) -> Any:
        """Hand over a reference: header = reference.json's content, blobs = its files."""
        async with upload:
            body = await read_body(request, protocol.ENVELOPE_TYPE, protocol.MAX_REFERENCE_BYTES)
            return await in_thread(_put_reference, service, digest, body)

    @app.post(protocol.COVERAGE_PATH, response_model=CoverageAnswer, openapi_extra=_takes_envelope())
    async def coverage(request: Request) -> Any:
        """The share of each target frame that the reference reaches."""
        body = await read_body(request, protocol.ENVELOPE_TYPE, protocol.MAX_CAMERAS_BYTES)
        header, blobs = envelope.unpack(body)
        cameras = Cameras.from_blobs(blobs)
        reference = field(header, "reference", str)
        width, height = field(header, "width", int), field(header, "height", int)
        shares = await _while_wanted(
            request, pool, lambda cancelled: service.coverage(reference, width, height, cameras, cancelled)
        )
        return {"coverage": shares}

    @app.post(protocol.PLAN_PATH, response_model=PlanAnswer, openapi_extra=_takes_json(PlanBody))
    async def plan(request: Request) -> Any:
        """What a take would need of the device's memory, and how slow it would be."""
        asked = await read_json(request, PlanBody)
        return await in_thread(service.plan, Asked(**asked.model_dump()))

    @app.post(
        protocol.TAKES_PATH, status_code=201, response_model=TakeAnswer, openapi_extra=_takes_json(TakeBody)
    )
    async def open_take(request: Request) -> Any:
        """Open a take of a reference."""
        asked = await read_json(request, TakeBody)
        wanted = TakeRequest(**asked.model_dump())
        return await _while_wanted(request, pool, lambda cancelled: service.open_take(wanted, cancelled))

    @app.put(protocol.TAKES_PATH + "/{take}/snapshot", status_code=204, openapi_extra=_takes_envelope())
    async def put_snapshot(take: str, request: Request) -> Response:
        """Put a take into the state after a finished block: blob `snapshot`."""
        body = await read_body(request, protocol.ENVELOPE_TYPE, protocol.MAX_SNAPSHOT_BYTES)
        _, blobs = envelope.unpack(body)
        if "snapshot" not in blobs or blobs["snapshot"].dtype != "bytes":
            raise EnvelopeError("the blob 'snapshot' of bytes is missing")
        await in_thread(service.restore, take, bytes(blobs["snapshot"].data))
        return Response(status_code=204)

    @app.get(
        protocol.TAKES_PATH + "/{take}/snapshot",
        response_class=Response,
        responses={200: {"content": {protocol.ENVELOPE_TYPE: {}}, "description": "the take's state"}},
    )
    async def get_snapshot(take: str) -> Response:
        """The take's state after its newest block: blob `snapshot`."""
        snapshot = await in_thread(service.snapshot, take)
        answer = envelope.pack({}, [Blob.of("snapshot", snapshot)])
        return Response(answer, media_type=protocol.ENVELOPE_TYPE)

    @app.post(
        protocol.TAKES_PATH + "/{take}/rewind",
        response_model=RewindAnswer,
        openapi_extra=_takes_json(RewindBody),
    )
    async def rewind(take: str, request: Request) -> Any:
        """Have a preview stand before a block, or the nearest block before it whose state is kept."""
        asked = await read_json(request, RewindBody)
        return {"block": await in_thread(service.rewind, take, asked.block)}

    @app.post(
        protocol.TAKES_PATH + "/{take}/blocks",
        openapi_extra=_takes_envelope(),
        response_class=Response,
        responses={200: {"content": {protocol.ENVELOPE_TYPE: {}}, "description": "the block's frames"}},
    )
    async def generate(take: str, request: Request) -> Response:
        """Generate the take's next block: header {block}, blobs frames, intrinsics, world_to_camera, times.

        The same with next_ before their names are the cameras of the block after it, which can be prepared meanwhile.
        Frames are PNGs, of a preview one blob `frames`.
        """
        body = await read_body(request, protocol.ENVELOPE_TYPE, protocol.MAX_CAMERAS_BYTES)
        header, blobs = envelope.unpack(body)
        block, cameras = field(header, "block", int), Cameras.from_blobs(blobs)
        following = Cameras.from_blobs(blobs, NEXT) if f"{NEXT}frames" in blobs else None
        answer = await _while_wanted(
            request,
            pool,
            lambda cancelled: _packed(service.generate(take, block, cameras, cancelled, following)),
        )
        return _in_pieces(answer)

    @app.delete(protocol.TAKES_PATH + "/{take}", status_code=204)
    async def close_take(take: str) -> Response:
        """End a take, also while one of its blocks is being generated."""
        service.close_take(take)
        return Response(status_code=204)

    @app.post(
        protocol.MOVIES_PATH,
        openapi_extra=_takes_envelope(),
        response_class=Response,
        responses={200: {"content": {protocol.ENVELOPE_TYPE: {}}, "description": "the MP4 file"}},
    )
    async def make_movie(request: Request) -> Response:
        """Make a movie of frames: header {fps}, blobs = PNGs of one size in order. Answers the blob `movie`."""
        length = stated_length(request, protocol.ENVELOPE_TYPE, protocol.MAX_MOVIE_FRAMES_BYTES)
        body = Arriving(request)
        try:
            head = envelope.header_bytes(await body.take(envelope.HEAD_BYTES))
            header, layout = envelope.read_header(await body.take(head), length)
            if any(dtype != "bytes" or size > protocol.MAX_PICTURE_BYTES for _, dtype, _, size in layout):
                raise EnvelopeError("a movie's frames are PNG files, sent as bytes")
            movie = Movie(fps(header))
            for *_, size in layout:
                await in_thread(movie.add, await body.take(size))
            made = await in_thread(movie.finish)
        except MovieError as error:
            raise ServiceError(422, "invalid", str(error)) from None
        finally:
            await body.drain()
        answer = envelope.pack({}, [Blob.of("movie", made)])
        return Response(answer, media_type=protocol.ENVELOPE_TYPE)

    @app.post(
        protocol.PLATES_PATH,
        openapi_extra=_takes_envelope(),
        response_class=Response,
        responses={200: {"content": {protocol.ENVELOPE_TYPE: {}}, "description": "the plates"}},
    )
    async def make_plates(request: Request) -> Response:
        """Develop frames of a take: header {reference, width, height, strength, form}, blobs of cameras and PNGs.

        form "png": blobs plate_0 ..., "raw": colour, mask, coverage, depth, enlarged.
        """
        body = await read_body(request, protocol.ENVELOPE_TYPE, protocol.MAX_PLATE_FRAMES_BYTES)
        header, blobs = envelope.unpack(body)
        form = field(header, "form", str)
        if form not in ("png", "raw"):
            raise EnvelopeError('the header\'s form must be "png" or "raw"')
        cameras = Cameras.from_blobs(blobs)
        wanted = PlatesRequest(
            field(header, "reference", str),
            cameras,
            [_file(blobs, f"frame_{index}") for index in range(len(cameras))],
            PlateSettings(
                field(header, "width", int), field(header, "height", int), number(header, "strength")
            ),
        )

        def work(cancelled: threading.Event) -> bytes:
            if form == "png":
                return _plate_files(service.plate_files(wanted, cancelled))
            return _raw_plates(service.plates(wanted, cancelled))

        answer = await _while_wanted(request, pool, work)
        return _in_pieces(answer)

    @app.post(protocol.SHUTDOWN_PATH, status_code=202)
    async def shutdown() -> Response:
        """End the backend."""
        end()
        return Response(status_code=202)

    _add_error_handlers(app, end)
    app.add_middleware(Gate, token=token, hosts=frozenset(hosts))
    return app


async def _while_wanted(
    request: Request, pool: ThreadPoolExecutor, work: Callable[[threading.Event], Any]
) -> Any:
    """Run `work(cancelled)` on a thread; sets `cancelled` when the client is gone, and answers soon once it is set."""
    cancelled = threading.Event()
    working = asyncio.get_running_loop().run_in_executor(pool, work, cancelled)
    gone = asyncio.create_task(_gone(request.receive))
    try:
        while not cancelled.is_set():
            await asyncio.wait({working, gone}, timeout=0.05, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                return working.result()
            if gone.done():
                cancelled.set()
        await asyncio.wait({working}, timeout=CANCEL_GRACE)
        if working.done():
            return working.result()
        working.add_done_callback(lambda done: done.exception())  # Ends later, to no one's interest.
        raise cancelled_error()
    finally:
        gone.cancel()


async def _gone(receive: Callable[[], Any]) -> None:
    """Returns when the client has closed the connection."""
    message: Message = await receive()
    while message["type"] != "http.disconnect":
        message = await receive()


def _put_reference(service: Service, digest: str, body: bytearray) -> dict[str, Any]:
    header, blobs = envelope.unpack(body)
    if any(blob.dtype != "bytes" for blob in blobs.values()):
        raise EnvelopeError("a reference's files are sent as bytes")
    files = {name: memoryview(blob.data) for name, blob in blobs.items()}
    return service.put_reference(digest, Reference.from_json(header), files)


def _in_pieces(body: bytes) -> Response:
    """An envelope, sent as the client takes it: of one that is given whole, all that is left is moved at every send."""

    async def pieces() -> AsyncIterator[memoryview]:
        view = memoryview(body)
        for start in range(0, len(view), PIECE):
            yield view[start : start + PIECE]

    headers = {"Content-Length": str(len(body))}
    return StreamingResponse(pieces(), media_type=protocol.ENVELOPE_TYPE, headers=headers)


def _packed(made: GeneratedBlock | PreviewBlock) -> bytes:
    header: dict[str, Any] = {
        "block": made.block,
        "coverage": made.coverage,
        "milliseconds": made.milliseconds,
        "peak_mb": made.peak_mb,
    }
    if isinstance(made, PreviewBlock):
        frames = Blob("frames", "uint8", made.frames.shape, made.frames.data.cast("B"))
        return envelope.pack({**header, "next_block": made.next_block}, [frames])
    pngs = [Blob.of(f"frame_{index}", frame) for index, frame in enumerate(made.frames)]
    snapshot = [] if made.snapshot is None else [Blob.of("snapshot", made.snapshot)]
    return envelope.pack(header, [*pngs, *snapshot])


def _file(blobs: dict[str, Blob], name: str) -> memoryview:
    """A blob of bytes. Raises EnvelopeError."""
    if name not in blobs or blobs[name].dtype != "bytes":
        raise EnvelopeError(f"the blob {name!r} of bytes is missing")
    return memoryview(blobs[name].data)


def _plate_files(files: list[bytes]) -> bytes:
    return envelope.pack({}, [Blob.of(f"plate_{index}", file) for index, file in enumerate(files)])


def _raw_plates(plates: Plates) -> bytes:
    arrays = {
        "colour": plates.colour,
        "mask": plates.mask,
        "coverage": plates.coverage,
        "depth": plates.depth,
        "enlarged": plates.enlarged,
    }
    return envelope.pack(
        {}, [Blob(name, str(x.dtype), x.shape, x.data.cast("B")) for name, x in arrays.items()]
    )


def _add_error_handlers(app: FastAPI, end: Callable[[], None]) -> None:
    @app.exception_handler(ServiceError)
    async def refused(_: Request, error: ServiceError) -> Response:
        if error.code == "device_lost":
            end()  # Whatever this process still asks of the device fails the same way.
        return error_answer(error.status, error.code, error.message)

    async def malformed(_: Request, error: Exception) -> Response:
        text = str(error)
        return bad_request(f"{text[:1].upper()}{text[1:]}.".replace("..", "."))

    for kind in (EnvelopeError, CameraError, FileFormatError):
        app.add_exception_handler(kind, malformed)

    @app.exception_handler(HTTPException)
    async def no_such_path(request: Request, error: HTTPException) -> Response:
        if error.status_code in (404, 405):
            return error_answer(
                error.status_code,
                "not_found",
                f"There is no {request.method} {request.url.path} in this version.",
            )
        return error_answer(error.status_code, "bad_request", str(error.detail))

    @app.exception_handler(Exception)
    async def unforeseen(_: Request, error: Exception) -> Response:
        logger.exception("a request failed", exc_info=error)
        return error_answer(
            500, "internal", f"The backend failed ({type(error).__name__}): its log says more."
        )


def _takes_envelope() -> dict[str, Any]:
    schema = {"type": "string", "format": "binary"}
    return {"requestBody": {"required": True, "content": {protocol.ENVELOPE_TYPE: {"schema": schema}}}}


def _takes_json(model: type[BaseModel]) -> dict[str, Any]:
    schema = json.loads(json.dumps(model.model_json_schema()))
    return {"requestBody": {"required": True, "content": {protocol.JSON_TYPE: {"schema": schema}}}}

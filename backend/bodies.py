"""Requests' bodies: refused by their stated length before a byte of them is kept, then read and checked."""

from __future__ import annotations

from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect

from . import protocol
from .protocol import envelope
from .protocol.cameras import LARGEST
from .protocol.envelope import EnvelopeError
from .refusals import ServiceError

Form = TypeVar("Form", bound=BaseModel)


def stated_length(request: Request, kind: str, limit: int) -> int:
    """The length that the request states for its body, which must be of the right type and within its limit."""
    stated = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if stated != kind:
        raise ServiceError(415, "wrong_type", f"The content type must be {kind}, got {stated or 'none'}.")
    length = request.headers.get("content-length", "")
    if not length.isdigit():
        raise ServiceError(
            411, "length_required", "The body's length must be stated: chunks are not accepted."
        )
    if int(length) > limit:
        raise ServiceError(413, "too_large", f"The body has {length} bytes, at most {limit} are allowed.")
    return int(length)


async def read_body(request: Request, kind: str, limit: int) -> bytearray:
    """The request's body, of the right type and within its limit; nothing is kept of one that is not."""
    stated_length(request, kind, limit)
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
    except ClientDisconnect:
        raise _ended_early() from None
    return body


async def read_json(request: Request, form: type[Form]) -> Form:
    """The request's JSON body in its form. Raises ServiceError for one that is not."""
    body = await read_body(request, protocol.JSON_TYPE, protocol.MAX_JSON_BYTES)
    content = envelope.parse_json(bytes(body))
    try:
        return form.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ServiceError(422, "invalid", f"{place}: {first['msg']}.") from None


class Arriving:
    """A body that is too large to be kept, taken piece by piece."""

    def __init__(self, request: Request) -> None:
        self._chunks = request.stream()
        self._kept = bytearray()

    async def take(self, count: int) -> bytes:
        """The next `count` bytes."""
        while len(self._kept) < count:
            try:
                self._kept += await anext(self._chunks)
            except (StopAsyncIteration, ClientDisconnect):
                raise _ended_early() from None
        piece = bytes(self._kept[:count])
        del self._kept[:count]
        return piece

    async def drain(self) -> None:
        """Read what is left: a client that is still sending does not hear an answer."""
        try:
            async for _ in self._chunks:
                pass
        except ClientDisconnect:
            pass


def _ended_early() -> ServiceError:
    return ServiceError(400, "bad_request", "The body ended early.")


def field(header: dict[str, Any], name: str, kind: type) -> Any:
    """A field of an envelope's header, of just this type. Raises EnvelopeError."""
    value = header.get(name)
    if type(value) is not kind:
        raise EnvelopeError(f"the header's {name} must be {'a text' if kind is str else 'a whole number'}")
    return value


def number(header: dict[str, Any], name: str) -> float:
    """A number of the header, whole or not, below LARGEST. Raises EnvelopeError."""
    value = header.get(name)
    if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < LARGEST:
        return float(value)
    raise EnvelopeError(f"the header's {name} must be a number")


def fps(header: dict[str, Any]) -> float:
    """The header's fps. Raises EnvelopeError."""
    value = number(header, "fps")
    if 0 < value <= protocol.MAX_FPS:
        return value
    raise EnvelopeError(f"the header's fps must be a number above 0, at most {protocol.MAX_FPS}")

"""Who is let in: a request that names this host, carries the token and speaks our protocol."""

from __future__ import annotations

import hmac

from fastapi import Response
from fastapi.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from . import protocol

Headers = dict[bytes, bytes]


class Gate:
    """Lets a request in that names a known host, carries the token and speaks our protocol."""

    def __init__(self, app: ASGIApp, token: str, hosts: frozenset[str]) -> None:
        self._app = app
        self._authorization = f"Bearer {token}".encode()
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        refusal = (
            self._refusal(dict(scope["headers"])) if scope["type"] == "http" else bad_request("HTTP only.")
        )
        await (self._app if refusal is None else refusal)(scope, receive, send)

    def _refusal(self, headers: Headers) -> Response | None:
        host = headers.get(b"host", b"").decode("latin-1").lower()
        if _host_name(host) not in self._hosts:
            return bad_request(f"This backend is not called {host!r}.")
        # Compared in constant time: the time taken must not tell how much of a guess is right.
        if not hmac.compare_digest(headers.get(b"authorization", b""), self._authorization):
            return error_answer(
                401, "unauthorized", "The token is missing or wrong: start the backend from the add-on."
            )
        spoken = headers.get(protocol.PROTOCOL_HEADER.lower().encode(), b"").decode("latin-1")
        if spoken != str(protocol.PROTOCOL_VERSION):
            return error_answer(
                426,
                "protocol_mismatch",
                f"The backend speaks protocol {protocol.PROTOCOL_VERSION}, the client {spoken or 'none'}: "
                "install the same version of both.",
            )
        return None


def _host_name(host: str) -> str:
    """The name in a Host header, without the port."""
    if host.startswith("["):
        return host[1 : host.find("]")]
    return host.rsplit(":", 1)[0]


def error_answer(status: int, code: str, message: str) -> JSONResponse:
    """The answer of docs/protocol.md to what is no success."""
    return JSONResponse({"error": code, "message": message}, status)


def bad_request(message: str) -> JSONResponse:
    """The answer to a request that cannot be understood."""
    return error_answer(400, "bad_request", message)

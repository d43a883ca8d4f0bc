"""Life and death of the backend process: port, token, ready line, and the parent whose end is ours.

    bind a port -> load the weights -> listen, say so on stdout -> serve until asked to end

It ends on SIGTERM and SIGINT, on POST /v1/shutdown, and when the process that started it is gone. There is no
heartbeat: a busy Blender is not a dead one. Running generations are cancelled on the way out, and should one not
let go, the process ends without it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import psutil
import uvicorn

from . import __version__, protocol
from .server import create_app
from .service import Service

logger = logging.getLogger(__name__)

PARENT_INTERVAL = 0.5
LAST_SECONDS = 2.0
"""Seconds between the wish to end and the end, whatever still computes."""
LOOPBACK = "127.0.0.1"
LOCAL_NAMES = ("127.0.0.1", "localhost", "::1")


def serve(
    service: Service, token: str, host: str = LOOPBACK, port: int = 0, parent: int | None = None
) -> NoReturn:
    """Serve until asked to end, and end the process. Raises OSError when host and port cannot be bound."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listening:
        if os.name != "nt":
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        server = _Server(listening.getsockname()[1], service)
        config = uvicorn.Config(
            create_app(service, token, (*LOCAL_NAMES, host.lower()), server.end),
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            timeout_graceful_shutdown=1,
            server_header=False,
        )
        server.adopt(config)
        if parent is not None:
            threading.Thread(target=watch_parent, args=(parent, server.end), daemon=True).start()
        asyncio.run(server.serve(sockets=[listening]))
    leave()


class _Server(uvicorn.Server):
    """uvicorn's server, which says when it listens and ends as this module's docstring says."""

    def __init__(self, port: int, service: Service) -> None:
        self._port = port
        self._service = service
        self._ending = threading.Lock()

    def adopt(self, config: uvicorn.Config) -> None:
        """Set up with `config`, which needs `end` of this server and so is made after it."""
        super().__init__(config)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        say(
            {
                "inspatio": "ready",
                "port": self._port,
                "protocol": protocol.PROTOCOL_VERSION,
                "version": __version__,
            }
        )

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """SIGTERM and SIGINT end the server, and the process with exit code 0."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {
            number: signal.signal(number, self._on_signal) for number in (signal.SIGTERM, signal.SIGINT)
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _on_signal(self, *_: Any) -> None:
        self.end()

    def end(self) -> None:
        """Stop serving soon, from any thread."""
        if not self._ending.acquire(blocking=False):
            return
        self.should_exit = True
        self._service.close()
        threading.Thread(target=_end_at_last, daemon=True).start()


def _end_at_last() -> None:
    time.sleep(LAST_SECONDS)
    logger.warning("ending while something still computes")
    leave()


def leave() -> NoReturn:
    """End the process here and now: nothing in it is worth the seconds that tidying up takes."""
    logging.shutdown()
    sys.stdout.flush()
    os._exit(0)


def watch_parent(pid: int, end: Callable[[], None]) -> None:
    """Call `end` once the process `pid` is gone; a new process with its number does not count."""
    try:
        parent = psutil.Process(pid)
        while parent.is_running() and parent.status() != psutil.STATUS_ZOMBIE:
            time.sleep(PARENT_INTERVAL)
    except psutil.NoSuchProcess:
        pass
    except psutil.AccessDenied:
        while psutil.pid_exists(pid):
            time.sleep(PARENT_INTERVAL)
    logger.info("the parent process %d is gone", pid)
    end()


def say(message: dict[str, Any]) -> None:
    """A line of JSON for the process that started this one."""
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()

"""A backend process of small random weights, and plain HTTP to it."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from references import move

from backend import protocol
from backend.protocol.cameras import Cameras
from backend.protocol.envelope import pack
from backend.protocol.references import reference_body, reference_digest

TESTS = Path(__file__).parent
TOKEN = "a-token-for-tests-only"
WIDTH, HEIGHT = 64, 48


@dataclass
class Answer:
    status: int
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.body)

    @property
    def error(self) -> tuple[int, str]:
        said = self.json
        assert set(said) == {"error", "message"}
        assert said["message"].endswith((".", "!"))
        return self.status, said["error"]


class Server:
    """A backend process and plain HTTP to it."""

    def __init__(self, weights: Path, *options: str) -> None:
        environment = {**os.environ, protocol.TOKEN_VARIABLE: TOKEN, "OMP_NUM_THREADS": "1"}
        environment["PYTHONPATH"] = os.pathsep.join([str(TESTS), str(TESTS.parent)])
        command = [sys.executable, str(TESTS / "fake_backend.py"), str(weights), "serve"]
        self.process = subprocess.Popen(
            [*command, "--parent", str(os.getpid()), *options], stdout=subprocess.PIPE, env=environment
        )
        assert self.process.stdout is not None
        self.ready = json.loads(self.process.stdout.readline())
        self.port: int = self.ready["port"]

    def headers(self, kind: str = protocol.JSON_TYPE) -> dict[str, str]:
        return {
            "Authorization": f"Bearer {TOKEN}",
            protocol.PROTOCOL_HEADER: str(protocol.PROTOCOL_VERSION),
            "Content-Type": kind,
        }

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        kind: str = protocol.JSON_TYPE,
        **changed: str | None,
    ) -> Answer:
        """One request; `changed` replaces headers (underscores for dashes) or, with None, leaves them out."""
        headers: dict[str, str | None] = dict(self.headers(kind))
        headers.update({name.replace("_", "-").title(): value for name, value in changed.items()})
        known = {name.lower(): (name, value) for name, value in headers.items()}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            sent = {name: value for name, value in known.values() if value is not None}
            connection.request(method, path, body, sent)
            response = connection.getresponse()
            return Answer(response.status, response.read())
        finally:
            connection.close()

    def put_reference(self, folder: Path) -> str:
        digest = reference_digest(folder)
        _, chunks = reference_body(folder)
        answer = self.ask(
            "PUT", f"{protocol.REFERENCES_PATH}/{digest}", b"".join(chunks), protocol.ENVELOPE_TYPE
        )
        assert answer.status == 200, answer.body
        return digest

    def open_take(self, reference: str, seed: int = 5, **changed: Any) -> Answer:
        content = {
            "reference": reference,
            "preset": "tiny",
            "width": WIDTH,
            "height": HEIGHT,
            "seed": seed,
            **changed,
        }
        return self.ask("POST", protocol.TAKES_PATH, json.dumps(content).encode())

    def take(self, reference: str, seed: int = 5, **changed: Any) -> str:
        answer = self.open_take(reference, seed, **changed)
        assert answer.status == 201, answer.body
        assert answer.json["block_sizes"] == [9, 12]
        return str(answer.json["take"])

    def generate(self, take: str, block: int, cameras: Cameras | None = None) -> Answer:
        cameras = cameras or move(33, WIDTH, HEIGHT).block(block)
        body = pack({"block": block}, cameras.blobs())
        return self.ask("POST", f"{protocol.TAKES_PATH}/{take}/blocks", body, protocol.ENVELOPE_TYPE)

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()

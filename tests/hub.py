"""A Hugging Face hub imitated on loopback: it lists repositories, redirects to a "CDN", and fails as it is told to.

    with Hub() as hub:
        hub.add("owner/name", "model.safetensors", b"...")
        hub.cuts = [1000, 0]        # the next two answers break off after so many bytes of a file

`hub.requests` keeps what was asked: (method, path, Range or "").
"""

from __future__ import annotations

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from urllib.parse import quote, unquote, urlsplit

COMMIT = "c" * 40


class Hub:
    """cuts: bytes after which the next answers with a file break off. ranges: whether it knows Range.
    checksums: whether it lists sizes and checksums.
    page: what a network that wants a login first answers with instead of everything.
    statuses: what the next requests for a file are answered with instead of the file.
    """

    def __init__(self) -> None:
        self.files: dict[str, dict[str, bytes]] = {}
        self.claimed: dict[str, bytes] = {}
        self.requests: list[tuple[str, str, str]] = []
        self.cuts: list[int] = []
        self.statuses: list[int] = []
        self.ranges = self.checksums = True
        self.page = b""
        hub = self

        class Handler(_Handler):
            pass

        Handler.hub = hub
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Hub:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def add(self, repo: str, path: str, content: bytes, claimed: bytes | None = None) -> None:
        """A file; `claimed`: the content that the listing tells size and checksum of, if it is another."""
        self.files.setdefault(repo, {})[path] = content
        self.claimed[f"{repo}/{path}"] = content if claimed is None else claimed

    def file_requests(self) -> list[tuple[str, str]]:
        """Path and range of every request for a file's bytes."""
        return [(path, ranged) for method, path, ranged in self.requests if path.startswith("/cdn/")]


def is_large(path: str) -> bool:
    return path.endswith(".safetensors")


def listing(hub: Hub, repo: str) -> dict[str, object]:
    siblings: list[dict[str, object]] = []
    for path in hub.files[repo]:
        content = hub.claimed[f"{repo}/{path}"]
        blob = hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()
        entry: dict[str, object] = {"rfilename": path, "size": len(content), "blobId": blob}
        if is_large(path):
            sha256 = hashlib.sha256(content).hexdigest()
            entry |= {"blobId": "0" * 40, "lfs": {"size": len(content), "sha256": sha256, "pointerSize": 134}}
        siblings.append(entry if hub.checksums else {"rfilename": path})
    return {"id": repo, "modelId": repo, "sha": COMMIT, "tags": [], "siblings": siblings}


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        hub, path = self.hub, unquote(urlsplit(self.path).path)
        hub.requests.append((self.command, path, self.headers.get("Range", "")))
        if hub.page:
            self._send(200, hub.page, {"Content-Type": "text/html"})
        elif path.startswith("/api/models/"):
            repo = path.removeprefix("/api/models/").split("/revision/")[0]
            if repo not in hub.files:
                self._fail(404, "RepoNotFound")
            else:
                self._send(200, json.dumps(listing(hub, repo)).encode(), {"Content-Type": "application/json"})
        elif path.startswith("/cdn/"):
            repo, file = "/".join(path.split("/")[2:4]), "/".join(path.split("/")[4:])
            self._send_file(hub.files[repo][file])
        else:
            repo, _, rest = path[1:].partition("/resolve/")
            file = rest.partition("/")[2]
            content = hub.files.get(repo, {}).get(file)
            if content is None:
                self._fail(404, "EntryNotFound")
            elif hub.statuses:
                status = hub.statuses.pop(0)
                self._fail(status, {403: "GatedRepo", 404: "EntryNotFound"}.get(status, ""))
            else:
                etag = hashlib.sha256(content).hexdigest()
                headers = {"X-Repo-Commit": COMMIT, "X-Linked-Size": str(len(content)), "X-Linked-Etag": etag}
                self._send(302, b"", {**headers, "Location": f"{hub.url}/cdn/{repo}/{quote(file)}"})

    def _send_file(self, content: bytes) -> None:
        hub = self.hub
        headers = {"ETag": f'"{hashlib.sha256(content).hexdigest()}"', "Accept-Ranges": "bytes"}
        start = 0
        if hub.ranges and "Range" in self.headers:
            start = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        cut = hub.cuts.pop(0) if hub.cuts else None
        self._send(206 if "Content-Range" in headers else 200, content[start:], headers, cut)

    def _fail(self, status: int, code: str) -> None:
        self._send(status, b"", {"X-Error-Code": code, "X-Error-Message": code})

    def _send(self, status: int, body: bytes, headers: dict[str, str], cut: int | None = None) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[:cut])
        if cut is not None:
            self.wfile.flush()
            self.close_connection = True

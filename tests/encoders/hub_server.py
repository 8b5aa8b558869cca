"""A server that answers as the hub does, well or badly, and counts what it sent."""

from __future__ import annotations

import hashlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "c" * 40


class HubServer(ThreadingHTTPServer):
    """Files by their name; `fails` is a status and error code for every request."""

    daemon_threads = True

    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files = files
        self.fails: tuple[int, str, str] | None = None
        #: After so many bytes of a body the connection is cut, once.
        self.cut_after: int | None = None
        self.sent: list[int] = []

    def handle_error(self, *_: object) -> None:
        """A client that hangs up is no error."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: HubServer
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, body: bool) -> None:
        if self.server.fails is not None:
            status, code, message = self.server.fails
            self._head(status, {"X-Error-Code": code, "X-Error-Message": message}, 0)
            return
        name = self.path.split("?")[0].rsplit("/", 1)[-1]
        content = self.server.files.get(name)
        if content is None:
            self._head(404, {"X-Error-Code": "EntryNotFound"}, 0)
            return
        start = 0
        asked = self.headers.get("Range", "")
        if asked.startswith("bytes="):
            start = int(asked.removeprefix("bytes=").split("-")[0])
        if start > len(content):
            self._head(416, {}, 0)
            return
        headers = {
            "ETag": f'"{hashlib.sha256(content).hexdigest()}"',
            "X-Repo-Commit": COMMIT,
            "Accept-Ranges": "bytes",
        }
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        self._head(206 if start else 200, headers, len(content) - start)
        if not body:
            return
        part = content[start:]
        cut, self.server.cut_after = self.server.cut_after, None
        if cut is not None:
            part = part[:cut]
        self.wfile.write(part)
        self.server.sent.append(len(part))
        if cut is not None:
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True

    def _head(self, status: int, headers: dict[str, str], length: int) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(files: dict[str, bytes]) -> Iterator[HubServer]:
    server = HubServer(files)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

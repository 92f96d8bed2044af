"""A store of files behind HTTP on the loopback interface, with parts, slowness and faults."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from running import running  # type: ignore[import-not-found]


class HttpStore:
    """Serves a folder.

    Args:
        folder: that it serves.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[str] = []
        """Files of which bytes were sent, each as often as they were asked for."""
        self.fault: Callable[[str, int], int | None] = lambda name, number: None
        """Takes a file and the number of the request for it to a status to answer with; None answers as is right."""
        self.delay = 0.0
        """Seconds before each answer."""
        self.parts = True
        """Whether it knows parts of files."""
        self._lock = threading.Lock()
        self._requests: dict[str, int] = {}
        store = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_HEAD(self) -> None:
                store.answer(self, body=False)

            def do_GET(self) -> None:
                store.answer(self, body=True)

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def answer(self, handler: BaseHTTPRequestHandler, body: bool) -> None:
        """Answer one request."""
        time.sleep(self.delay)
        name = handler.path.lstrip("/")
        with self._lock:
            self._requests[name] = number = self._requests.get(name, 0) + 1
        path = self.folder / name
        status = self.fault(name, number) or (200 if path.is_file() else 404)
        if status != 200:
            handler.send_response(status)
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        content = path.read_bytes()
        part = re.fullmatch(r"bytes=(\d+)-(\d*)", handler.headers.get("Range", "")) if self.parts else None
        begin, end = (int(part[1]), int(part[2] or len(content) - 1) + 1) if part else (0, len(content))
        handler.send_response(206 if part else 200)
        if self.parts:
            handler.send_header("Accept-Ranges", "bytes")
        if part:
            handler.send_header("Content-Range", f"bytes {begin}-{min(end, len(content)) - 1}/{len(content)}")
        sent = content[begin:end]
        handler.send_header("Content-Length", str(len(sent)))
        handler.end_headers()
        if body:
            with self._lock:
                self.asked.append(name)
            handler.wfile.write(sent)


@contextmanager
def http_store(folder: Path) -> Iterator[HttpStore]:
    """Serve a folder for a while."""
    store = HttpStore(folder)
    with running(store.server):
        yield store

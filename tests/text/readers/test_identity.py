"""A file is known by its content; a version on a server by what the server says of it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import fsspec
import pytest

from pretune.text.readers import fingerprint, identity


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What was read to the end, one entry for each time."""
    found: list[Any] = []
    original = identity.hash_stream

    def counted(stream: Any) -> str:
        found.append(stream)
        return original(stream)

    monkeypatch.setattr(identity, "hash_stream", counted)
    monkeypatch.setattr(identity, "_known", {})
    return found


def test_another_content_of_the_same_size_and_time(tmp_path: Path, read: list[Any]) -> None:
    file, other = tmp_path / "a.csv", tmp_path / "b.csv"
    file.write_text("text,pos\n")
    other.write_text("text,neg\n")
    shutil.copystat(file, other)
    before = fingerprint([str(file)], str(tmp_path))
    other.replace(file)
    after = fingerprint([str(file)], str(tmp_path))
    assert after != before
    stat = file.stat()
    file.write_text("text,bad\n")  # in place: the inode stays
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert fingerprint([str(file)], str(tmp_path)) not in (before, after)


def test_the_hash_is_remembered_until_something_moves(
    tmp_path: Path, read: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    file, cache = tmp_path / "a.txt", str(tmp_path / "cache")
    file.write_text("one")
    first = fingerprint([str(file)], cache)
    fingerprint([str(file)], cache)
    assert len(read) == 2  # just written: it might change within one tick of the clock
    monkeypatch.setattr(identity, "SETTLED", -(10**18))  # as if it were long ago
    assert fingerprint([str(file)], cache) == fingerprint([str(file)], cache) == first
    assert len(read) == 2
    monkeypatch.setattr(identity, "_known", {})  # another process
    assert fingerprint([str(file)], cache) == first
    assert len(read) == 2
    file.chmod(0o600)  # which a copy of it, or a new time, is like: it is read, and found to be the same
    shutil.copy(file, tmp_path / "c.txt")
    (tmp_path / "c.txt").replace(file)
    assert fingerprint([str(file)], cache) == first
    assert len(read) == 3


def test_a_memory_that_cannot_be_read_is_none(tmp_path: Path, read: list[Any]) -> None:
    (tmp_path / "a.txt").write_text("one")
    expected = fingerprint([str(tmp_path / "a.txt")], str(tmp_path))
    for content in ("{", "[]", '{"a": 1}', '{"a": [1]}', '{"a": ["x", 1]}'):
        for memory in (tmp_path / "hashes").glob("*.json"):
            memory.write_text(content)
        identity._known.clear()
        assert fingerprint([str(tmp_path / "a.txt")], str(tmp_path)) == expected


class Server(ThreadingHTTPServer):
    body = b""
    says: dict[str, str]


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *args: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.server.body)))
        for name, value in self.server.says.items():
            self.send_header(name, value)
        self.end_headers()

    def do_GET(self) -> None:
        self.do_HEAD()
        self.wfile.write(self.server.body)


@pytest.fixture
def server() -> Iterator[Server]:
    serving = Server(("127.0.0.1", 0), Handler)
    serving.says = {}
    Thread(target=serving.serve_forever, daemon=True).start()
    yield serving
    serving.shutdown()
    serving.server_close()


@pytest.mark.parametrize("validator", ["ETag", "Last-Modified", None])
def test_a_new_version_behind_a_url(validator: str | None, server: Server, read: list[Any]) -> None:
    url = f"http://127.0.0.1:{server.server_address[1]}/corpus.txt"
    found = []
    for body, version in ((b"alpha", "Tue, 01 Jan 2030 00:00:00 GMT"), (b"omega", "Tue, 01 Jan 2030 00:00:01 GMT")):
        server.body = body
        server.says = {} if validator is None else {validator: version}
        found.append(fingerprint([url]))
        assert fingerprint([url]) == found[-1]
    assert found[0] != found[1]
    assert bool(read) == (validator is None)


def test_other_stores_and_local_urls(tmp_path: Path, read: list[Any]) -> None:
    store = fsspec.filesystem("memory")
    store.pipe("/identity/a.txt", b"one")
    before = fingerprint(["memory://identity/a.txt"])
    store.pipe("/identity/a.txt", b"two")
    assert fingerprint(["memory://identity/a.txt"]) != before
    (tmp_path / "a.txt").write_text("one")
    url = f"file://{tmp_path}/a.txt"
    before = fingerprint([url])
    (tmp_path / "a.txt").write_text("two")
    assert fingerprint([url]) != before


def test_fingerprint_changes_with_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x")
    before = fingerprint(["a.txt"])
    (tmp_path / "a.txt").write_text("xy")
    assert fingerprint(["a.txt"]) != before
    assert json.loads(json.dumps(before)) == before

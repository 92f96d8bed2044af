"""A server on the loopback interface that gives models and data sets as the Hugging Face Hub does, and can be ill."""

from __future__ import annotations

import hashlib
import json
import re
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

TOKEN = "hf_of_a_member"
LARGE = 20_000
"""Bytes from which a file lies in the storage, to which the server redirects."""
REPO = r"(?P<kind>datasets/)?(?P<id>[^/]+(?:/[^/]+)?)"
REVISION = r"(?P<revision>refs%2F[^/]+|refs/convert/[^/]+|refs/pr/\d+|[^/]+)"


@dataclass
class Commit:
    """The files of a repository at one time."""

    files: dict[str, bytes]

    @property
    def sha(self) -> str:
        return hashlib.sha1(repr(sorted((n, _oid(c)) for n, c in self.files.items())).encode()).hexdigest()


@dataclass
class Repo:
    """A repository: its branches and tags, and who may read it."""

    revisions: dict[str, Commit]
    gated: bool = False
    renamed_to: str | None = None

    def at(self, revision: str) -> Commit | None:
        by_name = self.revisions.get(revision)
        return by_name or next((c for c in self.revisions.values() if c.sha == revision), None)


class Seen(NamedTuple):
    """A request and how it was answered."""

    method: str
    path: str
    status: int
    sent: int


@dataclass
class Illness:
    """What the server does instead of answering requests whose `METHOD path` a pattern is found in.

    Args:
        pattern: a regular expression.
        status: of the answer.
        times: how often, before it is well again.
        cut_after: bytes of the right answer's body after which the connection is cut, instead of a status.
        wait: seconds before anything is answered.
    """

    pattern: str
    status: int = 503
    times: int = 1
    cut_after: int | None = None
    wait: float = 0.0


class ReadingServer(ThreadingHTTPServer):
    """The server: its repositories by their ids, a data set's after `datasets/`, and what was asked of it."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.repos: dict[str, Repo] = {}
        self.seen: list[Seen] = []
        self.illnesses: list[Illness] = []
        self.members: set[str] = set()
        """Tokens whose owners may read what is gated."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def bodies(self) -> list[str]:
        """Return the paths of the files whose content was sent."""
        return [s.path for s in self.seen if s.method == "GET" and s.sent and not s.path.startswith("/api")]

    def forget(self) -> None:
        """Begin the log anew."""
        self.seen.clear()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: connections are cut on purpose."""


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    server: ReadingServer
    cut_after: int | None = None

    def log_message(self, *args: Any) -> None:
        """Say nothing."""

    def do_HEAD(self) -> None:
        self._serve()

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        self._serve(self.rfile.read(size))

    # ------------------------------------------------------------------ what is asked

    def _serve(self, body: bytes = b"") -> None:
        self.cut_after = None
        for illness in self.server.illnesses:
            if illness.times and re.search(illness.pattern, f"{self.command} {self.path}"):
                illness.times -= 1
                time.sleep(illness.wait)
                if illness.cut_after is None:
                    self._answer(illness.status, {"error": f"told to answer {illness.status}"})
                    return
                self.cut_after = illness.cut_after
                break
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if token and token not in {TOKEN, *self.server.members}:
            self._refuse(401, "", "Invalid credentials in Authorization header")
            return
        path = urlsplit(self.path).path
        for pattern, act in (
            (r"/storage/(?P<id>[^/]+)/(?P<kind>)(?P<revision>)(?P<rest>.+)", self._stored),
            (rf"/api/(?:models/|(?=datasets/)){REPO}/tree/{REVISION}(?P<rest>/.*)?", self._tree),
            (rf"/api/(?:models/|(?=datasets/)){REPO}/paths-info/{REVISION}(?P<rest>)", self._paths),
            (rf"/api/(?:models/|(?=datasets/)){REPO}/revision/{REVISION}(?P<rest>)", self._info),
            (rf"/api/(?:models/|(?=datasets/)){REPO}(?P<revision>)(?P<rest>)", self._info),
            (rf"/{REPO}/resolve/{REVISION}/(?P<rest>.+)", self._file),
        ):
            if found := re.fullmatch(pattern, path):
                self._of_repo(act, found, body)
                return
        self._refuse(404, "", f"there is no {path}")

    def _of_repo(self, act: Any, found: re.Match[str], body: bytes) -> None:
        if act == self._stored:
            act(found["id"])
            return
        name, revision = f"{found['kind'] or ''}{found['id']}", unquote(found["revision"]) or "main"
        repo = self.server.repos.get(name)
        if repo is not None and repo.renamed_to is not None:
            place = self.path.replace(f"/{found['id']}", f"/{repo.renamed_to}", 1)
            self._answer(307, {}, {"Location": place})
            return
        known = bool(self.headers.get("Authorization"))
        if repo is None:
            said = "Repository not found" if known else "Invalid username or password."
            self._refuse(404 if known else 401, "RepoNotFound", said)
            return
        allowed = self.headers.get("Authorization", "").removeprefix("Bearer ") in self.server.members
        if repo.gated and act != self._info and not allowed:
            said = f"Access to model {name} is restricted."
            self._refuse(403 if known else 401, "GatedRepo", said)
            return
        commit = repo.at(revision)
        if commit is None:
            self._refuse(404, "RevisionNotFound", f"Invalid rev id: {revision}")
            return
        act(name, commit, unquote(found["rest"] or ""), body)

    def _info(self, name: str, commit: Commit, rest: str, body: bytes) -> None:
        siblings = [{"rfilename": file} for file in sorted(commit.files)]
        given = {"id": name.removeprefix("datasets/"), "sha": commit.sha, "private": False, "siblings": siblings}
        self._answer(200, {**given, "gated": "auto" if self.server.repos[name].gated else False, "tags": []})

    def _tree(self, name: str, commit: Commit, rest: str, body: bytes) -> None:
        folder = rest.strip("/")
        inside = {f: c for f, c in commit.files.items() if not folder or f.startswith(f"{folder}/")}
        if folder and not inside:
            self._refuse(404, "EntryNotFound", f"{folder} does not exist on {name}", commit)
            return
        recursive = parse_qs(urlsplit(self.path).query).get("recursive", ["false"])[0].lower() in ("true", "1")
        self._answer(200, [e for e in _entries(inside) if recursive or _parent(e["path"]) == folder])

    def _paths(self, name: str, commit: Commit, rest: str, body: bytes) -> None:
        if "json" in self.headers.get("Content-Type", ""):
            wanted = json.loads(body)["paths"]
        else:
            wanted = parse_qs(body.decode()).get("paths", [])
        self._answer(200, [e for e in _entries(commit.files) if e["path"] in wanted])

    def _file(self, name: str, commit: Commit, rest: str, body: bytes) -> None:
        content = commit.files.get(rest)
        if content is None:
            self._refuse(404, "EntryNotFound", "Entry not found", commit)
            return
        headers = {"X-Repo-Commit": commit.sha, "Accept-Ranges": "bytes"}
        if len(content) < LARGE:
            self._send(content, {**headers, "ETag": f'"{_oid(content)}"'})
            return
        sha256 = hashlib.sha256(content).hexdigest()
        linked = {"X-Linked-Etag": f'"{sha256}"', "X-Linked-Size": str(len(content))}
        # Elsewhere, as the Hub's storage is: another host, to which no token goes.
        place = f"http://localhost:{self.server.server_address[1]}/storage/{sha256}/{rest}"
        self._answer(302, {}, {**headers, **linked, "Location": place})

    def _stored(self, sha256: str) -> None:
        assert "Authorization" not in self.headers, "a token has left the Hub"
        every = (c for r in self.server.repos.values() for at in r.revisions.values() for c in at.files.values())
        content = next(c for c in every if hashlib.sha256(c).hexdigest() == sha256)
        self._send(content, {"ETag": f'"{sha256}"', "Accept-Ranges": "bytes"})

    # ------------------------------------------------------------------ how it is answered

    def _send(self, content: bytes, headers: dict[str, str]) -> None:
        status, part = 200, content
        if found := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")):
            first, last = int(found[1]), min(int(found[2] or len(content) - 1), len(content) - 1)
            status, part = 206, content[first : last + 1]
            headers = {**headers, "Content-Range": f"bytes {first}-{last}/{len(content)}"}
        self._write(status, part, {"Content-Type": "application/octet-stream", **headers})

    def _refuse(self, status: int, code: str, message: str, commit: Commit | None = None) -> None:
        headers = {"X-Error-Code": code, "X-Error-Message": message}
        if commit is not None:
            headers["X-Repo-Commit"] = commit.sha
        self._answer(status, {"error": message}, {k: v for k, v in headers.items() if v})

    def _answer(self, status: int, content: Any, headers: dict[str, str] | None = None) -> None:
        self._write(status, json.dumps(content).encode(), {"Content-Type": "application/json", **(headers or {})})

    def _write(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for key, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(key, value)
        self.end_headers()
        part = b"" if self.command == "HEAD" else body[: self.cut_after]
        self.server.seen.append(Seen(self.command, self.path, status, len(part) if status < 300 else 0))
        self.wfile.write(part)
        if self.cut_after is not None and self.command != "HEAD":
            self.wfile.flush()
            self.connection.close()
            self.close_connection = True


def _oid(content: bytes) -> str:
    """What git calls a file's content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def _entries(files: dict[str, bytes]) -> list[dict[str, Any]]:
    """What the Hub says of files and of the folders that they lie in."""
    folders = {f.rsplit("/", depth)[0] for f in files for depth in range(1, f.count("/") + 1)}
    found: list[dict[str, Any]] = [{"type": "directory", "oid": "0", "size": 0, "path": f} for f in sorted(folders)]
    for name, content in sorted(files.items()):
        entry = {"type": "file", "oid": _oid(content), "size": len(content), "path": name}
        if len(content) >= LARGE:
            sha256 = hashlib.sha256(content).hexdigest()
            entry["lfs"] = {"oid": sha256, "size": len(content), "pointerSize": 130}
        found.append(entry)
    return found


def _parent(path: str) -> str:
    return path.rpartition("/")[0]

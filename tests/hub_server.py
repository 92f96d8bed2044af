"""A server on the loopback interface that takes models as the Hugging Face Hub does, and fails when it is told to."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import pytest
from huggingface_hub import constants
from huggingface_hub.utils import _http
from running import running  # type: ignore[import-not-found]

from pretune.cli.sharing import repository

TOKEN = "hf_of_ana"
USERS = {
    TOKEN: {
        "name": "ana", "type": "user", "auth": {"accessToken": {"role": "write"}},
        "orgs": [
            {"name": "lab", "roleInOrg": "write"}, {"name": "club", "roleInOrg": "read"},
            {"name": "my-name", "roleInOrg": "admin"},
        ],
    },
    "hf_reads": {"name": "ana", "type": "user", "auth": {"accessToken": {"role": "read"}}, "orgs": []},
}  # fmt: skip


@dataclass
class Repo:
    """A repository: its commits, and the files of the last one."""

    private: bool = False
    files: dict[str, bytes] = field(default_factory=dict)
    commits: list[dict[str, Any]] = field(default_factory=list)

    @property
    def sha(self) -> str:
        return hashlib.sha1(str(len(self.commits)).encode()).hexdigest()


class HubServer(ThreadingHTTPServer):
    """The server and what it knows.

    `failures` maps a part of a request's name, such as `commit` or `PUT`, to codes with which the next requests are
    answered; `cut_after` breaks the connection of an upload after so many bytes, once.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.repos: dict[str, Repo] = {}
        self.stored: dict[str, bytes] = {}
        """Large files that have arrived, by their SHA-256."""
        self.failures: dict[str, list[int]] = {}
        self.lost_answers: list[str] = []
        """Kinds of requests that are done, and not answered, once each."""
        self.cut_after: int | None = None
        self.large = 5_000
        """Bytes from which a file is sent as a large one."""
        self.seen: Counter[str] = Counter()
        self.cut = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients are cut off on purpose."""


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    server: HubServer

    def log_message(self, *args: Any) -> None:
        """Say nothing."""

    # ------------------------------------------------------------------ requests

    def do_GET(self) -> None:
        if self._failed("GET whoami" if "whoami" in self.path else "GET repo"):
            return
        user = self._user()
        if user is None:
            return
        if self.path.startswith("/api/whoami"):
            self._answer(200, user)
        elif found := re.match(r"/api/models/([^/?]+/[^/?]+)", self.path):
            repo = self.server.repos.get(found[1])
            if repo is None:
                self._answer(404, {"error": "Repository not found"}, {"X-Error-Code": "RepoNotFound"})
                return
            siblings = [{"rfilename": name} for name in sorted(repo.files)]
            self._answer(200, {"id": found[1], "private": repo.private, "sha": repo.sha, "siblings": siblings})
        else:
            self._answer(404, {"error": self.path})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)) if not self._chunked() else self._chunks()
        kind = next(
            (k for k in ("validate-yaml", "repos/create", "preupload", "batch", "commit", "verify") if k in self.path),
            "",
        )
        if self._failed(f"POST {kind}"):
            return
        if kind == "validate-yaml":
            self._answer(200, {"errors": [], "warnings": []})
            return
        user = self._user()
        if user is None:
            return
        name = "/".join(re.sub(r"^/(api/models/)?", "", self.path).replace(".git", "").split("/")[:2])
        act = {"repos/create": self._create, "preupload": self._preupload, "batch": self._batch, "commit": self._commit}
        act[kind](name, body, user)

    def do_PUT(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        self.server.seen["PUT"] += 1
        if self.server.cut_after is not None:
            self.rfile.read(min(size, self.server.cut_after))
            self.server.cut_after = None
            self.server.cut.set()
            self.connection.close()
            self.close_connection = True
            return
        content = self.rfile.read(size) if not self._chunked() else self._chunks()
        if self._failed("PUT", count=False):
            return
        oid = self.path.rpartition("/")[2]
        assert hashlib.sha256(content).hexdigest() == oid
        self.server.stored[oid] = content
        self._answer(200, {})

    # ------------------------------------------------------------------ what is asked

    def _create(self, _: str, body: bytes, user: dict[str, Any]) -> None:
        asked = json.loads(body)
        name = f"{asked.get('organization') or user['name']}/{asked['name']}"
        if name in self.server.repos:
            self._answer(409, {"error": "You already created this model repo", "url": f"{self.server.url}/{name}"})
            return
        self.server.repos[name] = Repo(private=asked.get("visibility") == "private" or bool(asked.get("private")))
        self._answer(200, {"url": f"{self.server.url}/{name}", "name": name, "id": "1"})

    def _preupload(self, name: str, body: bytes, user: dict[str, Any]) -> None:
        repo = self.server.repos[name]
        files = []
        for file in json.loads(body)["files"]:
            held = repo.files.get(file["path"])
            large = file["size"] >= self.server.large
            oid = None if held is None else _oid(held, large)
            mode = "lfs" if large else "regular"
            files.append({"path": file["path"], "uploadMode": mode, "shouldIgnore": False, "oid": oid})
        self._answer(200, {"files": files})

    def _batch(self, name: str, body: bytes, user: dict[str, Any]) -> None:
        objects = []
        for asked in json.loads(body)["objects"]:
            entry = {"oid": asked["oid"], "size": asked["size"]}
            if asked["oid"] not in self.server.stored:
                entry["actions"] = {"upload": {"href": f"{self.server.url}/storage/{asked['oid']}", "header": {}}}
            objects.append(entry)
        self._answer(200, {"transfer": "basic", "objects": objects})

    def _commit(self, name: str, body: bytes, user: dict[str, Any]) -> None:
        repo = self.server.repos[name]
        lines = [json.loads(line) for line in body.splitlines() if line.strip()]
        header = lines[0]["value"]
        if header.get("parentCommit") not in (None, repo.sha):
            self._answer(412, {"error": "A commit has happened since."})
            return
        files = dict(repo.files)
        for line in lines[1:]:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.server.stored[value["oid"]]
            elif line["key"] == "deletedFile":
                del files[value["path"]]
        repo.files = files
        repo.commits.append(header)
        if "commit" in self.server.lost_answers:
            self.server.lost_answers.remove("commit")
            self.connection.close()
            self.close_connection = True
            return
        self._answer(200, {"commitUrl": f"{self.server.url}/{name}/commit/{repo.sha}", "commitOid": repo.sha})

    # ------------------------------------------------------------------ how it is answered

    def _user(self) -> dict[str, Any] | None:
        user = USERS.get(self.headers.get("Authorization", "").removeprefix("Bearer "))
        if user is None:
            message = "Invalid credentials in Authorization header"
            self._answer(401, {"error": message}, {"X-Error-Message": message})
        return user

    def _failed(self, name: str, count: bool = True) -> bool:
        self.server.seen[name] += count
        for part, codes in self.server.failures.items():
            if part in name and codes:
                code = codes.pop(0)
                self._answer(code, {"error": f"told to answer {code}"})
                return True
        return False

    def _chunked(self) -> bool:
        return self.headers.get("Transfer-Encoding", "").lower() == "chunked"

    def _chunks(self) -> bytes:
        parts = []
        while size := int(self.rfile.readline().strip() or b"0", 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _answer(self, code: int, content: Any, headers: dict[str, str] | None = None) -> None:
        body = json.dumps(content).encode()
        self.send_response(code)
        for key, value in {"Content-Type": "application/json", "Content-Length": str(len(body))}.items():
            self.send_header(key, value)
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(body)


def _oid(content: bytes, large: bool) -> str:
    """What the Hub calls a file's content: git's hash of a blob, or the SHA-256 of a large one."""
    if large:
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@contextmanager
def local_hub() -> Iterator[HubServer]:
    """A server, and a process that speaks to it and to no other, which does not wait before it tries again."""
    with running(HubServer()) as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_ENDPOINT", server.url)
        patch.setenv("HF_TOKEN", TOKEN)
        patch.setattr(constants, "HF_HUB_OFFLINE", False)
        patch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        patch.setattr(constants, "HF_TOKEN_PATH", "no-token")
        patch.setattr(repository, "WAITS", (0.01, 0.01))
        # Not `time.sleep` itself, which whatever else runs in this process would miss.
        patch.setattr(_http, "time", SimpleNamespace(**{**vars(time), "sleep": lambda seconds: None}))
        yield server

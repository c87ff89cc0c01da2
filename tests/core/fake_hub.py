"""A Hugging Face hub on loopback: enough of its HTTP to download from, and ways to misbehave.

What a client sees follows the hub: ``HEAD`` and ``GET /{org}/{repo}/resolve/{revision}/{file}``
with ``ETag``, ``X-Repo-Commit``, ``Content-Length`` and ranges; errors as a status with
``X-Error-Code``.
"""

import hashlib
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

PATIENCE = 60.0
"""Seconds after which a test that waits for a client gives up."""

CLIENT = """
import json, sys, time, traceback
from jina_rerank import Reranker

def outcome(job):
    start = time.monotonic()
    reranker = Reranker(**job, dtype="float32")
    result = {"repr": repr(reranker)}
    try:
        reranker.load()
        result["seconds"] = time.monotonic() - start
        ranking = reranker.rank("red planet", ["the sea is blue", "Mars is the red planet"])
        result["ranking"] = [[item.index, item.score] for item in ranking]
    except Exception as error:
        result["seconds"] = time.monotonic() - start
        result |= {"error": type(error).__name__, "message": str(error)}
        result["traceback"] = "".join(traceback.format_exception(error))
    return result

print(json.dumps({name: outcome(job) for name, job in json.loads(sys.argv[1]).items()}))
"""
"""What a client process runs: huggingface_hub reads its endpoint when it is imported, once."""

Jobs = dict[str, dict[str, Any]]
"""Arguments of rerankers to load and to rank with, one after the other, each by a name."""


def start(endpoint: str, home: Path, jobs: Jobs, **more: Any) -> subprocess.Popen[str]:
    """Start a process that loads rerankers from a hub; `more` is for `Popen`."""
    own = {"HF_ENDPOINT": endpoint, "HF_HOME": str(home)} | more.pop("env", {})
    env = {name: value for name, value in os.environ.items() if not name.startswith("HF_")} | own
    command = [sys.executable, "-c", CLIENT, json.dumps(jobs)]
    return subprocess.Popen(command, env=env, text=True, stdout=subprocess.PIPE, **more)


def finish(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Wait for a process of `start` and return what became of its jobs."""
    try:
        output, _ = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
    assert process.returncode == 0
    return dict(json.loads(output))


@dataclass(frozen=True, slots=True)
class Repo:
    """A model repository with one commit.

    Attributes:
        files: The content of each file.
        commit: What every branch and tag points to.
        refs: The branches and tags.
        token: Who may read it: everybody, or only a request with this token.
        error: Status and error code that answer every request instead.
        is_hub: False answers without the header that names the commit, as a captive portal does.
    """

    files: dict[str, bytes]
    commit: str = "c0ffee" + "0" * 34
    refs: tuple[str, ...] = ("main", "refs/pr/1")
    token: str | None = None
    error: tuple[int, str] | None = None
    is_hub: bool = True


@dataclass(frozen=True, slots=True)
class Request:
    """A request that the hub received."""

    method: str
    path: str
    headers: dict[str, str]


@dataclass(slots=True)
class Hold:
    """Stops downloads of a file after some bytes, until `release` is set.

    Attributes:
        after: Bytes to send first.
        drop: Close the connection there once, instead of waiting.
        reached: Set when a download has got that far.
    """

    after: int
    drop: bool = False
    reached: threading.Event = field(default_factory=threading.Event)
    release: threading.Event = field(default_factory=threading.Event)


class FakeHub(ThreadingHTTPServer):
    """The server. `serving` starts and stops it; the rest may be changed while it runs.

    Attributes:
        repos: Repositories by id.
        holds: Files whose downloads stop halfway, by ``repo/file``.
        sizes: Sizes to announce instead of the true ones, by ``repo/file``.
        requests: What was asked for, in order.
    """

    def __init__(self, repos: dict[str, Repo]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.repos = repos
        self.holds: dict[str, Hold] = {}
        self.sizes: dict[str, int] = {}
        self.requests: list[Request] = []
        self._arrived = threading.Condition()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @contextmanager
    def serving(self) -> Iterator["FakeHub"]:
        thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield self
        finally:
            for hold in self.holds.values():
                hold.release.set()
            self.shutdown()
            self.server_close()
            thread.join()

    def note(self, request: Request) -> None:
        with self._arrived:
            self.requests.append(request)
            self._arrived.notify_all()

    def asked(self, method: str, name: str) -> list[Request]:
        """Return the requests for a file."""
        return [r for r in self.requests if r.method == method and r.path.endswith(f"/{name}")]

    def wait(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition on the requests holds."""
        with self._arrived:
            assert self._arrived.wait_for(condition, PATIENCE)


class Handler(BaseHTTPRequestHandler):
    """Answers one connection of a `FakeHub`."""

    server: FakeHub
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = unquote(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.note(Request(self.command, path, headers))
        found = re.fullmatch(r"/([^/]+/[^/]+)/resolve/(.+?)/([^/]+)", path)
        if found is None:
            self._refuse(404, "NotFound")
            return
        name, revision, file = found.groups()
        repo = self.server.repos.get(name)
        if repo is None or repo.token not in {None, headers.get("authorization", "")[7:]}:
            self._refuse(404, "RepoNotFound")
        elif repo.error is not None:
            self._refuse(*repo.error)
        elif revision not in {repo.commit, *repo.refs}:
            self._refuse(404, "RevisionNotFound")
        elif file not in repo.files:
            self._refuse(404, "EntryNotFound", commit=repo.commit)
        else:
            self._send(f"{name}/{file}", repo, repo.files[file], headers.get("range"))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its own name
        """Say nothing."""

    def _refuse(self, status: int, code: str, commit: str | None = None) -> None:
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        if commit is not None:
            self.send_header("X-Repo-Commit", commit)
        self.end_headers()

    def _send(self, file: str, repo: Repo, content: bytes, wanted: str | None) -> None:
        head, whole = self.command == "HEAD", len(content)
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
        size = self.server.sizes.get(file, whole) if head else whole - start
        self.send_response(206 if wanted else 200)
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("Content-Length", str(size))
        if wanted:
            self.send_header("Content-Range", f"bytes {start}-{whole - 1}/{whole}")
        if repo.is_hub:
            self.send_header("X-Repo-Commit", repo.commit)
        self.end_headers()
        if not head:
            self._write(content[start:], self.server.holds.get(file))

    def _write(self, body: bytes, hold: Hold | None) -> None:
        try:
            if hold is not None and not hold.release.is_set():
                self.wfile.write(body[: hold.after])
                body = body[hold.after :]
                hold.reached.set()
                if hold.drop:
                    hold.release.set()
                    self.close_connection = True
                    return
                hold.release.wait(PATIENCE)
            self.wfile.write(body)
        except ConnectionError:  # the client was killed
            self.close_connection = True

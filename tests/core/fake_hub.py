"""A Hugging Face hub on loopback: enough of its HTTP to download from, and ways to misbehave.

What a client sees follows the hub: ``HEAD`` and ``GET /{org}/{repo}/resolve/{revision}/{file}``
with ``ETag``, ``X-Repo-Commit``, ``Content-Length`` and ranges; errors as a status with
``X-Error-Code``.
"""

import hashlib
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

PATIENCE = 60.0
"""Seconds after which a test that waits for a client gives up."""


@dataclass(frozen=True, slots=True)
class Repo:
    """A model repository with one commit.

    Attributes:
        files: The content of each file.
        commit: What every branch and tag points to.
        refs: The branches and tags.
        token: Who may read it: everybody, or only a request with this token.
        error: Status and error code that answer every request instead.
    """

    files: dict[str, bytes]
    commit: str = "c0ffee" + "0" * 34
    refs: tuple[str, ...] = ("main", "refs/pr/1")
    token: str | None = None
    error: tuple[int, str] | None = None


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
    """

    after: int
    drop: bool = False
    reached: threading.Event = field(default_factory=threading.Event)
    release: threading.Event = field(default_factory=threading.Event)


class FakeHub:
    """The server. `serving` starts and stops it; everything else may be changed while it runs.

    Attributes:
        repos: Repositories by id.
        holds: Files whose downloads stop halfway, by name.
        sizes: Sizes to announce instead of the true ones, by name.
        requests: What was asked for, in order.
    """

    def __init__(self) -> None:
        self.repos: dict[str, Repo] = {}
        self.holds: dict[str, Hold] = {}
        self.sizes: dict[str, int] = {}
        self.requests: list[Request] = []
        self._arrived = threading.Condition()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @contextmanager
    def serving(self) -> Iterator["FakeHub"]:
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield self
        finally:
            for hold in self.holds.values():
                hold.release.set()
            self._server.shutdown()
            self._server.server_close()
            thread.join()

    def note(self, request: Request) -> None:
        with self._arrived:
            self.requests.append(request)
            self._arrived.notify_all()

    def count(self, method: str, name: str) -> int:
        """How often a file was asked for."""
        asked = [r for r in self.requests if r.method == method and r.path.endswith(f"/{name}")]
        return len(asked)

    def wait(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition on `requests` holds."""
        with self._arrived:
            assert self._arrived.wait_for(condition, PATIENCE)


def _handler(hub: FakeHub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self._answer()

        def do_GET(self) -> None:
            self._answer()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its own name
            pass

        def _answer(self) -> None:
            path = unquote(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            hub.note(Request(self.command, path, headers))
            found = re.fullmatch(r"/([^/]+/[^/]+)/resolve/(.+?)/([^/]+)", path)
            if found is None:
                self._refuse(404, "NotFound")
                return
            name, revision, file = found.groups()
            repo = hub.repos.get(name)
            granted = repo is not None and repo.token in {None, self._token(headers)}
            if repo is None or not granted:
                self._refuse(404, "RepoNotFound")
            elif repo.error is not None:
                self._refuse(*repo.error)
            elif revision not in {repo.commit, *repo.refs}:
                self._refuse(404, "RevisionNotFound")
            elif file not in repo.files:
                self._refuse(404, "EntryNotFound", commit=repo.commit)
            else:
                self._send(file, repo.files[file], repo.commit, headers.get("range"))

        def _token(self, headers: dict[str, str]) -> str:
            return headers.get("authorization", "").removeprefix("Bearer ")

        def _refuse(self, status: int, code: str, commit: str | None = None) -> None:
            self.send_response(status)
            self.send_header("X-Error-Code", code)
            self.send_header("Content-Length", "0")
            if commit is not None:
                self.send_header("X-Repo-Commit", commit)
            self.end_headers()

        def _send(self, file: str, content: bytes, commit: str, wanted: str | None) -> None:
            start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
            announced = hub.sizes.get(file, len(content)) if self.command == "HEAD" else None
            self.send_response(206 if wanted else 200)
            self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
            self.send_header("X-Repo-Commit", commit)
            self.send_header("Content-Length", str(announced or len(content) - start))
            if wanted:
                whole = len(content)
                self.send_header("Content-Range", f"bytes {start}-{whole - 1}/{whole}")
            self.end_headers()
            if self.command == "GET":
                self._write(content[start:], hub.holds.get(file))

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

    return Handler

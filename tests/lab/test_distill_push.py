"""Push: what is uploaded to a hub, and what it says when that does not work."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from jina_rerank_lab.distillation.push import FILES

from .conftest import Run

PROGRAM = "import sys; from jina_rerank_lab.cli import main; sys.exit(main(sys.argv[1:]))"


class Hub(ThreadingHTTPServer):
    """As much of a hub as an upload needs; it takes every file whole, in the commit itself."""

    def __init__(self, status: int) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.status = status
        self.created: list[dict[str, Any]] = []
        self.files: list[str] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Hub

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path.endswith("/repos/create"):
            self.server.created.append(json.loads(body))
            self.answer({"url": f"{self.server.address}/me/small", "name": "me/small", "id": "1"})
        elif "/preupload/" in self.path:
            files = json.loads(body)["files"]
            modes = [
                {"path": file["path"], "uploadMode": "regular", "shouldIgnore": False}
                for file in files
            ]
            self.answer({"files": modes})
        elif "/commit/" in self.path:
            lines = [json.loads(line) for line in body.splitlines()]
            self.server.files += [line["value"]["path"] for line in lines if line["key"] == "file"]
            self.answer(
                {
                    "commitUrl": f"{self.server.address}/me/small/commit/1",
                    "commitOid": "1",
                    "success": True,
                }
            )
        else:
            self.answer({})

    def do_GET(self) -> None:
        self.answer({"id": "me/small", "sha": "0" * 40, "siblings": [], "private": True})

    def answer(self, value: Any) -> None:
        body = json.dumps(value).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(status: int = 200) -> Iterator[Hub]:
    with Hub(status) as hub:
        thread = threading.Thread(target=hub.serve_forever)
        thread.start()
        try:
            yield hub
        finally:
            hub.shutdown()
            thread.join()


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    for name in FILES:
        (folder / name).write_text("{}" if name.endswith(".json") else "---\nlicense: mit\n---\n")
    (folder / "notes.txt").write_text("not for the hub")
    return folder


def push(hub: Hub, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the program in a process of its own: huggingface_hub reads its endpoint once."""
    own = {"HF_ENDPOINT": hub.address, "HF_TOKEN": "hf_made_up"}
    env = {name: value for name, value in os.environ.items() if not name.startswith("HF_")} | own
    command = [sys.executable, "-c", PROGRAM, "push", *arguments]
    return subprocess.run(command, env=env, text=True, capture_output=True, check=False)


def test_push_uploads_the_files_of_a_model_to_a_private_repository(model: Path) -> None:
    with serving() as hub:
        ended = push(hub, str(model), "me/small")
    assert (ended.returncode, "uploaded to me/small" in ended.stderr) == (0, True)
    assert sorted(hub.files) == sorted(FILES)
    assert hub.created[0]["name"] == "small"
    assert hub.created[0]["visibility"] == "private"


def test_push_makes_a_public_repository_when_asked(model: Path) -> None:
    with serving() as hub:
        push(hub, str(model), "me/small", "--public")
    assert hub.created[0]["visibility"] == "public"


def test_a_hub_that_refuses_is_one_line_without_the_token(model: Path) -> None:
    with serving(401) as hub:
        ended = push(hub, str(model), "me/small")
    assert ended.returncode == 3
    assert "'me/small' was not uploaded" in ended.stderr
    assert "hf_made_up" not in ended.stderr


def test_push_without_a_card_says_what_is_missing(model: Path, run: Run) -> None:
    (model / "README.md").unlink()
    ended = run("push", model, "me/small")
    assert (ended.code, "has no README.md; make the directory with" in ended.err) == (1, True)


def test_push_to_a_name_that_is_none_is_refused(model: Path, run: Run) -> None:
    assert run("push", model, "me/../small").code == 1

import hashlib
import io
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from jina_rerank_lab import beir
from jina_rerank_lab.beir import locate

from jina_rerank.errors import JinaRerankError
from jina_rerank.lines import InputError


def archive(*names: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as zipped:
        for name in names:
            zipped.writestr(f"{name}/corpus.jsonl", "{}")
    return packed.getvalue()


FILES = {
    "/one.zip": archive("one"),
    "/many.zip": archive("many/b", "many/a"),
    "/broken.zip": b"no zip",
}
SUMS = {path[1:-4]: hashlib.md5(body).hexdigest() for path, body in FILES.items()}  # noqa: S324


class Handler(BaseHTTPRequestHandler):
    """Serves FILES."""

    def do_GET(self) -> None:
        body = FILES.get(self.path, b"")
        self.send_response(200 if body else 404)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, args=(0.01,)).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_folder_is_itself(tmp_path: Path) -> None:
    assert locate(str(tmp_path), tmp_path / "cache") == [tmp_path]


def test_name_is_downloaded_once(url: str, tmp_path: Path) -> None:
    (folder,) = locate("one", tmp_path, url=url, sums=SUMS)
    assert (folder / "corpus.jsonl").read_text() == "{}"
    assert folder.name == "one"
    assert locate("one", tmp_path, url="http://127.0.0.1:1", sums=SUMS) == [folder]


def test_collection_of_several_is_all_of_them(url: str, tmp_path: Path) -> None:
    found = locate("many", tmp_path, url=url, sums=SUMS)
    assert [folder.name for folder in found] == ["a", "b"]


def test_name_that_is_neither_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"no folder 'none', and no collection of BEIR .*: arguana"
    ):
        locate("none", tmp_path)


@pytest.mark.parametrize(
    ("name", "sums", "reason"),
    [
        ("one", {"one": "0" * 32}, "is not the archive that is known"),
        ("missing", {"missing": "0" * 32}, "404"),
        ("broken", SUMS, "File is not a zip file"),
    ],
)
def test_what_cannot_be_had_leaves_nothing(
    url: str, tmp_path: Path, name: str, sums: dict[str, str], reason: str
) -> None:
    with pytest.raises(JinaRerankError, match=reason):
        locate(name, tmp_path, url=url, sums=sums)
    assert list(tmp_path.iterdir()) == []


def test_machine_without_a_network_is_told_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(JinaRerankError, match="where there is a network, unpack it yourself"):
        locate("scifact", tmp_path, url="http://127.0.0.1:1")


def test_every_known_sum_is_one() -> None:
    assert {len(bytes.fromhex(md5)) for md5 in beir.SUMS.values()} == {16}

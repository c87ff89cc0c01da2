"""Loading from a hub: the first time, again, offline, at once, interrupted, and in vain."""

import fcntl
import os
import pty
import re
import shutil
import signal
import socket
import struct
import termios
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub.constants import DOWNLOAD_CHUNK_SIZE
from safetensors.torch import load, save

from jina_rerank import CheckpointError, Reranker

from .fake_hub import PATIENCE, FakeHub, Hold, Jobs, Repo, Request, finish, start

TURBO = "jinaai/jina-reranker-v1-turbo-en"
TURBO_COMMIT = "b8c14f4e723d9e0aab4732a7b7b93741eeeb77c2"
TOKEN = "hf_" + "s3cret" * 5
WEIGHTS = "model.safetensors"


@pytest.fixture(scope="module")
def files(mini: Path) -> dict[str, bytes]:
    """A small checkpoint."""
    return {path.name: path.read_bytes() for path in mini.iterdir()}


@pytest.fixture(scope="module")
def expected(mini: Path) -> list[Any]:
    """The ranking of the client's documents by the same checkpoint, without a hub."""
    with Reranker(mini, dtype="float32") as reranker:
        ranking = reranker.rank("red planet", ["the sea is blue", "Mars is the red planet"])
    return [[item.index, item.score] for item in ranking]


@pytest.fixture
def server(files: dict[str, bytes]) -> Iterator[FakeHub]:
    with FakeHub({"org/mini": Repo(files)}).serving() as fake:
        yield fake


@pytest.fixture(scope="module")
def closed() -> str:
    """An address where nobody answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture(scope="module")
def filled(files: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A cache after a first load, and what that load wrote to its terminal."""
    home = tmp_path_factory.mktemp("filled")
    terminal, stderr = pty.openpty()
    fcntl.ioctl(stderr, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    with FakeHub({"org/mini": Repo(files)}).serving() as fake:
        process = start(fake.url, home, {"main": {"model": "org/mini"}}, stderr=stderr)
        os.close(stderr)
        shown = b"".join(_read(terminal))
        assert "ranking" in finish(process)["main"]
    return home, shown.decode()


def _read(terminal: int) -> Iterator[bytes]:
    while True:
        try:
            yield os.read(terminal, 4096)
        except OSError:  # the other end is closed
            os.close(terminal)
            return


@pytest.fixture
def cache(filled: tuple[Path, str], tmp_path: Path) -> Path:
    """A copy of the cache after a first load."""
    return Path(shutil.copytree(filled[0] / "hub", tmp_path / "cache", symlinks=True))


def test_first_load_on_a_terminal_shows_each_download_with_its_size(
    filled: tuple[Path, str],
) -> None:
    assert re.search(r"model\.safetensors: 100%.*1\.00M/1\.00M", filled[1])
    assert re.search(r"tokenizer\.json: 100%.*13\.4k/13\.4k", filled[1])


def test_second_load_that_is_pinned_or_local_sends_no_request(
    server: FakeHub, cache: Path, tmp_path: Path, expected: list[Any]
) -> None:
    pinned: dict[str, Any] = {"model": "org/mini", "revision": Repo({}).commit}
    local = {"model": "org/mini", "local_files_only": True}
    jobs = {name: {**job, "cache_dir": str(cache)} for name, job in (("1", pinned), ("2", local))}
    outcomes = finish(start(server.url, tmp_path, jobs))
    assert [outcome.get("ranking") for outcome in outcomes.values()] == [expected] * 2
    assert [request.path for request in server.requests] == []


@pytest.fixture(scope="module")
def unreachable(filled: tuple[Path, str], closed: str, tmp_path_factory: Any) -> dict[str, Any]:
    """Loads with the hub gone; the first in a process pays for its imports."""
    jobs: Jobs = {
        "pinned": {"model": "org/mini", "revision": Repo({}).commit},
        "main": {"model": "org/mini"},
        "local_files_only": {"model": "org/mini", "local_files_only": True},
        "absent": {"model": "org/other"},
        "absent, local_files_only": {"model": "org/other", "local_files_only": True},
    }
    for job in jobs.values():
        job["cache_dir"] = str(filled[0] / "hub")
    return finish(start(closed, tmp_path_factory.mktemp("home"), jobs))


@pytest.mark.parametrize("job", ["pinned", "main", "local_files_only"])
def test_hub_gone_loads_from_the_cache(
    job: str, unreachable: dict[str, Any], expected: list[Any]
) -> None:
    assert unreachable[job].get("ranking") == expected


def test_hub_gone_and_nothing_cached_fails_soon_and_says_how_to_bring_the_files(
    unreachable: dict[str, Any],
) -> None:
    outcome = unreachable["absent"]
    assert outcome["error"] == "ModelNotFoundError"
    assert "cannot be reached" in outcome["message"]
    assert "hf download org/other" in outcome["message"]
    assert outcome["seconds"] < 5


def test_local_files_only_and_nothing_cached_names_the_keyword(unreachable: dict[str, Any]) -> None:
    outcome = unreachable["absent, local_files_only"]
    assert outcome["error"] == "ModelNotFoundError"
    assert "local_files_only is set" in outcome["message"]
    assert "hf download org/other" in outcome["message"]


@pytest.fixture(scope="module")
def offline(filled: tuple[Path, str], closed: str) -> dict[str, Any]:
    jobs: Jobs = {"cached": {"model": "org/mini"}, "absent": {"model": "org/other"}}
    return finish(start(closed, filled[0], jobs, env={"HF_HUB_OFFLINE": "1"}))


def test_offline_mode_of_the_hub_loads_from_the_cache(
    offline: dict[str, Any], expected: list[Any]
) -> None:
    assert offline["cached"].get("ranking") == expected


def test_offline_mode_of_the_hub_and_nothing_cached_names_it(offline: dict[str, Any]) -> None:
    assert offline["absent"]["error"] == "ModelNotFoundError"
    assert "HF_HUB_OFFLINE" in offline["absent"]["message"]
    assert "hf download org/other" in offline["absent"]["message"]


def test_process_killed_in_a_download_leaves_a_cache_that_loads(
    server: FakeHub, tmp_path: Path, expected: list[Any]
) -> None:
    hold = server.holds[f"org/mini/{WEIGHTS}"] = Hold(after=500_000)
    process = start(server.url, tmp_path, {"killed": {"model": "org/mini"}})
    assert hold.reached.wait(PATIENCE)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=PATIENCE)
    hold.release.set()
    assert list(tmp_path.glob("hub/models--org--mini/blobs/*.incomplete"))
    outcome = finish(start(server.url, tmp_path, {"next": {"model": "org/mini"}}))["next"]
    assert outcome["ranking"] == expected


def test_two_processes_loading_at_once_share_one_download_and_a_whole_cache(
    server: FakeHub, files: dict[str, bytes], tmp_path: Path, expected: list[Any]
) -> None:
    hold = server.holds[f"org/mini/{WEIGHTS}"] = Hold(after=500_000)
    jobs: Jobs = {"both": {"model": "org/mini"}}
    processes = [
        start(server.url, tmp_path, jobs, env={"HF_HUB_USER_AGENT_ORIGIN": name})
        for name in ("first", "second")
    ]
    assert hold.reached.wait(PATIENCE)
    server.wait(lambda: len({r.headers["user-agent"] for r in server.asked("HEAD", WEIGHTS)}) == 2)
    hold.release.set()
    assert [finish(process)["both"].get("ranking") for process in processes] == [expected] * 2
    snapshot = tmp_path / "hub" / "models--org--mini" / "snapshots" / Repo({}).commit
    assert {path.name: path.read_bytes() for path in snapshot.iterdir()} == files
    assert len(server.asked("GET", WEIGHTS)) == 1


def _enlarged(weights: bytes) -> bytes:
    """Add a buffer that loading ignores: huggingface_hub writes only whole chunks to the disk."""
    buffer = torch.zeros(DOWNLOAD_CHUNK_SIZE + 1000, dtype=torch.uint8)
    return save({**load(weights), "bert.embeddings.position_ids": buffer})


@pytest.fixture(scope="module")
def served(
    files: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, Any], list[Request]]:
    """Loads from a hub that is there, most of them in vain, and what they asked it for."""
    repos = {
        "org/mini": Repo(files),
        TURBO: Repo(files, commit=TURBO_COMMIT, refs=()),
        "org/private": Repo(files, token=TOKEN),
        "org/gated": Repo(files, error=(403, "GatedRepo")),
        "org/denied": Repo(files, error=(401, "")),
        "org/down": Repo(files, error=(503, "")),
        "org/portal": Repo(files, is_hub=False),
        "org/partial": Repo({name: files[name] for name in files if name != WEIGHTS}),
        "org/damaged": Repo({**files, WEIGHTS: files[WEIGHTS][:700_000]}),
        "org/dropped": Repo({**files, WEIGHTS: _enlarged(files[WEIGHTS])}),
        "org/short": Repo(files),
    }
    fake = FakeHub(repos)
    fake.holds[f"org/dropped/{WEIGHTS}"] = Hold(after=DOWNLOAD_CHUNK_SIZE + 9, drop=True)
    fake.sizes[f"org/short/{WEIGHTS}"] = 2_000_000
    home = tmp_path_factory.mktemp("home")
    (home / "file").touch()
    jobs: Jobs = {name.removeprefix("org/"): {"model": name} for name in repos}
    jobs |= {
        "turbo": {"model": "turbo"},
        "with the token": {"model": "org/private", "token": TOKEN},
        "with a wrong token": {"model": "org/gated", "token": TOKEN},
        "with an expired token": {"model": "org/denied", "token": TOKEN},
        "no such repo": {"model": "org/nothing"},
        "no such revision": {"model": "org/mini", "revision": "v9"},
        "a pull request": {"model": "org/mini", "revision": "refs/pr/1"},
        "not a repo": {"model": "org/mini/subfolder"},
        "cache is a file": {"model": "org/mini", "cache_dir": str(home / "file")},
    }
    with fake.serving():
        return finish(start(fake.url, home, jobs)), fake.requests


@pytest.mark.parametrize(
    "job", ["mini", "turbo", TURBO, "with the token", "a pull request", "dropped"]
)
def test_repo_that_may_be_read_loads(job: str, served: Any, expected: list[Any]) -> None:
    assert served[0][job].get("ranking") == expected, served[0][job]


def test_dropped_connection_goes_on_where_it_stopped(served: Any) -> None:
    downloads = [
        request.headers.get("range")
        for request in served[1]
        if request.method == "GET" and request.path == f"/org/dropped/resolve/main/{WEIGHTS}"
    ]
    assert downloads == [None, f"bytes={DOWNLOAD_CHUNK_SIZE}-"]


@pytest.mark.parametrize(
    ("job", "kind", "names"),
    [
        ("no such repo", "ModelNotFoundError", ["'org/nothing'", "turbo, tiny", "hf auth login"]),
        ("not a repo", "ModelNotFoundError", ["'org/mini/subfolder'", "no directory here"]),
        ("no such revision", "ModelNotFoundError", ["'v9'", "'org/mini'"]),
        ("partial", "ModelNotFoundError", [WEIGHTS, "'org/partial'", "main"]),
        ("private", "ModelNotFoundError", ["'org/private'", "hf auth login"]),
        ("gated", "ModelNotFoundError", ["'org/gated'", "hf auth login"]),
        ("with a wrong token", "ModelNotFoundError", ["'org/gated'", "hf auth login"]),
        ("with an expired token", "ModelNotFoundError", ["'org/denied'", "hf auth login"]),
        ("down", "ModelNotFoundError", ["'org/down'", "try again later"]),
        ("portal", "ModelNotFoundError", ["'org/portal'", "hf download org/portal"]),
        ("short", "ModelNotFoundError", [WEIGHTS, "'org/short'", "try again"]),
        ("cache is a file", "ModelNotFoundError", ["could not be stored", "cache_dir"]),
        ("damaged", "CheckpointError", ["download it again"]),
    ],
)
def test_repo_that_cannot_be_read_says_what_to_do(
    job: str, kind: str, names: list[str], served: Any
) -> None:
    outcome = served[0][job]
    assert outcome.get("error") == kind, outcome
    missing = [name for name in names if name not in outcome["message"]]
    assert not missing, outcome["message"]


def test_turbo_asks_for_its_pinned_revision(served: Any) -> None:
    asked = {r.path for r in served[1] if r.path.startswith(f"/{TURBO}/")}
    names = ("config.json", "tokenizer.json", WEIGHTS)
    assert asked == {f"/{TURBO}/resolve/{TURBO_COMMIT}/{name}" for name in names}


def test_token_travels_only_as_authorization_and_shows_nowhere(served: Any) -> None:
    outcomes, requests = served
    carriers = {
        (name, value)
        for request in requests
        for name, value in [("path", request.path), *request.headers.items()]
        if TOKEN in value
    }
    assert carriers == {("authorization", f"Bearer {TOKEN}")}
    assert [name for name, outcome in outcomes.items() if TOKEN in str(outcome)] == []


def test_damaged_file_of_the_cache_is_fetched_again_once_the_one_named_is_deleted(
    server: FakeHub, cache: Path, tmp_path: Path, expected: list[Any]
) -> None:
    (snapshot,) = cache.glob(f"*/snapshots/*/{WEIGHTS}")
    with snapshot.open("r+b") as file:
        file.truncate(700_000)
    with pytest.raises(CheckpointError, match="download it again") as caught:
        Reranker("org/mini", cache_dir=cache, local_files_only=True).load()
    named = re.search("'([^']+)'", str(caught.value))
    assert named is not None
    Path(named[1]).unlink()
    jobs: Jobs = {"again": {"model": "org/mini", "cache_dir": str(cache)}}
    outcome = finish(start(server.url, tmp_path, jobs))["again"]
    assert outcome.get("ranking") == expected, outcome

"""The package without extras: what works, and what it says of what is missing.

Each program runs as if no extra were installed, so that these tests say the same in an environment
with all of them and in one without any.
"""

import subprocess
import sys

import pytest

EXTRAS = ["huggingface_hub", "numpy", "rich", "safetensors", "tokenizers", "torch", "tqdm"]
EXTRAS += ["transformers", "typer", "jina_rerank_nano"]

HIDE = f"""
import sys
class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name in {EXTRAS}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Hidden())
"""


def light(program: str) -> "subprocess.CompletedProcess[str]":
    """Run a program that finds no extra."""
    return subprocess.run(
        [sys.executable, "-c", HIDE + program], capture_output=True, text=True, check=False
    )


def test_own_backend_ranks_without_extras() -> None:
    done = light("""
from jina_rerank import Backend, Reranker, Scores
class Length(Backend):
    def score(self, query, documents):
        return Scores(values=[float(len(text)) for text in documents])
print([item.index for item in Reranker(backend=Length()).rank("q", ["a", "", "ccc", "bb"])])
""")
    assert (done.stdout, done.stderr) == ("[2, 3, 0, 1]\n", "")


def test_async_forms_work_without_extras() -> None:
    done = light("""
import asyncio
from jina_rerank import Reranker
from jina_rerank.testing import FakeBackend
print(asyncio.run(Reranker(backend=FakeBackend()).ascore("red planet", ["a red sea", "the sea"])))
""")
    assert (done.stdout, done.stderr) == ("[0.5, 0.0]\n", "")


def test_service_is_asked_without_extras() -> None:
    done = light("""
import asyncio
from jina_rerank import Reranker
from jina_rerank.testing import FakeServer
with FakeServer() as server, Reranker(base_url=server.url) as reranker:
    print(reranker.score("red planet", ["a red sea", "the sea"]))
    print(asyncio.run(reranker.ascore("red planet", ["a red sea", "the sea"])))
""")
    assert (done.stdout, done.stderr) == ("[0.5, 0.0]\n[0.5, 0.0]\n", "")


def test_bar_without_its_library_is_an_error_with_the_command() -> None:
    done = light("""
from jina_rerank import MissingDependencyError, Reranker
from jina_rerank.testing import FakeServer
with FakeServer() as server, Reranker(base_url=server.url, show_progress=True) as reranker:
    try:
        reranker.score("red planet", ["a red sea"])
    except MissingDependencyError as error:
        print(error)
""")
    assert (done.stdout, done.stderr) == ("show_progress needs tqdm: pip install tqdm\n", "")


def test_contracts_load_without_extras_and_without_pytest() -> None:
    done = light("""
from jina_rerank.testing import BackendContract, FakeBackend, RerankerContract
BackendContract().test_score_many_equals_score(FakeBackend())
print("pytest" in sys.modules)
""")
    assert (done.stdout, done.stderr) == ("False\n", "")


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("turbo", "backend='local' needs torch: pip install 'jina-rerank[local]'"),
        ("nano", "backend='local' needs torch: pip install 'jina-rerank[nano]'"),
    ],
)
def test_missing_engine_is_an_error_with_the_command(model: str, message: str) -> None:
    done = light(f"""
from jina_rerank import MissingDependencyError, Reranker
reranker = Reranker({model!r})  # a constructor loads nothing
try:
    reranker.rank("a question", ["a text"])
except MissingDependencyError as error:
    print(error)
""")
    assert (done.stdout, done.stderr) == (f"{message}\n", "")


def test_missing_engine_is_no_failure_to_keep_the_order_for() -> None:
    done = light("""
from jina_rerank import Reranker
Reranker(on_error="keep-order").rank("a question", ["a text"])
""")
    assert done.returncode == 1
    assert "MissingDependencyError" in done.stderr


def test_bad_arguments_are_refused_before_the_engine_is_missed() -> None:
    done = light("""
from jina_rerank import Reranker
try:
    Reranker("turbo").rank("a question", ["a text"], top_n=0)
except ValueError as error:
    print(error)
""")
    assert (done.stdout, done.stderr) == ("top_n must be at least 1, got 0\n", "")


def test_program_without_its_extra_says_how_to_install_it() -> None:
    done = light("""
from jina_rerank.cli import main
sys.exit(main(["models"]))
""")
    assert done.returncode == 3
    assert done.stdout == ""
    needs, command = done.stderr.rstrip().split(": pip install ")
    assert needs.startswith("jina-rerank: the command line needs ")
    assert command == "'jina-rerank[cli]'"

"""`JinaRanker`: what Haystack gives it and gets from it, over a backend without a model and nano."""

import asyncio
import copy
import inspect
import json
import logging
import pickle
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from haystack import Document, Pipeline, component
from haystack.core.errors import DeserializationError
from haystack.dataclasses import ByteStream
from haystack.tracing.tracer import Span, Tracer, disable_tracing, enable_tracing, tracer
from haystack.utils import ComponentDevice, Secret
from haystack_integrations.components.rankers.jina_rerank import JinaRanker, JinaRerank
from hypothesis import given
from hypothesis import strategies as st
from openinference.instrumentation.haystack import HaystackInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pydantic import SecretStr

from jina_rerank import APIConnectionError, MissingDependencyError, Reranker, Scores
from jina_rerank.testing import FakeBackend

TYPE = "haystack_integrations.components.rankers.jina_rerank.ranker.JinaRanker"
QUERY = "red planet"
KEY = "jina_0123456789"

LOCAL: dict[str, Any] = {
    "model": "org/name",
    "backend": "local",
    "top_k": 3,
    "score_threshold": 0.25,
    "max_length": 4096,
    "overlength": "window",
    "max_query_length": 64,
    "overlap": 40,
    "device": "cuda:1",
    "dtype": "float32",
    "batch_tokens": 1024,
    "compile": True,
    "revision": "main",
    "cache_dir": "models",
    "local_files_only": True,
    "cache": 1000,
    "show_progress": True,
    "on_error": "keep-order",
    "query_prefix": "query: ",
    "query_suffix": " ?",
    "document_prefix": "passage: ",
    "document_suffix": " .",
    "meta_fields_to_embed": ["title", "year"],
    "embedding_separator": " | ",
    "keep_retrieval_score": True,
}
API: dict[str, Any] = {
    "model": "jina-reranker-v2-base-multilingual",
    "backend": "api",
    "base_url": "http://localhost:8080/v1",
    "dialect": "cohere",
    "headers": {"X-Team": "search"},
    "verify": "/etc/ca.pem",
    "timeout": [1.5, 30],
    "deadline": 60.0,
    "attempts": 5,
    "max_concurrency": 8,
    "max_documents_per_request": 64,
    "requests_per_minute": 60,
    "tokens_per_minute": 50_000,
    "split": "allow",
}
SAGEMAKER: dict[str, Any] = {
    "backend": "sagemaker",
    "endpoint_name": "my-endpoint",
    "region": "eu-central-1",
    "profile": "work",
    "inference_component": "part",
    "target_variant": "blue",
}


def texts(*contents: str | None) -> list[Document]:
    return [Document(id=str(i), content=content) for i, content in enumerate(contents)]


def ids(output: Mapping[str, Any]) -> list[str]:
    return [document.id for document in output["documents"]]


@pytest.fixture
def backend() -> FakeBackend:
    return FakeBackend()


@pytest.fixture
def documents() -> list[Document]:
    return texts("a blue sea", "a red planet", "a red sea")


@pytest.fixture(scope="module")
def nano() -> Reranker:
    return Reranker("nano", dtype="float32")


# Ranking


def test_documents_come_best_first_with_python_floats(
    backend: FakeBackend, documents: list[Document]
) -> None:
    output = JinaRanker(backend=backend).run(query=QUERY, documents=documents)
    assert [(d.id, d.score) for d in output["documents"]] == [("1", 1.0), ("2", 0.5), ("0", 0.0)]
    assert all(type(document.score) is float for document in output["documents"])


def test_real_model_puts_the_answer_first(nano: Reranker) -> None:
    documents = texts(
        "Bread rises because yeast makes gas.", "Mars is red: iron rust.", "Blue sea."
    )
    best, *_ = JinaRanker(reranker=nano).run("Which planet is red?", documents)["documents"]
    assert best.id == "1"
    assert best.score == nano.score("Which planet is red?", ["Mars is red: iron rust."])[0]


def test_ties_keep_the_input_order(backend: FakeBackend) -> None:
    output = JinaRanker(backend=backend).run(query="red", documents=texts("red", "red", "red"))
    assert ids(output) == ["0", "1", "2"]


@dataclass
class Page(Document):
    """A document as a user may extend it."""

    number: int = 7


@pytest.mark.filterwarnings("ignore:Mutating attribute 'id'")  # Haystack's own, in the constructor
def test_everything_but_the_score_survives(backend: FakeBackend) -> None:
    page = Page(
        id="p",
        content="red",
        meta={"title": "t", "nested": {"a": [1]}},
        blob=ByteStream(b"x"),
        embedding=[0.5],
        score=0.1,
        number=3,
    )
    (found,) = JinaRanker(backend=backend).run(query="red", documents=[page])["documents"]
    assert isinstance(found, Page)
    assert found.to_dict(flatten=False) == {**page.to_dict(flatten=False), "score": 1.0}


def test_inputs_are_not_changed(backend: FakeBackend) -> None:
    documents = [Document(content="red", meta={"title": "t"}, score=0.3), *texts(None, "blue")]
    before = copy.deepcopy(documents)
    ranker = JinaRanker(backend=backend, keep_retrieval_score=True, meta_fields_to_embed=["title"])
    output = ranker.run(query=QUERY, documents=documents, top_k=2)
    output["documents"][0].meta["new"] = 1
    assert documents == before


def test_output_names_model_and_usage(backend: FakeBackend, documents: list[Document]) -> None:
    meta = JinaRanker(backend=backend).run(query=QUERY, documents=documents)["meta"]
    assert meta == {"model": "fake", "usage": {"total_tokens": 15}, "failed": False}


# Top k and threshold


@pytest.mark.parametrize(("top_k", "expected"), [(None, 3), (1, 1), (3, 3), (99, 3)])
def test_top_k_of_the_constructor_cuts(
    backend: FakeBackend, documents: list[Document], top_k: int | None, expected: int
) -> None:
    ranker = JinaRanker(backend=backend, top_k=top_k)
    assert len(ranker.run(query=QUERY, documents=documents)["documents"]) == expected


def test_top_k_of_the_run_wins(backend: FakeBackend, documents: list[Document]) -> None:
    ranker = JinaRanker(backend=backend, top_k=1)
    assert ids(ranker.run(query=QUERY, documents=documents, top_k=2)) == ["1", "2"]
    assert ids(ranker.run(query=QUERY, documents=documents)) == ["1"]


@pytest.mark.parametrize("top_k", [0, -3])
def test_top_k_below_one_is_refused_by_its_name(documents: list[Document], top_k: int) -> None:
    with pytest.raises(ValueError, match=f"top_k must be > 0, but got {top_k}"):
        JinaRanker(top_k=top_k)
    with pytest.raises(ValueError, match=f"top_k must be > 0, but got {top_k}"):
        JinaRanker(backend=FakeBackend()).run(query=QUERY, documents=documents, top_k=top_k)


def test_top_k_of_another_type_is_refused_by_its_name(documents: list[Document]) -> None:
    with pytest.raises(TypeError, match="top_k must be an integer"):
        JinaRanker(top_k="3")  # type: ignore[arg-type] # the point of the test
    with pytest.raises(TypeError, match="top_k must be an integer"):
        JinaRanker(backend=FakeBackend()).run(QUERY, documents, top_k=2.0)  # type: ignore[arg-type]


def test_threshold_keeps_equal_scores(backend: FakeBackend, documents: list[Document]) -> None:
    ranker = JinaRanker(backend=backend, score_threshold=0.5)
    assert ids(ranker.run(query=QUERY, documents=documents)) == ["1", "2"]


def test_zero_threshold_of_the_run_wins(backend: FakeBackend, documents: list[Document]) -> None:
    ranker = JinaRanker(backend=backend, score_threshold=0.9)
    output = ranker.run(query=QUERY, documents=documents, score_threshold=0.0)
    assert ids(output) == ["1", "2", "0"]


def test_threshold_above_all_scores_gives_no_documents(
    backend: FakeBackend, documents: list[Document]
) -> None:
    output = JinaRanker(backend=backend).run(QUERY, documents, score_threshold=1.5)
    assert output["documents"] == []
    assert output["meta"]["usage"] == {"total_tokens": 15}


# Texts


def test_prefixes_and_suffixes_surround_the_texts(backend: FakeBackend) -> None:
    ranker = JinaRanker(
        backend=backend,
        query_prefix="q: ",
        query_suffix=" ?",
        document_prefix="d: ",
        document_suffix=" .",
    )
    ranker.run(query="red", documents=texts("sea"))
    assert backend.requests == [("q: red ?", ["d: sea ."])]


def test_meta_fields_come_before_the_content(backend: FakeBackend) -> None:
    ranker = JinaRanker(
        backend=backend, meta_fields_to_embed=["title", "year", "lang"], embedding_separator=" | "
    )
    full = Document(content="sea", meta={"lang": "en", "title": "Mars", "year": 0, "other": "no"})
    part = Document(content="sea", meta={"title": None, "year": False})
    ranker.run(query="red", documents=[full, part, Document(content="sea")])
    assert backend.requests[0][1] == ["Mars | 0 | en | sea", "False | sea", "sea"]


def test_title_alone_is_read(backend: FakeBackend) -> None:
    ranker = JinaRanker(backend=backend, meta_fields_to_embed=["title"])
    image = Document(blob=ByteStream(b"x"), meta={"title": "red"})
    (found,) = ranker.run(query="red", documents=[image])["documents"]
    assert found.score == 1.0


@pytest.mark.parametrize("query", ["", " \n"])
def test_blank_query_is_refused_with_a_prefix_too(query: str, documents: list[Document]) -> None:
    ranker = JinaRanker(backend=FakeBackend(), query_prefix="q: ")
    with pytest.raises(ValueError, match="query must not be blank"):
        ranker.run(query=query, documents=documents)


def test_query_that_is_no_text_is_refused(documents: list[Document]) -> None:
    ranker = JinaRanker(backend=FakeBackend())
    with pytest.raises(TypeError, match="query must be a string, got NoneType"):
        ranker.run(query=None, documents=documents)  # type: ignore[arg-type]


# Odd inputs


def test_no_documents_give_every_output_and_ask_nothing(backend: FakeBackend) -> None:
    output = JinaRanker(backend=backend).run(query=QUERY, documents=[])
    assert output == {
        "documents": [],
        "meta": {"model": "fake", "usage": {"total_tokens": 0}, "failed": False},
    }
    assert backend.requests == []


def test_documents_without_text_come_last_with_zero(backend: FakeBackend) -> None:
    image = Document(id="image", blob=ByteStream(b"\x89PNG", mime_type="image/png"), score=0.9)
    documents = [image, *texts(None, " \n", "a red sea")]
    output = JinaRanker(backend=backend, document_prefix="d: ").run(QUERY, documents)
    assert [(d.id, d.score) for d in output["documents"]] == [
        ("2", 0.5),
        ("image", 0.0),
        ("0", 0.0),
        ("1", 0.0),
    ]
    assert backend.requests == [(QUERY, ["d: a red sea"])]


def test_only_blank_documents_ask_nothing(backend: FakeBackend) -> None:
    output = JinaRanker(backend=backend).run(query=QUERY, documents=texts("", None))
    assert ids(output) == ["0", "1"]
    assert backend.requests == []


def test_duplicate_ids_are_ranked_once_with_the_higher_score(backend: FakeBackend) -> None:
    same = [Document(id="a", content="red", score=score) for score in (0.2, None, 0.7, 0.1)]
    ranker = JinaRanker(backend=backend, keep_retrieval_score=True)
    output = ranker.run(query="red", documents=[*same, Document(id="b", content="blue")])
    assert ids(output) == ["a", "b"]
    assert output["documents"][0].meta["retrieval_score"] == 0.7
    assert backend.requests == [("red", ["red", "blue"])]


def test_one_document_is_ranked(backend: FakeBackend) -> None:
    assert ids(JinaRanker(backend=backend).run(query="red", documents=texts("red"))) == ["0"]


def test_thousand_documents_are_ranked(nano: Reranker) -> None:
    documents = [Document(id=str(i), content=f"Note {i}.") for i in range(999)]
    documents.append(Document(id="mars", content="Mars is the red planet."))
    output = JinaRanker(reranker=nano, top_k=5).run("Which planet is red?", documents)
    assert ids(output)[0] == "mars"
    assert len(output["documents"]) == 5


def test_query_of_ten_thousand_words_is_cut() -> None:
    query = "Which planet is red? " * 2500
    ranker = JinaRanker("nano", max_length=512)
    output = ranker.run(query, texts("Mars is red.", "Bread rises."))
    assert sorted(ids(output)) == ["0", "1"]
    assert output["meta"]["usage"] == {"total_tokens": 2 * 512}


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.none() | st.text(max_size=9), st.none() | st.floats())
    )
)
def test_any_documents_come_out_once_each_and_sorted(
    rows: list[tuple[str, str | None, float | None]],
) -> None:
    documents = [Document(id=i, content=content, score=score) for i, content, score in rows]
    found = JinaRanker(backend=FakeBackend()).run(query=QUERY, documents=documents)["documents"]
    assert sorted(d.id for d in found) == sorted({i for i, _, _ in rows})
    scores = [d.score for d in found]
    assert scores == sorted(scores, reverse=True)


# The retrieval score


def test_retrieval_score_is_kept_on_request(backend: FakeBackend) -> None:
    documents = [Document(content="red", score=0.3, meta={"title": "t"}), Document(content="blue")]
    ranker = JinaRanker(backend=backend, keep_retrieval_score=True)
    first, second = ranker.run(query="red", documents=documents)["documents"]
    assert first.meta == {"title": "t", "retrieval_score": 0.3}
    assert second.meta == {}


def test_retrieval_score_is_not_kept_unasked(backend: FakeBackend) -> None:
    (found,) = JinaRanker(backend=backend).run("red", [Document(content="red", score=0.3)])[
        "documents"
    ]
    assert found.meta == {}


# Failure


@pytest.fixture
def failing() -> FakeBackend:
    return FakeBackend(error=APIConnectionError("refused"))


def test_failure_is_raised_by_default(failing: FakeBackend, documents: list[Document]) -> None:
    with pytest.raises(APIConnectionError, match="refused"):
        JinaRanker(backend=failing).run(query=QUERY, documents=documents)


def test_failure_keeps_order_and_retrieval_scores_on_request(
    failing: FakeBackend, caplog: pytest.LogCaptureFixture
) -> None:
    documents = [Document(content=word, score=0.1, meta={"n": word}) for word in ("sea", "red")]
    ranker = JinaRanker(
        backend=failing, on_error="keep-order", score_threshold=0.9, keep_retrieval_score=True
    )
    with caplog.at_level(logging.WARNING, "jina_rerank"):
        output = ranker.run(query="secret-query", documents=[*documents, documents[0]])
    assert output["documents"] == documents
    assert output["meta"] == {"model": "fake", "usage": {"total_tokens": 0}, "failed": True}
    assert len(caplog.records) == 1
    assert "secret-query" not in caplog.text


async def test_failure_keeps_order_asynchronously(
    failing: FakeBackend, documents: list[Document]
) -> None:
    ranker = JinaRanker(backend=failing, on_error="keep-order", top_k=2)
    output = await ranker.run_async(query=QUERY, documents=documents)
    assert ids(output) == ["0", "1"]
    assert output["meta"]["failed"]


# Constructor


def test_light_install_ranks_with_another_backend() -> None:
    code = f"""
import sys
sys.modules |= dict.fromkeys(("torch", "transformers", "tokenizers", "safetensors"))
from haystack import Document
from {TYPE.rsplit(".", 2)[0]} import JinaRanker
from jina_rerank.testing import FakeBackend
ranker = JinaRanker(backend=FakeBackend())
ranker.warm_up()
print(ranker.run("red", [Document(content="red")])["documents"][0].score)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "1.0\n"


def test_names_are_one_class() -> None:
    assert JinaRerank is JinaRanker


def defaults(function: Any) -> dict[str, Any]:
    """Name the keywords of a constructor and what they are by default."""
    parameters = inspect.signature(function).parameters.items()
    return {name: word.default for name, word in parameters if name != "self"}


OWN = defaults(JinaRanker.__init__)


def test_unknown_keyword_is_refused_by_name() -> None:
    with pytest.raises(TypeError, match="top_n"):
        JinaRanker("turbo", top_n=3)  # type: ignore[call-arg] # the point of the test


@pytest.mark.parametrize(
    ("word", "value", "error"),
    [
        ("model", "", ValueError),
        ("overlength", "error", ValueError),
        ("api_key", " ", ValueError),
        ("token", 7, TypeError),
        ("base_url", 7, TypeError),
        ("timeout", 0, ValueError),
        ("score_threshold", float("nan"), ValueError),
        ("query_prefix", None, TypeError),
        ("document_suffix", 7, TypeError),
        ("embedding_separator", None, TypeError),
        ("meta_fields_to_embed", "title", TypeError),
        ("keep_retrieval_score", "yes", TypeError),
        ("reranker", "turbo", TypeError),
    ],
)
def test_bad_argument_is_refused_by_name(word: str, value: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=word):
        JinaRanker(**{word: value})


def test_constructor_reads_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MY_KEY", raising=False)
    ranker = JinaRanker(api_key=Secret.from_env_var("MY_KEY"))
    assert ranker.reranker.settings.backend_name == "api"


def test_arguments_of_the_official_ranker_are_taken() -> None:
    ranker = JinaRanker("jina-reranker-v2-base-multilingual", Secret.from_env_var("K"), 5, 0.1)
    assert ranker.reranker.settings.backend_name == "api"
    assert (ranker.top_k, ranker.score_threshold) == (5, 0.1)
    assert ranker.model == "jina-reranker-v2-base-multilingual"


def test_component_device_is_taken() -> None:
    ranker = JinaRanker(device=ComponentDevice.from_str("cuda:1"))
    assert ranker.reranker.settings.device == "cuda:1"


# A shared reranker


def test_shared_reranker_is_used_with_own_cuts(
    backend: FakeBackend, documents: list[Document]
) -> None:
    shared = Reranker(backend=backend, top_n=1, score_threshold=0.5)
    assert ids(JinaRanker(reranker=shared).run(QUERY, documents)) == ["1"]
    wide = JinaRanker(reranker=shared, top_k=3, score_threshold=0.0)
    assert ids(wide.run(QUERY, documents)) == ["1", "2", "0"]
    assert len(backend.requests) == 2


@pytest.mark.parametrize(
    "word", [{"model": "tiny"}, {"max_length": 8}, {"api_key": "k"}, {"compile": True}]
)
def test_shared_reranker_beside_other_arguments_is_refused(word: dict[str, Any]) -> None:
    (name,) = word
    with pytest.raises(ValueError, match=f"{name} cannot change a reranker that exists"):
        JinaRanker(reranker=Reranker(backend=FakeBackend()), **word)


def test_shared_reranker_stays_open(backend: FakeBackend, documents: list[Document]) -> None:
    shared = Reranker(backend=backend)
    ranker = JinaRanker(reranker=shared)
    ranker.close()
    asyncio.run(ranker.close_async())
    assert ranker.reranker is shared
    assert len(shared.rank(QUERY, ["red"])) == 1


# Life cycle


class Loading(FakeBackend):
    """A backend that counts how often it is told to load."""

    loads = 0

    def load(self) -> None:
        self.loads += 1
        if self.error is not None:
            raise self.error


def test_warm_up_loads() -> None:
    backend = Loading()
    JinaRanker(backend=backend).warm_up()
    assert backend.loads == 1


async def test_async_warm_up_loads_beside_the_event_loop() -> None:
    threads = []

    class Noting(FakeBackend):
        def load(self) -> None:
            threads.append(threading.current_thread())

    await JinaRanker(backend=Noting()).warm_up_async()
    assert threads != [threading.current_thread()]
    assert len(threads) == 1


def test_failed_warm_up_is_raised_by_default() -> None:
    with pytest.raises(APIConnectionError):
        JinaRanker(backend=Loading(error=APIConnectionError("refused"))).warm_up()


def test_failed_warm_up_is_left_to_the_run_with_keep_order(documents: list[Document]) -> None:
    backend = Loading(error=APIConnectionError("refused"))
    pipeline = Pipeline()
    pipeline.add_component("ranker", JinaRanker(backend=backend, on_error="keep-order"))
    output = pipeline.run({"query": QUERY, "documents": documents})["ranker"]
    assert output["documents"] == documents
    assert output["meta"]["failed"]


def test_missing_library_is_raised_with_keep_order_too() -> None:
    backend = Loading(error=MissingDependencyError("pip install ..."))
    with pytest.raises(MissingDependencyError):
        JinaRanker(backend=backend, on_error="keep-order").warm_up()


def test_closed_ranker_gives_its_model_back_and_runs_again(documents: list[Document]) -> None:
    ranker = JinaRanker("nano")
    before = ranker.run(QUERY, documents)
    used = ranker.reranker
    ranker.close()
    with pytest.raises(RuntimeError, match="closed"):
        used.rank(QUERY, ["red"])
    assert ranker.run(QUERY, documents) == before


async def test_async_close_gives_the_model_back(documents: list[Document]) -> None:
    ranker = JinaRanker("nano")
    await ranker.warm_up_async()
    used = ranker.reranker
    await ranker.close_async()
    with pytest.raises(RuntimeError, match="closed"):
        used.rank(QUERY, ["red"])
    assert len((await ranker.run_async(QUERY, documents))["documents"]) == 3


# Async


class Asynchronous(FakeBackend):
    """A backend that answers asynchronously alone."""

    def score(self, query: str, documents: Sequence[str]) -> Scores:
        raise AssertionError

    async def ascore(self, query: str, documents: Sequence[str]) -> Scores:
        await asyncio.sleep(0)
        return FakeBackend.score(self, query, documents)


def test_async_run_reaches_the_async_backend_in_any_event_loop(documents: list[Document]) -> None:
    ranker = JinaRanker(backend=Asynchronous())
    for _ in range(2):
        output = asyncio.run(ranker.run_async(query=QUERY, documents=documents, top_k=2))
        assert ids(output) == ["1", "2"]


async def test_async_run_equals_the_sync_one(nano: Reranker) -> None:
    documents = [*texts("Bread rises.", "Mars is red.", None), Document(id="x", content="Sea.")]
    ranker = JinaRanker(reranker=nano, keep_retrieval_score=True, top_k=3)
    outputs = await asyncio.gather(*(ranker.run_async(QUERY, documents) for _ in range(4)))
    assert all(output == ranker.run(QUERY, documents) for output in outputs)


# Pipelines


@component
class Bill:
    """Something that waits for the output `meta`."""

    @component.output_types(tokens=int)
    def run(self, meta: dict[str, Any]) -> dict[str, int]:
        return {"tokens": meta["usage"]["total_tokens"]}


@pytest.fixture
def pipeline(backend: FakeBackend) -> Pipeline:
    pipeline = Pipeline()
    pipeline.add_component("ranker", JinaRanker(backend=backend, top_k=2))
    pipeline.add_component("bill", Bill())
    pipeline.connect("ranker.meta", "bill.meta")
    return pipeline


@pytest.mark.parametrize(("contents", "tokens"), [((), 0), ((None, ""), 0), (("red sea",), 4)])
def test_components_behind_it_always_run(
    pipeline: Pipeline, contents: tuple[str | None, ...], tokens: int
) -> None:
    output = pipeline.run({"query": QUERY, "documents": texts(*contents)})
    assert output["bill"] == {"tokens": tokens}


async def test_pipeline_runs_asynchronously(pipeline: Pipeline, documents: list[Document]) -> None:
    output = await pipeline.run_async({"query": QUERY, "documents": documents})
    assert ids(output["ranker"]) == ["1", "2"]
    assert output["bill"] == {"tokens": 15}


def test_pipeline_is_copied_with_it(pipeline: Pipeline, documents: list[Document]) -> None:
    output = copy.deepcopy(pipeline).run({"query": QUERY, "documents": documents})
    assert ids(output["ranker"]) == ["1", "2"]


# Saving and loading


def saved(ranker: JinaRanker) -> dict[str, Any]:
    """What is left of a ranker's arguments after a way through YAML."""
    pipeline = Pipeline()
    pipeline.add_component("ranker", ranker)
    loaded = Pipeline.loads(pipeline.dumps()).get_component("ranker")
    assert isinstance(loaded, JinaRanker)
    data = loaded.to_dict()
    assert data["type"] == TYPE
    assert data == ranker.to_dict()
    arguments: dict[str, Any] = data["init_parameters"]
    return arguments


@pytest.mark.parametrize("arguments", [LOCAL, API, SAGEMAKER], ids=["local", "api", "sagemaker"])
def test_every_argument_survives_a_pipeline_file(arguments: dict[str, Any]) -> None:
    found = saved(JinaRanker(**arguments))
    assert {name: found[name] for name in arguments} == arguments


def test_every_argument_is_tried_and_written() -> None:
    tried = LOCAL | API | SAGEMAKER
    assert {*OWN} - {*tried} == {"api_key", "token", "http_client", "reranker"}
    assert {*JinaRanker().to_dict()["init_parameters"]} == {*OWN} - {"reranker"}
    assert [name for name, value in tried.items() if value == OWN[name]] == []


def test_default_arguments_survive_a_pipeline_file() -> None:
    expected = {name: value for name, value in OWN.items() if name != "reranker"}
    assert saved(JinaRanker()) == expected


def test_arguments_become_plain_json() -> None:
    import torch  # noqa: PLC0415

    ranker = JinaRanker(
        "nano", device=torch.device("cpu"), dtype=torch.float32, timeout=(1, 2), headers={"a": "b"}
    )
    assert json.loads(json.dumps(ranker.to_dict())) == ranker.to_dict()


def test_environment_secrets_survive_by_name() -> None:
    key = Secret.from_env_var(["A", "B"], strict=False)
    found = saved(JinaRanker("turbo", backend="api", api_key=key))
    assert found["api_key"] == {"type": "env_var", "env_vars": ["A", "B"], "strict": False}
    assert saved(JinaRanker(token=Secret.from_env_var("HF")))["token"]["env_vars"] == ["HF"]


@pytest.mark.parametrize("key", [KEY, Secret.from_token(KEY), SecretStr(KEY)])
def test_key_itself_is_not_written(key: Any) -> None:
    ranker = JinaRanker(api_key=key)
    with pytest.raises(ValueError, match="Cannot serialize token-based secret"):
        ranker.to_dict()


@pytest.mark.parametrize("key", [KEY, Secret.from_token(KEY), SecretStr(KEY)])
@pytest.mark.parametrize("word", ["api_key", "token"])
def test_key_is_in_no_repr_and_no_pickle(word: str, key: Any) -> None:
    ranker = JinaRanker(**{word: key})
    assert KEY not in f"{ranker!r} {vars(ranker)!r} {ranker.reranker!r}"
    assert KEY.encode() not in pickle.dumps(ranker)


def test_secret_headers_are_not_written() -> None:
    ranker = JinaRanker(base_url="https://x", headers={"Authorization": KEY, "X-Team": "search"})
    assert ranker.to_dict()["init_parameters"]["headers"] == {"X-Team": "search"}
    assert KEY.encode() not in pickle.dumps(ranker)


def test_object_that_cannot_be_written_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="backend is a FakeBackend"):
        JinaRanker(backend=FakeBackend()).to_dict()


def test_shared_reranker_is_written_as_its_arguments() -> None:
    shared = Reranker("nano", max_length=512, top_n=4, score_threshold=0.0, api_key=None)
    found = saved(JinaRanker(reranker=shared, query_prefix="q: "))
    assert (found["model"], found["max_length"], found["query_prefix"]) == ("nano", 512, "q: ")
    assert (found["top_k"], found["score_threshold"]) == (4, 0.0)
    assert saved(JinaRanker(reranker=shared, top_k=2))["top_k"] == 2


def test_key_of_a_shared_reranker_is_not_written() -> None:
    ranker = JinaRanker(reranker=Reranker(api_key=KEY))
    assert KEY not in json.dumps(ranker.to_dict())
    assert saved(ranker)["backend"] == "api"


def test_pipeline_file_of_the_official_ranker_needs_only_the_new_type() -> None:
    official = {
        "type": TYPE,
        "init_parameters": {
            "model": "jina-reranker-v2-base-multilingual",
            "api_key": {"type": "env_var", "env_vars": ["JINA_API_KEY"], "strict": True},
            "base_url": "https://api.jina.ai/v1/rerank",
            "top_k": 5,
            "score_threshold": None,
        },
    }
    ranker = JinaRanker.from_dict(official)
    assert ranker.api_key == Secret.from_env_var("JINA_API_KEY")
    assert ranker.reranker.settings.base_url == "https://api.jina.ai/v1/rerank"
    assert ranker.reranker.settings.backend_name == "api"


FILE = f"""
components:
  ranker:
    type: {TYPE}
    init_parameters:
      model: nano
      device: {{type: single, device: cpu}}
connections: []
"""


def test_unknown_argument_in_a_file_is_refused_by_name() -> None:
    text = FILE.replace("model: nano", "modell: nano")
    with pytest.raises((DeserializationError, TypeError), match="modell"):
        Pipeline.loads(text)


def test_hand_written_pipeline_file_is_loaded(documents: list[Document]) -> None:
    output = Pipeline.loads(FILE).run({"query": QUERY, "documents": documents})
    assert ids(output["ranker"])[0] == "1"


def test_pickled_ranker_keeps_its_arguments() -> None:
    ranker = JinaRanker(**LOCAL, token=Secret.from_env_var("HF"))
    again = pickle.loads(pickle.dumps(ranker))  # noqa: S301 - written in the line itself
    assert again.to_dict() == ranker.to_dict()
    assert again.token == Secret.from_env_var("HF")


def test_pickled_ranker_keeps_its_backend_without_its_key() -> None:
    again = pickle.loads(pickle.dumps(JinaRanker(api_key=KEY)))  # noqa: S301
    assert again.reranker.settings.backend_name == "api"
    assert again.api_key is None


# Tracing


class Tags(Span):
    """A span that remembers its tags."""

    def __init__(self, tags: dict[str, Any] | None) -> None:
        self.tags = dict(tags or {})

    def set_tag(self, key: str, value: Any) -> None:
        self.tags[key] = value


class Recorder(Tracer):
    """A tracer that remembers its spans."""

    def __init__(self) -> None:
        self.spans: list[tuple[str, dict[str, Any]]] = []

    @contextmanager
    def trace(
        self,
        operation_name: str,
        tags: dict[str, Any] | None = None,
        parent_span: Span | None = None,
    ) -> Iterator[Span]:
        span = Tags(tags)
        self.spans.append((operation_name, span.tags))
        yield span

    def current_span(self) -> Span | None:
        return None


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorder]:
    recorder = Recorder()
    enable_tracing(recorder)
    monkeypatch.setattr(tracer, "is_content_tracing_enabled", True)
    yield recorder
    disable_tracing()


def test_pipeline_traces_it_with_its_usage(
    pipeline: Pipeline, recorder: Recorder, documents: list[Document]
) -> None:
    pipeline.run({"query": QUERY, "documents": documents})
    (tags,) = [
        tags
        for name, tags in recorder.spans
        if name == "haystack.component.run" and tags["haystack.component.name"] == "ranker"
    ]
    assert tags["haystack.component.type"] == "JinaRanker"
    output = tags["haystack.component.output"]
    assert [document.id for document in output["documents"]] == ["1", "2"]
    assert output["meta"]["usage"] == {"total_tokens": 15}


@pytest.fixture
def exporter() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    instrumentor = HaystackInstrumentor()
    instrumentor.instrument(tracer_provider=provider)
    yield exporter
    instrumentor.uninstrument()


def test_openinference_sees_a_reranker(
    pipeline: Pipeline, exporter: InMemorySpanExporter, documents: list[Document]
) -> None:
    pipeline.run({"ranker": {"query": QUERY, "documents": documents, "top_k": 1}})
    (span,) = [span for span in exporter.get_finished_spans() if "JinaRanker" in span.name]
    found = dict(span.attributes or {})
    assert found["openinference.span.kind"] == "RERANKER"
    assert found["reranker.model_name"] == "turbo"
    assert found["reranker.query"] == QUERY
    assert found["reranker.top_k"] == 1
    assert found["reranker.output_documents.0.document.id"] == "1"
    assert found["reranker.output_documents.0.document.score"] == 1.0


def test_retrieval_score_survives_a_second_ranker(backend: FakeBackend) -> None:
    ranker = JinaRanker(backend=backend, keep_retrieval_score=True)
    once = ranker.run("red", [Document(content="red sea", score=0.25)])["documents"]
    (twice,) = ranker.run("red", once)["documents"]
    assert twice.meta["retrieval_score"] == 0.25


def test_numbers_of_numpy_are_saved_as_plain_ones() -> None:
    given: dict[str, Any] = {
        "top_k": np.int64(3),
        "score_threshold": np.float64(0.5),
        "timeout": np.float32(2),
    }
    found = saved(JinaRanker(**given))
    assert (found["top_k"], found["score_threshold"], found["timeout"]) == (3, 0.5, 2.0)


@pytest.mark.parametrize("top_k", [True, 2.0, "2"])
def test_top_k_that_is_no_integer_is_refused(top_k: Any) -> None:
    with pytest.raises(TypeError, match="top_k must be an integer"):
        JinaRanker(top_k=top_k)


def test_headers_are_in_no_attribute_that_prints() -> None:
    ranker = JinaRanker(backend="api", headers={"Authorization": "Bearer secret"})
    assert "secret" not in repr(vars(ranker))

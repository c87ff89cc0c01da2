"""`Reranker` over a backend without a model: checking, sorting, cutting, failing, closing."""

import asyncio
import copy
import logging
import os
import pickle
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from jina_rerank import (
    APIConnectionError,
    APIResponseError,
    Backend,
    CheckpointError,
    JinaRerankError,
    MissingDependencyError,
    Reranker,
    Scores,
)
from jina_rerank.backends import api, local
from jina_rerank.testing import BackendContract, FakeBackend, RerankerContract

DOCUMENTS = ["the sea", "a red planet", "red wine"]


class Given(Backend):
    """A backend that answers with the numbers it was given."""

    def __init__(self, *values: Any) -> None:
        self.values = values

    def score(self, query: str, documents: Sequence[str]) -> Scores:
        return Scores(values=list(self.values))


class GivenRemotely(Given):
    """The same from another process."""

    remote: ClassVar[bool] = True


class TestFakeBackend(BackendContract):
    @pytest.fixture
    def backend(self) -> Backend:
        return FakeBackend()


class TestRerankerOverFake(RerankerContract):
    @pytest.fixture
    def reranker(self) -> Reranker:
        return Reranker(backend=FakeBackend())


def test_cut_tokens_of_nothing_ask_no_backend() -> None:
    assert Reranker(backend=Given()).cut_tokens("red", [" ", ""]) == [0, 0]


def test_cut_tokens_of_a_backend_that_cannot_tell_are_refused() -> None:
    with pytest.raises(ValueError, match="'custom' cannot tell what of a text is read"):
        Reranker(backend=Given()).cut_tokens("red", DOCUMENTS)


def test_backend_that_reads_everything_cuts_no_tokens() -> None:
    assert Reranker(backend=FakeBackend()).cut_tokens("red", DOCUMENTS) == [0, 0, 0]


def test_contract_notices_what_is_not_refused() -> None:
    class Lenient(Reranker):
        def rank(self, query: str, documents: Any, **cut: Any) -> Any:
            return None

    with pytest.raises(AssertionError, match="expected a ValueError"):
        RerankerContract().test_bad_arguments_are_refused(Lenient(backend=FakeBackend()))


def order(reranker: Reranker, documents: Sequence[str] = DOCUMENTS, **cut: Any) -> list[int]:
    return [item.index for item in reranker.rank("red planet", documents, **cut)]


def test_rank_sorts_best_first() -> None:
    ranking = Reranker(backend=FakeBackend()).rank("red planet", DOCUMENTS)
    assert [(item.index, item.score) for item in ranking] == [(1, 1.0), (2, 0.5), (0, 0.0)]


def test_ranking_behaves_as_a_sequence() -> None:
    ranking = Reranker(backend=FakeBackend()).rank("red planet", DOCUMENTS)
    assert len(ranking) == 3
    assert ranking[0].document == "a red planet"
    assert ranking[-1] is ranking.results[2]
    assert ranking[:2] == ranking.results[:2]
    assert list(ranking) == list(ranking.results)


def test_constructor_cut_applies_and_a_call_overrides_it() -> None:
    reranker = Reranker(backend=FakeBackend(), top_n=1, score_threshold=0.5)
    assert order(reranker) == [1]
    assert order(reranker, top_n=3) == [1, 2]
    assert order(reranker, top_n=3, score_threshold=0.0) == [1, 2, 0]


def test_zero_threshold_keeps_zero_scores() -> None:
    assert order(Reranker(backend=Given(-1.0, 0.0, 1.0)), score_threshold=0.0) == [2, 1]


def test_blank_documents_come_after_negative_scores() -> None:
    ranking = Reranker(backend=Given(-2.0)).rank("q", [" ", "text", ""])
    assert [(item.index, item.score) for item in ranking] == [(1, -2.0), (0, 0.0), (2, 0.0)]


def test_blank_documents_are_never_sent() -> None:
    backend = FakeBackend()
    assert Reranker(backend=backend).score("red", ["", "red", "\t"]) == [0.0, 1.0, 0.0]
    assert backend.requests == [("red", ["red"])]


def test_nothing_to_score_makes_no_call() -> None:
    backend = FakeBackend()
    reranker = Reranker(backend=backend)
    assert len(reranker.rank("q", [])) == 0
    assert [item.score for item in reranker.rank("q", [" "])] == [0.0]
    assert asyncio.run(reranker.ascore("q", [])) == []
    assert backend.requests == []


def test_numpy_scores_become_python_floats() -> None:
    scores = Reranker(backend=Given(*np.array([0.25, 0.5], dtype=np.float32))).score(
        "q", ["a", "b"]
    )
    assert [type(score) for score in scores] == [float, float]


def test_mappings_are_returned_as_they_came() -> None:
    documents = [{"text": "the sea", "id": 1}, {"text": "red planet", "id": 2}]
    ranking = Reranker(backend=FakeBackend()).rank("red planet", documents)
    assert ranking[0].document is documents[1]
    assert documents == [{"text": "the sea", "id": 1}, {"text": "red planet", "id": 2}]


def test_generators_are_accepted() -> None:
    def documents() -> Iterator[str]:
        yield from DOCUMENTS

    reranker = Reranker(backend=FakeBackend())
    assert reranker.rank("red planet", documents())[0].index == 1
    assert len(reranker.rank_many((query, documents()) for query in ("a", "b"))) == 2


@pytest.mark.parametrize(
    ("error", "query", "documents", "named"),
    [
        (ValueError, " ", ["a"], "query must not be blank"),
        (TypeError, None, ["a"], "query must be a string, got NoneType"),
        (TypeError, "q", "text", "documents must be a list of texts or of mappings, got str"),
        (TypeError, "q", {"text": "a"}, "got dict"),
        (TypeError, "q", {"a"}, "got set"),
        (TypeError, "q", 7, "got int"),
        (TypeError, "q", ["a", 7], r"documents\[1\] must be a string, got int"),
        (TypeError, "q", [{"text": None}], r"documents\[0\]\['text'\] must be a string"),
        (ValueError, "q", [{"body": "a"}], r"documents\[0\] must have a 'text' field"),
        (ValueError, "q", ["a\ud800"], "lone surrogate at character 1"),
        (ValueError, "\udfff", ["a"], "query has a lone surrogate"),
    ],
)
def test_bad_input_is_refused_before_any_work(
    error: type[Exception], query: Any, documents: Any, named: str
) -> None:
    backend = FakeBackend()
    reranker = Reranker(backend=backend, on_error="keep-order")
    with pytest.raises(error, match=named):
        reranker.rank(query, documents)
    with pytest.raises(error, match=rf"requests\[1\]: .*{named}"):
        reranker.score_many([("q", ["a"]), (query, documents)])
    assert backend.requests == []


@pytest.mark.parametrize("requests", ["text", {"q": ["a"]}, 7, ["ab", "cd"], [("q",)]])
def test_requests_that_are_no_pairs_are_refused(requests: Any) -> None:
    with pytest.raises(TypeError, match="pair"):
        Reranker(backend=FakeBackend()).rank_many(requests)


@pytest.mark.parametrize(
    ("cut", "error"),
    [
        ({"top_n": 0}, ValueError),
        ({"top_n": 1.5}, TypeError),
        ({"top_n": True}, TypeError),
        ({"score_threshold": float("nan")}, ValueError),
        ({"score_threshold": "0.5"}, TypeError),
    ],
)
def test_bad_cuts_are_refused(cut: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error, match=next(iter(cut))):
        Reranker(backend=FakeBackend()).rank("q", ["a"], **cut)


def test_nan_from_a_local_model_is_a_checkpoint_error() -> None:
    with pytest.raises(CheckpointError, match=r"NaN, first documents\[2\]; its weights"):
        Reranker(backend=Given(0.5, float("nan"))).rank("q", ["a", " ", "b"])


def test_nan_from_a_service_is_a_response_error() -> None:
    with pytest.raises(APIResponseError, match="NaN"):
        Reranker(backend=GivenRemotely(float("nan"))).score("q", ["a"])


def test_wrong_number_of_scores_is_an_error() -> None:
    with pytest.raises(JinaRerankError, match="gave 1 scores for 2 texts"):
        Reranker(backend=Given(0.5)).rank("q", ["a", "b"])
    with pytest.raises(APIResponseError, match="gave 1 scores for 2 texts"):
        Reranker(backend=GivenRemotely(0.5)).rank("q", ["a", "b"])


def test_wrong_number_of_answers_is_an_error() -> None:
    class Forgetful(FakeBackend):
        def score_many(self, requests: Sequence[Any]) -> list[Scores]:
            return []

    with pytest.raises(JinaRerankError, match="answered 0 of 1 requests"):
        Reranker(backend=Forgetful()).rank("q", ["a"])


def test_failure_raises_by_default() -> None:
    reranker = Reranker(backend=FakeBackend(error=APIConnectionError("refused")))
    with pytest.raises(APIConnectionError, match="refused"):
        reranker.rank("q", ["a"])


@pytest.mark.parametrize("error", [APIConnectionError("refused"), OSError("a secret")])
def test_keep_order_returns_the_input_and_logs_once(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    reranker = Reranker(
        backend=FakeBackend(error=error), on_error="keep-order", top_n=2, score_threshold=0.9
    )
    ranking = reranker.rank("private words", ["a", "", "c"])
    assert [(item.index, item.score, item.document) for item in ranking] == [
        (0, None, "a"),
        (1, None, ""),
    ]
    assert ranking.failed
    assert ranking.usage.total_tokens == 0
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "private words" not in caplog.text
    assert "a secret" not in caplog.text


async def test_keep_order_works_in_async_and_many() -> None:
    backend = FakeBackend(error=APIConnectionError("refused"))
    reranker = Reranker(backend=backend, on_error="keep-order")
    assert (await reranker.arank("q", ["a", "b"])).failed
    requests = [("q", ["a"]), ("q", []), ("q", [" "])]
    assert [ranking.failed for ranking in reranker.rank_many(requests)] == [True, False, False]


@pytest.mark.parametrize("error", [ValueError("bad"), TypeError("bad")])
def test_keep_order_never_hides_bad_arguments(error: Exception) -> None:
    reranker = Reranker(backend=FakeBackend(error=error), on_error="keep-order")
    with pytest.raises(type(error), match="bad"):
        reranker.rank("q", ["a"])


async def test_score_raises_whatever_on_error_says() -> None:
    backend = FakeBackend(error=APIConnectionError("refused"))
    reranker = Reranker(backend=backend, on_error="keep-order")
    with pytest.raises(APIConnectionError):
        reranker.score("q", ["a"])
    with pytest.raises(APIConnectionError):
        await reranker.ascore_many([("q", ["a"])])


def test_model_is_named_by_the_backend_or_by_itself() -> None:
    assert Reranker(backend=FakeBackend(model="m")).rank("q", ["a"]).model == "m"
    assert Reranker(backend=Given(0.5)).rank("q", ["a"]).model == "custom"
    assert Reranker("nano").rank("q", []).model == "nano"
    assert Reranker("turbo").rank("q", []).model == "jina-reranker-v1-turbo-en"
    assert Reranker("./my-checkpoint").rank("q", []).model == "./my-checkpoint"


def test_usage_is_the_backends() -> None:
    assert Reranker(backend=FakeBackend()).rank("two words", ["one", "a b"]).usage.total_tokens == 7


def test_close_leaves_the_callers_backend_open() -> None:
    backend = FakeBackend()
    with Reranker(backend=backend) as reranker:
        reranker.load()
    assert not backend.closed
    assert Reranker(backend=backend).score("red", ["red"]) == [1.0]


async def test_async_block_closes() -> None:
    async with Reranker(backend=FakeBackend()) as reranker:
        assert await reranker.ascore("red", ["red"]) == [1.0]
    with pytest.raises(RuntimeError, match="closed; make a new one"):
        await reranker.ascore("red", ["red"])


def test_closing_during_a_call_is_never_hidden() -> None:
    class Closing(FakeBackend):
        def score(self, query: str, documents: Sequence[str]) -> Scores:
            reranker.close()
            raise OSError

    reranker = Reranker(backend=Closing(), on_error="keep-order")
    with pytest.raises(OSError):  # noqa: PT011 - its type is the point
        reranker.rank("q", ["a"])


def test_missing_dependency_is_never_hidden() -> None:
    error = MissingDependencyError("pip install it")
    reranker = Reranker(backend=FakeBackend(error=error), on_error="keep-order")
    with pytest.raises(MissingDependencyError):
        reranker.rank("q", ["a"])


def test_backend_that_returns_no_scores_is_told_what_to_return() -> None:
    class Plain(FakeBackend):
        def score(self, query: str, documents: Sequence[str]) -> Any:
            return [0.5]

    with pytest.raises(TypeError, match=r"must return Scores\(values=\.\.\.\), got list"):
        Reranker(backend=Plain()).rank("q", ["a"])


def test_closed_reranker_refuses_even_an_empty_call() -> None:
    reranker = Reranker(backend=FakeBackend(), on_error="keep-order")
    reranker.close()
    with pytest.raises(RuntimeError, match="closed"):
        reranker.rank("q", [])
    with pytest.raises(RuntimeError, match="closed"):
        reranker.load()


def test_service_is_not_asked_for_nothing() -> None:
    reranker = Reranker("turbo", base_url="http://localhost:1", timeout=(1, 2.5))
    assert reranker.settings.timeout == (1, 2.5)
    assert len(reranker.rank("q", [])) == 0


@pytest.mark.parametrize(
    ("backend", "model", "package"),
    [
        (local, "turbo", "'jina-rerank[local]'"),
        (local, "nano", "'jina-rerank[nano]'"),
        (api, "turbo", "jina-rerank"),
    ],
)
def test_missing_library_names_the_command(
    monkeypatch: pytest.MonkeyPatch, backend: Any, model: str, package: str
) -> None:
    def create(settings: Any) -> Backend:
        raise ModuleNotFoundError(name="a_library")

    monkeypatch.setattr(backend, "create", create)
    with pytest.raises(MissingDependencyError) as caught:
        Reranker(model, backend=backend.__name__.rpartition(".")[2]).load()
    assert str(caught.value).endswith(f" needs a_library: pip install {package}")
    assert isinstance(caught.value, ImportError)


def test_repr_names_model_and_backend_and_no_secret() -> None:
    reranker = Reranker("turbo", backend="api", api_key="jina_secret", token="hf_secret")
    assert repr(reranker) == "Reranker('turbo', backend='api')"
    assert "secret" not in repr(reranker.settings)


def test_pickle_keeps_the_arguments_and_drops_the_secrets() -> None:
    reranker = Reranker("turbo", base_url="http://localhost:1/v1", api_key="jina_secret", top_n=3)
    data = pickle.dumps(reranker)
    assert b"secret" not in data
    again = pickle.loads(data)  # noqa: S301 - made two lines above
    assert again.settings.arguments() == reranker.settings.arguments()
    assert again.settings.api_key is None


def test_pickle_without_the_key_keeps_the_backend_that_it_chose() -> None:
    again = pickle.loads(pickle.dumps(Reranker("turbo", api_key="jina_secret")))  # noqa: S301 - made here
    assert again.settings.api_key is None
    assert again.settings.backend_name == "api"


def test_pickle_drops_headers_that_may_hold_a_secret() -> None:
    headers = {"Authorization": "Bearer secret", "X-Api-Key": "secret", "X-Team": "search"}
    data = pickle.dumps(Reranker("turbo", backend="api", headers=headers))
    assert b"secret" not in data
    again = pickle.loads(data)  # noqa: S301 - made two lines above
    assert again.settings.headers == {"X-Team": "search"}


def test_forked_child_is_told() -> None:
    class Forked(FakeBackend):
        forks = 0

        def after_fork(self) -> None:
            self.forks += 1

    backend = Forked()
    reranker = Reranker(backend=backend)
    unused = Reranker(backend=Forked())
    reranker.load()
    reranker._lock.acquire()  # as another thread of the parent might at the time of the fork
    child = os.fork()
    if child == 0:
        ok = backend.forks == 1 and order(reranker) == [1, 2, 0] and order(unused) == [1, 2, 0]
        os._exit(0 if ok else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert backend.forks == 0


def test_engine_of_an_adapter_takes_its_own_keywords_and_checks_them() -> None:
    backend = FakeBackend()
    given = {"backend": backend, "top_n": 1, "score_threshold": 0.9, "metadata_mode": "all"}
    engine = Reranker.for_adapter(given, agent="some-adapter")
    assert len(engine.rank("red planet", DOCUMENTS)) == len(DOCUMENTS)  # said with each call
    assert engine.settings.agent == "some-adapter"
    again = pickle.loads(pickle.dumps(Reranker.for_adapter({}, agent="some-adapter")))  # noqa: S301
    assert again.settings.agent == "some-adapter"
    assert "agent" not in engine.settings.arguments()
    with pytest.raises(ValueError, match="top_n must be at least 1"):
        Reranker.for_adapter({"top_n": 0})


def test_engine_that_is_shared_is_taken_as_it_is() -> None:
    shared = Reranker(backend=FakeBackend())
    given = {"model": "turbo", "top_n": 3, "own": 1}
    assert Reranker.for_adapter(given, reranker=shared, agent="some-adapter") is shared
    assert shared.settings.agent == ""
    same = Reranker("nano", dtype="float32")
    given = {"model": "nano", "dtype": torch.float32}
    assert Reranker.for_adapter(given, reranker=same) is same
    with pytest.raises(ValueError, match="overlap, dtype cannot change a reranker that exists"):
        Reranker.for_adapter({"overlap": 1, "dtype": "float32"}, reranker=shared)
    with pytest.raises(TypeError, match="reranker must be a Reranker, got str"):
        Reranker.for_adapter({}, reranker="nano")  # type: ignore[arg-type] # the point


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy])
def test_copy_in_the_process_keeps_the_keys_and_shares_no_backend(
    duplicate: Callable[[Reranker], Reranker],
) -> None:
    reranker = Reranker.for_adapter({"api_key": "jina_secret"}, agent="some-adapter")
    made = duplicate(reranker)
    assert made is not reranker
    assert made.settings == reranker.settings
    backend = FakeBackend()
    reranker = Reranker(backend=backend)
    made = duplicate(reranker)
    reranker.close()
    assert order(made) == [1, 2, 0]

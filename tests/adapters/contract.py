"""What every adapter does alike, whatever its framework: a class of plain tests to subclass."""

import asyncio
import copy
import inspect
import logging
import pickle
from abc import ABC, abstractmethod
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

import pytest

from jina_rerank import Reranker, ServerError
from jina_rerank.testing import FakeBackend, FakeServer

KEY = "jina_0123456789abcdef"
QUERY = "Which planet is red?"
TEXTS = [
    "Bread rises because yeast makes gas.",
    "The sea is blue.",
    "Mars is the red planet; iron rust colours it.",
    "Red wine stains.",
]
DOWN = ServerError("the service answered 503", status=503)


class AdapterContract(ABC):
    """Subclass it in the adapter's test, say which class it is and how it is run.

    Attributes:
        adapter: The class; it takes the keywords of `Reranker`, and `reranker`.
        distribution: What pip calls it.
        top_n: What it calls `top_n`.
        few: Its default for that.
    """

    adapter: ClassVar[Any]
    distribution: ClassVar[str]
    top_n: ClassVar[str] = "top_n"
    few: ClassVar[int | None] = None

    @abstractmethod
    def rerank(
        self, adapter: Any, query: str, texts: Sequence[str]
    ) -> list[tuple[str, float | None]]:
        """Run the adapter over documents with these texts; return what it keeps.

        Returns:
            The text and the rerank score of each, in the adapter's order; no score is None.
        """

    @abstractmethod
    async def arerank(
        self, adapter: Any, query: str, texts: Sequence[str]
    ) -> list[tuple[str, float | None]]:
        """Do the same through the framework's async method."""

    def make(self, **keywords: Any) -> Any:
        """Make an adapter that keeps everything."""
        return self.adapter(**{self.top_n: None} | keywords)

    def test_signature_spells_out_the_cores_keywords_and_defaults(self) -> None:
        core = dict(inspect.signature(Reranker).parameters)
        own = dict(inspect.signature(self.adapter).parameters)
        assert own[self.top_n].default == self.few
        assert own["reranker"].default is None
        core.pop("top_n")
        assert {name: own[name].default for name in core if name in own} == {
            name: parameter.default for name, parameter in core.items()
        }
        kinds = {parameter.kind for parameter in own.values()}
        assert kinds <= {inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY}

    def test_docstring_explains_every_keyword(self) -> None:
        documentation = inspect.getdoc(self.adapter) or ""
        names = inspect.signature(self.adapter).parameters
        assert [name for name in names if f"    {name}: " not in documentation] == []

    def test_unknown_keyword_is_an_error_that_names_it(self) -> None:
        with pytest.raises((TypeError, ValueError), match="topn"):
            self.make(topn=3)

    def test_bad_keyword_is_the_cores_error(self) -> None:
        with pytest.raises(ValueError, match="overlap must be at least 0"):
            self.make(overlap=-1)

    def test_constructor_asks_the_backend_nothing(self) -> None:
        backend = FakeBackend()
        self.make(backend=backend)
        assert backend.requests == []

    @pytest.mark.parametrize("model", ["nano", "fake"])
    def test_documents_come_in_the_cores_order_with_its_scores(self, model: str) -> None:
        words: dict[str, Any] = {"backend": FakeBackend()} if model == "fake" else {"model": model}
        ranking = Reranker(**words).rank(QUERY, TEXTS)
        found = self.rerank(self.make(**words), QUERY, TEXTS)
        assert found == [(item.document, item.score) for item in ranking]
        assert {type(score) for _, score in found} == {float}

    def test_async_equals_sync_in_one_event_loop_after_another(self) -> None:
        adapter = self.make(model="nano")
        expected = self.rerank(adapter, QUERY, TEXTS)
        for _ in range(2):
            assert asyncio.run(self.arerank(adapter, QUERY, TEXTS)) == expected

    def test_async_reaches_the_backends_own_async_path(self) -> None:
        backend = AsyncOnly()
        asyncio.run(self.arerank(self.make(backend=backend), QUERY, TEXTS))
        assert backend.awaited == 1

    def test_threads_share_one_adapter(self) -> None:
        adapter = self.make(backend=FakeBackend())
        expected = self.rerank(adapter, QUERY, TEXTS)
        with ThreadPoolExecutor(8) as pool:
            for found in pool.map(lambda _: self.rerank(adapter, QUERY, TEXTS), range(16)):
                assert found == expected

    def test_default_keeps_as_many_as_upstream_does(self) -> None:
        found = self.rerank(self.adapter(backend=FakeBackend()), QUERY, TEXTS)
        assert len(found) == (self.few if self.few is not None else len(TEXTS))

    def test_threshold_is_inclusive_and_comes_first(self) -> None:
        adapter = self.make(backend=FakeBackend(), score_threshold=0.5, **{self.top_n: 2})
        assert self.rerank(adapter, "red sea", ["red", "sea", "red sea", "sky"]) == [
            ("red sea", 1.0),
            ("red", 0.5),
        ]

    def test_no_documents_give_none_and_no_call(self) -> None:
        backend = FakeBackend()
        assert self.rerank(self.make(backend=backend), QUERY, []) == []
        assert backend.requests == []

    def test_blank_documents_come_last_with_zero(self) -> None:
        found = self.rerank(self.make(backend=FakeBackend()), "red", [" \n", "blue", "red", ""])
        assert found[:2] == [("red", 1.0), ("blue", 0.0)]
        assert [(text.strip(), score) for text, score in found[2:]] == [("", 0.0), ("", 0.0)]

    def test_all_blank_documents_cost_no_call(self) -> None:
        backend = FakeBackend()
        found = self.rerank(self.make(backend=backend), QUERY, ["", " "])
        assert [score for _, score in found] == [0.0, 0.0]
        assert backend.requests == []

    def test_one_document_is_scored(self) -> None:
        assert self.rerank(self.make(backend=FakeBackend()), "red", ["red"]) == [("red", 1.0)]

    def test_thousand_documents_are_all_ranked(self) -> None:
        texts = [f"text {number}" for number in range(1000)]
        found = self.rerank(self.make(backend=FakeBackend()), "text 777", texts)
        assert found[0] == ("text 777", 1.0)
        assert [text for text, _ in found[1:]] == [text for text in texts if text != "text 777"]

    def test_unicode_is_scored(self) -> None:
        texts = ["日本の首都は東京です。", "😀 naïve café", "العربية"]
        found = self.rerank(self.make(model="nano"), "東京 😀", texts)
        assert sorted(text for text, _ in found) == sorted(texts)
        assert all(score is not None and 0 <= score <= 1 for _, score in found)

    def test_query_of_ten_thousand_words_is_scored(self) -> None:
        ((_, score),) = self.rerank(self.make(model="nano"), "red planet " * 5000, TEXTS[:1])
        assert score is not None
        assert 0 <= score <= 1

    def test_blank_query_is_refused(self) -> None:
        with pytest.raises(ValueError, match="blank"):
            self.rerank(self.make(backend=FakeBackend()), " ", TEXTS)

    def test_failure_is_raised_by_default(self) -> None:
        with pytest.raises(ServerError):
            self.rerank(self.make(backend=FakeBackend(error=DOWN)), QUERY, TEXTS)

    def test_failure_keeps_the_order_on_request(self, caplog: pytest.LogCaptureFixture) -> None:
        words = {"backend": FakeBackend(error=DOWN), "on_error": "keep-order", self.top_n: 2}
        with caplog.at_level(logging.WARNING, "jina_rerank"):
            found = self.rerank(self.make(**words), QUERY, TEXTS)
        assert found == [(TEXTS[0], None), (TEXTS[1], None)]
        assert [QUERY in text or TEXTS[0] in text for text in caplog.messages] == [False]

    def test_shared_reranker_is_the_one_that_ranks(self) -> None:
        backend = FakeBackend()
        reranker = Reranker(backend=backend)
        adapters = [self.make(reranker=reranker), self.make(reranker=reranker)]
        for adapter in adapters:
            self.rerank(adapter, QUERY, TEXTS)
            assert adapter.reranker is reranker
        assert len(backend.requests) == 2

    def test_service_is_told_which_adapter_asks(self) -> None:
        with FakeServer("jina") as server:
            adapter = self.make(model="turbo", base_url=server.url)
            self.rerank(adapter, QUERY, TEXTS)
            self.rerank(pickle.loads(pickle.dumps(adapter)), QUERY, TEXTS)  # noqa: S301 - made here
            adapter.reranker.close()
        for request in server.requests:
            assert request.headers["user-agent"].endswith(f" {self.distribution}")

    def test_copy_in_the_process_keeps_its_key(self) -> None:
        adapter = self.make(model="turbo", api_key=KEY)
        settings = copy.deepcopy(adapter).reranker.settings
        assert find_key(settings) == KEY

    def test_limits_of_a_shared_reranker_survive_a_pickle(self) -> None:
        shared = Reranker("nano", top_n=1)
        made = pickle.loads(pickle.dumps(self.make(reranker=shared)))  # noqa: S301 - made here
        assert len(self.rerank(made, QUERY, TEXTS)) == 1

    def test_keyword_that_contradicts_the_shared_reranker_is_refused(self) -> None:
        with pytest.raises(ValueError, match="overlap"):
            self.make(reranker=Reranker("nano"), overlap=10)

    def test_key_is_in_no_repr_and_no_pickle(self) -> None:
        adapter = self.make(api_key=KEY, headers={"Authorization": f"Bearer {KEY}", "X-Team": "a"})
        assert KEY not in repr(adapter)
        assert KEY not in str(adapter)
        written = pickle.dumps(adapter)
        assert KEY.encode() not in written
        copied = pickle.loads(written)  # noqa: S301 - written in the line above
        assert copied.reranker.settings.backend_name == "api"
        assert copied.reranker.settings.headers == {"X-Team": "a"}


class AsyncOnly(FakeBackend):
    """A backend that counts the calls of its async path, and refuses any other."""

    def __init__(self) -> None:
        super().__init__()
        self.awaited = 0

    def score_many(self, requests: Any) -> Any:
        """Refuse."""
        msg = "the async path called the sync one"
        raise AssertionError(msg)

    async def ascore(self, query: str, documents: Any) -> Any:
        """Count."""
        self.awaited += 1
        return await super().ascore(query, documents)


def find_key(settings: Any) -> str:
    """Open the key of a reranker, which a framework may have wrapped."""
    key = settings.api_key
    for method in ("get_secret_value", "resolve_value"):
        key = getattr(key, method)() if hasattr(key, method) else key
    return str(key)

"""What tests need: a backend without a model, services without a network, and contracts.

Subclass a contract in a test module, give it the fixture that it names, and pytest runs it::

    class TestMyBackend(BackendContract):
        @pytest.fixture
        def backend(self):
            return MyBackend()
"""

import asyncio
import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import ClassVar

from ..backends.base import Backend
from ..reranker import Reranker
from ..types import Document, Request, Scores
from .overlap import word_overlap
from .server import Drop, FakeServer, Received, Stall

__all__ = [
    "QUERY",
    "TEXTS",
    "BackendContract",
    "Drop",
    "FakeBackend",
    "FakeServer",
    "Received",
    "RerankerContract",
    "Stall",
    "word_overlap",
]

QUERY = "Which planet is red?"
TEXTS = [
    "Bread rises because yeast makes gas.",
    "Mars is the red planet; iron rust colours it.",
    "The sea is blue.",
    "Red wine stains.",
]


class FakeBackend(Backend):
    """A backend without a model: deterministic, instant, and it remembers what it was asked.

    Args:
        scorer: The score of a query and a text; the default is `word_overlap`.
        error: Raised by every call instead of an answer.
        model: The model it claims to run.

    Attributes:
        requests: Every request so far, in order.
        closed: True after `close`.

    >>> FakeBackend().score("red planet", ["a red sea", "a red planet"]).values
    [0.5, 1.0]
    """

    name: ClassVar[str] = "fake"

    def __init__(
        self,
        scorer: Callable[[str, str], float] = word_overlap,
        *,
        error: Exception | None = None,
        model: str = "fake",
    ) -> None:
        self.scorer = scorer
        self.error = error
        self.model = model
        self.requests: list[Request] = []
        self.closed = False

    def score(self, query: str, documents: Sequence[str]) -> Scores:
        """Score each text; a token is a word."""
        self.requests.append((query, list(documents)))
        if self.error is not None:
            raise self.error
        tokens = sum(len(f"{query} {text}".split()) for text in documents)
        values = [self.scorer(query, text) for text in documents]
        return Scores(values=values, total_tokens=tokens, model=self.model)

    async def ascore(self, query: str, documents: Sequence[str]) -> Scores:
        """Do what `score` does, in the event loop itself."""
        await asyncio.sleep(0)
        return self.score(query, documents)

    def cut_tokens(self, query: str, documents: Sequence[str]) -> list[int]:
        """Count nothing: it reads everything."""
        del query
        return [0 for _ in documents]

    def identity(self) -> str:
        """Name the model that it claims to run."""
        return f"{self.name} {self.model}"

    def close(self) -> None:
        """Remember that it was closed."""
        self.closed = True


class BackendContract:
    """What `Reranker` relies on in any backend: subclass it with a fixture named `backend`."""

    def test_score_of_texts_gives_one_number_each(self, backend: Backend) -> None:
        """As many numbers as texts, none of them NaN, and a token count."""
        scores = backend.score(QUERY, TEXTS)
        assert len(scores.values) == len(TEXTS)
        assert not any(math.isnan(value) for value in scores.values)
        assert scores.total_tokens >= 0

    def test_score_of_reordered_texts_follows_the_order(self, backend: Backend) -> None:
        """The score belongs to the text, not to its place."""
        forwards = backend.score(QUERY, TEXTS).values
        backwards = backend.score(QUERY, TEXTS[::-1]).values
        _assert_close(list(backwards)[::-1], forwards)

    def test_score_many_equals_score(self, backend: Backend) -> None:
        """Batching across requests changes nothing."""
        requests = [(QUERY, TEXTS), ("What is blue?", TEXTS[1:3]), (QUERY, TEXTS[:1])]
        together = backend.score_many(requests)
        assert len(together) == len(requests)
        for scores, request in zip(together, requests, strict=True):
            _assert_close(scores.values, backend.score(*request).values)

    def test_async_forms_equal_the_sync_ones(self, backend: Backend) -> None:
        """The async forms answer the same."""
        expected = backend.score(QUERY, TEXTS).values
        _assert_close(asyncio.run(backend.ascore(QUERY, TEXTS)).values, expected)
        (many,) = asyncio.run(backend.ascore_many([(QUERY, TEXTS)]))
        _assert_close(many.values, expected)

    def test_threads_get_the_serial_answer(self, backend: Backend) -> None:
        """Eight threads over one backend."""
        expected = backend.score(QUERY, TEXTS).values
        with ThreadPoolExecutor(8) as pool:
            for scores in pool.map(lambda _: backend.score(QUERY, TEXTS), range(16)):
                _assert_close(scores.values, expected)

    def test_identity_stays(self, backend: Backend) -> None:
        """What scores depend on is the same text every time."""
        identity = backend.identity()
        assert isinstance(identity, str)
        backend.score(QUERY, TEXTS)
        assert backend.identity() == identity

    def test_inputs_are_not_changed(self, backend: Backend) -> None:
        """The caller's list stays as it was."""
        texts = list(TEXTS)
        backend.score(QUERY, texts)
        assert texts == TEXTS

    def test_close_twice_is_fine(self, backend: Backend) -> None:
        """Closing is idempotent."""
        backend.close()
        backend.close()


class RerankerContract:
    """What users rely on in any `Reranker`: subclass it with a fixture named `reranker`."""

    def test_rank_sorts_and_keeps_the_callers_objects(self, reranker: Reranker) -> None:
        """Best first, Python floats, the very objects that were given."""
        documents: list[Document] = [TEXTS[0], {"text": TEXTS[1], "id": 7}, TEXTS[2]]
        ranking = reranker.rank(QUERY, documents)
        scores = [_number(item.score) for item in ranking]
        assert scores == sorted(scores, reverse=True)
        assert sorted(item.index for item in ranking) == [0, 1, 2]
        assert all(item.document is documents[item.index] for item in ranking)
        assert ranking.usage.total_tokens > 0
        assert ranking.model
        assert not ranking.failed

    def test_score_gives_the_ranks_numbers_in_input_order(self, reranker: Reranker) -> None:
        """`score` and `rank` agree."""
        scores = reranker.score(QUERY, TEXTS)
        assert all(type(score) is float for score in scores)
        ranking = reranker.rank(QUERY, TEXTS)
        _assert_close([_number(item.score) for item in ranking], [scores[i.index] for i in ranking])

    def test_top_n_and_threshold_cut(self, reranker: Reranker) -> None:
        """The threshold first and inclusive, then `top_n`; more than there are keeps all."""
        full = reranker.rank(QUERY, TEXTS)
        assert [item.index for item in reranker.rank(QUERY, TEXTS, top_n=2)] == [
            item.index for item in full[:2]
        ]
        assert len(reranker.rank(QUERY, TEXTS, top_n=99)) == len(TEXTS)
        second = _number(full[1].score)
        kept = reranker.rank(QUERY, TEXTS, score_threshold=second)
        assert len(kept) == sum(1 for item in full if _number(item.score) >= second)

    def test_ties_keep_the_input_order(self, reranker: Reranker) -> None:
        """Equal texts stay as they came."""
        assert [item.index for item in reranker.rank(QUERY, [TEXTS[1]] * 4)] == [0, 1, 2, 3]

    def test_blank_documents_come_last_with_zero(self, reranker: Reranker) -> None:
        """Blank texts keep their index and cost nothing."""
        ranking = reranker.rank(QUERY, ["", TEXTS[0], " \n", TEXTS[1]])
        assert [(item.index, item.score) for item in ranking[2:]] == [(0, 0.0), (2, 0.0)]
        blank = reranker.rank(QUERY, ["", " "])
        assert [item.index for item in blank] == [0, 1]
        assert blank.usage.total_tokens == 0

    def test_no_documents_give_an_empty_ranking(self, reranker: Reranker) -> None:
        """Nothing in, nothing out."""
        assert len(reranker.rank(QUERY, [])) == 0
        assert reranker.score(QUERY, []) == []
        assert reranker.rank_many([]) == []

    def test_bad_arguments_are_refused(self, reranker: Reranker) -> None:
        """Before any work, with the type that says so."""
        with _refused(ValueError):
            reranker.rank("  ", TEXTS)
        with _refused(ValueError):
            reranker.rank(QUERY, TEXTS, top_n=0)
        with _refused(ValueError):
            reranker.rank(QUERY, [{"body": "no text"}])
        with _refused(TypeError):
            reranker.rank(QUERY, "one text")
        with _refused(TypeError):
            reranker.rank(QUERY, [None])  # type: ignore[type-var] # the point of the test

    def test_many_equals_one_by_one(self, reranker: Reranker) -> None:
        """Batching across queries changes nothing, and empty lists keep their place."""
        requests = [(QUERY, TEXTS), (QUERY, []), ("What is blue?", TEXTS[:3])]
        for ranking, (query, texts) in zip(reranker.rank_many(requests), requests, strict=True):
            alone = reranker.rank(query, texts)
            assert [item.index for item in ranking] == [item.index for item in alone]
            # A reranker with a cache has read them already.
            assert alone.usage.total_tokens in {ranking.usage.total_tokens, 0}

    def test_async_twins_agree(self, reranker: Reranker) -> None:
        """The async forms answer the same, each time in a new event loop."""
        scores = reranker.score(QUERY, TEXTS)
        _assert_close(asyncio.run(reranker.ascore(QUERY, TEXTS)), scores)
        _assert_close(asyncio.run(reranker.ascore_many([(QUERY, TEXTS)]))[0], scores)
        indices = [item.index for item in reranker.rank(QUERY, TEXTS)]
        assert [item.index for item in asyncio.run(reranker.arank(QUERY, TEXTS))] == indices
        (many,) = asyncio.run(reranker.arank_many([(QUERY, TEXTS)]))
        assert [item.index for item in many] == indices

    def test_threads_get_the_serial_answer(self, reranker: Reranker) -> None:
        """Eight threads over one reranker."""
        expected = reranker.score(QUERY, TEXTS)
        with ThreadPoolExecutor(8) as pool:
            for scores in pool.map(lambda _: reranker.score(QUERY, TEXTS), range(16)):
                _assert_close(scores, expected)

    def test_use_after_close_is_refused(self, reranker: Reranker) -> None:
        """Closing twice is fine, use afterwards is not."""
        reranker.close()
        reranker.close()
        with _refused(RuntimeError):
            reranker.rank(QUERY, TEXTS)


def _number(score: float | None) -> float:
    assert type(score) is float, f"a score must be a Python float, got {score!r}"
    return score


def _assert_close(found: Sequence[float], expected: Sequence[float]) -> None:
    assert len(found) == len(expected)
    worst = max((abs(a - b) for a, b in zip(found, expected, strict=True)), default=0.0)
    assert worst <= 1e-3, f"scores differ by {worst}"  # noqa: PLR2004 - a bfloat16 batch's rounding


@contextmanager
def _refused(kind: type[Exception]) -> Iterator[None]:
    """Expect an error, without making pytest a dependency of `FakeBackend`."""
    try:
        yield
    except kind:
        return
    msg = f"expected a {kind.__name__}"
    raise AssertionError(msg)

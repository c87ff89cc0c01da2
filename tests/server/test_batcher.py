"""Requests that share passes: the same scores as alone, and nobody waits or fails for another."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest
from jina_rerank_server.batcher import Batcher, QueueFullError, UnavailableError
from jina_rerank_server.metrics import Metrics
from jina_rerank_server.passes import TooLongError

from jina_rerank import Backend, CheckpointError, ModelNotFoundError, Reranker, Scores
from jina_rerank.testing import FakeBackend

from .gate import Gate

HOUR = 3600.0
WORDS = ("mars", "is", "the", "red", "planet", "bread", "rises", "with", "yeast", "café", "火星")


def batcher(backend: Backend | Reranker, **keywords: Any) -> Batcher:
    """Make a batcher with room for everything that waits for nobody."""
    reranker = backend if isinstance(backend, Reranker) else Reranker(backend=backend)
    defaults: dict[str, Any] = {
        "name": "turbo",
        "batch_tokens": 1000,
        "batch_wait": 0.0,
        "queue_size": 1000,
        "metrics": Metrics(),
    }
    return Batcher(reranker, **{**defaults, **keywords})


@asynccontextmanager
async def started(backend: Backend | Reranker, **keywords: Any) -> AsyncIterator[Batcher]:
    """Start a batcher, and close it."""
    made = batcher(backend, **keywords)
    await made.start()
    yield made
    await made.close()


def ask(made: Batcher, query: str, documents: Sequence[str]) -> "asyncio.Task[Scores]":
    """Send a request, and go on once it waits or was refused."""
    return asyncio.ensure_future(made.score(query, documents))


async def turn() -> None:
    """Let the tasks that were made take their first step."""
    for _ in range(3):
        await asyncio.sleep(0)


def number(metrics: Metrics, name: str) -> float:
    """Read a number of the model."""
    value = metrics.registry.get_sample_value(f"jina_rerank_{name}", {"model": "turbo"})
    assert value is not None
    return value


# The same as alone


def requests(count: int) -> Iterator[tuple[str, list[str]]]:
    """Make requests of all sizes, with blank and repeated documents."""
    random = Random(7)  # noqa: S311 - texts are no secret
    for _ in range(count):
        query = " ".join(random.choices(WORDS, k=random.randint(1, 8)))
        size = random.choice([1, 2, 5, 40])
        documents = [" ".join(random.choices(WORDS, k=random.randint(0, 40))) for _ in range(size)]
        yield query, [*documents, documents[0], " "]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"max_length": 24},
        {"max_length": 24, "overlength": "window", "overlap": 4},
    ],
    ids=["whole", "cut", "windows"],
)
async def test_shared_passes_give_the_scores_order_and_tokens_of_the_engine_alone(
    mini: Path, settings: dict[str, Any]
) -> None:
    asked = list(requests(12))
    engine = Reranker(mini, dtype="float32", **settings)
    alone = [engine.rank(*request) for request in asked]
    async with started(Reranker(mini, dtype="float32", **settings), queue_size=5000) as made:
        served = await asyncio.gather(*(made.score(*request) for request in asked))
    for scores, ranking in zip(served, alone, strict=True):
        expected = {item.index: item.score for item in ranking}
        assert dict(enumerate(scores.values)) == pytest.approx(expected, abs=1e-6)
        assert scores.total_tokens == ranking.usage.total_tokens
        assert scores.model == ranking.model
        assert scores.values[0] == scores.values[-2]  # the same text, whichever passes they were in


async def test_cache_of_the_engine_is_used(mini: Path) -> None:
    async with started(Reranker(mini, dtype="float32", cache=100)) as made:
        first = await made.score("red", ["mars", "bread"])
        again = await made.score("red", ["bread", "mars"])
    assert list(again.values) == list(first.values)[::-1]
    assert again.total_tokens == 0


async def test_no_documents_have_no_scores() -> None:
    gate = Gate()
    async with started(gate) as made:
        assert await made.score("red", []) == Scores(values=[])
    assert gate.passes == []


async def test_answer_holds_neither_the_callers_list_nor_follows_it() -> None:
    gate = Gate(shut=True)
    async with started(gate) as made:
        documents = ["red", "sea"]
        first = ask(made, "red", documents)
        await turn()
        documents.clear()
        gate.stay_open()
        assert (await first).values == [1.0, 0.0]


# Who shares a pass with whom


async def test_requests_that_wait_go_together() -> None:
    gate = Gate(shut=True)
    async with started(gate) as made:
        first = ask(made, "sea", ["the sea"])
        await gate.entered()
        others = [ask(made, f"red {i}", ["a red planet"]) for i in range(5)]
        await turn()
        gate.stay_open()
        await asyncio.gather(first, *others)
    assert [len(asked) for asked in gate.passes] == [1, 5]


async def test_small_request_does_not_wait_for_a_long_one() -> None:
    gate = Gate(shut=True)
    async with started(gate, batch_tokens=100, queue_size=5000) as made:
        long = ask(made, "red", ["a red planet, far away"] * 2000)
        await gate.entered()
        small = ask(made, "sea", ["the sea"])
        await turn()
        gate.open()
        await gate.entered()
        gate.open()
        assert (await small).values == [1.0]
        assert not long.done()
        assert len(gate.passes) <= 3
        gate.stay_open()
        assert (await long).values == [1.0] * 2000


async def test_full_pass_waits_for_nobody() -> None:
    async with started(Gate(), batch_tokens=10, batch_wait=HOUR) as made:
        assert (await made.score("red", ["a red planet " * 4])).values == [1.0]


async def test_first_request_waits_for_others_to_fill_its_pass() -> None:
    gate = Gate()
    async with started(gate, batch_tokens=100, batch_wait=HOUR) as made:
        first = ask(made, "red", ["a red planet"])
        await turn()
        assert not first.done()
        await made.score("sea", ["x" * 52] * 7)  # to the character: 400 are about 100 tokens
        await first
    assert [{query for query, _ in asked} for asked in gate.passes] == [{"red", "sea"}]


async def test_wait_for_others_ends_in_time() -> None:
    async with started(Gate(), batch_wait=0.01) as made:
        assert (await made.score("red", ["red"])).values == [1.0]


async def test_time_spent_behind_another_pass_counts_as_waiting() -> None:
    now = [0.0]
    gate = Gate(shut=True)
    async with started(gate, batch_tokens=20, batch_wait=HOUR, clock=lambda: now[0]) as made:
        first = ask(made, "red", ["a red planet"] * 6)
        await gate.entered()
        second = ask(made, "sea", ["the sea"])
        await turn()
        now[0] = HOUR
        gate.stay_open()
        await asyncio.gather(first, second)
    assert number(made._metrics, "queue_seconds_sum") == HOUR


async def test_language_with_many_tokens_makes_passes_smaller() -> None:
    class Chinese(Gate):
        def score(self, query: str, documents: Sequence[str]) -> Scores:
            return Scores(values=[0.5] * len(documents), total_tokens=sum(map(len, documents)))

    gate = Chinese()
    async with started(gate, batch_tokens=100, queue_size=5000) as made:
        await made.score("火", ["火星是红色的行星"] * 400)
    sizes = [sum(len(texts) for _, texts in asked) for asked in gate.passes]
    assert sizes[0] > 40
    assert sizes[-2] <= 12  # about 100 tokens of 9


# Who leaves


async def test_cancelled_request_is_never_scored() -> None:
    gate = Gate(shut=True)
    async with started(gate) as made:
        first = ask(made, "red", ["a red planet"])
        await gate.entered()
        second, third = ask(made, "gone", ["the sea"]), ask(made, "sea", ["the sea"])
        await turn()
        second.cancel()
        await turn()
        gate.stay_open()
        await asyncio.gather(first, third)
        assert second.cancelled()
        metrics = made._metrics
    assert "gone" not in [query for asked in gate.passes for query, _ in asked]
    assert number(metrics, "cancelled_total") == 1
    assert number(metrics, "queue_documents") == 0


async def test_request_cancelled_in_its_pass_harms_nobody() -> None:
    gate = Gate(shut=True)
    async with started(gate, batch_tokens=20) as made:
        first = ask(made, "red", ["a red planet"] * 100)
        await gate.entered()
        first.cancel()
        await turn()
        second = ask(made, "sea", ["the sea"])
        await turn()
        gate.stay_open()
        assert (await second).values == [1.0]
    assert [query for query, _ in gate.passes[-1]] == ["sea"]
    assert len(gate.passes) == 2


async def test_deadline_that_passes_takes_the_request_out() -> None:
    gate = Gate(shut=True)
    async with started(gate) as made:
        first = ask(made, "red", ["a red planet"])
        await gate.entered()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await made.score("late", ["the sea"])
        gate.stay_open()
        await first
    assert len(gate.passes) == 1


async def test_cancelling_the_last_that_waits_leaves_the_batcher_at_work() -> None:
    async with started(Gate(), batch_wait=HOUR) as made:
        only = ask(made, "red", ["a red planet"])
        await turn()
        only.cancel()
        await turn()
        other = ask(made, "red", ["a red planet"])
        await turn()
        await made.drain()
        assert (await other).values == [1.0]


def test_event_loop_that_closed_harms_no_other() -> None:
    gate = Gate(shut=True)
    made = batcher(gate)

    async def leave() -> None:
        await made.start()
        # Kept by the loop, which is closed over it.
        lost.append(ask(made, "red", ["a red planet"]))
        await gate.entered()

    async def come() -> Scores:
        gate.stay_open()
        scores = await made.score("sea", ["the sea"])
        await made.close()
        return scores

    lost: list[asyncio.Task[Scores]] = []
    loop = asyncio.new_event_loop()
    loop.run_until_complete(leave())
    loop.close()
    assert asyncio.run(come()).values == [1.0]
    assert not lost[0].done()
    lost[0]._log_destroy_pending = False  # type: ignore[attr-defined] # that it is lost is the point


# Who is refused


async def test_full_queue_refuses_and_says_when_to_come_back() -> None:
    now = [0.0]
    gate = Gate(shut=True)
    async with started(gate, queue_size=100, clock=lambda: now[0]) as made:
        first = ask(made, "red", ["a red planet"] * 10)
        await gate.entered()
        now[0] = 5.0  # two documents a second
        gate.open()
        await first
        second = ask(made, "red", ["a red planet"])
        await gate.entered()
        third = ask(made, "red", ["a red planet"] * 90)
        await turn()
        with pytest.raises(QueueFullError, match="the queue is full; try again in 45 s") as refused:
            await made.score("red", ["a red planet"] * 11)
        assert refused.value.retry_after == 45
        assert number(made._metrics, "rejected_total") == 1
        assert number(made._metrics, "queue_documents") == 90
        gate.stay_open()
        await asyncio.gather(second, third)


async def test_request_longer_than_the_queue_is_taken_while_none_wait() -> None:
    async with started(Gate(), queue_size=3) as made:
        assert len((await made.score("red", ["a red planet"] * 10)).values) == 10


@pytest.mark.parametrize(
    ("query", "documents", "error", "message"),
    [
        (" \n", ["red"], ValueError, "query must not be blank"),
        (7, ["red"], TypeError, "query must be a string, got int"),
        ("red", ["red", None], TypeError, r"documents\[1\] must be a string, got NoneType"),
        (
            "red",
            ["é", "x\ud800"],
            ValueError,
            r"documents\[1\] has a lone surrogate at character 1",
        ),
    ],
)
async def test_what_is_no_text_is_refused_before_it_waits(
    query: Any, documents: list[Any], error: type[Exception], message: str
) -> None:
    gate = Gate()
    async with started(gate) as made:
        with pytest.raises(error, match=message):
            await made.score(query, documents)
    assert gate.passes == []


async def test_text_that_would_be_cut_is_refused_on_request(mini: Path) -> None:
    long = "mars is red " * 30
    async with started(Reranker(mini, dtype="float32", max_length=64), batch_tokens=60) as made:
        others = [ask(made, f"red {i}", ["mars is red", long]) for i in range(3)]
        with pytest.raises(TooLongError, match=r"documents\[5\] and the query are \d+ tokens") as e:
            await made.score("red", [*["mars is red"] * 5, long, "sea"], truncation=False)
        for scores in await asyncio.gather(*others):
            assert len(scores.values) == 2
        assert (await made.score("red", ["mars is red"], truncation=False)).total_tokens > 0
        assert (await made.score("red", [long], truncation=True)).total_tokens == 64
    assert (e.value.index, e.value.tokens > 0) == (5, True)


@pytest.mark.parametrize(
    "limits", [{"top_n": 3}, {"score_threshold": 0.5}, {"on_error": "keep-order"}]
)
def test_engine_that_leaves_scores_out_is_refused(limits: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="takes no top_n, no score_threshold and no on_error"):
        batcher(Reranker(backend=FakeBackend(), **limits))


# Who fails


class Picky(Gate):
    """Fails for a pass with a bad query in it, and scores a poisoned text NaN."""

    def score_many(self, requests: Sequence[tuple[str, Sequence[str]]]) -> list[Scores]:
        answers = super().score_many(requests)
        if any(query == "bad" for query, _ in requests):
            msg = "out of memory"
            raise RuntimeError(msg)
        return answers

    def score(self, query: str, documents: Sequence[str]) -> Scores:
        return Scores(values=[float("nan") if text == "poison" else 0.5 for text in documents])


async def test_failure_reaches_only_the_requests_it_is_of() -> None:
    gate = Picky(shut=True)
    async with started(gate) as made:
        first = ask(made, "red", ["red"])
        await gate.entered()
        good = [ask(made, f"good {i}", ["red"] * 3) for i in range(5)]
        bad, poisoned = ask(made, "bad", ["red"]), ask(made, "good", ["red", "poison"])
        good += [ask(made, f"good {i}", ["red"] * 3) for i in range(5)]
        await turn()
        gate.stay_open()
        with pytest.raises(RuntimeError, match="out of memory"):
            await bad
        with pytest.raises(CheckpointError, match="NaN"):
            await poisoned
        assert [(await each).values for each in good] == [[0.5] * 3] * 10
        await first


async def test_thread_that_fails_leaves_nobody_waiting(caplog: pytest.LogCaptureFixture) -> None:
    broken = False

    def clock() -> float:
        if broken:
            message = "a text"
            raise KeyError(message)
        return 0.0

    gate = Gate(shut=True)
    async with started(gate, clock=clock, batch_tokens=20) as made:
        first = ask(made, "red", ["a red planet"] * 20)
        await gate.entered()
        second = ask(made, "sea", ["the sea"])
        await turn()
        broken = True
        gate.open()
        for each in (first, second):
            with pytest.raises(UnavailableError, match="start the server again"):
                await each
        broken = False
        assert not made.ready
        assert number(made._metrics, "model_ready") == 0
        assert number(made._metrics, "queue_documents") == 0
        with pytest.raises(UnavailableError, match="start the server again"):
            await made.score("red", ["red"])
    (record,) = caplog.records
    assert record.getMessage().startswith("turbo: the model's thread has failed")


async def test_failed_request_is_not_read_further() -> None:
    gate = Picky()
    async with started(gate, batch_tokens=20) as made:
        with pytest.raises(RuntimeError, match="out of memory"):
            await made.score("bad", ["a red planet"] * 100)
        assert number(made._metrics, "queue_documents") == 0
    assert len(gate.passes) == 1


async def test_other_pieces_of_a_failed_request_are_left_out_of_its_pass() -> None:
    gate = Picky()
    async with started(gate, batch_tokens=20) as made:
        with pytest.raises(CheckpointError, match="NaN"):
            await made.score("red", ["a red planet"] * 5 + ["poison"] * 95)
    together, first = gate.passes[1:]
    assert len(together) > 1
    assert list(first) == list(together[: len(together) // 2])


async def test_model_that_cannot_be_loaded_is_raised_at_the_start(tmp_path: Path) -> None:
    made = batcher(Reranker(tmp_path / "missing"))
    with pytest.raises(ModelNotFoundError):
        await made.start()
    assert not made.ready
    with pytest.raises(UnavailableError, match="not loaded yet"):
        await made.score("red", ["red"])
    await made.close()


# Beginning and end


async def test_requests_before_the_start_are_refused() -> None:
    made = batcher(Gate())
    assert not made.ready
    with pytest.raises(UnavailableError, match="the model is not loaded yet"):
        await made.score("red", ["red"])
    await made.close()


@pytest.mark.parametrize("stop", [Batcher.drain, Batcher.close])
async def test_stopping_batcher_takes_no_more(stop: Callable[[Batcher], Awaitable[None]]) -> None:
    made = batcher(Gate())
    await made.start()
    assert made.ready
    await stop(made)
    assert not made.ready
    with pytest.raises(UnavailableError, match="the server is stopping"):
        await made.score("red", ["red"])
    await made.close()


async def test_draining_finishes_everything_that_was_taken() -> None:
    gate = Gate(shut=True)
    made = batcher(gate, batch_tokens=20)
    await made.start()
    first = ask(made, "red", ["a red planet"] * 50)
    await gate.entered()
    second = ask(made, "sea", ["the sea"] * 50)
    await turn()
    drained = asyncio.ensure_future(made.drain())
    await turn()
    gate.stay_open()
    await drained
    assert (await first).values == (await second).values == [1.0] * 50
    await made.close()


async def test_draining_waits_for_no_others_to_fill_a_pass() -> None:
    made = batcher(Gate(), batch_wait=HOUR)
    await made.start()
    only = ask(made, "red", ["a red planet"])
    await turn()
    await made.drain()
    assert (await only).values == [1.0]
    await made.close()


async def test_closing_refuses_what_waits_and_finishes_the_pass_under_way() -> None:
    gate = Gate(shut=True)
    reranker = Reranker(backend=gate)
    made = batcher(reranker)
    await made.start()
    under_way = ask(made, "red", ["a red planet"])
    await gate.entered()
    waiting = ask(made, "sea", ["the sea"])
    await turn()
    closed = asyncio.ensure_future(made.close())
    await turn()
    gate.stay_open()
    assert (await under_way).values == [1.0]
    with pytest.raises(UnavailableError, match="the server is stopping"):
        await waiting
    await closed
    with pytest.raises(RuntimeError, match="closed"):
        reranker.rank("red", ["red"])


async def test_event_loop_is_free_while_a_pass_runs() -> None:
    gate = Gate(shut=True)
    async with started(gate) as made:
        first = ask(made, "red", ["a red planet"])
        await gate.entered()
        assert threading.current_thread().name != f"jina-rerank-{made.name}"
        assert not first.done()
        gate.stay_open()
        await first


# What is told


async def test_passes_and_queue_are_counted() -> None:
    metrics = Metrics()
    gate = Gate(shut=True)
    async with started(gate, metrics=metrics) as made:
        assert number(metrics, "model_ready") == 1
        first = ask(made, "red", ["a red planet"] * 2)
        await gate.entered()
        others = [ask(made, "red", ["the sea"] * 3) for _ in range(2)]
        await turn()
        assert number(metrics, "queue_documents") == 6
        gate.stay_open()
        await asyncio.gather(first, *others)
    assert number(metrics, "model_ready") == 0
    assert number(metrics, "documents_total") == 8
    assert number(metrics, "tokens_total") == 18
    assert number(metrics, "batch_documents_sum") == 8
    assert number(metrics, "batch_tokens_sum") == 18
    assert number(metrics, "batch_requests_sum") == 3
    assert number(metrics, "batch_seconds_count") == 2
    assert number(metrics, "queue_seconds_count") == 3


async def test_two_models_share_metrics_and_nothing_else() -> None:
    metrics = Metrics()
    gate = Gate(shut=True)
    async with (
        started(gate, metrics=metrics) as made,
        started(Gate(), metrics=metrics, name="tiny") as other,
    ):
        held = ask(made, "red", ["a red planet"])
        await gate.entered()
        assert (await other.score("sea", ["the sea"])).values == [1.0]
        gate.stay_open()
        await held
    for model in ("turbo", "tiny"):
        labels = {"model": model}
        assert metrics.registry.get_sample_value("jina_rerank_documents_total", labels) == 1

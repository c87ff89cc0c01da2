"""The pure parts of the server's benchmark: its clients, its counting, its report."""

import asyncio
import io
import json
import os
import threading
from collections.abc import Sequence

import pytest
from jina_rerank_server.metrics import Metrics
from rich.console import Console

from jina_rerank import Reranker, Scores
from tests.bench import load, machine
from tests.bench.load import Call, Load, Target
from tests.bench.parts import server
from tests.bench.parts.server import OFFLINE, Plan, Round, Steady, Texts
from tests.bench.serving import OneByOne
from tests.server.gate import Gate

EXPECTED = [0.25, 0.75, 0.5]
PLAN = Plan(model="turbo", clients=2, seconds=10.0)
TEXTS = Texts(asked=(("q", ["a", "b", "c"]), ("q", ["a"])), bodies=(b"", b""), tokens=40)


def call(
    *scores: tuple[int, float], status: int = 200, request: int = 0, ended: float = 1.0
) -> Call:
    results = [{"index": index, "relevance_score": score} for index, score in scores]
    body = json.dumps({"results": results}).encode()
    return Call(request=request, ended=ended, seconds=0.5, status=status, body=body)


def seen(*calls: Call, memory: Sequence[int] = (7,)) -> Load:
    return Load(seconds=10.0, cpu=0.01, calls=calls, memory=tuple(memory))


@pytest.mark.parametrize(
    ("answer", "wrong"),
    [
        (call((1, 0.75), (2, 0.5), (0, 0.25)), 0),
        (call((1, 0.754), (2, 0.496), (0, 0.25)), 0),
        (call((1, 0.76), (2, 0.5), (0, 0.25)), 1),
        (call((2, 0.5), (1, 0.75), (0, 0.25)), 1),
        (call((1, 0.75), (2, 0.5)), 1),
        (call((1, 0.75), (1, 0.75), (0, 0.25)), 1),
        (call((1, 0.75), (2, 0.5), (0, 0.25), status=503), 1),
    ],
    ids=["same", "rounded", "score", "order", "missing", "twice", "status"],
)
def test_answers_are_wrong_by_score_order_index_and_status(answer: Call, wrong: int) -> None:
    assert load.wrong([answer], [EXPECTED], 5e-3) == wrong


def test_order_of_scores_within_the_tolerance_is_free() -> None:
    answer = call((0, 0.5), (1, 0.501))
    assert load.right(answer, [0.5, 0.501], 5e-3)


def test_percentiles_are_values_that_were_seen() -> None:
    assert [load.percentile([3.0, 1.0, 2.0, 4.0], share) for share in (0.5, 0.95, 1)] == [3, 4, 4]


def test_growth_is_from_the_second_quarter_to_the_last() -> None:
    assert seen(memory=[1, 1, 5, 5, 6, 6, 7, 7]).growth == 2
    assert seen(memory=[3]).growth == 0


def test_every_request_is_asked_once_over_as_many_connections_as_clients() -> None:
    asked: list[str] = []
    connections: list[asyncio.StreamReader] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(reader)
        while head := await reader.readuntil(b"\r\n\r\n") if not reader.at_eof() else b"":
            (length,) = [line for line in head.split(b"\r\n") if line.startswith(b"content-length")]
            asked.append(json.loads(await reader.readexactly(int(length.split()[1])))["query"])
            body = b'{"results": []}'
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
            if len(asked) == 5:
                break
        writer.close()

    async def main() -> Load:
        listening = await asyncio.start_server(answer, "127.0.0.1", 0)
        host, port = listening.sockets[0].getsockname()
        bodies = [load.build(str(number), ["text"]) for number in range(5)]
        target = Target(host=host, port=port, pid=os.getpid())
        async with listening:
            return await load.run(target, bodies, load.once(5), clients=2)

    measured = asyncio.run(main())
    assert sorted(asked) == sorted(str(each.request) for each in measured.calls)
    assert len(asked) == 5
    assert len(connections) == 2
    assert {each.status for each in measured.calls} == {200}
    assert min(measured.memory) > 0


def test_processor_time_of_a_process_grows_with_its_work() -> None:
    before = machine.processor_time(os.getpid())
    while machine.processor_time(os.getpid()) == before:
        sum(range(100_000))
    assert machine.processor_time(os.getpid()) > before


def test_asking_again_and_again_ends_in_time() -> None:
    assert list(load.during(3, -1.0)) == []
    order = load.during(2, 60.0)
    assert [next(order) for _ in range(5)] == [0, 1, 0, 1, 0]


async def test_serving_one_by_one_gives_the_engine_one_request_at_a_time() -> None:
    busy = threading.Lock()

    class Alone(Gate):
        def score(self, query: str, documents: Sequence[str]) -> Scores:
            assert busy.acquire(blocking=False)
            scores = super().score(query, documents)
            busy.release()
            return scores

    made = OneByOne(
        Reranker(backend=Alone()),
        name="served",
        batch_tokens=1000,
        batch_wait=0.0,
        queue_size=10,
        metrics=Metrics(),
    )
    answers = await asyncio.gather(*(made.score("red", ["sea", "red", " "]) for _ in range(3)))
    assert [answer.values for answer in answers] == [[0.0, 1.0, 0.0]] * 3
    assert answers[0].total_tokens == 2


def test_mixed_requests_count_to_the_last_answer() -> None:
    right = (1, 0.75), (2, 0.5), (0, 0.25)
    calls = call(*right, ended=5.0), call((0, 0.5), request=1, ended=6.0), call(*right, ended=10.0)
    measured = server.summarise(seen(*calls, memory=[3, 9]), TEXTS, [EXPECTED, [0.9]])
    assert measured.documents == pytest.approx(0.7)
    assert (measured.answers, measured.wrong, measured.memory) == (3, 1, 9)
    assert measured.small == 0.5


def test_without_requests_of_one_document_the_median_is_that_of_all() -> None:
    measured = server.summarise(seen(call((0, 0.25))), TEXTS, [EXPECTED])
    assert measured.small == measured.p50 == 0.5


def test_report_gives_the_share_of_the_engine_and_counts_the_wrong() -> None:
    rounds = [
        Round(
            seconds={"batches": 5.0, OFFLINE: 4.5, "one request at a time": 10.0},
            computed={"batches": 8.0, OFFLINE: 8.0, "one request at a time": 16.0},
            wrong={"batches": 1, "one request at a time": 0},
            cpu={"batches": 0.015, "one request at a time": 0.01},
        )
    ]
    fast, slow = (
        Steady(
            documents=10 * speed,
            p50=1.0,
            p95=2.0,
            p99=3.0,
            small=0.5,
            answers=10,
            wrong=0,
            cpu=0.01,
            memory=10**8,
            growth=-1e5,
        )
        for speed in (3.0, 2.0)
    )
    section = server.section(PLAN, TEXTS, rounds, {"batches": fast, "one request at a time": slow})
    console = Console(file=io.StringIO(), width=100)
    for lines in section.tables.values():
        console.print(lines)
    assert isinstance(console.file, io.StringIO)
    shown = [line.split() for line in console.file.getvalue().splitlines()]
    assert ["server,", "batches", "5.00", "0.8", "8", "0.90", "8.00", "1.00"] in shown
    assert shown.index(
        ["engine,", "no", "server", "4.50", "0.9", "9", "1.00", "8.00", "1.00"]
    ) < shown.index(["server,", "batches", "5.00", "0.8", "8", "0.90", "8.00", "1.00"])
    assert any(line[:4] == ["batches", "10", "30.0", "1.50x"] for line in shown)
    assert any(note.startswith("1 of 24 answers were wrong") for note in section.notes)
    assert any("at most 1.5% of a core" in note for note in section.notes)
    assert "…" not in console.file.getvalue()
    json.dumps(section.values)

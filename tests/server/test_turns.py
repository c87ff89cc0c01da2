"""Who gets into a pass, and in what order."""

import asyncio
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jina_rerank_server.turns import Turns
from jina_rerank_server.work import Piece, Work


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """An event loop that never runs: nobody is woken here."""
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


def work(
    loop: asyncio.AbstractEventLoop, lengths: list[int], *, query: str = "q", arrived: float = 0.0
) -> Work:
    """Make a request whose documents are so many characters long, with the query's one."""
    return Work(
        query=query,
        documents=tuple("x" * (length - len(query)) for length in lengths),
        strict=False,
        arrived=arrived,
        future=loop.create_future(),
    )


def spans(pieces: list[Piece], *works: Work) -> list[tuple[int, int, int]]:
    """Say which request each piece is of, by its place in `works`, and which documents it has."""
    return [(works.index(piece.work), piece.start, piece.stop) for piece in pieces]


def test_requests_that_fit_share_a_pass_in_the_order_they_came(
    loop: asyncio.AbstractEventLoop,
) -> None:
    turns = Turns()
    one, two, three = works = [work(loop, [10, 10]) for _ in range(3)]
    for each in works:
        turns.put(each)
    assert spans(turns.take(50, 50), one, two, three) == [(0, 0, 2), (1, 0, 2), (2, 0, 1)]
    assert spans(turns.take(50, 50), one, two, three) == [(2, 1, 2)]
    assert not turns


def test_long_request_gets_its_share_and_goes_to_the_end_of_the_line(
    loop: asyncio.AbstractEventLoop,
) -> None:
    turns = Turns()
    long, short = work(loop, [10] * 2000), work(loop, [10])
    turns.put(long)
    assert spans(turns.take(100, 100), long) == [(0, 0, 10)]
    turns.put(short)
    pieces = spans(turns.take(100, 100), long, short)
    assert pieces == [(0, 10, 15), (1, 0, 1), (0, 15, 19)]


def test_request_that_the_end_of_a_pass_cuts_is_the_first_of_the_next(
    loop: asyncio.AbstractEventLoop,
) -> None:
    turns = Turns()
    one, two, three = works = [work(loop, [10] * 6) for _ in range(3)]
    for each in works:
        turns.put(each)
    assert spans(turns.take(100, 100), one, two, three) == [(0, 0, 6), (1, 0, 4)]
    assert spans(turns.take(100, 100), one, two, three) == [(1, 4, 6), (2, 0, 6)]


def test_long_request_alone_fills_the_pass(loop: asyncio.AbstractEventLoop) -> None:
    turns = Turns()
    long = work(loop, [10] * 20)
    turns.put(long)
    assert spans(turns.take(100, 40), long) == [(0, 0, 4), (0, 4, 6), (0, 6, 8), (0, 8, 10)]


def test_document_longer_than_a_pass_is_a_pass_of_its_own(loop: asyncio.AbstractEventLoop) -> None:
    turns = Turns()
    one = work(loop, [10, 500, 10])
    turns.put(one)
    taken = [spans(turns.take(100, 50), one) for _ in range(3)]
    assert taken == [[(0, 0, 1)], [(0, 1, 2)], [(0, 2, 3)]]


def test_query_counts_once_for_each_document(loop: asyncio.AbstractEventLoop) -> None:
    turns = Turns()
    one = work(loop, [30, 30], query="q" * 29)
    turns.put(one)
    assert (turns.documents, turns.size) == (2, 60)
    assert spans(turns.take(59, 59), one) == [(0, 0, 1)]


def test_discarded_request_leaves_nothing_behind(loop: asyncio.AbstractEventLoop) -> None:
    turns = Turns()
    gone, stays = work(loop, [10] * 20), work(loop, [10])
    turns.put(gone)
    turns.take(50, 50)
    turns.put(stays)
    turns.discard(gone)
    turns.discard(gone)
    assert (turns.documents, turns.size) == (1, 10)
    assert spans(turns.take(100, 50), stays) == [(0, 0, 1)]


def test_cleared_line_names_who_stood_in_it(loop: asyncio.AbstractEventLoop) -> None:
    turns = Turns()
    both = [work(loop, [10]), work(loop, [10, 10])]
    for each in both:
        turns.put(each)
    assert turns.clear() == both
    assert (bool(turns), turns.documents, turns.size) == (False, 0, 0)


def test_line_waits_since_its_first_came(loop: asyncio.AbstractEventLoop) -> None:
    turns = Turns()
    turns.put(work(loop, [10], arrived=3.0))
    turns.put(work(loop, [10], arrived=4.0))
    assert turns.since == 3.0


def test_nothing_waiting_gives_no_pass(loop: asyncio.AbstractEventLoop) -> None:
    assert Turns().take(100, 50) == []


@given(
    requests=st.lists(st.lists(st.integers(1, 40), min_size=1, max_size=30), max_size=8),
    budget=st.integers(1, 60),
    share=st.integers(1, 60),
)
def test_every_document_is_given_once_and_passes_keep_the_budget(
    loop: asyncio.AbstractEventLoop, requests: list[list[int]], budget: int, share: int
) -> None:
    turns = Turns()
    works = [work(loop, lengths) for lengths in requests]
    for each in works:
        turns.put(each)
    given = []
    while turns:
        pieces = turns.take(budget, share)
        assert sum(piece.size for piece in pieces) <= budget or sum(map(len, pieces)) == 1
        assert all(piece.size <= share or len(piece) == 1 for piece in pieces)
        given += [
            (works.index(piece.work), i) for piece in pieces for i in range(piece.start, piece.stop)
        ]
    assert (turns.documents, turns.size) == (0, 0)
    assert sorted(given) == [
        (w, i) for w, lengths in enumerate(requests) for i in range(len(lengths))
    ]

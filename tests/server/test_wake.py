"""Waking who waits in an event loop, from another thread."""

import asyncio

import pytest
from jina_rerank_server.wake import wake


@pytest.fixture
async def future() -> "asyncio.Future[None]":
    return asyncio.get_running_loop().create_future()


async def test_woken_from_a_thread_the_waiting_go_on(future: "asyncio.Future[None]") -> None:
    await asyncio.to_thread(wake, future)
    assert await future is None  # type: ignore[func-returns-value] # that it returns is the point


async def test_error_is_raised_where_it_is_awaited(future: "asyncio.Future[None]") -> None:
    await asyncio.to_thread(wake, future, ValueError("no"))
    with pytest.raises(ValueError, match="no"):
        await future


async def test_who_left_is_not_woken(future: "asyncio.Future[None]") -> None:
    future.cancel()
    await asyncio.to_thread(wake, future)
    await asyncio.sleep(0)
    assert future.cancelled()


def test_who_waited_in_a_closed_loop_is_forgotten() -> None:
    loop = asyncio.new_event_loop()
    future: asyncio.Future[None] = loop.create_future()
    loop.close()
    wake(future)
    assert not future.done()

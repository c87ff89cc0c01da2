"""When to try again, how fast to go, and how many at once: no test waits."""

import asyncio
import math
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jina_rerank import (
    APIConnectionError,
    APIError,
    APIResponseError,
    APIStatusError,
    APITimeoutError,
    BadRequestError,
    RateLimitError,
    ServerError,
)
from jina_rerank.http.pace import Pace
from jina_rerank.http.retry import RetryPolicy, is_retryable
from jina_rerank.http.slots import Slots
from jina_rerank.wire.failure import error_class, read_error

from .service_cases import CASES, answer_of

POLICY = RetryPolicy()


def failure(status: int, code: str | None = None, retry_after: float | None = None) -> APIError:
    return error_class(status, code)("failed", status=status, code=code, retry_after=retry_after)


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504, 524])
def test_status_that_may_pass_is_tried_again(status: int) -> None:
    assert is_retryable(failure(status))


@pytest.mark.parametrize("status", [301, 400, 401, 402, 403, 404, 413, 422, 424])
def test_status_that_stays_is_final(status: int) -> None:
    assert POLICY.wait(failure(status), tried=1) is None


def test_lost_connections_are_tried_again_and_bad_replies_not() -> None:
    assert is_retryable(APIConnectionError("reset"))
    assert is_retryable(APITimeoutError("late"))
    assert not is_retryable(APIResponseError("no JSON"))
    assert not is_retryable(APIError("something else"))


@pytest.mark.parametrize(
    "case",
    [c for c in CASES if c["kind"] == "error" and "sagemaker" not in c["dialect"]],
    ids=lambda case: case["id"],
)
def test_collected_error_is_tried_again_as_the_case_says(case: dict[str, object]) -> None:
    answer = answer_of(case)
    if answer.status < 300:
        assert not is_retryable(APIResponseError(""))
        return
    expected = case["client_expect"]
    assert isinstance(expected, dict)
    error = read_error(answer)
    assert is_retryable(error) == expected["retryable"]
    if "wait_s_at_least" in expected:
        seconds = POLICY.wait(error, tried=1)
        assert seconds is not None
        assert seconds >= expected["wait_s_at_least"]


def test_waits_double_up_to_the_longest() -> None:
    policy = RetryPolicy(attempts=9)
    waits = [policy.wait(failure(503), tried=tried) for tried in range(1, 10)]
    assert waits == [0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0, 8.0, None]


def test_dice_shorten_a_wait_by_up_to_a_quarter() -> None:
    assert POLICY.wait(failure(503), tried=1, dice=0.5) == 0.5 * (1 - 0.125)


def test_a_thousand_tries_do_not_overflow() -> None:
    assert RetryPolicy(attempts=5000).wait(failure(503), tried=4000) == 8.0


def test_server_that_asks_for_a_wait_gets_it() -> None:
    assert POLICY.wait(failure(429, retry_after=7.0), tried=1) == 7.0
    assert POLICY.wait(failure(503, retry_after=60.0), tried=1) == 60.0


def test_server_that_asks_for_none_leaves_it_to_the_client() -> None:
    assert POLICY.wait(failure(429, retry_after=0.0), tried=1) == 0.5


def test_server_that_asks_for_too_much_is_final() -> None:
    assert POLICY.wait(failure(429, retry_after=60.1), tried=1) is None


@pytest.mark.parametrize(
    "code",
    ["RATE_REQUEST_LIMIT_EXCEEDED", "RATE_TOKEN_LIMIT_EXCEEDED", "RATE_IP_LIMIT_EXCEEDED"],
)
def test_limit_by_the_minute_waits_for_the_next_one(code: str) -> None:
    assert POLICY.wait(failure(429, code), tried=1, now=3600 + 45.0) == 15.0
    assert POLICY.wait(failure(429, code), tried=1, now=3600 + 45.0, dice=0.5) == 15.5
    assert POLICY.wait(failure(429, code, retry_after=2.0), tried=1, now=3645.0) == 2.0


def test_limit_of_concurrency_backs_off() -> None:
    error = failure(429, "RATE_CONCURRENCY_LIMIT_EXCEEDED")
    assert POLICY.wait(error, tried=2, now=3645.0) == 1.0


def test_wait_beyond_the_deadline_gives_up() -> None:
    assert POLICY.wait(failure(503), tried=1, left=0.5) is None
    assert POLICY.wait(failure(503), tried=1, left=0.6) == 0.5


@given(
    status=st.integers(300, 599),
    tried=st.integers(1, 20),
    attempts=st.integers(1, 20),
    retry_after=st.none() | st.floats(0, 1e6),
    now=st.floats(0, 1e10),
    dice=st.floats(0, 1, exclude_max=True),
    left=st.floats(0.001, 1e6) | st.just(math.inf),
)
def test_wait_is_short_and_before_the_deadline(  # noqa: PLR0913 - all that a wait depends on
    *,
    status: int,
    tried: int,
    attempts: int,
    retry_after: float | None,
    now: float,
    dice: float,
    left: float,
) -> None:
    error = failure(status, "RATE_TOKEN_LIMIT_EXCEEDED", retry_after)
    policy = RetryPolicy(attempts=attempts)
    seconds = policy.wait(error, tried=tried, now=now, dice=dice, left=left)
    if seconds is None:
        return
    assert tried < attempts
    assert is_retryable(error)
    assert 0 < seconds <= 61
    assert seconds < left


@given(
    requests=st.none() | st.integers(1, 5),
    limit=st.none() | st.integers(1, 50),
    steps=st.lists(st.tuples(st.floats(0, 100), st.integers(0, 60)), max_size=40),
)
def test_no_minute_has_more_than_its_share(
    requests: int | None, limit: int | None, steps: list[tuple[float, int]]
) -> None:
    pace, now, booked = Pace(requests=requests, tokens=limit), 0.0, []
    for pause, tokens in steps:
        now += pause
        booking = pace.book(tokens=tokens, now=now)
        assert booking is not None
        assert booking.at >= now
        booked.append((booking.at, tokens))
    for at, _ in booked:
        # A minute that starts with any booking; the next booking may be one minute later.
        inside = [tokens for other, tokens in booked if at <= other < at + 59.999]
        assert requests is None or len(inside) <= requests
        assert limit is None or sum(inside) <= limit or len([t for t in inside if t]) == 1


def test_pace_without_limits_remembers_nothing() -> None:
    pace = Pace()
    assert [pace.book(tokens=10**9, now=1.0).at for _ in range(3)] == [1.0] * 3  # type: ignore[union-attr] # no deadline
    assert not pace._booked


def test_booking_beyond_the_deadline_is_none_and_takes_no_place() -> None:
    pace = Pace(requests=1)
    assert pace.book(tokens=1, now=0.0) is not None
    assert pace.book(tokens=1, now=1.0, until=60.0) is None
    booking = pace.book(tokens=1, now=1.0, until=60.1)
    assert booking is not None
    assert booking.at == 60.0


def test_tokens_that_the_server_counted_replace_the_guess() -> None:
    pace = Pace(tokens=100)
    first = pace.book(tokens=90, now=0.0)
    assert first is not None
    pace.settle(first, 0)
    assert first.tokens == 90
    pace.settle(first, 10)
    second = pace.book(tokens=90, now=1.0)
    assert second is not None
    assert second.at == 1.0


def test_slots_are_counted_over_threads() -> None:
    slots, inside, most = Slots(3), 0, 0
    lock = threading.Lock()

    def work(_: int) -> None:
        nonlocal inside, most
        with slots.take(patience=None):
            with lock:
                inside += 1
                most = max(most, inside)
            with lock:
                inside -= 1

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(work, range(500)))
    assert 1 <= most <= 3
    assert slots._free == 3


def test_slot_that_does_not_come_free_in_time_is_a_timeout() -> None:
    slots = Slots(1)

    async def wait() -> None:
        async with slots.atake(0.001):
            pass

    with slots.take(None):
        with pytest.raises(TimeoutError), slots.take(0.001):
            pass
        with pytest.raises(TimeoutError):
            asyncio.run(wait())
    with slots.take(0.001):
        assert slots._free == 0
    assert slots._free == 1


def test_slot_passes_from_a_thread_to_a_task_in_order() -> None:
    slots, order = Slots(1), list[str]()

    async def take(name: str) -> None:
        async with slots.atake(None):
            order.append(name)

    async def main() -> None:
        with slots.take(None):
            tasks = [asyncio.create_task(take(name)) for name in "abc"]
            await asyncio.sleep(0)
            tasks[1].cancel()
            await asyncio.sleep(0)
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(main())
    assert order == ["a", "c"]
    assert slots._free == 1


def test_slot_given_to_who_leaves_in_the_same_moment_goes_on() -> None:
    slots = Slots(1)
    claim: Future[None] = slots._claim()
    slots._abandon(claim)
    assert slots._free == 1


def test_body_that_raises_gives_its_slot_back() -> None:
    slots = Slots(1)

    async def fail() -> None:
        async with slots.atake(None):
            raise KeyError

    with pytest.raises(KeyError), slots.take(None):
        raise KeyError
    with pytest.raises(KeyError):
        asyncio.run(fail())
    assert slots._free == 1


@pytest.mark.parametrize("kind", [APIStatusError, BadRequestError, RateLimitError, ServerError])
def test_every_status_error_is_an_api_error(kind: Callable[..., APIStatusError]) -> None:
    assert isinstance(kind("m", status=500), APIError)

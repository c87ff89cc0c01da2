"""From a request to its answer: read, check, score, sort, cut, write."""

import asyncio
import gc
import time
import traceback
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive

from jina_rerank import JinaRerankError, Scores
from jina_rerank.wire import batch_transform
from jina_rerank.wire.batch_transform import Row
from jina_rerank.wire.fields import load_request
from jina_rerank.wire.values import (
    Answer,
    InvalidRequestError,
    RerankReply,
    RerankRequest,
    Result,
    text_of,
)

from .batcher import QueueFullError, UnavailableError
from .bodies import Bodies, Gone
from .facts import Facts
from .formats import choose
from .refusals import BUSY, EMPTY, FAILED, INVALID, LATE, TOO_LONG, UNAVAILABLE, Refusal
from .served import Served

T = TypeVar("T")

SOON = 1.0
"""Seconds after which to ask again while a model loads."""

ROWS_AT_ONCE = 8
"""Rows of a batch transform that are scored together."""

PIECE = 0.02
"""Seconds for which rows are read before everybody else has a turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one request may ask for.

    Attributes:
        documents: How many documents.
        deadline: Seconds until it is answered, once it has come.
    """

    documents: int
    deadline: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Reranking:
    """Answers requests of every route.

    Attributes:
        served: The models.
        bodies: What bodies may be.
        limits: What requests may ask for.
    """

    served: Served
    bodies: Bodies
    limits: Limits

    async def answer(self, request: Request) -> Response:
        """Answer a request, or raise a `Refusal`."""
        facts = Facts.of(request.scope)
        with self.bodies.room() as room:
            is_csv = _is_csv(request.headers.get("content-type", ""))
            answer_one = (
                self._transform if facts.route == "/invocations" and is_csv else self._answer
            )
            # Without a name here: nobody needs the body once it is parsed.
            work = answer_one(facts, await room.read(request.receive, request.headers))
            answer = await unless_gone(request.receive, self._within_deadline(work))
        return Response(answer.body, answer.status, dict(answer.headers))

    async def _answer(self, facts: Facts, body: bytes) -> Answer:
        async with self.bodies.turn(len(body)):
            asked = self._read(facts, body)
        del body
        reply = await self._rerank(facts, asked)
        return facts.format.reply(reply, facts.request_id)

    def _read(self, facts: Facts, body: bytes) -> RerankRequest:
        with _invalid(), _uncollected():
            return self._parse(facts, body)

    def _parse(self, facts: Facts, body: bytes) -> RerankRequest:
        fields = load_request(body)
        facts.format = choose(facts.route, fields)
        return facts.format.read(fields, self.limits.documents)

    async def _transform(self, facts: Facts, body: bytes) -> Answer:
        """Answer the rows of a batch transform, some at a time, in their order."""
        async with self.bodies.turn(len(body)):
            rows = await _in_pieces(batch_transform.iterate_rows(body, self.limits.documents))
        del body
        replies: dict[int, RerankReply] = {}
        waiting = iter(enumerate(rows))

        async def take_turns() -> None:
            for i, row in waiting:
                replies[i] = await self._rerank(facts, row.request)

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(ROWS_AT_ONCE):
                    group.create_task(take_turns())
        except ExceptionGroup as errors:
            raise _first(errors) from None
        return batch_transform.build_reply(rows, [replies[i] for i in range(len(rows))])

    async def _rerank(self, facts: Facts, asked: RerankRequest) -> RerankReply:
        model = self.served.find(asked.model)
        facts.model = model.batcher.name
        texts = [text_of(document) for document in asked.documents]
        if not asked.query.strip():
            message = "Input should not be blank"
            raise Refusal(INVALID, message, field="query")
        facts.documents += len(texts)
        scores = await _scores(model.batcher.score, asked, texts)
        facts.tokens += scores.total_tokens
        return replace(rank(asked, texts, scores, facts.format.digits), model=model.id)

    async def _within_deadline(self, work: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(self.limits.deadline) as clock:
                return await work
        except TimeoutError:
            if not clock.expired():  # something else took too long
                raise
            seconds = f"{self.limits.deadline:g}"
            message = f"Request timed out after {seconds} seconds. Send fewer documents, or later."
            raise Refusal(LATE, message, retry_after=SOON) from None


def rank(asked: RerankRequest, texts: list[str], scores: Scores, digits: int | None) -> RerankReply:
    """Sort as `Reranker.rank` does, cut, and add the documents that were asked for.

    Args:
        asked: The request.
        texts: The text of each document.
        scores: The score of each document.
        digits: Decimals to round to, after sorting; None leaves the scores.
    """
    values = scores.values
    order = sorted(range(len(values)), key=lambda i: (not texts[i].strip(), -values[i]))
    results = tuple(
        Result(
            index=i,
            score=values[i] if digits is None else round(values[i], digits),
            document=asked.documents[i] if asked.return_documents else None,
        )
        for i in order[: asked.top_n]
    )
    return RerankReply(results=results, total_tokens=scores.total_tokens)


async def unless_gone(receive: Receive, work: Awaitable[T]) -> T:
    """Wait for work, and cancel it if the client leaves; raises `Gone` then."""
    answering = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_left(receive))
    try:
        await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not answering.done():
            raise Gone
        return await answering
    finally:
        for task in (answering, leaving):
            task.cancel()
        await asyncio.gather(answering, leaving, return_exceptions=True)
        # An error knows this frame, and through it these: what was read would live on in the circle.
        del answering, leaving, task


async def _left(receive: Receive) -> None:
    """Return when the client has left."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _scores(
    score: Callable[..., Awaitable[Scores]], asked: RerankRequest, texts: list[str]
) -> Scores:
    """Score, and tell the ways in which that can fail apart."""
    try:
        return await score(asked.query, texts, truncation=asked.truncation)
    except QueueFullError as error:
        message = "Too many documents wait. Send fewer at once, or later."
        raise Refusal(BUSY, message, retry_after=error.retry_after) from None
    except UnavailableError as error:
        message = "Service temporarily unavailable. Please retry with exponential backoff."
        raise Refusal(UNAVAILABLE, message, retry_after=SOON) from error
    except ValueError:
        if asked.truncation is not False:
            raise
        message = "A document is too long for the model, and truncation is off."
        raise Refusal(TOO_LONG, message) from None
    except JinaRerankError as error:
        message = "The model failed. If this persists, see the server's log for the request id."
        raise Refusal(FAILED, message) from error


@contextmanager
def _invalid() -> Iterator[None]:
    """Refuse what cannot be read."""
    try:
        yield
    except InvalidRequestError as error:
        # The refusal lives until it is sent, and with it the error, its frames, and what they parsed.
        traceback.clear_frames(error.__traceback__)
        raise Refusal(
            EMPTY if error.is_empty else INVALID, error.reason, field=error.field
        ) from None


@contextmanager
def _uncollected() -> Iterator[None]:
    """Keep the garbage collector from looking at a body while it is read.

    A body can hold millions of lists. The collector looks at all of them, and at all of PyTorch, again
    and again as they come: seconds, in which nobody is answered.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


async def _in_pieces(rows: Iterator[Row]) -> list[Row]:
    """Read rows, and let everybody else have a turn now and then."""
    read: list[Row] = []
    while True:
        with _invalid(), _uncollected():
            end = time.monotonic() + PIECE
            for row in rows:
                read.append(row)
                if time.monotonic() > end:
                    break
            else:
                return read
        await asyncio.sleep(0)


def _is_csv(content_type: str) -> bool:
    return content_type.partition(";")[0].strip().lower() == "text/csv"


def _first(group: BaseExceptionGroup) -> BaseException:
    """Return the first error of a group, which may hold groups."""
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error

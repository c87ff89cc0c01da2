"""What every request passes through: its id, who may ask, headers, refusals, log and metrics."""

import asyncio
import logging
import re
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .access import Access
from .bodies import Gone
from .cors import is_preflight
from .facts import OTHER, Facts
from .formats import JINA, ROUTES, headers_of
from .logs import LOGGER
from .metrics import Metrics
from .refusals import FAILED, UNAVAILABLE, Refusal

logger = logging.getLogger(LOGGER)

LEFT = 499
"""The status in logs and metrics of a request whose client left, as proxies have it."""

REST = 30.0
"""Seconds for the rest of a body that is refused."""

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

PROBES = frozenset({"/ping", "/health"})
"""Routes for machines that watch: they need no key and may use any name for this machine."""

PUBLIC = PROBES | {"/", "/docs", "/docs/style.css", "/openapi.json", "/page"}
"""Routes that need no key, and say nothing about what others asked."""

HEADERS: Mapping[str, str] = {
    "content-security-policy": (
        "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "object-src 'none'"
    ),
    "cross-origin-opener-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
"""Headers of every answer: the page loads nothing from elsewhere, and nobody frames it."""


@dataclass(slots=True)
class Frame:
    """What stands around the routes; only what lets pages of other sites read stands around it.

    Attributes:
        app: The rest of it.
        access: Who may ask.
        metrics: Where requests are counted.
        routes: Every path, or the first part of one, that metrics and logs may name.
        closing: Tells whether the server is stopping: answers then close their connection.
        clock: Seconds that only grow.
    """

    app: ASGIApp
    access: Access
    metrics: Metrics
    routes: frozenset[str]
    closing: Callable[[], bool]
    clock: Callable[[], float] = field(default=time.monotonic)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and see to it that it gets exactly one answer."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        route = _route(scope["path"], self.routes)
        facts = Facts(
            request_id=_request_id(headers),
            method=scope["method"] if scope["method"] in METHODS else "OTHER",
            route=route,
            format=ROUTES.get(route, JINA),
        )
        scope[Facts.KEY] = facts
        exchange = _Exchange(facts, receive, send, self.closing)
        start = self.clock()
        self.metrics.in_flight.inc()
        try:
            await self._answer(facts, headers, scope, exchange)
        finally:
            self.metrics.in_flight.dec()
            self._record(facts, self.clock() - start)

    async def _answer(
        self, facts: Facts, headers: Headers, scope: Scope, exchange: "_Exchange"
    ) -> None:
        try:
            self._check(facts, headers)
            await self.app(scope, exchange.receive, exchange.send)
        except Refusal as refusal:
            _explain(facts, refusal)
            if not refusal.reason.closes and "expect" not in headers:
                await exchange.receive_rest()
            await _refuse(facts, refusal, scope, exchange)
        except Gone:
            facts.status, facts.reason = LEFT, "left"
        except asyncio.CancelledError:  # the server has waited long enough
            message = "Service temporarily unavailable. Please retry with exponential backoff."
            await _refuse(facts, Refusal(UNAVAILABLE, message), scope, exchange)
        except Exception as error:  # whatever it is, it gets an answer and a line
            logger.exception("unexpected %s", type(error).__name__, extra=_ids(facts))
            message = "An unexpected error occurred. See the server's log for the request id."
            await _refuse(facts, Refusal(FAILED, message), scope, exchange)

    def _check(self, facts: Facts, headers: Headers) -> None:
        if facts.route in PROBES:
            return
        host, origin = headers.get("host"), headers.get("origin")
        if not self.access.takes_any_host(facts.route, origin):
            self.access.check_host(host)
        self.access.check_origin(origin, host)
        asks_first = bool(self.access.origins) and is_preflight(facts.method, headers)
        if facts.route not in PUBLIC and not asks_first:
            self.access.check_key(headers.get("authorization"))

    def _record(self, facts: Facts, seconds: float) -> None:
        """Count an answer and write its line; a refusal is no error of the server's."""
        status = str(facts.status)
        self.metrics.requests.labels(facts.route, facts.model, status).inc()
        self.metrics.seconds.labels(facts.route).observe(seconds)
        if facts.reason:
            self.metrics.errors.labels(facts.route, facts.reason).inc()
        level = logging.DEBUG if facts.route in PROBES | {"/metrics"} else logging.INFO
        said = {
            "method": facts.method,
            "route": facts.route,
            "status": facts.status,
            "seconds": round(seconds, 4),
        }
        if facts.is_rerank:
            said |= {"format": facts.format.name, "model": facts.model}
            said |= {"documents": facts.documents, "tokens": facts.tokens}
        if facts.reason:
            said["reason"] = facts.reason
        logger.log(level, "request", extra=_ids(facts) | {"facts": said})


class _Exchange:
    """What the client sends, and what it gets: with the headers that every answer has."""

    def __init__(
        self, facts: Facts, receive: Receive, send: Send, closing: Callable[[], bool]
    ) -> None:
        self._facts = facts
        self._receive = receive
        self._send = send
        self._closing = closing
        self.received = False
        self.started = False

    async def receive(self) -> Message:
        """Receive a part."""
        message = await self._receive()
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            self.received = True
        return message

    async def receive_rest(self) -> None:
        """Receive what is left of a body that nobody wants.

        Many clients do not read before they have sent all, and a connection that is closed while
        they send is an error to them instead of the answer.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(REST):
                while not self.received:
                    await self.receive()

    async def send(self, message: Message) -> None:
        """Send a part."""
        if message["type"] == "http.response.start":
            self.started = True
            self._facts.status = message["status"]
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("cache-control", "no-store")
            headers["x-request-id"] = self._facts.request_id
            if self._closing():
                headers["connection"] = "close"
        await self._send(message)


async def _refuse(facts: Facts, refusal: Refusal, scope: Scope, exchange: _Exchange) -> None:
    """Answer a refusal in the caller's format, unless an answer is under way already."""
    facts.reason = refusal.reason.name
    if exchange.started:
        return
    answer = facts.format.refuse(refusal, facts.request_id)
    headers = dict(answer.headers) | headers_of(refusal)
    if not exchange.received:
        headers["connection"] = "close"
    response = Response(answer.body, answer.status, headers)
    await response(scope, exchange.receive, exchange.send)


def _explain(facts: Facts, refusal: Refusal) -> None:
    """Log why the model failed: the caller is only told that it did. Our own messages hold no text."""
    if refusal.reason is FAILED and refusal.__cause__ is not None:
        cause = refusal.__cause__
        logger.error("%s: %s", type(cause).__name__, cause, extra=_ids(facts))


def _ids(facts: Facts) -> dict[str, object]:
    return {"request_id": facts.request_id}


def _route(path: str, routes: frozenset[str]) -> str:
    """Name a path by its route; what stands below a route belongs to it, however deep."""
    if path in routes:
        return path
    above = [route for route in routes if path.startswith(f"{route}/")]
    return max(above, key=len, default=OTHER)


def _request_id(headers: Headers) -> str:
    """Take over an id that can only be one, such as a proxy's; else make one."""
    given = headers.get("x-request-id", "")
    return given if re.fullmatch(r"[0-9A-Fa-f-]{16,64}", given, re.ASCII) else uuid.uuid4().hex

"""Pages of other sites that may ask: what browsers want to hear before they let them.

The frame stands between: what it answers itself, a refusal too, can be read by the page, and what a
browser asks beforehand is checked, logged and counted like any request.
"""

from collections.abc import Mapping
from typing import Any

from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.types import Receive, Scope, Send

from .access import Access

EXPOSED = ("retry-after", "retry-after-ms", "x-compute-tokens", "x-request-id")
"""Headers that pages of other sites may read, where they may ask."""


def is_preflight(method: str, headers: Mapping[str, str]) -> bool:
    """Tell a browser's question whether a page may ask; it never holds a key."""
    return (
        method == "OPTIONS" and "origin" in headers and "access-control-request-method" in headers
    )


def around(access: Access, frame: Middleware) -> list[Middleware]:
    """Put what lets pages of other sites ask around the frame and into it, if any may."""
    if not access.origins:
        return [frame]
    rules: dict[str, Any] = {
        "allow_origins": sorted(access.origins),
        "allow_methods": ("GET", "POST"),
        "allow_headers": ("authorization", "content-type"),
        "expose_headers": EXPOSED,
    }
    return [Middleware(Readable, **rules), frame, Middleware(Preflights, **rules)]


class Readable(CORSMiddleware):
    """Lets pages read answers: outside the frame, so that they read its refusals, too."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Add to an answer what it lacks, unless it is that to a preflight, which has its own."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if is_preflight(scope["method"], headers):
            await self.app(scope, receive, send)
        else:
            await self.simple_response(scope, receive, send, request_headers=headers)


class Preflights(CORSMiddleware):
    """Answers preflights: inside the frame, as it does every request."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a preflight, and pass on what is none."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if is_preflight(scope["method"], headers):
            response = self.preflight_response(request_headers=headers)
            await response(scope, receive, send)
        else:
            await self.app(scope, receive, send)

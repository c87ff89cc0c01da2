"""The wire formats as this server answers them: reading, replying, refusing."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from jina_rerank.wire import cohere, jina, sagemaker, tei
from jina_rerank.wire.values import Answer, RerankReply, RerankRequest

from .refusals import INVALID, Refusal

DIGITS = 8
"""Decimals of a score in Jina's replies, as its service rounds them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One wire format.

    Attributes:
        name: How logs call it.
        read: Makes a request of a JSON object and the most documents that it may have; raises
            `InvalidRequestError`.
        reply: Writes a reply, given a request id.
        refuse: Writes a refusal, given a request id.
        digits: Decimals that scores are rounded to; None leaves them.
    """

    name: str
    read: Callable[[Mapping[str, Any], int], RerankRequest]
    reply: Callable[[RerankReply, str], Answer]
    refuse: Callable[[Refusal, str], Answer]
    digits: int | None = None


def _jina_refuses(refusal: Refusal, request_id: str) -> Answer:
    reason = refusal.reason
    return jina.build_error(
        reason.status,
        refusal.message,
        code=reason.code,
        request_id=request_id,
        field=refusal.field if reason.status == INVALID.status else None,
    )


def _cohere_refuses(refusal: Refusal, request_id: str) -> Answer:
    status = refusal.reason.cohere
    message = refusal.message
    if refusal.field is not None:
        message = f"invalid request: {refusal.field}{': ' if refusal.field else ''}{message}"
    return cohere.build_error(
        refusal.reason.status if status is None else status, message, request_id=request_id
    )


def _tei_refuses(refusal: Refusal, _request_id: str) -> Answer:
    status = refusal.reason.tei
    message = f"{refusal.field}: {refusal.message}" if refusal.field else refusal.message
    return tei.build_error(
        refusal.reason.status if status is None else status, message, kind=refusal.reason.kind
    )


JINA = Format(
    name="jina",
    read=jina.read_fields,
    reply=lambda reply, _: jina.build_reply(reply),
    refuse=_jina_refuses,
    digits=DIGITS,
)
COHERE = Format(
    name="cohere",
    read=cohere.read_fields,
    reply=cohere.build_reply,
    refuse=_cohere_refuses,
)
TEI = Format(
    name="tei",
    read=tei.read_fields,
    reply=lambda reply, _: tei.build_reply(reply),
    refuse=_tei_refuses,
)
SAGEMAKER = Format(
    name="sagemaker",
    read=sagemaker.read_fields,
    reply=lambda reply, _: sagemaker.build_reply(reply),
    refuse=_jina_refuses,
)

ROUTES: Mapping[str, Format] = {
    "/v1/rerank": JINA,
    "/v2/rerank": COHERE,
    "/rerank": JINA,
    "/invocations": SAGEMAKER,
}
"""Each route, and the format that its errors have until the body says which one it speaks."""


def choose(route: str, fields: Mapping[str, Any]) -> Format:
    """Tell which format a body speaks.

    >>> choose("/rerank", {"texts": ["a"]}).name, choose("/v1/rerank", {"texts": ["a"]}).name
    ('tei', 'jina')
    """
    if route == "/rerank" and "texts" in fields and "documents" not in fields:
        return TEI
    if route == "/invocations" and "data" not in fields:
        return TEI if "texts" in fields else JINA if "documents" in fields else SAGEMAKER
    return ROUTES[route]


def headers_of(refusal: Refusal) -> dict[str, str]:
    """Collect the headers of a refusal; when to come again, in the two units that clients read."""
    headers = dict(refusal.headers)
    if (seconds := refusal.retry_after) is not None:
        headers["retry-after"] = str(math.ceil(seconds))
        headers["retry-after-ms"] = str(round(seconds * 1000))
    if refusal.reason.closes:
        headers["connection"] = "close"
    if refusal.reason.status == HTTPStatus.UNAUTHORIZED:
        headers["www-authenticate"] = "Bearer"
    return headers

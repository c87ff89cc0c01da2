"""Cohere's dialect, ``POST /v2/rerank``: documents are texts, and never come back.

After Cohere's API reference and SDK 7; vLLM's ``/v2/rerank`` reads and writes the same fields.
"""

from collections.abc import Mapping
from typing import Any

from .fields import (
    answer,
    dump,
    load_reply,
    load_request,
    mapping,
    name,
    optional_count,
    optional_text,
    required_documents,
    required_text,
    results,
    tokens,
)
from .values import Answer, RerankReply, RerankRequest, text_of

DOCUMENTS = 1000
"""What Cohere advises; it refuses more than 10,000."""


def build_request(request: RerankRequest) -> bytes:
    """Write a request; it is always truncated, by document, to the server's `max_tokens_per_doc`."""
    body = {
        "model": request.model,
        "query": request.query,
        "documents": [text_of(document) for document in request.documents],
        "top_n": request.top_n,
    }
    return dump({field: value for field, value in body.items() if value is not None})


def read_request(body: bytes) -> RerankRequest:
    """Read a request; raises `InvalidRequestError`."""
    return read_fields(load_request(body))


def read_fields(value: Mapping[str, Any], most: int | None = None) -> RerankRequest:
    """Read the fields of a request; raises `InvalidRequestError`.

    Args:
        value: The fields.
        most: How many documents it may have; None is any number.
    """
    return RerankRequest(
        model=optional_text(value, "model"),
        query=required_text(value, "query"),
        documents=required_documents(value, "documents", objects=False, most=most),
        top_n=optional_count(value, "top_n"),
    )


def build_reply(reply: RerankReply, request_id: str = "") -> Answer:
    """Write a reply, its results in their order."""
    body = {
        "id": request_id,
        "results": [
            {"index": result.index, "relevance_score": result.score} for result in reply.results
        ],
        "meta": {
            "api_version": {"version": "2"},
            "billed_units": {"search_units": 1},
            "tokens": {"input_tokens": reply.total_tokens},
        },
    }
    return answer(body if reply.model is None else body | {"model": reply.model})


def read_reply(answer: Answer) -> RerankReply:
    """Read a reply; raises `APIResponseError`."""
    value = mapping(load_reply(answer))
    said = mapping(mapping(value.get("meta")).get("tokens")).get("input_tokens")
    counted = mapping(value.get("usage")).get("total_tokens", said)
    return RerankReply(
        results=results(value.get("results"), "relevance_score"),
        model=name(value.get("model")),
        total_tokens=tokens(counted),
    )


def build_error(status: int, message: str, *, request_id: str = "") -> Answer:
    """Write an error."""
    return answer({"message": message, "id": request_id}, status)

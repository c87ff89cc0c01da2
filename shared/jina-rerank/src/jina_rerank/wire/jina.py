"""Jina's dialect, ``POST /v1/rerank``; vLLM, Infinity, llama.cpp and many gateways speak it, too.

After Jina's own OpenAPI description and `jina-ai/jina-on-prem`: documents are texts or objects,
come back unless `return_documents` is false, and other vendors' names for fields are understood.
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
    optional_flag,
    optional_text,
    refuse_unless,
    required_documents,
    required_text,
    results,
    tokens,
)
from .values import Answer, RerankReply, RerankRequest

DOCUMENTS = 2048
"""The limit that Jina published for its v1 models, and that Infinity's schema has."""

NESTED = frozenset({400, 404, 413, 500})
"""Statuses whose errors come from the application, which puts them into an object of their own."""


def build_request(request: RerankRequest) -> bytes:
    """Write a request."""
    body = {
        "model": request.model,
        "query": request.query,
        "documents": request.documents,
        "top_n": request.top_n,
        "return_documents": request.return_documents,
        "truncation": request.truncation,
    }
    return dump({field: value for field, value in body.items() if value is not None})


def read_request(body: bytes) -> RerankRequest:
    """Read a request; raises `InvalidRequestError`."""
    return read_fields(load_request(body))


def read_fields(value: Mapping[str, Any], most: int | None = None) -> RerankRequest:
    """Read the fields of a request; raises `InvalidRequestError`, also for embeddings.

    Args:
        value: The fields.
        most: How many documents it may have; None is any number.
    """
    refuse_unless(value, "return_embeddings", usual=False)
    wanted = optional_flag(value, "return_documents")
    return RerankRequest(
        model=optional_text(value, "model"),
        query=required_text(value, "query"),
        documents=required_documents(value, "documents", objects=True, most=most),
        top_n=optional_count(value, "top_n", "top_k"),
        return_documents=wanted is not False,
        truncation=optional_flag(value, "truncation", "truncate"),
    )


def build_reply(reply: RerankReply) -> Answer:
    """Write a reply, its results in their order; documents only where they have one."""
    body: dict[str, Any] = {
        "model": reply.model,
        "object": "list",
        "usage": {"total_tokens": reply.total_tokens},
        "results": [
            {"index": result.index, "relevance_score": result.score}
            | ({} if result.document is None else {"document": result.document})
            for result in reply.results
        ],
    }
    return answer(body)


def read_reply(answer: Answer) -> RerankReply:
    """Read a reply; raises `APIResponseError`."""
    value = mapping(load_reply(answer))
    return RerankReply(
        results=results(value.get("results"), "relevance_score"),
        model=name(value.get("model")),
        total_tokens=tokens(mapping(value.get("usage")).get("total_tokens")),
    )


def build_error(
    status: int,
    message: str,
    *,
    code: str | None = None,
    request_id: str | None = None,
    field: str | None = None,
) -> Answer:
    """Write an error in the envelope that the API uses for its status.

    Args:
        status: The HTTP status; 422 names a field.
        message: What to tell the caller.
        code: Jina's code, such as `RATE_REQUEST_LIMIT_EXCEEDED`.
        request_id: What support asks for.
        field: The field that is wrong.
    """
    said: dict[str, Any] = {"code": code} if code is not None else {}
    ids = {"request_id": request_id} if request_id is not None else {}
    if field is not None:
        where = f"body -> {field}" if field else "body"
        text = f"Validation error: '{where}' {message}. Field errors: : Invalid value"
        errors = [{"field": where, "message": message, "type": "value_error"}]
        return answer({"detail": text} | ids | {"errors": errors} | said, status)
    if status in NESTED and code is not None:
        return answer({"detail": {"message": message} | said} | ids, status)
    return answer({"detail": message} | ids | said, status)

"""The dialect of Hugging Face's text-embeddings-inference (TEI), ``POST /rerank``.

After its router 1.9: the request has `texts`, the reply is a bare array, the number of tokens is a
header, there is no `top_n` and no model. llama.cpp answers it, too.
"""

from collections.abc import Mapping
from typing import Any

from .fields import (
    answer,
    dump,
    load_reply,
    load_request,
    optional_flag,
    refuse_unless,
    required_documents,
    required_text,
    results,
)
from .values import Answer, RerankReply, RerankRequest, text_of

DOCUMENTS = 32
"""The default of TEI's `--max-client-batch-size`."""

TOKENS = "x-compute-tokens"


def build_request(request: RerankRequest) -> bytes:
    """Write a request; the dialect has no model and no `top_n`."""
    body = {
        "query": request.query,
        "texts": [text_of(document) for document in request.documents],
        "return_text": request.return_documents,
        "truncate": request.truncation,
    }
    return dump({field: value for field, value in body.items() if value is not None})


def read_request(body: bytes) -> RerankRequest:
    """Read a request; raises `InvalidRequestError`."""
    return read_fields(load_request(body))


def read_fields(value: Mapping[str, Any], most: int | None = None) -> RerankRequest:
    """Read the fields of a request; raises `InvalidRequestError`.

    Also for raw scores and for truncation on the left, which a `RerankRequest` cannot ask for.

    Args:
        value: The fields.
        most: How many documents it may have; None is any number.
    """
    for field, usual in (("raw_scores", False), ("truncation_direction", "Right")):
        refuse_unless(value, field, usual)
    return RerankRequest(
        query=required_text(value, "query"),
        documents=required_documents(value, "texts", objects=False, most=most),
        return_documents=optional_flag(value, "return_text") is True,
        truncation=optional_flag(value, "truncate"),
    )


def build_reply(reply: RerankReply) -> Answer:
    """Write a reply, its results in their order; texts only where they have one."""
    body = [
        {"index": result.index, "score": result.score}
        | ({} if result.document is None else {"text": text_of(result.document)})
        for result in reply.results
    ]
    return answer(body, headers={TOKENS: str(reply.total_tokens)})


def read_reply(answer: Answer) -> RerankReply:
    """Read a reply; raises `APIResponseError`."""
    said = answer.headers.get(TOKENS, "")
    return RerankReply(
        results=results(load_reply(answer), "score", under="scores"),
        # At most 18 digits: Python refuses to read thousands of them.
        total_tokens=int(said) if said.isascii() and said.isdigit() and len(said) <= 18 else 0,  # noqa: PLR2004
    )


def build_error(status: int, message: str, *, kind: str) -> Answer:
    """Write an error.

    Args:
        status: The HTTP status.
        message: What to tell the caller.
        kind: TEI's own: `Empty`, `Validation`, `Tokenizer`, `Backend`, `Overloaded`, `Unhealthy`.
    """
    return answer({"error": message, "error_type": kind}, status)

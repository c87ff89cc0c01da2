"""The dialect of Jina's Marketplace packages on SageMaker, ``POST /invocations``.

After `jina-ai/jina-sagemaker`, its client and its samples: everything is wrapped in `data`, which
is a list in each reply, and in requests to m0; documents are objects; there is no model. SageMaker
itself hides the container's headers and turns its errors into its own.
"""

from collections.abc import Mapping
from typing import Any

from ..errors import APIResponseError
from .fields import (
    answer,
    dump,
    load_reply,
    load_request,
    mapping,
    optional_count,
    optional_flag,
    required_documents,
    required_text,
    results,
    tokens,
)
from .values import Answer, InvalidRequestError, RerankReply, RerankRequest, text_of

DOCUMENTS = 2048
"""What Jina published for the same models; the packages say nothing."""

BYTES = 6_291_456
"""The largest body that SageMaker takes, by its service model; boto3 does not check it."""

PATH = "/invocations"

LISTED = frozenset({"jina-reranker-m0"})
"""Models whose container wants a list of one query instead of the query."""


def build_request(request: RerankRequest) -> bytes:
    """Write a request; the model is not sent, but decides the form."""
    data: dict[str, Any] = {
        "documents": [{"text": text_of(document)} for document in request.documents],
        "query": request.query,
    }
    if request.top_n is not None:
        data["top_n"] = request.top_n
    return dump({"data": [data] if request.model in LISTED else data})


def read_request(body: bytes) -> RerankRequest:
    """Read a request, in either form; raises `InvalidRequestError`."""
    return read_fields(load_request(body))


def read_fields(value: Mapping[str, Any], most: int | None = None) -> RerankRequest:
    """Read the fields of a request; raises `InvalidRequestError`.

    Args:
        value: The fields.
        most: How many documents it may have; None is any number.
    """
    data = value.get("data")
    if isinstance(data, list) and len(data) == 1:
        (data,) = data
    if not isinstance(data, dict):
        field, reason = "data", "Input should be an object with documents and a query"
        raise InvalidRequestError(field, reason)
    return RerankRequest(
        query=required_text(data, "query"),
        documents=required_documents(data, "documents", objects=True, most=most),
        top_n=optional_count(data, "top_n"),
        return_documents=optional_flag(data, "return_documents") is not False,
    )


def build_reply(reply: RerankReply) -> Answer:
    """Write a reply, its results in their order; documents only where they have one."""
    return answer({"data": [data_of(reply)], "parameters": {}})


def data_of(reply: RerankReply) -> dict[str, Any]:
    """Write the reply to one query.

    All tokens are written as the documents', and no result has a `usage` of its own, as the packages'
    have: a cross-encoder reads the query with each document, and `RerankReply` counts them together.
    """
    return {
        "query_usage": {"total_tokens": 0},
        "docs_usage": {"total_tokens": reply.total_tokens},
        "results": [
            {"index": result.index, "relevance_score": result.score}
            | ({} if result.document is None else {"document": result.document})
            for result in reply.results
        ],
    }


def read_reply(answer: Answer) -> RerankReply:
    """Read a reply; raises `APIResponseError`."""
    data = mapping(load_reply(answer)).get("data")
    if not isinstance(data, list) or len(data) != 1:
        msg = "the reply has no data of one query: check that the endpoint runs a reranker, and dialect"
        raise APIResponseError(msg)
    value = mapping(data[0])
    found = results(value.get("results"), "relevance_score")
    # The v1 packages count each document, the later ones all together as well.
    each = sum(_tokens(result.get("usage")) for result in value["results"])
    documents = _tokens(value["docs_usage"]) if "docs_usage" in value else each
    return RerankReply(results=found, total_tokens=_tokens(value.get("query_usage")) + documents)


def _tokens(usage: object) -> int:
    return tokens(mapping(usage).get("total_tokens"))

"""The dialect of the Marketplace packages: both directions, samples, and replies of any shape."""

import json
import math
import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jina_rerank import APIResponseError
from jina_rerank.wire import sagemaker
from jina_rerank.wire.values import (
    Answer,
    InvalidRequestError,
    RerankReply,
    RerankRequest,
    Result,
)

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(string.printable, max_size=5),
    lambda values: (
        st.lists(values, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["data", "results", "index", "relevance_score", "usage", "total_tokens", "x"]
            ),
            values,
            max_size=4,
        )
    ),
    max_leaves=12,
)
DOCUMENTS = ({"text": "the dog is in my house"}, {"text": "he likes dog"}, {"text": "hello world"})


def answer(value: Any) -> Answer:
    return Answer(200, json.dumps(value).encode(), {"content-type": "application/json"})


def reply(*results: dict[str, Any], **more: Any) -> Answer:
    return answer({"data": [{"results": list(results), **more}], "parameters": {}})


@given(
    TEXTS,
    st.lists(TEXTS, min_size=1, max_size=4),
    st.none() | st.integers(1, 9),
    st.sampled_from([None, "jina-reranker-m0"]),
)
def test_request_that_was_built_reads_as_it_was(
    query: str, texts: list[str], top_n: int | None, model: str | None
) -> None:
    request = RerankRequest(query=query, documents=tuple(texts), top_n=top_n, model=model)
    read = sagemaker.read_request(sagemaker.build_request(request))
    assert (read.query, read.top_n) == (query, top_n)
    assert read.documents == tuple({"text": text} for text in texts)


@given(
    st.lists(
        st.builds(
            Result,
            index=st.integers(0, 99),
            score=st.floats(allow_nan=False, allow_infinity=False),
            document=st.none() | st.builds(dict, text=TEXTS),
        ),
        max_size=4,
    ),
    st.integers(0, 9999),
)
def test_reply_that_was_built_reads_as_it_was(results: list[Result], tokens: int) -> None:
    built = RerankReply(results=tuple(results), total_tokens=tokens)
    assert sagemaker.read_reply(sagemaker.build_reply(built)) == built


@given(JSON)
def test_any_reply_is_read_or_refused(value: Any) -> None:
    try:
        read = sagemaker.read_reply(answer(value))
    except APIResponseError:
        return
    assert all(math.isfinite(result.score) for result in read.results)


@given(st.binary(max_size=40))
def test_any_bytes_as_a_request_are_read_or_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequestError):
        sagemaker.read_request(body)


@pytest.mark.parametrize(
    ("model", "wrapped"), [("jina-reranker-v1-turbo-en", False), ("jina-reranker-m0", True)]
)
def test_request_has_the_form_of_the_model(model: str, wrapped: bool) -> None:  # noqa: FBT001
    request = RerankRequest(query="where is the dog", documents=DOCUMENTS, top_n=2, model=model)
    data = {"documents": list(DOCUMENTS), "query": "where is the dog", "top_n": 2}
    expected = {"data": [data] if wrapped else data}
    assert json.loads(sagemaker.build_request(request)) == expected


def test_reply_of_v1_counts_query_and_each_document() -> None:
    read = sagemaker.read_reply(
        reply(
            {"index": 1, "relevance_score": 0.2, "usage": {"total_tokens": 8}},
            {"index": 0, "relevance_score": 0.1, "usage": {"total_tokens": 5}},
            query_usage={"total_tokens": 6},
        )
    )
    assert read.total_tokens == 19
    assert [result.index for result in read.results] == [1, 0]


def test_reply_of_v2_counts_all_documents_together() -> None:
    one = {"index": 0, "relevance_score": 0.9, "usage": {"total_tokens": 14}}
    read = sagemaker.read_reply(
        reply(one, query_usage={"total_tokens": 9}, docs_usage={"total_tokens": 175})
    )
    assert read.total_tokens == 184


@pytest.mark.parametrize("data", [None, {}, [], [{}, {}], [{}], "x"])
def test_reply_without_one_list_of_results_is_refused(data: Any) -> None:
    with pytest.raises(APIResponseError, match="the reply has no"):
        sagemaker.read_reply(answer({"data": data}))


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "data"),
        ({"data": []}, "data"),
        ({"data": [{}, {}]}, "data"),
        ({"data": {"documents": ["a"]}}, "query"),
        ({"data": {"query": "q"}}, "documents"),
        ({"data": {"query": "q", "documents": [{"image": "u"}]}}, "documents -> 0"),
        ({"data": {"query": "q", "documents": ["a"], "top_n": 0}}, "top_n"),
    ],
)
def test_request_that_is_not_the_dialects_names_the_field(body: Any, field: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        sagemaker.read_request(json.dumps(body).encode())
    assert caught.value.field == field

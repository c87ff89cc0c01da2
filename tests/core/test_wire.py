"""The dialects: both directions agree, the collected cases are read, anything else is refused."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jina_rerank import APIResponseError, Scores
from jina_rerank.wire import cohere, jina, sagemaker, tei
from jina_rerank.wire.failure import read_error
from jina_rerank.wire.fields import VALUES, dump
from jina_rerank.wire.values import (
    Answer,
    Dialect,
    InvalidRequestError,
    RerankReply,
    RerankRequest,
    Result,
)

from .service_cases import CASES, answer_of

JINA_LIKE = {"jina", "cohere_v1", "vllm", "infinity", "llamacpp"}
DIALECTS: dict[str, Dialect] = {"cohere_v2": cohere, "tei": tei}
DIALECTS |= dict.fromkeys(JINA_LIKE, jina)
READERS = [
    (jina.read_fields, "documents"),
    (cohere.read_fields, "documents"),
    (tei.read_fields, "texts"),
    (sagemaker.read_fields, "documents"),
]

text = st.text(st.characters(exclude_categories=["Cs"]))
number = st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | text,
    lambda inner: st.lists(inner) | st.dictionaries(text, inner),
    max_leaves=10,
)
name = st.none() | st.text(st.characters(categories=["L"]), min_size=1)
count = st.none() | st.integers(1)
flag = st.none() | st.booleans()
texts = st.lists(text, min_size=1).map(tuple)
objects = st.lists(text | st.fixed_dictionaries({"text": text}), min_size=1).map(tuple)


def dialect_of(case: dict[str, Any]) -> Dialect:
    return tei if case["id"] == "llamacpp.ok.tei" else DIALECTS[case["dialect"]]


def cases(kind: str) -> pytest.MarkDecorator:
    chosen = [
        case
        for case in CASES
        if case["kind"] == kind and case["dialect"] in DIALECTS and case["response"]
    ]
    return pytest.mark.parametrize("case", chosen, ids=lambda case: case["id"])


@cases("success")
def test_collected_reply_reads_as_the_case_expects(case: dict[str, Any]) -> None:
    reply = dialect_of(case).read_reply(answer_of(case))
    ranked = sorted(reply.results, key=lambda result: (-result.score, result.index))
    expected = case["client_expect"]
    assert [result.index for result in ranked] == expected["indices"]
    if "scores" in expected:
        assert [result.score for result in ranked] == expected["scores"]
    if "total_tokens" in expected:
        assert reply.total_tokens == expected["total_tokens"]


@cases("error")
def test_collected_error_becomes_the_typed_error(case: dict[str, Any]) -> None:
    answer, expected = answer_of(case), case["client_expect"]
    if answer.status < 300:
        with pytest.raises(APIResponseError):
            dialect_of(case).read_reply(answer).scores(3)
        return
    error = read_error(answer, texts=case["request"].get("json", {}).get("documents", []))
    assert type(error).__name__ == expected["exception"]
    assert error.status == answer.status
    for field in ("code", "request_id"):
        if field in expected:
            assert getattr(error, field) == expected[field]
    for field in expected.get("fields", []):
        assert field in str(error)


@given(
    request=st.builds(
        RerankRequest,
        query=text,
        documents=objects,
        model=name,
        top_n=count,
        return_documents=st.booleans(),
        truncation=flag,
    )
)
def test_jina_request_comes_back(request: RerankRequest) -> None:
    assert jina.read_request(jina.build_request(request)) == request


@given(request=st.builds(RerankRequest, query=text, documents=texts, model=name, top_n=count))
def test_cohere_request_comes_back(request: RerankRequest) -> None:
    assert cohere.read_request(cohere.build_request(request)) == request


@given(
    request=st.builds(
        RerankRequest,
        query=text,
        documents=texts,
        model=st.none(),
        top_n=st.none(),
        return_documents=st.booleans(),
        truncation=flag,
    )
)
def test_tei_request_comes_back(request: RerankRequest) -> None:
    assert tei.read_request(tei.build_request(request)) == request


def replies(documents: Any, model: Any) -> Any:
    result = st.builds(Result, index=st.integers(), score=number, document=documents)
    results = st.lists(result).map(tuple)
    tokens = st.integers(0, 10**12)
    return st.builds(RerankReply, results=results, model=model, total_tokens=tokens)


@given(reply=replies(st.none() | text | st.fixed_dictionaries({"text": text}), name))
def test_jina_reply_comes_back(reply: RerankReply) -> None:
    assert jina.read_reply(jina.build_reply(reply)) == reply


@given(reply=replies(st.none(), name))
def test_cohere_reply_comes_back(reply: RerankReply) -> None:
    assert cohere.read_reply(cohere.build_reply(reply)) == reply


@given(reply=replies(st.none() | text, st.none()))
def test_tei_reply_comes_back(reply: RerankReply) -> None:
    assert tei.read_reply(tei.build_reply(reply)) == reply


@pytest.mark.parametrize("dialect", [jina, cohere, tei])
@given(value=json_values, headers=st.dictionaries(st.just("x-compute-tokens"), text))
def test_any_json_as_a_reply_is_scores_or_a_typed_error(
    dialect: Dialect, value: Any, headers: dict[str, str]
) -> None:
    answer = Answer(200, json.dumps(value).encode(), headers)
    try:
        scores = dialect.read_reply(answer).scores(1)
    except APIResponseError:
        return
    assert len(scores.values) == 1


almost = st.fixed_dictionaries(
    {},
    optional={
        "results": st.lists(
            st.fixed_dictionaries(
                {},
                optional={
                    "index": json_values | st.integers(0, 2),
                    "relevance_score": json_values | number,
                    "document": json_values,
                },
            )
        ),
        "usage": json_values | st.fixed_dictionaries({"total_tokens": json_values}),
        "meta": json_values | st.fixed_dictionaries({"tokens": json_values}),
        "model": json_values,
    },
)


@pytest.mark.parametrize("dialect", [jina, cohere])
@given(value=almost)
def test_almost_a_reply_is_scores_or_a_typed_error(dialect: Dialect, value: Any) -> None:
    try:
        scores = dialect.read_reply(Answer(200, json.dumps(value).encode())).scores(2)
    except APIResponseError:
        return
    assert len(scores.values) == 2
    assert scores.total_tokens >= 0


@pytest.mark.parametrize("dialect", [jina, cohere, tei])
@given(body=st.binary())
def test_any_bytes_as_a_reply_are_scores_or_a_typed_error(dialect: Dialect, body: bytes) -> None:
    try:
        dialect.read_reply(Answer(200, body))
    except APIResponseError as error:
        assert error.__suppress_context__ or error.__context__ is None  # noqa: PT017 - if any
    else:
        assert json.loads(body) == []


@pytest.mark.parametrize("dialect", [jina, cohere, tei])
@given(value=json_values)
def test_any_json_as_a_request_is_one_or_refused(dialect: Dialect, value: Any) -> None:
    try:
        request = dialect.read_request(json.dumps(value).encode())
    except InvalidRequestError:
        return
    assert request.documents


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"<html>captive portal</html>", "not JSON but 27 bytes of text/html"),
        ("\u00fc".encode("latin-1"), "not JSON but 1 bytes of text/html"),
        (b'{"results": [{"index": 0, "relev', "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"null", "no list of results"),
        (b'{"results": 5}', "no list of results"),
        (b'{"results": [5]}', r"results\[0\] is not an object"),
        (b'{"results": [{"relevance_score": 1}]}', r"results\[0\] has no integer index"),
        (b'{"results": [{"index": true, "relevance_score": 1}]}', "no integer index"),
        (b'{"results": [{"index": 0.0, "relevance_score": 1}]}', "no integer index"),
        (b'{"results": [{"index": 0, "relevance_score": "1"}]}', "no finite relevance_score"),
        (b'{"results": [{"index": 0, "relevance_score": NaN}]}', "no finite relevance_score"),
        (b'{"results": [{"index": 0, "relevance_score": 1e999}]}', "no finite relevance_score"),
        (b'{"results": [{"index": 0, "relevance_score": 1%b}]}' % (b"0" * 400), "no finite"),
        (b'{"results": [{"index": 0, "relevance_score": 1}]}', "1 results for 2 documents"),
        (b'{"results": [{"index": 2, "relevance_score": 1}]}', "index 2 of 2 documents"),
        (b'{"results": [{"index": -1, "relevance_score": 1}]}', "index -1 of 2 documents"),
        (
            b'{"results": [{"index": 1, "relevance_score": 1}, {"index": 1, "relevance_score": 2}]}',
            "two results for index 1",
        ),
    ],
)
def test_reply_that_is_none_is_refused_with_the_reason(body: bytes, said: str) -> None:
    headers = {"content-type": "text/html; charset=utf-8"}
    with pytest.raises(APIResponseError, match=said):
        jina.read_reply(Answer(200, body, headers)).scores(2)


def test_reply_without_content_type_is_refused_with_its_size() -> None:
    with pytest.raises(APIResponseError, match="2 bytes of no content type"):
        tei.read_reply(Answer(200, b"{]"))


def test_scores_come_in_the_order_of_the_documents() -> None:
    results = (Result(index=1, score=0.5), Result(index=0, score=-3.0))
    reply = RerankReply(results=results, model="m", total_tokens=7)
    assert reply.scores(2) == Scores(values=[-3.0, 0.5], total_tokens=7, model="m")


@pytest.mark.parametrize(
    ("value", "field", "reason"),
    [
        ([], "", "valid dictionary"),
        ({"documents": ["a"]}, "query", "Field required"),
        ({"query": 5, "documents": ["a"]}, "query", "valid string"),
        ({"query": "q"}, "documents", "Field required"),
        ({"query": "q", "documents": "a"}, "documents", "valid list"),
        ({"query": "q", "documents": []}, "documents", "at least 1 item"),
        ({"query": "q", "documents": ["a", {"image": "b"}]}, "documents -> 1", "or have a text"),
        ({"query": "q", "documents": ["a"], "top_n": 0}, "top_n", "greater than or equal to 1"),
        ({"query": "q", "documents": ["a"], "top_n": 1.5}, "top_n", "valid integer"),
        ({"query": "q", "documents": ["a"], "top_k": True}, "top_k", "valid integer"),
        ({"query": "q", "documents": ["a"], "truncate": 1}, "truncate", "valid boolean"),
        ({"query": "q", "documents": ["a"], "model": 1}, "model", "valid string"),
        (
            {"query": "q", "documents": ["a"], "return_embeddings": True},
            "return_embeddings",
            "should be false: nothing else is supported",
        ),
    ],
)
def test_jina_request_that_is_none_names_the_field(value: Any, field: str, reason: str) -> None:
    with pytest.raises(InvalidRequestError, match=reason) as caught:
        jina.read_request(dump(value))
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (r'{"query": "\ud800", "documents": ["a"]}', "query"),
        (r'{"query": "q", "documents": ["\ud800"]}', "documents -> 0"),
        (r'{"query": "q", "documents": ["a", {"text": "\udfff"}]}', "documents -> 1"),
        (r'{"query": "q", "documents": [{"text": "a", "x": "\ud800"}]}', "documents -> 0"),
        (r'{"query": "q", "documents": [{"text": "a", "\ud800": 1}]}', "documents -> 0"),
        ('{"query": "q", "documents": [{"text": "a", "x": NaN}]}', "documents -> 0"),
        ('{"query": "q", "documents": [{"text": "a", "x": [1e999]}]}', "documents -> 0"),
        (
            '{"query": "q", "documents": [{"text": "a", "x": ' + "[" * 100 + "]" * 100 + "}]}",
            "documents -> 0",
        ),
        (r'{"query": "q", "documents": ["a"], "model": "\ud800"}', "model"),
    ],
)
def test_text_or_document_that_no_reply_can_hold_is_refused(body: str, field: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        jina.read_request(body.encode())
    assert caught.value.field == field


def test_document_with_fields_of_its_own_is_kept() -> None:
    document = {"text": "a", "x": [{"y": None, "é": 1.5}], "tags": []}
    request = jina.read_request(dump({"query": "q", "documents": [document]}))
    assert request.documents == (document,)


@pytest.mark.parametrize(
    "more",
    [
        {"raw_scores": True},
        {"truncation_direction": "Left"},
        {"raw_scores": []},
        {"raw_scores": 0},
        {"raw_scores": 0.0},
    ],
)
def test_tei_request_for_what_is_not_supported_is_refused(more: dict[str, Any]) -> None:
    body = {"query": "q", "texts": ["a"], "raw_scores": False, "truncation_direction": "Right"}
    assert tei.read_request(dump(body)).documents == ("a",)
    with pytest.raises(InvalidRequestError, match="nothing else is supported") as caught:
        tei.read_request(dump(body | more))
    assert caught.value.field in more


@pytest.mark.parametrize(("read", "field"), READERS)
def test_more_documents_than_may_be_are_refused_before_any_is_read(
    read: Callable[[Mapping[str, Any], int], RerankRequest], field: str
) -> None:
    fields = {"query": "q", field: ["a", 5, None]}
    body = {"data": fields} if read is sagemaker.read_fields else fields
    with pytest.raises(InvalidRequestError, match="at most 2 items after validation, not 3"):
        read(body, 2)


def test_as_many_documents_as_may_be_are_read() -> None:
    assert jina.read_fields({"query": "q", "documents": ["a", "b"]}, 2).documents == ("a", "b")


@pytest.mark.parametrize("size", [VALUES // 2 - 1, VALUES // 2])
def test_documents_hold_as_many_values_as_may_be(size: int) -> None:
    # The text and the list are values, too.
    documents = [{"text": "a", "x": [0] * (size - 1)}] * 2
    fields = {"query": "q", "documents": documents}
    if size * 2 + 2 <= VALUES:
        assert len(jina.read_fields(fields).documents) == 2
        return
    with pytest.raises(InvalidRequestError, match="at most 200000 values") as caught:
        jina.read_fields(fields)
    assert caught.value.field == "documents -> 1"


def test_list_without_documents_says_so_itself() -> None:
    for documents, is_empty in (([], True), (5, False)):
        with pytest.raises(InvalidRequestError) as caught:
            jina.read_fields({"query": "q", "documents": documents})
        assert caught.value.is_empty is is_empty


def test_request_that_is_no_json_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match="JSON decode error"):
        jina.read_request(b"{")


def test_other_vendors_names_are_understood() -> None:
    request = jina.read_request(b'{"query": "q", "documents": ["a"], "top_k": 3, "truncate": true}')
    assert (request.top_n, request.truncation, request.return_documents) == (3, True, True)


def test_count_that_a_client_writes_with_a_point_is_read() -> None:
    assert jina.read_request(b'{"query": "q", "documents": ["a"], "top_n": 3.0}').top_n == 3


@pytest.mark.parametrize("dialect", [cohere, tei])
def test_dialect_of_texts_refuses_objects(dialect: Dialect) -> None:
    body = dump({"query": "q", "documents": [{"text": "a"}], "texts": [{"text": "a"}]})
    with pytest.raises(InvalidRequestError, match=r"valid string$"):
        dialect.read_request(body)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (
            jina.build_error(401, "No.", code="AUTH_MISSING_API_KEY", request_id="r1"),
            {"detail": "No.", "request_id": "r1", "code": "AUTH_MISSING_API_KEY"},
        ),
        (
            jina.build_error(500, "Oh.", code="INTERNAL_ERROR", request_id="r1"),
            {"detail": {"message": "Oh.", "code": "INTERNAL_ERROR"}, "request_id": "r1"},
        ),
        (jina.build_error(404, "Invalid endpoint"), {"detail": "Invalid endpoint"}),
        (
            jina.build_error(422, "Field required", request_id="r1", field="query"),
            {
                "detail": "Validation error: 'body -> query' Field required. "
                "Field errors: : Invalid value",
                "request_id": "r1",
                "errors": [
                    {"field": "body -> query", "message": "Field required", "type": "value_error"}
                ],
            },
        ),
        (
            jina.build_error(422, "JSON decode error", field=""),
            {
                "detail": "Validation error: 'body' JSON decode error. Field errors: : Invalid value",
                "errors": [
                    {"field": "body", "message": "JSON decode error", "type": "value_error"}
                ],
            },
        ),
        (cohere.build_error(429, "Slow.", request_id="r1"), {"message": "Slow.", "id": "r1"}),
        (
            tei.build_error(429, "Model is overloaded", kind="Overloaded"),
            {"error": "Model is overloaded", "error_type": "Overloaded"},
        ),
    ],
)
def test_error_is_written_in_its_envelope(answer: Answer, expected: Any) -> None:
    assert json.loads(answer.body) == expected


@given(
    message=st.text("abcdefgh ", min_size=1).map(lambda text: f"it {text} ends".strip()),
    status=st.sampled_from([400, 401, 403, 404, 409, 413, 429, 500, 503]),
    code=st.sampled_from(["INTERNAL_ERROR", "RATE_IP_LIMIT_EXCEEDED"]),
)
def test_written_error_reads_as_what_was_said(message: str, status: int, code: str) -> None:
    error = read_error(jina.build_error(status, message, code=code, request_id="r1"))
    assert (error.status, error.code, error.request_id) == (status, code, "r1")
    assert " ".join(message.split()) in str(error)


def test_content_type_that_may_repeat_a_text_is_not_named() -> None:
    answer = Answer(200, b"<", {"content-type": "text/aspirin"})
    with pytest.raises(APIResponseError, match="1 bytes of another content type"):
        jina.read_reply(answer)

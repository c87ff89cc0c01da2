"""The CSV of batch transform, in both spellings."""

import csv
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jina_rerank.wire import batch_transform
from jina_rerank.wire.batch_transform import Row, build_reply, iterate_rows, read_rows
from jina_rerank.wire.values import InvalidRequestError, RerankReply, RerankRequest, Result

SAMPLE = (
    r"07937cd6,where's the dog,[{\"text\": \"the dog is in my house\"}\, {\"text\": \"a cat\"}],2"
)
READ = RerankRequest(
    query="where's the dog",
    documents=({"text": "the dog is in my house"}, {"text": "a cat"}),
    top_n=2,
    return_documents=True,
)

# SageMaker splits its input at line ends, in whatever they stand.
line = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"))


def written(fields: list[str], **how: Any) -> bytes:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n", **how).writerow(fields)
    return stream.getvalue().encode()


def test_sample_is_read() -> None:
    assert read_rows(SAMPLE.encode()) == [Row("07937cd6", READ)]


def test_sample_as_the_client_rewrites_it_is_read() -> None:
    fields = next(csv.reader([SAMPLE]))
    assert len(fields) > 4  # it splits what the sample escapes
    assert read_rows(written(fields, quoting=csv.QUOTE_ALL)) == [Row("07937cd6", READ)]


@given(
    id_=line.filter(lambda text: not text.startswith('"')),
    query=line,
    texts=st.lists(line, min_size=1),
    top_n=st.none() | st.integers(1, 999),
    how=st.sampled_from(
        [
            {"quoting": csv.QUOTE_ALL},
            {"quoting": csv.QUOTE_NONE, "escapechar": "\\"},
        ]
    ),
)
def test_row_is_read_as_it_was_written(
    id_: str, query: str, texts: list[str], top_n: int | None, how: dict[str, Any]
) -> None:
    documents = [{"text": text} for text in texts]
    fields = [id_, query, json.dumps(documents)]
    rows = read_rows(written(fields if top_n is None else [*fields, str(top_n)], **how))
    expected = RerankRequest(
        query=query, documents=tuple(documents), top_n=top_n, return_documents=True
    )
    assert rows == [Row(id_, expected)]


def test_rows_are_lines_that_are_not_blank() -> None:
    body = f"\ufeff{SAMPLE}\r\n\r\n{SAMPLE}\n".encode()
    assert [row.request for row in read_rows(body)] == [READ, READ]


def test_line_separators_of_unicode_end_no_row() -> None:
    (row,) = read_rows('1,a\u2028b,["c"]'.encode())
    assert row.request.query == "a\u2028b"


def test_empty_top_n_is_all() -> None:
    (row,) = read_rows(b"1,q,[],".replace(b"[]", rb"[\"a\"]"))
    assert row.request.top_n is None


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", ""),
        (b"\n \n", ""),
        (b"\xff", ""),
        (b"1,q", "row 1"),
        (SAMPLE.encode() + b"\n1,q,a,b,c,d", "row 2"),
        (b"1,q,no json", "row 1 -> documents"),
        (b"1,q,[]", "row 1 -> documents"),
        (rb"1,q,[1]", "row 1 -> documents -> 0"),
        (rb"1,q,[\"a\"],0", "row 1 -> top_n"),
        (rb"1,q,[\"a\"],-3", "row 1 -> top_n"),
        (rb"1,q,[\"a\"],many", "row 1 -> top_n"),
        (rb"1,q,[\"a\"],99999999999999999999", "row 1 -> top_n"),
    ],
)
def test_rows_that_are_none_name_the_row(body: bytes, field: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        read_rows(body)
    assert caught.value.field == field


@given(body=st.binary() | st.text(alphabet='1,"\\[{}]:\nx\0').map(str.encode))
def test_any_bytes_are_rows_or_refused(body: bytes) -> None:
    try:
        rows = read_rows(body)
    except InvalidRequestError:
        return
    assert rows


def test_more_rows_than_may_be_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_transform, "ROWS", 2)
    two = f"{SAMPLE}\r\n{SAMPLE}\r\n\r\n".encode()
    assert len(read_rows(two)) == 2
    with pytest.raises(InvalidRequestError, match="at most 2 rows"):
        read_rows(two + SAMPLE.encode())


def test_rows_are_read_one_after_the_other() -> None:
    rows = iterate_rows(SAMPLE.encode() + b"\n1,q")
    assert next(rows).request == READ
    with pytest.raises(InvalidRequestError, match="row 2"):
        next(rows)


def test_row_of_more_documents_than_may_be_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match="at most 1 items"):
        list(iterate_rows(SAMPLE.encode(), 1))


def test_field_that_is_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_transform, "LONGEST", 10)
    limit = csv.field_size_limit(10)
    with pytest.raises(InvalidRequestError, match="field larger than field limit") as caught:
        read_rows(SAMPLE.encode())
    csv.field_size_limit(limit)
    assert caught.value.field == "row 1"


def test_field_longer_than_pythons_limit_is_read() -> None:
    text = "a" * 1_000_000
    (row,) = read_rows(written(["1", "q", json.dumps([text])], quoting=csv.QUOTE_ALL))
    assert row.request.documents == (text,)


def test_replies_are_in_the_order_of_the_rows() -> None:
    rows = [Row("a", READ), Row("b", READ)]
    replies = [
        RerankReply(results=(Result(index=1, score=0.5, document="x"),), total_tokens=3),
        RerankReply(results=()),
    ]
    answer = build_reply(rows, replies)
    assert json.loads(answer.body) == {
        "data": [
            {
                "id": "a",
                "query_usage": {"total_tokens": 0},
                "docs_usage": {"total_tokens": 3},
                "results": [{"index": 1, "relevance_score": 0.5, "document": "x"}],
            },
            {
                "id": "b",
                "query_usage": {"total_tokens": 0},
                "docs_usage": {"total_tokens": 0},
                "results": [],
            },
        ],
        "parameters": {},
    }

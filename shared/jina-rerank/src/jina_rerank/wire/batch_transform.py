r"""The CSV that SageMaker's batch transform sends to Jina's Marketplace packages, and the reply.

After the samples of `jina-ai/jina-sagemaker`. A row has an id, a query, the documents as a JSON
list, perhaps `top_n`, and no header. There are two spellings: the samples escape each quote and
comma of the JSON with a backslash, and the client, which adds missing ids, quotes each field as CSV
does, after having split what the samples escape.
"""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .fields import answer, load, optional_count, required_documents, required_text
from .sagemaker import data_of
from .values import Answer, InvalidRequestError, RerankReply, RerankRequest

FIELDS = (3, 4)
"""How many a row may have."""

LONGEST = 8 * 1024 * 1024
"""Characters of a field; Python's own limit is 131,072."""

ROWS = 10_000
"""Lines of a request: SageMaker sends a few megabytes at once, so a row of these is short already."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its id and its request."""

    id: str
    request: RerankRequest


def read_rows(body: bytes) -> list[Row]:
    r"""Read the rows of a request; raises `InvalidRequestError`, which names the row.

    >>> row, = read_rows(b'7,what is red?,[{\\"text\\": \\"Mars\\"}\\, {\\"text\\": \\"Io\\"}],1\n')
    >>> row.id, row.request.query, row.request.documents[1], row.request.top_n
    ('7', 'what is red?', {'text': 'Io'}, 1)
    """
    return list(iterate_rows(body))


def iterate_rows(body: bytes, most: int | None = None) -> Iterator[Row]:
    """Read the rows of a request one after the other, for whoever has other things to do between.

    Args:
        body: The request.
        most: How many documents a row may have; None is any number.

    Raises:
        InvalidRequestError: A row cannot be read, which it names, or there are too many or none.
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        field, reason = "", "CSV should be UTF-8"
        raise InvalidRequestError(field, reason) from None  # the error holds the body
    # Not str.splitlines, which splits at characters that CSV and JSON leave alone.
    lines = re.split(r"\r\n|\r|\n", text.rstrip("\r\n"), maxsplit=ROWS)
    if len(lines) > ROWS:
        field, reason = "", f"CSV should have at most {ROWS} rows: send fewer at once"
        raise InvalidRequestError(field, reason)
    if not text.strip():
        field, reason = "", "CSV should have at least 1 row"
        raise InvalidRequestError(field, reason)
    for n, line in enumerate(lines, 1):
        if line.strip():
            yield _row(line, f"row {n}", most)


def build_reply(rows: Sequence[Row], replies: Sequence[RerankReply]) -> Answer:
    """Write one reply to all rows, in their order."""
    data = [{"id": row.id} | data_of(reply) for row, reply in zip(rows, replies, strict=True)]
    return answer({"data": data, "parameters": {}})


def _row(line: str, where: str, most: int | None) -> Row:
    try:
        fields, documents = _split(line)
    except csv.Error as error:
        reason = f"CSV should be readable: {error}"
        raise InvalidRequestError(where, reason) from None
    if len(fields) not in FIELDS:
        reason = (
            f"should be id,query,documents or id,query,documents,top_n, not {len(fields)} fields"
        )
        raise InvalidRequestError(where, reason)
    body = {"query": fields[1], "documents": documents, "top_n": _number(*fields[3:])}
    try:
        request = RerankRequest(
            query=required_text(body, "query"),
            documents=required_documents(body, "documents", objects=True, most=most),
            top_n=optional_count(body, "top_n"),
            return_documents=True,
        )
    except InvalidRequestError as error:
        field = f"{where} -> {error.field}"
        raise InvalidRequestError(field, error.reason) from None
    return Row(fields[0], request)


def _split(line: str) -> tuple[list[str], object]:
    """Split a row, in either spelling, and parse its documents."""
    csv.field_size_limit(max(LONGEST, csv.field_size_limit()))  # of the process, alas
    fields = next(csv.reader([line]))
    documents = _documents(fields)
    if not isinstance(documents, list):
        reader = csv.reader([",".join(fields)], quoting=csv.QUOTE_NONE, escapechar="\\")
        fields = next(reader)
        documents = _documents(fields)
    return fields, documents


def _documents(fields: list[str]) -> object:
    """Parse the documents; None if they are no JSON, or not there."""
    if len(fields) not in FIELDS:
        return None
    try:
        return load(fields[2].encode("utf-8", "surrogatepass"))
    except ValueError:
        return None


def _number(text: str = "") -> object:
    """Read `top_n`: nothing if it is empty, and what is no number as it is."""
    number = text.strip()
    return int(number) if re.fullmatch(r"-?\d{1,9}", number, re.ASCII) else number or None

"""JSON, and fields of it that may be anything: each read as what it should be, or refused."""

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

from ..errors import APIResponseError
from ..types import Document
from .values import Answer, InvalidRequestError, Result

JSON = {"content-type": "application/json"}

KINDS = frozenset(
    {"application/json", "application/octet-stream", "text/event-stream", "text/html", "text/plain"}
)
"""Content types that a message names: any other could hold a word of what was sent."""

DEEPEST = 100
"""How deep a document's other fields may be nested: Python writes about as deep as it may call."""

VALUES = 200_000
"""How many values all documents' other fields may hold: some bytes of JSON are far more in memory."""


def dump(value: object) -> bytes:
    """Write JSON, compact and in UTF-8."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def answer(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """Make an answer of a JSON value."""
    return Answer(status, dump(value), JSON | dict(headers if headers is not None else {}))


def load(body: bytes) -> Any:
    """Read JSON.

    Raises:
        ValueError: It is not JSON, or nested too deep to read.
    """
    try:
        return json.loads(body)
    except RecursionError as error:
        msg = "JSON nested too deep"
        raise ValueError(msg) from error


def load_reply(answer: Answer) -> Any:
    """Read the JSON of a successful answer.

    Raises:
        APIResponseError: It is none; the message says what it is, and not what is in it.
    """
    try:
        return load(answer.body)
    except ValueError:
        kind = answer.headers.get("content-type", "").partition(";")[0].strip()
        if kind and kind not in KINDS:
            kind = "another content type"
        said = f"{len(answer.body)} bytes of {kind or 'no content type'}"
        msg = f"the reply is not JSON but {said}: check the address, or what stands in between"
        raise APIResponseError(msg) from None  # a JSONDecodeError holds the body


def load_request(body: bytes) -> dict[str, Any]:
    """Read the JSON object of a request.

    Raises:
        InvalidRequestError: It is none.
    """
    try:
        value = load(body)
    except ValueError:
        field, reason = "", "JSON decode error"
        raise InvalidRequestError(field, reason) from None  # a JSONDecodeError holds the body
    if not isinstance(value, dict):
        field, reason = "", "Input should be a valid dictionary"
        raise InvalidRequestError(field, reason)
    return value


def results(value: object, score: str, *, under: str = "results") -> tuple[Result, ...]:
    """Read the results of a reply.

    Args:
        value: What should be the list of them.
        score: The name of the score's field.
        under: How the list is called in a message.

    Raises:
        APIResponseError: It is not a list of objects with an index and a finite score.
    """
    if not isinstance(value, list):
        msg = f"the reply has no list of {under}: check the address and dialect"
        raise APIResponseError(msg)
    return tuple(_result(item, score, f"{under}[{i}]") for i, item in enumerate(value))


def _result(item: object, score: str, name: str) -> Result:
    if not isinstance(item, dict):
        msg = f"the reply's {name} is not an object"
        raise APIResponseError(msg)
    index: Any = item.get("index")
    number: Any = item.get(score)
    if type(index) is not int:
        msg = f"the reply's {name} has no integer index"
        raise APIResponseError(msg)
    if not is_finite(number):
        msg = f"the reply's {name} has no finite {score}: check dialect, or the server's model"
        raise APIResponseError(msg)
    document = item.get("document", item.get("text"))
    is_text = isinstance(document, str) or (isinstance(document, dict) and "text" in document)
    return Result(index=index, score=float(number), document=document if is_text else None)


def is_finite(value: Any) -> bool:
    """Tell a number that a score can be from anything else."""
    try:
        return type(value) in {int, float} and math.isfinite(value)
    except OverflowError:  # an integer beyond any float
        return False


def tokens(value: object) -> int:
    """Read a token count; 0 for anything else, which is no reason to lose the scores."""
    return value if type(value) is int and value >= 0 else 0


def mapping(value: object) -> Mapping[str, Any]:
    """Return a JSON object; an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def name(value: object) -> str | None:
    """Read a name; None for anything else."""
    return value if isinstance(value, str) and value.strip() else None


def required_text(body: Mapping[str, Any], field: str) -> str:
    """Read a request's text.

    Raises:
        InvalidRequestError: It is missing, or no text.
    """
    if field not in body:
        reason = "Field required"
        raise InvalidRequestError(field, reason)
    value = body[field]
    if not isinstance(value, str):
        reason = "Input should be a valid string"
        raise InvalidRequestError(field, reason)
    _check_unicode(value, field)
    return value


def required_documents(
    body: Mapping[str, Any], field: str, *, objects: bool, most: int | None = None
) -> tuple[Document, ...]:
    """Read a request's documents: texts, or where `objects` are allowed objects with a text.

    Args:
        body: The request.
        field: The name of the field.
        objects: Whether documents may be objects.
        most: How many there may be; None is any number.

    Raises:
        InvalidRequestError: They are missing, no list, none, too many, or something else.
    """
    value = body.get(field)
    if field not in body or not isinstance(value, list):
        reason = "Input should be a valid list" if field in body else "Field required"
        raise InvalidRequestError(field, reason)
    if not value:
        reason = "List should have at least 1 item after validation, not 0"
        raise InvalidRequestError(field, reason, is_empty=True)
    if most is not None and len(value) > most:  # before a look at any: there may be millions
        reason = f"List should have at most {most} items after validation, not {len(value)}"
        raise InvalidRequestError(field, reason)
    left = VALUES
    for i, item in enumerate(value):
        where = f"{field} -> {i}"
        if isinstance(item, str):
            _check_unicode(item, where)
            continue
        if not objects or not isinstance(item, dict) or not isinstance(item.get("text"), str):
            reason = "Input should be a valid string" + (" or have a text" if objects else "")
            raise InvalidRequestError(where, reason)
        _check_unicode(item["text"], where)
        if len(item) > 1:
            left = _check_writable(item, where, left)
    return tuple(value)


def _check_unicode(text: str, field: str) -> None:
    """Refuse what JSON can escape and UTF-8 cannot hold: half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        reason = "Input should be a valid string, without halves of surrogate pairs"
        raise InvalidRequestError(field, reason) from None  # the error holds the text


def _check_writable(document: Mapping[str, Any], field: str, left: int) -> int:
    """Refuse what Python reads as JSON and a reply cannot return, such as NaN or 1e999.

    Args:
        document: The document.
        field: What it is called.
        left: How many values it may hold.

    Returns:
        How many the next ones may hold.
    """
    level: list[Any] = [document]
    depth = 0
    while level and depth < DEEPEST:
        level = [child for value in level for child in _children(value)]
        depth += 1
        left -= len(level)
        if left < 0:
            reason = f"Input should have at most {VALUES} values in the fields of all documents"
            raise InvalidRequestError(field, reason)
    if level:
        reason = f"Input should not be nested more than {DEEPEST} deep"
        raise InvalidRequestError(field, reason)
    try:
        dump(document)
    except ValueError:
        reason = "Input should be valid JSON"
        raise InvalidRequestError(field, reason) from None  # the error holds the value
    return left


def _children(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def optional_count(body: Mapping[str, Any], *names: str) -> int | None:
    """Read a request's count, under the first of its names that is there; None if none is.

    Raises:
        InvalidRequestError: It is no integer of at least 1.
    """
    field, value = _first(body, names)
    if value is None:
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # to JSON 3.0 is an integer
    if type(value) is not int:
        reason = "Input should be a valid integer"
        raise InvalidRequestError(field, reason)
    if value < 1:
        reason = "Input should be greater than or equal to 1"
        raise InvalidRequestError(field, reason)
    return value


def optional_flag(body: Mapping[str, Any], *names: str) -> bool | None:
    """Read a request's flag, under the first of its names that is there; None if none is.

    Raises:
        InvalidRequestError: It is neither true nor false.
    """
    field, value = _first(body, names)
    if value is not None and not isinstance(value, bool):
        reason = "Input should be a valid boolean"
        raise InvalidRequestError(field, reason)
    return value


def optional_text(body: Mapping[str, Any], field: str) -> str | None:
    """Read a request's text; None if it is not there.

    Raises:
        InvalidRequestError: It is no text.
    """
    return required_text(body, field) if body.get(field) is not None else None


def refuse_unless(body: Mapping[str, Any], field: str, usual: object) -> None:
    """Refuse a field that would change the answer in a way that is not supported.

    Args:
        body: The request.
        field: The name of the field.
        usual: The one value that it may have, which is also what leaving it out means.

    Raises:
        InvalidRequestError: It has another value.
    """
    value = body.get(field)
    # To Python 0 is False, to JSON it is not.
    if value is not None and (type(value) is not type(usual) or value != usual):
        reason = f"Input should be {json.dumps(usual)}: nothing else is supported"
        raise InvalidRequestError(field, reason)


def _first(body: Mapping[str, Any], names: Iterable[str]) -> tuple[str, Any]:
    return next(((name, body[name]) for name in names if body.get(name) is not None), ("", None))

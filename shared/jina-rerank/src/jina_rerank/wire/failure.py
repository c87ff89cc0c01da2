"""Errors of services, whoever answers: each envelope read, each status as the right class.

The envelopes: Jina's flat, nested and 422 list, FastAPI's own list, Cohere's, TEI's, OpenAI's as
vLLM, Infinity and llama.cpp write it, plain text, and a gateway's page of HTML. A proxy or gateway
may answer in any of them, so they are told apart by what they hold, not by the dialect.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from ..errors import (
    APIStatusError,
    AuthenticationError,
    BadRequestError,
    ConflictError,
    QuotaError,
    RateLimitError,
    ServerError,
)
from .fields import load, mapping, name
from .quote import quotable
from .values import Answer

KEYS = "https://jina.ai/api-dashboard/key-manager"

ADVICE_BY_CODE = {
    "AUTH_MISSING_API_KEY": f"the service got no key: pass api_key; Jina's are at {KEYS}",
    "AUTH_INVALID_API_KEY": f"the key is not valid: check it at {KEYS}",
    "AUTH_INVALID_FORMAT": f"that is no Jina key (65 characters, jina_ first): copy it from {KEYS}",
    "AUTHZ_INSUFFICIENT_BALANCE": f"the account has no balance left: top it up at {KEYS}",
    "AUTHZ_RESOURCE_LIMIT_EXCEEDED": f"the account's plan does not allow more: see {KEYS}",
    "INPUT_MODEL_NOT_FOUND": "the service does not know the model: check its name",
    "INPUT_TOKEN_LIMIT_EXCEEDED": "a text is longer than the model's context: shorten it",
    "RATE_REQUEST_LIMIT_EXCEEDED": "the requests of this minute are used up: set requests_per_minute",
    "RATE_TOKEN_LIMIT_EXCEEDED": "the tokens of this minute are used up: set tokens_per_minute",
    "RATE_CONCURRENCY_LIMIT_EXCEEDED": "too many requests at once: lower max_concurrency",
    "RATE_IP_LIMIT_EXCEEDED": "too many requests from this address: set requests_per_minute",
}
"""What to do about each of Jina's codes."""

ADVICE_BY_STATUS = {
    400: "the service refused the request",
    401: "the service wants a key, or another one: check api_key",
    402: f"the account has no balance left: top it up; Jina's are at {KEYS}",
    403: "the key may not do this: check api_key and the account's plan",
    404: "nothing answers at this address: check base_url, dialect and model",
    405: "nothing answers at this address: check base_url and dialect",
    408: "the service waited too long for the request: try again",
    409: "the service is busy with this resource: try again",
    413: "the request is too large: lower max_documents_per_request or shorten the documents",
    422: "the service refused the request: check dialect and max_documents_per_request",
    424: "the service's model failed: check that it is a reranker",
    429: "the service is busy: lower max_concurrency, or set requests_per_minute",
}
"""What to do about each status, where the code does not say more."""

BALANCE = frozenset({"AUTHZ_INSUFFICIENT_BALANCE"})

REQUEST_IDS = ("x-request-id", "request-id", "x-amzn-requestid", "cf-ray")


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """What an error's body says, whichever envelope it came in.

    Attributes:
        message: The server's own words; empty if there are none.
        code: The server's code for it.
        request_id: What support asks for.
    """

    message: str = ""
    code: str | None = None
    request_id: str | None = None


def read_error(
    answer: Answer,
    *,
    texts: Iterable[str] = (),
    secrets: Iterable[str] = (),
    now: float | None = None,
) -> APIStatusError:
    """Turn an answer that is not 2xx into the error to raise.

    Args:
        answer: The answer.
        texts: The query and documents that were sent, which no message may repeat.
        secrets: The keys that were sent, likewise.
        now: Seconds since the epoch, for a `Retry-After` that is a date; None is now.

    Returns:
        The error, its message saying what to do and, where that is safe, what the server said.

    >>> body = b'{"detail": "Insufficient account balance.", "code": "AUTHZ_INSUFFICIENT_BALANCE"}'
    >>> error = read_error(Answer(403, body))
    >>> type(error).__name__, error.code
    ('QuotaError', 'AUTHZ_INSUFFICIENT_BALANCE')
    """
    sent, keys = list(texts), list(secrets)
    envelope = read_envelope(answer.body)
    status, code = answer.status, envelope.code
    if code not in ADVICE_BY_CODE:
        code = harmless(code, sent, keys)
    ids = [envelope.request_id, *(token(answer.headers.get(field)) for field in REQUEST_IDS)]
    request_id = next((text for value in ids if (text := harmless(value, sent, keys))), None)
    parts = [
        f"HTTP {status}{f' {code}' if code is not None else ''}: {_advice(answer, code, sent, keys)}"
    ]
    if said := quotable(envelope.message, sent, keys):
        parts.append(f'it says: "{said}"')
    if request_id is not None:
        parts.append(f"request id {request_id}")
    return error_class(status, code)(
        "; ".join(parts),
        status=status,
        code=code,
        retry_after=retry_after(answer, now=now),
        request_id=request_id,
    )


def error_class(status: int, code: str | None = None) -> type[APIStatusError]:
    """Choose the class for a status, and for the code where the status has two meanings."""
    if status == 402 or code in BALANCE:  # noqa: PLR2004 - HTTP's own number, as below
        return QuotaError
    known: dict[int, type[APIStatusError]] = {
        401: AuthenticationError,
        403: AuthenticationError,
        409: ConflictError,
        424: ServerError,
        429: RateLimitError,
    }
    return known.get(status, ServerError if status >= 500 else BadRequestError)  # noqa: PLR2004


def read_envelope(body: bytes) -> Envelope:
    """Read what an error says, in any of the envelopes; an empty one if it cannot be read."""
    try:
        value = load(body)
    except ValueError:
        return Envelope(message=body[:2000].decode(errors="replace"))
    if isinstance(value, str):
        return Envelope(message=value)
    top = mapping(value)
    inner = mapping(top.get("detail")) or mapping(top.get("error"))
    said = [inner.get("message"), top.get("detail"), top.get("message"), top.get("error")]
    fields = _fields(top.get("errors", top.get("detail")))
    codes = [inner.get("code"), top.get("code"), top.get("error_type")]
    codes += [inner.get("type"), top.get("type")]
    ids = [top.get("request_id"), inner.get("request_id"), top.get("id")]
    return Envelope(
        message=fields or next((text for text in said if isinstance(text, str)), ""),
        code=next((code for value in codes if (code := token(value)) is not None), None),
        request_id=next((text for value in ids if (text := token(value)) is not None), None),
    )


def retry_after(answer: Answer, *, now: float | None = None) -> float | None:
    """Read after how many seconds the server asks to be called again; None if it does not say.

    Args:
        answer: The answer.
        now: Seconds since the epoch; None is now.
    """
    for field, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = answer.headers.get(field, "").strip()
        # No sign, no exponent: what HTTP and its users write.
        if re.fullmatch(r"\d{1,12}(\.\d{0,12})?", value, re.ASCII):
            return float(value) * unit
    try:
        date = parsedate_to_datetime(answer.headers.get("retry-after", ""))
        since = datetime.now(UTC).timestamp() if now is None else now
        return max(0.0, date.replace(tzinfo=date.tzinfo or UTC).timestamp() - since)
    except (ValueError, OverflowError):
        return None


def _advice(answer: Answer, code: str | None, texts: list[str], secrets: list[str]) -> str:
    if 300 <= answer.status < 400:  # noqa: PLR2004 - redirects
        # The rest of the address may hold more than its host.
        target = re.match(r"https?://[\w.:-]+", answer.headers.get("location", ""), re.ASCII)
        host = harmless(target[0] if target is not None else None, texts, secrets)
        where = f" to {host}" if host is not None else ""
        return f"the address redirects{where}, which is not followed: give the new one as base_url"
    if code in ADVICE_BY_CODE:
        return ADVICE_BY_CODE[code]
    fallback = "the service failed: try again later"
    if answer.status < 500:  # noqa: PLR2004
        fallback = "the service refused the request: check base_url and dialect"
    return ADVICE_BY_STATUS.get(answer.status, fallback)


def harmless(word: str | None, texts: Iterable[str], secrets: Iterable[str] = ()) -> str | None:
    """Return a word, unless it repeats what was sent."""
    return word if word is not None and quotable(word, texts, secrets) else None


def _fields(value: object) -> str:
    """Read what is wrong with each field, but not its value, of Jina's list and of FastAPI's."""
    said = []
    for item in value if isinstance(value, list) else []:
        one = mapping(item)
        where = one.get("field", one.get("loc"))
        if isinstance(where, list):
            where = " -> ".join(map(str, where))
        message = name(one.get("message")) or name(one.get("msg"))
        if isinstance(where, str) and message is not None:
            said.append(f"{where}: {message}")
    return "; ".join(said)


def token(value: Any) -> str | None:
    """Read a code or an id: one short word; None for anything else."""
    is_word = isinstance(value, str) and re.fullmatch(r"[\w.:/-]{1,128}", value, re.ASCII)
    return value if is_word else None

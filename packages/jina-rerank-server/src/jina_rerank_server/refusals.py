"""Why a request gets no answer: each reason once, with what every vendor calls it."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """A kind of refusal.

    Attributes:
        name: How logs and metrics call it.
        status: The HTTP status.
        code: Jina's code, or one in its style; None where Jina has none.
        cohere: Cohere's status, where it differs.
        kind: TEI's `error_type`.
        tei: TEI's status, where it differs.
        closes: The connection cannot be used again.
    """

    name: str
    status: int
    code: str | None = None
    cohere: int | None = None
    kind: str = "Validation"
    tei: int | None = None
    closes: bool = False


INVALID = Reason(name="invalid", status=422, cohere=400)
EMPTY = Reason(name="invalid", status=422, cohere=400, kind="Empty", tei=400)
TOO_LONG = Reason(
    name="too_long", status=400, code="INPUT_TOKEN_LIMIT_EXCEEDED", kind="Tokenizer", tei=422
)
UNKNOWN_MODEL = Reason(name="unknown_model", status=400, code="INPUT_MODEL_NOT_FOUND", cohere=404)
TOO_LARGE = Reason(name="too_large", status=413, code="PAYLOAD_TOO_LARGE")
ENCODED = Reason(name="encoded", status=415)
SLOW = Reason(name="slow", status=408, code="REQUEST_TIMEOUT", closes=True)
NO_KEY = Reason(name="no_key", status=401, code="AUTH_MISSING_API_KEY", kind="Unauthorized")
NO_BEARER = Reason(name="no_bearer", status=401, code="AUTH_INVALID_FORMAT", kind="Unauthorized")
WRONG_KEY = Reason(name="wrong_key", status=401, code="AUTH_INVALID_API_KEY", kind="Unauthorized")
FOREIGN_HOST = Reason(name="foreign_host", status=421)
FOREIGN_ORIGIN = Reason(name="foreign_origin", status=403)
NOT_FOUND = Reason(name="not_found", status=404)
NO_MODEL = Reason(name="not_found", status=404, code="RESOURCE_NOT_FOUND")
WRONG_METHOD = Reason(name="wrong_method", status=405)
BUSY = Reason(name="busy", status=429, code="RATE_CONCURRENCY_LIMIT_EXCEEDED", kind="Overloaded")
UNAVAILABLE = Reason(name="unavailable", status=503, code="SERVICE_UNAVAILABLE", kind="Unhealthy")
LATE = Reason(name="late", status=504, code="SERVICE_TIMEOUT", kind="Backend")
FAILED = Reason(name="failed", status=500, code="INTERNAL_ERROR", kind="Backend", tei=424)


class Refusal(Exception):  # noqa: N818 - most of them are no error of this server
    """A request that is refused.

    Attributes:
        reason: Why.
        message: What to tell the caller; it repeats nothing that was sent.
        field: The field that is wrong, empty for the body as a whole; None if it is none.
        retry_after: Seconds after which it is worth another try; None if it never is.
        headers: What else the answer has to say.
    """

    def __init__(
        self,
        reason: Reason,
        message: str,
        *,
        field: str | None = None,
        retry_after: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.field = field
        self.retry_after = retry_after
        self.headers = dict(headers) if headers is not None else {}

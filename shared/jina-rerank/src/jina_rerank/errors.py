"""Errors, one class for each thing a caller would do differently.

::

    JinaRerankError
    + MissingDependencyError (ImportError)   the exact pip command that fixes it
    + ModelNotFoundError                     what was looked for, and where
    + CheckpointError                        missing, unexpected or misshapen tensors, NaN
    + APIError
      - APIConnectionError                   refused, reset
        . APITimeoutError                    no answer in time
      - APIResponseError                     a 2xx answer that is not what the dialect documents
      - APIStatusError                       .status .code .retry_after .request_id
        . AuthenticationError                401, 403
        . QuotaError                         402, 403 for want of balance
        . ConflictError                      409
        . RateLimitError                     429
        . BadRequestError                    400, 404, 413, 422 and any other 4xx
        . ServerError                        5xx, and 424 of a model behind a gateway

Bad arguments are plain `TypeError` and `ValueError`, raised before any work. No message holds a
key, a query or a document.
"""

from functools import partial
from typing import Any


class JinaRerankError(Exception):
    """Base of every error of this suite that is not a bad argument."""


class MissingDependencyError(JinaRerankError, ImportError):
    """An optional dependency is not installed; the message holds the command that installs it."""


class ModelNotFoundError(JinaRerankError):
    """The model, its revision or one of its files is in none of the places that were searched."""


class CheckpointError(JinaRerankError):
    """The checkpoint was found but cannot be ranked with: wrong architecture, tensors or values."""


class APIError(JinaRerankError):
    """Base of everything that goes wrong between this process and a remote reranker.

    Attributes:
        attempts: Each failed try in a few words, such as ``HTTP 503``, in order; empty if the
            error came without any.
    """

    attempts: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return the message, and the tries if there were several."""
        if len(self.attempts) < 2:  # noqa: PLR2004 - one try needs no list
            return super().__str__()
        which = f": {', '.join(self.attempts)}" if len(set(self.attempts)) > 1 else ""
        return f"{super().__str__()} (tried {len(self.attempts)} times{which})"


class APIConnectionError(APIError):
    """No answer: the connection was refused, reset or could not be made."""


class APITimeoutError(APIConnectionError):
    """No answer within the timeout or the deadline."""


class APIResponseError(APIError):
    """A successful answer that is not what the dialect documents."""


class APIStatusError(APIError):
    """An answer with an error status.

    Attributes:
        status: The HTTP status.
        code: The vendor's own error code, such as `RATE_TOKEN_LIMIT_EXCEEDED`; None if it gave none.
        retry_after: Seconds after which the server asks to be called again; None if it did not say.
        request_id: What the vendor's support asks for; None if the answer had none.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int,
        code: str | None = None,
        retry_after: float | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.retry_after = retry_after
        self.request_id = request_id

    def __reduce__(self) -> tuple[Any, ...]:
        """Keep the attributes through pickle, which would call the class with the message alone."""
        return partial(type(self), status=self.status), self.args, self.__dict__


class AuthenticationError(APIStatusError):
    """401 or 403: the key is missing, wrong, or not allowed to do this."""


class QuotaError(APIStatusError):
    """402, or 403 for want of balance: the account has to be topped up."""


class ConflictError(APIStatusError):
    """409: the resource is busy."""


class RateLimitError(APIStatusError):
    """429: too many requests, tokens or concurrent calls."""


class BadRequestError(APIStatusError):
    """400, 404, 413, 422 or another 4xx: the request itself has to change."""


class ServerError(APIStatusError):
    """5xx, or 424 of a model behind a gateway: the fault is on the other side."""

"""What goes wrong between boto3 and SageMaker, as our errors."""

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from botocore import exceptions as aws

from ..errors import (
    APIConnectionError,
    APIResponseError,
    APIStatusError,
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    MissingDependencyError,
    RateLimitError,
    ServerError,
)
from ..settings import Settings
from ..wire.failure import error_class, harmless, read_envelope, retry_after, token
from ..wire.quote import quotable
from ..wire.values import Answer

SIGN_IN = "sign in again ('aws sso login' or 'aws login'), or renew the session token"

FAILURES: tuple[tuple[tuple[type[Exception], ...], type[Exception], str], ...] = (
    (
        (aws.ConnectTimeoutError, aws.ReadTimeoutError),
        APITimeoutError,
        "no answer from {url} in time: raise timeout, or ask less at once",
    ),
    (
        (aws.SSLError,),
        APIConnectionError,
        (
            "the certificate of {url} cannot be verified: pass verify, the path of your CA file, or "
            "set AWS_CA_BUNDLE"
        ),
    ),
    (
        (aws.ConnectionError, aws.HTTPClientError, aws.IncompleteReadError),
        APIConnectionError,
        (
            "no connection to {url}, or a broken one ({kind}): check region, the network and "
            "HTTPS_PROXY"
        ),
    ),
    (
        (aws.NoCredentialsError, aws.PartialCredentialsError),
        AuthenticationError,
        (
            "no AWS credentials: pass profile, set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, run "
            "'aws configure', or run where a role provides them"
        ),
    ),
    (
        (
            aws.CredentialRetrievalError,
            aws.LoginError,
            aws.MetadataRetrievalError,
            aws.RefreshWithMFAUnsupportedError,
            aws.SSOError,
            aws.TokenRetrievalError,
        ),
        AuthenticationError,
        f"the AWS credentials cannot be had ({{kind}}): {SIGN_IN}",
    ),
    (
        (aws.MissingDependencyException,),
        MissingDependencyError,
        "this way to sign in to AWS needs awscrt: pip install awscrt",
    ),
    ((aws.NoRegionError,), ValueError, "no AWS region: pass region, or set AWS_DEFAULT_REGION"),
    (
        (aws.ProfileNotFound,),
        ValueError,
        "AWS has no profile {profile!r}: 'aws configure list-profiles' names them",
    ),
    (
        (aws.BotoCoreError,),
        ValueError,
        "boto3 refuses its configuration ({kind}): check endpoint_name, region, profile and ~/.aws",
    ),
)
"""What boto3 raises without an answer, what that is here, and what to do; the first that fits."""

EXPIRED = f"the AWS credentials have expired ({{code}}): {SIGN_IN}"

UNKNOWN = (
    "AWS does not accept the credentials ({code}): check the access key, its secret, the session "
    "token and this machine's clock"
)

THROTTLED = "AWS throttles the calls ({code}): lower max_concurrency"

CODES: dict[str, tuple[type[APIStatusError], str]] = {
    "ModelNotReadyException": (
        ServerError,
        "the model of endpoint {name!r} is not loaded yet: try again in a minute",
    ),
    "ExpiredToken": (AuthenticationError, EXPIRED),
    "ExpiredTokenException": (AuthenticationError, EXPIRED),
    "RequestExpired": (AuthenticationError, EXPIRED),
    "IncompleteSignature": (AuthenticationError, UNKNOWN),
    "IncompleteSignatureException": (AuthenticationError, UNKNOWN),
    "InvalidClientTokenId": (AuthenticationError, UNKNOWN),
    "InvalidSignatureException": (AuthenticationError, UNKNOWN),
    "MissingAuthenticationToken": (AuthenticationError, UNKNOWN),
    "MissingAuthenticationTokenException": (AuthenticationError, UNKNOWN),
    "SignatureDoesNotMatch": (AuthenticationError, UNKNOWN),
    "UnrecognizedClientException": (AuthenticationError, UNKNOWN),
    "RequestLimitExceeded": (RateLimitError, THROTTLED),
    "RequestThrottled": (RateLimitError, THROTTLED),
    "RequestThrottledException": (RateLimitError, THROTTLED),
    "SlowDown": (RateLimitError, THROTTLED),
    "Throttling": (RateLimitError, THROTTLED),
    "ThrottledException": (RateLimitError, THROTTLED),
    "ThrottlingException": (RateLimitError, THROTTLED),
    "TooManyRequestsException": (RateLimitError, THROTTLED),
}
"""What AWS's codes mean whatever the status, which is 400 for most of them."""

KNOWN = (*CODES, "ModelError")
"""Codes that are told from the words of a text."""

CLASSES: dict[type[APIStatusError], str] = {
    AuthenticationError: "AWS denies access to endpoint {name!r} ({code}): allow these credentials "
    "sagemaker:InvokeEndpoint on it",
    BadRequestError: "SageMaker refuses the request to endpoint {name!r} ({code}): check "
    "endpoint_name, region, inference_component and target_variant",
}
"""What any other code means, by the class of the status."""

OTHERWISE = "SageMaker failed ({code}): try again later"

NOT_AWS = (
    "HTTP {status} without a code of AWS: try again later, and check HTTPS_PROXY and "
    "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME"
)

STATUSES = range(100, 600)

NO_ANSWER = 504
"""What stands for SageMaker's own `OriginalStatusCode`, 0, if the container did not answer."""


@contextmanager
def explained(settings: Settings, url: str = "AWS", texts: Sequence[str] = ()) -> Iterator[None]:
    """Raise what boto3 raises as the error that says what to do.

    Without its cause, which may hold the request, its signature, or what the container said.

    Args:
        settings: What the user chose.
        url: What was asked.
        texts: The query and the documents that were sent, which no message may repeat.
    """
    try:
        yield
    except aws.ClientError as error:
        raise _refused(error, settings, texts) from None
    except aws.BotoCoreError as error:
        raise _failed(error, settings, url) from None


@contextmanager
def readable() -> Iterator[None]:
    """Raise an `APIResponseError` for what boto3 itself stumbles over.

    It trusts the body of an error: one of another form ends in an `AttributeError`, a `ValueError`
    or whatever its parser runs into.
    """
    try:
        yield
    except (aws.BotoCoreError, aws.ClientError):
        raise
    except Exception as error:  # noqa: BLE001 - raised again as an error of ours
        msg = f"boto3 cannot read the answer ({type(error).__name__}): does SageMaker give it?"
        raise APIResponseError(msg) from None


def _failed(error: aws.BotoCoreError, settings: Settings, url: str) -> Exception:
    """Turn what went wrong without an answer into the error to raise."""
    code = type(error).__name__
    profile = settings.profile if settings.profile is not None else os.environ.get("AWS_PROFILE")
    kind, advice = next((ours, say) for theirs, ours, say in FAILURES if isinstance(error, theirs))
    message = advice.format(url=url, kind=code, profile=profile)
    if issubclass(kind, AuthenticationError):
        return kind(message, status=401, code=code)
    return kind(message)


def _refused(error: aws.ClientError, settings: Settings, texts: Sequence[str]) -> APIStatusError:
    """Turn an error of AWS into the error to raise."""
    said: dict[str, Any] = error.response
    metadata = said["ResponseMetadata"]
    status: int = metadata["HTTPStatusCode"]
    # boto3 takes what the answer holds, of any type, and repeats the status for want of a code.
    request_id = _word(metadata.get("RequestId"), texts)
    code = said["Error"].get("Code")
    # A code that is known repeats nothing, even if a text is the same word.
    code = code if code in KNOWN else _word(code, texts)
    code = None if code == str(status) else code
    if error.operation_name != "InvokeEndpoint":
        kind, message = _no_role(error.operation_name, code)
    elif code == "ModelError":
        original: Any = said.get("OriginalStatusCode")
        status = original if original in STATUSES else NO_ANSWER
        kind, message = _model_error(said, status, settings, texts)
    else:
        kind, message = _meaning(code, status, settings.endpoint_name)
        message += _says(said["Error"].get("Message"), texts) if kind is BadRequestError else ""
    message += f"; request id {request_id}" if request_id is not None else ""
    return kind(
        message,
        status=status,
        code=code,
        retry_after=retry_after(Answer(status, b"", metadata["HTTPHeaders"])),
        request_id=request_id,
    )


def _no_role(operation: str, code: str | None) -> tuple[type[APIStatusError], str]:
    """Explain an error on the way to credentials, such as of `AssumeRole`."""
    advice = f"check the profile's role and who may assume it; {SIGN_IN}"
    return AuthenticationError, f"AWS gives no credentials ({operation}: {code}): {advice}"


def _model_error(
    said: dict[str, Any], status: int, settings: Settings, texts: Sequence[str]
) -> tuple[type[APIStatusError], str]:
    """Explain an error of the container behind the endpoint, by its own status."""
    answered = "did not answer" if status == NO_ANSWER else f"answered {status}"
    kind = error_class(status)
    if kind is RateLimitError:
        advice = "lower max_concurrency, or add instances"
    elif kind is ServerError:
        advice = "lower max_documents_per_request, or take a larger instance; check that it is a reranker"
    else:
        kind = BadRequestError
        advice = "check dialect, and max_documents_per_request if it takes fewer documents"
    says = _says(said.get("OriginalMessage"), texts)
    group = re.search(r":log-group:([\w./#-]+)", str(said.get("LogStreamArn")), re.ASCII)
    logs = f"/aws/sagemaker/Endpoints/{settings.endpoint_name}" if group is None else group[1]
    container = f"the container of endpoint {settings.endpoint_name!r}"
    return kind, f"{container} {answered}: {advice}{says}; its log is in CloudWatch at {logs}"


def _meaning(
    code: str | None, status: int, endpoint: str | None
) -> tuple[type[APIStatusError], str]:
    """Explain an error of SageMaker itself, or of what stands in between."""
    kind = error_class(status)
    if code is None:
        return kind, NOT_AWS.format(status=status)
    kind, advice = CODES.get(code, (kind, CLASSES.get(kind, OTHERWISE)))
    return kind, advice.format(code=code, name=endpoint)


def _says(said: object, texts: Sequence[str]) -> str:
    """Quote what was said, if that is text, in an envelope or alone, and repeats nothing."""
    body = said.encode(errors="replace") if isinstance(said, str) else b""
    quoted = quotable(read_envelope(body).message, texts)
    return f'; it says: "{quoted}"' if quoted else ""


def _word(value: object, texts: Sequence[str]) -> str | None:
    """Read a code or an id that no text has; None for anything else."""
    return harmless(token(value), texts)

"""Every keyword of `Reranker`, checked once, before anything is built or loaded."""

import math
import operator
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import partial
from typing import Any

from .address import HOSTED, SECRET_NAME, Address
from .backends.base import Backend
from .models import find, is_listwise

BACKENDS = ("local", "api", "sagemaker")
DIALECTS = ("jina", "cohere", "tei")
DTYPES = ("auto", "float32", "bfloat16", "float16", "float64")
OVERLENGTH = ("truncate", "window")
ON_ERROR = ("raise", "keep-order")
SECRETS = ("api_key", "token")

COUNTS = (
    "top_n",
    "max_length",
    "max_query_length",
    "batch_tokens",
    "attempts",
    "max_concurrency",
    "max_documents_per_request",
    "requests_per_minute",
    "tokens_per_minute",
)
"""Keywords that are integers from 1 up, or None."""

TEXTS = (
    "revision",
    "base_url",
    "endpoint_name",
    "region",
    "profile",
    "inference_component",
    "target_variant",
)
"""Keywords that are strings with at least one character, or None."""

FLAGS = ("compile", "local_files_only", "show_progress")

SELECTORS = {
    "local": (),
    "api": ("api_key", "base_url"),
    "sagemaker": ("endpoint_name",),
}
"""The keywords that choose each backend, and so contradict any other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The arguments of a `Reranker`, whose docstring explains each of them.

    Raises:
        TypeError: A keyword has the wrong type.
        ValueError: A keyword is out of range, or contradicts another; the message names the fix.
    """

    model: str = "turbo"
    backend: str | Backend | None = None
    top_n: int | None = None
    score_threshold: float | None = None
    max_length: int | None = None
    overlength: str = "truncate"
    max_query_length: int | None = None
    overlap: int = 80
    device: Any = None
    dtype: Any = "auto"
    batch_tokens: int | None = None
    compile: bool = False
    revision: str | None = None
    cache_dir: str | os.PathLike[str] | None = None
    local_files_only: bool = False
    token: Any = field(default=None, repr=False)
    api_key: Any = field(default=None, repr=False)
    base_url: str | None = None
    dialect: str | None = None
    headers: Mapping[str, str] | None = field(default=None, repr=False)
    verify: Any = True
    timeout: float | tuple[float, float] | None = None
    deadline: float | None = None
    attempts: int | None = None
    max_concurrency: int | None = None
    max_documents_per_request: int | None = None
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    split: str | None = None
    http_client: Any = None
    endpoint_name: str | None = None
    region: str | None = None
    profile: str | None = None
    inference_component: str | None = None
    target_variant: str | None = None
    cache: Any = None
    show_progress: bool = False
    on_error: str = "raise"
    agent: str = ""
    """The adapter that calls, for a service's logs; `Reranker.for_adapter` sets it."""

    def __post_init__(self) -> None:
        """Check each keyword, then what they say together."""
        _set(self, "model", _model(self.model))
        _set(self, "dtype", str(self.dtype).removeprefix("torch."))
        for name in COUNTS:
            check_count(name, getattr(self, name))
        check_threshold(self.score_threshold)
        _check_type("overlap", self.overlap, int)
        check_count("overlap", self.overlap, least=0)
        _check_choice("overlength", self.overlength, OVERLENGTH)
        _check_choice("on_error", self.on_error, ON_ERROR)
        _check_choice("dtype", self.dtype, DTYPES)
        _check_device(self.device)
        _check_choice("dialect", self.dialect, (None, *DIALECTS))
        _check_choice("split", self.split, (None, "allow"))
        for name in TEXTS:
            _check_text(name, getattr(self, name))
        if self.base_url is not None:
            Address.of(self.base_url)
        for name in FLAGS:
            _check_type(name, getattr(self, name), bool)
        self._check_cache()
        if self.cache_dir is not None:
            _check_type("cache_dir", self.cache_dir, str | os.PathLike)
            _check_text("cache_dir", os.fspath(self.cache_dir))
        self._check_remote()
        self._check_lengths()
        self._check_backend()

    def _check_cache(self) -> None:
        cache = self.cache
        if cache is None:
            return
        if not (callable(getattr(cache, "get", None)) and callable(getattr(cache, "set", None))):
            if not hasattr(cache, "__index__"):
                kind = type(cache).__name__
                msg = f"cache must be a number of scores or have get and set, got {kind}"
                raise TypeError(msg)
            check_count("cache", cache)
        if is_listwise(self.model):
            msg = f"cache is not for {self.model}: its scores depend on the other documents"
            raise ValueError(msg)

    def _check_remote(self) -> None:
        for name in SECRETS:
            _check_secret(name, getattr(self, name))
        _check_timeout(self.timeout)
        _check_verify(self.verify)
        _check_headers(self.headers)
        check_seconds("deadline", self.deadline)
        if self.base_url is not None:
            names = self.headers if self.headers is not None else ()
            secret = self.api_key is not None or any(map(SECRET_NAME.search, names))
            if secret and not Address.of(self.base_url).keeps_secrets:
                msg = (
                    "base_url is plain http beyond this machine, where others can read a key: "
                    "use https, or leave api_key and secret headers out"
                )
                raise ValueError(msg)

    def _check_lengths(self) -> None:
        longest, query = self.max_length, self.max_query_length
        if longest is None or query is None:
            return
        if self.overlength == "window" and longest < 2 * query:
            msg = (
                f"max_length must be at least twice max_query_length with overlength='window', "
                f"got {longest} and {query}; raise max_length or lower max_query_length"
            )
            raise ValueError(msg)
        if longest <= query:
            msg = (
                f"max_length must leave room for the document beside max_query_length, "
                f"got {longest} and {query}; raise max_length or lower max_query_length"
            )
            raise ValueError(msg)

    def _check_backend(self) -> None:
        if isinstance(self.backend, Backend):
            return
        if self.backend is not None and not isinstance(self.backend, str):
            kind = type(self.backend).__name__
            msg = f"backend must be a name, a Backend instance or None, got {kind}"
            raise TypeError(msg)
        _check_choice("backend", self.backend, (None, *BACKENDS))
        chosen = self.backend_name
        for name, selectors in SELECTORS.items():
            given = [word for word in selectors if getattr(self, word) is not None]
            if given and name != chosen:
                msg = f"{given[0]} is for backend={name!r}, not {chosen!r}: drop one of the two"
                raise ValueError(msg)
        if chosen == "sagemaker" and self.endpoint_name is None:
            msg = "backend='sagemaker' needs endpoint_name, the name of your SageMaker endpoint"
            raise ValueError(msg)
        if chosen == "local":
            self._check_local()

    def _check_local(self) -> None:
        info = find(self.model)
        if info is None:
            return
        if "local" not in info.backends:
            msg = f"{info.name} does not run locally: use backend='api' or backend='sagemaker'"
            raise ValueError(msg)
        check_context(self.max_length, info.context, info.name)

    def check_service(self) -> None:
        """Raise for what a service would have to ignore; its backend asks, before its first request.

        Not the constructor: keywords may be said for several backends, and kept.

        Raises:
            ValueError: The backend cannot follow a keyword; the message names it.
        """
        self._check_no_lengths()
        if self.backend_name == "api":
            self._check_api()
        else:
            self._check_sagemaker()

    def _check_api(self) -> None:
        if self.http_client is not None and self.verify is not True:
            msg = (
                "http_client brings its own TLS, so verify would change nothing: "
                "make http_client with it, or leave one of the two out"
            )
            raise ValueError(msg)
        info = find(self.model)
        hosted = Address.of(self.base_url if self.base_url is not None else HOSTED).is_jina
        if hosted and info is not None and "api" not in info.backends:
            msg = f"{info.name} is not among Jina's models: use backend='local', or one of theirs"
            raise ValueError(msg)

    def _check_sagemaker(self) -> None:
        """Refuse what boto3 or an endpoint would have to ignore, and names that are none."""
        others = {
            "dialect='cohere'": self.dialect == "cohere",
            "headers": self.headers is not None,
            "http_client": self.http_client is not None,
            "requests_per_minute": self.requests_per_minute is not None,
            "tokens_per_minute": self.tokens_per_minute is not None,
            "an ssl.SSLContext": not isinstance(self.verify, bool | str | os.PathLike),
        }
        for name, is_given in others.items():
            if is_given:
                msg = f"{name} is for backend='api', not 'sagemaker': leave it out"
                raise ValueError(msg)
        for name in ("endpoint_name", "inference_component", "target_variant"):
            value = getattr(self, name)
            if value is not None and re.fullmatch("[A-Za-z0-9][A-Za-z0-9-]{0,62}", value) is None:
                msg = f"{name} is a name, no ARN or URL: letters, digits and hyphens, at most 63"
                raise ValueError(msg)

    def _check_no_lengths(self) -> None:
        given = {
            "overlength='window'": self.overlength == "window",
            "max_length": self.max_length is not None,
            "max_query_length": self.max_query_length is not None,
        }
        for name, is_given in given.items():
            if is_given:
                msg = (
                    f"{name} is for backend='local': a service cuts at its own limit; leave it out"
                )
                raise ValueError(msg)

    @property
    def backend_name(self) -> str:
        """The backend that these keywords choose; ``"custom"`` for an instance.

        A key in the environment changes nothing: `api` is chosen by `api_key`, by `base_url`, or
        by a model that exists nowhere else.
        """
        if isinstance(self.backend, Backend):
            return "custom"
        if self.backend is not None:
            return self.backend
        if self.endpoint_name is not None:
            return "sagemaker"
        info = find(self.model)
        api_only = info is not None and "local" not in info.backends
        remote = self.api_key is not None or self.base_url is not None
        return "api" if api_only or remote else "local"

    def arguments(self) -> dict[str, Any]:
        """Return the keywords that rebuild these settings, without keys, tokens and the like."""
        kept = {
            item.name: getattr(self, item.name)
            for item in fields(self)
            if item.name not in {*SECRETS, "agent"}
        }
        if self.backend is None:
            # A key that is left out must not change which backend it chose.
            kept["backend"] = "api" if self.api_key is not None else None
        if self.headers is not None:
            kept["headers"] = {
                name: value for name, value in self.headers.items() if not SECRET_NAME.search(name)
            }
        return kept

    def to_dict(self) -> dict[str, Any]:
        """Return what `arguments` does as values that JSON and YAML know.

        Raises:
            ValueError: A keyword is an object that cannot be written down; the message names it.
        """
        return {name: _plain(name, value) for name, value in self.arguments().items()}

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle without the secrets: the other side finds its key in its own environment."""
        return partial(Settings, **self.arguments(), agent=self.agent), ()


def check_count(name: str, value: object, *, least: int = 1) -> None:
    """Raise unless `value` is None or an integer of at least `least`."""
    if value is None:
        return
    try:
        number = operator.index(value)  # type: ignore[arg-type] # any object: that is the check
    except TypeError:
        number = None
    if number is None or isinstance(value, bool):
        msg = f"{name} must be an integer, got {type(value).__name__}"
        raise TypeError(msg)
    if number < least:
        msg = f"{name} must be at least {least}, got {number}"
        raise ValueError(msg)


def check_threshold(value: object) -> None:
    """Raise unless `value` is None or a number that scores can be compared with."""
    if value is not None and math.isnan(_number("score_threshold", value)):
        msg = "score_threshold must be a number, got nan"
        raise ValueError(msg)


def check_seconds(name: str, value: object) -> None:
    """Raise unless `value` is None or a finite number of seconds above 0."""
    if value is not None and not 0 < _number(name, value) < math.inf:
        msg = f"{name} must be a finite number of seconds above 0, got {value}"
        raise ValueError(msg)


def check_context(max_length: int | None, context: int, model: str) -> None:
    """Raise if more tokens are asked for than the model was made for."""
    if max_length is not None and max_length > context:
        msg = f"max_length must be at most {context}, the context of {model}, got {max_length}"
        raise ValueError(msg)


def _plain(name: str, value: object) -> object:
    """Return a keyword's value as one that JSON knows."""
    if name == "device" and value is not None:
        return str(value)
    if isinstance(value, tuple | list):
        return [_plain(name, item) for item in value]
    if isinstance(value, os.PathLike | Mapping):
        return os.fspath(value) if isinstance(value, os.PathLike) else dict(value)
    if value is None or isinstance(value, str | bool):
        return value
    if hasattr(value, "__float__"):  # NumPy's numbers are written as Python's
        return operator.index(value) if hasattr(value, "__index__") else float(value)
    msg = (
        f"{name} is a {type(value).__name__}, an object that cannot be written down: "
        f"leave it out, and pass it when the reranker is made again"
    )
    raise ValueError(msg)


def _set(settings: Settings, name: str, value: object) -> None:
    object.__setattr__(settings, name, value)


def _model(model: object) -> str:
    if not isinstance(model, str | os.PathLike):
        msg = f"model must be a name, a hub id or a directory, got {type(model).__name__}"
        raise TypeError(msg)
    text = os.fspath(model)
    if not isinstance(text, str) or not text.strip():
        msg = "model must be a name, a hub id or a directory, got an empty string"
        raise ValueError(msg)
    # A path is a directory, even if it is spelt like a name.
    return text if isinstance(model, str) or os.sep in text else f".{os.sep}{text}"


def _number(name: str, value: object) -> float:
    if isinstance(value, bool | str | bytes):
        msg = f"{name} must be a number, got {type(value).__name__}"
        raise TypeError(msg)
    try:
        return float(value)  # type: ignore[arg-type] # any object: that is the check
    except TypeError:
        msg = f"{name} must be a number, got {type(value).__name__}"
        raise TypeError(msg) from None
    except OverflowError:
        msg = f"{name} must be a number that fits a float"
        raise ValueError(msg) from None


def _check_type(name: str, value: object, kind: Any) -> None:
    if not isinstance(value, kind):
        expected = getattr(kind, "__name__", kind)
        msg = f"{name} must be {expected}, got {type(value).__name__}"
        raise TypeError(msg)


def _check_choice(name: str, value: object, choices: tuple[object, ...]) -> None:
    if value not in choices:
        names = ", ".join(repr(choice) for choice in choices if choice is not None)
        msg = f"{name} must be one of {names}, got {value!r}"
        raise ValueError(msg)


def _check_text(name: str, value: object) -> None:
    if value is None:
        return
    _check_type(name, value, str)
    if value == "":
        msg = f"{name} must not be empty; leave it out instead"
        raise ValueError(msg)


def _check_secret(name: str, value: object) -> None:
    # pydantic's SecretStr and Haystack's Secret resolve themselves; their text is not looked at.
    if value is None or hasattr(value, "get_secret_value") or hasattr(value, "resolve_value"):
        return
    if not isinstance(value, str):
        msg = f"{name} must be a string or a secret, got {type(value).__name__}"
        raise TypeError(msg)
    if not value.strip():
        msg = f"{name} must not be empty; leave it out instead"
        raise ValueError(msg)


def _check_verify(verify: object) -> None:
    # An ssl.SSLContext is known by what it has: importing ssl takes its time.
    if not isinstance(verify, bool | str | os.PathLike) and not hasattr(verify, "verify_mode"):
        kind = type(verify).__name__
        msg = f"verify must be a bool, the path of a CA file or an ssl.SSLContext, got {kind}"
        raise TypeError(msg)


def _check_headers(headers: object) -> None:
    if headers is None:
        return
    if not isinstance(headers, Mapping) or not all(
        isinstance(text, str) for pair in headers.items() for text in pair
    ):
        msg = "headers must be a mapping of strings to strings"
        raise TypeError(msg)
    for name, value in headers.items():
        if re.fullmatch(r"[\w!#$%&'*+.^`|~-]+", name, re.ASCII) is None:
            msg = f"headers has the name {name!r}, which is none of HTTP's"
            raise ValueError(msg)
        if re.fullmatch(r"[\t\x20-\x7e]*", value) is None:
            msg = f"headers[{name!r}] has a character that HTTP does not allow there"
            raise ValueError(msg)


def _check_device(device: object) -> None:
    # A torch.device prints as its name, so torch need not be loaded to check one.
    if device is None or re.fullmatch(r"[a-z]+(:\d+)?", str(device)):
        return
    msg = f"device must be None or a name like 'cpu', 'cuda' or 'cuda:0', got {device!r}"
    raise ValueError(msg)


def _check_timeout(timeout: object) -> None:
    if not isinstance(timeout, tuple | list):
        check_seconds("timeout", timeout)
        return
    if len(timeout) != 2:  # noqa: PLR2004 - connect and read
        msg = f"timeout must be seconds, or (connect, read) in seconds, got {len(timeout)} values"
        raise ValueError(msg)
    for seconds in timeout:
        _number("timeout", seconds)
        check_seconds("timeout", seconds)

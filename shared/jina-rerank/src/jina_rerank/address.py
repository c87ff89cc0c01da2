"""Where a service is: an address in any of the spellings that people paste, and what to try there."""

import ipaddress
import re
from dataclasses import dataclass
from typing import Self
from urllib.parse import parse_qsl, urlsplit

HOSTED = "https://api.jina.ai/v1"

SECRET_NAME = re.compile(
    "auth|cookie|credential|key|password|secret|signature|token|^code$|^sig$", re.IGNORECASE
)
"""Names of headers and parameters whose value may be a secret."""

RERANK = frozenset({"rerank", "reranking", "reranks"})

ENDPOINTS = RERANK | {"invocations", "predict", "score"}
"""Last parts of a path to which nothing is added."""

VERSIONS = frozenset({"v1", "v2"})


@dataclass(frozen=True, slots=True)
class Route:
    """A dialect, and a URL that may speak it."""

    dialect: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """An address, read.

    Attributes:
        scheme: ``http`` or ``https``.
        host: The host without its port, in lower case.
        place: The host with its port, as in a URL.
        path: The path, without a slash at its end.
        query: The query with its question mark; empty if there is none.

    >>> Address.of("https://api.jina.ai").routes()
    (Route(dialect='jina', url='https://api.jina.ai/v1/rerank'),)
    >>> [route.url for route in Address.of("localhost:8080").routes("jina")]
    ['http://localhost:8080/v1/rerank', 'http://localhost:8080/rerank']
    """

    scheme: str
    host: str
    place: str
    path: str
    query: str

    @classmethod
    def of(cls, base_url: str) -> Self:
        """Read an address.

        Args:
            base_url: A host, a root such as ``.../v1``, or a whole endpoint; without a scheme it
                is ``http`` on this machine and ``https`` elsewhere.

        Raises:
            ValueError: It is no address of HTTP, or it holds a secret; the message does not.
        """
        text = base_url.strip()
        if re.match(r"\w+://", text) is None:
            scheme = "http" if _is_loopback(_host(f"//{text}")) else "https"
            text = f"{scheme}://{text}"
        host, parts = _host(text), urlsplit(text) if _host(text) else None
        if parts is None or parts.scheme not in {"http", "https"}:
            msg = "base_url must be an address like 'https://api.jina.ai/v1' or 'http://localhost:8080'"
            raise ValueError(msg)
        if "@" in parts.netloc:
            msg = "base_url must not hold a user or password; pass api_key or headers"
            raise ValueError(msg)
        secret = (name for name, _ in parse_qsl(parts.query) if SECRET_NAME.search(name))
        if (name := next(secret, None)) is not None:
            msg = f"base_url must not hold a secret such as {name!r}; pass api_key or headers"
            raise ValueError(msg)
        return cls(
            scheme=parts.scheme,
            host=host,
            place=parts.netloc.lower(),
            path=parts.path.rstrip("/"),
            query=f"?{parts.query}" if parts.query else "",
        )

    def __str__(self) -> str:
        """Write it as a URL, without the query."""
        return f"{self.scheme}://{self.place}{self.path}"

    @property
    def is_loopback(self) -> bool:
        """True on this machine."""
        return _is_loopback(self.host)

    @property
    def is_jina(self) -> bool:
        """True for Jina's own hosts, over TLS: what a key in the environment may be sent to."""
        ours = self.host == "jina.ai" or self.host.endswith(".jina.ai")
        return ours and self.scheme == "https"

    @property
    def keeps_secrets(self) -> bool:
        """True if nobody on the way can read what is sent."""
        return self.scheme == "https" or self.is_loopback

    def routes(self, dialect: str | None = None) -> tuple[Route, ...]:
        """Name what may be there, the likeliest first.

        Args:
            dialect: The dialect, if it is known.

        Returns:
            At least one route: what was typed, and then, but for Jina's and Cohere's own hosts,
            the places where servers of that dialect, or of Jina's and TEI's, have their endpoint.
        """
        dialects = (dialect,) if dialect is not None else self._dialects()
        paths = ((name, path) for name in dialects for path in self._paths(name))
        routes = (Route(name, f"{self._origin}{path}{self.query}") for name, path in paths)
        return tuple(dict.fromkeys(routes))

    @property
    def _origin(self) -> str:
        return f"{self.scheme}://{self.place}"

    def _dialects(self) -> tuple[str, ...]:
        if self._is_cohere or "v2" in self.path.split("/"):
            return ("cohere",)
        return ("jina",) if self.is_jina else ("jina", "tei")

    @property
    def _is_cohere(self) -> bool:
        return self.host in {"api.cohere.com", "api.cohere.ai"}

    def _paths(self, dialect: str) -> list[str]:
        root, _, last = self.path.rpartition("/")
        if last in ENDPOINTS:
            typed = [self.path]
            if last not in RERANK:
                return typed
            root, _, last = root.rpartition("/")
        else:
            typed = [f"{self.path}/rerank"] if last in VERSIONS else []
        if last and last not in VERSIONS:
            root = f"{root}/{last}"
        plain, first, second = (f"{root}{path}" for path in ("/rerank", "/v1/rerank", "/v2/rerank"))
        # A path of one's own is a gateway's more often than the root of a server.
        usual = {"jina": [plain, first] if root else [first, plain], "cohere": [second]}
        paths = [*typed, *usual.get(dialect, [plain])]
        return paths[:1] if self.is_jina or self._is_cohere else paths


def _host(url: str) -> str:
    """Find the host; empty if there is none, or if the rest cannot be a URL."""
    if re.search(r"[\s\\\x00-\x20\x7f]", url) or "#" in url:
        return ""
    try:
        parts = urlsplit(url)
        is_wrong = parts.port == 0 or parts.hostname is None
    except ValueError:  # the port is no number, or a bracket is missing
        return ""
    return "" if is_wrong or not _is_name(str(parts.hostname)) else str(parts.hostname)


def _is_name(host: str) -> bool:
    """Tell what the network could look up: labels of 1 to 63 letters, in DNS's own spelling."""
    try:
        return bool(host.removesuffix(".").encode("idna"))
    except UnicodeError:
        return False


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

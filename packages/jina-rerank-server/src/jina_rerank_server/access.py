"""Who may ask: keys, and for a server without keys the hosts and origins that are its own."""

import hashlib
import hmac
import ipaddress
import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from .refusals import FOREIGN_HOST, FOREIGN_ORIGIN, NO_BEARER, NO_KEY, WRONG_KEY, Refusal

ANY = "*"
"""The allowed host, or origin, that allows all."""

SAGEMAKER = "/invocations"
"""The route that SageMaker sends requests to."""

SHORTEST = 16
"""Characters that a key has at least: fewer could be guessed."""


def read_keys(text: str) -> frozenset[bytes]:
    """Read keys, between spaces, commas or lines; what follows a ``#`` at a line's start is none.

    Args:
        text: The text.

    Returns:
        Their digests: the keys themselves are not kept.

    Raises:
        ValueError: There is none, or one that is too short or not ASCII.
    """
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    keys = re.split(r"[\s,]+", " ".join(lines).strip())
    for number, key in enumerate(keys, 1):
        if not (key.isascii() and key.isprintable() and len(key) >= SHORTEST):
            which = f"key {number}" if key else "there is none, and each"
            msg = f"{which} must have at least {SHORTEST} characters of ASCII: openssl rand -hex 32"
            raise ValueError(msg)
    return frozenset(_digest(key) for key in keys)


def read_key_file(path: Path) -> frozenset[bytes]:
    """Read keys from a file, one a line; raises as `read_keys` does, naming the file."""
    try:
        return read_keys(path.read_text(encoding="utf-8"))
    except OSError as error:
        msg = f"'{path}' cannot be read: {error.strerror}"
        raise ValueError(msg) from error
    except UnicodeDecodeError:
        msg = f"{path}: a file of keys is text, one key a line"
        raise ValueError(msg) from None  # the error holds the file
    except ValueError as error:
        msg = f"{path}: {error}"
        raise ValueError(msg) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Who may ask.

    Attributes:
        keys: Digests of the keys, any of which is enough; empty for a server that wants none.
        hosts: Names in `Host`, in lower case, that a server without keys answers to besides
            addresses, `localhost` and this machine's name; `*` is any.
        origins: Web pages of other hosts that may ask, such as ``https://search.example``.
        behind_sagemaker: SageMaker asks, under names that nobody knows before: its route answers
            programs under every name.

    >>> Access(hosts=frozenset({"rerank.example"})).check_host("rerank.example:8080")
    """

    keys: frozenset[bytes] = field(default=frozenset(), repr=False)
    hosts: frozenset[str] = frozenset()
    origins: frozenset[str] = frozenset()
    behind_sagemaker: bool = False

    def check_key(self, authorization: str | None) -> None:
        """Raise a `Refusal` unless `Authorization` holds one of the keys, if there are any."""
        if not self.keys:
            return
        if authorization is None:
            message = "Authentication required. Send 'Authorization: Bearer <key>'."
            raise Refusal(NO_KEY, message)
        scheme, _, key = authorization.partition(" ")
        if scheme.lower() != "bearer" or not key.strip():
            message = "Invalid authorization format. Send 'Authorization: Bearer <key>'."
            raise Refusal(NO_BEARER, message)
        if not self._knows(key.strip()):
            message = "Invalid API key."
            raise Refusal(WRONG_KEY, message)

    def _knows(self, key: str) -> bool:
        """Compare with every key, in a time that says nothing of any of them."""
        digest = _digest(key)
        return any([hmac.compare_digest(digest, known) for known in self.keys])  # noqa: C419 - all

    def takes_any_host(self, route: str, origin: str | None) -> bool:
        """Tell whether a request may come under any name: SageMaker's, and no browser's.

        Browsers send `Origin` with every POST, which alone this route takes.
        """
        return self.behind_sagemaker and route == SAGEMAKER and origin is None

    def check_host(self, host: str | None) -> None:
        """Raise a `Refusal` for a name that is not this server's, if it has no keys.

        A page of another site can make a browser take its own name for this machine's address
        (DNS rebinding), and would then read what only this machine may.
        """
        if self.keys or ANY in self.hosts:
            return
        name = _host(host)
        if not (name in self.hosts or _is_own(name)):
            message = (
                "this server answers to its own names only: start it with --allowed-host NAME, "
                "or with keys"
            )
            raise Refusal(FOREIGN_HOST, message)

    def check_origin(self, origin: str | None, host: str | None) -> None:
        """Raise a `Refusal` for a page of another site, if there are no keys.

        Its script could not read the answer, but keep the model busy.
        """
        if self.keys or origin is None or {ANY, origin} & self.origins:
            return
        if _netloc(origin) != (host or "").lower():
            message = "pages of other sites may not ask: start the server with --cors-origin ORIGIN"
            raise Refusal(FOREIGN_ORIGIN, message)


def check_names(hosts: Iterable[str], origins: Iterable[str]) -> None:
    """Raise unless these are names of hosts, and origins as browsers write them.

    Raises:
        ValueError: One is not.
    """
    for host in hosts:
        if host != ANY and not re.fullmatch(r"[\w.-]+|\[[0-9A-Fa-f:]+\]", host, re.ASCII):
            msg = f"--allowed-host takes a name without port, such as rerank.example, got {host!r}"
            raise ValueError(msg)
    for origin in origins:
        if origin != ANY and not re.fullmatch(r"https?://[\w.\[\]:-]+", origin, re.ASCII):
            msg = f"--cors-origin takes an origin such as https://search.example, got {origin!r}"
            raise ValueError(msg)


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach a server there."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


def _netloc(origin: str) -> str | None:
    """Take the scheme off; None is for what is no origin, as programs may send it."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return None


def _host(host: str | None) -> str:
    """Take the port off."""
    match = re.fullmatch(r"(\[[^\]]*\]|[^:]*)(:\d*)?", (host or "").strip().lower())
    return match[1].strip("[]").removesuffix(".") if match is not None else ""


def _is_own(name: str) -> bool:
    """Tell addresses, which cannot be rebound, and this machine's names from the rest."""
    if name == "localhost" or name.endswith(".localhost") or name == socket.gethostname().lower():
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True

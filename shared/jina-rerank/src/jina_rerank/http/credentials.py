"""Who is asking: the key and where it may go, and the headers of each request."""

import os
import platform
import re
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from ..address import SECRET_NAME, Address
from ..errors import AuthenticationError
from ..wire.failure import KEYS

ENVIRONMENT = ("JINA_API_KEY", "JINAAI_API_KEY")
"""Variables that are read for a key to Jina's hosts, the first that is set."""


def find_key(api_key: Any, headers: Mapping[str, str], address: Address) -> str | None:
    """Find the key to send.

    Args:
        api_key: What the user gave: a string, a secret of pydantic or Haystack, or None.
        headers: The user's headers; an `Authorization` of theirs takes the place of a key.
        address: Where it is to be sent: what the environment holds goes to Jina's hosts only.

    Returns:
        The key; None for a service that gets none.

    Raises:
        AuthenticationError: Jina's API needs a key and there is none, or it is no key.
    """
    if api_key is not None:
        return _clean(_open(api_key), "api_key")
    if not address.is_jina or any(name.lower() == "authorization" for name in headers):
        return None
    for name in ENVIRONMENT:
        if (key := os.environ.get(name, "").strip()) != "":
            return _clean(key, name)
    msg = (
        f"Jina's API needs a key: set {ENVIRONMENT[0]} (or {ENVIRONMENT[1]}), or pass api_key; "
        f"a free one comes from {KEYS}"
    )
    raise AuthenticationError(msg, status=401, code="AUTH_MISSING_API_KEY")


def build_headers(key: str | None, given: Mapping[str, str], agent: str = "") -> dict[str, str]:
    """Make the headers of a request; those given win.

    `agent` is the adapter that calls. It and a `User-Agent` that is given are added to our own.
    """
    suite = f"jina-rerank/{version('jina-rerank')} python/{platform.python_version()}"
    ours = {
        "accept": "application/json",
        "content-type": "application/json",
        "user-agent": f"{suite} {agent}".rstrip(),
    }
    if key is not None:
        ours["authorization"] = f"Bearer {key}"
    theirs = {name.lower(): value for name, value in given.items()}
    if "user-agent" in theirs:
        theirs["user-agent"] = f"{ours['user-agent']} {theirs['user-agent']}"
    return ours | theirs


def secrets(headers: Mapping[str, str]) -> list[str]:
    """Name what no message may repeat: the values of headers that may hold a secret."""
    values = [value for name, value in headers.items() if SECRET_NAME.search(name)]
    return [word for value in values for word in value.split() if word != "Bearer"]


def _open(secret: Any) -> str:
    """Return the text of a key, which pydantic and Haystack wrap each in a way of their own."""
    if hasattr(secret, "get_secret_value"):
        secret = secret.get_secret_value()
    elif hasattr(secret, "resolve_value"):
        secret = secret.resolve_value()
    return secret if isinstance(secret, str) else ""


def _clean(key: str, name: str) -> str:
    key = re.sub(r"^Bearer(\s+|$)", "", key.strip(), count=1).strip()
    if not key:
        msg = f"{name} holds no key; Jina's are at {KEYS}"
        raise AuthenticationError(msg, status=401, code="AUTH_MISSING_API_KEY")
    if not key.isascii() or not key.isprintable() or " " in key:
        msg = f"{name} holds a character that no key has; copy it again, Jina's from {KEYS}"
        raise AuthenticationError(msg, status=401, code="AUTH_INVALID_FORMAT")
    return key

"""Embeddings of services: Jina's API and Cohere's.

https://api.jina.ai/redoc (`/v1/embeddings`) and https://docs.cohere.com/reference/embed (`/v2/embed`).
"""

import json
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jina_rerank.address import Address
from jina_rerank.errors import APIResponseError, AuthenticationError
from jina_rerank.http.client import Client, Outgoing
from jina_rerank.http.clock import Clock
from jina_rerank.http.connections import Options, OwnConnections
from jina_rerank.http.credentials import build_headers, find_key, secrets
from jina_rerank.http.pace import Pace
from jina_rerank.http.retry import RetryPolicy
from jina_rerank.http.slots import Slots
from jina_rerank.wire.failure import read_error
from jina_rerank.wire.fields import load_reply
from jina_rerank.wire.values import Answer

TIMEOUT = (5.0, 60.0)
"""Seconds to wait for a connection, and for a read."""

COHERE_KEYS = ("COHERE_API_KEY", "CO_API_KEY")
"""Variables that are read for a key to Cohere, the first that is set."""


@dataclass(frozen=True, slots=True)
class Vectors:
    """An answer.

    Attributes:
        values: One vector per text, in the order of the texts.
        total_tokens: What the service counted; 0 if it did not say.
    """

    values: NDArray[np.float32]
    total_tokens: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How a service is asked.

    Attributes:
        url: Where.
        most: Texts in one request.
        build: Makes the body of a model, texts, and whether they are queries.
        read: Takes the vectors out of a reply, in any order if they have places, and the tokens.
    """

    url: str
    most: int
    build: Callable[[str, Sequence[str], bool], dict[str, Any]]
    read: Callable[[Any], tuple[list[Any], int]]


def _build_jina(model: str, texts: Sequence[str], query: bool) -> dict[str, Any]:  # noqa: FBT001 - see `Dialect`
    body: dict[str, Any] = {"model": model, "input": list(texts), "normalized": True}
    if "-v2-" not in model:  # which knows no tasks
        body["task"] = "retrieval.query" if query else "retrieval.passage"
    return body


def _read_jina(reply: Any) -> tuple[list[Any], int]:
    items = sorted(reply["data"], key=lambda item: int(item["index"]))
    return [item["embedding"] for item in items], int(reply["usage"]["total_tokens"])


def _build_cohere(model: str, texts: Sequence[str], query: bool) -> dict[str, Any]:  # noqa: FBT001
    return {
        "model": model,
        "texts": list(texts),
        "input_type": "search_query" if query else "search_document",
        "embedding_types": ["float"],
        "truncate": "END",
    }


def _read_cohere(reply: Any) -> tuple[list[Any], int]:
    return reply["embeddings"]["float"], int(reply["meta"]["billed_units"]["input_tokens"])


JINA = Dialect(
    url="https://api.jina.ai/v1/embeddings", most=128, build=_build_jina, read=_read_jina
)
COHERE = Dialect(
    url="https://api.cohere.com/v2/embed", most=96, build=_build_cohere, read=_read_cohere
)


class ServiceEmbedder:
    """An embedding model that a service runs; its name tells which: Cohere's begin with ``embed-``.

    Args:
        model: Such as `jina-embeddings-v2-base-en` or `embed-english-v3.0`.
        url: Another address that speaks the same dialect; it gets no key of the environment.
        clock: Time and chance; None is the real ones.

    Raises:
        AuthenticationError: The service needs a key, and there is none.
    """

    def __init__(self, model: str, *, url: str | None = None, clock: Clock | None = None) -> None:
        self.name = f"api:{model}"
        self._model = model
        self._dialect = COHERE if model.startswith("embed-") else JINA
        self._url = url if url is not None else self._dialect.url
        self._clock = clock if clock is not None else Clock()
        self._headers = build_headers(_key(self._dialect, self._url), {}, "jina-rerank-lab")
        self._client = Client(
            connections=OwnConnections(Options(verify=not self._url.startswith("http:"))),
            policy=RetryPolicy(),
            slots=Slots(1),
            pace=Pace(requests=None, tokens=None),
            timeout=TIMEOUT,
            clock=self._clock,
        )

    def identity(self) -> str:
        """Name the service and the model."""
        return f"api {self._url} {self._model}"

    def encode(self, texts: Sequence[str], *, query: bool = False) -> NDArray[np.float32]:
        """Embed texts; see `Embedder.encode`.

        Raises:
            APIError: The service did not answer, or not with vectors.
        """
        parts = [
            self._ask(texts[start : start + self._dialect.most], query=query)
            for start in range(0, len(texts), self._dialect.most)
        ]
        return np.concatenate(parts) if parts else np.zeros((0, 0), np.float32)

    def _ask(self, texts: Sequence[str], *, query: bool) -> NDArray[np.float32]:
        body = json.dumps(self._dialect.build(self._model, texts, query)).encode()
        request = Outgoing(url=self._url, headers=self._headers, body=body)

        def read(answer: Answer) -> Vectors:
            if not 200 <= answer.status < 300:  # noqa: PLR2004 - HTTP's own numbers
                raise read_error(
                    answer,
                    texts=texts,
                    secrets=secrets(self._headers),
                    now=self._clock.now(),
                )
            return self._vectors(answer, len(texts))

        with self._client.call() as over:
            return self._client.send(request, read, math.inf, over).values

    def _vectors(self, answer: Answer, count: int) -> Vectors:
        """Read a reply; vectors get length 1, whatever the service makes of them."""
        reply = load_reply(answer)
        try:
            found, tokens = self._dialect.read(reply)
            values = np.array(found, dtype=np.float32)
            lengths = np.linalg.norm(values.reshape(count, -1), axis=1, keepdims=True)
        except (KeyError, TypeError, ValueError) as error:
            msg = f"the reply does not hold {count} vectors: check the model"
            raise APIResponseError(msg) from error
        if values.size == 0 or not bool(np.isfinite(lengths).all() and (lengths > 0).all()):
            msg = "the reply holds a vector that is empty, zero or not finite"
            raise APIResponseError(msg)
        return Vectors(values / lengths, tokens)


def _key(dialect: Dialect, url: str) -> str | None:
    """Find the key; what the environment holds goes only to the service that it is for."""
    if dialect is JINA:
        return find_key(None, {}, Address.of(url.removesuffix("/embeddings")))
    if url != dialect.url:
        return None
    key = next((key for name in COHERE_KEYS if (key := os.environ.get(name, "").strip())), None)
    if key is None:
        msg = f"Cohere's API needs a key: set {COHERE_KEYS[0]}; one comes from https://dashboard.cohere.com/api-keys"
        raise AuthenticationError(msg, status=401)
    return key

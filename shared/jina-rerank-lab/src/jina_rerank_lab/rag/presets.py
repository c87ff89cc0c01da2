"""The announcement's three embedding models by the names that it gave them."""

from collections.abc import Sequence

from .. import published
from ..embedders import SERVICE

ANNOUNCEMENT = "announcement"
"""One word for the three."""

SPECS = {
    "jina-embeddings-v2-base-en": "jina-embeddings-v2-base-en",
    "bge-base-en-v1.5": "bge-base-en-v1.5",
    "Cohere-embed-english-v3.0": f"{SERVICE}embed-english-v3.0",
}
"""What loads them: the first natively, the second from the hub, the third through Cohere's API."""


def names(asked: Sequence[str]) -> list[str]:
    """Name the embedding models that are asked for, each once.

    >>> names(["all-MiniLM-L6-v2", "announcement"])[:2]
    ['all-MiniLM-L6-v2', 'jina-embeddings-v2-base-en']
    """
    several = ((published.EMBEDDERS if name == ANNOUNCEMENT else (name,)) for name in asked)
    return list(dict.fromkeys(name for group in several for name in group))


def spec(name: str) -> str:
    """Return what `embedders.find` takes for a name."""
    return SPECS.get(name, name)

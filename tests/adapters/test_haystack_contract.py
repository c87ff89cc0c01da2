"""`JinaRanker` does what every adapter does."""

from collections.abc import Mapping, Sequence
from typing import Any

from haystack import Document
from haystack_integrations.components.rankers.jina_rerank import JinaRanker

from .contract import AdapterContract


class TestHaystack(AdapterContract):
    adapter = JinaRanker
    distribution = "jina-rerank-haystack"
    top_n = "top_k"

    def rerank(
        self, adapter: JinaRanker, query: str, texts: Sequence[str]
    ) -> list[tuple[str, float | None]]:
        return _kept(adapter.run(query=query, documents=_documents(texts)))

    async def arerank(
        self, adapter: JinaRanker, query: str, texts: Sequence[str]
    ) -> list[tuple[str, float | None]]:
        return _kept(await adapter.run_async(query=query, documents=_documents(texts)))


def _documents(texts: Sequence[str]) -> list[Document]:
    return [Document(id=str(i), content=text) for i, text in enumerate(texts)]


def _kept(output: Mapping[str, Any]) -> list[tuple[str, float | None]]:
    return [(document.content, document.score) for document in output["documents"]]

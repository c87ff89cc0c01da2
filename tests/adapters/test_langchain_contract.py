"""`JinaRerank` for LangChain does what every adapter does."""

from collections.abc import Sequence

from langchain_core.documents import Document
from langchain_jina_rerank import JinaRerank

from .contract import AdapterContract


class TestLangChain(AdapterContract):
    adapter = JinaRerank
    distribution = "langchain-jina-rerank"
    few = 3

    def rerank(
        self, adapter: JinaRerank, query: str, texts: Sequence[str]
    ) -> list[tuple[str, float | None]]:
        return _kept(adapter.compress_documents(_documents(texts), query))

    async def arerank(
        self, adapter: JinaRerank, query: str, texts: Sequence[str]
    ) -> list[tuple[str, float | None]]:
        return _kept(await adapter.acompress_documents(_documents(texts), query))


def _documents(texts: Sequence[str]) -> list[Document]:
    return [Document(text) for text in texts]


def _kept(documents: Sequence[Document]) -> list[tuple[str, float | None]]:
    return [(item.page_content, item.metadata.get("relevance_score")) for item in documents]

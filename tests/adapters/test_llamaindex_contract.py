"""`JinaRerank` for LlamaIndex does what every adapter does."""

from collections.abc import Sequence

from llama_index.core.schema import NodeWithScore, TextNode
from llama_index.postprocessor.jina_rerank import JinaRerank

from .contract import AdapterContract


class TestLlamaIndex(AdapterContract):
    adapter = JinaRerank
    distribution = "llama-index-postprocessor-jina-rerank"
    few = 2

    def rerank(
        self, adapter: JinaRerank, query: str, texts: Sequence[str]
    ) -> list[tuple[str, float | None]]:
        return _kept(adapter.postprocess_nodes(_nodes(texts), query_str=query))

    async def arerank(
        self, adapter: JinaRerank, query: str, texts: Sequence[str]
    ) -> list[tuple[str, float | None]]:
        return _kept(await adapter.apostprocess_nodes(_nodes(texts), query_str=query))


def _nodes(texts: Sequence[str]) -> list[NodeWithScore]:
    return [NodeWithScore(node=TextNode(text=text)) for text in texts]


def _kept(nodes: Sequence[NodeWithScore]) -> list[tuple[str, float | None]]:
    return [(node.text, node.score) for node in nodes]

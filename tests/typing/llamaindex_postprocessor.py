"""What type checkers see of the LlamaIndex adapter; mypy reads this, nobody runs it."""

from typing import Any, assert_type

from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import MetadataMode, NodeWithScore, QueryBundle
from llama_index.postprocessor.jina_rerank import JinaRerank

from jina_rerank import Reranker


def calls(nodes: list[NodeWithScore], reranker: Reranker) -> None:
    rerank = JinaRerank("nano", top_n=5, score_threshold=0.1, metadata_mode=MetadataMode.LLM)
    assert_type(rerank.postprocess_nodes(nodes, query_str="q"), list[NodeWithScore])
    assert_type(rerank.postprocess_nodes(nodes, QueryBundle("q")), list[NodeWithScore])
    assert_type(rerank.to_dict(), dict[str, Any])
    assert_type(rerank.model, str)
    assert_type(rerank.top_n, int | None)
    assert_type(JinaRerank(reranker=reranker).reranker, Reranker)
    assert_type(JinaRerank.from_dict(rerank.to_dict()), JinaRerank)
    postprocessors: list[BaseNodePostprocessor] = [rerank]
    postprocessors.append(JinaRerank(top_n="3"))  # type: ignore[arg-type]
    JinaRerank("turbo", top_k=3)  # type: ignore[call-arg]
    rerank.postprocess_nodes(["text"], query_str="q")  # type: ignore[list-item]


async def async_calls(rerank: JinaRerank, nodes: list[NodeWithScore]) -> None:
    assert_type(await rerank.apostprocess_nodes(nodes, query_str="q"), list[NodeWithScore])

"""A RAG pipeline's retrieval in LlamaIndex, and its own evaluation of it.

This module needs the extra `rag`; nothing else of the lab knows a framework.
"""

from collections.abc import Callable
from typing import Any

from llama_index.core import VectorStoreIndex
from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.bridge.pydantic import PrivateAttr
from llama_index.core.evaluation import RetrieverEvaluator
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode

from jina_rerank import Reranker

from ..collections import Collection
from ..embedders import Embedder
from .summary import METRICS


class Embedding(BaseEmbedding):
    """An embedding model of the lab, as LlamaIndex calls one."""

    _embedder: Embedder = PrivateAttr()

    def __init__(self, embedder: Embedder) -> None:
        super().__init__(model_name=embedder.name)
        self._embedder = embedder

    def _get_query_embedding(self, query: str) -> list[float]:
        vector: list[float] = self._embedder.encode([query], query=True)[0].tolist()
        return vector

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_query_embedding(query)

    def _get_text_embedding(self, text: str) -> list[float]:
        vector: list[float] = self._embedder.encode([text])[0].tolist()
        return vector


class Rerank(BaseNodePostprocessor):
    """A reranker of the lab, as LlamaIndex calls one: it sorts the nodes and keeps the first."""

    _reranker: Reranker = PrivateAttr()
    _top_n: int = PrivateAttr()

    def __init__(self, reranker: Reranker, *, top_n: int) -> None:
        super().__init__()
        self._reranker = reranker
        self._top_n = top_n

    def _postprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        if query_bundle is None:
            msg = "a reranker needs the query: give query_str"
            raise ValueError(msg)
        texts = [node.node.get_content() for node in nodes]
        ranking = self._reranker.rank(query_bundle.query_str, texts, top_n=self._top_n)
        return [NodeWithScore(node=nodes[i.index].node, score=i.score) for i in ranking]


def retriever(collection: Collection, embedder: Embedder, *, top_k: int) -> BaseRetriever:
    """Index a collection and return what finds the nearest passages of a question.

    Args:
        collection: The passages.
        embedder: Makes vectors of them.
        top_k: How many passages a question gets.
    """
    texts = [passage.full for passage in collection.corpus.values()]
    vectors = embedder.encode(texts)
    nodes = [
        TextNode(id_=name, text=text, embedding=vector.tolist())
        for name, text, vector in zip(collection.corpus, texts, vectors, strict=True)
    ]
    index = VectorStoreIndex(nodes, embed_model=Embedding(embedder))
    return index.as_retriever(similarity_top_k=top_k)


def evaluate(
    collection: Collection,
    found_by: BaseRetriever,
    reranker: Reranker,
    *,
    top_n: int,
    done: Callable[[int], None],
) -> dict[str, dict[str, float]]:
    """Let LlamaIndex's own `RetrieverEvaluator` ask every question.

    Args:
        collection: The questions, and the passages that answer them.
        found_by: Finds the candidates.
        reranker: Sorts them.
        top_n: How many stay, and count.
        done: Called with 1 after each question.

    Returns:
        By question, hit rate and reciprocal rank.
    """
    evaluator = RetrieverEvaluator.from_metric_names(
        list(METRICS), retriever=found_by, node_postprocessors=[Rerank(reranker, top_n=top_n)]
    )
    values: dict[str, dict[str, float]] = {}
    for name, query in collection.queries.items():
        expected = [document for document, grade in collection.qrels[name].items() if grade > 0]
        result: Any = evaluator.evaluate(query, expected)
        values[name] = {metric: float(result.metric_vals_dict[metric]) for metric in METRICS}
        done(1)
    return values

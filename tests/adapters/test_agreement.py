"""The three adapters rank identical texts identically: same order, same scores."""

from collections.abc import Sequence

import pytest
from haystack import Document as HaystackDocument
from haystack_integrations.components.rankers.jina_rerank import JinaRanker
from langchain_core.documents import Document as LangChainDocument
from langchain_jina_rerank import JinaRerank as LangChainRerank
from llama_index.core.schema import NodeWithScore, TextNode
from llama_index.postprocessor.jina_rerank import JinaRerank as LlamaIndexRerank

from jina_rerank import Reranker

from .collection import BM25, CANDIDATES, Collection

Ranked = list[tuple[str, float | None]]
SAMPLE = slice(0, 80, 5)
"""Which questions are asked."""


def llamaindex(rerank: LlamaIndexRerank, query: str, texts: Sequence[str]) -> Ranked:
    nodes = [NodeWithScore(node=TextNode(text=text)) for text in texts]
    return [(node.text, node.score) for node in rerank.postprocess_nodes(nodes, query_str=query)]


def langchain(rerank: LangChainRerank, query: str, texts: Sequence[str]) -> Ranked:
    documents = rerank.compress_documents([LangChainDocument(text) for text in texts], query)
    return [(item.page_content, item.metadata["relevance_score"]) for item in documents]


def haystack(rerank: JinaRanker, query: str, texts: Sequence[str]) -> Ranked:
    documents = rerank.run(query, [HaystackDocument(content=text) for text in texts])["documents"]
    return [(item.content, item.score) for item in documents]


def test_frameworks_agree_with_each_other_and_the_core(collection: Collection, bm25: BM25) -> None:
    texts = {passage.id: passage.text for passage in collection.passages}
    of_llamaindex = LlamaIndexRerank("nano", top_n=None)
    of_langchain = LangChainRerank("nano", top_n=None)
    of_haystack = JinaRanker("nano", top_k=None)
    core = Reranker("nano")
    for question in collection.questions[SAMPLE]:
        found = [texts[passage] for passage in bm25.rank(question.text)]
        expected = [(item.document, item.score) for item in core.rank(question.text, found)]
        assert len(expected) == CANDIDATES
        assert llamaindex(of_llamaindex, question.text, found) == expected
        assert langchain(of_langchain, question.text, found) == expected
        assert haystack(of_haystack, question.text, found) == expected


@pytest.mark.parametrize("text", ["one", "日本の首都は東京です。", "  padded \n", "[SEP] literal"])
def test_frameworks_score_an_odd_text_alike(text: str, nano: Reranker) -> None:
    expected = [(text, nano.score("東京 one", [text])[0])]
    assert llamaindex(LlamaIndexRerank(reranker=nano), "東京 one", [text]) == expected
    assert langchain(LangChainRerank(reranker=nano), "東京 one", [text]) == expected
    assert haystack(JinaRanker(reranker=nano), "東京 one", [text]) == expected

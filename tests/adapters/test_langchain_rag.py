"""A whole pipeline in LangChain over real passages: retrieve, rerank, prompt, answer."""

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from langchain_classic.chains import create_retrieval_chain
from langchain_classic.chains.combine_documents import create_stuff_documents_chain
from langchain_classic.retrievers import ContextualCompressionRetriever, EnsembleRetriever
from langchain_classic.retrievers.document_compressors import CrossEncoderReranker
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.callbacks import CallbackManagerForRetrieverRun as RetrieverRun
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.language_models import FakeListChatModel
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import Runnable, RunnableLambda, RunnablePassthrough
from langchain_core.tracers import Run
from langchain_core.tracers.context import collect_runs
from langchain_core.vectorstores import InMemoryVectorStore
from langchain_jina_rerank import JinaRerank

from jina_rerank import Reranker

from .collection import BM25, CANDIDATES, KEPT, Collection, Embedder, Passage, Quality

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "langchain.py"
QUESTION = "who wrote the treasure of the sierra madre"
PROMPT = ChatPromptTemplate.from_template("Answer from this:\n\n{context}\n\nQuestion: {input}")


class Minilm(Embeddings):
    """The embedding model as LangChain calls it."""

    def __init__(self, embedder: Embedder) -> None:
        self.embedder = embedder

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return self.embedder(texts)

    def embed_query(self, text: str) -> list[float]:
        return self.embedder([text])[0]


class ByWords(BaseRetriever):
    """BM25 as LangChain calls it."""

    rank: Callable[[str], list[str]]
    documents: dict[str, Document]

    def _get_relevant_documents(self, query: str, *, run_manager: RetrieverRun) -> list[Document]:
        return [self.documents[name] for name in self.rank(query)]


class Prompts(BaseCallbackHandler):
    """Keeps what the language model was asked."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def on_chat_model_start(self, serialized: Any, messages: Any, **more: Any) -> None:
        self.texts.append(messages[0][0].content)


def document(passage: Passage) -> Document:
    return Document(passage.text, id=passage.id, metadata={"title": passage.title})


@pytest.fixture(scope="module")
def store(collection: Collection, embedder: Embedder) -> InMemoryVectorStore:
    store = InMemoryVectorStore(Minilm(embedder))
    store.add_documents([document(passage) for passage in collection.passages])
    return store


@pytest.fixture(scope="module")
def by_meaning(store: InMemoryVectorStore) -> BaseRetriever:
    return store.as_retriever(search_kwargs={"k": CANDIDATES})


@pytest.fixture(scope="module")
def by_words(collection: Collection, bm25: BM25) -> BaseRetriever:
    documents = {passage.id: document(passage) for passage in collection.passages}
    return ByWords(rank=bm25.rank, documents=documents)


@pytest.fixture(scope="module")
def compressor(nano: Reranker) -> JinaRerank:
    return JinaRerank(reranker=nano, top_n=KEPT)


def reranked(compressor: JinaRerank, retriever: BaseRetriever) -> ContextualCompressionRetriever:
    return ContextualCompressionRetriever(base_compressor=compressor, base_retriever=retriever)


def quality(collection: Collection, retriever: BaseRetriever) -> Quality:
    found = retriever.batch([question.text for question in collection.questions])
    ids = [[str(item.id) for item in documents[:KEPT]] for documents in found]
    names = [question.id for question in collection.questions]
    return collection.quality(dict(zip(names, ids, strict=True)))


def answers(
    retriever: Runnable[Any, list[Document]], llm_says: Sequence[str], prompts: Prompts
) -> Runnable[dict[str, Any], Any]:
    """Make the whole chain: retrieve, rerank, fill the prompt, ask."""
    llm = FakeListChatModel(responses=list(llm_says), callbacks=[prompts])
    chain: Runnable[dict[str, Any], Any] = create_retrieval_chain(
        retriever, create_stuff_documents_chain(llm, PROMPT)
    )
    return chain


def test_reranking_bm25_raises_hit_rate_and_mrr(
    collection: Collection, by_words: BaseRetriever, compressor: JinaRerank
) -> None:
    before = quality(collection, by_words)
    after = quality(collection, reranked(compressor, by_words))
    assert after.hit_rate > before.hit_rate, (before, after)
    assert after.mrr > before.mrr, (before, after)


def test_reranking_embeddings_keeps_hit_rate_and_mrr(
    collection: Collection, by_meaning: BaseRetriever, compressor: JinaRerank
) -> None:
    before = quality(collection, by_meaning)
    after = quality(collection, reranked(compressor, by_meaning))
    assert after.hit_rate >= before.hit_rate - 0.02, (before, after)
    # The embedding model was trained on Natural Questions, where these questions are from.
    assert after.mrr >= before.mrr - 0.02, (before, after)


def test_reranking_both_keeps_hit_rate_and_mrr(
    collection: Collection,
    by_words: BaseRetriever,
    by_meaning: BaseRetriever,
    compressor: JinaRerank,
) -> None:
    both = EnsembleRetriever(retrievers=[by_words, by_meaning], weights=[0.5, 0.5])
    before = quality(collection, both)
    after = quality(collection, reranked(compressor, both))
    assert after.hit_rate >= before.hit_rate - 0.02, (before, after)
    assert after.mrr >= before.mrr - 0.02, (before, after)


@pytest.mark.parametrize(
    "text",
    [
        "when did american idol end the first time",
        "who discovered one of the first taxonomic classification schemes",
        "who wrote knock knock knocking on heavens door",
        "where does some like it hot take place",
        "who is the girl that played darlene in roseanne",
    ],
)
def test_answer_comes_first_where_bm25_had_another(
    text: str, collection: Collection, by_words: BaseRetriever, compressor: JinaRerank
) -> None:
    (question,) = [item for item in collection.questions if item.text == text]
    assert by_words.invoke(text)[0].id != question.answer
    assert reranked(compressor, by_words).invoke(text)[0].id == question.answer


async def test_async_and_batch_find_what_sync_finds(
    collection: Collection, by_meaning: BaseRetriever, compressor: JinaRerank
) -> None:
    retriever = reranked(compressor, by_meaning)
    texts = [question.text for question in collection.questions[:8]]
    expected = [retriever.invoke(text) for text in texts]
    assert await asyncio.gather(*map(retriever.ainvoke, texts)) == expected
    assert retriever.batch(texts) == expected
    assert await retriever.abatch(texts) == expected


async def test_chain_puts_the_best_passages_into_the_prompt_in_order(
    by_meaning: BaseRetriever, compressor: JinaRerank
) -> None:
    prompts = Prompts()
    retriever = reranked(compressor, by_meaning)
    chain = answers(retriever, ["first answer", "second answer"], prompts)

    result = chain.invoke({"input": QUESTION})
    assert result["answer"] == "first answer"
    assert result["context"] == retriever.invoke(QUESTION)
    context = "\n\n".join(item.page_content for item in result["context"])
    assert prompts.texts == [f"Answer from this:\n\n{context}\n\nQuestion: {QUESTION}"]

    again = await chain.ainvoke({"input": QUESTION})
    assert again["answer"] == "second answer"
    assert again["context"] == result["context"]
    assert prompts.texts[1] == prompts.texts[0]


def test_kept_scores_do_not_reach_the_prompt(by_meaning: BaseRetriever, nano: Reranker) -> None:
    compressor = JinaRerank(reranker=nano, top_n=2, keep_retrieval_score=True)
    prompts = Prompts()

    def scored(query: str) -> list[Document]:
        found = by_meaning.invoke(query)
        return [
            item.model_copy(update={"metadata": item.metadata | {"score": 0.123456}})
            for item in found
        ]

    step = {"query": RunnablePassthrough(), "documents": RunnableLambda(scored)}
    retriever = RunnableLambda(lambda inputs: inputs["input"]) | step | compressor.as_runnable()
    result = answers(retriever, ["yes"], prompts).invoke({"input": QUESTION})
    assert [item.metadata["retrieval_score"] for item in result["context"]] == [0.123456] * 2
    assert "0.123456" not in prompts.texts[0]


async def test_runnable_step_finds_what_the_retriever_finds(
    by_words: BaseRetriever, compressor: JinaRerank
) -> None:
    question = "where is the tibia and fibula bone located"
    step = {"query": RunnablePassthrough(), "documents": by_words} | compressor.as_runnable()
    expected = reranked(compressor, by_words).invoke(question)
    assert step.invoke(question) == expected
    assert await step.ainvoke(question) == expected


def test_cross_encoder_reranker_finds_the_same_passages(
    by_words: BaseRetriever, compressor: JinaRerank
) -> None:
    question = "who cracked the enigma code in world war 2"
    other = CrossEncoderReranker(model=compressor, top_n=KEPT)
    found = other.compress_documents(by_words.invoke(question), question)
    expected = reranked(compressor, by_words).invoke(question)
    assert [item.id for item in found] == [item.id for item in expected]


def test_pipeline_saved_and_loaded_finds_the_same(
    store: InMemoryVectorStore, embedder: Embedder, tmp_path: Path
) -> None:
    question = "who is the head of the department of homeland security 2017"
    compressor = JinaRerank("nano", top_n=KEPT, max_length=512)
    found = reranked(compressor, store.as_retriever()).invoke(question)

    (tmp_path / "compressor.json").write_text(compressor.model_dump_json(), encoding="utf-8")
    store.dump(str(tmp_path / "store.json"))
    again = JinaRerank.model_validate_json((tmp_path / "compressor.json").read_bytes())
    loaded = InMemoryVectorStore.load(str(tmp_path / "store.json"), Minilm(embedder))

    assert reranked(again, loaded.as_retriever()).invoke(question) == found


def test_traced_chain_shows_the_reranking_inside_the_retriever(
    by_words: BaseRetriever, compressor: JinaRerank
) -> None:
    chain = answers(reranked(compressor, by_words), ["yes"], Prompts())
    with collect_runs() as collected:
        chain.invoke({"input": QUESTION})
    (retriever,) = [
        run for run in every(collected.traced_runs) if run.name == "ContextualCompressionRetriever"
    ]
    assert [run.name for run in retriever.child_runs] == ["ByWords", "JinaRerank"]
    outputs = retriever.child_runs[1].outputs
    assert outputs is not None
    assert len(outputs["documents"]) == KEPT
    assert outputs["model"] == compressor.model


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


def every(runs: list[Run]) -> Iterator[Run]:
    """Walk through runs and the runs in them."""
    for run in runs:
        yield run
        yield from every(run.child_runs)

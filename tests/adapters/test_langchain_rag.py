"""A whole pipeline in LangChain over real passages: retrieve, rerank, prompt, answer."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from langchain_classic.chains import create_retrieval_chain
from langchain_classic.chains.combine_documents import create_stuff_documents_chain
from langchain_classic.retrievers import ContextualCompressionRetriever, EnsembleRetriever
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.callbacks import CallbackManagerForRetrieverRun as RetrieverRun
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.language_models import FakeListChatModel
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableLambda, RunnablePassthrough
from langchain_core.vectorstores import InMemoryVectorStore
from langchain_jina_rerank import JinaRerank

from jina_rerank import Reranker

from .collection import BM25, CANDIDATES, KEPT, Collection, Embedder, Passage, Quality

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


def test_x(collection, by_words, by_meaning, compressor):
    for r in (by_words, by_meaning):
        print(quality(collection, r), quality(collection, reranked(compressor, r)))
    e = EnsembleRetriever(retrievers=[by_words, by_meaning])
    print(quality(collection, e), quality(collection, reranked(compressor, e)))
    for q in collection.questions:
        f = reranked(compressor, by_meaning).invoke(q.text)
        w = reranked(compressor, by_words).invoke(q.text)
        if f[0].id == q.answer and w[0].id==q.answer: print("OK", q.id, q.text, by_meaning.invoke(q.text)[0].id == q.answer, by_words.invoke(q.text)[0].id == q.answer)

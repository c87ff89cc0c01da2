"""What a user's type checker sees of the LangChain adapter; checked by mypy, never run."""

from typing import Any, assert_type

from langchain_core.cross_encoders import BaseCrossEncoder
from langchain_core.documents import BaseDocumentCompressor, Document
from langchain_core.runnables import RunnableLambda
from langchain_jina_rerank import JinaRerank
from pydantic import SecretStr

from jina_rerank import Reranker


def calls(compressor: JinaRerank, documents: list[Document]) -> None:
    assert_type(compressor.compress_documents(documents, "q"), list[Document])
    assert_type(compressor.as_runnable(), RunnableLambda[dict[str, Any], list[Document]])
    assert_type(compressor.rerank(["a", documents[0], {"text": "b"}], "q"), list[dict[str, Any]])
    assert_type(compressor.score([("q", "a")]), list[float])
    assert_type(compressor.reranker, Reranker)
    assert_type(compressor.model, str)
    assert_type(compressor.top_n, int | None)
    assert_type(compressor.model_copy(update={"top_n": 1}), JinaRerank)
    _compressor: BaseDocumentCompressor = compressor
    _cross_encoder: BaseCrossEncoder = compressor


async def awaits(compressor: JinaRerank, documents: list[Document]) -> None:
    assert_type(await compressor.acompress_documents(documents, "q"), list[Document])


JinaRerank("turbo", top_n=None, score_threshold=0.5)
JinaRerank(model="turbo", jina_api_key=SecretStr("key"))
JinaRerank(reranker=Reranker("nano"), keep_retrieval_score=True)
JinaRerank("turbo", "api")  # type: ignore[call-arg] # keyword-only after the model
JinaRerank(top_k=3)  # type: ignore[call-arg]
JinaRerank(top_n="3")  # type: ignore[arg-type]

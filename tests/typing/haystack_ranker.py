"""What a user's type checker sees of the Haystack adapter; checked by mypy, never run."""

from typing import Any, assert_type

from haystack import Document, Pipeline
from haystack.utils import Secret
from haystack_integrations.components.rankers.jina_rerank import JinaRanker, JinaRerank

from jina_rerank import Reranker


def calls(documents: list[Document], reranker: Reranker) -> None:
    ranker = JinaRanker("nano", Secret.from_env_var("JINA_API_KEY"), 5, 0.1)
    assert_type(ranker.run(query="q", documents=documents), dict[str, Any])
    assert_type(ranker.run("q", documents, top_k=3, score_threshold=0.0), dict[str, Any])
    assert_type(JinaRerank(reranker=reranker).model, str)
    assert_type(JinaRanker.from_dict(ranker.to_dict()), JinaRanker)
    Pipeline().add_component("ranker", ranker)
    JinaRanker("turbo", top_n=3)  # type: ignore[call-arg]
    JinaRanker(top_k="3")  # type: ignore[arg-type]
    ranker.run("q", ["text"])  # type: ignore[list-item]


async def async_calls(ranker: JinaRanker, documents: list[Document]) -> None:
    assert_type(await ranker.run_async("q", documents), dict[str, Any])
    await ranker.warm_up_async()
    await ranker.close_async()

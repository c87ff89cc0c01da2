"""Real calls to the hosted API, for who has a key: `pytest -m live`, a few hundred tokens."""

import asyncio
import os

import pytest

from jina_rerank import AuthenticationError, BadRequestError, Reranker

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(
        not {"JINA_API_KEY", "JINAAI_API_KEY"} & os.environ.keys(), reason="needs JINA_API_KEY"
    ),
]

QUERY = "Which planet is red?"
DOCUMENTS = ["Bread rises because yeast makes gas.", "Mars looks red because of iron rust.", " "]


@pytest.mark.parametrize("model", ["jina-reranker-v2-base-multilingual", "jina-reranker-v3"])
def test_hosted_model_ranks(model: str) -> None:
    with Reranker(model, backend="api") as reranker:
        ranking = reranker.rank(QUERY, DOCUMENTS)
        again = asyncio.run(reranker.arank(QUERY, DOCUMENTS))
    assert [item.index for item in ranking] == [1, 0, 2]
    assert [item.index for item in again] == [1, 0, 2]
    assert ranking.model == model
    assert ranking.usage.total_tokens > 0


def test_split_list_ranks_as_the_whole() -> None:
    model = "jina-reranker-v2-base-multilingual"
    with (
        Reranker(model, backend="api", max_documents_per_request=1) as split,
        Reranker(model, backend="api") as whole,
    ):
        assert split.score(QUERY, DOCUMENTS) == pytest.approx(
            whole.score(QUERY, DOCUMENTS), abs=1e-3
        )


def test_wrong_key_is_an_authentication_error() -> None:
    with (
        Reranker(backend="api", api_key="jina_" + "0" * 60) as reranker,
        pytest.raises(AuthenticationError) as caught,
    ):
        reranker.rank(QUERY, DOCUMENTS)
    assert caught.value.code == "AUTH_INVALID_API_KEY"


def test_unknown_model_is_a_bad_request() -> None:
    with Reranker("jina-reranker-v0", backend="api") as reranker, pytest.raises(BadRequestError):
        reranker.rank(QUERY, DOCUMENTS)

"""Real calls to a SageMaker endpoint, for who has one: `pytest -m live`, a few requests.

The variable JINA_RERANK_ENDPOINT names the endpoint; region and credentials are those of boto3.
"""

import asyncio
import os

import pytest

from jina_rerank import BadRequestError, Reranker

ENDPOINT = os.environ.get("JINA_RERANK_ENDPOINT")

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(ENDPOINT is None, reason="needs JINA_RERANK_ENDPOINT"),
]

QUERY = "red planet"
DOCUMENTS = ["Bread rises because yeast makes gas.", "Mars is the red planet.", " "]


def test_endpoint_ranks() -> None:
    with Reranker(endpoint_name=ENDPOINT) as reranker:
        ranking = reranker.rank(QUERY, DOCUMENTS)
        again = asyncio.run(reranker.arank(QUERY, DOCUMENTS))
    assert [item.index for item in ranking] == [1, 0, 2]
    assert [item.index for item in again] == [1, 0, 2]
    assert ranking.usage.total_tokens > 0


def test_split_list_ranks_as_the_whole() -> None:
    with (
        Reranker(endpoint_name=ENDPOINT, max_documents_per_request=1) as split,
        Reranker(endpoint_name=ENDPOINT) as whole,
    ):
        assert split.score(QUERY, DOCUMENTS) == pytest.approx(
            whole.score(QUERY, DOCUMENTS), abs=1e-3
        )


def test_endpoint_that_does_not_exist_is_a_bad_request() -> None:
    with (
        Reranker(endpoint_name="there-is-no-such-endpoint") as reranker,
        pytest.raises(BadRequestError) as caught,
    ):
        reranker.rank(QUERY, DOCUMENTS)
    assert caught.value.code == "ValidationError"

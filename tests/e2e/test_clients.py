"""Clients from the registry, as they are, rank as the offline engine does when they ask our server."""

import json

import pytest

from jina_rerank import Reranker

from ..server.running import Running
from .conftest import KEY
from .texts import MODEL, QUERY, TOLERANCE, TOP, documents, offline

pytestmark = pytest.mark.e2e


def test_cohere_sdk_ranks_alike(server: Running) -> None:
    import cohere

    client = cohere.ClientV2("none", base_url=server.url)
    reply = client.rerank(model=MODEL, query=QUERY, documents=documents(), top_n=TOP)
    assert [item.index for item in reply.results] == offline().order[:TOP]
    assert [item.relevance_score for item in reply.results] == pytest.approx(
        [offline().scores[index] for index in offline().order[:TOP]], abs=TOLERANCE
    )


async def test_cohere_async_sdk_sends_its_key(locked: Running) -> None:
    import cohere

    client = cohere.AsyncClientV2(KEY, base_url=locked.url)
    reply = await client.rerank(model=MODEL, query=QUERY, documents=documents())
    assert [item.index for item in reply.results] == offline().order


def test_cohere_sdk_raises_its_own_errors(locked: Running) -> None:
    import cohere

    client = cohere.ClientV2("another key, which is wrong", base_url=locked.url)
    with pytest.raises(cohere.UnauthorizedError):
        client.rerank(model=MODEL, query=QUERY, documents=documents())
    client = cohere.ClientV2(KEY, base_url=locked.url)
    with pytest.raises(cohere.NotFoundError):
        client.rerank(model="no-such-model", query=QUERY, documents=documents())


def test_upstreams_llamaindex_postprocessor_ranks_alike(locked: Running) -> None:
    from llama_index.core.schema import NodeWithScore, TextNode
    from llama_index.postprocessor.jinaai_rerank import JinaRerank

    rerank = JinaRerank(base_url=f"{locked.url}/v1", api_key=KEY, model=MODEL, top_n=TOP)
    nodes = [NodeWithScore(node=TextNode(text=text)) for text in documents()]
    found = rerank.postprocess_nodes(nodes, query_str=QUERY)
    assert [documents().index(node.text) for node in found] == offline().order[:TOP]


def test_upstreams_haystack_ranker_ranks_alike(locked: Running) -> None:
    from haystack import Document
    from haystack.utils import Secret
    from haystack_integrations.components.rankers.jina import JinaRanker

    ranker = JinaRanker(
        model=MODEL,
        api_key=Secret.from_token(KEY),
        top_k=TOP,
        base_url=f"{locked.url}/v1/rerank",
    )
    found = ranker.run(query=QUERY, documents=[Document(content=text) for text in documents()])
    order = [documents().index(document.content) for document in found["documents"]]
    assert order == offline().order[:TOP]


def test_communitys_langchain_compressor_ranks_alike(
    locked: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    from langchain_community.document_compressors import jina_rerank
    from langchain_core.documents import Document

    monkeypatch.setattr(jina_rerank, "JINA_API_URL", f"{locked.url}/v1/rerank")  # its only way
    compressor = jina_rerank.JinaRerank(model=MODEL, jina_api_key=KEY, top_n=TOP)
    found = compressor.compress_documents([Document(text) for text in documents()], QUERY)
    order = [documents().index(document.page_content) for document in found]
    assert order == offline().order[:TOP]


@pytest.mark.parametrize("provider", ["jina_ai", "cohere"])
def test_litellm_ranks_alike(locked: Running, provider: str) -> None:
    import litellm

    reply = litellm.rerank(
        model=f"{provider}/{MODEL}",
        query=QUERY,
        documents=documents(),
        top_n=TOP,
        api_key=KEY,
        api_base=locked.url,
    )
    assert [item["index"] for item in reply.results] == offline().order[:TOP]


def test_hub_session_speaks_tei(server: Running) -> None:
    from huggingface_hub import get_session

    reply = get_session().post(
        f"{server.url}/rerank",
        json={"query": QUERY, "texts": documents(), "return_text": True, "truncate": True},
    )
    found = reply.raise_for_status().json()
    assert [item["index"] for item in found] == offline().order
    assert [item["text"] for item in found] == [documents()[item["index"]] for item in found]
    assert int(reply.headers["x-compute-tokens"]) > 0


def test_list_of_models_names_the_one_that_runs(server: Running) -> None:
    from huggingface_hub import get_session

    listed = json.loads(get_session().get(f"{server.url}/v1/models").content)
    assert [model["name"] for model in listed["data"]] == [MODEL]


@pytest.mark.parametrize("dialect", ["jina", "cohere", "tei"])
def test_own_api_backend_gives_the_same_scores(locked: Running, dialect: str) -> None:
    with Reranker(MODEL, base_url=locked.url, api_key=KEY, dialect=dialect) as reranker:
        scores = reranker.score(QUERY, documents())
        ranking = reranker.rank(QUERY, documents(), top_n=TOP)
    assert scores == pytest.approx(offline().scores, abs=TOLERANCE)
    assert [item.index for item in ranking] == offline().order[:TOP]


async def test_own_api_backend_finds_out_where_to_ask(server: Running) -> None:
    async with Reranker(MODEL, base_url=server.url) as reranker:
        ranking = await reranker.arank(QUERY, documents())
    assert [item.index for item in ranking] == offline().order

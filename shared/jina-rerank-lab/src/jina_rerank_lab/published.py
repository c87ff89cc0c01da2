"""What Jina AI published of Jina Reranker v1 Turbo and Tiny: data, never a measurement of ours.

Source: the announcement of the two models and its two tables; sizes from there, too. Whatever
shows a number of this module says "published" beside it.
"""

from dataclasses import dataclass

SOURCE = "Jina AI's announcement of Jina Reranker v1 Turbo and Tiny, 2024"
"""What stands below every table with published numbers."""

EMBEDDERS = ("jina-embeddings-v2-base-en", "bge-base-en-v1.5", "Cohere-embed-english-v3.0")
"""The embedding models over which the RAG benchmark was averaged."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Published:
    """One row of the announcement's two tables.

    Attributes:
        model: The model's name there.
        shape: The same model among the shapes that `jina-rerank-lab benchmark` can time.
        load: What `--reranker` takes to run the model itself: needs a network, or a copy.
        beir: Mean nDCG@10 over BEIR, in percent.
        parameters: In millions.
        hit_rate: Of the RAG benchmark, from 0 to 1, mean over `EMBEDDERS`.
        mrr: Mean reciprocal rank of the RAG benchmark, from 0 to 1.
    """

    model: str
    shape: str
    load: str
    beir: float
    parameters: int
    hit_rate: float
    mrr: float


TABLE = (
    Published(
        model="jina-reranker-v1-base-en",
        shape="base",
        load="api:jina-reranker-v1-base-en",
        beir=52.45,
        parameters=137,
        hit_rate=0.8439,
        mrr=0.7006,
    ),
    Published(
        model="jina-reranker-v1-turbo-en",
        shape="turbo",
        load="turbo",
        beir=49.60,
        parameters=38,
        hit_rate=0.8351,
        mrr=0.6498,
    ),
    Published(
        model="jina-reranker-v1-tiny-en",
        shape="tiny",
        load="tiny",
        beir=48.54,
        parameters=33,
        hit_rate=0.8316,
        mrr=0.6761,
    ),
    Published(
        model="mxbai-rerank-base-v1",
        shape="mxbai-base",
        load="mixedbread-ai/mxbai-rerank-base-v1",
        beir=49.19,
        parameters=184,
        hit_rate=0.8105,
        mrr=0.6583,
    ),
    Published(
        model="mxbai-rerank-xsmall-v1",
        shape="mxbai-xsmall",
        load="mixedbread-ai/mxbai-rerank-xsmall-v1",
        beir=48.80,
        parameters=71,
        hit_rate=0.8193,
        mrr=0.6673,
    ),
    Published(
        model="ms-marco-MiniLM-L-6-v2",
        shape="minilm-l6",
        load="cross-encoder/ms-marco-MiniLM-L-6-v2",
        beir=48.64,
        parameters=23,
        hit_rate=0.8052,
        mrr=0.6121,
    ),
    Published(
        model="bge-reranker-base",
        shape="bge-base",
        load="BAAI/bge-reranker-base",
        beir=47.89,
        parameters=278,
        hit_rate=0.8175,
        mrr=0.6480,
    ),
    Published(
        model="ms-marco-MiniLM-L-4-v2",
        shape="minilm-l4",
        load="cross-encoder/ms-marco-MiniLM-L-4-v2",
        beir=47.81,
        parameters=19,
        hit_rate=0.8246,
        mrr=0.6354,
    ),
)
"""The announcement's rows, in its order."""

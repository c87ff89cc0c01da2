"""The built-in model: its files, and that it makes real retrieval better."""

import json
import math
from pathlib import Path

import bm25s
import ir_measures
import jina_rerank_nano
import Stemmer
from ir_measures import nDCG
from safetensors import safe_open

from jina_rerank import Reranker
from jina_rerank.models import find

PACKAGE = Path(jina_rerank_nano.__file__).parent
CANDIDATES = 50


def read(path: Path) -> dict[str, str]:
    rows = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return {row["_id"]: f"{row.get('title', '')} {row['text']}".strip() for row in rows}


def bm25(corpus: dict[str, str], queries: dict[str, str]) -> dict[str, list[str]]:
    """Return the ids of the best candidates of each query."""
    stemmer = Stemmer.Stemmer("english")
    retriever = bm25s.BM25()
    texts = bm25s.tokenize(
        list(corpus.values()), stopwords="en", stemmer=stemmer, show_progress=False
    )
    retriever.index(texts, show_progress=False)
    words = bm25s.tokenize(
        list(queries.values()), stopwords="en", stemmer=stemmer, show_progress=False
    )
    found, _ = retriever.retrieve(words, corpus=list(corpus), k=CANDIDATES, show_progress=False)
    return {query: list(ids) for query, ids in zip(queries, found, strict=True)}


def ndcg(qrels: list[ir_measures.Qrel], order: dict[str, list[str]]) -> float:
    run = [
        ir_measures.ScoredDoc(query, document, -float(rank))
        for query, documents in order.items()
        for rank, document in enumerate(documents)
    ]
    return float(ir_measures.calc_aggregate([nDCG @ 10], qrels, run)[nDCG @ 10])


def test_reranking_beats_bm25_on_real_questions(fixtures: Path) -> None:
    folder = fixtures / "nq-mini"
    corpus, queries = read(folder / "corpus.jsonl"), read(folder / "queries.jsonl")
    lines = (folder / "qrels.tsv").read_text(encoding="utf-8").splitlines()[1:]
    qrels = [
        ir_measures.Qrel(query, document, int(grade))
        for query, document, grade in (line.split("\t") for line in lines)
    ]
    candidates = bm25(corpus, queries)
    requests = [(queries[query], [corpus[i] for i in ids]) for query, ids in candidates.items()]
    rankings = Reranker("nano").rank_many(requests)
    reranked = {
        query: [ids[item.index] for item in ranking]
        for (query, ids), ranking in zip(candidates.items(), rankings, strict=True)
    }
    assert ndcg(qrels, reranked) > ndcg(qrels, candidates)


def test_order_survives_bfloat16(fixtures: Path) -> None:
    folder = fixtures / "nq-mini"
    texts = list(read(folder / "corpus.jsonl").values())[:60]
    query = next(iter(read(folder / "queries.jsonl").values()))
    exact = Reranker("nano", dtype="float32").score(query, texts)
    rounded = Reranker("nano", dtype="bfloat16").score(query, texts)
    logits = [[math.log(score / (1 - score)) for score in scores] for scores in (exact, rounded)]
    assert max(abs(a - b) for a, b in zip(*logits, strict=True)) < 0.1
    pairs = [(i, j) for i in range(60) for j in range(60) if logits[0][i] - logits[0][j] > 0.2]
    assert len(pairs) > 1000
    assert all(rounded[i] > rounded[j] for i, j in pairs)
    assert len(set(rounded)) == len(set(exact))  # rounding makes no ties


def test_table_row_describes_the_packaged_files() -> None:
    info = find("nano")
    assert info is not None
    with safe_open(PACKAGE / "model.safetensors", framework="pt") as file:
        count = sum(math.prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118
    assert count == info.parameters
    config = json.loads((PACKAGE / "config.json").read_text())
    assert config["max_position_embeddings"] == info.context


def test_card_says_whose_model_it_is() -> None:
    card = (PACKAGE / "README.md").read_text(encoding="utf-8")
    assert "not a Jina AI release" in card

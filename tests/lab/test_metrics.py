import os
from pathlib import Path

import numpy as np
import pytest
import pytrec_eval
from hypothesis import given
from hypothesis import strategies as st
from jina_rerank_lab.collections import read
from jina_rerank_lab.evaluation import metrics
from jina_rerank_lab.evaluation.first_stage import FirstStage
from jina_rerank_lab.evaluation.metrics import DEFAULT, measure, parse

OURS = ("nDCG@10", "MRR", "Recall@100", "Hit@10", "MAP", "P@5")
THEIRS = ("ndcg_cut_10", "recip_rank", "recall_100", "success_10", "map", "P_5")

documents = st.sampled_from("abcdefgh")
# Few different scores, so that there are ties; all are exact in single precision, as trec_eval has.
runs = st.dictionaries(
    st.sampled_from(["q1", "q2", "q3"]),
    st.dictionaries(documents, st.integers(-3, 3).map(lambda n: n / 2), min_size=1),
)
judgements = st.dictionaries(
    st.sampled_from(["q1", "q2"]),
    st.dictionaries(documents, st.integers(0, 3), min_size=1),
    min_size=1,
)


def reference(
    qrels: dict[str, dict[str, int]], run: dict[str, dict[str, float]]
) -> dict[str, dict[str, float]]:
    found = pytrec_eval.RelevanceEvaluator(qrels, set(THEIRS)).evaluate(run)
    return {
        ours: {query: found.get(query, {}).get(theirs, 0.0) for query in qrels}
        for ours, theirs in zip(OURS, THEIRS, strict=True)
    }


@given(judgements, runs)
def test_values_are_those_of_pytrec_eval(
    qrels: dict[str, dict[str, int]], run: dict[str, dict[str, float]]
) -> None:
    ours = measure(parse(OURS), qrels, run)
    for name, values in reference(qrels, run).items():
        assert ours[name] == pytest.approx(values, abs=1e-6), name


def test_values_of_a_known_run_are_those_of_pytrec_eval(fixtures: Path) -> None:
    collection = read(fixtures / "nq-mini")
    run = FirstStage("bm25").candidates(collection, 100)
    qrels = {query: dict(judged) for query, judged in collection.qrels.items()}
    ours = measure(parse(OURS), qrels, run)
    for name, values in reference(qrels, run).items():
        assert ours[name] == pytest.approx(values, abs=1e-6), name
    assert np.mean(list(ours["nDCG@10"].values())) > 0.8


def test_reciprocal_rank_breaks_ties_as_the_others_do() -> None:
    values = measure(parse(["MRR@10", "MRR"]), {"q": {"a": 1}}, {"q": {"a": 1.0, "b": 1.0}})
    assert values == {"MRR@10": {"q": 0.5}, "MRR": {"q": 0.5}}


def test_query_without_results_counts_0() -> None:
    values = measure(parse(DEFAULT), {"q": {"a": 1}, "r": {"a": 1}}, {"q": {"a": 1.0}, "r": {}})
    assert values["nDCG@10"] == {"q": 1.0, "r": 0.0}


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("nDCG@10", "nDCG@10"),
        ("mrr@5", "RR@5"),
        ("Recall@100", "R@100"),
        ("hit_rate@3", "Success@3"),
        ("Success@3", "Success@3"),
        ("P(rel=2)@5", "P(rel=2)@5"),
    ],
)
def test_names_of_people_are_understood(name: str, known: str) -> None:
    assert [str(found) for found in parse([name]).values()] == [known]


@pytest.mark.parametrize(
    "name", ["", "quality", "SDCG(max_rel=3)@10", "nDCG@", "nDCG@x", "nDCG(dcg='none')@10", "a b"]
)
def test_unknown_metric_is_named(name: str) -> None:
    with pytest.raises(ValueError, match="there is no metric") as caught:
        parse([name])
    assert repr(name) in str(caught.value)


BASELINES = {
    "scifact": 67.62,
    "nq-dev": 85.17,
    "trec-dl19-sub": 72.9,
    "cranfield": 34.33,
    "cisi": 37.1,
    "liveqa-med": 41.9,
    "covidqa-passages": 63.6,
    "techqa-130": 59.6,
    "nfcorpus-pp": 32.72,
    "covidqa-long": 70.1,
    "qmsum-long": 42.1,
    "pg-essays-rag": 63.1,
    "llamaindex-blockchain-solana": 82.7,
    "birco-arguana": 40.9,
    "wikiqa-test": 61.7,
}
"""nDCG@10 of BM25 with pytrec_eval, over whole collections, measured by who made them."""

DATA = os.environ.get("JINA_RERANK_DATA", "")


@pytest.mark.slow
@pytest.mark.skipif(not DATA, reason="JINA_RERANK_DATA does not name the folder of collections")
@pytest.mark.parametrize("name", BASELINES)
def test_bm25_reaches_the_known_baseline(name: str) -> None:
    collection = read(Path(DATA) / name)
    run = FirstStage("bm25").candidates(collection, 100)
    (values,) = measure(parse(["nDCG@10"]), collection.qrels, run).values()
    assert 100 * np.mean(list(values.values())) == pytest.approx(BASELINES[name], abs=0.5)


def test_first_metric_is_the_one_that_decides() -> None:
    assert metrics.DEFAULT[0] == "nDCG@10"

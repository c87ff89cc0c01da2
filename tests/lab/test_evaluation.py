import shutil
from pathlib import Path
from typing import Any

import pytest
from jina_rerank_lab import rerankers, results, runs
from jina_rerank_lab.collections import Passage, read
from jina_rerank_lab.embedders import find
from jina_rerank_lab.evaluation import page, tables
from jina_rerank_lab.evaluation.first_stage import FirstStage
from jina_rerank_lab.evaluation.measure import measure, sample, slug
from jina_rerank_lab.evaluation.metrics import parse

from jina_rerank.lines import InputError
from jina_rerank.testing.server import FakeServer
from jina_rerank.wire.values import Answer

from .conftest import CORPUS, Make, Rows, Run

NDCG = parse(["nDCG@10"])
MANY: Rows = [{"_id": f"q{i}", "text": "Which planet is red?"} for i in range(150)]
ALL = [f"q{i}\tmars\t1" for i in range(150)]


# The first stage


def test_candidates_of_bm25_are_the_best_that_share_a_word(make: Make) -> None:
    found = FirstStage("bm25").candidates(read(make()), 2)
    assert {query: runs.ranked(scores) for query, scores in found.items()} == {
        "q1": ["mars", "rust"],
        "q2": ["bread"],
    }


def test_document_with_the_id_of_the_query_is_no_candidate(make: Make) -> None:
    folder = make(queries=[{"_id": "mars", "text": "red planet"}], qrels=["mars\trust\t1"])
    found = FirstStage("bm25").candidates(read(folder), 1)
    assert list(found["mars"]) == ["rust"]


def test_candidates_of_an_embedding_model_are_the_nearest(make: Make, encoder: Path) -> None:
    collection = read(make())
    found = FirstStage(str(encoder)).candidates(collection, 3)
    model = find(str(encoder))
    products = (
        model.encode([p.full for p in collection.corpus.values()])
        @ model.encode([collection.queries["q1"]], query=True).T
    )
    expected = sorted(zip(products[:, 0].tolist(), collection.corpus, strict=True), reverse=True)
    assert runs.ranked(found["q1"]) == [name for _, name in expected[:3]]


def test_embedding_model_is_loaded_once_for_all_collections(
    make: Make, encoder: Path, tmp_path: Path
) -> None:
    model = shutil.copytree(encoder, tmp_path / "model")
    first = FirstStage(str(model))
    found = first.candidates(read(make()), 3)
    shutil.rmtree(model)
    assert first.candidates(read(make("other")), 3) == found


def test_candidates_of_a_run_are_cut(make: Make, tmp_path: Path) -> None:
    runs.write(
        tmp_path / "planets.trec", {"q1": {"sea": 1.0, "mars": 2.0}, "q3": {"sea": 1.0}}, tag="x"
    )
    found = FirstStage(f"{tmp_path}/{{collection}}.trec").candidates(read(make()), 1)
    assert found == {"q1": {"mars": 2.0}, "q2": {}}


def test_run_of_another_corpus_is_named(make: Make, tmp_path: Path) -> None:
    path = tmp_path / "other.run"
    path.write_text("q1 Q0 mars 1 1.0 x\nq1 Q0 venus 2 0.5 x\n")
    with pytest.raises(InputError) as caught:
        FirstStage(str(path)).candidates(read(make()), 1)
    expected = "names document 'venus', which is not in the corpus of planets"
    assert str(caught.value) == f"{path}:2: {expected}"


def test_run_of_other_queries_is_named(make: Make, tmp_path: Path) -> None:
    path = tmp_path / "other.run"
    path.write_text("x1 Q0 mars 1 1.0 x\n")
    with pytest.raises(InputError, match="has none of the queries of planets"):
        FirstStage(str(path)).candidates(read(make()), 1)


def test_run_that_is_missing_is_named(make: Make) -> None:
    with pytest.raises(InputError, match=r"there is no file 'none\.run'"):
        FirstStage("none.run").candidates(read(make()), 1)


# Samples


@pytest.mark.parametrize(
    ("words", "options", "queries", "depth"),
    [
        (10, {}, 100, 100),
        (3000, {}, 20, 20),
        (3000, {"queries": 30, "depth": 7}, 30, 7),
        (3000, {"full": True}, 150, 100),
        (10, {"full": True, "depth": 5}, 150, 5),
    ],
)
def test_long_documents_are_asked_less(
    make: Make, words: int, options: dict[str, Any], queries: int, depth: int
) -> None:
    corpus = [{**row, "text": "word " * words} for row in CORPUS]
    collection = read(make(corpus=corpus, queries=MANY, qrels=ALL))
    chosen = sample(collection, **{"queries": None, "depth": None, **options})
    assert (len(chosen.collection.queries), chosen.queries, chosen.depth) == (queries, 150, depth)


# Measuring


def test_reranker_orders_the_candidates_and_no_others(make: Make, mini: Path) -> None:
    collection = read(make())
    chosen = sample(collection, queries=None, depth=None)
    found = {"q1": {"sea": 2.0, "mars": 1.0}, "q2": {}}
    done = measure(chosen, ("first", found), {"mini": rerankers.find(str(mini))}, NDCG)
    assert list(done.runs["mini"]["q1"]) == ["sea", "mars"]
    assert done.runs["mini"]["q2"] == {}
    assert done.missing == 1
    assert done.values["first"]["nDCG@10"]["q2"] == 0.0


def test_blank_document_comes_last(make: Make, encoder: Path) -> None:
    collection = read(make(corpus=[*CORPUS, {"_id": "void", "text": " "}]))
    found = {"q1": {"void": 9.0, "sea": 1.0, "mars": 0.5}}
    chosen = sample(collection, queries=None, depth=None)
    cosine = rerankers.find(f"bi:{encoder}")
    done = measure(chosen, ("first", found), {"cosine": cosine}, NDCG)
    assert runs.ranked(done.runs["cosine"]["q1"])[-1] == "void"
    assert collection.corpus["void"] == Passage("", " ")


@pytest.mark.parametrize(("name", "expected"), [("a b/c:d", "a-b-c-d"), ("...", "system")])
def test_slug_is_the_name_of_a_file(name: str, expected: str) -> None:
    assert slug(name) == expected


# The command


def test_command_prints_a_table_of_systems(run: Run, make: Make, mini: Path) -> None:
    done = run("evaluate", "--data", make(), "--reranker", mini)
    assert done.code == 0
    first, row, *_ = done.out.splitlines()
    assert first == f"collection\tqueries\tbm25\t{mini}"
    assert row.startswith("planets\t2\t100.0\t")


def test_several_collections_have_a_mean(run: Run, make: Make) -> None:
    make("other", qrels=["q1\tsea\t1"])
    done = run("evaluate", "--data", make(), "other", "--reranker", "none", "--metric", "Hit@1")
    rows = [line.split("\t") for line in done.out.splitlines()]
    assert rows[1:4] == [["planets", "2", "100.0"], ["other", "1", "0.0"], ["mean", "", "50.0"]]


def test_folder_gets_results_runs_and_values_of_queries(run: Run, make: Make, mini: Path) -> None:
    done = run("evaluate", "--data", make(), "--reranker", mini, "--out", "out", "--fuse")
    assert done.code == 0
    result = results.read(Path("out/evaluation.json"), "evaluation")
    assert result["systems"] == ["bm25", str(mini), f"{mini} + bm25"]
    assert result["collections"] == [
        {
            "name": "planets",
            "documents": 4,
            "words": 6,
            "queries": 2,
            "queries_in_all": 2,
            "candidates": 100,
            "missing": 0,
        }
    ]
    row = next(r for r in result["rows"] if r["system"] == str(mini))
    assert set(row["against"]["bm25"]) == {"value", "low", "high", "p"}
    assert len(result["fusion"][0]["mean"]) == len(result["fusion"][0]["weights"])
    values = Path("out/queries/planets.tsv").read_text().splitlines()
    assert values[0] == "query\tsystem\tnDCG@10\tMRR@10\tRecall@100\tHit@10"
    assert len(values) == 1 + 3 * 2
    written = runs.read(Path(f"out/runs/planets/{slug(str(mini))}.trec"))
    assert set(written) == {"q1", "q2"}


def test_run_that_was_written_is_a_first_stage(run: Run, make: Make) -> None:
    folder = make()
    run("evaluate", "--data", folder, "--reranker", "none", "--out", "out")
    done = run(
        "evaluate", "--data", folder, "--reranker", "none",
        "--retriever", "out/runs/{collection}/bm25.trec",
    )  # fmt: skip
    assert done.out.splitlines()[:2] == ["collection\tqueries\tbm25.trec", "planets\t2\t100.0"]


def test_difference_that_counts_is_marked() -> None:
    made = {
        "made": {},
        "metrics": ["nDCG@10"],
        "baselines": ["a"],
        "systems": ["a", "b"],
        "collections": [{"name": "c", "queries": 5, "queries_in_all": 1500}],
        "rows": [
            {"collection": "c", "system": "a", "metric": "nDCG@10", "value": 0.5, "against": {}},
            {
                "collection": "c",
                "system": "b",
                "metric": "nDCG@10",
                "value": 0.75,
                "against": {"a": {"p": 0.01}},
            },
        ],
    }
    assert tables.quality(made, "nDCG@10")[1] == [["c", "5 of 1,500", "50.0", "75.0*"]]


def test_queries_without_candidates_are_told(run: Run, make: Make) -> None:
    folder = make(queries=[{"_id": "q1", "text": "zebra"}], qrels=["q1\tmars\t1"])
    done = run("evaluate", "--data", folder, "--reranker", "none")
    assert done.err == (
        "jina-rerank-lab: planets: bm25 found nothing for 1 of 1 queries; they count 0\n"
    )


def test_second_run_asks_nothing_again(run: Run, make: Make) -> None:
    folder = make()
    with FakeServer("jina") as server:
        asked = ["evaluate", "--data", folder, "--reranker", "api:m", "--base-url", server.url]
        first = run(*asked)
        count = len(server.requests)
        second = run(*asked)
        assert (first.code, second.out) == (0, first.out)
        assert len(server.requests) == count == 2


def test_failure_half_way_goes_on_where_it_was(run: Run, make: Make) -> None:
    folder = make()
    with FakeServer("jina", faults=[None, Answer(422, b'{"detail": "no"}')]) as server:
        asked = ["evaluate", "--data", folder, "--reranker", "api:m", "--base-url", server.url]
        failed = run(*asked, "--out", "out")
        assert failed.code == 3
        assert "what was computed is kept: run the same command again" in failed.err
        assert not Path("out").exists()
        assert run(*asked, "--out", "out").code == 0
        assert len(server.requests) == 3


def test_interruption_says_that_the_command_goes_on(
    run: Run, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("jina_rerank_lab.evaluation.measure.measure", interrupt)
    done = run("evaluate", "--data", make(), "--reranker", "none")
    assert (done.code, "run the same command again to go on" in done.err) == (130, True)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--full", "--sample", "5"], "--full asks every query, --sample some"),
        (["--baseline", "tiny"], "--baseline tiny is not measured: add --reranker tiny"),
        (["--metric", "quality"], "--metric: there is no metric 'quality'"),
        (["--overlength", "fold"], "--reranker nano: overlength must be"),
        (["--top-k", "0"], "--top-k"),
    ],
)
def test_wrong_usage_is_named_before_any_work(
    run: Run, make: Make, options: list[str], said: str
) -> None:
    done = run("evaluate", "--data", make(), *options)
    assert done.code == 2
    assert said in done.err


def test_same_name_twice_is_refused(run: Run, make: Make) -> None:
    done = run("evaluate", "--data", make(), make("deeper/planets"), "--reranker", "none")
    assert done.code == 2
    assert "two folders named 'planets'" in done.err


def test_bad_collection_is_code_1_and_changes_nothing(run: Run, make: Make) -> None:
    folder = make()
    run("evaluate", "--data", folder, "--reranker", "none", "--out", "out")
    before = Path("out/evaluation.json").read_text()
    done = run("evaluate", "--data", folder, make("bad", corpus="{"), "--out", "out")
    assert done.code == 1
    assert "bad/corpus.jsonl:1: broken JSON" in done.err
    assert Path("out/evaluation.json").read_text() == before


def test_bad_run_of_the_last_collection_is_known_before_any_scoring(run: Run, make: Make) -> None:
    make("other")
    runs.write(Path("planets.trec"), {"q1": {"mars": 1.0}}, tag="x")
    runs.write(Path("other.trec"), {"q1": {"venus": 1.0}}, tag="x")
    with FakeServer("jina") as server:
        done = run(
            "evaluate", "--data", make(), "other", "--reranker", "api:m",
            "--base-url", server.url, "--retriever", "{collection}.trec",
        )  # fmt: skip
        assert server.requests == []
    assert (done.code, "other.trec:1: names document 'venus'" in done.err) == (1, True)


def test_model_that_is_missing_is_code_3(run: Run, make: Make) -> None:
    done = run("evaluate", "--data", make(), "--reranker", "./none")
    assert (done.code, "there is no directory" in done.err) == (3, True)


# The page


def test_page_gets_the_tables_between_its_lines(run: Run, make: Make, mini: Path) -> None:
    path = Path("page.md")
    told = f"Between `{page.BEGIN}` and `{page.END}` are tables.\n\n"
    path.write_text(f"{told}{page.BEGIN}\nold\n{page.END}\n\nThe end.\n")
    make("other", qrels=["q1\tsea\t1"])
    asked = ["evaluate", "--data", make(), "other", "--fuse", "--page", path]
    assert run(*asked, "--reranker", "bi:" + str(mini), "--baseline", "none").code == 0
    text = path.read_text()
    assert text.startswith(f"{told}{page.BEGIN}\n\nMeasured on 2")
    assert text.endswith(f"{page.END}\n\nThe end.\n")
    assert "old" not in text
    assert "| collection | queries | bm25 |" in text
    assert "best at" in text


def test_page_of_one_collection_has_no_mean_and_no_blends(run: Run, make: Make) -> None:
    path = Path("page.md")
    path.write_text(f"{page.BEGIN}\n{page.END}")
    assert run("evaluate", "--data", make(), "--reranker", "none", "--page", path).code == 0
    text = path.read_text()
    assert "| planets | 2 | 100.0 |" in text
    assert "The collection, all metrics" in text
    assert "mean" not in text
    assert "blends" not in text


def test_page_without_its_lines_is_refused_before_any_work(run: Run, make: Make) -> None:
    Path("page.md").write_text("# Title\n")
    done = run("evaluate", "--data", make(), "--page", "page.md", "--reranker", "./none")
    assert (done.code, "has no lines '<!-- measured -->'" in done.err) == (1, True)


def test_page_that_is_missing_is_named(run: Run, make: Make) -> None:
    done = run("evaluate", "--data", make(), "--page", "none.md")
    assert (done.code, "cannot be read as a page" in done.err) == (1, True)


def test_page_says_which_collections_have_other_depths() -> None:
    made = {
        "machine": {"cpu": "Fast  CPU", "cores": 2, "memory": 1 << 33, "gpu": "GPU"},
        "date": "2024-04-18T00:00",
        "versions": {"jina-rerank": "1", "torch": "2"},
    }
    facts = [{"name": n, "candidates": d} for n, d in (("a", 100), ("b", 100), ("c", 20))]
    text = page._depths({"collections": facts, "retriever": "bm25"})
    assert text == "Each query has the 100 best candidates of bm25; 20 on c."
    assert page.where(made) == (
        "Measured on 2024-04-18: Fast CPU, 2 cores, 8 GiB, GPU; jina-rerank 1, torch 2."
    )

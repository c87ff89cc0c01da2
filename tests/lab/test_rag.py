"""The RAG benchmark: datasets, LlamaIndex's pipeline, means, and the command."""

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jina_rerank_lab import published
from jina_rerank_lab.collections import Collection, Passage
from jina_rerank_lab.evaluation.page import BEGIN, END
from jina_rerank_lab.rag import datasets, pipeline, presets, summary, tables
from numpy.typing import NDArray

from jina_rerank import Backend, Reranker, Scores
from jina_rerank.lines import InputError

from .conftest import Make, Run

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a file of a dataset."""

    def write(value: object, name: str = "rag_dataset.json") -> Path:
        path = tmp_path / "dataset" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(value if isinstance(value, str) else json.dumps(value))
        return path

    return write


def example(query: object, *contexts: object) -> dict[str, object]:
    return {"query": query, "reference_contexts": list(contexts), "reference_answer": "no matter"}


LABELLED = {
    "examples": [
        example("Which planet is red?", "Mars is a red planet.", "Rust is red."),
        example("What is rust?", "Rust is red."),
    ]
}
EMBEDDING = {
    "queries": {"a": "Which planet is red?"},
    "corpus": {"1": "Mars is a red planet.", "2": "The sea is blue."},
    "relevant_docs": {"a": ["1"]},
}


def test_equal_contexts_of_a_labelled_dataset_are_one_passage(write: Write) -> None:
    read = datasets.read(write(LABELLED))
    assert read.name == "dataset"
    assert sorted(passage.text for passage in read.corpus.values()) == [
        "Mars is a red planet.",
        "Rust is red.",
    ]
    assert [len(found) for found in read.qrels.values()] == [2, 1]
    assert list(read.queries.values()) == ["Which planet is red?", "What is rust?"]


def test_folder_of_a_labelled_dataset_is_that_dataset(write: Write) -> None:
    path = write(LABELLED)
    assert datasets.read(path.parent) == datasets.read(path)


def test_embedding_dataset_keeps_its_ids(write: Write) -> None:
    read = datasets.read(write(EMBEDDING, "pairs.json"))
    assert read.name == "pairs"
    assert read.qrels == {"a": {"1": 1}}
    assert read.corpus["2"] == Passage("", "The sea is blue.")


def test_folder_in_beirs_layout_is_a_collection(make: Make) -> None:
    assert datasets.read(make()).queries["q1"] == "Which planet is red?"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("{", "is not valid JSON"),
        ([], "is no dataset of LlamaIndex: it needs 'examples', or 'queries'"),
        ({"queries": {}}, "is no dataset of LlamaIndex"),
        ({"examples": []}, "holds no questions"),
        ({"examples": [example(" ", "x")]}, "example 0 has no query"),
        ({"examples": ["x"]}, "example 0 has no query"),
        ({"examples": [example("q")]}, "example 0 has no reference_contexts"),
        ({"examples": [example("q", "x"), example("q", 3)]}, "example 1 has a reference context"),
        (EMBEDDING | {"corpus": []}, "corpus is not an object"),
        (EMBEDDING | {"corpus": {"1": " "}}, "corpus '1' is no text, or blank"),
        (EMBEDDING | {"relevant_docs": {"a": ["9"]}}, "relevant_docs 'a' names what is not in"),
        (EMBEDDING | {"relevant_docs": {"b": ["1"]}}, "relevant_docs 'b' names what is not in"),
    ],
)
def test_broken_dataset_is_refused_with_its_place(write: Write, value: object, said: str) -> None:
    path = write(value)
    with pytest.raises(InputError) as error:
        datasets.read(path)
    assert said in str(error.value)
    assert str(path) in str(error.value)


def test_missing_dataset_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        datasets.read(tmp_path / "none.json")


def test_preset_stands_for_the_three_models_of_the_announcement() -> None:
    assert tuple(presets.names(["announcement"])) == published.EMBEDDERS
    assert [presets.spec(name) for name in published.EMBEDDERS] == [
        "jina-embeddings-v2-base-en",
        "bge-base-en-v1.5",
        "api:embed-english-v3.0",
    ]
    assert presets.spec("all-MiniLM-L6-v2") == "all-MiniLM-L6-v2"


class Letters:
    """Embeds a text by how often it has each letter."""

    name = "letters"

    def identity(self) -> str:
        return self.name

    def encode(self, texts: Sequence[str], *, query: bool = False) -> NDArray[np.float32]:
        counted = [[text.lower().count(chr(97 + place)) for place in range(26)] for text in texts]
        vectors: NDArray[np.float32] = np.array(counted, dtype=np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors


class Longest(Backend):
    """Prefers long texts."""

    def score(self, query: str, documents: Sequence[str]) -> Scores:
        return Scores(values=[len(text) / 100 for text in documents])


COLLECTION = Collection(
    name="letters",
    corpus={
        "a": Passage("", "aaa"),
        "ab": Passage("", "aab"),
        "abb": Passage("", "abbb b b"),
        "z": Passage("", "zzzzzzzzzzz"),
    },
    queries={"q": "a"},
    qrels={"q": {"ab": 1, "a": 0}},
)


def evaluated(backend: Backend, *, top_n: int) -> dict[str, float]:
    done: list[int] = []
    found_by = pipeline.retriever(COLLECTION, Letters(), top_k=3)
    reranker = Reranker(backend=backend)
    found = pipeline.evaluate(COLLECTION, found_by, reranker, top_n=top_n, done=done.append)
    assert done == [1]
    return found["q"]


class AsFound(Longest):
    """Prefers nothing."""

    def score(self, query: str, documents: Sequence[str]) -> Scores:
        return Scores(values=[0.0] * len(documents))


def test_order_of_the_retriever_counts_without_a_reranker() -> None:
    assert evaluated(AsFound(), top_n=2) == {"hit_rate": 1.0, "mrr": 0.5}


def test_reranker_sorts_the_candidates_and_no_others() -> None:
    assert evaluated(Longest(), top_n=3)["mrr"] == pytest.approx(1 / 3)  # z is not found


def test_passage_below_the_cut_is_no_hit() -> None:
    assert evaluated(Longest(), top_n=1) == {"hit_rate": 0.0, "mrr": 0.0}


def test_reranker_without_a_query_is_refused() -> None:
    rerank = pipeline.Rerank(Reranker(backend=AsFound()), top_n=1)
    with pytest.raises(ValueError, match="a reranker needs the query"):
        rerank.postprocess_nodes([])


async def test_embedding_model_answers_llamaindex_in_all_its_ways() -> None:
    embedding = pipeline.Embedding(Letters())
    vector = embedding.get_query_embedding("ab")
    assert vector == await embedding.aget_query_embedding("ab")
    assert vector == embedding.get_text_embedding("ab")


def test_mean_over_embedders_is_that_of_each_question_first() -> None:
    both = {"one": (1.0, 0.0), "two": (0.0, 1.0)}
    measured = {
        ("c", embedder, reranker): {
            name: {"hit_rate": value, "mrr": value / (1 if reranker == "none" else 2)}
            for name, value in zip("pq", values, strict=True)
        }
        for embedder, values in both.items()
        for reranker in ("none", "nano")
    }
    rows = summary.rows(measured)
    found = {(row["embedder"], row["reranker"]): row for row in rows}
    mean = found["mean", "none"]["mrr"]
    assert (mean["value"], mean["low"], mean["high"]) == (0.5, 0.5, 0.5)
    assert found["one", "none"]["mrr"]["low"] == 0
    assert found["mean", "nano"]["mrr"]["against_none"]["value"] == -0.25
    assert "against_none" not in found["mean", "none"]["mrr"]


def test_mean_of_collections_counts_each_the_same() -> None:
    measured = {
        (name, "e", "none"): {str(at): {"hit_rate": value, "mrr": value} for at in range(size)}
        for name, size, value in (("large", 9, 1.0), ("small", 1, 0.0))
    }
    rows = summary.rows(measured)
    assert [row["hit_rate"]["value"] for row in rows] == [1.0, 0.0, 0.5]
    assert rows[-1]["collection"] == "mean"


def test_announcements_table_has_the_means_alone() -> None:
    number = {"value": 0.5, "low": 0.25, "high": 0.75}
    rows = [
        {"collection": "c", "embedder": embedder, "reranker": "none"}
        | {"hit_rate": number, "mrr": number | {"value": value}}
        for embedder, value in (("one", 0.4), ("two", 0.6), ("mean", 0.5))
    ]
    found = {"collections": [{"name": "c"}], "embedders": ["one", "two"], "rows": rows}
    _, shown = tables.means(found)
    assert shown == [["none", "0.5000", "0.5000", "0.2500 to 0.7500", ""]]


def test_command_without_a_file_prints_alone(run: Run, make: Make, tmp_path: Path) -> None:
    outcome = run("rag", "--data", str(make()), "--reranker", "none")
    assert outcome.code == 0
    assert "none\t1.0000" in outcome.out
    assert [path.name for path in tmp_path.glob("*.json")] == []


def test_command_measures_pairs_and_writes_them(run: Run, make: Make, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"# Here\n{BEGIN}\nold\n{END}\n")
    outcome = run(
        *("rag", "--data", str(make()), "--reranker", "nano", "--reranker", "none"),
        *("--top-k", "4", "--top-n", "1", "--out", "rag.json", "--page", str(page)),
        *("--cache", "scores.sqlite", "--dtype", "float32"),
    )
    assert outcome.code == 0
    found = json.loads((tmp_path / "rag.json").read_text())
    assert (found["kind"], found["rerankers"]) == ("rag", ["none", "nano"])
    assert found["collections"] == [
        {"name": "planets", "documents": 4, "queries": 2, "queries_in_all": 2}
    ]
    nano = {row["reranker"]: row for row in found["rows"]}["nano"]
    assert nano["hit_rate"]["value"] == 1.0
    assert {name: values["mrr"] for name, values in found["queries"][1]["values"].items()} == {
        "q1": 1.0,
        "q2": 1.0,
    }
    assert "planets\tall-MiniLM-L6-v2\tnano\t1.0000\t1.0000" in outcome.out
    assert "| planets | all-MiniLM-L6-v2 | nano | 1.0000 | 1.0000 |" in page.read_text()
    assert "old" not in page.read_text()


def test_model_that_cannot_be_had_is_left_out_and_said(
    run: Run, make: Make, tmp_path: Path
) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"{BEGIN}\n{END}\n")
    outcome = run(
        *("rag", "--data", str(make()), "--sample", "1", "--reranker", "./nowhere"),
        *("--embedder", "Cohere-embed-english-v3.0", "--embedder", "all-MiniLM-L6-v2"),
        *("--out", "rag.json", "--page", str(page)),
    )
    assert outcome.code == 3
    assert "embedder Cohere-embed-english-v3.0 is left out: Cohere's API needs a key" in outcome.err
    found = json.loads((tmp_path / "rag.json").read_text())
    assert [one["name"] for one in found["unavailable"]] == [
        "Cohere-embed-english-v3.0",
        "./nowhere",
    ]
    assert found["rerankers"] == ["none"]
    assert found["collections"][0]["queries"] == 1
    assert "- embedder Cohere-embed-english-v3.0: Cohere's API needs a key" in page.read_text()


def test_without_any_embedding_model_nothing_is_measured(run: Run, make: Make) -> None:
    outcome = run("rag", "--data", str(make()), "--embedder", "Cohere-embed-english-v3.0")
    assert outcome.code == 3
    assert "no embedding model left" in outcome.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--top-k", "3", "--top-n", "4"), "--top-n 4 is more than the --top-k 3 candidates"),
        (("--dtype", "float12"), "--reranker nano: dtype must be one of"),
    ],
)
def test_contradiction_is_refused(run: Run, make: Make, options: list[str], said: str) -> None:
    outcome = run("rag", "--data", str(make()), *options)
    assert outcome.code == 2
    assert said in outcome.err


def test_two_datasets_of_one_name_are_refused(run: Run, make: Make) -> None:
    outcome = run("rag", "--data", str(make()), "--data", str(make()))
    assert outcome.code == 2
    assert "two datasets of one name" in outcome.err


@pytest.mark.parametrize(
    ("hidden", "said"),
    [("llama_index", "pip install 'jina-rerank-lab[rag]'"), ("numpy", None)],
)
def test_missing_llamaindex_is_said_with_what_installs_it(
    run: Run, make: Make, monkeypatch: pytest.MonkeyPatch, hidden: str, said: str | None
) -> None:
    class Hide:
        @staticmethod
        def find_spec(name: str, *_: Any) -> None:
            if name == "jina_rerank_lab.rag.pipeline":
                raise ModuleNotFoundError(name=f"{hidden}.core")

    monkeypatch.delitem(sys.modules, "jina_rerank_lab.rag.pipeline")
    monkeypatch.setattr(sys, "meta_path", [Hide, *sys.meta_path])
    if said is None:
        with pytest.raises(ModuleNotFoundError):
            run("rag", "--data", str(make()))
        return
    outcome = run("rag", "--data", str(make()))
    assert outcome.code == 3
    assert said in outcome.err

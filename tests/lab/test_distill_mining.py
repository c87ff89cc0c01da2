"""Negatives, teachers' scores, what is kept of both, and how lists are drawn of them."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from jina_rerank_lab.distillation import features, mining, teachers
from jina_rerank_lab.distillation.blocks import Blocks
from jina_rerank_lab.distillation.mining import NONE, Lists
from jina_rerank_lab.distillation.pairs import Example, Pool, pool
from jina_rerank_lab.distillation.recipe import MiningPart, TeacherPart
from jina_rerank_lab.distillation.sampling import Sampler, Source
from jina_rerank_lab.distillation.vectors import Models
from safetensors.torch import load_file, save_file

from jina_rerank import Reranker
from jina_rerank.errors import JinaRerankError
from jina_rerank.testing import FakeBackend

from .distilling import pairs, write_encoder

CPU = torch.device("cpu")


@pytest.fixture
def own() -> Pool:
    return pool("pairs", [Example(row["query"], row["positive"]) for row in pairs(40)], None)


@pytest.fixture
def blocks(tmp_path: Path) -> Blocks:
    return Blocks(tmp_path / "cache")


@pytest.fixture
def bert(tmp_path: Path) -> str:
    return str(write_encoder(tmp_path / "bert"))


def mine(own: Pool, blocks: Blocks, part: MiningPart) -> Lists:
    return mining.mine(own, part, 1, Models(blocks, CPU).find(part.embedder), blocks)


def test_candidates_are_the_positive_then_found_then_random_ones(
    own: Pool, blocks: Blocks, bert: str
) -> None:
    lists = mine(own, blocks, MiningPart(bm25=2, dense=3, random=4, embedder=bert))
    assert lists.places.shape == (40, 10)
    assert lists.hard == 6
    for row, places in enumerate(lists.places):
        there = [place for place in places if place != NONE]
        assert there[0] == own.positives[row]
        assert len(set(there)) == len(there)
        assert lists.texts(row)[0] == own.passages[own.positives[row]]


def test_bm25_finds_passages_that_share_a_word(own: Pool, blocks: Blocks) -> None:
    lists = mine(own, blocks, MiningPart(bm25=2, dense=0, random=1, last=3))
    shared = [
        own.queries[row] in own.passages[place]
        for row in range(40)
        for place in lists.places[row, 1:3]
    ]
    assert np.mean(shared) > 0.9


def test_first_ranks_can_be_left_out(own: Pool, blocks: Blocks) -> None:
    top = mine(own, blocks, MiningPart(bm25=1, dense=0, random=1, last=1))
    next_ones = mine(own, blocks, MiningPart(bm25=1, dense=0, random=1, first=1, last=2))
    assert not (top.places[:, 1] == next_ones.places[:, 1]).any()


def test_parts_of_the_same_whole_are_no_negatives(blocks: Blocks) -> None:
    whole = "mars is red. " * 4 + "the sea is deep. " * 4
    own = pool(
        "a", [Example("mars red", whole), Example("sea deep", whole), Example("moon", "moon")], 6
    )
    lists = mine(own, blocks, MiningPart(bm25=3, dense=0, random=3))
    assert set(lists.places[0, 1:]) == {own.positives[2], NONE}


def test_what_came_with_a_query_is_among_its_candidates(blocks: Blocks) -> None:
    own = pool("a", [Example("q", "yes", ("no", "nor")), Example("r", None, ("some",))], None)
    lists = mine(own, blocks, MiningPart(bm25=0, dense=0, random=1))
    assert lists.texts(0)[:3] == ["yes", "no", "nor"]
    assert lists.places[1].tolist()[0] == NONE
    assert lists.texts(1)[0] == "some"
    assert lists.hard == 3


def test_what_scores_like_the_positive_is_left_out(own: Pool, blocks: Blocks, bert: str) -> None:
    strict = MiningPart(bm25=0, dense=4, random=4, embedder=bert, false_negatives=0.99)
    lists = mine(own, blocks, strict)
    vectors = Models(blocks, CPU).find(bert)
    cosines = vectors.of(own.queries, query=True) @ vectors.of(own.passages).T
    for row, places in enumerate(lists.places):
        others = [place for place in places[1:] if place != NONE]
        assert (cosines[row, others] < 0.99 * cosines[row, places[0]]).all()


TEACHERS = ["bm25", "bi:{}", "maxsim:{}"]


@pytest.mark.parametrize("spec", TEACHERS)
def test_a_teacher_scores_every_candidate(own: Pool, blocks: Blocks, bert: str, spec: str) -> None:
    lists = mine(own, blocks, MiningPart(bm25=3, dense=0, random=60))
    part = TeacherPart(spec=spec.format(bert), scale=1.0)
    scores = teachers.scores(lists, [part], Models(blocks, CPU), blocks)
    assert (np.isnan(scores) == (lists.places == NONE)).all()
    assert (lists.places == NONE).any()


def test_late_interaction_is_the_best_cosine_of_each_token(
    own: Pool, blocks: Blocks, bert: str
) -> None:
    lists = mine(own, blocks, MiningPart(bm25=0, dense=0, random=1))
    part = TeacherPart(spec=f"maxsim:{bert}", scale=1.0)
    scores = teachers.scores(lists, [part], Models(blocks, CPU), blocks)
    vectors = Models(blocks, CPU).find(bert)
    _, (query, passage) = vectors.tokens([own.queries[3], lists.texts(3)[1]])
    expected = (query[1:-1].float() @ passage[1:-1].float().T).amax()
    assert scores[3, 1] == pytest.approx(expected.item(), abs=0.02)


def test_many_queries_are_scored_block_by_block(blocks: Blocks, bert: str) -> None:
    found = [Example(row["query"], row["positive"]) for row in pairs(300)]
    lists = mine(pool("pairs", found, None), blocks, MiningPart(bm25=0, dense=0, random=1))
    parts = [TeacherPart(spec="bm25", scale=1), TeacherPart(spec=f"maxsim:{bert}", scale=1)]
    assert teachers.scores(lists, parts, Models(blocks, CPU), blocks).shape == (300, 2)


def test_scores_of_a_service_stay_as_they_are(own: Pool, blocks: Blocks) -> None:
    lists = mine(own, blocks, MiningPart(bm25=0, dense=0, random=1))
    teacher = teachers._Reranker(lists, Reranker(backend=FakeBackend()), sigmoid=False)
    (expected, _) = Reranker(backend=FakeBackend()).score(own.queries[0], lists.texts(0))
    assert teacher.rows(0, 1)[0, 0] == pytest.approx(expected)


def test_a_query_without_tokens_gets_nothing_by_late_interaction(blocks: Blocks, bert: str) -> None:
    own = pool("a", [Example("\u0007", "mars"), Example("sea", "sea")], None)
    lists = mine(own, blocks, MiningPart(bm25=0, dense=0, random=2))
    scores = teachers.scores(
        lists, [TeacherPart(spec=f"maxsim:{bert}", scale=1)], Models(blocks, CPU), blocks
    )
    assert scores[0, 0] == 0


def test_a_reranker_gives_logits(own: Pool, blocks: Blocks, mini: Path) -> None:
    lists = mine(own, blocks, MiningPart(bm25=1, dense=0, random=1))
    scores = teachers.scores(
        lists, [TeacherPart(spec=str(mini), scale=1)], Models(blocks, CPU), blocks
    )
    with Reranker(str(mini)) as reranker:
        (expected,) = reranker.score(own.queries[0], lists.texts(0)[:1])
    assert 1 / (1 + np.exp(-scores[0, 0])) == pytest.approx(expected, abs=1e-3)


def test_teachers_are_added_up_at_their_weights(own: Pool, blocks: Blocks) -> None:
    lists = mine(own, blocks, MiningPart(bm25=0, dense=0, random=3))
    models = Models(blocks, CPU)
    plain = teachers.scores(lists, [TeacherPart(spec="bm25", scale=1)], models, blocks)
    parts = [
        TeacherPart(spec="bm25", scale=2, shift=1, weight=0.5),
        TeacherPart(spec="bm25", weight=2),
    ]
    both = teachers.scores(lists, parts, models, blocks)
    mean, deviation = np.nanmean(plain, 1, keepdims=True), np.nanstd(plain, 1, keepdims=True)
    expected = plain - 1 + 2 * (plain - mean) / np.maximum(deviation, 1e-6)
    np.testing.assert_allclose(both, expected, rtol=1e-4, atol=1e-4)


def test_what_a_failing_teacher_did_is_kept(tmp_path: Path) -> None:
    blocks, done = Blocks(tmp_path), list[int]()

    def compute(start: int, stop: int) -> np.ndarray:
        if start == 4 and len(done) == 2:
            msg = "the teacher is gone"
            raise JinaRerankError(msg)
        done.append(start)
        return np.arange(start, stop, dtype=np.float32)

    with pytest.raises(JinaRerankError, match="the teacher is gone"):
        blocks.rows("scores", ["key"], 6, compute, size=2)
    done.append(-1)
    found = blocks.rows("scores", ["key"], 6, compute, size=2)
    assert (found.tolist(), done) == ([0, 1, 2, 3, 4, 5], [0, 2, -1, 4])


def test_a_block_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(
        JinaRerankError, match=r"cannot be written: .*what was computed before is kept"
    ):
        Blocks(tmp_path / "file").rows("x", [], 1, lambda start, stop: np.zeros(1, np.float32))


def source(own: Pool, weight: float = 1.0) -> Source:
    places = np.arange(len(own.queries) * 5, dtype=np.int32).reshape(-1, 5) % len(own.passages)
    places[:, 0] = own.positives
    lists = Lists(pool=own, places=places, hard=3)
    return Source(lists, places.astype(np.float32), np.arange(len(own.queries)), weight)


def test_every_query_comes_once_in_an_epoch(own: Pool) -> None:
    sampler = Sampler([source(own)], 1)
    texts = [tuple(sampler.draw(i, 3, 1).passages[:1]) for i in range(sampler.size)]
    assert sorted(texts) == sorted((own.passages[place],) for place in own.positives)


def test_weights_say_how_often_a_file_comes(own: Pool) -> None:
    assert Sampler([source(own, 2), source(own, 0.5), source(own, 0)], 1).size == 80 + 20


def test_a_list_depends_on_seed_and_place_alone(own: Pool) -> None:
    one, other = Sampler([source(own)], 1), Sampler([source(own)], 1)
    other.draw(70, 3, 1)
    assert one.draw(7, 3, 1) == other.draw(7, 3, 1)
    assert one.draw(7, 3, 1) != Sampler([source(own)], 2).draw(7, 3, 1)


def test_hard_passages_are_limited_and_random_ones_fill_the_list(own: Pool) -> None:
    drawn = Sampler([source(own)], 1).draw(0, 4, 1)
    assert len(drawn.passages) == 4
    assert drawn.labelled
    more = Sampler([source(own)], 1).draw(0, 9, 1)
    assert len(more.passages) == 5
    assert more.scores is not None


def test_the_passage_that_features_are_learnt_from_depends_on_the_seed() -> None:
    one, other = ([features._chosen(seed, i, 8) for i in range(20)] for seed in (1, 2))
    assert one != other
    assert {*one, *other} <= set(range(8))


@pytest.mark.parametrize("spec", ["bi:{}", "maxsim:{}", "{}"])
def test_a_teacher_trained_anew_in_its_place_scores_anew(
    own: Pool, bert: str, mini: Path, tmp_path: Path, spec: str
) -> None:
    blocks = Blocks(tmp_path / "cache")
    lists = mine(own, blocks, MiningPart(bm25=0, dense=0, random=2))
    place = tmp_path / "teacher"
    shutil.copytree(mini if spec == "{}" else bert, place)
    part = TeacherPart(spec=spec.format(place), scale=1)
    before = teachers.scores(lists, [part], Models(blocks, CPU), blocks)
    changed = {
        name: torch.randn(tensor.shape).to(tensor.dtype)
        for name, tensor in load_file(place / "model.safetensors").items()
    }
    save_file(changed, place / "model.safetensors")
    after = teachers.scores(lists, [part], Models(blocks, CPU), blocks)
    assert not np.allclose(before, after, equal_nan=True)


def test_an_embedder_trained_anew_in_its_place_mines_anew(
    own: Pool, blocks: Blocks, bert: str
) -> None:
    part = MiningPart(bm25=0, dense=2, random=1, embedder=bert)
    before = mine(own, blocks, part)
    weights = load_file(Path(bert) / "model.safetensors")
    save_file(
        {name: -tensor.flip(0) for name, tensor in weights.items()},
        Path(bert) / "model.safetensors",
    )
    assert (mine(own, blocks, part).places != before.places).any()


def test_a_service_is_known_by_its_name() -> None:
    assert teachers._model("api:some-model", Models(Blocks(Path("none")), CPU)) == ""

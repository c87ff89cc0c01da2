"""Text to token ids, as the tokenizer.json of the checkpoint says and nothing else."""

import json
import shutil
from pathlib import Path
from typing import Any

import jina_rerank_nano
import pytest
from tokenizers import Tokenizer

from jina_rerank import CheckpointError, ModelNotFoundError, Reranker
from jina_rerank.jina_bert.fit import Fit
from jina_rerank.jina_bert.tokenizer import PairTokenizer
from jina_rerank.settings import Settings

FIXTURES = Path(__file__).parents[1] / "fixtures"
V1 = FIXTURES / "tokenizer-v1-en" / "tokenizer.json"
SMALL = FIXTURES / "jinabert" / "tokenizer_small" / "tokenizer.json"
NANO = Path(jina_rerank_nano.__file__).parent / "tokenizer.json"
REFERENCES = json.loads((FIXTURES / "jinabert" / "real_reference_scores.json").read_text())
PAIRS = [group for group in REFERENCES["groups"] if group["documents"] is not None]
SINGLES = [group for group in REFERENCES["groups"] if group["documents"] is None]
E2E = json.loads((FIXTURES / "jinabert" / "e2e_pairs.json").read_text())["cases"]

CLS = {"SpecialToken": {"id": "<s>", "type_id": 0}}
QUERY = {"Sequence": {"id": "A", "type_id": 0}}
DOCUMENT = {"Sequence": {"id": "B", "type_id": 0}}


@pytest.fixture(scope="module")
def v1() -> PairTokenizer:
    return PairTokenizer(V1)


@pytest.fixture(scope="module")
def small() -> PairTokenizer:
    return PairTokenizer(SMALL)


def inputs(
    tokenizer: PairTokenizer, query: str, documents: list[str], max_length: int
) -> tuple[list[list[int]], list[list[int]]]:
    """Return the ids and the types of each pair."""
    settings = Settings(model="model", max_length=max_length)
    fit = Fit.of(settings, tokenizer.template, 8192, "model")
    (query_ids,) = tokenizer.encode([query])
    encoded = tokenizer.encode(documents)
    pairs = [pair for document in encoded for pair in fit.pairs(query_ids, document)]
    return [pair.ids for pair in pairs], [pair.types for pair in pairs]


@pytest.mark.parametrize("case", REFERENCES["tokenization"], ids=lambda case: repr(case["text"]))
def test_text_has_the_ids_of_the_published_tokenizer(
    case: dict[str, Any], v1: PairTokenizer
) -> None:
    assert v1.encode([case["text"]]) == [case["ids"]]


@pytest.mark.parametrize("max_length", [512, 8192])
@pytest.mark.parametrize("group", PAIRS, ids=lambda group: f"{group['model']}-{group['query']}")
def test_pairs_of_published_scores_have_their_ids(
    group: dict[str, Any], max_length: int, v1: PairTokenizer
) -> None:
    ids, types = inputs(v1, group["query"], group["documents"], max_length)
    assert ids == group["input_ids"]
    assert {kind for pair in types for kind in pair} == {0}


@pytest.mark.parametrize("group", SINGLES, ids=lambda group: group["model"])
def test_single_texts_of_published_scores_have_their_ids(
    group: dict[str, Any], v1: PairTokenizer
) -> None:
    (expected,) = group["input_ids"]
    assert v1.encode([group["query"]]) == [expected[1:-1]]


@pytest.mark.parametrize("case", E2E, ids=lambda case: case["name"])
def test_pairs_of_the_oracle_have_its_ids(case: dict[str, Any], small: PairTokenizer) -> None:
    ids, types = inputs(small, case["query"], case["documents"], case["max_length"])
    assert ids == case["input_ids"]
    assert {kind for pair in types for kind in pair} == {0}


def test_blank_texts_are_only_special_tokens(small: PairTokenizer) -> None:
    ids, _ = inputs(small, " ", ["", "\n"], 512)
    assert ids == [[0, 2, 2, 2]] * 2


def test_no_texts_give_no_ids(small: PairTokenizer) -> None:
    assert small.encode([]) == []


def test_text_longer_than_any_context_is_not_cut(v1: PairTokenizer) -> None:
    assert len(v1.encode(["red planet " * 10_000])[0]) == 20_000


def test_cutting_and_padding_of_the_file_are_not_applied(tmp_path: Path) -> None:
    tokenizer = Tokenizer.from_file(str(SMALL))
    tokenizer.enable_truncation(4)
    tokenizer.enable_padding(length=9)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    texts = ["red", "the planet Mars is red because of iron rust"]
    plain = PairTokenizer(SMALL)
    assert PairTokenizer(tmp_path / "tokenizer.json").encode(texts) == plain.encode(texts)
    assert PairTokenizer(tmp_path / "tokenizer.json").template == plain.template


def test_template_of_v1_has_four_special_tokens_and_one_type(v1: PairTokenizer) -> None:
    assert v1.template.specials == ([0], [2, 2], [2])
    assert v1.template.types == ([0], 0, [0, 0], 0, [0])
    assert v1.template.overhead == 4
    assert v1.highest_id == 60_515


def test_template_of_bert_style_gives_the_document_type_one() -> None:
    nano = PairTokenizer(NANO)
    ids, types = inputs(nano, "red planet", ["Mars is red."], 512)
    expected = Tokenizer.from_file(str(NANO)).encode("red planet", "Mars is red.")
    assert ids == [expected.ids]
    assert types == [expected.type_ids]
    assert nano.template.types == ([0], 0, [0], 1, [1])


@pytest.mark.parametrize("content", [b"", b"{}", b'{"model": {}}', b"\xff\x00", b"[]"])
def test_file_that_is_no_tokenizer_is_refused_with_its_path(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="is not a tokenizer file") as caught:
        PairTokenizer(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    "pair",
    [
        None,
        [],
        [CLS, QUERY],
        [CLS, DOCUMENT, CLS, QUERY],
        [QUERY, DOCUMENT],
        [CLS, QUERY, DOCUMENT],
    ],
    ids=["none", "empty", "query only", "document first", "no special tokens", "not separated"],
)
def test_tokenizer_without_a_template_for_pairs_is_refused(
    pair: list[Any] | None, tmp_path: Path
) -> None:
    content = json.loads(SMALL.read_text(encoding="utf-8"))
    special = {"<s>": {"id": "<s>", "ids": [0], "tokens": ["<s>"]}}
    template = {"type": "TemplateProcessing", "single": [CLS, QUERY], "special_tokens": special}
    content["post_processor"] = None if pair is None else {**template, "pair": pair}
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(CheckpointError, match="template") as caught:
        PairTokenizer(path)
    assert str(path) in str(caught.value)


def test_template_is_found_with_whatever_text_the_tokenizer_knows(tmp_path: Path) -> None:
    content = json.loads(SMALL.read_text(encoding="utf-8"))
    content["normalizer"] = {"type": "Replace", "pattern": {"Regex": "[a-z]"}, "content": ""}
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    assert PairTokenizer(path).template == PairTokenizer(SMALL).template


def test_tokenizer_that_is_missing_is_named(mini: Path, tmp_path: Path) -> None:
    shutil.copytree(mini, tmp_path, dirs_exist_ok=True)
    (tmp_path / "tokenizer.json").unlink()
    with pytest.raises(ModelNotFoundError, match=r"has no tokenizer\.json; it holds config\.json"):
        Reranker(tmp_path).load()


def test_tokenizer_with_more_ids_than_the_model_is_refused(mini: Path, tmp_path: Path) -> None:
    shutil.copytree(mini, tmp_path, dirs_exist_ok=True)
    shutil.copy(V1, tmp_path)
    with pytest.raises(CheckpointError, match="token ids up to 60515, its model has 448 rows"):
        Reranker(tmp_path).load()


def test_tokenizer_with_more_types_than_the_model_is_refused(mini: Path, tmp_path: Path) -> None:
    shutil.copytree(mini, tmp_path, dirs_exist_ok=True)
    shutil.copy(NANO, tmp_path)
    sizes = {"vocab_size": 20_000, "type_vocab_size": 1}
    config = json.loads((mini / "config.json").read_text()) | sizes
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match="token types up to 1, its model has 1 rows"):
        Reranker(tmp_path).load()

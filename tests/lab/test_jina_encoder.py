import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from jina_rerank_lab import jina_encoder
from jina_rerank_lab.jina_encoder import JinaEncoder, is_encoder
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import Tensor, nn

from jina_rerank.errors import CheckpointError, ModelNotFoundError
from jina_rerank.hub import Hub
from jina_rerank.jina_bert.batching import groups
from jina_rerank.jina_bert.rows import rounded

TEXTS = ["what is panda?", "a", "The giant panda is a bear species endemic to China."]


@pytest.fixture
def model(encoder: Path) -> JinaEncoder:
    return JinaEncoder(str(encoder), device="cpu", dtype="float32")


@pytest.fixture
def copy(encoder: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return Path(shutil.copytree(encoder, tmp_path / "copy"))


def test_states_are_those_of_the_reference(model: JinaEncoder, fixtures: Path) -> None:
    stored = load_file(fixtures / "jinabert" / "turbo_mini" / "io.safetensors")
    ids = stored["single.input_ids"][0].long()
    states = model._model.states(ids, torch.zeros_like(ids), groups([len(ids)]))
    assert states.numpy() == pytest.approx(stored["single.last_hidden_state"][0].numpy(), abs=2e-5)


def test_vector_is_the_mean_of_all_tokens_with_length_1(model: JinaEncoder, encoder: Path) -> None:
    tokenizer = Tokenizer.from_file(str(encoder / "tokenizer.json"))
    ids = torch.tensor(tokenizer.encode(TEXTS[0]).ids)
    mean = model._model.states(ids, torch.zeros_like(ids), groups([len(ids)])).mean(0)
    (vector,) = model.encode(TEXTS[:1])
    assert vector == pytest.approx((mean / mean.norm()).numpy(), abs=1e-5)


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 0, 1], [1, 1, 0]])
def test_vectors_do_not_depend_on_the_company(model: JinaEncoder, order: Sequence[int]) -> None:
    alone = np.concatenate([model.encode([text]) for text in TEXTS])
    together = model.encode([TEXTS[i] for i in order])
    assert together == pytest.approx(alone[order], abs=1e-5)
    assert np.linalg.norm(together, axis=1) == pytest.approx(1, abs=1e-5)


def test_linear_layers_in_bfloat16_see_rounded_numbers_of_rows(encoder: Path) -> None:
    model = JinaEncoder(str(encoder), device="cpu", dtype="bfloat16")
    seen: list[int] = []

    def note(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        seen.append(len(inputs[0]))

    for module in model._model.modules():
        if isinstance(module, nn.Linear):
            module.register_forward_pre_hook(note)
    vectors = model.encode(TEXTS)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)
    assert seen
    assert seen == [rounded(rows) for rows in seen]


def test_queries_are_read_as_passages_are(model: JinaEncoder) -> None:
    assert model.encode(TEXTS, query=True).tolist() == model.encode(TEXTS).tolist()


def test_no_texts_give_no_vectors(model: JinaEncoder) -> None:
    assert model.encode([]).shape == (0, 48)


def test_text_beyond_the_context_is_cut(model: JinaEncoder) -> None:
    longest = model._config.max_position_embeddings
    text = "a " * (longest + 500)
    assert len(model._tokenizer.encode(text).ids) == longest


def test_identity_changes_with_the_weights_and_the_dtype(copy: Path, model: JinaEncoder) -> None:
    assert JinaEncoder(str(copy), dtype="float32").identity() == model.identity()
    assert JinaEncoder(str(copy), dtype="bfloat16").identity() != model.identity()
    weights = load_file(copy / "model.safetensors")
    save_file({name: value + 1 for name, value in weights.items()}, copy / "model.safetensors")
    assert JinaEncoder(str(copy), dtype="float32").identity() != model.identity()


def test_names_without_prefix_or_head_are_those_of_embedding_models(
    copy: Path, model: JinaEncoder
) -> None:
    weights = load_file(copy / "model.safetensors")
    body = {
        name.removeprefix("bert."): value
        for name, value in weights.items()
        if "pooler" not in name and "classifier" not in name
    }
    save_file(body, copy / "model.safetensors")
    found = JinaEncoder(str(copy), dtype="float32").encode(TEXTS)
    assert found.tolist() == model.encode(TEXTS).tolist()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("missing", r"1 missing \(embeddings\.LayerNorm\.bias\)"),
        ("unexpected", r"1 unexpected \(extra\)"),
        (
            "misshapen",
            r"1 misshapen \(embeddings\.word_embeddings\.weight is \[3, 48\], not \[\d+, 48\]\)",
        ),
    ],
)
def test_tensors_that_do_not_fit_are_listed(copy: Path, change: str, reason: str) -> None:
    weights = load_file(copy / "model.safetensors")
    if change == "missing":
        del weights["bert.embeddings.LayerNorm.bias"]
    elif change == "unexpected":
        weights["bert.extra"] = torch.zeros(1)
    else:
        weights["bert.embeddings.word_embeddings.weight"] = torch.zeros(3, 48)
    save_file(weights, copy / "model.safetensors")
    with pytest.raises(CheckpointError, match=reason):
        JinaEncoder(str(copy))


def test_damaged_weights_are_named(copy: Path) -> None:
    (copy / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(CheckpointError, match="is not a whole safetensors file"):
        JinaEncoder(str(copy))


def test_damaged_tokenizer_is_named(copy: Path) -> None:
    (copy / "tokenizer.json").write_text("{}")
    with pytest.raises(CheckpointError, match="is not a tokenizer file"):
        JinaEncoder(str(copy))


def test_directory_without_weights_is_named(copy: Path) -> None:
    (copy / "model.safetensors").unlink()
    with pytest.raises(ModelNotFoundError, match=r"has no model\.safetensors"):
        JinaEncoder(str(copy))


@pytest.mark.parametrize(
    ("spec", "known"),
    [
        ("jina-embeddings-v2-base-en", True),
        ("jinaai/jina-embeddings-v2-small-en", True),
        ("jina-embeddings-v2-base-code", False),
        ("someone/jina-embeddings-v2-base-en", False),
        ("all-MiniLM-L6-v2", False),
    ],
)
def test_models_of_this_architecture_are_known_by_name(spec: str, *, known: bool) -> None:
    assert is_encoder(spec) is known


def test_directory_is_known_by_its_config(encoder: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    assert (is_encoder(str(encoder)), is_encoder(str(tmp_path))) == (True, False)


@pytest.mark.parametrize(
    "spec", ["jina-embeddings-v2-base-en", "jinaai/jina-embeddings-v2-base-en"]
)
def test_name_is_a_repository_of_jina_s(spec: str) -> None:
    source = jina_encoder._source(spec)
    assert isinstance(source, Hub)
    assert source.repo == "jinaai/jina-embeddings-v2-base-en"

"""The BERT encoder: what transformers computes, without padding; and files that are none."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from jina_rerank_lab import embedders
from jina_rerank_lab.distillation import encoder, vectors
from jina_rerank_lab.distillation.blocks import Blocks
from jina_rerank_lab.distillation.encoder import LoadedEncoder
from jina_rerank_lab.distillation.vectors import Models
from safetensors.torch import load_file, save_file
from transformers import BertModel

from jina_rerank.errors import CheckpointError
from jina_rerank.hub import Directory, Hub
from jina_rerank.jina_bert.batching import groups

from .distilling import WIDTH, write_encoder

CPU = torch.device("cpu")
TEXTS = ["the sea is deep", "mars", "bread of the moon is red"]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    return write_encoder(tmp_path / "bert")


def load(files: Path) -> LoadedEncoder:
    return encoder.load(Directory(files), CPU)


def test_encoder_gives_the_states_of_transformers(files: Path) -> None:
    ours = load(files)
    theirs = BertModel.from_pretrained(files, add_pooling_layer=False).eval()
    inputs = sorted(ours.encode(TEXTS), key=len)
    ids = torch.tensor([token for one in inputs for token in one])
    lengths = [len(one) for one in inputs]
    states = ours.model(ids, torch.zeros_like(ids), groups(lengths))
    for one, part in zip(inputs, states.split(lengths), strict=True):
        expected = theirs(torch.tensor([one])).last_hidden_state[0]
        torch.testing.assert_close(part, expected, rtol=1e-4, atol=1e-5)


def test_states_come_once_for_each_input_and_in_any_order(files: Path) -> None:
    ours = load(files)
    inputs = ours.encode(TEXTS)
    found = {
        i: part
        for batch, states in ours.states(inputs)
        for i, part in zip(batch, states, strict=True)
    }
    assert {i: len(part) for i, part in found.items()} == {
        i: len(ids) for i, ids in enumerate(inputs)
    }


def test_a_long_text_is_cut_to_the_positions_that_there_are(files: Path) -> None:
    (ids,) = load(files).encode(["the " * 100])
    assert (len(ids), ids[0], ids[-1]) == (64, 2, 3)


def test_a_vector_is_the_mean_of_the_states_with_length_1(files: Path, tmp_path: Path) -> None:
    vectors = Models(Blocks(tmp_path / "cache"), CPU).find(str(files))
    found = torch.from_numpy(vectors.of(TEXTS))
    ours = load(files)
    for text, vector in zip(TEXTS, found, strict=True):
        ((_, (states,)),) = ours.states(ours.encode([text]))
        expected = torch.nn.functional.normalize(states.float().mean(0), dim=0)
        torch.testing.assert_close(vector, expected, rtol=0.05, atol=0.02)


def test_vectors_are_read_from_the_disk_by_another_run(files: Path, tmp_path: Path) -> None:
    models = Models(Blocks(tmp_path / "cache"), CPU)
    first = models.find(str(files)).of(TEXTS)
    (kept,) = (tmp_path / "cache").rglob("*.npy")
    np.save(kept, -first)
    again = Models(Blocks(tmp_path / "cache"), CPU).find(str(files)).of(TEXTS)
    assert (-first == again).all()


def test_vectors_are_kept_in_memory(files: Path, tmp_path: Path) -> None:
    vectors = Models(Blocks(tmp_path / "cache"), CPU).find(str(files))
    assert vectors.of(TEXTS) is vectors.of(TEXTS)


def test_a_model_is_loaded_once_for_all_who_ask(files: Path, tmp_path: Path) -> None:
    models = Models(Blocks(tmp_path), CPU)
    assert models.find(str(files)) is models.find(str(files))
    assert models.find(str(files)).load() is models.find(str(files)).load()


def test_another_kind_of_embedding_model_is_left_to_the_embedders(
    encoder: Path, tmp_path: Path
) -> None:
    found = Models(Blocks(tmp_path), CPU).find(str(encoder)).of(TEXTS)
    assert np.array_equal(found, embedders.find(str(encoder), device="cpu").encode(TEXTS))


def test_minilm_is_found_in_its_package() -> None:
    assert isinstance(vectors.source("all-MiniLM-L6-v2"), Directory)
    assert vectors.has_mean_pooling("all-MiniLM-L6-v2")


def test_other_names_are_looked_for_on_the_hub() -> None:
    assert vectors.source("bge-base-en-v1.5") == Hub(repo="BAAI/bge-base-en-v1.5")
    assert vectors.source("me/bert") == Hub(repo="me/bert")


def test_a_config_of_another_model_is_refused(files: Path) -> None:
    config = json.loads((files / "config.json").read_text())
    (files / "config.json").write_text(json.dumps({**config, "model_type": "roberta"}))
    with pytest.raises(CheckpointError, match="model_type 'roberta', not 'bert'"):
        load(files)


def test_weights_without_a_tensor_are_refused(files: Path) -> None:
    weights = load_file(files / "model.safetensors")
    name = "encoder.layer.1.output.dense.bias"
    save_file({n: t for n, t in weights.items() if n != name}, files / "model.safetensors")
    with pytest.raises(CheckpointError, match=f"lacks the tensor '{name}'"):
        load(files)


def test_damaged_weights_are_refused(files: Path) -> None:
    (files / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(CheckpointError, match="is not a whole safetensors file"):
        load(files)


def test_a_damaged_tokenizer_is_refused(files: Path) -> None:
    (files / "tokenizer.json").write_text("{}")
    with pytest.raises(CheckpointError, match="is not a tokenizer file"):
        load(files)


def test_taps_see_attention_and_what_goes_into_the_feed_forward_part(files: Path) -> None:
    seen: dict[str, tuple[int, ...]] = {}
    ours = load(files)
    ids = torch.tensor(ours.encode(["the sea"])[0])
    ours.run(ids, groups([4]), tap=lambda name, _, x: seen.update({name: tuple(x.shape)}))
    assert seen == {"attention": (1, 4, 4, 4), "normed": (4, WIDTH), "inner": (4, 24)}

"""Loading and saving: what a checkpoint may look like, and what is refused by name."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from jina_rerank import CheckpointError, Reranker
from jina_rerank.jina_bert import checkpoint
from jina_rerank.jina_bert.batching import Group
from jina_rerank.jina_bert.config import JinaBertConfig, read_config
from jina_rerank.jina_bert.model import JinaBert

FIXTURES = Path(__file__).parents[1] / "fixtures" / "jinabert"
CPU = torch.device("cpu")
VALUES: dict[str, Any] = json.loads((FIXTURES / "turbo_mini" / "config.json").read_text())
CONFIG = JinaBertConfig.of(VALUES, "turbo_mini")
POOLER = "bert.pooler.dense.bias"
DTYPES = [torch.float32, torch.bfloat16, torch.float16]

Weights = dict[str, Tensor]


@pytest.fixture
def weights() -> Weights:
    return load_file(FIXTURES / "turbo_mini" / "model.safetensors")


@pytest.fixture
def directory(mini: Path, tmp_path: Path) -> Path:
    """A whole checkpoint that a test may damage."""
    return Path(shutil.copytree(mini, tmp_path, dirs_exist_ok=True))


def load(weights: Weights, directory: Path, config: JinaBertConfig = CONFIG) -> JinaBert:
    path = directory / "model.safetensors"
    save_file(weights, path)
    return checkpoint.load(path, config, dtype=torch.float32, device=CPU)


def logits(model: JinaBert) -> Tensor:
    ids = torch.tensor([0, 17, 42, 2, 2, 99, 300, 2, 0, 5, 2, 2, 8, 9, 10, 2])
    result: Tensor = model(ids, torch.zeros_like(ids), [Group(2, 8)])
    return result


def refusal(attempt: Callable[[], object]) -> str:
    with pytest.raises(CheckpointError) as caught:
        attempt()
    return str(caught.value)


def test_names_with_and_without_prefix_give_the_same_logits(
    weights: Weights, tmp_path: Path
) -> None:
    plain = {name.removeprefix("bert."): tensor for name, tensor in weights.items()}
    assert plain.keys() != weights.keys()
    expected = logits(load(weights, tmp_path))
    assert torch.equal(logits(load(plain, tmp_path)), expected)


def test_name_with_and_without_prefix_at_once_is_refused_by_name(
    weights: Weights, tmp_path: Path
) -> None:
    weights["pooler.dense.bias"] = weights[POOLER].clone()
    message = refusal(lambda: load(weights, tmp_path))
    assert "pooler.dense.bias" in message
    assert "with and without 'bert.'" in message


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_stored_dtype_loads_as_its_values(
    dtype: torch.dtype, weights: Weights, tmp_path: Path
) -> None:
    stored = {name: tensor.to(dtype) for name, tensor in weights.items()}
    model = load(stored, tmp_path)
    expected = load({name: tensor.float() for name, tensor in stored.items()}, tmp_path)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert torch.equal(logits(model), logits(expected))


@pytest.mark.parametrize("dtype", [*DTYPES, torch.float64], ids=str)
def test_dtype_asked_for_is_that_of_every_parameter_but_the_heads(dtype: torch.dtype) -> None:
    path = FIXTURES / "bf16_weights_h12"
    config = JinaBertConfig.of(read_config(path / "config.json"), "bf16")
    model = checkpoint.load(path / "model.safetensors", config, dtype=dtype, device=CPU)
    head = [*model.pooler.parameters(), *model.classifier.parameters()]
    assert {parameter.dtype for parameter in head} == {torch.promote_types(dtype, torch.float32)}
    kept = {id(parameter) for parameter in head}
    assert {p.dtype for p in model.parameters() if id(p) not in kept} == {dtype}
    assert not any(parameter.requires_grad for parameter in model.parameters())
    assert not model.training


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.int8, torch.bool], ids=str)
def test_stored_dtype_that_is_no_plain_float_is_refused_by_name(
    dtype: torch.dtype, weights: Weights, tmp_path: Path
) -> None:
    weights[POOLER] = weights[POOLER].to(dtype)
    assert "pooler.dense.bias" in refusal(lambda: load(weights, tmp_path))


def test_buffers_that_the_model_computes_are_ignored(weights: Weights, tmp_path: Path) -> None:
    expected = logits(load(weights, tmp_path))
    for name in ("embeddings.position_ids", "embeddings.token_type_ids", "encoder.alibi"):
        weights[f"bert.{name}"] = torch.zeros(1, 4)
    assert torch.equal(logits(load(weights, tmp_path)), expected)


def test_model_without_head_takes_a_file_with_any_head_or_none(
    weights: Weights, tmp_path: Path
) -> None:
    body = {n: t for n, t in weights.items() if "pooler" not in n and "classifier" not in n}
    other = {"cls.predictions.bias": torch.zeros(3), "pooler.dense.bias": torch.zeros(3)}
    ids, path = torch.tensor([0, 17, 42, 2]), tmp_path / "model.safetensors"
    found = []
    for tensors in (weights, body, {**body, **other}):
        save_file(tensors, path)
        model = checkpoint.load(path, CONFIG, dtype=torch.float32, device=CPU, head=False)
        found.append(model.states(ids, torch.zeros_like(ids), [Group(1, 4)]))
    for states in found:
        assert states.equal(
            load(weights, tmp_path).states(ids, torch.zeros_like(ids), [Group(1, 4)])
        )


def test_tensors_that_do_not_fit_are_each_listed(weights: Weights, tmp_path: Path) -> None:
    del weights["classifier.weight"], weights["bert.encoder.layer.5.mlp.wo.bias"]
    weights["bert.encoder.layer.6.mlp.wo.bias"] = torch.zeros(48)
    weights["lm_head.weight"] = torch.zeros(2)
    weights[POOLER] = torch.zeros(47)
    weights["bert.encoder.layer.0.attention.self.key.weight"] = torch.zeros(48, 24)
    message = refusal(lambda: load(weights, tmp_path))
    missing, unexpected, misshapen, _ = message.split("; ")
    assert "2 missing (classifier.weight, encoder.layer.5.mlp.wo.bias)" in missing
    assert "encoder.layer.6.mlp.wo.bias" in unexpected
    assert "lm_head.weight" in unexpected
    assert "pooler.dense.bias is [47], not [48]" in misshapen
    assert "encoder.layer.0.attention.self.key.weight is [48, 24], not [48, 48]" in misshapen


def test_long_list_of_tensors_is_counted_and_cut(tmp_path: Path) -> None:
    message = refusal(lambda: load({"other": torch.zeros(1)}, tmp_path))
    assert "98 missing (embeddings.word_embeddings.weight, " in message
    assert ", ...)" in message
    assert len(message) < 1000


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_weight_that_is_not_finite_is_named(value: float, weights: Weights, tmp_path: Path) -> None:
    weights[POOLER][7] = value
    message = refusal(lambda: load(weights, tmp_path))
    assert "1 not finite (pooler.dense.bias)" in message


@pytest.mark.parametrize("size", [0, 7, 5_000, 700_000])
def test_file_cut_short_is_refused_with_its_path(size: int, directory: Path) -> None:
    path = directory / "model.safetensors"
    path.write_bytes(path.read_bytes()[:size])
    message = refusal(lambda: Reranker(directory).load())
    assert str(path) in message
    assert "not a whole safetensors file" in message


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_saved_and_loaded_model_is_exactly_the_same(dtype: torch.dtype, tmp_path: Path) -> None:
    path = FIXTURES / "turbo_mini" / "model.safetensors"
    model = checkpoint.load(path, CONFIG, dtype=dtype, device=CPU)
    checkpoint.save(model, CONFIG, tmp_path / "new" / "folder")
    stored = load_file(tmp_path / "new" / "folder" / "model.safetensors")
    original = load_file(path)
    assert stored.keys() == original.keys()
    for name, tensor in stored.items():
        head = name.startswith(("bert.pooler", "classifier"))
        kept = torch.promote_types(dtype, torch.float32) if head else dtype
        assert torch.equal(tensor, original[name].to(kept)), name
    values = read_config(tmp_path / "new" / "folder" / "config.json")
    assert JinaBertConfig.of(values, "saved") == CONFIG
    assert values["num_labels"] == 1


def test_saved_checkpoint_with_its_tokenizer_ranks_the_same(
    directory: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    saved = tmp_path_factory.mktemp("saved")
    path = directory / "model.safetensors"
    checkpoint.save(checkpoint.load(path, CONFIG, dtype=torch.float32, device=CPU), CONFIG, saved)
    shutil.copy(directory / "tokenizer.json", saved)
    docs = ["the sea is blue", "Mars is the red planet"]
    with Reranker(directory) as one, Reranker(saved) as other:
        assert other.score("red planet", docs) == one.score("red planet", docs)


@pytest.mark.parametrize(
    "labels", [{}, {"num_labels": 1}, {"id2label": {"0": "LABEL_RERANK_0"}}, {"id2label": None}]
)
def test_config_with_one_label_or_none_named_means_one(labels: dict[str, Any]) -> None:
    assert "num_labels" not in VALUES
    assert JinaBertConfig.of({**VALUES, **labels}, "x") == CONFIG


@pytest.mark.parametrize(
    "labels", [{"num_labels": 3}, {"id2label": {"0": "a", "1": "b", "2": "c"}}]
)
def test_config_with_three_labels_is_refused(labels: dict[str, Any]) -> None:
    assert "num_labels is 3, not 1" in refusal(lambda: JinaBertConfig.of({**VALUES, **labels}, "x"))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("vocab_size", None),
        ("vocab_size", 0),
        ("hidden_size", "48"),
        ("num_hidden_layers", True),
        ("num_attention_heads", -12),
        ("num_attention_heads", 11),
        ("intermediate_size", 192.0),
        ("feed_forward_type", "swiglu"),
        ("feed_forward_type", ["geglu"]),
        ("position_embedding_type", None),
        ("num_labels", None),
        ("id2label", 5),
        ("layer_norm_eps", None),
        ("layer_norm_eps", "1e-12"),
        ("layer_norm_eps", -1.0),
        ("max_position_embeddings", None),
        ("max_position_embeddings", "8192"),
        ("max_position_embeddings", 0),
        ("type_vocab_size", None),
        ("type_vocab_size", 0),
    ],
)
def test_bad_value_in_the_config_is_named(field: str, value: object) -> None:
    message = refusal(lambda: JinaBertConfig.of({**VALUES, field: value}, "'my-model'"))
    assert "'my-model'" in message
    assert field in message


def test_every_bad_value_in_the_config_is_named_at_once() -> None:
    values = {"num_labels": 2, "position_embedding_type": "alibi"}
    message = refusal(lambda: JinaBertConfig.of(values, "x"))
    for field in ("feed_forward_type", "num_labels", "vocab_size", "hidden_size"):
        assert field in message


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not valid JSON"),
        (b"[" * 10**5, "not valid JSON"),
        (b'{"vocab_size": ', "not valid JSON"),
        (b'{"name": "\xff"}', "not valid JSON"),
        (b"[1, 2]", "not a JSON object"),
        (b"null", "not a JSON object"),
    ],
)
def test_config_that_is_no_object_is_refused_with_its_path(
    content: bytes, reason: str, directory: Path
) -> None:
    (directory / "config.json").write_bytes(content)
    message = refusal(lambda: Reranker(directory).load())
    assert reason in message
    assert str(directory / "config.json") in message


def test_original_feed_forward_with_three_labels_is_refused_for_both(directory: Path) -> None:
    shutil.copytree(FIXTURES / "original_h6_labels3", directory, dirs_exist_ok=True)
    message = refusal(lambda: Reranker(directory).load())
    assert "feed_forward_type is 'original'" in message
    assert "num_labels is 3" in message


@pytest.mark.parametrize(
    ("name", "layers", "parameters"), [("turbo", 6, 37_771_777), ("tiny", 4, 33_046_273)]
)
def test_published_config_gives_the_published_tensors(
    name: str, layers: int, parameters: int
) -> None:
    sizes = {"vocab_size": 61056, "hidden_size": 384, "intermediate_size": 1536}
    published = {**VALUES, **sizes, "num_hidden_layers": layers, "max_position_embeddings": 8192}
    with torch.device("meta"):
        model = JinaBert(JinaBertConfig.of(published, name))
    shapes = dict(checkpoint._published_shapes(model, checkpoint.published_names(model)))
    stored = json.loads((FIXTURES / f"state_dict_{name}.json").read_text())
    assert sum(parameter.numel() for parameter in model.parameters()) == parameters
    assert shapes == {
        tensor.removeprefix("bert."): shape for tensor, shape in stored["tensors"].items()
    }

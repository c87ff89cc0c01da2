"""Other cross-encoders, through transformers: the same numbers, and what is refused."""

import json
import os
import shutil
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from sentence_transformers import CrossEncoder

from jina_rerank import (
    Backend,
    CheckpointError,
    JinaRerankError,
    MissingDependencyError,
    ModelNotFoundError,
    Reranker,
)
from jina_rerank.backends import local
from jina_rerank.cross_encoder import checkpoint
from jina_rerank.settings import Settings
from jina_rerank.testing import BackendContract, RerankerContract

from .cross_encoders import CONTEXT, FAMILIES

QUERY = "Which planet is red?"
TEXTS = [
    "Mars, a red planet",
    "Yeast makes gas",
    "the fox jumps over the lazy dog and over the cat, " * 20,
    "a",
    "Zürich, naïve",
    "MARS because of [SEP] rust </s> and <pad> 1",
]
Change = Callable[[dict[str, Any]], object]


@pytest.fixture(scope="session")
def families(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A checkpoint of each family."""
    root = tmp_path_factory.mktemp("families")
    return {name: make(root / name) for name, make in FAMILIES.items()}


@pytest.fixture
def bert(families: dict[str, Path], tmp_path: Path) -> Path:
    """A checkpoint to damage."""
    return Path(shutil.copytree(families["bert"], tmp_path / "bert"))


class TestLocalBackendOverBert(BackendContract):
    @pytest.fixture
    def backend(self, families: dict[str, Path]) -> Backend:
        return local.create(Settings(model=str(families["bert"])))


class TestRerankerOverDeberta(RerankerContract):
    @pytest.fixture
    def reranker(self, families: dict[str, Path]) -> Reranker:
        return Reranker(families["deberta-v2"])


def change_config(directory: Path, **values: Any) -> None:
    path = directory / "config.json"
    config = json.loads(path.read_text()) | values
    kept = {name: value for name, value in config.items() if value is not ...}
    path.write_text(json.dumps(kept))


def change_tensors(directory: Path, change: Change) -> None:
    path = directory / "model.safetensors"
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path)


def refusal(directory: Path, kind: type[JinaRerankError] = CheckpointError) -> str:
    with pytest.raises(kind) as caught:
        Reranker(directory).load()
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("query", [QUERY, "red planet " * 20, "planet " * 60])
def test_scores_equal_those_of_sentence_transformers(
    families: dict[str, Path], family: str, query: str
) -> None:
    reference = CrossEncoder(str(families[family]), device="cpu")
    expected = reference.predict(
        [(query, text) for text in TEXTS],
        activation_fn=torch.nn.Sigmoid(),
        show_progress_bar=False,
    )
    scores = Reranker(families[family]).score(query, TEXTS)
    assert scores == pytest.approx([float(score) for score in expected], abs=1e-5)
    assert max(scores) - min(scores) > 0.01  # or the comparison would say little


@pytest.mark.parametrize("family", FAMILIES)
def test_scores_do_not_depend_on_the_batch(families: dict[str, Path], family: str) -> None:
    together = Reranker(families[family]).score(QUERY, TEXTS)
    alone = Reranker(families[family], batch_tokens=1).score(QUERY, TEXTS)
    backwards = Reranker(families[family]).score(QUERY, TEXTS[::-1])[::-1]
    assert alone == pytest.approx(together, abs=1e-5)
    assert backwards == pytest.approx(together, abs=1e-5)


def test_padding_counts_towards_the_batch(
    families: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    reranker = Reranker(families["bert"], batch_tokens=128).load()
    scorer = reranker._backend._scorer  # type: ignore[union-attr]
    shapes = []
    forward = scorer.model.forward

    def watched(**inputs: torch.Tensor) -> Any:
        shapes.append(tuple(inputs["input_ids"].shape))
        return forward(**inputs)

    monkeypatch.setattr(scorer.model, "forward", watched)
    reranker.score(QUERY, TEXTS * 3)
    assert sum(count for count, _ in shapes) == len(TEXTS) * 3
    assert all(count * length <= 128 for count, length in shapes)
    assert len(shapes) < len(TEXTS) * 3


@pytest.mark.parametrize("family", FAMILIES)
def test_context_is_the_models(families: dict[str, Path], family: str) -> None:
    ranking = Reranker(families[family]).rank(QUERY, ["red planet " * 500])
    assert ranking.usage.total_tokens == CONTEXT
    with pytest.raises(ValueError, match=f"at most {CONTEXT}, the context of"):
        Reranker(families[family], max_length=CONTEXT + 1).load()


def test_windows_and_dtypes_work_as_for_jina_bert(families: dict[str, Path]) -> None:
    exact = Reranker(families["bert"], overlength="window", max_length=40).score(QUERY, TEXTS)
    assert all(0 < score < 1 for score in exact)
    for dtype, bound in (("float64", 1e-5), ("float16", 5e-2), ("bfloat16", 0.2)):
        reranker = Reranker(families["bert"], dtype=dtype, overlength="window", max_length=40)
        assert reranker.score(QUERY, TEXTS) == pytest.approx(exact, abs=bound)


def test_auto_dtype_is_float32(families: dict[str, Path]) -> None:
    backend = local.create(Settings(model=str(families["bert"])))
    backend.load()
    assert backend._scorer is not None
    assert backend._scorer.dtype == torch.float32


def test_compiled_model_scores_the_same(
    families: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = Reranker(families["bert"]).score(QUERY, TEXTS)
    compiled = torch.compile
    # Without a backend that needs a C++ compiler, which not every machine has.
    monkeypatch.setattr(torch, "compile", lambda *a, **k: compiled(*a, backend="eager", **k))
    scores = Reranker(families["bert"], compile=True).score(QUERY, TEXTS)
    assert scores == pytest.approx(expected, abs=1e-6)


def test_sharded_weights_are_read(families: dict[str, Path], tmp_path: Path) -> None:
    model = transformers.AutoModelForSequenceClassification.from_pretrained(families["bert"])
    directory = Path(shutil.copytree(families["bert"], tmp_path / "sharded"))
    (directory / "model.safetensors").unlink()
    model.save_pretrained(directory, max_shard_size="20KB")
    assert len(list(directory.glob("model-*.safetensors"))) > 1
    expected = Reranker(families["bert"]).score(QUERY, TEXTS)
    assert Reranker(directory).score(QUERY, TEXTS) == expected


def test_nothing_is_printed_and_the_verbosity_stays(
    families: dict[str, Path], capfd: pytest.CaptureFixture[str]
) -> None:
    logging = transformers.utils.logging
    before = logging.get_verbosity(), logging.is_progress_bar_enabled()
    Reranker(families["bert"]).load()
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == before
    logging.disable_progress_bar()
    try:
        Reranker(families["bert"]).load()
        assert not logging.is_progress_bar_enabled()
    finally:
        logging.enable_progress_bar()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"id2label": {"0": "no", "1": "yes"}}, "num_labels is 2, not 1"),
        ({"id2label": ..., "label2id": ...}, "num_labels is 2, not 1"),
        ({"num_labels": 3}, "num_labels is 3, not 1"),
        ({"architectures": ["BertModel"]}, "is BertModel, without a classification head"),
        ({"architectures": []}, "is [], without a classification head"),
        ({"architectures": [7]}, "is [7], without a classification head"),
        ({"model_type": ...}, "model_type None, not a name"),
        ({"is_decoder": True}, "it is a decoder"),
        ({"auto_map": {"AutoModel": "code.Model"}}, "remote code is never run"),
    ],
)
def test_config_that_is_no_reranker_is_refused_before_the_weights_are_read(
    bert: Path, values: dict[str, Any], reason: str
) -> None:
    change_config(bert, **values)
    (bert / "model.safetensors").unlink()
    message = refusal(bert)
    assert "is not a reranker that can run here" in message
    assert reason in message


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"model_type": "flurb"}, "does not recognize this architecture"),
        ({"model_type": "whisper"}, "Unrecognized configuration class"),
        ({"num_attention_heads": 5}, "not a multiple of the number of attention heads"),
        ({"max_position_embeddings": None}, "expected int, got NoneType"),
        ({"quantization_config": {"quant_method": "bitsandbytes", "load_in_8bit": True}}, "Import"),
    ],
)
def test_what_transformers_cannot_build_is_one_line(
    bert: Path, values: dict[str, Any], reason: str
) -> None:
    change_config(bert, **values)
    message = refusal(bert)
    assert message.startswith(f"transformers cannot load {str(bert)!r} (model_type ")
    assert reason in message


def test_encoder_without_a_head_is_never_ranked_at_random(bert: Path) -> None:
    change_config(bert, architectures=...)  # as in old checkpoints: only the weights tell
    change_tensors(bert, lambda t: [t.pop(name) for name in list(t) if "classifier" in name])
    assert "2 missing (classifier.bias, classifier.weight)" in refusal(bert)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            lambda t: t.pop("bert.encoder.layer.0.output.dense.weight"),
            "1 missing (bert.encoder.layer.0.output.dense.weight)",
        ),
        (
            lambda t: t.update({"classifier.weight": torch.zeros(2, 32)}),
            "1 misshapen (classifier.weight is [2, 32], not [1, 32])",
        ),
        (
            lambda t: t["bert.pooler.dense.bias"].fill_(float("nan")),
            "1 not finite (bert.pooler.dense.bias)",
        ),
    ],
)
def test_weights_that_are_not_the_models_are_listed(
    bert: Path, change: Change, reason: str
) -> None:
    change_tensors(bert, change)
    assert reason in refusal(bert)


def test_truncated_weights_say_what_to_delete(bert: Path) -> None:
    path = bert / "model.safetensors"
    path.write_bytes(path.read_bytes()[:5000])
    message = refusal(bert)
    assert f"{str(path)!r} is not a whole safetensors file" in message
    assert "delete it and download it again" in message


def test_pickled_weights_are_never_opened(bert: Path) -> None:
    (bert / "model.safetensors").rename(bert / "pytorch_model.bin")
    message = refusal(bert, ModelNotFoundError)
    assert "has no model.safetensors; it holds config.json, pytorch_model.bin" in message
    assert "other forms of weights are not read" in message


@pytest.mark.parametrize(
    "text",
    [
        "no JSON",
        "[" * 10**5,
        "[]",
        "{}",
        '{"weight_map": []}',
        '{"weight_map": {"a": 1}}',
        '{"weight_map": {}, "metadata": {}}',
        '{"weight_map": {"a": "model.safetensors"}}',
    ],
)
def test_index_that_names_no_files_is_refused(bert: Path, text: str) -> None:
    (bert / "model.safetensors").unlink()
    (bert / "model.safetensors.index.json").write_text(text)
    assert "does not say which file holds which tensor" in refusal(bert)


def test_missing_tokenizer_says_what_a_reranker_needs(bert: Path) -> None:
    (bert / "tokenizer.json").unlink()
    message = refusal(bert, ModelNotFoundError)
    assert "has no tokenizer.json" in message
    assert "needs config.json, tokenizer.json and model.safetensors" in message


def test_tokenizer_of_a_larger_model_is_refused(families: dict[str, Path], bert: Path) -> None:
    shutil.copy(families["roberta"] / "tokenizer.json", bert)
    assert "its tokenizer gives token ids up to" in refusal(bert)


def test_model_that_names_no_context_is_refused(families: dict[str, Path], tmp_path: Path) -> None:
    directory = Path(shutil.copytree(families["deberta-v2"], tmp_path / "endless"))
    change_config(directory, max_position_embeddings=0)
    assert "max_position_embeddings 0, which is no number of tokens" in refusal(directory)


def test_missing_transformers_names_the_command(
    bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    message = refusal(bert, MissingDependencyError)
    assert "needs transformers: pip install 'jina-rerank[local]'" in message


def test_models_that_load_at_once_keep_out_of_each_others_way(families: dict[str, Path]) -> None:
    logging = transformers.utils.logging
    before = logging.get_verbosity(), torch.get_default_dtype()
    jobs = [(name, dtype) for name in families for dtype in ("float32", "float64")] * 3
    expected = {job: score(families[job[0]], job[1]) for job in jobs}
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda job: score(families[job[0]], job[1]), jobs))
    for job, scores in zip(jobs, found, strict=True):
        assert scores == pytest.approx(expected[job], abs=1e-5)
    assert (logging.get_verbosity(), torch.get_default_dtype()) == before


def score(directory: Path, dtype: str) -> list[float]:
    with Reranker(directory, dtype=dtype) as reranker:
        return reranker.score(QUERY, TEXTS)


def test_fork_while_another_thread_loads_can_load(families: dict[str, Path]) -> None:
    with checkpoint._locks[0]:  # as another thread of the parent might at the time of the fork
        child = os.fork()
        if child == 0:
            os._exit(0 if len(score(families["bert"], "float32")) == len(TEXTS) else 1)
        assert os.waitpid(child, 0)[1] == 0


def test_layers_that_the_config_does_not_have_are_refused(bert: Path) -> None:
    change_config(bert, num_hidden_layers=1)
    assert "unexpected (bert.encoder.layer.1." in refusal(bert)


def test_head_of_another_task_is_left_alone(bert: Path) -> None:
    expected = Reranker(bert).score(QUERY, TEXTS)
    change_tensors(bert, lambda t: t.update({"cls.predictions.bias": torch.zeros(3)}))
    assert Reranker(bert).score(QUERY, TEXTS) == expected


def test_model_without_padding_is_refused(bert: Path) -> None:
    change_config(bert, pad_token_id=None)
    assert "has no pad_token_id in its config.json" in refusal(bert)


@pytest.mark.hub
@pytest.mark.parametrize(
    "model",  # what the announcement of turbo and tiny compares them with
    [
        "cross-encoder/ms-marco-MiniLM-L-4-v2",
        "cross-encoder/ms-marco-MiniLM-L-6-v2",
        "BAAI/bge-reranker-base",
        "mixedbread-ai/mxbai-rerank-xsmall-v1",
        "mixedbread-ai/mxbai-rerank-base-v1",
    ],
)
def test_published_models_score_as_in_sentence_transformers(model: str) -> None:
    texts = [text for text in TEXTS if "<" not in text]
    expected = CrossEncoder(model, device="cpu").predict(
        [(QUERY, text) for text in texts],
        activation_fn=torch.nn.Sigmoid(),
        show_progress_bar=False,
    )
    scores = Reranker(model, device="cpu").score(QUERY, texts)
    assert scores == pytest.approx([float(score) for score in expected], abs=1e-5)

"""What a student starts as: warm from an encoder, layers of a JinaBERT, or drawn."""

import json
import shutil
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from jina_rerank_lab.distillation import encoder, vocabulary, warm
from jina_rerank_lab.distillation.blocks import Blocks
from jina_rerank_lab.distillation.encoder import LoadedEncoder
from jina_rerank_lab.distillation.inputs import Inputs
from jina_rerank_lab.distillation.pairs import Example, Pool, pool
from jina_rerank_lab.distillation.recipe import StudentPart
from jina_rerank_lab.distillation.start import start, write_tokenizer
from jina_rerank_lab.distillation.student import Student
from jina_rerank_lab.distillation.vectors import Models
from tokenizers import Tokenizer
from tokenizers.models import BPE

from jina_rerank.errors import CheckpointError
from jina_rerank.hub import Directory
from jina_rerank.jina_bert import checkpoint
from jina_rerank.jina_bert.batching import Group
from jina_rerank.jina_bert.config import JinaBertConfig, read_config

from .distilling import SPECIALS, pairs, scratch, tokenizer, write_encoder

CPU = torch.device("cpu")


@pytest.fixture
def files(tmp_path: Path) -> Path:
    return write_encoder(tmp_path / "bert")


@pytest.fixture
def pools() -> list[Pool]:
    return [pool("pairs", [Example(row["query"], row["positive"]) for row in pairs(40)], None)]


def make(part: StudentPart, pools: list[Pool]) -> tuple[Student, Tokenizer]:
    return start(part, 1, pools, Models(Blocks(Path("unused")), CPU))


def load(files: Path) -> LoadedEncoder:
    return encoder.load(Directory(files), CPU)


def test_warm_student_computes_the_feed_forward_part_of_its_source(
    files: Path, pools: list[Pool]
) -> None:
    student, _ = make(StudentPart(init="warm", source=str(files), layers=(2, 0)), pools)
    theirs, own = load(files).model.stack()[2], student.stack()[0]
    x = F.layer_norm(torch.randn(50, 16), (16,)) * theirs.attention_norm.weight
    x = x + theirs.attention_norm.bias
    gate, value = own.gated(x).chunk(2, dim=1)
    torch.testing.assert_close(value.mean(), torch.tensor(1.0), atol=0.05, rtol=0)
    expected = theirs.output(F.gelu(theirs.inner(x)))
    error = (own.output(F.gelu(gate) * value) - expected).square().mean()
    assert error < 0.01 * expected.square().mean()


def test_warm_student_keeps_each_head_whole(files: Path, pools: list[Pool]) -> None:
    student, _ = make(StudentPart(init="warm", source=str(files), layers=(1,)), pools)
    theirs, own = load(files).model.stack()[1], student.stack()[0]
    order = warm.head_order(warm.observe(load(files), pools[0].passages)[1].distance)
    x = torch.randn(6, 16)
    heads = theirs.qkv(x).view(6, 3, 4, 4)[:, :, order].flatten(1)
    torch.testing.assert_close(own.qkv(x), heads, atol=1e-5, rtol=1e-5)
    context = torch.randn(6, 4, 4)
    moved = context[:, order].flatten(1)
    torch.testing.assert_close(own.attended(moved), theirs.attended(context.flatten(1)))


def test_most_local_head_gets_the_steepest_slope() -> None:
    assert warm.head_order(torch.tensor([3.0, 9.0, 1.0, 5.0])) == [2, 0, 3, 1]


def test_distance_of_a_head_is_measured_in_tokens(files: Path) -> None:
    (observed, *_) = warm.observe(load(files), ["the sea is deep"])
    assert ((observed.distance > 0) & (observed.distance < 5)).all()


def test_the_direction_of_biases_is_found_beside_outliers(files: Path) -> None:
    # Some dimensions of a trained encoder are 50 times others: sums in float32 would hide the
    # direction, and what is solved for would be anything.
    encoder = load(files)
    norm = encoder.model.stack()[2].attention_norm
    with torch.no_grad():
        norm.weight.copy_(torch.logspace(-2, 2, 16))
        norm.bias.normal_()
    texts = [f"the sea is deep and sea {i} is red" for i in range(200)]
    observed = warm.observe(encoder, texts)[2]
    assert observed.moment.dtype == torch.float64
    w = warm.constant(observed, norm)
    x = F.layer_norm(torch.randn(500, 16), (16,)) * norm.weight + norm.bias
    torch.testing.assert_close(x @ w, torch.ones(500), atol=0.05, rtol=0)


@pytest.mark.parametrize("size", [8, 24, 40])
def test_warm_student_can_have_any_number_of_neurons(
    files: Path, pools: list[Pool], size: int
) -> None:
    part = StudentPart(init="warm", source=str(files), layers=(0,), intermediate_size=size)
    student, _ = make(part, pools)
    (own,) = student.stack()
    busy = own.output.weight.abs().sum(0) > 0
    assert (own.output.weight.shape, int(busy.sum())) == ((16, size), min(size, 24))


def test_pruned_student_has_the_vectors_of_its_tokens(files: Path, pools: list[Pool]) -> None:
    part = StudentPart(init="warm", source=str(files), layers=(0,), vocabulary=70)
    student, made = make(part, pools)
    old = tokenizer().get_vocab()
    words = load(files).model.words.weight
    assert student.config.vocab_size == made.get_vocab_size() == 70
    for token, i in made.get_vocab().items():
        assert torch.equal(student.words.weight[i], words[old[token]])


@pytest.mark.parametrize("activation", ["geglu", "reglu"])
def test_layers_of_a_jinabert_keep_all_that_is_around_them(
    mini: Path, pools: list[Pool], tmp_path: Path, activation: str
) -> None:
    mini = Path(shutil.copytree(mini, tmp_path / "larger"))
    values = {**read_config(mini / "config.json"), "feed_forward_type": activation}
    (mini / "config.json").write_text(json.dumps(values))
    config = JinaBertConfig.of(values, "mini")
    larger = checkpoint.load(mini / "model.safetensors", config, dtype=torch.float32, device=CPU)
    part = StudentPart(
        init="layers", source=str(mini), layers=tuple(range(config.num_hidden_layers))
    )
    student, made = make(part, pools)
    inputs = torch.tensor([0, 5, 6, 2]), torch.zeros(4, dtype=torch.long)
    groups = [Group(1, 4)]
    torch.testing.assert_close(student(*inputs, groups), larger(*inputs, groups))
    assert made.get_vocab() == Tokenizer.from_file(str(mini / "tokenizer.json")).get_vocab()


def test_one_layer_of_a_jinabert_is_that_layer(mini: Path, pools: list[Pool]) -> None:
    config = JinaBertConfig.of(read_config(mini / "config.json"), "mini")
    larger = checkpoint.load(mini / "model.safetensors", config, dtype=torch.float32, device=CPU)
    student, _ = make(StudentPart(init="layers", source=str(mini), layers=(1,)), pools)
    theirs = larger.layers[1].state_dict()
    assert all(torch.equal(t, theirs[name]) for name, t in student.layers[0].state_dict().items())


def test_layers_with_another_feed_forward_size_are_refused(mini: Path, pools: list[Pool]) -> None:
    part = StudentPart(init="layers", source=str(mini), layers=(0,), intermediate_size=7)
    with pytest.raises(ValueError, match="keeps the intermediate_size of its source"):
        make(part, pools)


def test_a_layer_that_the_source_does_not_have_is_refused(files: Path, pools: list[Pool]) -> None:
    part = StudentPart(init="warm", source=str(files), layers=(0, 7))
    with pytest.raises(CheckpointError, match="has layers 0 to 2, but layers names 7"):
        make(part, pools)


def test_drawn_students_differ_by_seed_alone(files: Path, pools: list[Pool]) -> None:
    part = StudentPart(**scratch(files))
    models = Models(Blocks(Path("unused")), CPU)
    first, again, other = (start(part, seed, pools, models)[0] for seed in (1, 1, 2))
    assert torch.equal(first.words.weight, again.words.weight)
    assert not torch.equal(first.words.weight, other.words.weight)


def test_pruning_keeps_specials_and_characters_then_what_is_frequent() -> None:
    made, old = vocabulary.prune(tokenizer(), ["gold and wood", "gold"], 61)
    kept = made.get_vocab()
    assert [token for token, i in sorted(kept.items(), key=lambda item: item[1])][:5] == list(
        SPECIALS
    )
    assert {"##z", "a", ".", "gold", "wood"} <= set(kept)
    assert "mars" not in kept
    assert made.encode("mars").tokens == ["[CLS]", "m", "##a", "##r", "##s", "[SEP]"]
    assert tokenizer().id_to_token(old[kept["gold"]]) == "gold"


def test_pruned_tokenizer_puts_a_query_before_a_document() -> None:
    made, _ = vocabulary.prune(tokenizer(), [], 80)
    encoding = made.encode("gold", "the sea")
    assert encoding.tokens == ["[CLS]", "gold", "[SEP]", "the", "sea", "[SEP]"]
    assert encoding.type_ids == [0, 0, 0, 1, 1, 1]


def test_a_vocabulary_without_room_for_characters_is_refused() -> None:
    with pytest.raises(ValueError, match="vocabulary must be at least 59"):
        vocabulary.prune(tokenizer(), [], 20)


def test_pruning_another_kind_of_tokenizer_is_refused() -> None:
    with pytest.raises(CheckpointError, match="in a WordPiece tokenizer, not in BPE"):
        vocabulary.prune(Tokenizer(BPE()), [], 20)


def test_written_tokenizer_names_the_special_tokens_it_has(tmp_path: Path) -> None:
    write_tokenizer(vocabulary.whole(tokenizer())[0], tmp_path, 512)
    told = read_config(tmp_path / "tokenizer_config.json")
    assert (told["model_max_length"], told["sep_token"]) == (512, "[SEP]")


def test_inputs_are_cut_to_a_length_and_to_a_multiple(tmp_path: Path) -> None:
    write_tokenizer(vocabulary.whole(tokenizer())[0], tmp_path, 512)
    inputs = Inputs(tmp_path / "tokenizer.json")
    passage = "the sea is deep " * 5
    (cut,) = inputs.pairs("sea", [passage], 12)
    assert (len(cut.ids), cut.types.count(1)) == (12, 9)
    (even,) = inputs.pairs("sea", [passage], 15, multiple=4)
    assert len(even.ids) == 12
    (short,) = inputs.pairs("sea", ["the sea"], 15, multiple=4)
    assert len(short.ids) == 6

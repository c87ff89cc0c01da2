"""The student: the engine's results, by a way that is cheaper to differentiate."""

import random

import torch
from jina_rerank_lab.distillation.encoder import Encoder, EncoderConfig
from jina_rerank_lab.distillation.student import Student
from torch import Tensor, nn

from jina_rerank.jina_bert.batching import Group, groups
from jina_rerank.jina_bert.config import JinaBertConfig
from jina_rerank.jina_bert.model import JinaBert
from jina_rerank.jina_bert.rows import rounded

CONFIG = JinaBertConfig(
    vocab_size=50,
    hidden_size=24,
    num_hidden_layers=3,
    num_attention_heads=3,
    intermediate_size=32,
    feed_forward_type="geglu",
)
GROUPS = [Group(2, 5), Group(1, 9)]


def models() -> tuple[JinaBert, Student]:
    torch.manual_seed(0)
    student = Student(CONFIG)
    engine = JinaBert(CONFIG)
    weights = {n: t for n, t in student.state_dict().items() if not n.startswith("probe")}
    engine.load_state_dict(weights)
    return engine, student


def inputs() -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(1)
    return torch.randint(50, (19,)), torch.randint(2, (19,))


def test_student_gives_the_logits_of_the_engine() -> None:
    engine, student = models()
    ids, types = inputs()
    torch.testing.assert_close(student(ids, types, GROUPS), engine(ids, types, GROUPS))


def test_student_gives_the_gradients_of_the_engine() -> None:
    engine, student = models()
    for model in (engine, student):
        model(*inputs(), GROUPS).square().sum().backward()
    own = dict(student.named_parameters())
    for name, parameter in engine.named_parameters():
        torch.testing.assert_close(own[name].grad, parameter.grad, rtol=1e-4, atol=1e-5)


def test_scored_states_are_the_logits_and_the_states_of_every_depth() -> None:
    _, student = models()
    logits, states = student.scored_states(*inputs(), GROUPS)
    torch.testing.assert_close(logits, student(*inputs(), GROUPS))
    for depth, found in enumerate(states, 1):
        torch.testing.assert_close(found, student.states(*inputs(), GROUPS, depth))


def test_states_of_all_layers_hold_what_the_head_reads() -> None:
    _, student = models()
    states = student.states(*inputs(), GROUPS)
    first = states[[0, 5, 10]]
    logits = student.classifier(torch.tanh(student.pooler(first))).squeeze(1)
    torch.testing.assert_close(logits, student(*inputs(), GROUPS))


def random_batches(count: int) -> list[tuple[Tensor, list[Group]]]:
    chance = random.Random(0)  # noqa: S311 - no secret
    made = []
    for _ in range(count):
        lengths = sorted(chance.randint(3, 30) for _ in range(chance.randint(1, 9)))
        made.append((torch.randint(50, (sum(lengths),)), groups(lengths)))
    return made


def watched(model: nn.Module) -> set[int]:
    """Note the numbers of rows that linear layers in half precision see."""
    seen: set[int] = set()

    def note(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        seen.add(len(inputs[0]))

    for layer in model.get_submodule("layers").modules():
        if isinstance(layer, nn.Linear):
            layer.register_forward_pre_hook(note)
    return seen


def test_training_in_bfloat16_sees_few_numbers_of_rows() -> None:
    _, student = models()
    seen = watched(student)
    for ids, lengths in random_batches(60):
        with torch.autocast("cpu", torch.bfloat16):
            logits, states = student.scored_states(ids, torch.zeros_like(ids), lengths)
            whole = student.states(ids, torch.zeros_like(ids), lengths)
        assert len(logits) == sum(group.count for group in lengths)
        assert {len(one) for one in (*states, whole)} == {len(ids)}
    assert seen == {rounded(rows) for rows in seen}
    assert len(seen) < 10


def test_encoder_in_bfloat16_sees_few_numbers_of_rows() -> None:
    config = EncoderConfig(
        vocab_size=50,
        hidden_size=24,
        num_hidden_layers=2,
        num_attention_heads=3,
        intermediate_size=32,
        max_position_embeddings=30,
    )
    encoder = Encoder(config)
    seen = watched(encoder)
    tapped: set[int] = set()

    def tap(name: str, _: int, found: Tensor) -> None:
        if name != "attention":
            tapped.add(len(found))

    batches = random_batches(60)
    for ids, lengths in batches:
        with torch.autocast("cpu", torch.bfloat16):
            assert len(encoder(ids, torch.zeros_like(ids), lengths, tap)) == len(ids)
    assert tapped == {len(ids) for ids, _ in batches}
    assert seen == {rounded(rows) for rows in seen}


def test_rows_of_padding_change_no_gradient() -> None:
    _, student = models()
    ids, types = inputs()
    gradients = []
    for narrow in (False, True):
        student.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=narrow):
            logits, states = student.scored_states(ids, types, GROUPS)
        (logits.square().sum() + states[-1].float().square().mean()).backward()
        found = [p.grad.flatten() for p in student.parameters() if p.grad is not None]
        gradients.append(torch.cat(found))
    exact, rough = gradients
    assert torch.cosine_similarity(exact, rough, dim=0) > 0.99


def test_logits_under_autocast_are_in_float32() -> None:
    _, student = models()
    ids, types = inputs()
    with torch.autocast("cpu", torch.bfloat16):
        logits, _ = student.scored_states(ids, types, GROUPS)
        alone = student(ids, types, GROUPS)
    assert (logits.dtype, alone.dtype) == (torch.float32, torch.float32)
    assert not torch.equal(logits, logits.bfloat16().float())

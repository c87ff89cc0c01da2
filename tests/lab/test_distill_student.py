"""The student: the engine's results, by a way that is cheaper to differentiate."""

import torch
from jina_rerank_lab.distillation.student import Student

from jina_rerank.jina_bert.batching import Group
from jina_rerank.jina_bert.config import JinaBertConfig
from jina_rerank.jina_bert.model import JinaBert

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

"""Turn layers of a BERT encoder into layers of a JinaBERT that compute nearly the same.

Three things differ. Positions: BERT adds a learned vector per position, JinaBERT takes slope times
distance off the attention; each head gets the slope that suits how far it looks. Feed-forward:
BERT's has biases and no gate; a bias becomes weights by way of a direction in which every
normalized vector has the same length. Tokens: some may be gone from the vocabulary.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from jina_rerank.jina_bert import alibi
from jina_rerank.jina_bert.batching import batches, groups
from jina_rerank.jina_bert.model import Layer

from .encoder import BATCH_TOKENS, EncoderLayer, LoadedEncoder
from .student import Student

PLACES = 128
"""Positions whose mean vector is added to every token."""

ROUNDING = 2.0**-8
"""Relative rounding of bfloat16, which the direction for biases has to bear."""

NEW = 0.02
"""Standard deviation of weights that nothing is known about, as BERT has it."""


@dataclass(frozen=True, slots=True)
class Observed:
    """What a layer of an encoder does on sample text.

    Attributes:
        distance: (H,), how many tokens away each head looks on average.
        mean: (C,) float64, the mean vector that goes into the feed-forward part.
        moment: (C, C) float64, the mean outer product of these vectors: `constant` lives on its
            smallest eigenvalues, which sums in float32 would lose.
        activity: (I,), the mean absolute activation of each neuron.
    """

    distance: Tensor
    mean: Tensor
    moment: Tensor
    activity: Tensor


def observe(encoder: LoadedEncoder, texts: Sequence[str]) -> list[Observed]:
    """Look at every layer of an encoder while it reads sample texts."""
    config = encoder.model.config
    layers, heads = config.num_hidden_layers, config.num_attention_heads
    sums = {
        "attention": torch.zeros(layers, heads),
        "mean": torch.zeros(layers, config.hidden_size, dtype=torch.float64),
        "normed": torch.zeros(layers, config.hidden_size, config.hidden_size, dtype=torch.float64),
        "inner": torch.zeros(layers, config.intermediate_size),
    }

    def tap(name: str, layer: int, x: Tensor) -> None:
        x = x.float().cpu()
        if name == "attention":
            place = torch.arange(x.shape[-1], dtype=torch.float32)
            distance = (place[:, None] - place).abs()
            sums[name][layer] += (x * distance).sum((0, 2, 3))
        elif name == "normed":
            x = x.double()
            sums["mean"][layer] += x.sum(0)
            sums[name][layer] += x.T @ x
        else:
            sums[name][layer] += x.abs().sum(0)

    inputs = encoder.encode(texts)
    tokens = sum(map(len, inputs))
    for batch in batches([len(ids) for ids in inputs], BATCH_TOKENS):
        ids = torch.tensor([token for i in batch for token in inputs[i]])
        encoder.run(ids, groups([len(inputs[i]) for i in batch]), tap=tap)
    means = {name: value / tokens for name, value in sums.items()}
    return [
        Observed(means["attention"][i], means["mean"][i], means["normed"][i], means["inner"][i])
        for i in range(layers)
    ]


@torch.no_grad()
def start(
    student: Student,
    encoder: LoadedEncoder,
    layers: Sequence[int],
    tokens: Sequence[int],
    texts: Sequence[str],
) -> None:
    """Fill a student with what chosen layers of an encoder know.

    Its pooler starts as the identity, so that the classifier sees [CLS] itself.

    Args:
        student: A student as wide as the encoder and with as many heads.
        encoder: The encoder.
        layers: Which of its layers become the student's, in order.
        tokens: The encoder's id of each token of the student.
        texts: Sample text.
    """
    model = encoder.model
    student.words.weight[: len(tokens)] = model.words.weight[list(tokens)]
    place = model.places.weight[:PLACES].mean(0)
    student.types.weight.copy_(model.types.weight[: len(student.types.weight)] + place)
    nn.init.eye_(student.pooler.weight)
    student.norm.load_state_dict(model.norm.state_dict())
    observed = observe(encoder, texts)
    stack = model.stack()
    for own, chosen in zip(student.stack(), layers, strict=True):
        _attention(own, stack[chosen], observed[chosen].distance)
        _feed_forward(own, stack[chosen], observed[chosen])
        for norm in ("attention_norm", "output_norm"):
            own.get_submodule(norm).load_state_dict(stack[chosen].get_submodule(norm).state_dict())


def head_order(distance: Tensor) -> list[int]:
    """Choose which of the encoder's heads each of the student's becomes.

    The most local head gets the steepest slope.

    Args:
        distance: (H,), how many tokens away each head looks on average.

    >>> head_order(torch.tensor([9.0, 1.0, 5.0]))  # slopes 0.0625, 0.0039, 0.25
    [2, 0, 1]
    """
    near_to_far = distance.argsort().tolist()
    slopes = alibi.slopes(len(near_to_far))
    steep_to_flat = sorted(range(len(slopes)), key=lambda head: -slopes[head])
    order = dict(zip(steep_to_flat, near_to_far, strict=True))
    return [order[head] for head in range(len(slopes))]


def constant(observed: Observed, norm: nn.LayerNorm) -> Tensor:
    """Find w with w . x nearly 1 for every x that goes into the feed-forward part.

    A layer norm's result minus its bias, divided by its weight, sums up to zero, so there is such a
    direction. Found by least squares over what was observed and over any other result of the norm,
    it also keeps the rounding of bfloat16 small.

    Args:
        observed: What the layer does on sample text.
        norm: The layer norm before the feed-forward part.

    Returns:
        (C,)
    """
    weight, bias = norm.weight.double(), norm.bias.double()
    spread = torch.diag(weight.square()) - torch.outer(weight, weight) / len(weight)
    moment = observed.moment + spread + torch.outer(bias, bias)
    rounding = torch.diag(moment.diagonal() * ROUNDING**2)
    found: Tensor = torch.linalg.solve(moment + rounding, observed.mean + bias)
    return found.float()


def _attention(own: Layer, theirs: EncoderLayer, distance: Tensor) -> None:
    order = head_order(distance)
    qkv, out = theirs.qkv, theirs.attended
    heads, width = len(order), out.weight.shape[0]
    weight = qkv.weight.view(3, heads, -1, width)[:, order]
    own.qkv.weight.copy_(weight.reshape(3 * width, width))
    own.qkv.bias.copy_(qkv.bias.view(3, heads, -1)[:, order].flatten())
    own.attended.weight.copy_(out.weight.view(width, heads, -1)[:, order].flatten(1))
    own.attended.bias.copy_(out.bias)


def _feed_forward(own: Layer, theirs: EncoderLayer, observed: Observed) -> None:
    """Fold a dense feed-forward part into a gated one whose gate is 1.

    The gated unit has no biases: ``inner(x) = (W + b wᵀ) x`` where w . x = 1, and the factor that
    it has instead is w itself. Too many neurons lose the least active; too few get new ones that
    do nothing yet.
    """
    inner, output = theirs.inner, theirs.output
    size = own.output.weight.shape[1]
    w = constant(observed, theirs.attention_norm)
    importance = observed.activity * output.weight.norm(dim=0)
    kept = importance.argsort(descending=True)[:size].sort().values
    count = len(kept)
    gate, value = own.gated.weight.chunk(2)
    gate.normal_(std=NEW)
    gate[:count] = inner.weight[kept] + inner.bias[kept, None] * w
    value.copy_(w.expand_as(value))
    own.output.weight.zero_()
    own.output.weight[:, :count] = output.weight[:, kept]
    own.output.bias.copy_(output.bias)

"""The stage that learns what an encoder makes of every token."""

from collections.abc import Sequence

import torch
from torch import Tensor

from jina_rerank.jina_bert.batching import batches
from jina_rerank.jina_bert.tokenizer import Pair

from .inputs import Inputs, batch
from .losses import relative_mse
from .pairs import rng
from .recipe import StagePart
from .sampling import Sampler
from .student import Student
from .targets import Targets


class Features:
    """Brings a student's states of tokens to those of a BERT encoder.

    Args:
        part: The stage.
        sampler: Where queries and passages come from.
        inputs: What makes inputs of them.
        targets: What the encoder makes of them.
        device: Where to compute.
    """

    def __init__(
        self,
        part: StagePart,
        sampler: Sampler,
        inputs: Inputs,
        targets: Targets,
        device: torch.device,
    ) -> None:
        self._part = part
        self._sampler = sampler
        self._inputs = inputs
        self._targets = targets
        self._device = device

    def parameters(self, student: Student) -> list[str]:
        """Name the parameters that the stage reaches: not the head, nor layers above its depth."""
        layers = len(student.layers)
        depth = layers if self._part.depth is None else self._part.depth
        above = (f"layers.{i}." for i in range(depth, layers))
        beyond = ("pooler", "classifier", "probe", *above)
        return [name for name, _ in student.named_parameters() if not name.startswith(beyond)]

    def step(self, student: Student, number: int) -> tuple[dict[str, float], int]:
        """Add the gradients of a step; see `Ranking.step`."""
        part = self._part
        places = range(number * part.lists, (number + 1) * part.lists)
        limit = part.tokens(number)
        pairs = [self._pair(place, limit) for place in places]
        sums = {"loss": 0.0, "features": 0.0, "pooled": 0.0}
        for indices in batches([len(pair.ids) for pair in pairs], part.batch_tokens):
            share = len(indices) / len(pairs)
            rest, own = self._losses(student, [pairs[i] for i in indices])
            loss = rest + part.pooled * own
            (loss * share).backward()
            for name, value in (("loss", loss), ("features", rest), ("pooled", own)):
                sums[name] += share * float(value.detach())
        return sums, sum(len(pair.ids) for pair in pairs)

    def _pair(self, position: int, limit: int) -> Pair:
        """Draw a query with one of its candidates."""
        part = self._part
        drawn = self._sampler.draw(position, part.size, part.hard)
        chosen = _chosen(self._sampler.seed, position, len(drawn.passages))
        (pair,) = self._inputs.pairs(
            drawn.query, [drawn.passages[chosen]], limit, multiple=part.multiple
        )
        return pair

    def _losses(self, student: Student, pairs: Sequence[Pair]) -> tuple[Tensor, Tensor]:
        """Compare the states of some pairs of sorted length: of all tokens but [CLS], and of it."""
        made = batch(pairs, self._device)
        first = firsts([len(pair.ids) for pair in pairs]).to(self._device)
        if self._part.joint:
            target = self._targets.joint(pairs)
            pooled = target[first]
        else:
            read = self._targets.alone(pairs)
            target = torch.cat([one.states() for one in read])
            pooled = torch.stack([one.pooled() for one in read])
        with torch.autocast(self._device.type, torch.bfloat16):
            states = student.states(made.ids, made.types, made.groups, self._part.depth)
        rest = relative_mse(states[~first].float(), target[~first])
        return rest, relative_mse(states[first].float(), pooled)


def _chosen(seed: int, position: int, count: int) -> int:
    """Draw one of the passages of a list."""
    return int(rng(seed, "feature", position).integers(count))


def firsts(lengths: Sequence[int]) -> Tensor:
    """Mark the first token of each input: (T,) booleans.

    >>> firsts([2, 1]).tolist()
    [True, False, True]
    """
    mask = torch.zeros(sum(lengths), dtype=torch.bool)
    mask[torch.tensor([0, *lengths[:-1]]).cumsum(0)] = True
    return mask

"""The stage that learns what an encoder makes of every token."""

from collections.abc import Sequence

import torch
from torch import Tensor

from jina_rerank.errors import CheckpointError
from jina_rerank.jina_bert.batching import batches, groups
from jina_rerank.jina_bert.tokenizer import Pair

from .encoder import LoadedEncoder
from .inputs import Inputs, batch
from .losses import relative_mse
from .pairs import rng
from .recipe import StagePart
from .sampling import Sampler
from .student import Student


class Features:
    """Brings a student's states of tokens to those of a BERT encoder.

    The encoder reads the student's tokens, under its own ids, so that states correspond. It reads
    query and passage alone, and [CLS] is to become the mean of the query's states; or both at once.

    Args:
        part: The stage.
        sampler: Where queries and passages come from.
        inputs: What makes inputs of them.
        teacher: The encoder.
        device: Where to compute.

    Raises:
        CheckpointError: The student has tokens that the encoder does not.
    """

    def __init__(
        self,
        part: StagePart,
        sampler: Sampler,
        inputs: Inputs,
        teacher: LoadedEncoder,
        device: torch.device,
    ) -> None:
        self._part = part
        self._sampler = sampler
        self._inputs = inputs
        self._teacher = teacher
        self._device = device
        self._ids = _translation(inputs, teacher)

    def parameters(self, student: Student) -> list[str]:
        """Name the parameters that the stage reaches: not the head, nor layers above its depth."""
        depth = len(student.layers) if self._part.depth is None else self._part.depth
        beyond = ("pooler", "classifier", *(f"layers.{i}." for i in range(depth, len(student.layers))))
        return [name for name, _ in student.named_parameters() if not name.startswith(beyond)]

    def step(self, student: Student, number: int) -> tuple[dict[str, float], int]:
        """Add the gradients of a step; see `Ranking.step`."""
        part = self._part
        pairs = [
            self._pair(place) for place in range(number * part.lists, (number + 1) * part.lists)
        ]
        sums = {"loss": 0.0, "tokens": 0.0, "pooled": 0.0}
        for indices in batches([len(pair.ids) for pair in pairs], part.batch_tokens):
            some = [pairs[i] for i in indices]
            share = len(some) / len(pairs)
            made = batch(some, self._device)
            target, pooled = self._targets([some[i] for i in made.order])
            with torch.autocast(self._device.type, torch.bfloat16):
                states = student.states(made.ids, made.types, made.groups, part.depth)
            first = _first(made.ids, [len(some[i].ids) for i in made.order])
            rest = relative_mse(states[~first].float(), target[~first])
            own = relative_mse(states[first].float(), pooled) if len(some) > 1 else 0 * rest
            loss = rest + part.pooled * own
            (loss * share).backward()
            for name, value in (("loss", loss), ("tokens", rest), ("pooled", own)):
                sums[name] += share * float(value.detach())
        return sums, sum(len(pair.ids) for pair in pairs)

    def _pair(self, position: int) -> Pair:
        """Draw a query with one of its candidates."""
        drawn = self._sampler.draw(position, self._part.size, self._part.hard)
        chosen = int(rng(position, "feature").integers(len(drawn.passages)))
        (pair,) = self._inputs.pairs(
            drawn.query, [drawn.passages[chosen]], self._part.max_tokens
        )
        return pair

    def _targets(self, pairs: Sequence[Pair]) -> tuple[Tensor, Tensor]:
        """Return what every token should become, (T, C), and what each [CLS] should, (N, C)."""
        if self._part.joint:
            ids = self._ids[[token for pair in pairs for token in pair.ids]]
            types = torch.tensor([kind for pair in pairs for kind in pair.types])
            lengths = [len(pair.ids) for pair in pairs]
            states = self._teacher.run(ids, groups(lengths), types=types).float()
            return states, torch.stack([part[0] for part in states.split(lengths)])
        first = self._inputs.tokenizer.template.specials[0]
        alone: list[list[int]] = []
        for pair in pairs:
            # A query with the special tokens around it; then the passage, which gets a first one.
            edge = _edge(pair, self._inputs)
            alone += [pair.ids[:edge], [*first, *pair.ids[edge:]]]
        states_of: list[Tensor] = [torch.empty(0)] * len(alone)
        for indices, states in self._teacher.states([self._ids[ids].tolist() for ids in alone]):
            for i, state in zip(indices, states, strict=True):
                states_of[i] = state.float()
        whole = [
            torch.cat([query, passage[len(first) :]])
            for query, passage in zip(states_of[::2], states_of[1::2], strict=True)
        ]
        return torch.cat(whole), torch.stack([query.mean(0) for query in states_of[::2]])


def _edge(pair: Pair, inputs: Inputs) -> int:
    """Return where the passage begins, after the special tokens that follow the query."""
    between = inputs.tokenizer.template.specials[1]
    return pair.ids.index(between[-1], len(inputs.tokenizer.template.specials[0])) + 1


def _first(ids: Tensor, lengths: Sequence[int]) -> Tensor:
    """Mark the first token of each input, (T,)."""
    mask = torch.zeros(len(ids), dtype=torch.bool)
    mask[torch.tensor([0, *lengths[:-1]]).cumsum(0)] = True
    return mask.to(ids.device)


def _translation(inputs: Inputs, teacher: LoadedEncoder) -> Tensor:
    """Return the encoder's id of each of the student's tokens."""
    own, theirs = inputs.vocabulary(), teacher.tokenizer.get_vocab()
    missing = [token for token in own if token not in theirs]
    if missing:
        msg = (
            f"the encoder of a features stage lacks {len(missing)} of the student's tokens, such "
            f"as {missing[0]!r}; use the encoder that the student's vocabulary is from"
        )
        raise CheckpointError(msg)
    ids = torch.zeros(max(own.values()) + 1, dtype=torch.long)
    for token, i in own.items():
        ids[i] = theirs[token]
    return ids

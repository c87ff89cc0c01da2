"""What an encoder makes of the student's own tokens: states to learn, and matches to see.

The encoder reads the student's tokens under its own ids, so that each of the student's states has
one that corresponds. Query and passage are read alone: what the encoder knows of each is kept, and
how they go together is what the student has to find out.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 - the field's own abbreviation
from torch import Tensor

from jina_rerank.errors import CheckpointError
from jina_rerank.jina_bert.batching import groups
from jina_rerank.jina_bert.tokenizer import Pair

from .encoder import LoadedEncoder
from .inputs import Inputs
from .losses import SPREAD
from .recipe import TeacherPart

COSINE = "cosine"
"""Of `recipe.LIVE`: between the means of query and passage. The other one is late interaction."""


@dataclass(frozen=True, slots=True)
class Read:
    """A pair as the encoder reads it, query and passage alone.

    Attributes:
        query: (Q, C), the states of [CLS], the query and [SEP].
        passage: (P, C), the states of [CLS], the passage and [SEP].
    """

    query: Tensor
    passage: Tensor

    def states(self) -> Tensor:
        """Return what the tokens of the pair should become, (Q + P - 1, C)."""
        return torch.cat([self.query, self.passage[1:]])

    def pooled(self) -> Tensor:
        """Return what [CLS] should become: the mean of the query, (C,)."""
        return self.query.mean(0)

    def matches(self) -> Tensor:
        """Return the best cosine of each token of the query in the passage, (Q - 2,)."""
        query, passage = (F.normalize(part[1:-1], dim=1) for part in (self.query, self.passage))
        if not len(passage):  # what its characters are, no token says
            return query.new_zeros(len(query))
        return (query @ passage.T).amax(1)


class Targets:
    """Has an encoder read what a student reads.

    Args:
        inputs: The student's tokens.
        teacher: The encoder.
        live: The teachers that score by it.

    Raises:
        CheckpointError: The student has tokens that the encoder does not.
    """

    def __init__(
        self, inputs: Inputs, teacher: LoadedEncoder, live: Sequence[TeacherPart] = ()
    ) -> None:
        self._template = inputs.tokenizer.template
        self._inputs = inputs
        self._teacher = teacher
        self._live = live
        self._ids = _translation(inputs, teacher)
        self._rarity = torch.ones(len(self._ids))

    def weigh(self, texts: Sequence[str]) -> None:
        """Learn from some texts which tokens are rare, and count the more in `scores`."""
        counts = torch.zeros(len(self._rarity))
        for ids in self._inputs.tokenizer.encode(texts):
            counts[list(set(ids))] += 1
        self._rarity = (1 + len(texts) / counts.clamp(min=1)).log().sqrt()

    def scores(
        self, pairs: Sequence[Pair], read: Sequence[Read], sizes: Sequence[int]
    ) -> list[Tensor]:
        """Score pairs as the teachers ``cosine`` and ``maxsim`` do.

        Args:
            pairs: The pairs, list by list.
            read: What `alone` returned for them.
            sizes: How many each list has.

        Returns:
            The sum of these teachers at their weights, for each list.
        """
        whole = [torch.zeros(size) for size in sizes]
        for part in self._live:
            one = self._cosine if part.spec == COSINE else self._late
            found = torch.tensor([one(*both) for both in zip(pairs, read, strict=True)])
            for i, own in enumerate(found.split(list(sizes))):
                whole[i] += part.weight * _fitted(own, part)
        return whole

    def _cosine(self, _pair: Pair, read: Read) -> float:
        return float(F.cosine_similarity(read.pooled(), read.passage.mean(0), dim=0))

    def _late(self, pair: Pair, read: Read) -> float:
        weights = self._rarity[pair.ids[1 : self.edge(pair) - 1]]
        return float(weights @ read.matches().cpu() / weights.sum().clamp(min=SPREAD))

    def alone(self, pairs: Sequence[Pair]) -> list[Read]:
        """Read queries and passages alone, each text once."""
        first = self._template.specials[0]
        places: dict[tuple[int, ...], int] = {}
        parts = []
        for pair in pairs:
            edge = self.edge(pair)
            both = tuple(pair.ids[:edge]), (*first, *pair.ids[edge:])
            parts.append([places.setdefault(ids, len(places)) for ids in both])
        inputs = [self._ids[list(ids)].tolist() for ids in places]
        states = [torch.empty(0)] * len(inputs)
        for indices, found in self._teacher.states(inputs):
            for i, state in zip(indices, found, strict=True):
                states[i] = state.float()
        return [Read(states[query], states[passage]) for query, passage in parts]

    def joint(self, pairs: Sequence[Pair]) -> Tensor:
        """Read pairs of sorted length at once: (T, C)."""
        ids = self._ids[[token for pair in pairs for token in pair.ids]]
        types = torch.tensor([kind for pair in pairs for kind in pair.types])
        return self._teacher.run(
            ids, groups([len(pair.ids) for pair in pairs]), types=types
        ).float()

    def edge(self, pair: Pair) -> int:
        """Return where the passage begins, after the special token that follows the query."""
        return pair.ids.index(self._template.specials[1][-1], 1) + 1


def _fitted(scores: Tensor, part: TeacherPart) -> Tensor:
    """Bring a teacher's scores of a list to the scale that the recipe wants."""
    if part.scale is not None:
        return part.scale * (scores - part.shift)
    return (scores - scores.mean()) / scores.std(correction=0).clamp(min=SPREAD)


def _translation(inputs: Inputs, teacher: LoadedEncoder) -> Tensor:
    """Return the encoder's id of each of the student's tokens."""
    own, theirs = inputs.tokenizer.vocabulary(), teacher.tokenizer.get_vocab()
    missing = [token for token in own if token not in theirs]
    if missing:
        msg = (
            f"the encoder that a stage learns from lacks {len(missing)} of the student's tokens, "
            f"such as {missing[0]!r}; use the encoder that the student's vocabulary is from"
        )
        raise CheckpointError(msg)
    ids = torch.zeros(max(own.values()) + 1, dtype=torch.long)
    for token, i in own.items():
        ids[i] = theirs[token]
    return ids

"""Which lists a step is made of: a function of the seed and the step, so that a run can go on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .mining import NONE, Lists
from .pairs import rng


@dataclass(frozen=True, slots=True)
class Source:
    """A file that lists are drawn from.

    Attributes:
        lists: Its queries and their candidates.
        scores: (n, K), what the teachers think of them; None without teachers.
        rows: The queries to train on; the others are held out.
        weight: How often each comes in an epoch.
    """

    lists: Lists
    scores: NDArray[np.float32] | None
    rows: NDArray[np.intp]
    weight: float


@dataclass(frozen=True, slots=True)
class Drawn:
    """A list to learn from.

    Attributes:
        query: The query.
        passages: Its passages, the positive first if there is one.
        scores: What the teachers think of each; None without teachers.
        labelled: There is a positive.
    """

    query: str
    passages: list[str]
    scores: list[float] | None
    labelled: bool


class Sampler:
    """Draws lists: every query once per epoch, or as often as the weight of its file says.

    Args:
        sources: The files.
        seed: What chance depends on.
    """

    def __init__(self, sources: Sequence[Source], seed: int) -> None:
        self._sources = sources
        self.seed = seed
        self._epoch = -1
        self._order: NDArray[np.intp] = np.zeros((0, 2), np.intp)
        self.size = sum(self._share(source) for source in sources)

    def draw(self, position: int, size: int, hard: int) -> Drawn:
        """Draw a list.

        Args:
            position: Its place in the sequence of all lists of a run.
            size: Passages.
            hard: Of them, how many that were found for the query; if there are fewer, random ones
                fill the list, and the other way round.
        """
        epoch, place = divmod(position, self.size)
        if epoch != self._epoch:
            self._epoch, self._order = epoch, self._shuffled(epoch)
        which, row = self._order[place]
        source = self._sources[which]
        places = source.lists.places[row]
        columns = self._columns(places, source.lists.hard, size, hard, position)
        scores = None if source.scores is None else source.scores[row, columns].tolist()
        passages = [source.lists.pool.passages[places[column]] for column in columns]
        labelled = bool(places[0] != NONE)
        return Drawn(source.lists.pool.queries[row], passages, scores, labelled)

    def _columns(
        self, places: NDArray[np.int32], edge: int, size: int, hard: int, position: int
    ) -> list[int]:
        chance = rng(self.seed, "list", position)
        there = np.flatnonzero(places != NONE)
        found = chance.permutation(there[(there > 0) & (there < edge)]).tolist()
        random = chance.permutation(there[there >= edge]).tolist()
        first = [0] if places[0] != NONE else []
        chosen = [*first, *found[:hard]][:size]
        return [*chosen, *[*random, *found[hard:]][: size - len(chosen)]]

    def _share(self, source: Source) -> int:
        return max(1, round(source.weight * len(source.rows))) if source.weight else 0

    def _shuffled(self, epoch: int) -> NDArray[np.intp]:
        chance = rng(self.seed, "epoch", epoch)
        parts = []
        for which, source in enumerate(self._sources):
            count = self._share(source)
            rounds = -(-count // len(source.rows)) if count else 0
            rows = [chance.permutation(source.rows) for _ in range(rounds)]
            chosen = np.concatenate([np.zeros(0, np.intp), *rows])[:count]
            parts.append(np.stack([np.full(count, which, np.intp), chosen], axis=1))
        return chance.permutation(np.concatenate(parts))

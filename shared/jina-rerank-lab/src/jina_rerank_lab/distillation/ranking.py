"""The stage that learns to rank: lists of scores against the teachers' and the labels."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from jina_rerank.jina_bert.tokenizer import Pair

from . import losses
from .features import firsts
from .inputs import Inputs, batch
from .recipe import TAUGHT, StagePart
from .sampling import Drawn, Sampler
from .student import Student
from .targets import Read, Targets

COMPARED = {
    "kl": losses.kl,
    "margin_mse": losses.margin_mse,
    "mse": losses.mse,
    "absolute": losses.absolute,
}
"""Losses that compare a list with what teachers say, by their names in a recipe."""


class Ranking:
    """Brings a student's scores of lists to what teachers and labels say.

    Args:
        part: The stage.
        sampler: Where lists come from.
        inputs: What makes inputs of them.
        targets: What an encoder makes of them; None if nothing needs it.
        device: Where to compute.
    """

    def __init__(
        self,
        part: StagePart,
        sampler: Sampler,
        inputs: Inputs,
        targets: Targets | None,
        device: torch.device,
    ) -> None:
        self._part = part
        self._sampler = sampler
        self._inputs = inputs
        self._targets = targets
        self._device = device

    def parameters(self, student: Student) -> list[str]:
        """Name the parameters that the stage reaches: all, the probe only if it is used."""
        beyond = () if self._part.probe > 0 else ("probe",)
        return [name for name, _ in student.named_parameters() if not name.startswith(beyond)]

    def step(self, student: Student, number: int) -> tuple[dict[str, float], int]:
        """Add the gradients of a step.

        Args:
            student: The student.
            number: The step's, from 0.

        Returns:
            The losses, averaged over the step's lists, and how many tokens they have.
        """
        part = self._part
        places = range(number * part.lists, (number + 1) * part.lists)
        lists = [self._sampler.draw(place, part.size, part.hard) for place in places]
        sums: dict[str, float] = {}
        tokens = 0
        for some in self._batches(lists, part.tokens(number)):
            drawn = [one for one, _ in some]
            pairs = [pair for _, pairs in some for pair in pairs]
            tokens += sum(len(pair.ids) for pair in pairs)
            made = batch(pairs, self._device)
            with torch.autocast(self._device.type, torch.bfloat16):
                logits, states = student.scored_states(made.ids, made.types, made.groups)
            read = [] if self._targets is None else self._targets.alone(pairs)
            live = [torch.zeros(len(one.passages)) for one in drawn]
            if self._targets is not None and part.taught:
                live = self._targets.scores(pairs, read, list(map(len, live)))
            parts = self._losses(drawn, made.restore(logits.float()), live)
            if self._targets is not None:
                order = made.order.tolist()
                ordered = [pairs[i] for i in order], [read[i] for i in order]
                found = self._state_losses(student, self._targets, *ordered, states)
                parts |= {name: len(some) * value for name, value in found.items()}
            loss = torch.stack([self._weight(name) * value for name, value in parts.items()]).sum()
            (loss / part.lists).backward()
            for name, value in {"loss": loss, **parts}.items():
                sums[name] = sums.get(name, 0.0) + float(value.detach()) / part.lists
        return sums, tokens

    def _batches(
        self, lists: Sequence[Drawn], limit: int
    ) -> Iterator[list[tuple[Drawn, list[Pair]]]]:
        """Split a step's lists into forward passes; a list stays whole."""
        part = self._part
        some: list[tuple[Drawn, list[Pair]]] = []
        tokens = 0
        for drawn in lists:
            pairs = self._inputs.pairs(drawn.query, drawn.passages, limit, multiple=part.multiple)
            more = sum(len(pair.ids) for pair in pairs)
            if some and tokens + more > part.batch_tokens:
                yield some
                some, tokens = [], 0
            some.append((drawn, pairs))
            tokens += more
        yield some

    def _weight(self, name: str) -> float:
        return 0.0 if name == "agreement" else float(getattr(self._part, name))

    def _losses(
        self, lists: Sequence[Drawn], logits: Tensor, live: Sequence[Tensor]
    ) -> dict[str, Tensor]:
        """Sum each loss over some lists; `agreement` is only watched."""
        part = self._part
        sizes = [len(one.passages) for one in lists]
        matrix = _padded(logits.split(sizes), max(sizes))
        mask = torch.arange(max(sizes)) < torch.tensor(sizes)[:, None]
        mask = mask.to(logits.device)
        labelled = torch.tensor([one.labelled for one in lists], device=logits.device)
        parts = {}
        if part.taught:
            given = [
                (own if one.scores is None else own + torch.tensor(one.scores)).to(logits.device)
                for one, own in zip(lists, live, strict=True)
            ]
            compared = matrix, _padded(given, max(sizes)), mask, part.temperature
            for name in TAUGHT:
                if getattr(part, name) > 0:
                    parts[name] = COMPARED[name](*compared)
            if "margin_mse" in parts:
                parts["margin_mse"] = parts["margin_mse"] * labelled
        parts["contrastive"] = losses.contrastive(matrix, mask) * labelled
        if part.bce > 0:
            parts["bce"] = losses.bce(matrix, mask) * labelled
        parts["agreement"] = losses.agreement(matrix, mask) * labelled
        return {name: value.sum() for name, value in parts.items()}

    def _state_losses(
        self,
        student: Student,
        targets: Targets,
        pairs: Sequence[Pair],
        read: Sequence[Read],
        states: Sequence[Tensor],
    ) -> dict[str, Tensor]:
        """Compare what the layers make of the tokens of pairs with what an encoder makes of them."""
        part = self._part
        parts = {}
        if part.features > 0:
            depth = len(states) if part.depth is None else part.depth
            rest = ~firsts([len(pair.ids) for pair in pairs]).to(self._device)
            target = torch.cat([one.states() for one in read])
            parts["features"] = losses.relative_mse(states[depth - 1][rest].float(), target[rest])
        if part.probe > 0:
            asked = torch.cat([_asked(pair, targets.edge(pair)) for pair in pairs])
            found = student.probe(states[-1][asked.to(self._device)].float()).squeeze(1)
            parts["probe"] = losses.matching(found, torch.cat([one.matches() for one in read]))
        return parts


def _asked(pair: Pair, edge: int) -> Tensor:
    """Mark the tokens of the query, without the special ones around it: (L,) booleans."""
    place = torch.arange(len(pair.ids))
    return (place > 0) & (place < edge - 1)


def _padded(rows: Sequence[Tensor], width: int) -> Tensor:
    """Stack rows of different lengths, zeros after the shorter ones."""
    return torch.stack([torch.nn.functional.pad(row, (0, width - len(row))) for row in rows])

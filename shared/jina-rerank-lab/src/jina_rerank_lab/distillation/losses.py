"""What a ranking stage minimizes, of lists of scores.

Dimensions: Q lists of S passages, the positive first. Places without a passage are masked.
"""

import torch
import torch.nn.functional as F  # noqa: N812 - the field's own abbreviation
from torch import Tensor

LOW = -1e4
"""A score that gets no probability."""

SPREAD = 1e-3
"""Below it vectors count as equal: a single one differs from no other."""


def kl(logits: Tensor, teacher: Tensor, mask: Tensor, temperature: float) -> Tensor:
    """Divergence of the student's probabilities within each list from the teachers': (Q,).

    The ListNet loss (Cao et al. 2007) with a teacher's scores, less their own entropy, so that 0 is
    full agreement.

    Args:
        logits: (Q, S), the student's.
        teacher: (Q, S), the teachers'.
        mask: (Q, S), True where there is a passage.
        temperature: What the teachers' scores are divided by.
    """
    target = (teacher / temperature).masked_fill(~mask, LOW).log_softmax(1)
    own = logits.masked_fill(~mask, LOW).log_softmax(1)
    return F.kl_div(own, target, reduction="none", log_target=True).sum(1)


def margin_mse(logits: Tensor, teacher: Tensor, mask: Tensor, temperature: float) -> Tensor:
    """Squared error of the differences between positive and others: (Q,).

    Margin-MSE (Hofstätter et al. 2020, section 3.2); arguments as in `kl`.
    """
    difference = (logits[:, :1] - logits) - (teacher[:, :1] - teacher) / temperature
    others = mask.clone()
    others[:, 0] = False
    squares = difference.masked_fill(~others, 0).square().sum(1)
    return squares / others.sum(1).clamp(min=1)


def mse(logits: Tensor, teacher: Tensor, mask: Tensor, temperature: float) -> Tensor:
    """Squared error of scores, the mean of each list taken off: (Q,); arguments as in `kl`."""
    own, given = (_centred(scores, mask) for scores in (logits, teacher / temperature))
    return (own - given).square().sum(1) / mask.sum(1)


def absolute(logits: Tensor, teacher: Tensor, mask: Tensor, temperature: float) -> Tensor:
    """Squared error of scores as they are: (Q,); arguments as in `kl`.

    It ties lists together: a good passage of one gets about the score of a good one of another.
    """
    return (logits - teacher / temperature).masked_fill(~mask, 0).square().sum(1) / mask.sum(1)


def contrastive(logits: Tensor, mask: Tensor) -> Tensor:
    """Cross-entropy with the positive, which is first: (Q,)."""
    return -logits.masked_fill(~mask, LOW).log_softmax(1)[:, 0]


def bce(logits: Tensor, mask: Tensor) -> Tensor:
    """Binary cross-entropy of every score, positive and others weighing the same: (Q,)."""
    wrong = F.softplus(logits).masked_fill(~mask, 0)
    others = wrong[:, 1:].sum(1) / mask[:, 1:].sum(1).clamp(min=1)
    return (F.softplus(-logits[:, 0]) + others) / 2


def relative_mse(states: Tensor, target: Tensor) -> Tensor:
    """Squared error of vectors, as a share of how much the target's differ: 1 is knowing nothing.

    Args:
        states: (T, C), the student's.
        target: (T, C), the teacher's.
    """
    spread = (target - target.mean(0)).square().mean()
    return (states - target).square().mean() / spread.clamp(min=SPREAD)


def agreement(logits: Tensor, mask: Tensor) -> Tensor:
    """Whether the positive is on top, 1 or 0: a number to watch, not to minimize: (Q,)."""
    return (logits.masked_fill(~mask, LOW).argmax(1) == 0).float()


def matching(found: Tensor, matches: Tensor) -> Tensor:
    """Squared error of what a probe reads off tokens, as a share of how much the matches differ.

    Args:
        found: (T,), the probe's.
        matches: (T,), how well each token of a query is matched.
    """
    spread, mean = torch.std_mean(matches)
    return (found - (matches - mean) / spread.clamp(min=SPREAD)).square().mean()


def _centred(scores: Tensor, mask: Tensor) -> Tensor:
    there = scores.masked_fill(~mask, 0)
    return (there - there.sum(1, keepdim=True) / mask.sum(1, keepdim=True)).masked_fill(~mask, 0)

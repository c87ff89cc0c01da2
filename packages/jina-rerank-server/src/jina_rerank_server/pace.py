"""What the passes so far say of the next: how long text is in tokens, and how fast documents go."""

TOKENS_PER_CHARACTER = 0.25
"""English prose, before anything is measured."""

WEIGHT = 0.2
"""How much the newest pass counts: about the last ten are remembered."""


class Pace:
    """Moving averages over passes.

    Attributes:
        tokens_per_character: What a character is in tokens, special tokens included.
        documents_per_second: How fast documents are scored; None before the first pass.
    """

    def __init__(self) -> None:
        self.tokens_per_character = TOKENS_PER_CHARACTER
        self.documents_per_second: float | None = None

    def learn(self, *, documents: int, characters: int, tokens: int, seconds: float) -> None:
        """Learn from a pass; one that read nothing, of blank documents or kept scores, says nothing.

        Args:
            documents: How many it scored.
            characters: What they had, the query's once for each.
            tokens: What the model read.
            seconds: How long it took.
        """
        if not tokens or seconds <= 0:
            return
        self.tokens_per_character += WEIGHT * (tokens / characters - self.tokens_per_character)
        rate = documents / seconds
        known = self.documents_per_second
        self.documents_per_second = rate if known is None else known + WEIGHT * (rate - known)

    def seconds(self, documents: int) -> float:
        """Guess how long so many documents take; at least a second, which is HTTP's unit."""
        rate = self.documents_per_second
        return max(1.0, documents / rate) if rate is not None else 1.0

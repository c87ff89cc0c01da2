"""A score without a model."""


def word_overlap(query: str, text: str) -> float:
    """Score a text by the share of the query's words that it has: in [0, 1], no model needed.

    >>> word_overlap("red planet", "a red sea")
    0.5
    """
    words = set(query.lower().split())
    return len(words & set(text.lower().split())) / len(words)

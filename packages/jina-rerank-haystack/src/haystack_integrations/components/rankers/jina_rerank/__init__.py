"""A Haystack ranker over jina-rerank: `JinaRanker`, also known as `JinaRerank`."""

from .ranker import JinaRanker

JinaRerank = JinaRanker

__all__ = ["JinaRanker", "JinaRerank"]

"""A LlamaIndex node postprocessor over jina-rerank: `JinaRerank`."""

from .base import JinaRerank

__all__ = ["JinaRerank"]

"""Rerank documents with small JinaBERT cross-encoders, locally or through a service.

>>> from jina_rerank import Reranker
>>> from jina_rerank.testing import FakeBackend
>>> reranker = Reranker(backend=FakeBackend())  # or Reranker("turbo"), Reranker("nano"), ...
>>> [item.index for item in reranker.rank("red planet", ["blue sea", "a red planet"], top_n=1)]
[1]
"""

from .backends.base import Backend
from .cache import ScoreCache
from .errors import (
    APIConnectionError,
    APIError,
    APIResponseError,
    APIStatusError,
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    CheckpointError,
    ConflictError,
    JinaRerankError,
    MissingDependencyError,
    ModelNotFoundError,
    QuotaError,
    RateLimitError,
    ServerError,
)
from .models import MODELS, ModelInfo
from .reranker import Reranker
from .types import Document, RankedDocument, Ranking, Scores, Usage

__version__ = "0.1.0"

__all__ = [
    "MODELS",
    "APIConnectionError",
    "APIError",
    "APIResponseError",
    "APIStatusError",
    "APITimeoutError",
    "AuthenticationError",
    "Backend",
    "BadRequestError",
    "CheckpointError",
    "ConflictError",
    "Document",
    "JinaRerankError",
    "MissingDependencyError",
    "ModelInfo",
    "ModelNotFoundError",
    "QuotaError",
    "RankedDocument",
    "Ranking",
    "RateLimitError",
    "Reranker",
    "ScoreCache",
    "Scores",
    "ServerError",
    "Usage",
]

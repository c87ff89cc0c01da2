"""The models known by name. Not a closed list: any directory, hub id or API name works too.

Revisions and licences: the catalogue of Jina AI's own `jina-ai/jina-on-prem` (models/catalog.json);
contexts and parameter counts: the model cards and the safetensors headers.
"""

import re
from dataclasses import dataclass

API_ONLY = ("api", "sagemaker")
EVERYWHERE = ("local", "api", "sagemaker")

LISTWISE = "jina-reranker-v3"
"""How the names of listwise models begin: also those of copies, quantized or under another owner."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInfo:
    """One row of the model table.

    Attributes:
        name: The name that Jina's API uses; for a model of this project, its own.
        alias: The short name for `Reranker(...)`; None if it has none.
        repo: The Hugging Face repository: what the local backend loads, if it can run the model, and
            the name under which servers other than Jina's know it.
        revision: The commit that it is pinned to.
        package: The installed package that carries the weights, instead of a repository.
        parameters: Number of weights; None where it was never published.
        context: The longest input in tokens, query, document and special tokens together.
        licence: SPDX identifier of the weights' licence.
        backends: The backends that can run it, in order of preference.
        listwise: True if a score depends on the other documents of the request, so that a request
            cannot be split without changing the scores.
        note: What a reader of the table should know.
    """

    name: str
    alias: str | None = None
    repo: str | None = None
    revision: str | None = None
    package: str | None = None
    parameters: int | None = None
    context: int
    licence: str
    backends: tuple[str, ...] = API_ONLY
    listwise: bool = False
    note: str = ""


MODELS: tuple[ModelInfo, ...] = (
    ModelInfo(
        name="jina-reranker-v1-turbo-en",
        alias="turbo",
        repo="jinaai/jina-reranker-v1-turbo-en",
        revision="b8c14f4e723d9e0aab4732a7b7b93741eeeb77c2",
        parameters=37_771_777,
        context=8192,
        licence="Apache-2.0",
        backends=EVERYWHERE,
        note="English, 6 layers; Python's default",
    ),
    ModelInfo(
        name="jina-reranker-v1-tiny-en",
        alias="tiny",
        repo="jinaai/jina-reranker-v1-tiny-en",
        revision="aca45de6945b5dc6399abcd2a9c55ded5dc9111f",
        parameters=33_046_273,
        context=8192,
        licence="Apache-2.0",
        backends=EVERYWHERE,
        note="English, 4 layers",
    ),
    ModelInfo(
        name="jina-reranker-v1-base-en",
        alias="base",
        repo="jinaai/jina-reranker-v1-base-en",
        revision="a05700294977fa3ecadc070b1f5b2a76e0bf1eef",
        parameters=137_369_089,
        context=8192,
        licence="Apache-2.0",
        backends=EVERYWHERE,
        note="English, 12 layers; its repository may not be public",
    ),
    ModelInfo(
        name="nano",
        alias="nano",
        package="jina_rerank_nano",
        parameters=15_604_225,
        context=8192,
        licence="Apache-2.0",
        backends=("local",),
        note="English, 6 layers; built in; this project's own, not a Jina AI release",
    ),
    ModelInfo(
        name="jina-reranker-v2-base-multilingual",
        repo="jinaai/jina-reranker-v2-base-multilingual",
        parameters=278_000_000,
        context=1024,
        licence="CC-BY-NC-4.0",
        note="over 100 languages, code",
    ),
    ModelInfo(
        name="jina-reranker-m0",
        repo="jinaai/jina-reranker-m0",
        parameters=2_400_000_000,
        context=10_240,
        licence="CC-BY-NC-4.0",
        note="multilingual; the API also takes images",
    ),
    ModelInfo(
        name="jina-reranker-v3",
        repo="jinaai/jina-reranker-v3",
        parameters=597_000_000,
        context=131_072,
        licence="CC-BY-NC-4.0",
        listwise=True,
        note="multilingual, listwise",
    ),
    ModelInfo(
        name="jina-reranker-v3.5",
        repo="jinaai/jina-reranker-v3.5",
        context=131_072,
        licence="CC-BY-NC-4.0",
        listwise=True,
        note="multilingual, listwise",
    ),
    ModelInfo(
        name="jina-colbert-v1-en",
        repo="jinaai/jina-colbert-v1-en",
        parameters=137_000_000,
        context=8192,
        licence="Apache-2.0",
        note="late interaction; scores are not bounded by 1",
    ),
    ModelInfo(
        name="jina-colbert-v2",
        repo="jinaai/jina-colbert-v2",
        parameters=560_000_000,
        context=8192,
        licence="CC-BY-NC-4.0",
        note="late interaction, multilingual; scores are not bounded by 1",
    ),
)


def find(model: str) -> ModelInfo | None:
    """Look a model up by alias, name or repository.

    Args:
        model: What the user typed.

    Returns:
        Its row, or None for a model that the table does not know: a directory, another hub id, or
        a name that only the server knows.

    >>> find("turbo").name
    'jina-reranker-v1-turbo-en'
    """
    return next((info for info in MODELS if model in {info.alias, info.name, info.repo}), None)


def is_listwise(model: str) -> bool:
    """Tell whether a score depends on the other documents, also for a copy not in the table.

    >>> is_listwise("someone/jina-reranker-v3-4bit")
    True
    """
    info = find(model)
    if info is not None:
        return info.listwise
    return re.split(r"[/\\]", model.rstrip("/\\"))[-1].lower().startswith(LISTWISE)

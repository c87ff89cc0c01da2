"""Find a model's files: built in, in a directory, or on the Hugging Face hub."""

import importlib.resources
import importlib.util
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from .errors import MissingDependencyError, ModelNotFoundError
from .models import MODELS, find
from .settings import Settings


class Source(Protocol):
    """Where the files of one model come from."""

    def file(self, name: str) -> Path:
        """Return the path of a file, fetching it first if need be.

        Raises:
            ModelNotFoundError: It cannot be had; the message says what was looked for, where.
        """


@dataclass(frozen=True, slots=True)
class Directory:
    """Files of a directory: a checkpoint of the user's, or the package of the built-in model."""

    path: Path

    def file(self, name: str) -> Path:
        """Return the path of a file of the directory; raises as `Source.file` does."""
        path = self.path / name
        if not path.is_file():
            found = ", ".join(sorted(entry.name for entry in self.path.iterdir())[:12]) or "nothing"
            msg = (
                f"{str(self.path)!r} has no {name}; it holds {found}; "
                f"a reranker needs config.json, tokenizer.json and model.safetensors, and other "
                f"forms of weights are not read"
            )
            raise ModelNotFoundError(msg)
        if not os.access(path, os.R_OK):
            msg = f"{str(path)!r} may not be read by this user; change its permissions"
            raise ModelNotFoundError(msg)
        return path


@dataclass(frozen=True, slots=True, kw_only=True)
class Hub:
    """Files of a hub repository, downloaded once and kept in the hub's cache.

    The cache is huggingface_hub's own: a download appears under its name only when it is whole,
    so neither a killed process nor a second one loading at the same time can harm it.

    Attributes:
        repo: Such as ``"jinaai/jina-reranker-v1-turbo-en"``.
        revision: Commit, branch or tag; None is the newest.
        cache_dir: None is the hub's default.
        local_files_only: Never ask the hub.
        token: None is the one that `hf auth login` stored.
    """

    repo: str
    revision: str | None = None
    cache_dir: str | Path | None = None
    local_files_only: bool = False
    token: str | None = field(default=None, repr=False)

    def file(self, name: str) -> Path:
        """Return the path of a file in the cache, downloading it with a progress bar if need be."""
        try:
            import huggingface_hub as hub  # noqa: PLC0415 - slow, and not needed for a directory
            from huggingface_hub import errors  # noqa: PLC0415
        except ModuleNotFoundError as error:
            msg = f"{self.repo!r} is on the hub, which needs {error.name}: pip install 'jina-rerank[local]'"
            raise MissingDependencyError(msg, name=error.name) from error

        with self._explained(name):
            cached = hub.try_to_load_from_cache(
                self.repo, name, cache_dir=self.cache_dir, revision=self.revision
            )
            if isinstance(cached, str) and (self.local_files_only or _is_commit(self.revision)):
                return Path(cached)  # what hf_hub_download would return, after a request or two
            if self.local_files_only:
                raise errors.LocalEntryNotFoundError(name)
            if not isinstance(cached, str):
                # One request that is not retried: without a network the error comes at once.
                url = hub.hf_hub_url(self.repo, name, revision=self.revision)
                hub.get_hf_file_metadata(url, token=self.token)
            path = hub.hf_hub_download(
                self.repo,
                name,
                revision=self.revision,
                cache_dir=self.cache_dir,
                token=self.token,
            )
        return Path(path)

    @contextmanager
    def _explained(self, name: str) -> Iterator[None]:
        """Turn the hub's errors into one that says what to do."""
        import httpx2  # noqa: PLC0415 - comes with huggingface_hub
        from huggingface_hub import errors  # noqa: PLC0415

        where = f"{self.repo!r} at revision {self.revision or 'main'}"
        try:
            yield
        except errors.HFValidationError as error:
            raise ModelNotFoundError(_unknown(self.repo)) from error
        except errors.RevisionNotFoundError as error:
            msg = f"the hub has no revision {self.revision!r} of {self.repo!r}"
            raise ModelNotFoundError(msg) from error
        except errors.RepositoryNotFoundError as error:  # and GatedRepoError
            msg = f"{_unknown(self.repo)}; for a private or gated repository run 'hf auth login'"
            raise ModelNotFoundError(msg) from error
        except errors.RemoteEntryNotFoundError as error:
            msg = (
                f"{where} has no {name} on the hub; "
                f"a reranker needs config.json, tokenizer.json and model.safetensors"
            )
            raise ModelNotFoundError(msg) from error
        except (
            errors.LocalEntryNotFoundError,
            errors.OfflineModeIsEnabled,
            httpx2.RequestError,
        ) as error:
            raise ModelNotFoundError(self._offline(name)) from error
        except errors.HfHubHTTPError as error:
            if error.response.status_code in {401, 403}:
                msg = f"the hub refused the token for {self.repo!r}: run 'hf auth login'"
                raise ModelNotFoundError(msg) from error
            msg = f"the hub did not give {name} of {where}: {type(error).__name__}; try again later"
            raise ModelNotFoundError(msg) from error
        except OSError as error:
            if error.errno is None:  # huggingface_hub's own: fewer bytes than announced
                msg = f"{name} of {where} did not arrive whole; try again"
                raise ModelNotFoundError(msg) from error
            msg = f"{name} of {where} could not be stored: {error}; choose another cache_dir"
            raise ModelNotFoundError(msg) from error

    def _offline(self, name: str) -> str:
        from huggingface_hub import constants  # noqa: PLC0415

        cache = os.fspath(self.cache_dir if self.cache_dir is not None else constants.HF_HUB_CACHE)
        reasons = {
            "local_files_only is set": self.local_files_only,
            "HF_HUB_OFFLINE is set": constants.HF_HUB_OFFLINE,
            "the hub cannot be reached": True,
        }
        why = next(reason for reason, holds in reasons.items() if holds)
        if "/" not in self.repo:  # more likely a misspelt name than one of the hub's oldest models
            return f"{_unknown(self.repo)}; {why}"
        revision = f" --revision {self.revision}" if self.revision else ""
        return (
            f"{name} of {self.repo!r} is not in {cache!r}, and {why}; where there is a network run "
            f"'hf download {self.repo}{revision}' and copy the cache, or use the built-in 'nano'"
        )


def locate(settings: Settings) -> Source:
    """Decide where the files of a model come from, without fetching any.

    Raises:
        MissingDependencyError: The model is built in, but its package is not installed.
        ModelNotFoundError: It reads like a directory, and there is none.
    """
    info = find(settings.model)
    if info is not None and info.package is not None:
        return _package(info.package, info.name)
    # os.path answers where pathlib raises: an unknown home, a name too long for a file.
    path = os.path.expanduser(settings.model)  # noqa: PTH111
    if os.path.isdir(path) and (info is None or "/" in settings.model):  # noqa: PTH112
        return Directory(Path(path))
    if info is None and settings.model.startswith((".", "~", os.sep)):
        msg = f"there is no directory {path!r}; check the path, or run 'jina-rerank models' for the names"
        raise ModelNotFoundError(msg)
    return Hub(
        repo=info.repo if info is not None and info.repo is not None else settings.model,
        revision=settings.revision or (info.revision if info is not None else None),
        cache_dir=None if settings.cache_dir is None else Path(settings.cache_dir),
        local_files_only=settings.local_files_only,
        token=_reveal(settings.token),
    )


def _package(package: str, name: str) -> Directory:
    if importlib.util.find_spec(package) is None:
        msg = f"the built-in model {name!r} is not installed: pip install 'jina-rerank[{name}]'"
        raise MissingDependencyError(msg, name=package)
    return Directory(Path(str(importlib.resources.files(package))))


def _unknown(model: str) -> str:
    names = ", ".join(info.alias for info in MODELS if info.alias is not None)
    return f"{model!r} is none of {names}, no directory here and no hub repository that is known"


def _is_commit(revision: str | None) -> bool:
    return revision is not None and re.fullmatch("[0-9a-f]{40}", revision) is not None


def _reveal(secret: object) -> str | None:
    """Return the text of a secret: a string, pydantic's SecretStr, or Haystack's Secret."""
    for method in ("get_secret_value", "resolve_value"):
        if hasattr(secret, method):
            secret = getattr(secret, method)()
    if not isinstance(secret, str):
        return None
    text = secret.strip()
    if not (text.isascii() and text.isprintable()):
        msg = "token must be one line of ASCII text"
        raise ValueError(msg)
    return text

"""Files that appear under their name when they are whole, and never half."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, Any

from jina_rerank.errors import JinaRerankError

UNCHANGED = "what was there is unchanged"


@contextmanager
def written(path: Path) -> Iterator[IO[str]]:
    """Write a text file beside its place, and put it there when all of it is on the disk.

    Args:
        path: Its place; folders that are missing are made.

    Yields:
        The file to write to.

    Raises:
        JinaRerankError: It cannot be written, for want of room or of permission; what was there
            before is unchanged.
    """
    with _beside(path, UNCHANGED, mode="w", encoding="utf-8") as file:
        yield file


@contextmanager
def written_bytes(path: Path, *, then: str = UNCHANGED) -> Iterator[IO[bytes]]:
    """Write a binary file as `written` does; `then` is what the message says after the reason."""
    with _beside(path, then, mode="wb") as file:
        yield file


@contextmanager
def _beside(path: Path, then: str, **how: Any) -> Iterator[IO[Any]]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(
            dir=path.parent, prefix=f".{path.name}.", delete=False, **how
        ) as file:
            temporary = Path(file.name)
            try:
                yield file
                file.flush()
                os.fsync(file.fileno())
                temporary.chmod(0o666 & ~_umask())
                temporary.replace(path)
            except BaseException:
                temporary.unlink()
                raise
    except OSError as error:
        msg = f"{str(path)!r} cannot be written: {error.strerror}; {then}"
        raise JinaRerankError(msg) from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask

"""Arrays that take long to compute, kept block by block: a failure loses one block."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import terminal
from ..atomic import written_bytes

KEPT = "what was computed before is kept, so free the disk and run the same command again"

Array = NDArray[Any]


class Blocks:
    """A folder of arrays, named by what they depend on.

    Args:
        folder: Where they are; runs with other recipes may share it.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     blocks = Blocks(Path(folder))
    ...     squares = lambda start, stop: np.arange(start, stop, dtype=np.float32) ** 2
    ...     blocks.rows("squares", ["two"], 5, squares, size=2)
    array([ 0.,  1.,  4.,  9., 16.], dtype=float32)
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def rows(
        self,
        what: str,
        key: list[str],
        count: int,
        compute: Callable[[int, int], Array],
        *,
        size: int = 1024,
    ) -> Array:
        """Return an array of `count` rows, computing what is not there.

        Args:
            what: What it is, for people.
            key: All that it depends on.
            count: Its rows.
            compute: Returns the rows from one place to before another.
            size: Rows to compute, and then to keep, at once.

        Raises:
            JinaRerankError: A block cannot be written.
        """
        name = hashlib.sha256(repr((key, count, size)).encode()).hexdigest()[:24]
        parts = []
        with terminal.progress(what, count) as advance:
            for start in range(0, count, size):
                stop = min(start + size, count)
                path = self._folder / name / f"{start:08}.npy"
                parts.append(_load(path) if path.is_file() else _save(path, compute(start, stop)))
                advance(stop - start)
        whole: Array = np.concatenate(parts)
        return whole


def _load(path: Path) -> Array:
    found: Array = np.load(path, allow_pickle=False)
    return found


def _save(path: Path, rows: Array) -> Array:
    with written_bytes(path, then=KEPT) as file:
        np.save(file, rows, allow_pickle=False)
    return rows


def digest(*texts: str) -> str:
    """Return a SHA-256 of texts, which differ if any of them does."""
    whole = hashlib.sha256()
    for text in texts:
        raw = text.encode()
        whole.update(len(raw).to_bytes(8, "little"))
        whole.update(raw)
    return whole.hexdigest()

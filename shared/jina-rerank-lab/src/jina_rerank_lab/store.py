"""Scores and vectors kept on the disk: what was computed once is never computed again.

Keys are SHA-256 sums of all that a value depends on, the model's identity and the texts; no text is
kept.
"""

import os
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from jina_rerank.errors import JinaRerankError

PATIENCE = 60.0
"""Seconds to wait for another process that writes the same file."""

MANY = 500
"""Keys in one question; SQLite allows 999 in old versions."""


def folder() -> Path:
    """Return where the lab keeps what it can make again: in the user's cache."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if base else Path.home() / ".cache") / "jina-rerank-lab"


def file() -> Path:
    """Return where scores and vectors are kept unless the user says otherwise."""
    return folder() / "scores.sqlite"


class Store:
    """A file of scores and vectors, which several processes may use at once.

    Each value is in the file when `set` or `keep` returns: neither Ctrl-C nor a kill loses any.
    It is a `ScoreCache` for `Reranker(cache=...)`.

    Args:
        path: The file; it and its folder are made if they are missing.

    Raises:
        JinaRerankError: The file cannot be used, or there is no room for more.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder, Store(Path(folder) / "scores.sqlite") as store:
    ...     store.set("key", 0.5)
    ...     store.get("key"), store.get("other")
    (0.5, None)
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        with self._explained():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(
                path, timeout=PATIENCE, isolation_level=None, check_same_thread=False
            )
        try:
            with self._explained():
                # What is written survives the process without a wait for the disk each time.
                self._database.execute("PRAGMA journal_mode = WAL")
                self._database.execute("PRAGMA synchronous = NORMAL")
                for table in (
                    "score (key TEXT PRIMARY KEY, value REAL)",
                    "vector (key TEXT PRIMARY KEY, value BLOB)",
                ):
                    self._database.execute(f"CREATE TABLE IF NOT EXISTS {table} WITHOUT ROWID")
        except BaseException:
            self._database.close()
            raise

    def __enter__(self) -> Self:
        """Return the store."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self.close()

    def close(self) -> None:
        """Close the file; twice is fine."""
        self._database.close()

    def get(self, key: str) -> float | None:
        """Return the score under the key; None if there is none."""
        with self._explained():
            row = self._database.execute("SELECT value FROM score WHERE key = ?", (key,)).fetchone()
        return None if row is None else float(row[0])

    def set(self, key: str, value: float) -> None:
        """Keep a score."""
        with self._explained():
            self._database.execute("INSERT OR REPLACE INTO score VALUES (?, ?)", (key, value))

    def vectors(self, keys: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        """Return the vectors that are there, by key."""
        found: dict[str, NDArray[np.float32]] = {}
        for start in range(0, len(keys), MANY):
            some = keys[start : start + MANY]
            marks = ",".join("?" * len(some))
            with self._explained():
                rows = self._database.execute(
                    f"SELECT key, value FROM vector WHERE key IN ({marks})",  # noqa: S608 - marks only
                    some,
                ).fetchall()
            found |= {key: np.frombuffer(value, dtype=np.float32) for key, value in rows}
        return found

    def keep(self, vectors: Mapping[str, NDArray[np.float32]]) -> None:
        """Keep vectors, all of them or none."""
        rows = [(key, vector.astype(np.float32).tobytes()) for key, vector in vectors.items()]
        with self._explained(), self._database:
            self._database.execute("BEGIN")
            self._database.executemany("INSERT OR REPLACE INTO vector VALUES (?, ?)", rows)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            with self._lock:
                yield
        except (sqlite3.Error, OSError) as error:
            msg = (
                f"{str(self._path)!r} cannot keep scores: {error}; what it holds stays, so free "
                f"the disk or choose another file, and run the same command again"
            )
            raise JinaRerankError(msg) from error

"""What tells a model from another of the same name: a directory may be trained anew in its place."""

import hashlib

from jina_rerank.hub import Directory, Source

BESIDE = {".md", ".py", ".pyc"}
"""Endings of files that change no score."""


def content(files: Source) -> str:
    """Return a SHA-256 of all files of a directory; of a model on the hub, nothing.

    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     before = content(Directory(Path(folder)))
    ...     _ = Path(folder, "README.md").write_text("A card.")
    ...     told = content(Directory(Path(folder)))
    ...     _ = Path(folder, "model.safetensors").write_text("weights")
    ...     before == told, before == content(Directory(Path(folder)))
    (True, False)
    """
    whole = hashlib.sha256()
    paths = files.path.rglob("*") if isinstance(files, Directory) else ()
    for path in sorted(paths):
        if path.is_file() and path.suffix not in BESIDE:
            with path.open("rb") as file:
                whole.update(path.name.encode())
                whole.update(hashlib.file_digest(file, "sha256").digest())
    return whole.hexdigest()

import os
import subprocess
import sys
from pathlib import Path

import pytest
from jina_rerank_lab.atomic import written, written_bytes

from jina_rerank.errors import JinaRerankError

FULL = """
import resource, signal, sys
from pathlib import Path
from jina_rerank_lab.atomic import written
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
limits = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
try:
    with written(Path(sys.argv[1])) as file:
        file.write("x" * 100_000)
except Exception as error:
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    print(type(error).__name__, error)
"""


def test_file_appears_whole_with_its_folders(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b.txt"
    with written(path) as file:
        file.write("naïve")
        assert not path.exists()
    assert path.read_text(encoding="utf-8") == "naïve"
    assert [entry.name for entry in path.parent.iterdir()] == ["b.txt"]


def test_bytes_that_cannot_be_written_leave_the_old_ones_and_say_what_then(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with written_bytes(path) as file:
        file.write(b"\xff")
    assert path.read_bytes() == b"\xff"
    with (
        pytest.raises(JinaRerankError, match=r"b' cannot be written: File exists; try again"),
        written_bytes(path / "b", then="try again"),
    ):
        pass
    assert list(tmp_path.iterdir()) == [path]


def test_file_has_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    mask = os.umask(0o027)
    try:
        with written(tmp_path / "a"):
            pass
    finally:
        os.umask(mask)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640


def test_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("old")

    def fail() -> None:
        with written(path) as file:
            file.write("new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_full_disk_leaves_the_old_file_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("old")
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith(f"JinaRerankError '{path}' cannot be written: File too large")
    assert "what was there is unchanged" in done.stdout
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]

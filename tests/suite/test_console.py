"""Commands of README and docs run, and print what the pages show.

A block is a session if a line of it starts with ``$ jina-rerank``: everything up to the next ``$``
is what the command printed. Sessions run in a folder that holds `docs/` and, beside it, the files
of `docs/examples/`, on a terminal of 80 columns; what a page shows of a pipe is accepted as well.
A line ``...`` stands for any number of lines, seconds are not compared, and scores may differ as
far as bfloat16, which not every processor has, moves them.
"""

import fcntl
import os
import pty
import re
import shutil
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from .packages import ROOT
from .pages import PAGES, Block, blocks

SESSIONS = [
    block
    for page in PAGES
    for block in blocks(page)
    if re.search(r"^\$ jina-rerank ", block.text, re.MULTILINE)
]
SCORE = re.compile(r"\d\\\.\d{4,}")
"""A score in a text that is escaped for a regular expression."""

TOLERANCE = 0.02
COMMAND = re.compile(r"^    (?:.* && )?(?P<command>jina-rerank .*)$", re.MULTILINE)
INDENTED = [
    (page, match["command"])
    for page in PAGES
    for match in COMMAND.finditer(page.read_text(encoding="utf-8"))
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the files that the pages name, and the program in reach."""
    shutil.copytree(ROOT / "docs" / "examples", tmp_path / "docs" / "examples")
    shutil.copytree(ROOT / "docs" / "examples", tmp_path, dirs_exist_ok=True)
    program = tmp_path / ".bin" / "jina-rerank"
    program.parent.mkdir()
    program.write_text(
        f"#!{sys.executable}\nfrom jina_rerank.cli import main\nraise SystemExit(main())\n"
    )
    program.chmod(0o755)
    return tmp_path


def environment(folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES"}}
    return kept | {"PATH": f"{folder / '.bin'}:{os.environ['PATH']}", "TERM": "dumb"}


def on_terminal(script: str, folder: Path) -> str:
    """Run a script on a terminal; return what it shows."""
    screen, stream = pty.openpty()
    fcntl.ioctl(stream, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 80, 0, 0))
    with subprocess.Popen(
        ["bash", "-c", script],  # noqa: S607 - whatever shell there is
        cwd=folder,
        env=environment(folder),
        stdin=subprocess.DEVNULL,
        stdout=stream,
        stderr=stream,
    ):
        os.close(stream)
        shown = b""
        try:
            while some := os.read(screen, 65_536):
                shown += some
        except OSError:  # so Linux says that the last writer is gone
            pass
    os.close(screen)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode().replace("\r\n", "\n"))
    return "\n".join(line.rpartition("\r")[2].rstrip() for line in text.splitlines())


def in_pipe(script: str, folder: Path) -> str:
    """Run a script in a pipe; return what it prints, both streams."""
    done = subprocess.run(
        ["bash", "-c", script],  # noqa: S607
        cwd=folder,
        env=environment(folder),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return "\n".join(line.rstrip() for line in done.stdout.splitlines())


def steps(block: Block) -> list[tuple[str, str]]:
    """Split a session into commands and what each prints."""
    _, *parts = re.split(r"^\$ ", block.text, flags=re.MULTILINE)
    split = (part.rstrip("\n").partition("\n") for part in parts)
    return [(command, shown) for command, _, shown in split]


def pattern(shown: str) -> str:
    """Turn what a page shows into what has to be printed."""
    lines = [re.escape(line.rstrip()) for line in shown.splitlines()]
    text = "\n".join(".*" if line.strip() in {r"\.\.\.", "…"} else line for line in lines)
    text = re.sub(r"(\\ )+\\\.\\\.\\\.$", ".*", text, flags=re.MULTILINE)
    text = re.sub(r"\d+\\\.\d\\ s\b", r"[\\d.]+ s", text)
    return SCORE.sub(r"(\\d[.]\\d+)", text)


def agrees(printed: str, shown: str) -> bool:
    """Compare what is printed with what a page shows."""
    match = re.fullmatch(pattern(shown), printed.strip("\n"), re.DOTALL)
    if match is None:
        return False
    scores = [float(text.replace("\\", "")) for text in SCORE.findall(re.escape(shown))]
    return list(map(float, match.groups())) == pytest.approx(scores, abs=TOLERANCE)


def test_there_are_sessions_and_commands_to_run() -> None:
    assert len(SESSIONS) >= 1
    assert len(INDENTED) >= 1


@pytest.mark.parametrize("block", SESSIONS, ids=str)
def test_session_prints_what_the_page_shows(block: Block, folder: Path) -> None:
    for run in (in_pipe, on_terminal):
        # One shell for all of the block's commands: `$?` is that of the one before.
        commands = [f"{command}\ncode=$?; echo @@; (exit $code)" for command, _ in steps(block)]
        printed = run("\n".join(commands), folder).split("@@")
        shown = [text for _, text in steps(block)]
        assert len(printed) == len(shown) + 1  # and what follows the last mark
        if all(map(agrees, printed, shown)):
            return
    pytest.fail(f"{block} shows other lines than are printed:\n{''.join(printed)}")


@pytest.mark.parametrize(("page", "command"), INDENTED, ids=lambda value: Path(value).name)
def test_command_of_a_page_runs(page: Path, command: str, folder: Path) -> None:
    printed = in_pipe(f"set -e; {command}; echo @@done", folder)
    assert printed.endswith("@@done"), f"{page}: {printed}"
    assert len(printed.splitlines()) > 1

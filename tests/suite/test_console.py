"""Commands of README and docs run, and print what the pages show.

A block is a session if a line of it starts with ``$ jina-rerank``: everything up to the next ``$``
is what the command printed. The sessions of a page run one after the other in a folder that holds
`docs/` and, beside it, the files of `docs/examples/`, on a terminal of 80 columns; what a page shows of a pipe is accepted as well.
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
from collections.abc import Callable
from pathlib import Path

import pytest

from .packages import ROOT
from .pages import PAGES, Block, blocks

BLOCKS = {
    page: [
        block for block in blocks(page) if re.search(r"^\$ jina-rerank ", block.text, re.MULTILINE)
    ]
    for page in PAGES
}
SESSIONS = {page: found for page, found in BLOCKS.items() if found}
SCORE = re.compile(r"\d\\\.\d{4,}(?:e\\-\d\d)?")
"""A score in a text that is escaped for a regular expression."""

TOLERANCE = 0.02
# A server ends only when it is told to: tests/server and tests/e2e start those of the pages.
COMMAND = re.compile(r"^    (?:.* && )?(?P<command>jina-rerank (?!serve).*)$", re.MULTILINE)
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
    return SCORE.sub(r"(\\d[.]\\d+(?:e-\\d\\d)?)", text)


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


@pytest.mark.parametrize("page", SESSIONS, ids=lambda page: page.name)
def test_sessions_print_what_the_page_shows(page: Path, folder: Path) -> None:
    for block in SESSIONS[page]:
        for run in (in_pipe, on_terminal):
            printed = outputs(block, run, folder)
            if all(map(agrees, printed, [text for _, text in steps(block)])):
                break
        else:
            pytest.fail(f"{block} shows other lines than are printed:\n{''.join(printed)}")


def outputs(block: Block, run: Callable[[str, Path], str], folder: Path) -> list[str]:
    """Run a session and return what each of its commands prints."""
    # One shell for all of the block's commands: `$?` is that of the one before.
    commands = [f"{command}\ncode=$?; echo @@; (exit $code)" for command, _ in steps(block)]
    *printed, _ = run("\n".join(commands), folder).split("@@")
    assert len(printed) == len(steps(block))
    return printed


@pytest.mark.parametrize(("page", "command"), INDENTED, ids=lambda value: Path(value).name)
def test_command_of_a_page_runs(page: Path, command: str, folder: Path) -> None:
    printed = in_pipe(f"set -e; {command}; echo @@done", folder)
    assert printed.endswith("@@done"), f"{page}: {printed}"
    assert len(printed.splitlines()) > 1

"""The program `jina-rerank`: what it prints where, and how it ends."""

import errno
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from jina_rerank import MODELS, __version__
from jina_rerank.cli import main
from jina_rerank.terminal import clean
from jina_rerank.testing import FakeServer

from .program import Outcome, Run, Screen, seen, spawn, terminal

DOCUMENTS = ["Bread rises because yeast makes gas.", "Mars is red because of rust.", "The sea."]
QUERY = "Which planet is red?"


@pytest.fixture
def documents(tmp_path: Path) -> str:
    """A file with a document on each line."""
    path = tmp_path / "documents.txt"
    path.write_text("\n".join(DOCUMENTS))
    return path.name


def test_piped_ranking_is_tab_separated_best_first(run: Run, documents: str) -> None:
    outcome = run("rank", QUERY, documents)
    rows = [line.split("\t") for line in outcome.out.splitlines()]
    assert [len(row) for row in rows] == [3, 3, 3]
    assert rows[0][1:] == ["documents.txt:2", DOCUMENTS[1]]
    assert [float(row[0]) for row in rows] == sorted((float(row[0]) for row in rows), reverse=True)
    assert (outcome.code, outcome.err) == (0, "")


def test_json_holds_every_detail(run: Run, documents: str) -> None:
    outcome = run("rank", QUERY, documents, "--json", "--top-n", "1")
    ranking = json.loads(outcome.out)
    (result,) = ranking["results"]
    assert outcome.code == 0
    assert ranking["model"] == "nano"
    assert ranking["usage"]["total_tokens"] > 0
    assert result.pop("score") > 0.5
    assert result == {"index": 1, "file": documents, "line": 2, "document": DOCUMENTS[1]}


def test_stdin_and_files_are_ranked_together(run: Run, documents: str) -> None:
    line = json.dumps({"body": "The red planet is Mars."}).encode()
    outcome = run("rank", QUERY, documents, "-", "--text-field", "body", stdin=line)
    assert {row.split("\t")[1] for row in outcome.out.splitlines()} == {
        "documents.txt:1",
        "documents.txt:2",
        "documents.txt:3",
        "-:1",
    }


def test_paragraphs_are_documents(run: Run) -> None:
    outcome = run("rank", QUERY, "-", "--paragraphs", stdin=b"Mars\nis red.\n\nNo.\n")
    assert outcome.out.splitlines()[0].split("\t")[1:] == ["-:1", "Mars is red."]


def test_threshold_nothing_reaches_prints_nothing(run: Run, documents: str) -> None:
    assert run("rank", QUERY, documents, "--threshold", "1.1") == Outcome(code=0, out="", err="")


def test_terminal_gets_a_table_of_the_first_rows(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen()
    monkeypatch.setattr(sys, "stdout", screen)
    lines = "\n".join(f"Document {i}." for i in range(12)).encode()
    assert run("rank", QUERY, "-", stdin=lines).code == 0
    assert "10 of 12 shown; --top-n 12 shows all" in screen.getvalue()
    assert run("rank", QUERY, "-", "--top-n", "12", stdin=lines).code == 0
    assert screen.getvalue().count("Document") == 22


def test_terminal_shows_what_is_under_way(
    run: Run, documents: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    assert run("rank", QUERY, documents).code == 0
    assert "Loading nano" in screen.getvalue()
    assert "Ranking 3 documents with nano" in screen.getvalue()


def test_terminal_shows_a_progress_bar_for_many_documents(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    assert run("rank", QUERY, "-", stdin=b"Mars\n" * 201).code == 0
    assert "201/201" in screen.getvalue()
    assert "Ranking" not in screen.getvalue()


def test_bad_lines_are_named_and_the_others_ranked(run: Run, tmp_path: Path) -> None:
    bad = ['{"text": "one"}', "[1", '{"id": 1}', '{"text": "two"}']
    (tmp_path / "a.jsonl").write_text("\n".join(bad))
    outcome = run("rank", QUERY, "a.jsonl")
    assert outcome.code == 1
    assert len(outcome.out.splitlines()) == 2
    assert outcome.err.splitlines() == [
        "jina-rerank: a.jsonl:2: broken JSON at column 3: Expecting ',' delimiter",
        "jina-rerank: a.jsonl:3: has no field 'text'; it has 'id'",
    ]


@pytest.mark.parametrize(
    "bad", [b'{"text": "a', b'{"text": "\xff"}', b'{"text": "\\ud800"}', b"{}"]
)
def test_line_517_of_1000_is_named_and_the_others_ranked(
    run: Run, tmp_path: Path, mini: Path, bad: bytes
) -> None:
    lines = [bad if n == 517 else b'{"text": "Mars"}' for n in range(1, 1001)]
    (tmp_path / "a.jsonl").write_bytes(b"\n".join(lines))
    outcome = run("rank", QUERY, "a.jsonl", "--model", str(mini))
    assert outcome.code == 1
    assert len(outcome.out.splitlines()) == 999
    assert outcome.err.startswith("jina-rerank: a.jsonl:517: ")
    assert outcome.err.count("\n") == 1


def test_long_query_and_documents_are_ranked(run: Run, tmp_path: Path, mini: Path) -> None:
    texts = ["a" * 1_000_000, "word " * 1_000_000, "the sea"]  # the second a line of 5 MB
    (tmp_path / "a.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    outcome = run("rank", "word " * 10_000, "a.jsonl", "--model", str(mini), "--json")
    assert (outcome.code, outcome.err) == (0, "")
    assert sorted(item["index"] for item in json.loads(outcome.out)["results"]) == [0, 1, 2]


def test_query_that_is_not_utf8_is_wrong_usage(documents: str, tmp_path: Path) -> None:
    process = spawn("rank", b"caf\xe9", documents, cwd=tmp_path, stderr=subprocess.PIPE)
    error = process.communicate()[1].decode()
    assert process.returncode == 2
    assert error.startswith("jina-rerank: query has a lone surrogate at character 3")
    assert error.count("\n") == 1


def test_full_disk_while_ranking_is_one_line_and_3(
    documents: str, tmp_path: Path, mini: Path
) -> None:
    with Path("/dev/full").open("w") as full:
        command = ["rank", QUERY, documents, "--model", str(mini)]
        process = spawn(*command, cwd=tmp_path, stdout=full, stderr=subprocess.PIPE)
        error = process.communicate()[1].decode()
    assert process.returncode == 3
    assert error == "jina-rerank: the system refused: [Errno 28] No space left on device\n"


def test_settings_of_the_model_are_taken(run: Run, documents: str, mini: Path) -> None:
    options = ["--model", str(mini), "--max-length", "16", "--dtype", "float64", "--device", "cpu"]
    outcome = run("rank", QUERY, documents, "--json", *options)
    assert outcome.code == 0
    assert json.loads(outcome.out)["usage"]["total_tokens"] <= 3 * 16


def test_every_bad_line_is_named_in_a_file(run: Run) -> None:
    outcome = run("rank", QUERY, "-", stdin=b"\xff\n" * 25)
    assert (outcome.code, outcome.out) == (1, "")
    assert len(outcome.err.splitlines()) == 25


def test_twenty_bad_lines_are_named_on_a_terminal(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    outcome = run("rank", QUERY, "-", stdin=b"\xff\n" * 25)
    assert (outcome.code, outcome.out) == (1, "")
    assert len(outcome.err.splitlines()) == 21
    assert "... and 5 more bad lines; 2> FILE names them all" in outcome.err


def test_strict_ranks_nothing_if_a_line_is_bad(run: Run) -> None:
    outcome = run("rank", QUERY, "-", "--strict", "--json", stdin=b"Mars\n\xff\n")
    assert (outcome.code, outcome.out) == (1, "")
    assert "-:2: invalid UTF-8" in outcome.err


def test_strict_ranks_if_every_line_is_good(run: Run) -> None:
    assert run("rank", QUERY, "-", "--strict", stdin=b"Mars\n").code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rank", QUERY, "-", "--top-n", "0"], "top_n must be at least 1, got 0"),
        (["rank", QUERY, "-", "--threshold", "nan"], "score_threshold must be a number, got nan"),
        (["rank", QUERY, "-", "--backend", "magic"], "backend must be one of"),
        (["rank", QUERY, "-", "--dtype", "int8"], "dtype must be one of"),
        (["rank", QUERY, "-", "--max-length", "0"], "max_length must be at least 1, got 0"),
        (["rank", QUERY, "-", "--model", ""], "model must be a name, a hub id or a directory"),
        (["rank", "  ", "-"], "query must not be blank"),
        (["rank", QUERY, "-"], "there are no documents in standard input"),
        (["rank", QUERY, "none.txt"], "there is no file 'none.txt'"),
        (["rank", QUERY, "-", "--text-field", ""], "--text-field must be the name of a field"),
        (["rank", QUERY], "Missing argument 'FILE'; see 'jina-rerank rank --help'"),
        (["rank", QUERY, "-", "--top-n", "x"], "Invalid value for '--top-n'"),
        (["rank", QUERY, "-", "--api-key", "k"], "No such option: --api-key"),
        (["rnak"], "No such command 'rnak'. Did you mean 'rank'?; see 'jina-rerank --help'"),
    ],
)
def test_wrong_usage_is_one_line_and_2(run: Run, arguments: list[str], message: str) -> None:
    outcome = run(*arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith(f"jina-rerank: {message}")
    assert outcome.err.count("\n") == 1


def test_no_command_prints_the_help(run: Run) -> None:
    outcome = run()
    assert (outcome.code, outcome.err) == (2, "")
    assert "models" in outcome.out


def test_escapes_in_arguments_are_not_echoed(run: Run) -> None:
    outcome = run("rank", QUERY, "\x1b[31mnone\x9b.txt", "--top-n", "1")
    assert outcome.code == 2
    assert not set(outcome.err) & {"\x1b", "\x9b"}


def test_too_long_for_the_model_is_wrong_usage(run: Run, documents: str) -> None:
    outcome = run("rank", QUERY, documents, "--max-length", "9999")
    assert outcome.code == 2
    assert outcome.err.startswith("jina-rerank: max_length must be at most 8192, the context of")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "turbo", "--backend", "api"], "Jina's API needs a key: set JINA_API_KEY"),
        (["--model", "./none"], "there is no directory './none'"),
        (["--model", "."], "is not a reranker that can run here: num_labels is 2"),
    ],
)
@pytest.mark.usefixtures("_no_keys")
def test_unavailable_model_is_one_line_and_3(
    run: Run, documents: str, tmp_path: Path, arguments: list[str], message: str
) -> None:
    config = {"model_type": "bert", "architectures": ["BertForSequenceClassification"]}
    (tmp_path / "config.json").write_text(json.dumps(config))
    outcome = run("rank", QUERY, documents, *arguments)
    assert (outcome.code, outcome.out) == (3, "")
    assert message in outcome.err
    assert outcome.err.count("\n") == 1


def test_hub_model_without_a_network_is_one_line_and_3(documents: str, tmp_path: Path) -> None:
    nowhere = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tmp_path / "hub")}
    process = spawn(
        "rank",
        QUERY,
        documents,
        "--model",
        "turbo",
        cwd=tmp_path,
        env=os.environ | nowhere,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, err = process.communicate()
    assert (process.returncode, out) == (3, b"")
    assert b"the hub cannot be reached" in err
    assert err.count(b"\n") == 1


def test_models_are_listed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(run("models").out.splitlines()) == len(MODELS)
    assert len(json.loads(run("models", "--json").out)) == len(MODELS)
    screen = Screen()
    monkeypatch.setattr(sys, "stdout", screen)
    assert run("models").code == 0
    assert "alias" in screen.getvalue()


@pytest.mark.parametrize("arguments", [["--version"], ["rank", "-h"], ["--help"]])
def test_information_ends_with_0(run: Run, arguments: list[str]) -> None:
    outcome = run(*arguments)
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out


def test_version_is_that_of_the_package(run: Run) -> None:
    assert run("--version").out == f"jina-rerank {__version__}\n"


@pytest.mark.parametrize("arguments", [["--help"], ["rank", "--help"], ["models"]])
def test_help_and_models_load_no_torch(arguments: list[str]) -> None:
    code = (
        "import sys; from jina_rerank.cli import main\n"
        f"assert main({arguments!r}) == 0\n"
        "sys.exit(bool({'torch', 'tokenizers', 'huggingface_hub'} & sys.modules.keys()))"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert (process.returncode, process.stderr) == (0, b"")


@pytest.mark.parametrize("missing", ["typer", "rich"])
def test_missing_extra_names_the_command_that_installs_it(
    run: Run, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    for name in ("commands", "terminal", "plugins"):
        monkeypatch.delitem(sys.modules, f"jina_rerank.{name}", raising=False)
        monkeypatch.delattr(f"jina_rerank.{name}", raising=False)
    monkeypatch.setitem(sys.modules, missing, None)
    for name in list(sys.modules):
        if name.startswith(f"{missing}."):
            monkeypatch.delitem(sys.modules, name)
    outcome = run("models")
    assert (outcome.code, outcome.out) == (3, "")
    assert outcome.err.startswith(f"jina-rerank: the command line needs {missing}")
    assert outcome.err.endswith(": pip install 'jina-rerank[cli]'\n")


def test_any_other_missing_module_is_a_bug_that_is_seen(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "jina_rerank.commands", raising=False)
    monkeypatch.delattr("jina_rerank.commands", raising=False)
    monkeypatch.setitem(sys.modules, "jina_rerank.files", None)
    with pytest.raises(ModuleNotFoundError):
        run("models")


@pytest.mark.parametrize("arguments", [["models"], ["--help"]])
def test_broken_pipe_ends_with_141(monkeypatch: pytest.MonkeyPatch, arguments: list[str]) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as unread:
        monkeypatch.setattr(sys, "stdout", unread)
        code = main(arguments)
        monkeypatch.undo()
    assert code == 141


def test_broken_pipe_of_a_process_is_quiet(documents: str, tmp_path: Path) -> None:
    process = spawn(
        "rank", QUERY, documents, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout
    process.stdout.close()
    assert process.stderr
    assert process.stderr.read() == b""
    assert process.wait() == 141


def test_full_disk_is_one_line_and_3(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        outcome = run("models")
        monkeypatch.undo()
        with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
            full.flush()
        os.dup2(os.open(os.devnull, os.O_WRONLY), full.fileno())
    assert outcome.code == 3
    assert "No space left on device" in outcome.err
    assert outcome.err.count("\n") == 1


def test_closed_streams_are_no_error(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    assert run("models").code == 0


def test_pipe_gets_utf8_whatever_the_locale(documents: str, tmp_path: Path) -> None:
    (tmp_path / "documents.txt").write_text("naïve 日本語", encoding="utf-8")
    process = spawn(
        "rank",
        QUERY,
        documents,
        cwd=tmp_path,
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
        stdout=subprocess.PIPE,
    )
    assert process.communicate()[0].decode().endswith("\tnaïve 日本語\n")
    assert process.returncode == 0


class Left(BaseException):
    """Raised where the process would be gone."""


@pytest.fixture
def interrupted(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Run the program, press Ctrl-C while it reads, and return the exit code."""

    class Endless(io.RawIOBase):
        def readable(self) -> bool:
            return True

        def readinto(self, _buffer: object) -> int:
            signal.raise_signal(signal.SIGINT)
            return 0

    def leave(code: int) -> None:
        raise Left(code)

    def run() -> int:
        monkeypatch.setattr(os, "_exit", leave)
        stdin = io.TextIOWrapper(io.BufferedReader(Endless()))
        monkeypatch.setattr(sys, "stdin", stdin)
        with pytest.raises(Left) as caught:
            main(["rank", QUERY, "-"])
        code = caught.value.args[0]
        assert isinstance(code, int)
        return code

    return run


def test_interrupt_ends_the_process_at_once(
    interrupted: Callable[[], int], capfd: pytest.CaptureFixture[str]
) -> None:
    assert interrupted() == 130
    assert capfd.readouterr() == ("", "")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_interrupt_gives_the_terminal_its_cursor_back(
    interrupted: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    with terminal(80) as (screen, stream):
        monkeypatch.setattr(sys, "stderr", stream)
        assert interrupted() == 130
        monkeypatch.undo()
        assert os.read(screen, 100) == b"\r\x1b[K\x1b[?25h"


def test_ignored_interrupts_stay_ignored(run: Run) -> None:
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert run("models").code == 0
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, previous)


def test_ctrl_c_while_reading_is_quiet_and_130(tmp_path: Path) -> None:
    fifo = tmp_path / "documents.txt"
    os.mkfifo(fifo)
    process = spawn("rank", QUERY, str(fifo), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    with fifo.open("w"):  # opens when the program does
        process.send_signal(signal.SIGINT)
        assert process.communicate() == (b"", b"")
    assert process.returncode == 130


def test_ctrl_c_while_ranking_is_quiet_and_130(tmp_path: Path) -> None:
    (tmp_path / "long.txt").write_text("word " * 50_000 + "\n")
    with terminal(80) as (screen, stream):
        process = spawn("rank", QUERY, "long.txt", cwd=tmp_path, stdout=stream, stderr=stream)
        stream.close()  # so that reading ends with the program
        shown = ""
        while "Ranking" not in shown:
            shown += os.read(screen, 65_536).decode(errors="replace")
        process.send_signal(signal.SIGINT)
        assert process.wait() == 130
        shown = "".join(seen(screen))
    assert shown.endswith("\r\x1b[K\x1b[?25h")
    assert "Traceback" not in shown


def test_terminal_shows_a_readable_table(documents: str, tmp_path: Path) -> None:
    environment = {name: os.environ[name] for name in os.environ if name != "COLUMNS"}
    with terminal(60) as (screen, stream):
        process = spawn(
            "rank",
            QUERY,
            documents,
            cwd=tmp_path,
            stdout=stream,
            stderr=subprocess.DEVNULL,
            env=environment | {"TERM": "xterm"},
        )
        stream.close()
        shown = "".join(seen(screen))
    assert process.wait() == 0
    assert "\x1b[" in shown
    lines = [line.rstrip() for line in clean(shown.replace("\r\n", "\0")).split("\ufffd")]
    assert lines[0] == "rank   score  line  text"
    assert lines[1].endswith("2  Mars is red because of rust.")
    assert lines[5].startswith("nano · documents.txt · 3 documents")
    assert max(map(len, lines)) <= 60


def test_service_of_ones_own_is_asked_for_turbo(run: Run, documents: str) -> None:
    with FakeServer("tei", model="jina-reranker-v1-turbo-en") as server:
        outcome = run("rank", "red planet", documents, "--base-url", server.url, "--top-n", "1")
        assert outcome.code == 0, outcome.err
        assert server.requests[0].json["query"] == "red planet"
    assert outcome.out.startswith("0.")


def test_service_that_contradicts_another_is_wrong_usage(run: Run, documents: str) -> None:
    outcome = run("rank", QUERY, documents, "--base-url", "localhost", "--endpoint", "mine")
    assert outcome.code == 2
    assert "base_url is for backend='api'" in outcome.err


def test_list_that_a_listwise_model_cannot_take_is_wrong_usage(run: Run, tmp_path: Path) -> None:
    many = [f"text {i}" for i in range(2_049)]
    (tmp_path / "many.txt").write_text("\n".join(many))
    line = json.dumps({"query": "red planet", "documents": many})
    (tmp_path / "many.jsonl").write_text(line)
    with FakeServer("jina") as server:
        service = ("--model", "jina-reranker-v3", "--base-url", server.url, "--dialect", "jina")
        ranked = run("rank", "red planet", "many.txt", *service)
        scored = run("score", "many.jsonl", "--output", "out.jsonl", *service)
    for outcome in (ranked, scored):
        assert outcome.code == 2
        assert "scores documents against each other" in outcome.err
        assert outcome.err.count("\n") == 1

"""The command `score`: what it writes, and that it goes on where it was left off."""

import errno
import fcntl
import gzip
import io
import json
import os
import re
import resource
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jina_rerank import JinaRerankError, Reranker, scoring
from jina_rerank.lines import InputError
from jina_rerank.scoring import Source, score_all
from jina_rerank.tasks import Fields, read_json_lines
from jina_rerank.terminal import clean
from jina_rerank.testing import FakeBackend

from .program import Run, Screen, seen, spawn, terminal

QUERY = "Which planet is red?"
LINES: list[dict[str, Any]] = [
    {"id": 1, "query": QUERY, "documents": ["Mars is a red planet", "the sea", "which is"]},
    {"query": "sea", "documents": ["the sea"], "naïve": "日本語"},
    {"query": "sea", "document": "the sea"},
    {"query": "sea", "documents": []},
]
BROKEN = '{"query": "sea", "documents": ["the'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, where this process is."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(path: Path, lines: list[Any]) -> Path:
    """Write JSON Lines; what is a string is written as it is."""
    texts = (line if isinstance(line, str) else json.dumps(line) for line in lines)
    path.write_text("".join(f"{text}\n" for text in texts))
    return path


def objects(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def fake_score(
    source: Path, output: Path, backend: FakeBackend | None = None, **options: bool
) -> bool:
    """Score a file without a model."""
    name = str(source)
    read = partial(read_json_lines, name, io.BytesIO(), Fields())
    reranker = Reranker("nano", backend=backend if backend is not None else FakeBackend())
    return score_all(Source(names=(name,), read=read), str(output), reranker, **options)


def test_lists_get_scores_and_single_documents_a_score(run: Run, folder: Path) -> None:
    write(folder / "in.jsonl", LINES)
    outcome = run("score", "in.jsonl", "--output", "out.jsonl")
    first, second, third, fourth = objects(folder / "out.jsonl")
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")
    assert first["scores"][0] > max(first["scores"][1:])
    assert len(second["scores"]) == 1
    assert third["score"] == pytest.approx(second["scores"][0], abs=1e-2)
    assert fourth["scores"] == []
    assert {line["model"] for line in (first, second, third, fourth)} == {"nano"}


def test_scores_equal_those_of_the_reranker(folder: Path, mini: Path) -> None:
    source = write(folder / "in.jsonl", LINES)
    reranker = Reranker(mini, dtype="float32")
    read = partial(read_json_lines, str(source), io.BytesIO(), Fields())
    score_all(Source(names=(str(source),), read=read), "out.jsonl", reranker)
    scored = objects(folder / "out.jsonl")
    expected = reranker.score(QUERY, ["Mars is a red planet", "the sea", "which is"])
    assert scored[0]["scores"] == pytest.approx(expected, abs=1e-6)
    assert scored[2]["score"] == pytest.approx(reranker.score("sea", ["the sea"])[0], abs=1e-6)


def test_line_is_kept_as_it_is_written(folder: Path) -> None:
    line = '{ "n": 5.10, "big": 12345678901234567890.123, "query":"sea", "documents":["\\u00e9"] }'
    fake_score(write(folder / "in.jsonl", [line]), folder / "out.jsonl")
    written = (folder / "out.jsonl").read_text()
    assert written.startswith(line.removesuffix(" }") + ', "scores": [0.0], "model": "nano"')


def test_what_steers_a_terminal_is_escaped(folder: Path) -> None:
    line = '{"query": "sea", "documents": [], "note": "\x9b31m\u202e"}'
    fake_score(write(folder / "in.jsonl", [line]), folder / "out.jsonl")
    assert r"\u009b31m\u202e" in (folder / "out.jsonl").read_text()
    assert objects(folder / "out.jsonl")[0]["note"] == "\x9b31m\u202e"


def test_scored_file_is_scored_again_with_another_model(folder: Path) -> None:
    old = {"query": "sea", "score": 9, "documents": ["the sea"], "scores": [0.5], "model": "other"}
    old["model_settings"] = {"dtype": "float16"}
    fake_score(write(folder / "in.jsonl", [old]), folder / "out.jsonl")
    (scored,) = objects(folder / "out.jsonl")
    assert scored == {
        "query": "sea",
        "documents": ["the sea"],
        "scores": [1.0],
        "model": "nano",
        "model_settings": {"backend": "custom"},
    }


def test_settings_that_change_scores_are_written(run: Run, folder: Path, mini: Path) -> None:
    write(folder / "in.jsonl", LINES[1:2])
    options = ["--model", str(mini), "--max-length", "64", "--dtype", "float32", "--device", "cpu"]
    assert run("score", "in.jsonl", "--output", "out.jsonl", *options).code == 0
    (scored,) = objects(folder / "out.jsonl")
    assert scored["model"] == str(mini)
    assert scored["model_settings"] == {"max_length": 64, "dtype": "float32"}


def test_blank_documents_get_0(folder: Path) -> None:
    line = {"query": "sea", "documents": ["  ", {"text": "the sea"}, ""]}
    fake_score(write(folder / "in.jsonl", [line]), folder / "out.jsonl")
    assert objects(folder / "out.jsonl")[0]["scores"] == [0.0, 1.0, 0.0]


def test_fields_are_chosen_by_name(run: Run, folder: Path) -> None:
    line = {"question": "sea", "query": 1, "passages": [{"body": "the sea"}, "rock"]}
    write(folder / "in.jsonl", [line])
    options = ["--query-field", "question", "--documents-field", "passages", "--text-field", "body"]
    assert run("score", "in.jsonl", "--output", "out.jsonl", *options).code == 0
    scores = objects(folder / "out.jsonl")[0]["scores"]
    assert scores[0] > scores[1]


def test_field_with_one_document_gets_a_score(run: Run, folder: Path) -> None:
    write(folder / "in.jsonl", [{"query": "sea", "body": "the sea"}])
    assert run("score", "in.jsonl", "--output", "-", "--documents-field", "body").out.count(
        '"score": '
    )


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (BROKEN, "broken JSON at column 32: Unterminated string"),
        ("[1]", "not a JSON object but an array"),
        ('{"documents": []}', "has no field 'query'; it has 'documents'"),
        ('{"query": "a"}', "has no field 'documents' or 'document'; it has 'query'"),
        ('{"query": 1, "documents": []}', "field 'query' is not a string but a number"),
        ('{"query": " ", "documents": []}', "query must not be blank"),
        ('{"query": "a", "documents": [], "document": ""}', "has both 'documents' and 'document'"),
        ('{"query": "a", "documents": [1]}', "documents[0] is neither a text nor an object"),
        ('{"query": "a", "document": null}', "'document' is neither a text nor an object with"),
        ('{"query": "a", "documents": ["", {"id": 1}]}', "documents[1]: has no field 'text'"),
        ('{"query": "a", "documents": [{"text": 1}]}', "documents[0]: field 'text' is not a str"),
        (r'{"query": "a\ud800", "documents": []}', r"half of a surrogate pair, \ud800"),
        (r'{"query": "a", "documents": ["\udc00"]}', "documents[0] has a lone surrogate"),
        ('{"query": "a\0", "documents": []}', "a NUL byte at column 13"),
    ],
)
def test_bad_line_is_named_and_the_others_scored(
    folder: Path, capsys: pytest.CaptureFixture[str], line: str, reason: str
) -> None:
    # A NUL near the start would make it a binary file.
    padding = {"query": "sea", "documents": ["x" * 20_000]}
    write(folder / "in.jsonl", [padding, line, LINES[1]])
    assert fake_score(Path("in.jsonl"), folder / "out.jsonl") is True
    (named,) = capsys.readouterr().err.splitlines()
    assert named.startswith("jina-rerank: in.jsonl:2: ")
    assert reason in named
    assert [line["query"] for line in objects(folder / "out.jsonl")] == ["sea", "sea"]


def test_missing_field_of_the_users_choice_is_a_bad_line(run: Run, folder: Path) -> None:
    write(folder / "in.jsonl", LINES[:1])
    outcome = run("score", "in.jsonl", "--output", "-", "--documents-field", "passages")
    assert (outcome.code, outcome.out) == (1, "")
    assert "has no field 'passages'; it has 'id', 'query', 'documents'" in outcome.err


def test_invalid_utf8_is_a_bad_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = json.dumps(LINES[1]).encode()
    (folder / "in.jsonl").write_bytes(good + b'\n{"query": "caf\xe9"}\n' + good)
    assert fake_score(Path("in.jsonl"), folder / "out.jsonl") is True
    assert "in.jsonl:2: invalid UTF-8: byte 0xe9 at column 15" in capsys.readouterr().err
    assert len(objects(folder / "out.jsonl")) == 2


def test_line_517_of_1000_is_named(run: Run, folder: Path, mini: Path) -> None:
    lines = [BROKEN if n == 517 else {**LINES[2], "id": n} for n in range(1, 1001)]
    write(folder / "in.jsonl", lines)
    outcome = run("score", "in.jsonl", "--output", "out.jsonl", "--model", str(mini))
    assert outcome.code == 1
    assert outcome.err.startswith("jina-rerank: in.jsonl:517: broken JSON at column 32")
    assert outcome.err.count("\n") == 1
    assert [line["id"] for line in objects(folder / "out.jsonl")] == [
        *range(1, 517),
        *range(518, 1001),
    ]


def test_only_bad_lines_give_an_empty_file(folder: Path) -> None:
    assert fake_score(write(folder / "in.jsonl", [BROKEN]), folder / "out.jsonl") is True
    assert (folder / "out.jsonl").read_bytes() == b""


def test_strict_writes_nothing_if_a_line_is_bad(run: Run, folder: Path) -> None:
    write(folder / "in.jsonl", [*LINES, BROKEN])
    outcome = run("score", "in.jsonl", "--output", "out.jsonl", "--strict")
    assert outcome.code == 1
    assert "in.jsonl:5: broken JSON" in outcome.err
    assert not (folder / "out.jsonl").exists()


def test_strict_scores_if_every_line_is_good(folder: Path) -> None:
    source = write(folder / "in.jsonl", LINES)
    assert fake_score(source, folder / "out.jsonl", strict=True) is False
    assert len(objects(folder / "out.jsonl")) == len(LINES)


def test_standard_streams_are_read_and_written(run: Run) -> None:
    outcome = run("score", "-", "--output", "-", stdin=json.dumps(LINES[2]).encode())
    assert (outcome.code, outcome.err) == (0, "")
    assert json.loads(outcome.out)["score"] > 0.5


def test_gzip_is_read(folder: Path) -> None:
    content = (json.dumps(LINES[1]) + "\n").encode()
    (folder / "in.jsonl.gz").write_bytes(gzip.compress(content))
    assert fake_score(folder / "in.jsonl.gz", folder / "out.jsonl") is False
    assert objects(folder / "out.jsonl")[0]["scores"] == [1.0]


def test_pipe_is_written(folder: Path) -> None:
    os.mkfifo("out.fifo")
    reader = subprocess.Popen(["/bin/cat", "out.fifo"], stdout=subprocess.PIPE)
    fake_score(write(folder / "in.jsonl", LINES), folder / "out.fifo")
    assert len(reader.communicate()[0].splitlines()) == len(LINES)


def test_line_of_five_megabytes_is_scored(run: Run, folder: Path, mini: Path) -> None:
    write(folder / "in.jsonl", [{"query": "sea", "documents": ["x " * 2_500_000]}, LINES[2]])
    assert run("score", "in.jsonl", "--output", "out.jsonl", "--model", str(mini)).code == 0
    assert (folder / "out.jsonl").stat().st_size > 5_000_000


def test_long_query_and_document_are_scored(run: Run, folder: Path, mini: Path) -> None:
    lines = [
        {"query": "word " * 10_000, "documents": ["the sea"]},
        {"query": "sea", "documents": ["a" * 1_000_000, "sea " * 250_000]},
    ]
    write(folder / "in.jsonl", lines)
    assert run("score", "in.jsonl", "--output", "out.jsonl", "--model", str(mini)).code == 0
    assert [len(line["scores"]) for line in objects(folder / "out.jsonl")] == [1, 2]


@pytest.mark.parametrize("line", [LINES[0], LINES[3]])
def test_little_is_held_of_a_long_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch, line: dict[str, Any]
) -> None:
    monkeypatch.setattr(scoring, "CHARACTERS", 1000)
    held = []

    class Watched(Reranker):
        def score_many(self, requests: Any) -> list[list[float]]:
            held.append(len(requests))
            return super().score_many(requests)

    source = write(folder / "in.jsonl", [line] * 500)
    read = partial(read_json_lines, str(source), io.BytesIO(), Fields())
    reranker = Watched("nano", backend=FakeBackend())
    score_all(Source(names=(str(source),), read=read), "out.jsonl", reranker)
    assert sum(held) == 500
    assert max(held) <= 1000 / len(json.dumps(line)) + 1


@pytest.fixture
def scored(folder: Path) -> Path:
    """A finished output, and its input beside it: five lines of which the third is bad."""
    write(folder / "in.jsonl", [*LINES[:2], BROKEN, *LINES[2:]])
    fake_score(folder / "in.jsonl", folder / "out.jsonl")
    return folder / "out.jsonl"


def test_any_torn_output_is_completed(scored: Path) -> None:
    whole = scored.read_bytes()
    for size in range(len(whole)):
        scored.write_bytes(whole[:size])
        assert fake_score(scored.parent / "in.jsonl", scored) is True
        assert scored.read_bytes() == whole


def test_resumed_run_asks_only_for_what_is_missing(
    scored: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = scored.read_bytes()
    scored.write_bytes(b"".join(whole.splitlines(keepends=True)[:2]) + b'{"query"')
    capsys.readouterr()
    backend = FakeBackend()
    assert fake_score(Path("in.jsonl"), Path("out.jsonl"), backend) is True
    assert backend.requests == [("sea", ["the sea"])]
    assert capsys.readouterr().err.splitlines() == [
        "jina-rerank: in.jsonl:3: broken JSON at column 32: Unterminated string",
        "jina-rerank: going on after 2 lines of 'out.jsonl'",
    ]


def test_complete_output_is_left_alone(scored: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.utime(scored, (1, 1))
    capsys.readouterr()
    backend = FakeBackend(error=JinaRerankError("not to be asked"))
    assert fake_score(Path("in.jsonl"), Path("out.jsonl"), backend) is True
    assert (
        "'out.jsonl' is complete, 4 lines; --restart scores them again" in capsys.readouterr().err
    )
    assert scored.stat().st_mtime == 1


def test_restart_starts_over(scored: Path) -> None:
    scored.write_text("something else\n")
    assert fake_score(Path("in.jsonl"), scored, restart=True) is True
    assert len(objects(scored)) == 4


def test_restart_keeps_the_old_output_until_the_model_is_there(run: Run, folder: Path) -> None:
    write(folder / "in.jsonl", LINES)
    (folder / "out.jsonl").write_text("precious\n")
    outcome = run("score", "in.jsonl", "--output", "out.jsonl", "--restart", "--model", "./none")
    assert outcome.code == 3
    assert (folder / "out.jsonl").read_text() == "precious\n"


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("Mars", "Moon", "line 1 of 'out.jsonl' is not what line 1 of the input gives"),
        ('"documents": []', '"documents": [""]', "line 4 of 'out.jsonl' is not what line 5 of"),
        (
            '"model": "nano"',
            '"model": "tiny"',
            "was made with model 'tiny' and backend custom, not",
        ),
        (', "model_settings": {"backend": "custom"}', "", "made with model 'nano', not with model"),
        ('"model": "nano", ', "", "line 1 of 'out.jsonl' is not what line 1 of the input gives"),
        ("1.0]", "1.0, 1.0]", "line 2 of 'out.jsonl' is not what line 2 of the input gives"),
        ("1.0]", "1.0", "line 2 of 'out.jsonl' is not what line 2 of the input gives"),
        ("1.0]", "null]", "line 2 of 'out.jsonl' is not what line 2 of the input gives"),
        ("[1.0]", "1.0", "line 2 of 'out.jsonl' is not what line 2 of the input gives"),
        ('{"backend": "custom"}', "[]", "line 1 of 'out.jsonl' is not what line 1 of the input"),
    ],
)
def test_foreign_output_is_refused(scored: Path, old: str, new: str, reason: str) -> None:
    foreign = scored.read_text().replace(old, new)
    scored.write_text(foreign)
    with pytest.raises(InputError, match=r"choose another --output, or .* --restart") as caught:
        fake_score(Path("in.jsonl"), Path("out.jsonl"))
    assert reason in str(caught.value)
    assert scored.read_text() == foreign


@pytest.mark.parametrize("content", ["my notes", "my notes\nand more\n", "[]\n", "\n", "\0\0"])
def test_unrelated_file_is_refused_and_kept(scored: Path, content: str) -> None:
    scored.write_text(content)
    with pytest.raises(InputError, match=r"line 1 of 'out\.jsonl' is not what line 1"):
        fake_score(Path("in.jsonl"), Path("out.jsonl"))
    assert scored.read_text() == content


def test_output_of_a_longer_input_is_refused(scored: Path) -> None:
    write(scored.parent / "in.jsonl", LINES[:3])
    with pytest.raises(InputError, match=r"'out\.jsonl' has more lines than the input gives"):
        fake_score(Path("in.jsonl"), Path("out.jsonl"))


def test_other_settings_are_refused(run: Run, folder: Path, mini: Path) -> None:
    write(folder / "in.jsonl", LINES)
    command = ["score", "in.jsonl", "--output", "out.jsonl", "--model", str(mini)]
    assert run(*command, "--max-length", "64").code == 0
    outcome = run(*command, "--max-length", "32")
    assert outcome.code == 2
    assert "and max_length 64, not with model" in outcome.err
    assert outcome.err.count("\n") == 1


def test_output_of_another_process_is_refused(run: Run, folder: Path) -> None:
    write(folder / "in.jsonl", LINES)
    with (folder / "out.jsonl").open("wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        outcome = run("score", "in.jsonl", "--output", "out.jsonl")
    assert outcome.code == 3
    assert "'out.jsonl' is being written by another process; wait for it" in outcome.err
    assert (folder / "out.jsonl").read_bytes() == b""


def test_file_system_without_locks_is_named_as_such(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", refuse)
    write(folder / "in.jsonl", LINES)
    outcome = run("score", "in.jsonl", "--output", "out.jsonl")
    assert outcome.code == 3
    assert "'out.jsonl' cannot be locked against other processes" in outcome.err
    assert "choose an --output on a file system that has locks" in outcome.err


@pytest.mark.usefixtures("_no_keys")
def test_failed_start_leaves_no_file(run: Run, folder: Path) -> None:
    write(folder / "in.jsonl", LINES)
    service = ("--model", "turbo", "--backend", "api")  # without a key
    assert run("score", "in.jsonl", "--output", "out.jsonl", *service).code == 3
    assert not (folder / "out.jsonl").exists()


def test_failing_backend_leaves_what_was_scored(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "CHARACTERS", 1)
    source = write(folder / "in.jsonl", LINES)
    fake_score(source, folder / "whole.jsonl")

    class Tired(FakeBackend):
        def score(self, query: str, documents: Any) -> Any:
            if self.requests:
                msg = "tired"
                raise JinaRerankError(msg)
            return super().score(query, documents)

    with pytest.raises(JinaRerankError, match="tired"):
        fake_score(source, folder / "out.jsonl", Tired())
    assert len(objects(folder / "out.jsonl")) == 1
    fake_score(source, folder / "out.jsonl")
    assert (folder / "out.jsonl").read_bytes() == (folder / "whole.jsonl").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.jsonl"], "there is no file 'none.jsonl'; check its name"),
        (["."], "'.' is a directory; name the files in it"),
        (["binary.jsonl"], "'binary.jsonl' is binary, not text"),
        (["empty.jsonl"], "there is nothing to score in 'empty.jsonl': every line is blank"),
        (["damaged.gz"], "'damaged.gz' is no whole gzip file"),
        (["plain.gz"], "'plain.gz' is no whole gzip file"),
        (["-", "--strict"], "--strict reads the input twice, so standard input has to be a file"),
        (["in.jsonl", "--output", "in.jsonl"], "--output 'in.jsonl' is an input too"),
        (["in.jsonl", "--output", "./link"], "--output './link' is an input too"),
        (["in.jsonl", "--output", "."], "'.' cannot be written: Is a directory"),
        (["in.jsonl", "--output", "no/out"], "'no/out' cannot be written: No such file or"),
        (["in.jsonl", "--max-length", "9999"], "max_length must be at most 8192, the context of"),
        (["in.jsonl", "--max-length", "1"], "max_length must be at least 5"),
        (["in.jsonl", "--dtype", "int8"], "dtype must be one of"),
        (["in.jsonl", "--device", "cuda:99"], "device 'cuda:99' is not available here"),
        (["in.jsonl", "--text-field", ""], "--text-field must be the name of a field"),
        (["in.jsonl", "--query-field", "score"], "--query-field score is where the output has"),
        (["a.run"], "'a.run' reads like a TREC run: name its texts with --corpus and --queries"),
        (["a.run", "--corpus", "in.jsonl"], "a TREC run needs both --corpus and --queries"),
    ],
)
def test_wrong_usage_is_one_line_and_2(
    run: Run, folder: Path, arguments: list[str], message: str
) -> None:
    write(folder / "in.jsonl", LINES)
    (folder / "link").symlink_to("in.jsonl")
    (folder / "binary.jsonl").write_bytes(b"\x7fELF\0\0")
    (folder / "empty.jsonl").write_bytes(b"\n  \n")
    (folder / "damaged.gz").write_bytes(gzip.compress(b'{"query": "sea"}\n' * 1000)[:-20])
    (folder / "plain.gz").write_bytes(b"plain")
    before = sorted(folder.iterdir())
    output = [] if "--output" in arguments else ["--output", "out.jsonl"]
    outcome = run("score", *arguments, *output)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.splitlines()[-1].startswith(f"jina-rerank: {message}")
    assert outcome.err.count("see 'jina") <= 1
    assert sorted(folder.iterdir()) == before


def test_no_output_is_wrong_usage(run: Run) -> None:
    outcome = run("score", "in.jsonl")
    assert outcome.code == 2
    assert (
        outcome.err
        == "jina-rerank: Missing option '--output' / '-o'; see 'jina-rerank score --help'\n"
    )


def test_full_device_is_one_line_and_3(run: Run, folder: Path, mini: Path) -> None:
    write(folder / "in.jsonl", LINES)
    outcome = run("score", "in.jsonl", "--output", "/dev/full", "--model", str(mini))
    message = "jina-rerank: '/dev/full' cannot be written: No space left on device\n"
    assert (outcome.code, outcome.err) == (3, message)


def test_full_disk_leaves_whole_lines_to_go_on_from(run: Run, folder: Path, mini: Path) -> None:
    write(folder / "in.jsonl", [{**LINES[0], "id": n, "note": "x" * 50_000} for n in range(100)])
    command = ["score", "in.jsonl", "--output", "out.jsonl", "--model", str(mini)]
    most = 2_000_001  # more than coverage's own file

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))

    process = spawn(*command, stderr=subprocess.PIPE, preexec_fn=limit)
    error = process.communicate()[1].decode()
    written = (folder / "out.jsonl").read_bytes()
    assert process.returncode == 3
    assert error.startswith("jina-rerank: 'out.jsonl' cannot be written: File too large; its lines")
    assert error.count("\n") == 1
    assert most - 51_000 < len(written) <= most
    assert written.endswith(b"}\n")
    assert run(*command).code == 0
    assert [line["id"] for line in objects(folder / "out.jsonl")] == [*range(100)]


def test_line_that_does_not_fit_on_the_disk_is_cut_off(run: Run, folder: Path, mini: Path) -> None:
    write(folder / "in.jsonl", [{**LINES[0], "id": n, "note": "x" * 5_000} for n in range(10)])
    command = ["score", "in.jsonl", "--output", "out.jsonl", "--model", str(mini)]
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        outcome = run(*command)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert outcome.code == 3
    assert "cannot be written: File too large; its lines are whole" in outcome.err
    assert [line["id"] for line in objects(folder / "out.jsonl")] == [0, 1, 2]
    assert run(*command).code == 0
    assert [line["id"] for line in objects(folder / "out.jsonl")] == [*range(10)]


DEADLY = """
import io, os, signal, sys
from functools import partial
from jina_rerank import Reranker, scoring
from jina_rerank.tasks import Fields, read_json_lines
from jina_rerank.testing import FakeBackend

class Deadly(FakeBackend):
    def score(self, query, documents):
        if os.path.getsize("out.jsonl") >= int(sys.argv[1]):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().score(query, documents)

scoring.CHARACTERS = 2000
read = partial(read_json_lines, "in.jsonl", io.BytesIO(), Fields())
source = scoring.Source(names=("in.jsonl",), read=read)
sys.exit(scoring.score_all(source, "out.jsonl", Reranker("nano", backend=Deadly())))
"""
"""Scores until the output has some size, and then is killed as by `kill -9`."""


def test_run_killed_three_times_loses_and_repeats_nothing(folder: Path) -> None:
    lines: list[Any] = [{**LINES[n % 4], "id": n} for n in range(4000)]
    lines[1000] = lines[2500] = BROKEN
    write(folder / "in.jsonl", lines)
    fake_score(Path("in.jsonl"), Path("whole.jsonl"))
    sizes = []
    for size, code in ((100_000, -9), (200_000, -9), (400_000, -9), (10_000_000, 1)):
        run = [sys.executable, "-c", DEADLY, str(size)]
        process = subprocess.run(run, capture_output=True, check=False)
        sizes.append(Path("out.jsonl").stat().st_size)
        assert process.returncode == code
        assert (b"going on after" in process.stderr) == (len(sizes) > 1)
    assert sizes == sorted(set(sizes))
    named = [line.split(b":")[2] for line in process.stderr.splitlines() if b"broken" in line]
    assert named == [b"1001", b"2501"]
    assert Path("out.jsonl").read_bytes() == Path("whole.jsonl").read_bytes()


def test_ctrl_c_while_scoring_is_quiet_and_leaves_whole_lines(folder: Path, mini: Path) -> None:
    write(folder / "in.jsonl", [{"query": "sea", "document": "word " * 50_000}] * 40)
    command = ["score", "in.jsonl", "--output", "out.jsonl", "--model", str(mini)]
    with terminal(80) as (screen, stream):
        process = spawn(*command, stdout=stream, stderr=stream)
        shown = ""
        while not re.search(r"[1-9] lines", clean(shown)):
            shown += os.read(screen, 65_536).decode(errors="replace")
        process.send_signal(signal.SIGINT)
        assert process.wait() == 130
        stream.close()
        shown += "".join(seen(screen))
    assert shown.endswith("\r\x1b[K\x1b[?25h")
    assert "Traceback" not in shown
    assert (folder / "out.jsonl").read_text().endswith("}\n")
    assert 0 < len(objects(folder / "out.jsonl")) < 40


def test_terminal_shows_how_far_it_is(
    run: Run, folder: Path, mini: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr("jina_rerank.terminal.INTERVAL", 0)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    write(folder / "in.jsonl", LINES)
    assert run("score", "in.jsonl", "--output", "out.jsonl", "--model", str(mini)).code == 0
    shown = clean(screen.getvalue())
    assert "Loading" in shown
    assert "100% 4 lines" in shown
    assert f"jina-rerank: 4 lines scored with {mini} in" in shown
    assert "Checking" not in shown


def test_terminal_that_gets_the_lines_gets_no_bar(run: Run, folder: Path) -> None:
    write(folder / "in.jsonl", LINES)
    with terminal(80) as (screen, stream):
        process = spawn("score", "in.jsonl", "--output", "-", stdout=stream, stderr=stream)
        stream.close()
        shown = "".join(seen(screen))
    assert process.wait() == 0
    assert '"model": "nano"' in shown
    assert "Scoring" not in shown


def test_reader_that_went_away_ends_with_141(folder: Path) -> None:
    write(folder / "in.jsonl", LINES)
    process = spawn(
        "score", "in.jsonl", "--output", "-", stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout
    process.stdout.close()
    assert process.stderr
    assert process.stderr.read() == b""
    assert process.wait() == 141


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(st.lists(st.binary(max_size=60)), st.integers(min_value=0))
def test_any_bytes_are_scored_named_or_refused(folder: Path, lines: list[bytes], cut: int) -> None:
    good = json.dumps(LINES[0]).encode()
    content = b"\n".join(line for some in lines for line in (some, good))
    source, output = folder / "in.jsonl", folder / "out.jsonl"
    source.write_bytes(content)
    try:
        fake_score(source, output, restart=True)
    except InputError:
        return
    whole = output.read_bytes()
    output.write_bytes(whole[: cut % (len(whole) + 1)])
    fake_score(source, output)
    assert output.read_bytes() == whole

"""Documents from text and JSON Lines files."""

import gzip
import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jina_rerank.files import read
from jina_rerank.lines import Failure, InputError, Passage

NO_STDIN = io.BytesIO()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def texts(passages: list[Passage]) -> list[str]:
    return [passage.text for passage in passages]


def reasons(failures: list[Failure]) -> list[tuple[int, str]]:
    return [(failure.line, str(failure.error)) for failure in failures]


def from_stdin(content: bytes, *, text_field: str | None = None) -> list[tuple[int, str]]:
    """Read standard input and return why its lines failed."""
    return reasons(read(["-"], io.BytesIO(content), text_field=text_field)[1])


def test_text_gives_a_document_for_each_line_that_is_not_blank(folder: Path) -> None:
    (folder / "a.txt").write_bytes(b"one\n\n  \t\n two \nthree")
    passages, failures = read(["a.txt"], NO_STDIN)
    assert passages == [
        Passage(text="one", file="a.txt", line=1),
        Passage(text=" two ", file="a.txt", line=4),
        Passage(text="three", file="a.txt", line=5),
    ]
    assert failures == []


def test_several_files_are_read_in_order(folder: Path) -> None:
    (folder / "b.txt").write_text("b")
    (folder / "a.txt").write_text("a")
    passages, _ = read(["b.txt", "-", "a.txt"], io.BytesIO(b"stdin\n"))
    assert [(passage.file, passage.text) for passage in passages] == [
        ("b.txt", "b"),
        ("-", "stdin"),
        ("a.txt", "a"),
    ]


def test_byte_order_mark_and_crlf_are_no_part_of_the_text() -> None:
    passages, _ = read(["-"], io.BytesIO(b"\xef\xbb\xbfone\r\ntwo\r\n"))
    assert texts(passages) == ["one", "two"]


def test_paragraphs_are_joined_with_single_spaces(folder: Path) -> None:
    (folder / "a.txt").write_text("\none\n  two\tthree \n\n \n\nfour\n")
    passages, _ = read(["a.txt"], NO_STDIN, paragraphs=True)
    assert [(passage.line, passage.text) for passage in passages] == [
        (2, "one two three"),
        (7, "four"),
    ]


def test_bad_line_of_a_paragraph_is_left_out() -> None:
    passages, failures = read(["-"], io.BytesIO(b"one\n\xff\nthree\n"), paragraphs=True)
    assert texts(passages) == ["one three"]
    assert [failure.line for failure in failures] == [2]


def test_last_paragraph_before_blank_lines_is_read_once() -> None:
    passages, _ = read(["-"], io.BytesIO(b"one\n\n"), paragraphs=True)
    assert texts(passages) == ["one"]


@pytest.mark.parametrize("name", ["a.jsonl", "a.ndjson", "A.JSONL"])
def test_json_lines_are_known_by_their_name(folder: Path, name: str) -> None:
    (folder / name).write_text('{"text": "one"}\n\n{"id": 1, "text": "  "}\r\n')
    passages, failures = read([name], NO_STDIN)
    assert [(passage.line, passage.text) for passage in passages] == [(1, "one"), (3, "  ")]
    assert failures == []


def test_gzip_is_read_as_what_is_in_it(folder: Path) -> None:
    (folder / "a.jsonl.gz").write_bytes(gzip.compress(b'{"text": "one"}\n'))
    (folder / "a.txt.gz").write_bytes(gzip.compress(b"two\n"))
    assert texts(read(["a.jsonl.gz", "a.txt.gz"], NO_STDIN)[0]) == ["one", "two"]


def test_damaged_gzip_is_refused(folder: Path) -> None:
    (folder / "a.txt.gz").write_bytes(gzip.compress(b"two\n")[:-9])
    with pytest.raises(InputError, match=r"'a\.txt\.gz' is no whole gzip file.*compress it again"):
        read(["a.txt.gz"], NO_STDIN)


def test_text_field_chooses_the_field_and_makes_stdin_json() -> None:
    content = io.BytesIO(b'{"body": "one", "text": "other"}\n')
    assert texts(read(["-"], content, text_field="body")[0]) == ["one"]


def test_stdin_without_text_field_is_text() -> None:
    content = io.BytesIO(b'{"text": "one"}\n')
    assert texts(read(["-"], content)[0]) == ['{"text": "one"}']


def test_invalid_utf8_names_the_byte_and_the_column() -> None:
    (failure,) = from_stdin(b"good\ncaf\xe9\n")
    assert failure[0] == 2
    assert "byte 0xe9 at column 4" in failure[1]
    assert "iconv" in failure[1]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"text": "a', "broken JSON at column 10: Unterminated string"),
        ("{'text': 1}", "broken JSON at column 2"),
        ("[1]", "not a JSON object but an array"),
        ('"a"', "not a JSON object but a string"),
        ("null", "not a JSON object but null"),
        ("[" * 100_000, "JSON nested too deeply"),
        ('{"text": ' + "1" * 5000 + "}", "JSON with a number of too many digits"),
        ('{"body": "a"}', "has no field 'text'; it has 'body'"),
        ("{}", "has no field 'text'; it has nothing"),
        ('{"text": 1.5}', "field 'text' is not a string but a number"),
        ('{"text": true}', "field 'text' is not a string but a boolean"),
        ('{"text": null}', "field 'text' is not a string but null"),
        ('{"text": {}}', "field 'text' is not a string but an object"),
        (r'{"text": "a\ud800b"}', r"half of a surrogate pair, \ud800"),
    ],
)
def test_bad_json_line_fails_and_the_others_are_read(line: str, reason: str) -> None:
    content = f'{{"text": "one"}}\n{line}\n{{"text": "two"}}\n'.encode()
    passages, failures = read(["-"], io.BytesIO(content), text_field="text")
    assert texts(passages) == ["one", "two"]
    ((number, found),) = reasons(failures)
    assert number == 2
    assert reason in found


def test_invalid_utf8_in_json_lines_fails_as_a_line() -> None:
    (failure,) = from_stdin(b'{"text": "one"}\n{"text": "\xff"}\n', text_field="text")
    assert "invalid UTF-8" in failure[1]


def test_all_lines_bad_gives_failures_and_no_documents() -> None:
    passages, failures = read(["-"], io.BytesIO(b"\xff\n\xfe\n"))
    assert passages == []
    assert [failure.line for failure in failures] == [1, 2]


def test_line_of_five_megabytes_is_one_document() -> None:
    text = "word " * 1_000_000
    passages, _ = read(["-"], io.BytesIO(json.dumps({"text": text}).encode()), text_field="text")
    assert texts(passages) == [text]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["none.txt"], "there is no file 'none.txt'; the query comes first"),
        (["."], "'.' is a directory; name the files in it"),
        (["x" * 300], "cannot be read: File name too long"),
        (["-", "-"], "can be read only once"),
        (["blank.txt", "-"], "there are no documents in 'blank.txt', standard input"),
    ],
)
def test_file_that_cannot_be_used_is_refused(folder: Path, names: list[str], message: str) -> None:
    (folder / "blank.txt").write_text("\n \n")
    with pytest.raises(InputError, match=message):
        read(names, io.BytesIO())


def test_nul_far_into_a_text_is_a_bad_line() -> None:
    content = b"x" * 100_000 + b"\n\0\nlast"
    passages, failures = read(["-"], io.BytesIO(content))
    assert [passage.line for passage in passages] == [1, 3]
    assert [(failure.line, str(failure.error)) for failure in failures] == [
        (2, "a NUL byte at column 1, which is not text")
    ]


@pytest.mark.parametrize("content", [b"\x7fELF\0\0", b"x" * 1000 + b"\n\0"])
def test_binary_file_is_refused(folder: Path, content: bytes) -> None:
    (folder / "a.bin").write_bytes(content)
    with pytest.raises(InputError, match=r"'a\.bin' is binary, not text.*iconv -f UTF-16"):
        read(["a.bin"], NO_STDIN)


def test_binary_stdin_is_refused() -> None:
    with pytest.raises(InputError, match="standard input is binary"):
        read(["-"], io.BytesIO("a".encode("utf-16")))


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ("", "must be the name of a field"),
        ("body", "'a.jsonl' has nothing to rank: line 1 has no field 'body'; it has 'id', 'text'"),
    ],
)
def test_bad_text_field_is_refused(folder: Path, field: str, message: str) -> None:
    (folder / "a.jsonl").write_text('{"id": 1, "text": "one"}\n{"id": 2, "text": "two"}\n')
    with pytest.raises(InputError, match=message):
        read(["a.jsonl"], NO_STDIN, text_field=field)


def test_text_field_without_json_lines_is_refused(folder: Path) -> None:
    (folder / "a.txt").write_text("one")
    with pytest.raises(InputError, match="--text-field is for JSON Lines, and no file is"):
        read(["a.txt"], NO_STDIN, text_field="text")


@given(st.lists(st.text(st.characters(exclude_characters="\0\n\r", codec="utf-8"))))
def test_any_text_comes_back_line_by_line(lines: list[str]) -> None:
    if lines:
        lines[0] = lines[0].removeprefix("\ufeff")
    content = io.BytesIO("\n".join([*lines, "last"]).encode())
    passages, failures = read(["-"], content)
    expected = [(i, line) for i, line in enumerate([*lines, "last"], 1) if line.strip()]
    assert [(passage.line, passage.text) for passage in passages] == expected
    assert failures == []


@given(st.lists(st.binary()))
def test_any_bytes_give_documents_and_failures_or_are_refused(lines: list[bytes]) -> None:
    for field in (None, "text"):
        try:
            passages, failures = read(["-"], io.BytesIO(b"\n".join(lines)), text_field=field)
        except InputError:
            continue
        assert passages or failures

"""What the command line prints, and that nothing in it steers a terminal."""

import json
import re
import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jina_rerank import MODELS, RankedDocument, Ranking, Usage, terminal
from jina_rerank.lines import Passage

HOSTILE = "\x1b[31mred\x1b[0m \x1b]0;title\x07\x9b1m[bold]x[/bold] :smile: \u202eevil\x00"


def ranking(texts: list[str], scores: list[float | None]) -> Ranking[str]:
    results = tuple(
        RankedDocument(index=i, score=score, document=text)
        for i, (text, score) in enumerate(zip(texts, scores, strict=True))
    )
    return Ranking(results=results, model="nano", usage=Usage(total_tokens=1234))


def passages(texts: list[str], file: str = "a.txt") -> list[Passage]:
    return [Passage(text=text, file=file, line=i) for i, text in enumerate(texts, 1)]


Show = Callable[..., list[str]]


@pytest.fixture
def show(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Show:
    """Print a ranking at a width and return the lines."""

    def show(
        texts: list[str],
        *,
        scores: list[float | None] | None = None,
        found: list[Passage] | None = None,
        width: int = 80,
        rows: int | None = None,
    ) -> list[str]:
        monkeypatch.setenv("COLUMNS", str(width))
        ranked = ranking(texts, scores if scores is not None else [0.5] * len(texts))
        places = found if found is not None else passages(texts)
        terminal.show_ranking(ranked, places, rows=rows, seconds=0.25)
        return [line.rstrip() for line in capsys.readouterr().out.splitlines()]

    return show


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("plain naïve 日本語 😀", "plain naïve 日本語 😀"),
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b[38:2::1:2:3mred\x1b[?25l", "red"),
        ("\x9b31mred", "red"),
        ("\x1b]0;title\x07after", "after"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x9d0;title\x9cafter", "after"),
        ("\x1bPq#0\x1b\\after", "after"),
        ("\x1b(Bafter\x1bc", "after"),
        ("\x1b]never ended", "never ended"),
        ("\x1b\x1b[0m[31m", "\ufffd[31m"),
        ("a\tb\nc\r\nd\re\x85f\u2028g", "a b c d e f g"),
        ("a\0b\x08c\x7fd\x9ce", "a\ufffdb\ufffdc\ufffdd\ufffde"),
        ("user\u202etxt.exe\u2066", "user\ufffdtxt.exe\ufffd"),
        ("\u05d0\u200f!", "\u05d0\u200f!"),
        ("caf\udce9", "caf\ufffd"),
    ],
)
def test_controls_are_removed_or_replaced(text: str, cleaned: str) -> None:
    assert terminal.clean(text) == cleaned


@given(st.text(st.one_of(st.characters(), st.sampled_from("\x1b[]0;m\x07\x9b\x9c\x9d\\"))))
def test_clean_text_of_anything_has_no_controls_and_is_one_line(text: str) -> None:
    cleaned = terminal.clean(text)
    assert not [char for char in cleaned if unicodedata.category(char) in {"Cc", "Cs"}]
    assert len(f"x{cleaned}".splitlines()) == 1
    assert cleaned == terminal.clean(cleaned)


@given(st.text(st.characters()))
def test_json_of_anything_comes_back_without_raw_controls(text: str) -> None:
    written = terminal.dump({"text": text})
    assert json.loads(written) == {"text": text}
    assert not [char for char in written if unicodedata.category(char) in {"Cc", "Cs"}]
    assert not re.search("[\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]", written)


def test_json_keeps_other_languages_readable() -> None:
    assert terminal.dump("日本語 é") == '"日本語 é"'


def test_hostile_megabytes_are_cleaned_in_linear_time() -> None:
    for text in ("\x1b]" * 10**6, "\x1b[1" * 10**6, "\x9d" * 10**6, "\x1b[" + "1" * 10**6):
        assert "\x1b" not in terminal.clean(text)


def test_message_is_one_clean_line_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.say("bad\n\x1b[31mfile")
    assert capsys.readouterr() == ("", "jina-rerank: bad file\n")


def test_lines_have_score_place_and_text_between_tabs(capsys: pytest.CaptureFixture[str]) -> None:
    ranked = ranking(["a\tb\nc", HOSTILE], [0.123456789, None])
    terminal.write_ranking(ranked, passages(["a\tb\nc", HOSTILE], "evil\x1b[31m\tname"))
    assert capsys.readouterr().out.splitlines() == [
        "0.123457\tevil name:1\ta b c",
        "-\tevil name:2\tred [bold]x[/bold] :smile: \ufffdevil\ufffd",
    ]


def test_json_of_a_ranking_keeps_the_documents_as_they_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    places = passages([HOSTILE], "caf\udce9")
    terminal.write_ranking(ranking([HOSTILE], [0.5]), places, as_json=True)
    written = capsys.readouterr().out
    assert "\x1b" not in written
    assert json.loads(written) == {
        "model": "nano",
        "usage": {"total_tokens": 1234},
        "results": [
            {"index": 0, "score": 0.5, "file": "caf\udce9", "line": 1, "document": HOSTILE}
        ],
    }


def test_table_shows_rank_score_line_and_text(show: Show) -> None:
    assert show(["one", "two"], scores=[0.98765, 0.1]) == [
        "rank   score  line  text",
        "   1  0.9877     1  one",
        "   2  0.1000     2  two",
        "",
        "nano · a.txt · 2 documents · 1,234 tokens · 0.2 s",
    ]


def test_table_interprets_no_markup_no_emoji_and_no_escapes(show: Show) -> None:
    assert show([HOSTILE])[1] == "   1  0.5000     1  red [bold]x[/bold] :smile: \ufffdevil\ufffd"


def test_table_of_some_rows_says_how_to_see_the_others(show: Show) -> None:
    lines = show(["one", "two", "three"], rows=2)
    assert [line[:7] for line in lines[1:3]] == ["   1  0", "   2  0"]
    assert lines[-1] == "2 of 3 shown; --top-n 3 shows all"


def test_table_of_nothing_says_that_the_threshold_is_not_reached(show: Show) -> None:
    assert show([], found=passages(["one"])) == [
        "nano · a.txt · 1 document · 1,234 tokens · 0.2 s",
        "no document reaches the threshold",
    ]


@pytest.mark.parametrize("width", [80, 120])
def test_long_texts_are_wrapped_and_cropped_within_the_width(show: Show, width: int) -> None:
    lines = show(["word " * 200] * 10, width=width)
    assert max(map(len, lines)) <= width
    assert len(lines) == 1 + 10 * 3 + 2
    assert [line.endswith("word…") for line in lines[1:-2]] == [False, False, True] * 10
    assert len(lines[1]) > width - 5


def test_few_results_show_more_of_each_text(show: Show) -> None:
    assert len(show(["word " * 1000])) == 1 + 30 + 2


def test_text_of_megabytes_is_cropped_before_it_is_wrapped(show: Show) -> None:
    lines = show(["word " * 10**6, " " * 10**6])
    assert lines[15].endswith("…")
    assert lines[16] == "   2  0.5000     2  …"


def test_places_in_several_files_are_named_briefly(show: Show) -> None:
    found = passages(["one"], "deep/folder/a.txt") + passages(["two"], "b.txt")
    lines = show(["one", "two"], found=found)
    assert lines[:3] == [
        "rank   score  file     text",
        "   1  0.5000  a.txt:1  one",
        "   2  0.5000  b.txt:1  two",
    ]
    assert lines[-1].startswith("nano · 2 documents")


def test_places_in_files_of_one_name_are_named_in_full_and_folded(show: Show) -> None:
    found = passages(["one"], "some/very/deep/folder/a.txt") + passages(["two"], "a.txt")
    lines = show(["one", "two"], found=found)
    assert lines[1] == "   1  0.5000  some/very/deep/folder/a.tx  one"
    assert lines[2].strip() == "t:1"


def test_narrow_terminal_still_shows_every_rank(show: Show) -> None:
    lines = show(["one two three", "four"], width=10)
    assert len([line for line in lines if line.strip()]) >= 3


def test_model_lines_have_seven_fields(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.write_models()
    lines = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert {len(fields) for fields in lines} == {7}
    assert [fields[1] for fields in lines] == [info.name for info in MODELS]
    assert ["-", "jina-reranker-v3.5", "-"] in [fields[:3] for fields in lines]


def test_models_json_holds_the_whole_table(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.write_models(as_json=True)
    names = [row["name"] for row in json.loads(capsys.readouterr().out)]
    assert names == [info.name for info in MODELS]


@pytest.mark.parametrize("width", [80, 120])
def test_model_table_names_every_model_within_the_width(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    terminal.show_models()
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= width
    assert all(info.name in out and info.licence in out for info in MODELS)
    assert "38M" in out
    assert "2.4B" in out

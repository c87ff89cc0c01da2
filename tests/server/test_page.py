"""The page in a browser: what people type, drop, press and see."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Route, expect

from jina_rerank import Reranker

from .browser import CHROMIUM, MISSING, Visit, chromium, visiting
from .running import Running, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

QUERY = "Why does Mars look red?"
DOCUMENTS = [
    "Mars has two small moons.",
    "Red wine stains.",
    "The ground of Mars is full of iron oxide, which is red.",
    "The sea is blue.",
]
SCRIPT = "<script>document.title = 'run'</script><img src=x onerror=\"document.title = 'run'\">"
HARD = [
    'it\'s "quoted" \\ and $(touch run) `touch run`',
    "<b>bold</b> & é 🪐 \u2028 \u202e",
    "Mars is red '''\"\"\" # {braces} %s",
]
KEY = "a-key-of-sixteen-characters-or-more"


@pytest.fixture(scope="module")
def server(mini: Path) -> Iterator[Running]:
    """A server with the built-in model and a small one."""
    with serving("--model", "nano", "--model", str(mini)) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    if CHROMIUM is None:
        pytest.skip(MISSING)
    async with chromium() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def visit(browser: Browser, server: Running) -> AsyncIterator[Visit]:
    """The page on a desktop; whatever is done there, the console stays silent."""
    async with visiting(server.url, browser) as visit:
        await visit.ready()
        yield visit
        assert visit.seen.errors == []
        assert {urlsplit(url).netloc for url in visit.seen.requests} == {
            urlsplit(server.url).netloc
        }


async def test_typed_documents_come_back_in_the_engines_order(visit: Visit) -> None:
    await visit.fill(QUERY, DOCUMENTS)
    await visit.rank()
    ranking = Reranker("nano").rank(QUERY, DOCUMENTS)
    scores = await visit.page.locator("[data-column='1'] .number").all_text_contents()
    assert await visit.column(0) == DOCUMENTS
    assert await visit.column(1) == [item.document for item in ranking]
    assert [float(score) for score in scores] == pytest.approx(
        [item.score for item in ranking], abs=0.02
    )


async def test_time_and_tokens_stand_beside_the_model(visit: Visit) -> None:
    await visit.fill(QUERY, DOCUMENTS)
    await visit.rank()
    note = await visit.page.locator("[data-column='1'] header .hint").inner_text()
    tokens = Reranker("nano").rank(QUERY, DOCUMENTS).usage.total_tokens
    assert re.fullmatch(rf"[\d.]+ m?s · {tokens} tokens", note)


async def test_bars_are_as_long_as_scores(visit: Visit) -> None:
    await visit.fill(QUERY, DOCUMENTS)
    await visit.rank()
    lengths = await visit.page.evaluate(
        "[...document.querySelectorAll('.bar')].map((bar) =>"
        " bar.firstChild.getBoundingClientRect().width / bar.getBoundingClientRect().width)"
    )
    scores = await visit.page.locator(".number").all_text_contents()
    assert lengths == pytest.approx([float(score) for score in scores], abs=0.01)


async def test_moves_say_where_a_document_was(visit: Visit) -> None:
    await visit.fill(QUERY, DOCUMENTS)
    await visit.rank()
    places = [DOCUMENTS.index(text) for text in await visit.column(1)]
    moves = await visit.page.locator(".moved").all_text_contents()
    expected = [index - place for place, index in enumerate(places)]
    assert moves == [f"{'↑' if up > 0 else '↓'} {abs(up)}" if up else "" for up in expected]


async def test_two_models_are_shown_side_by_side(visit: Visit, mini: Path) -> None:
    await visit.fill(QUERY, DOCUMENTS)
    await visit.page.get_by_label("Compare with").select_option(index=2)
    await visit.rank()
    own = [item.document for item in Reranker(mini).rank(QUERY, DOCUMENTS)]
    assert await visit.column(2) == own
    assert sorted(await visit.column(1)) == sorted(own)
    boxes = [await visit.page.locator(f"[data-column='{n}']").bounding_box() for n in (1, 2)]
    assert boxes[0] is not None
    assert boxes[1] is not None
    assert boxes[0]["y"] == boxes[1]["y"]
    assert await visit.page.locator(".lines path").count() == 2 * len(DOCUMENTS)


async def test_model_is_not_compared_with_itself(visit: Visit) -> None:
    options = visit.page.locator("#other option")
    assert await options.nth(1).is_disabled()
    await visit.page.get_by_label("Compare with").select_option(index=2)
    await visit.page.get_by_label("Model", exact=True).select_option(index=1)
    assert await visit.page.get_by_label("Compare with").input_value() == ""


async def test_top_shows_the_best_and_names_what_is_left_out(visit: Visit) -> None:
    await visit.fill(QUERY, DOCUMENTS)
    await visit.page.get_by_label("Top").fill("2")
    await visit.rank()
    assert len(await visit.column(1)) == 2
    assert await visit.page.get_by_text("not in the top 2").count() == 2


async def test_paragraphs_are_documents_if_asked(visit: Visit) -> None:
    await visit.page.get_by_label("Documents", exact=True).fill("one\ntwo\n\n \nthree\n")
    assert await visit.page.locator("#count").inner_text() == "3 documents"
    await visit.page.get_by_label("each paragraph").check()
    assert await visit.page.locator("#count").inner_text() == "2 documents"


async def test_example_is_ranked_at_a_press(visit: Visit) -> None:
    await visit.page.get_by_role("button", name="The red planet").click()
    await visit.settle()
    assert (await visit.column(1))[0] == (await visit.column(0))[4]


async def test_long_list_is_shown_in_steps(visit: Visit) -> None:
    await visit.fill("red", [f"document {n}" for n in range(150)])
    await visit.rank()
    assert (len(await visit.column(0)), len(await visit.column(1))) == (20, 20)
    await visit.page.get_by_role("button", name="Show 100 more of 150").click()
    await visit.page.get_by_role("button", name="Show 30 more of 150").click()
    assert (len(await visit.column(0)), len(await visit.column(1))) == (150, 150)


async def test_long_text_unfolds(visit: Visit) -> None:
    await visit.fill(QUERY, ["Mars is red. " * 60])
    await visit.rank()
    text = visit.page.locator("[data-column='1'] .text")
    folded = await text.bounding_box()
    await visit.page.locator("[data-column='1']").get_by_role("button", name="more").click()
    whole = await text.bounding_box()
    assert folded is not None
    assert whole is not None
    assert whole["height"] > 2 * folded["height"]


async def test_dropped_file_is_ranked_with_what_was_pasted(visit: Visit) -> None:
    await visit.fill(QUERY, DOCUMENTS[:1])
    await visit.drop(**{"notes.txt": "\n".join(DOCUMENTS[2:])})
    await expect(visit.page.locator("#count")).to_have_text("3 documents")
    await visit.rank()
    assert await visit.column(0) == [DOCUMENTS[0], *DOCUMENTS[2:]]
    sources = await visit.page.locator("[data-column='0'] .source").all_text_contents()
    assert sources == ["pasted", "notes.txt · 1", "notes.txt · 2"]


async def test_chosen_file_is_removed_again(visit: Visit, tmp_path: Path) -> None:
    path = tmp_path / "notes.md"
    path.write_text("# One\nand its text\n\nTwo\n")
    await visit.page.get_by_label("Choose files").set_input_files(path)
    await expect(visit.page.locator("#count")).to_have_text("2 documents")
    await visit.page.get_by_role("button", name="Remove notes.md").click()
    await expect(visit.page.locator("#count")).to_have_text("")


@pytest.mark.parametrize(
    ("name", "content", "count", "problem"),
    [
        ("a.jsonl", '{"text": "one"}\n"two"\n\n', 2, None),
        ("a.jsonl", '{"text": "one"}\n{"text": \n{"id": 3}', 1, "line 2 is not JSON"),
        ("a.jsonl", '{"text": "one"}\n{"text": \n{"id": 3}', 1, 'line 3 has no "text"'),
        ("a.json", '["one", {"text": "two"}, {"text": " "}]', 2, None),
        ("a.json", '{"documents": ["one"]}', 1, None),
        ("a.json", '{"text": "one"}', 0, "wants a list of documents"),
        ("a.json", '["one", null]', 1, 'document 2 has no "text"'),
        ("a.json", "[", 0, "is not JSON"),
        ("a.txt", b"\xff\xfe", 0, "is not UTF-8 text"),
        ("a.png", b"PNG\x00", 0, "is not text"),
        ("a.txt", " \n ", 0, "holds no documents"),
        ("a.txt", "\ufeffone\r\ntwo\r\n", 2, None),
    ],
)
async def test_file_gives_its_documents_and_names_what_is_broken(
    visit: Visit, name: str, content: str | bytes, count: int, problem: str | None
) -> None:
    await visit.drop(**{name: content})
    if problem is not None:
        assert f"{name}: " in await visit.problem()
        assert problem in await visit.problem()
    if count:
        await expect(visit.page.locator("#chips .hint")).to_have_text(str(count))
    else:
        assert await visit.page.locator("#chips li").count() == 0


async def test_markup_in_texts_and_file_names_is_only_text(visit: Visit) -> None:
    title = await visit.page.title()
    await visit.fill(SCRIPT, [SCRIPT])
    await visit.drop(**{f"{SCRIPT.replace('/', '')}.txt": SCRIPT, f"{SCRIPT}.json": SCRIPT})
    assert SCRIPT in await visit.problem()
    await expect(visit.page.locator("#chips li")).to_have_count(1)
    await visit.rank()
    assert await visit.column(0) == [SCRIPT, SCRIPT]
    assert SCRIPT in (await visit.code("curl")).replace("'\\''", "'").replace('\\"', '"')
    assert await visit.page.title() == title
    assert await visit.page.locator("main script, main img").count() == 0


async def test_python_on_the_page_gives_the_pages_ranking(visit: Visit) -> None:
    await visit.fill(QUERY, HARD)
    await visit.rank()
    code = await visit.code("Python")
    done = subprocess.run(  # noqa: ASYNC221 - nothing else runs
        [sys.executable, "-c", code], capture_output=True, check=True, encoding="utf-8"
    )
    printed = [line.partition("  ")[2] for line in done.stdout.split("\n")[:-1]]
    assert printed == await visit.column(1)


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl: apt-get install curl")
async def test_curl_on_the_page_gives_the_pages_ranking(visit: Visit, tmp_path: Path) -> None:
    await visit.fill(QUERY, HARD)
    await visit.rank()
    code = await visit.code("curl")
    done = subprocess.run(  # noqa: ASYNC221 - nothing else runs
        ["bash", "-c", code],  # noqa: S607 - whatever shell there is
        capture_output=True,
        check=True,
        cwd=tmp_path,
    )
    results = json.loads(done.stdout)["results"]
    assert [HARD[item["index"]] for item in results] == await visit.column(1)
    assert names(tmp_path) == []


async def test_copy_puts_the_code_on_the_clipboard(visit: Visit) -> None:
    await visit.fill(QUERY, DOCUMENTS)
    await visit.rank()
    shown = await visit.code("Haystack")
    await visit.page.get_by_role("button", name="Copy").click()
    await expect(visit.page.get_by_role("button", name="Copied")).to_be_visible()
    assert await visit.page.evaluate("navigator.clipboard.readText()") == shown


async def test_code_keeps_what_was_asked_while_the_form_changes(visit: Visit) -> None:
    await visit.fill(QUERY, DOCUMENTS)
    await visit.rank()
    before = await visit.code("Python")
    await visit.fill("something else", ["another"])
    assert await visit.code("Python") == before


async def test_everything_is_reached_by_keyboard(visit: Visit) -> None:
    press = visit.page.keyboard.press
    await visit.page.get_by_label("Question").focus()
    await visit.page.keyboard.type(QUERY)
    await press("Tab")  # to the choice of lines or paragraphs
    await press("Tab")
    await visit.page.keyboard.type(DOCUMENTS[0])
    await press("Enter")
    await visit.page.keyboard.type(DOCUMENTS[2])
    await press("Control+Enter")
    await visit.page.wait_for_selector("[data-column='1'] li")
    assert await visit.column(0) == [DOCUMENTS[0], DOCUMENTS[2]]
    await visit.page.get_by_role("tab", name="Python").focus()
    await press("ArrowRight")
    await expect(visit.page.get_by_role("tab", name="curl")).to_be_focused()
    assert (await visit.page.locator("#snippet").inner_text()).startswith("curl")
    await press("End")
    await expect(visit.page.get_by_role("tab", name="Cohere SDK")).to_be_focused()
    await press("ArrowRight")
    await expect(visit.page.get_by_role("tab", name="Python")).to_be_focused()


async def test_ranking_is_announced(visit: Visit) -> None:
    await visit.fill(QUERY, DOCUMENTS)
    await visit.rank()
    said = await visit.page.locator("#said").inner_text()
    assert said.startswith("nano ranked 4 documents. The best, ")
    assert said.endswith((await visit.column(1))[0])


async def test_phone_shows_one_column_at_a_time(browser: Browser, server: Running) -> None:
    async with visiting(server.url, browser, width=320, height=700) as visit:
        await visit.page.get_by_role("button", name="Bread").click()
        await visit.settle()
        wide = await visit.page.evaluate("document.documentElement.scrollWidth")
        assert wide == 320
        assert await visit.page.locator("[data-column='0']").is_hidden()
        await visit.page.get_by_role("button", name="Before").click()
        assert await visit.page.locator("[data-column='0']").is_visible()
        assert await visit.page.locator("[data-column='1']").is_hidden()
        assert visit.seen.errors == []


@pytest.mark.parametrize("width", [1360, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_page_keeps_the_rules_of_accessibility(
    visit: Visit, width: int, scheme: Literal["light", "dark"]
) -> None:
    await visit.page.set_viewport_size({"width": width, "height": 900})
    await visit.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    await visit.fill(QUERY, DOCUMENTS)
    await visit.page.get_by_label("Top").fill("2")
    await visit.drop(**{"a.txt": "one\n" * 3, "b.json": "["})
    await visit.rank()
    await visit.drop(**{"b.json": "["})
    found = await Axe().run(visit.page)
    assert found.response["violations"] == [], found.generate_report()


@pytest.mark.parametrize(
    ("query", "document", "top", "problem"),
    [
        ("", "a", "", ("query", "Type a question first.")),
        ("a", " ", "", ("texts", "Paste some documents, or drop a file.")),
        ("a", "a", "0", ("top", "Top is a number from 1 on; empty means all.")),
    ],
)
async def test_missing_field_is_named_and_focused(
    visit: Visit, query: str, document: str, top: str, problem: tuple[str, str]
) -> None:
    await visit.fill(query, [document])
    await visit.page.get_by_label("Top").fill(top)
    await visit.page.get_by_role("button", name="Rerank").click()
    assert await visit.problem() == problem[1]
    await expect(visit.page.locator(f"#{problem[0]}")).to_be_focused()


async def test_servers_refusal_is_shown(browser: Browser, server: Running) -> None:
    async with visiting(server.url, browser) as visit:
        await visit.fill(QUERY, [])
        await visit.drop(**{"many.txt": "\n".join(f"document {n}" for n in range(3000))})
        await expect(visit.page.locator("#count")).to_have_text("3,000 documents")
        await visit.page.get_by_role("button", name="Rerank").click()
        assert "2048" in (await visit.problem()).replace(",", "")


async def test_key_is_asked_for_and_kept_out_of_the_code(browser: Browser) -> None:
    with serving("--model", "nano", JINA_RERANK_KEYS=KEY) as locked:
        async with visiting(locked.url, browser) as visit:
            key = visit.page.get_by_label("API key of this server")
            await expect(key).to_be_focused()
            await expect(visit.page.get_by_role("link", name="Metrics")).to_be_hidden()
            await key.fill("not the key of this server")
            await key.press("Tab")
            assert await visit.problem() == "That is not a key of this server."
            await key.fill(KEY)
            await key.press("Tab")
            await visit.ready()
            await visit.fill(QUERY, DOCUMENTS)
            await visit.rank()
            codes = [await visit.code(tab) for tab in ("Python", "curl", "Haystack", "Cohere SDK")]
            assert sorted(await visit.column(1)) == sorted(DOCUMENTS)
            assert all("JINA_API_KEY" in code and KEY not in code for code in codes)
            assert KEY not in await visit.page.content()


def hold(_: Route) -> None:
    """Let a request wait."""


async def test_request_is_stopped_at_a_press(browser: Browser, server: Running) -> None:
    async with visiting(server.url, browser) as visit:
        await visit.page.route("**/v1/rerank", hold)
        await visit.fill(QUERY, DOCUMENTS)
        await visit.page.get_by_role("button", name="Rerank").click()
        await expect(visit.page.get_by_role("button", name="Stop")).to_be_visible()
        await visit.page.keyboard.press("Escape")
        assert await visit.problem() == "Stopped."
        await expect(visit.page.get_by_role("button", name="Rerank")).to_be_visible()


async def test_server_that_is_gone_is_reported(browser: Browser, server: Running) -> None:
    async with visiting(server.url, browser) as visit:
        await visit.page.route("**/v1/rerank", lambda route: route.abort())
        await visit.fill(QUERY, DOCUMENTS)
        await visit.page.get_by_role("button", name="Rerank").click()
        assert await visit.problem() == "The server does not answer. Is it still running?"
        assert await visit.page.locator("#state").inner_text() == "no answer"

"""A browser for the tests of the page: Debian's Chromium through Playwright."""

import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from playwright.async_api import Browser, ConsoleMessage, Page, async_playwright, expect

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
"""The program; None where it is not installed."""

MISSING = "the page's tests need Chromium: apt-get install chromium"

expect.set_options(timeout=30_000)  # milliseconds; a busy machine is no failure

_DROP = """files => {
    const data = new DataTransfer();
    for (const [name, bytes] of files) data.items.add(new File([new Uint8Array(bytes)], name));
    return data;
}"""


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Run the browser; it must be there."""
    async with async_playwright() as playwright:
        # Its sandbox needs rights that a container or root does not give.
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        try:
            yield browser
        finally:
            await browser.close()


@dataclass(kw_only=True)  # not frozen: Playwright writes on whose methods it calls
class Seen:
    """What a visit to the page left behind.

    Attributes:
        errors: What the console calls errors or warnings, and exceptions.
        requests: The addresses asked for.
    """

    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def note(self, message: ConsoleMessage) -> None:
        """Keep what the console shows in red or yellow."""
        if message.type in {"error", "warning"}:
            self.errors.append(message.text)

    def watch(self, page: Page) -> None:
        """Write down what happens on a page from now on."""
        page.on("console", self.note)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))


@dataclass(frozen=True, kw_only=True)
class Visit:
    """A page that is open, and what people do on it."""

    page: Page
    seen: Seen

    async def fill(self, query: str, documents: Sequence[str]) -> None:
        """Type a question and documents."""
        await self.page.get_by_label("Question").fill(query)
        await self.page.get_by_label("Documents", exact=True).fill("\n".join(documents))

    async def rank(self) -> None:
        """Press the button and wait for every column."""
        await self.page.get_by_role("button", name="Rerank").click()
        await self.settle()

    async def settle(self) -> None:
        """Wait until nothing is under way."""
        await self.page.wait_for_selector("#results[aria-busy=false]", state="attached")

    async def drop(self, **files: str | bytes) -> None:
        """Drop files on the page; names are keywords."""
        plain = [
            (name, list(value.encode() if isinstance(value, str) else value))
            for name, value in files.items()
        ]
        data = await self.page.evaluate_handle(_DROP, plain)
        await self.page.dispatch_event("body", "dragenter", {"dataTransfer": data})
        await self.page.dispatch_event("body", "drop", {"dataTransfer": data})

    async def column(self, number: int) -> list[str]:
        """Read the documents of a column from top to bottom; 0 is the one before."""
        return await self.page.locator(f"[data-column='{number}'] .text").all_text_contents()

    async def problem(self) -> str:
        """Read what the page complains about, once it does."""
        problem = self.page.locator("#problem")
        await problem.wait_for()
        return await problem.inner_text()

    async def code(self, tab: str) -> str:
        """Read the code on a tab."""
        await self.page.get_by_role("tab", name=tab, exact=True).click()
        return await self.page.locator("#snippet").inner_text()

    async def ready(self) -> None:
        """Wait until the server has named its models."""
        await expect(self.page.locator("#state")).to_have_text("ready")


@asynccontextmanager
async def visiting(
    url: str, browser: Browser | None = None, *, width: int = 1360, height: int = 900
) -> AsyncIterator[Visit]:
    """Open the page of a server, in a browser that runs or in one for this visit alone."""
    if browser is None:
        async with chromium() as own, visiting(url, own, width=width, height=height) as visit:
            yield visit
        return
    context = await browser.new_context(
        viewport={"width": width, "height": height},
        reduced_motion="reduce",
        permissions=["clipboard-read", "clipboard-write"],
    )
    page = await context.new_page()
    seen = Seen()
    seen.watch(page)
    await page.goto(f"{url}/")
    yield Visit(page=page, seen=seen)
    await context.close()

"""The code that the page shows for each framework runs, and ranks as the page does."""

import os
import subprocess
import sys

import pytest

from ..server.browser import CHROMIUM, MISSING, visiting
from ..server.running import Running
from .conftest import KEY
from .texts import QUERY, documents, offline

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(CHROMIUM is None, reason=MISSING)]

TABS = ["Python", "LlamaIndex", "LangChain", "Haystack", "Cohere SDK"]


async def codes(server: Running, key: str = "") -> dict[str, str]:
    """Rank on the page and read every tab."""
    async with visiting(server.url) as visit:
        if key:
            await visit.page.get_by_label("API key of this server").fill(key)
            await visit.page.keyboard.press("Tab")
        await visit.ready()
        await visit.fill(QUERY, documents())
        await visit.rank()
        return {tab: await visit.code(tab) for tab in TABS}


def printed(code: str, **environment: str) -> list[str]:
    """Run a program; return the documents that it prints."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        check=False,
        encoding="utf-8",
        env=os.environ | environment,
    )
    assert done.returncode == 0, done.stderr
    return [line.partition("  ")[2] for line in done.stdout.splitlines()]


def expected() -> list[str]:
    return [documents()[index] for index in offline().order]


async def test_code_runs_against_an_open_server(server: Running) -> None:
    for tab, code in (await codes(server)).items():
        assert printed(code) == expected(), tab


async def test_code_takes_the_key_from_the_environment(locked: Running) -> None:
    for tab, code in (await codes(locked, KEY)).items():
        assert printed(code, JINA_API_KEY=KEY) == expected(), tab

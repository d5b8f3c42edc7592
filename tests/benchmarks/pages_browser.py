"""How long a reader waits for each page in a real headless Chromium: from opening its address to the last chart drawn.

Each page has a server of its own, on which somebody has opened *Today's store* of another store before, so that the
libraries are there and the page's own data are not. `opened_s`: the page by its address, in a Chromium just started;
`opened_again_s`: once more in another one, when the server holds the answers. `started_s`: that first *Today's store*,
the first page of a server that was just started.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.dashboards.test_browser import ARGUMENTS, CHROMIUM, SIZES, ready, served, sync_api

PATIENCE_MS = 120_000


def measure(
    lake: Path, stores: Path, pages: tuple[str, ...], link: dict[str, str], before: dict[str, str]
) -> dict[str, dict[str, float]]:
    """Seconds to open each page by a link with these parameters; `before`: the parameters of another store's link."""
    found: dict[str, dict[str, float]] = {}
    with sync_api.sync_playwright() as playwright:
        for page in pages:
            with served(lake, stores) as address:
                seconds = []
                for name, parameters in (("", before), (page, link), (page, link)):
                    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
                    seconds.append(round(_opened(browser, f"{address}/{name}?{urlencode(parameters)}"), 2))
                    browser.close()
            found[page] = dict(zip(("started_s", "opened_s", "opened_again_s"), seconds, strict=True))
    return found


def _opened(browser: Any, address: str) -> float:
    """Seconds until the page at an address is drawn. Raises RuntimeError where it shows an exception."""
    width, height = SIZES["laptop"]
    tab = browser.new_page(viewport={"width": width, "height": height})
    tab.set_default_timeout(PATIENCE_MS)
    started = time.perf_counter()
    tab.goto(address)
    ready(tab)
    seconds = time.perf_counter() - started
    if tab.locator("[data-testid=stException]").count():
        raise RuntimeError(f"{address}: {tab.locator('[data-testid=stException]').first.inner_text()}")
    return seconds

"""The dashboard in a real headless Chromium: every page, and the way from choosing a day to a zone drawn and saved.

The server runs behind a base path, as behind a company's proxy. Screenshots go to AISLEFLOW_SCREENSHOTS, where set.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest

from flows.simulate import DemoLake
from flows.store_reading import load_store

sync_api = pytest.importorskip("playwright.sync_api", reason="needs Playwright for Python: pip install -e .[dev]")
Page = sync_api.Page

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        CHROMIUM is None, reason="needs Chromium (Debian: apt-get install chromium), or its path in CHROMIUM"
    ),
]
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SIZES = {"laptop": (1440, 900), "tablet": (820, 1180)}
PAGES = {
    "Zones": "zones",
    "Floor": "floor",
    "Chain": "chain",
    "Data quality": "quality",
    "Audit": "audit",
    "Set up": "setup",
}
APP = Path(__file__).parents[2] / "dashboards" / "app.py"
PATIENCE_MS = 90_000
DRAWN = "[...document.querySelectorAll('.chart[aria-label]')].every((chart) => chart.querySelector('.main-svg'))"


@pytest.fixture(scope="module")
def stores_folder(month: DemoLake, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(month.stores, tmp_path_factory.mktemp("browser") / "stores"))


@pytest.fixture(scope="module")
def address(month: DemoLake, stores_folder: Path) -> Iterator[str]:
    with served(month.lake, stores_folder) as url:
        yield url


@contextmanager
def served(lake: Path, stores: Path, **environment: str) -> Iterator[str]:
    """A running dashboard behind the base path /shop."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {"AISLEFLOW_LAKE": str(lake), "AISLEFLOW_STORES": str(stores)} | environment
    command = [
        sys.executable,
        "-m",
        "streamlit",
        "run",
        str(APP),
        "--server.port",
        str(port),
        "--server.baseUrlPath",
        "shop",
    ]
    server = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(f"http://127.0.0.1:{port}/shop/_stcore/health")
        yield f"http://127.0.0.1:{port}/shop"
    finally:
        server.kill()  # it keeps nothing, and ending orderly waits for scripts under way
        server.wait()


def _wait_for(url: str) -> None:
    for _ in range(240):
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.25)
    raise TimeoutError(f"the dashboard did not answer at {url} within a minute")


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def tab(browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page that fails its test on any console error, failed request or exception box."""
    width, height = SIZES[getattr(request, "param", "laptop")]
    context = browser.new_context(viewport={"width": width, "height": height})
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    page.on("response", lambda answer: wrong.append(f"{answer.status} {answer.url}") if answer.status >= 400 else None)
    yield page
    assert page.locator("[data-testid=stException]").count() == 0
    # Opened by a deep link, Streamlit first looks for its server below the page's own path; that may fail.
    probing = [text for text in wrong if "/_stcore/" in text]
    wrong = [text for text in wrong if text not in probing]
    assert [text for text in wrong if not (probing and text.startswith("Failed to load resource"))] == []
    context.close()


def ready(page: Page) -> None:
    """Wait until the script has run and charts are drawn."""
    page.locator("h1").first.wait_for()
    page.wait_for_function("document.querySelector('[data-testid=stApp]')?.dataset.testScriptState === 'notRunning'")
    page.wait_for_function("!document.querySelector('[data-testid=stSkeleton]')")
    page.wait_for_function(DRAWN)


def shoot(page: Page, name: str) -> None:
    folder = os.environ.get("AISLEFLOW_SCREENSHOTS")
    if folder:
        page.wait_for_timeout(1500)
        page.screenshot(path=Path(folder) / f"{name}_{page.viewport_size['width']}.png", timeout=PATIENCE_MS)


@pytest.mark.parametrize("tab", list(SIZES), indirect=True)
def test_every_page_opens(tab: Page, address: str) -> None:
    tab.goto(f"{address}/today?store=plateau&day=2025-03-14")
    tab.wait_for_url("**/shop/?**")
    ready(tab)
    assert tab.locator("h1").first.inner_text() == "Today's store"
    assert "Friday, 14 March 2025" in tab.locator(".st-key-heading").inner_text()
    assert tab.locator("[data-testid=stMetric]").count() == 5
    shoot(tab, "today")
    for title, path in PAGES.items():
        go_to(tab, title)
        tab.wait_for_url(f"**/shop/{path}?**")
        ready(tab)
        assert tab.locator("h1").first.inner_text() == title
        assert tab.locator("[data-testid=stException]").count() == 0
        assert "Plateau" in tab.locator("[data-testid=stMain]").inner_text()
        shoot(tab, path)


def go_to(page: Page, title: str) -> None:
    """Click a page's name in the bar on top, where a narrow window may hide it behind a menu."""
    link = page.locator("[data-testid=stTopNavLink]", has_text=title)
    if not link.count() or not link.first.is_visible():
        page.locator("[data-testid=stExpandSidebarButton]").click()
        link = page.locator("[data-testid=stSidebarNavLink]", has_text=title)
    link.first.click()


def test_the_day_before_is_one_click_away(tab: Page, address: str) -> None:
    tab.goto(f"{address}/?store=kiez&day=2025-03-15")
    ready(tab)
    footfall = tab.locator("[data-testid=stMetric]", has_text="Footfall").inner_text()
    tab.locator(".st-key-day-before button").first.click()
    tab.wait_for_url("**day=2025-03-14**")
    ready(tab)
    assert "Friday, 14 March 2025" in tab.locator(".st-key-heading").inner_text()
    assert tab.locator("[data-testid=stMetric]", has_text="Footfall").inner_text() != footfall


def test_charts_follow_a_choice_the_window_and_the_mouse(tab: Page, address: str) -> None:
    tab.goto(f"{address}/zones?store=kiez&from=2025-03-10&day=2025-03-15")
    ready(tab)
    tab.get_by_role("figure", name="Zones ranked by Visitors").wait_for()
    tab.get_by_role("radio", name="Visits", exact=True).click()
    ranking = tab.get_by_role("figure", name="Zones ranked by Visits", exact=True)
    ranking.locator(".main-svg").first.wait_for()
    ready(tab)
    assert ranking.locator(".xtitle").text_content() == "visits"
    before = ranking.locator(".main-svg").first.bounding_box()
    tab.set_viewport_size({"width": 820, "height": 1180})
    tab.wait_for_function(
        "(width) => document.querySelector('.chart[aria-label] .main-svg').getBoundingClientRect().width > width",
        arg=before["width"] + 50,
    )
    ranking.locator(".nsewdrag").hover(position={"x": 30, "y": 20})  # on the first bar
    ranking.locator(".hoverlayer .hovertext").wait_for()


def test_the_plan_plays_through_the_day(tab: Page, address: str) -> None:
    tab.goto(f"{address}/?store=kiez&day=2025-03-15")
    ready(tab)
    plan = tab.get_by_role("figure", name="Zones coloured by density")
    time_shown = plan.locator(".slider-label").first
    before = time_shown.text_content()
    plan.locator(".updatemenu-button").first.click()
    tab.wait_for_function("(before) => document.querySelector('.slider-label').textContent !== before", arg=before)


def test_what_is_shown_is_saved_and_small_counts_are_withheld(tab: Page, address: str, stores_folder: Path) -> None:
    file = stores_folder / "kiez" / "store.yaml"
    before = file.read_text()
    tab.goto(f"{address}/zones?store=kiez&from=2025-03-15&day=2025-03-15")
    ready(tab)
    every = _saved(tab, "dwell")
    assert every["visits"].between(1, 4).any() and every["visits"].sum() > 100
    file.write_text(f"{before}\nprivacy: {{least_count: 5}}\n")
    try:
        tab.reload()
        ready(tab)
        kept = _saved(tab, "dwell")
    finally:
        file.write_text(before)
    assert kept["suppressed"].tolist() == every["visits"].between(1, 4).tolist()
    assert kept["visits"].dropna().tolist() == every.loc[~kept["suppressed"], "visits"].tolist()


def _saved(page: Page, name: str) -> pd.DataFrame:
    """What the three buttons of a table save; all of them the same."""
    read = {"CSV": pd.read_csv, "Excel": pd.read_excel, "Parquet": pd.read_parquet}
    found = []
    for label, reader in read.items():
        with page.expect_download() as started:
            page.locator(f".st-key-save-{name} button", has_text=label).click()
        found.append(reader(started.value.path()))
    for other in found[1:]:
        pd.testing.assert_frame_equal(found[0], other, check_dtype=False)
    return found[0]


@pytest.mark.case("streamlit-drawable-canvas 156, 157")
@pytest.mark.case("streamlit-drawable-canvas 93, 142, 44")
def test_a_zone_is_drawn_saved_and_seen(tab: Page, address: str, stores_folder: Path) -> None:
    file = stores_folder / "kiez" / "store.yaml"
    before = file.read_text()
    tab.goto(f"{address}/setup?store=kiez")
    ready(tab)
    surface = tab.locator("svg.surface")
    surface.wait_for()
    assert surface.locator(".shape").count() == 8  # picture and saved zones show at once
    tab.get_by_text("Draw a zone", exact=True).click()
    tab.locator(".hint", has_text="Click the corners").wait_for()
    for x, y in ((0.5, 0.5), (3.0, 0.5), (3.0, 1.8), (0.5, 1.8), (0.5, 0.5)):
        _click_floor(tab, x, y)
    tab.get_by_text("zone zone_1 new").wait_for()
    ready(tab)
    tab.get_by_role("button", name="Check and save").click()
    tab.get_by_text("Saved to").wait_for()
    ready(tab)
    drawn = next(zone for zone in load_store(file).zones if zone.id == "zone_1")
    assert drawn.polygon == ((0.5, 0.5), (3.0, 0.5), (3.0, 1.8), (0.5, 1.8))  # points snap to 5 cm
    assert next(file.parent.glob("store.yaml.bak-*")).read_text() == before
    tab.reload()
    ready(tab)
    tab.locator("svg.surface .shape").nth(8).wait_for()
    assert tab.locator("svg.surface .shape").count() == 9
    shoot(tab, "zone_drawn")


def _click_floor(page: Page, x: float, y: float) -> None:
    """Click a place in metres on the drawing surface."""
    place = page.evaluate(
        """([x, y]) => {
            const walk = (root) => root.querySelector('svg.surface') ?? [...root.querySelectorAll('*')]
                .map((element) => element.shadowRoot && walk(element.shadowRoot)).find(Boolean);
            const svg = walk(document), floor = svg.querySelector('rect.floor');
            const point = new DOMPoint(x, floor.height.baseVal.value - y).matrixTransform(svg.getScreenCTM());
            return [point.x, point.y];
        }""",
        [x, y],
    )
    page.mouse.click(*place)

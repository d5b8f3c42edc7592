"""A person is looked for in a real headless Chromium: signed in, described or clicked, confirmed, seen on the plan."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.find_audit import AuditLog
from flows.users import add_user
from tests.dashboards.test_browser import (  # noqa: F401 - fixtures
    PATIENCE_MS,
    SIZES,
    Page,
    browser,
    pytestmark,
    ready,
    served,
    shoot,
    tab,
)
from tests.flows.demo_search import write_demo_day

REASON = "a mother asks at the desk"
PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's minute, which anna may search."""
    folder = tmp_path_factory.mktemp("find")
    write_demo_day(folder)
    add_user("anna", PASSWORD, ("find",), folder / "users.yaml")
    return folder


@pytest.fixture(scope="module")
def find_address(searched: Path) -> Iterator[str]:
    with served(searched / "lake", searched / "stores", AISLEFLOW_USERS=str(searched / "users.yaml")) as url:
        yield url


def sign_in(page: Page, address: str) -> None:
    page.goto(f"{address}/find?store=demo&day=2025-03-14")
    ready(page)
    assert page.locator("h1").first.inner_text() == "Sign in"
    page.get_by_label("Name").fill("anna")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").last.click()
    page.get_by_text("Whom, and why").wait_for(timeout=3 * PATIENCE_MS)  # the same page; it loads the networks
    ready(page)


def write(page: Page, label: str, text: str) -> None:
    field = page.get_by_label(label, exact=True)
    field.fill(text)
    field.press("Enter")


def test_a_person_is_found_by_colours_confirmed_and_their_way_shown(
    tab: Page,  # noqa: F811
    find_address: str,
    searched: Path,
) -> None:
    sign_in(tab, find_address)
    tab.get_by_role("button", name="Search", exact=True).click()
    tab.get_by_text("Say why you search, in at least 8 letters").wait_for()
    write(tab, "Why do you search?", REASON)
    for label, value in (("Above the waist", "green"), ("Age", "adult")):
        tab.get_by_role("combobox", name=label, exact=True).click()
        tab.get_by_role("option", name=value, exact=True).click()
    ready(tab)
    tab.get_by_role("button", name="Search", exact=True).click()
    tab.get_by_role("button", name="Yes").first.wait_for(timeout=3 * PATIENCE_MS)
    ready(tab)
    listed = tab.get_by_role("button", name="Yes").count()
    assert tab.locator("[class*=st-key-candidate-] img").count() == listed > 1
    shoot(tab, "find_people")

    tab.get_by_role("button", name="No", exact=True).last.click()
    tab.get_by_text("0 confirmed, 1 rejected").wait_for()
    tab.get_by_role("button", name="Yes").first.click()
    tab.get_by_role("heading", name="Last seen").wait_for()
    ready(tab)
    assert tab.get_by_role("button", name="Yes").count() < listed
    told = tab.locator("[data-testid=stMetric]").all_inner_texts()
    assert [text.split()[0] for text in told] == ["When", "Where", "Going"]
    assert "10:00:" in told[0] or "10:01:" in told[0], "the store's time, not UTC"
    assert tab.locator(".st-key-card-last-seen .points .point").count() > 3, "the way is drawn"
    shoot(tab, "find_way")

    rows = AuditLog(str(searched / "lake"), "demo").entries().to_pylist()
    assert [row["action"] for row in rows] == [
        *["sign-in", "refused", "search", "crops", "reject", "search"],
        *["crops"] * (rows[6]["action"] == "crops"),  # somebody new moved up
        *["confirm", "search"],
        *["crops"] * (rows[-1]["action"] == "crops"),
    ]
    assert {row["user"] for row in rows} == {"anna"} and rows[2]["reason"] == REASON


@pytest.mark.parametrize("tab", list(SIZES), indirect=True)
def test_a_person_who_is_clicked_in_a_frame_is_looked_for(
    tab: Page,  # noqa: F811
    find_address: str,
    searched: Path,
) -> None:
    before = len(AuditLog(str(searched / "lake"), "demo").entries())
    sign_in(tab, find_address)
    tab.get_by_text("Person in a frame", exact=True).click()
    write(tab, "Why do you search?", REASON)
    write(tab, "Time", "10:00:20")
    marks = tab.locator(".st-key-find-frame-figure .points path.point")
    marks.first.wait_for(timeout=3 * PATIENCE_MS)
    ready(tab)
    shoot(tab, "find_frame")
    marks.first.scroll_into_view_if_needed()
    place = marks.first.bounding_box()
    assert place is not None
    tab.mouse.click(place["x"] + place["width"] / 2, place["y"] + place["height"] / 2)
    tab.get_by_role("button", name="Yes").first.wait_for(timeout=3 * PATIENCE_MS)
    ready(tab)
    shoot(tab, "find_frame_people")
    rows = AuditLog(str(searched / "lake"), "demo").entries().to_pylist()[before:]
    assert [row["action"] for row in rows] == ["sign-in", "crops", "search", "crops"]
    assert rows[1]["query"] == "frame of checkout" and rows[1]["shown"], "who was in the frame"
    assert rows[2]["query"].startswith("picture")

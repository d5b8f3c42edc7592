"""Whom a watch has just seen comes up on the page *Find*: to who may search, for a reason, with the head blurred."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from dashboards.sign_in import IDLE_S, JUST_SEEN, KEY, Session
from dashboards.views import find_live as view
from flows.find_audit import AuditLog
from flows.find_live import LiveSearch
from flows.users import add_user
from tests.flows.conftest import shop  # noqa: F401 - a fixture
from tests.flows.painted import PaintedStore
from tests.flows.test_find_live import CHILD, OTHER, REASON, SOUGHT, record, search, shelved

PAGE = "from dashboards.views import find\nfind.render()\n"
NOW = datetime(2025, 3, 15, 10, 1, tzinfo=UTC)


@pytest.fixture
def watched(shop: PaintedStore, monkeypatch: pytest.MonkeyPatch) -> Iterator[PaintedStore]:  # noqa: F811
    """A day in the lake, and a watch that saw the child on the next one."""
    shop.data["find"] = {"purpose": "Finding lost children, on the store manager's authority"}
    record(shop, [OTHER], "10-00-00")
    assert shop.run() == 0
    record(shop, [CHILD], "10-00-00", day="2025-03-15")
    monkeypatch.setenv("AISLEFLOW_STORES", str(shelved(shop)))
    monkeypatch.setenv("AISLEFLOW_LAKE", shop.lake)
    monkeypatch.setenv("AISLEFLOW_USERS", str(shop.folder / "users.yaml"))
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])  # AppTest leaves its page there
    monkeypatch.setattr(view, "now", lambda: NOW)
    add_user("anna", "correct horse battery", ("find",))
    assert len(list(LiveSearch(search(shop), SOUGHT, look_back_s=600, clock=NOW.timestamp).watch(0))) == 1
    yield shop
    st.cache_data.clear()


def opened(seen: float = 0.0) -> AppTest:
    test = AppTest.from_string(PAGE, default_timeout=120)
    test.session_state[KEY] = Session("anna", seen or time.time())
    return test.run()


def test_a_match_is_shown_for_a_reason_and_goes_into_the_audit(watched: PaintedStore):
    test = opened()
    assert "Seen just now" in [heading.value for heading in test.subheader]
    assert any("Say why you search to see them" in info.value for info in test.info)
    assert JUST_SEEN not in test.session_state
    test.text_input(key="find.reason").set_value("the father asks as well").run()
    assert not test.exception
    shown = " ".join(markdown.value for markdown in test.markdown)
    assert "**10:00:05**" in shown and "heading east" in shown
    assert any(REASON in caption.value and "cam" in caption.value for caption in test.caption)
    (picture,) = test.session_state[JUST_SEEN].values()
    assert picture[: len(picture) // 5].std() < picture[len(picture) // 5 :].std(), "the head is blurred"
    last = AuditLog(watched.lake, "shop").entries().to_pylist()[-1]
    assert (last["user"], last["action"], last["reason"]) == ("anna", "crops", "the father asks as well")
    rows = len(AuditLog(watched.lake, "shop").entries())
    test.run()
    assert len(AuditLog(watched.lake, "shop").entries()) == rows, "each picture is cut once"


def test_old_matches_and_other_peoples_sessions_see_nothing(watched: PaintedStore, monkeypatch: pytest.MonkeyPatch):
    assert [title.value for title in opened(time.time() - IDLE_S).title] == ["Sign in"]
    monkeypatch.setattr(view, "now", lambda: NOW.replace(hour=13))
    assert "Seen just now" not in [heading.value for heading in opened().subheader]


def test_looking_by_itself_keeps_nobody_signed_in(watched: PaintedStore):
    def page() -> None:
        import streamlit

        from dashboards import sign_in

        streamlit.text(str(sign_in.current_user("find", active=False) is not None))

    test = AppTest.from_function(page, default_timeout=60)
    seen = time.time() - IDLE_S + 60
    test.session_state[KEY] = Session("anna", seen)
    assert test.run().text[0].value == "True" and test.session_state[KEY].seen == seen

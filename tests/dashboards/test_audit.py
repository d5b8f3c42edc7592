"""Audit: a count is asked for, taken and compared."""

from __future__ import annotations

from pathlib import Path

from streamlit.testing.v1 import AppTest

from tests.dashboards.conftest import OPEN_PAGE
from tests.dashboards.shown import Open, metrics, said


def test_audit_of_a_simulated_store_says_that_there_is_no_video(page: Open) -> None:
    test = page("audit", store="kiez")
    assert "simulated days have no video" in said(test) and "No answer yet" in said(test)


def test_audit_asks_takes_a_count_and_reports(minute: None, tmp_path: Path) -> None:
    test = AppTest.from_string(OPEN_PAGE.format("audit"), default_timeout=120).run()
    assert not test.exception, test.exception[0].message
    counts = {field.label: field for field in test.number_input}
    counts["Came in"].set_value(5)
    next(one for one in test.button if one.label == "Save the count").click().run()
    assert "Enter both counts" in said(test)
    {field.label: field for field in test.number_input}["Went out"].set_value(3)
    next(one for one in test.button if one.label == "Save the count").click().run()
    assert not test.exception, test.exception[0].message
    assert "You counted 5 in and 3 out; the lake has" in said(test)
    assert metrics(test)["Accuracy"].endswith("%")
    assert len(list((tmp_path / "lake" / "_audits").rglob("*.json"))) == 1

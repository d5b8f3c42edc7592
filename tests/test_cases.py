"""Every report of what broke for others has a test; so have the siblings of its kind that were thought of here."""

from __future__ import annotations

import ast
from pathlib import Path

TESTS = Path(__file__).parent

REPORTS = {
    "opencv 8834, opencv-python 123",
    "opencv 17276",
    "opencv 15352, 16576",
    "opencv 29722",
    "PyAV 1023",
    "PyAV 1105, 493",
    "opendatacam 103",
    "supervision 1855, PR 1748, PR 1991",
    "supervision 131",
    "supervision 1838",
    "supervision PR 1540",
    "ultralytics PR 25492",
    "ultralytics PR 9998, 15697",
    "opendatacam 204, 185",
    "frigate 8488",
    "viseron 807",
    "supervision 1805, trackers PR 420",
    "ultralytics 16864, PR 24889",
    "ultralytics 19853",
    "supervision PR 1364, norfair 309",
    "FairMOT 168, 475, 383",
    "norfair 337",
    "People-Counting-in-Real-Time 19, 31",
    "Relation-Aware-Global-Attention-Networks 9, 13, 4, PR 17",
    "boxmot 2122, deep-person-reid 440",
    "deep-person-reid 483, VersReID 1",
    "LeonLok/Multi-Camera 41, scenescape 544",
    "prefect PR 10472, 326",
    "prefect 9895, 18839, infrahub 9856",
    "arrow 8741, dask 5759, pandas 55400",
    "streamlit-drawable-canvas 156, 157",
    "streamlit-drawable-canvas 93, 142, 44",
}
LEAST_SIBLINGS = 30


def named_cases() -> set[str]:
    """What the tests' marks `case("...")` name, read from their source."""
    names = set()
    for file in TESTS.rglob("test_*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.case":
                names |= {argument.value for argument in node.args if isinstance(argument, ast.Constant)}
    return names


def test_no_report_is_without_a_test():
    reports = {name for name in named_cases() if not name.startswith("sibling: ")}
    assert reports == REPORTS


def test_each_kind_has_siblings():
    assert sum(name.startswith("sibling: ") for name in named_cases()) >= LEAST_SIBLINGS

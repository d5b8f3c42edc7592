"""The words beside the numbers: the page for analysts is theirs, and what they say is what the code does."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path

import pytest

from dashboards import definitions
from dashboards.views import chain
from flows import density, groups, queues, unusual

TEXTS = {name: text for name, text in vars(definitions).items() if name.isupper() and isinstance(text, str)}


def test_the_page_is_that_of_the_dashboard() -> None:
    page = Path(definitions.__file__).parents[1] / "docs" / "metrics.md"
    assert page.read_text(encoding="utf-8") == definitions.page(), "python -m dashboards.definitions > docs/metrics.md"


def test_every_definition_names_the_function_that_makes_the_number() -> None:
    made = [row for rows in definitions.MADE_BY.values() for row in rows]
    assert sorted(text for text, _ in made) == sorted(TEXTS.values())
    for _, path in made:
        module, name = path.rsplit(".", 1)
        assert inspect.getdoc(getattr(importlib.import_module(module), name)), path


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "DENSITY",
            ", ".join(f"{a} < {b:g}" for a, b in zip(density.FRUIN_LEVELS, density.FRUIN_LIMITS, strict=False)),
        ),
        ("PARTIES", f"within {groups.ENTRY_S:g} s of each other"),
        ("PARTIES", f"within {groups.NEAR_M:g} m"),
        ("QUEUE", f"under {queues.PASSED_BY_S:g} s"),
        ("CROWDED", f"at least {inspect.signature(density.crowding_episodes).parameters['at_least_s'].default:g} s"),
        ("ANOMALY", f"more than {unusual.SHARE:.0%} away"),
        ("ANOMALY", f"more than {unusual.LEAST_SHARE:.0%} and {unusual.DEVIATIONS:g} robust deviations"),
        ("ANOMALY", f"less than {unusual.LOW_COVERAGE:.0%} of it was seen"),
        ("ANOMALY", f"{({8: 'eight'})[chain.USUAL_DAYS // 7]} weeks"),
        ("ANOMALY", f"at least {({3: 'three'})[unusual.LEAST_DAYS]} that"),
    ],
)
def test_the_words_name_the_limits_of_the_code(name: str, said: str) -> None:
    assert said in TEXTS[name]

"""What the dashboard keeps of its answers: by bytes, the longest unused go first."""

from __future__ import annotations

import threading

import numpy as np
import pandas as pd
import pytest

from dashboards.answers import Answers, size_of


def table(megabytes: int) -> pd.DataFrame:
    return pd.DataFrame({"x": np.zeros(megabytes * 131_072)})


def test_the_bytes_of_all_answers_stay_below_the_limit() -> None:
    kept, made = Answers(most_bytes=10 * 2**20), []

    def ask(name: str, megabytes: int = 4) -> pd.DataFrame:
        return kept.get(name, lambda: made.append(name) or table(megabytes))

    ask("a"), ask("b"), ask("a"), ask("c")  # b is the longest unused when there is no room for c
    assert made == ["a", "b", "c"] and 8 * 2**20 <= kept.bytes <= kept.most_bytes
    ask("a"), ask("c"), ask("b")
    assert made == ["a", "b", "c", "b"]
    assert len(ask("large", 11)) == 11 * 131_072 and kept.bytes <= kept.most_bytes
    ask("b")
    assert made[-1] == "large"  # it was given and not kept; nothing had to go for it
    kept.clear()
    assert kept.bytes == 0


def test_what_several_ask_at_once_is_answered_once() -> None:
    kept, made, both, given = Answers(), [], threading.Barrier(2), []

    def make() -> str:
        made.append(1)
        threading.Event().wait(0.2)
        return "answer"

    def ask() -> None:
        both.wait(10)
        given.append(kept.get("question", make))

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert given == ["answer"] * 2 and made == [1]


def test_a_question_that_failed_is_asked_again() -> None:
    kept = Answers()
    with pytest.raises(ZeroDivisionError):
        kept.get("question", lambda: 1 // 0)
    assert kept.get("question", lambda: 7) == 7


def test_lists_in_cells_are_counted() -> None:
    plain, nested = pd.DataFrame({"x": [0]}), pd.DataFrame({"x": [[{"gap": "0" * 1000}] * 50]})
    assert size_of(nested) > size_of(plain) + 50_000

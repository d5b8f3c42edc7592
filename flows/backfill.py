"""Processing many store-days on this machine, one after another."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from flows.due import due_days
from flows.lake import Lake
from flows.store_reading import StoreConfigError


@dataclass(frozen=True)
class Outcome:
    """What became of a store-day: its headline, or the error."""

    store: str
    day: date | None
    text: str
    failed: bool = False


def backfill(
    files: Iterable[Path], lake: str, first: date, last: date, process: Callable[[Path, date], str]
) -> list[Outcome]:
    """Process every day from `first` to `last` that is not in the lake, or has late recordings, in every store.

    `process` gets a store.yaml and a day and returns the day's headline. A day that fails leaves the others alone.
    """
    outcomes = []
    for file in files:
        try:
            due = due_days(file, Lake(lake), first, last)
        except StoreConfigError as error:
            outcomes.append(Outcome(file.parent.name, None, str(error), failed=True))
            continue
        for day in due:
            if day.missing:
                outcomes.append(Outcome(day.store, day.day, day.missing, failed=True))
                continue
            try:
                outcomes.append(Outcome(day.store, day.day, process(file, day.day)))
            except (ValueError, RuntimeError, OSError) as error:
                outcomes.append(Outcome(day.store, day.day, str(error), failed=True))
    return outcomes

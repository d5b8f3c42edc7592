"""Which store-days are to be processed: ended, not in the lake yet, or with recordings that came late.

With each processed day the lake keeps a list of the files that were there (`_recordings/store=ID/date=D.json`: path,
and a stamp of size and time). A day is due again when a file that belongs to it is new or was written anew since. Its
chunks are found by their hash, so only those of the late file are processed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from flows.config import StoreConfig
from flows.lake import Lake
from flows.recordings import describe_template, late_files
from flows.store_reading import load_store

DEFAULT_LOOK_BACK_DAYS = 3
DEFAULT_AFTER_HOURS = 2.5


@dataclass(frozen=True)
class DueDay:
    """A store-day to process and why. `missing` says what to look for where there is no recording to process."""

    store: str
    file: Path
    day: date
    why: str
    missing: str | None = None


def last_ended_day(config: StoreConfig, after_hours: float = DEFAULT_AFTER_HOURS, now: datetime | None = None) -> date:
    """The last local day of a store that ended at least `after_hours` ago: recordings need some time to arrive."""
    moment = (now or datetime.now(UTC)) - timedelta(hours=after_hours)
    return moment.astimezone(config.zone_info).date() - timedelta(days=1)


def due_days(file: Path, lake: Lake, first: date | None = None, last: date | None = None) -> list[DueDay]:
    """The due days of a store, from `first` to `last`, in order.

    Args:
        file: the store's store.yaml.
        lake: where processed days are.
        first: None: `DEFAULT_LOOK_BACK_DAYS` before `last`.
        last: None: the last local day that has ended.

    Without dates, days before the last that have no recordings are passed over: the store may be new. So are days on
    which it is closed. A store with `recordings.default_date` has that day only.

    Raises StoreConfigError where the file has mistakes.
    """
    config = load_store(file)
    asked = first is not None
    fixed = config.recordings.default_date
    last = last or fixed or last_ended_day(config)
    first = first or fixed or last - timedelta(days=DEFAULT_LOOK_BACK_DAYS - 1)
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    return [due for day in days if (due := _due(config, file, lake, day, told=asked or day == last)) is not None]


def _due(config: StoreConfig, file: Path, lake: Lake, day: date, told: bool) -> DueDay | None:
    if lake.manifest(config.id, day) is not None:
        known = remembered_recordings(lake, config.id, day)
        late = list(late_files(config, file.parent, day, known))
        return DueDay(config.id, file, day, f"late: {_names(late)}") if late else None
    if next(late_files(config, file.parent, day, {}), None) is not None:
        return DueDay(config.id, file, day, "not in the lake")
    if not told or not config.open_windows(day):
        return None
    expected = describe_template(config, file.parent, config.cameras[0], day)
    return DueDay(config.id, file, day, "no recordings", f"no usable recording of {day}; expected {expected}")


def _names(paths: list[str]) -> str:
    names = [Path(path).name for path in paths[:3]]
    return ", ".join(names) + (f" and {len(paths) - 3} more" if len(paths) > 3 else "")


def _path(store: str, day: date) -> str:
    return f"_recordings/store={store}/date={day.isoformat()}.json"


def remember_recordings(lake: Lake, store: str, day: date, stamps: Mapping[str, str]) -> None:
    """Keep with the lake which files were there when a day was planned."""
    lake.files.put(_path(store, day), json.dumps(stamps, indent=0).encode())


def remembered_recordings(lake: Lake, store: str, day: date) -> dict[str, str]:
    """The files that were there when a day was planned; none where that is not known."""
    try:
        return json.loads(lake.files.get(_path(store, day)))
    except FileNotFoundError:
        return {}

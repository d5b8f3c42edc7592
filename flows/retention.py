"""What is kept of people, and for how long. Aggregates stay; what tells one person from another goes.

    embeddings   how people look (tracklets: embedding, height, colours),
                 the secret they are turned by, and the index to search them    privacy.embeddings_days
    positions    where each of them stood, five times a second (positions)    privacy.positions_days
    chunks       both of it, on its way (_chunks)                             the shorter of the two

Crops of people are never stored. Files are replaced or removed, so what went is in no file of the lake any more; an
object store that keeps old versions of objects must be told to let them go (a lifecycle rule), and so must backups.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import pyarrow as pa

from flows.config import StoreConfig
from flows.lake import DayLocked, Lake, LakeError
from flows.lake_writer import DayWriter
from flows.search_days import forget_search_day, searchable

APPEARANCE = ("embedding", "embedding_key", "height_m", "height_sigma_m", "upper_colours", "lower_colours")
"""Columns of tracklets that say how a person looks."""


@dataclass(frozen=True)
class Retention:
    """First local days whose embeddings, and whose positions, are kept; None: all are."""

    embeddings_from: date | None
    positions_from: date | None

    @classmethod
    def of(cls, config: StoreConfig, now: datetime | None = None) -> Retention:
        """What a store's `privacy` section keeps today, by the store's clock."""
        today = (now or datetime.now(config.zone_info)).astimezone(config.zone_info).date()
        kept = config.privacy
        return cls(today - timedelta(days=kept.embeddings_days), today - timedelta(days=kept.positions_days))

    def goes(self, day: date) -> tuple[bool, bool]:
        """Whether a day's embeddings and positions go."""
        limits = self.embeddings_from, self.positions_from
        embeddings, positions = (limit is not None and day < limit for limit in limits)
        return embeddings, positions


@dataclass(frozen=True)
class Forgotten:
    """What went of a store-day. `kept_because` says why nothing could."""

    store: str
    day: date
    what: tuple[str, ...] = ()
    kept_because: str | None = None

    def __str__(self) -> str:
        if self.kept_because:
            return f"{self.store} {self.day}: nothing forgotten: {self.kept_because}"
        return f"{self.store} {self.day}: {', '.join(self.what)} forgotten"


def forget(lake: Lake, store: str, retention: Retention) -> list[Forgotten]:
    """Let go of what a store's retention does not keep; the days of which something went, or should have.

    Raises LakeError where something that should be gone is still found afterwards.
    """
    lake.recover()
    outcomes = []
    for day in _days(lake, store):
        embeddings, positions = retention.goes(day)
        if not (embeddings or positions):
            continue
        try:
            with lake.writer(store, day) as writer:
                what = tuple(_forget_day(lake, writer, store, day, embeddings, positions))
        except DayLocked as error:
            outcomes.append(Forgotten(store, day, kept_because=str(error)))
            continue
        left = remains(lake, store, day, embeddings, positions)
        if left:
            raise LakeError(f"{store} {day}: still there after it was to be forgotten: {', '.join(left)}; run it again")
        if what:
            outcomes.append(Forgotten(store, day, what))
    return outcomes


def stores_with_data(lake: Lake) -> list[str]:
    """Stores of which there is a day, or a chunk of one."""
    return sorted({*lake.stores(), *lake.files.names("_chunks")})


def remains(lake: Lake, store: str, day: date, embeddings: bool, positions: bool) -> list[str]:
    """What the lake's files of a day still hold of what should be gone."""
    left = []
    if lake.files.names(_chunks(store, day)):
        left.append("chunks")
    manifest = lake.manifest(store, day)
    tables = manifest.tables if manifest else {}
    if positions and "positions" in tables:
        left.append("positions")
    if embeddings and "tracklets" in tables and _has_appearance(lake, store, day):
        left.append("embeddings")
    if embeddings and searchable(lake.root, store, day):
        left.append("secret")
    return left


def _forget_day(
    lake: Lake, writer: DayWriter, store: str, day: date, embeddings: bool, positions: bool
) -> Iterable[str]:
    there = remains(lake, store, day, embeddings, positions)
    if "embeddings" in there:
        tracklets = lake.read_day(store, day, ["tracklets"])["tracklets"]
        for name in APPEARANCE:
            at = tracklets.schema.get_field_index(name)
            field = tracklets.schema.field(at)
            tracklets = tracklets.set_column(at, field, pa.nulls(len(tracklets), field.type))
        writer.replace({"tracklets": tracklets})
    if "positions" in there:
        writer.replace({"positions": None}, "forgotten: older than privacy.positions_days, or by aisleflow forget")
    if "secret" in there:
        forget_search_day(lake.root, store, day)
    if "chunks" in there:
        lake.files.remove(_chunks(store, day))
    return there


def _has_appearance(lake: Lake, store: str, day: date) -> bool:
    tracklets = lake.read_day(store, day, ["tracklets"], APPEARANCE)["tracklets"]
    return any(tracklets[name].null_count < len(tracklets) for name in APPEARANCE)


def _days(lake: Lake, store: str) -> list[date]:
    """Days that are in the lake, and days of which there are only chunks."""
    found = {day.date for day in lake.days([store])}
    for name in lake.files.names(f"_chunks/{store}"):
        try:
            found.add(date.fromisoformat(name))
        except ValueError:
            continue
    return sorted(found)


def _chunks(store: str, day: date) -> str:
    return f"_chunks/{store}/{day.isoformat()}"

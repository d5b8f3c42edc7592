"""One search by one user for one reason. Each step is written to the audit before anything is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from detection.crops import cut_out
from detection.detector import DetectorError, DetectorNotFound
from detection.heads import blur_heads
from flows.chunks import embedder_of
from flows.config import StoreConfig
from flows.day_tables import same_person_odds
from flows.find import Candidate, Filters, Query, SearchRefused, TrackletName, allow_search, search
from flows.find_audit import Action, AuditLog, Entry
from flows.lake import Lake
from flows.person_crops import Shot, camera_of, cut_crops, people_in, picture_at, shots_of
from flows.search_days import SearchDay, open_search_day
from flows.sightings import LastSeen, floor_path, last_seen
from flows.store_reading import load_store
from flows.tracklet_positions import BOXES, NoPicture, people_around, people_at, person_at, tracks_of

SHORTEST_REASON = 8
NO_LOOKS = (0.0, 0.0)
"""For a search by words alone: no cosine is weighed, and the network need not be loaded."""


class PersonSearch:
    """A search in one store.

    Args:
        store_file: its store.yaml.
        lake: the lake's folder or URL.
        user: who searches, as the audit names them.
        reason: why, in the user's words.
        days: what is searched; several only where the store joins days, none to watch new segments only.

    Raises:
        SearchRefused: search is off, no reason is given, or the days may not be joined. The refusal is audited.
    """

    def __init__(self, store_file: Path, lake: str, user: str, reason: str, days: Sequence[date]) -> None:
        self.config: StoreConfig = load_store(store_file)
        self.folder = Path(store_file).parent
        self.lake = lake
        self._lake = Lake(lake)
        self._audit = AuditLog(lake, self.config.id)
        self._user, self.reason = user, " ".join(reason.split())
        self._days = tuple(sorted(set(days)))
        self._shows_heads = False
        self._purpose = self.config.find.purpose if self.config.find else ""
        try:
            allow_search(self.config, self._days)
            if len(self.reason) < SHORTEST_REASON:
                raise SearchRefused(
                    f"say why you search, in at least {SHORTEST_REASON} letters: it goes into the audit"
                )
        except SearchRefused as refusal:
            self._write("refused", str(refusal))
            raise

    def of_pictures(self, pictures: Sequence[np.ndarray]) -> Query:
        """A query for one person in one or more pictures, uint8 RGB (H, W, 3): in each the largest that the store's
        detector finds, or the whole picture where it finds none. Several views are averaged."""
        vectors = embedder_of(self.config.reid).embed([self._largest_person(picture) for picture in pictures])
        return Query(embedding=vectors.mean(axis=0))

    def _largest_person(self, picture: np.ndarray) -> np.ndarray:
        boxes = people_in(self.config, picture)
        if not len(boxes):
            return picture
        return cut_out(picture, boxes[int(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1).argmax())], 0.05)

    def of_person_at(self, camera: str, time_us: int, point: tuple[float, float]) -> Query:
        """A query for whom somebody clicked on, in a camera's picture. Raises ValueError where nobody was tracked."""
        name = person_at(people_at(self._lake, self.config, camera_of(self.config, camera), time_us), point)
        if name is None:
            raise ValueError(f"{camera}: nobody was tracked at that place and time; click into a person's box")
        return self.of_tracklet(name)

    def of_tracklet(self, name: TrackletName) -> Query:
        """A query for a person by one sighting. Raises ValueError where it has no embedding."""
        day = next((one for one in self.opened if one.day == name.day), None)
        row = day.row_of(name.camera, name.track_id) if day else None
        if day is None or row is None:
            raise ValueError(
                f"{name}: there is no such sighting with a picture good enough, on the days that are searched"
            )
        return Query(embedding=day.plain([row])[0])

    @cached_property
    def opened(self) -> list[SearchDay]:
        """The days, open for search."""
        return [open_search_day(self._lake, self.config, day) for day in self._days]

    def find(
        self, query: Query, filters: Filters | None = None, *, count: int = 20, newest_first: bool = False
    ) -> list[Candidate]:
        """The likeliest people; see `flows.find.search`."""
        filters = filters or Filters()
        for name in filters.cameras:
            camera_of(self.config, name)
        by_looks = query.embedding is not None or query.confirmed or query.rejected
        odds = self._odds() if by_looks else NO_LOOKS
        found = search(self.opened, query, filters, calibration=odds, count=count, newest_first=newest_first)
        asked = "; ".join(part for part in (str(query), str(filters), " ".join(map(str, self._days))) if part)
        self._write("search", asked, [candidate.name for candidate in found])
        return found

    def _odds(self) -> tuple[float, float]:
        """The calibration of the weights. Raises ValueError for a day that was embedded by other weights: its cosines
        with what these see would be noise that looks like an answer."""
        embedder = embedder_of(self.config.reid)
        for day in self.opened:
            if day.models and embedder.sha256 not in day.models:
                raise ValueError(
                    f"{self.config.id} {day.day} was processed with other re-identification weights than "
                    f"{self.config.reid.model} has now: process the day again, or describe the person instead"
                )
        return same_person_odds(embedder, self.config)

    def answer(self, query: Query, name: TrackletName, *, same_person: bool) -> Query:
        """The query after a person has looked at a candidate and said whether it is the one. Raises ValueError for a
        sighting that could not have been listed."""
        if not any(day.day == name.day and day.row_of(name.camera, name.track_id) is not None for day in self.opened):
            raise ValueError(f"{name}: there is no such sighting on the days that are searched")
        self._write("confirm" if same_person else "reject", shown=[name])
        if same_person:
            return replace(query, confirmed=(*query.confirmed, name))
        return replace(query, rejected=(*query.rejected, name))

    def note_live(self, query: Query) -> None:
        """Put into the audit that new segments are watched for somebody."""
        self._write("live", str(query))

    def note_matches(self, names: Sequence[TrackletName]) -> None:
        """Put into the audit who of a watched segment is reported."""
        self._write("match", shown=names)

    def show_heads(self) -> None:
        """From here on crops show heads: the user has confirmed that this search needs it."""
        self._write("heads")
        self._shows_heads = True

    def crops(self, names: Sequence[TrackletName]) -> list[np.ndarray | str]:
        """Pictures of tracklets, uint8 RGB, heads blurred until `show_heads`; or why there is none."""
        self._write("crops", shown=names)
        return self._cut(shots_of(self._lake, self.config, names))

    def crops_of(self, shots: Sequence[Shot]) -> list[np.ndarray | str]:
        """The same of people who are not in the lake yet (`flows.find_live`)."""
        self._write("crops", shown=[shot.name for shot in shots])
        return self._cut(shots)

    def _cut(self, shots: Sequence[Shot | NoPicture]) -> list[np.ndarray | str]:
        return cut_crops(self.config, self.folder, shots, show_heads=self._shows_heads)

    def frame(self, camera: str, time_us: int) -> tuple[np.ndarray, pd.DataFrame]:
        """A camera's picture, uint8 RGB, all heads blurred, and the people in it: `person_crops.people_at`, boxes in
        its pixels. Raises NoPicture where nobody was tracked then, or the recording is gone."""
        seen_by = camera_of(self.config, camera)
        people = people_at(self._lake, self.config, seen_by, time_us)
        if people.empty:
            raise NoPicture(f"{camera}: nobody was tracked at that time; choose another")
        keys = (people[name].tolist() for name in ("day", "camera", "track_id"))
        names = [TrackletName(*key) for key in zip(*keys, strict=True)]
        self._write("crops", f"frame of {camera}", names)
        day, sampled_us = people["day"].iloc[0], int(people["time_us"].iloc[0])
        frame, scale = picture_at(self.config, self.folder, seen_by, day, sampled_us)
        boxes = people[BOXES].to_numpy(float) * scale
        people[BOXES] = boxes
        around = people_around(self._lake, self.config, seen_by, day, sampled_us)[BOXES].to_numpy(float) * scale
        try:
            found = people_in(self.config, frame)
        except (DetectorNotFound, DetectorError) as error:
            raise NoPicture(f"no picture without a detector that finds the heads to blur: {error}") from None
        return blur_heads(frame, np.concatenate([boxes, around, found])), people

    def places(self, names: Sequence[TrackletName]) -> pd.DataFrame:
        """Where tracklets were: rows of `positions`, in order of time."""
        return tracks_of(self._lake, self.config.id, names)

    def last_seen_each(self, names: Sequence[TrackletName]) -> dict[TrackletName, LastSeen]:
        """Where each of some sightings ended; only when and in which camera, where the day's positions were deleted."""
        unknown = dict.fromkeys(("x_m", "y_m", "zone", "speed_m_s", "heading"))
        found = {name: LastSeen(self._end_us(name), name.camera, **unknown) for name in names}
        try:
            places = self.places(names)
        except NoPicture:
            return found
        for _, rows in places.groupby(["day", "camera", "track_id"]):
            one = rows.iloc[0]
            name = TrackletName(one["day"], str(one["camera"]), int(one["track_id"]))
            found[name] = last_seen(self.config, rows)
        return found

    def last_of(self, names: Sequence[TrackletName]) -> TrackletName:
        """The sighting that ended last."""
        return max(names, key=self._end_us)

    def _end_us(self, name: TrackletName) -> int:
        day = next(one for one in self.opened if one.day == name.day)
        return int(day.columns["end_us"][day.row_of(name.camera, name.track_id)])

    def path(self, confirmed: Sequence[TrackletName]) -> tuple[pd.DataFrame, LastSeen]:
        """The way of confirmed sightings over the floor, and where it ends."""
        track = self.places(confirmed)
        return floor_path(track), last_seen(self.config, track)

    def _write(self, action: Action, query: str = "", shown: Sequence[TrackletName] = ()) -> None:
        names = tuple(map(str, shown))
        self._audit.append(Entry(self._user, action, self._purpose, self.reason, query, names))

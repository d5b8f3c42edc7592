"""Person search in what is being recorded: each new segment is processed as soon as it is complete, and compared.

A segment's chunks are those that the nightly job makes, under the same hash, so that nothing is processed twice. Tracks
are of one segment; who is who is settled at night.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime

import numpy as np
import pandas as pd

from flows.camera_day import CameraTracks, shop_of, track_camera_day
from flows.chunks import cut_camera_day, embedder_of, process_chunk
from flows.config import Camera
from flows.day_secrets import make_secret
from flows.day_tables import same_person_odds
from flows.find import Candidate, Filters, Query, search
from flows.person_search import PersonSearch
from flows.places import SECOND_US
from flows.plan import chunk_folder
from flows.recordings import CameraDay, RecordedFile, find_camera_day
from flows.search_days import SearchDay
from flows.sightings import zone_at
from reid.person_index import index_of

SETTLED_S = 5.0
"""A file that has not been written to for so long is complete."""
POLL_S = 5.0
LEAST_ODDS = 0.0


@dataclass(frozen=True)
class LiveMatch:
    """Somebody in a new segment who is more likely the one than not: when, where (floor metres and zone at the end of
    the track, None where not known), and the candidate's evidence."""

    camera: str
    start_us: int
    end_us: int
    x_m: float | None
    y_m: float | None
    zone: str | None
    candidate: Candidate

    def __str__(self) -> str:
        end = datetime.fromtimestamp(self.end_us / 1e6, UTC)
        place = self.zone or ("the floor" if self.x_m is not None else "no floor place known")
        return f"{end:%H:%M:%S}Z, camera {self.camera}, {place}: {self.candidate.likelihood:.0%}"


class LiveSearch:
    """Looks through segments that were not looked through before.

    Args:
        person: the search, allowed and audited.
        query: whom to look for.
        look_back_s: segments that ended longer ago are passed over.
        clock: UTC seconds; another one to replay a day.
    """

    def __init__(
        self, person: PersonSearch, query: Query, *, look_back_s: float, clock: Callable[[], float] = time.time
    ) -> None:
        self._person, self._query, self._clock = person, query, clock
        self._since_us = round((clock() - look_back_s) * SECOND_US)
        self._done: set[tuple[str, str]] = set()
        person.note_live(query)

    def look(self) -> list[LiveMatch]:
        """The matches in segments that have become complete since the last look, in order of time."""
        found: list[LiveMatch] = []
        for camera in self._person.config.cameras:
            for day, file in self._new_segments(camera):
                found += self._matches(camera, day, file)
        found.sort(key=lambda match: match.start_us)
        if found:
            self._person.note_matches([match.candidate.name for match in found])
        return found

    def watch(self, seconds: float) -> Iterator[LiveMatch]:
        """Look again and again for so long; the first look is at once."""
        until = self._clock() + seconds
        while True:
            yield from self.look()
            if self._clock() >= until:
                return
            time.sleep(POLL_S)

    def _new_segments(self, camera: Camera) -> Iterator[tuple[date, RecordedFile]]:
        config, now = self._person.config, self._clock()
        today = datetime.fromtimestamp(now, config.zone_info).date()
        for file in find_camera_day(config, self._person.folder, camera, today).files:
            key = (camera.id, file.path)
            ended_us = file.end_us or round(now * SECOND_US)
            if key in self._done or ended_us < self._since_us or file.start_us > now * SECOND_US or not _complete(file):
                continue
            self._done.add(key)
            yield today, file

    def _matches(self, camera: Camera, day: date, file: RecordedFile) -> list[LiveMatch]:
        config = self._person.config
        secret, embedder = make_secret(config, day), embedder_of(config.reid)
        window = config.day_window(day)
        chunks = cut_camera_day(config, camera, CameraDay(camera.id, (file,), ()), window, secret=secret)
        work = chunk_folder(self._person.lake, config.id, day)
        files = [process_chunk(chunk, work, (config.detector, config.reid)) for chunk in chunks]
        tracks = track_camera_day(camera, files, embedder.dimension, shop_of(config), config.detector.confidence)
        seen = live_day(config.id, day, tracks, secret.read())
        if not len(seen.tracklets):
            return []
        odds = same_person_odds(embedder, config)
        candidates = search([seen], self._query, Filters(), calibration=odds, count=len(seen.tracklets))
        return [self._match(one, tracks) for one in candidates if one.odds >= LEAST_ODDS]

    def _match(self, one: Candidate, tracks: CameraTracks) -> LiveMatch:
        last = np.flatnonzero(tracks.track_id == one.name.track_id)[-1]
        x, y = tracks.xy[last] if tracks.calibrated else (np.nan, np.nan)
        if not (np.isfinite(x) and np.isfinite(y)):
            return LiveMatch(one.name.camera, one.start_us, one.end_us, None, None, None, one)
        zone = zone_at(self._person.config, float(x), float(y))
        return LiveMatch(one.name.camera, one.start_us, one.end_us, float(x), float(y), zone, one)


def live_day(store: str, day: date, tracks: CameraTracks, secret: bytes) -> SearchDay:
    """A camera's tracks as a day that can be searched, in memory."""
    rows = np.isfinite(tracks.embedding).all(axis=1)
    tracklets = pd.DataFrame(
        {
            "camera": tracks.camera,
            "track_id": tracks.ids[rows],
            "start_us": tracks.start_us[rows],
            "end_us": tracks.end_us[rows],
            "quality": tracks.quality[rows],
            "height_m": tracks.height_m[rows],
            "height_sigma_m": tracks.height_sigma_m[rows],
            "person_id": 0,
        }
    )
    embedding = tracks.embedding[rows]
    return SearchDay(store, day, tracklets, tracks.colours[rows], index_of(embedding), secret, lambda: embedding)


def _complete(file: RecordedFile) -> bool:
    if "://" in file.path:
        return True  # an object appears when its upload is complete
    return time.time() - os.stat(file.path).st_mtime >= SETTLED_S

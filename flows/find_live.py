"""Person search in what is being recorded: each new segment is processed as soon as it is complete, and compared.

A segment's chunks are those that the nightly job makes, under the same hash, so that nothing is processed twice. Tracks
are of one segment; who is who is settled at night.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

import numpy as np
import pandas as pd

from flows.camera_day import CameraTracks, shop_of, track_camera_day
from flows.chunks import cut_camera_day, embedder_of, process_chunk
from flows.config import Camera
from flows.day_secrets import make_secret
from flows.day_tables import same_person_odds
from flows.find import Candidate, Filters, Query, search
from flows.live_matches import KeptMatch, keep_match
from flows.person_crops import Shot, best_sample, shot
from flows.person_search import PersonSearch
from flows.places import SECOND_US
from flows.plan import chunk_folder
from flows.recordings import CameraDay, RecordedFile, RecordingLost, find_camera_day
from flows.search_days import SearchDay
from flows.sightings import LastSeen, last_seen
from flows.tracklet_positions import BOXES
from reid.appearance import Appearance
from reid.person_index import index_of

SETTLED_S = 5.0
"""A file that has not been written to for so long is complete."""
POLL_S = 5.0
EVEN_ODDS = 0.0


@dataclass(frozen=True)
class LiveMatch:
    """Somebody in a new segment who is more likely the one than not: when (the track's end also by the store's clock),
    where they were at the end of the track and where they went, the candidate's evidence, and what
    `PersonSearch.crops_of` cuts a picture from."""

    camera: str
    start_us: int
    end_us: int
    end: datetime
    last: LastSeen
    candidate: Candidate
    shot: Shot = field(compare=False)

    def __str__(self) -> str:
        return f"{self.end:%H:%M:%S}, camera {self.camera}, {self.last.place}: {self.candidate.likelihood:.0%}"


class LiveSearch:
    """Looks through segments that were not looked through before, the newest first: who was seen last is still near.

    Args:
        person: the search, allowed and audited; it may be opened without days.
        query: whom to look for.
        look_back_s: segments that ended longer ago are passed over.
        clock: UTC seconds; another one to replay a day.
    """

    def __init__(
        self, person: PersonSearch, query: Query, *, look_back_s: float, clock: Callable[[], float] = time.time
    ) -> None:
        self._person, self._query, self._clock = person, query, clock
        self._since_us = round((clock() - look_back_s) * SECOND_US)
        self._done: set[tuple[str, date, str]] = set()
        person.note_live(query)

    def watch(self, seconds: float) -> Iterator[LiveMatch]:
        """The matches, segment by segment: in those that are complete, then for so long in each that becomes so."""
        until = self._clock() + seconds
        while True:
            segment = self._newest_segment(min(self._clock(), until))
            if segment is not None:
                yield from self._looked_through(*segment)
            elif self._clock() >= until:
                return
            else:
                time.sleep(POLL_S)

    def _newest_segment(self, begun_s: float) -> tuple[Camera, date, RecordedFile] | None:
        """The segment, complete and not looked through, that ended last of those begun by then."""
        config, found = self._person.config, []
        since = datetime.fromtimestamp(self._since_us / SECOND_US, config.zone_info).date()
        today = datetime.fromtimestamp(self._clock(), config.zone_info).date()
        for camera in config.cameras:
            for day in (since + timedelta(days=number) for number in range((today - since).days + 1)):
                files = find_camera_day(config, self._person.folder, camera, day, self._since_us).files
                found += [(camera, day, file) for file in files if self._is_new(day, file, begun_s)]
        return max(found, key=lambda one: (one[2].end_us or one[2].start_us, one[1]), default=None)

    def _is_new(self, day: date, file: RecordedFile, begun_s: float) -> bool:
        if (file.camera, day, file.path) in self._done or file.start_us > begun_s * SECOND_US:
            return False
        return (file.end_us is None or file.end_us >= self._since_us) and _complete(file)

    def _looked_through(self, camera: Camera, day: date, file: RecordedFile) -> list[LiveMatch]:
        """A segment's matches in order of time, written to the audit. One that is being written anew has none yet."""
        try:
            found = sorted(self._matches(camera, day, file), key=lambda match: match.start_us)
        except RecordingLost:
            time.sleep(POLL_S)
            return []
        self._done.add((camera.id, day, file.path))
        if found:
            self._person.note_matches([match.candidate.name for match in found])
        for match in found:
            kept = KeptMatch(self._person.reason, match.candidate.likelihood, match.last, match.shot)
            keep_match(self._person.lake, self._person.config.id, kept)
        return found

    def _matches(self, camera: Camera, day: date, file: RecordedFile) -> list[LiveMatch]:
        config = self._person.config
        secret, embedder = make_secret(config, day), embedder_of(config.reid)
        window = config.day_window(day)
        chunks = cut_camera_day(config, camera, CameraDay(camera.id, (file,), ()), window, secret=secret)
        work = chunk_folder(self._person.lake, config.id, day)
        files = [process_chunk(chunk, work, (config.detector, config.reid)) for chunk in chunks]
        odds = same_person_odds(embedder, config)
        tracks = track_camera_day(
            camera, files, embedder.dimension, shop_of(config), config.detector.confidence, Appearance(*odds)
        )
        seen = live_day(config.id, day, tracks, secret.read())
        if not len(seen.tracklets):
            return []
        candidates = search([seen], self._query, Filters(), calibration=odds, count=len(seen.tracklets))
        positions = positions_of(tracks)
        return [self._match(one, camera, positions) for one in candidates if one.odds > EVEN_ODDS]

    def _match(self, one: Candidate, camera: Camera, positions: pd.DataFrame) -> LiveMatch:
        config = self._person.config
        end = datetime.fromtimestamp(one.end_us / SECOND_US, config.zone_info)
        own = positions[positions["track_id"] == one.name.track_id]
        return LiveMatch(
            camera=one.name.camera,
            start_us=one.start_us,
            end_us=one.end_us,
            end=end,
            last=last_seen(config, own),
            candidate=one,
            shot=shot(one.name, best_sample(own, camera.image_size), positions),
        )


def positions_of(tracks: CameraTracks) -> pd.DataFrame:
    """Where a camera's tracks were, a row a sample: camera, track_id, time_us, x1 y1 x2 y2, score, x_m, y_m."""
    boxes = dict(zip(BOXES, tracks.boxes.T.astype(float), strict=True))
    x_m, y_m = tracks.places.xy.T.astype(float) if tracks.calibrated else np.full((2, len(tracks.track_id)), np.nan)
    named = {"camera": tracks.camera, "track_id": tracks.track_id, "time_us": tracks.time_us}
    return pd.DataFrame({**named, **boxes, "score": tracks.score, "x_m": x_m, "y_m": y_m})


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

"""From all cameras' tracks to a day's tables: people, paths, visits, footfall, zone counts."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date

import numpy as np
import pandas as pd
import pyarrow as pa

from detection.place import HEIGHTS_M, height_prior
from flows.camera_day import CameraTracks
from flows.config import StoreConfig
from flows.footfall import entrance_crossings
from flows.groups import find_groups
from flows.observation import observed_share, seen_points
from flows.places import entrances_of, zones_of
from flows.schemas import from_columns
from flows.staff import roles_of
from flows.trajectories import trajectories
from flows.visits import zone_visits
from flows.zone_counts import zone_counts
from reid.embedder import Embedder
from reid.heights import Heights
from reid.identities import Identities, Samples, Tracklets, link

LEAST_SEEN_S, LEAST_SEEN_ALONE_S = 3.0, 1.0
"""Seconds a person must be seen in all. On a shared floor a brief track that joins nobody is mostly a piece of somebody
who is counted already; in the picture of a camera by itself people cross in two or three seconds."""


def tracklets_of(tracks: Sequence[CameraTracks]) -> Tracklets:
    """All cameras' tracks of a day, one after the other."""
    return Tracklets(
        camera=np.concatenate([np.full(len(t.ids), t.camera, object) for t in tracks]),
        track_id=np.concatenate([t.ids for t in tracks]),
        start_us=np.concatenate([t.start_us for t in tracks]),
        end_us=np.concatenate([t.end_us for t in tracks]),
        embedding=np.concatenate([t.embedding for t in tracks]),
        quality=np.concatenate([t.quality for t in tracks]),
    )


def samples_of(tracks: Sequence[CameraTracks]) -> Samples:
    """The places of all tracklets of a day, in the order of `tracklets_of`."""
    offsets = np.cumsum([0, *(len(t.ids) for t in tracks)])
    xy = np.concatenate([t.places.xy if t.calibrated else np.full_like(t.places.xy, np.nan) for t in tracks])
    return Samples(
        tracklet=np.concatenate(
            [np.searchsorted(t.ids, t.track_id) + offset for t, offset in zip(tracks, offsets, strict=False)]
        ),
        time_us=np.concatenate([t.time_us for t in tracks]),
        x_m=xy[:, 0],
        y_m=xy[:, 1],
        sigma_m=np.concatenate([t.places.known_height_sigma_m for t in tracks]),
        slope=np.concatenate([t.places.slope for t in tracks]),
        boxes=np.concatenate([t.boxes for t in tracks]),
    )


def heights_of(tracks: Sequence[CameraTracks]) -> Heights:
    """What is known of the heights of all tracklets' people, in the order of `tracklets_of`."""
    heights, prior = np.concatenate([t.places.heights for t in tracks]), height_prior()
    return Heights(HEIGHTS_M, prior, np.where(np.isnan(heights), prior, heights))


def people_of(config: StoreConfig, tracks: Sequence[CameraTracks], embedder: Embedder) -> pd.DataFrame:
    """Join all cameras' tracks into people: the lake's table `identities`."""
    tracklets = tracklets_of(tracks)
    doors = [(*gate.line, gate.inside) for gate in config.entrances if gate.camera is None]
    threshold, slope = same_person_odds(embedder, config)
    found: Identities = link(
        tracklets,
        samples_of(tracks),
        threshold=threshold,
        slope=slope,
        doors=np.array(doors) if doors else None,
        heights=heights_of(tracks),
        least_seen_s=LEAST_SEEN_S if any(track.calibrated for track in tracks) else LEAST_SEEN_ALONE_S,
    )
    known = found.person_id > 0
    return pd.DataFrame(
        {
            "camera": tracklets.camera[known].astype(str),
            "track_id": tracklets.track_id[known],
            "person_id": found.person_id[known],
            "confidence": found.confidence[known],
        }
    )


def same_person_odds(embedder: Embedder, config: StoreConfig) -> tuple[float, float]:
    """Cosine at which a pair is as likely one person as two, and the log odds a unit of cosine.

    Both come from the logistic fit that is stored with the weights; a store may set the cosine itself.
    """
    calibration = embedder.config.calibration
    slope = calibration["slope"]
    even = -calibration["offset"] / slope
    return (even if config.reid.threshold is None else config.reid.threshold), slope


def day_tables(
    config: StoreConfig,
    day: date,
    tracks: Sequence[CameraTracks],
    identities: pd.DataFrame,
    embedding_key: str | None = None,
    uniformed: Collection[int] = frozenset(),
) -> dict[str, pa.Table | pd.DataFrame]:
    """All tables of a day but `runs`. `footfall` is left out for a store without entrances.

    `embedding_key`: public name of the secret that the embeddings are turned by. `uniformed`: person_id of everyone who
    wears the store's uniform.
    """
    places = pd.concat([_places(track) for track in tracks], ignore_index=True)
    calibrated = [track.camera for track in tracks if track.calibrated]
    step_s = 1 / max(camera.sampling_fps for camera in config.cameras)
    spans = {zone.id: config.zone_span(zone, day) for zone in config.zones}
    zones, hidden_s = [zone for zone in zones_of(config) if spans[zone.id]], config.counting.max_hidden_s
    window = _counted_window(config, day, tracks)
    observed = {name: within(seen, spans[name]) for name, seen in observed_zones(config, tracks).items()}
    paths = trajectories(places, identities, calibrated=calibrated, step_s=step_s, max_hidden_s=hidden_s)
    paths["role"] = paths["person_id"].map(roles_of(config, paths, uniformed))
    visits = zone_visits(
        paths,
        zones,
        window,
        observed=observed,
        hysteresis_s=config.counting.hysteresis_s,
        max_hidden_s=hidden_s,
        edge_s=max(0.5, 1.1 / min(camera.sampling_fps for camera in config.cameras)),
    )
    tables: dict[str, pa.Table | pd.DataFrame] = {
        "positions": _positions(places, set(calibrated)),
        "tracklets": _tracklets(tracks, embedding_key),
        "identities": identities,
        "visits": visits,
        "zone_counts": zone_counts(visits, zones, window, observed=observed),
    }
    footfall = entrance_crossings(paths, entrances_of(config), max_hidden_s=hidden_s)
    if footfall is not None:
        tables["footfall"] = footfall
    tables["groups"] = find_groups(paths, footfall)
    return tables


def observed_zones(config: StoreConfig, tracks: Sequence[CameraTracks]) -> dict[str, list[tuple[int, int, float]]]:
    """For each zone the spans in which it was seen, with the share of its area."""
    spans = {track.camera: track.observed for track in tracks}
    calibrations = {c.id: c.floor_calibration for c in config.cameras if c.floor_calibration is not None}
    observed = {}
    for zone in config.zones:
        if zone.camera is not None:
            observed[zone.id] = [(start, end, 1.0) for start, end in spans[zone.camera]]
        else:
            observed[zone.id] = observed_share(seen_points(np.array(zone.polygon), calibrations), spans)
    return observed


def within(seen: Sequence[tuple[int, int, float]], span: tuple[int, int] | None) -> list[tuple[int, int, float]]:
    """What of (from, to, share of the area) lies in a span: a zone is observed only while it is one."""
    if span is None:
        return []
    cut = [(max(start, span[0]), min(end, span[1]), share) for start, end, share in seen]
    return [(start, end, share) for start, end, share in cut if start < end]


def _counted_window(config: StoreConfig, day: date, tracks: Sequence[CameraTracks]) -> tuple[int, int]:
    """From the first moment open or seen to the last, within the local day."""
    start, end = config.day_window(day)
    spans = [*config.open_windows(day), *(span for track in tracks for span in track.observed)]
    if not spans:
        return start, end
    return max(start, min(a for a, _ in spans)), min(end, max(b for _, b in spans))


def _places(track: CameraTracks) -> pd.DataFrame:
    boxes = {name: track.boxes[:, column] for column, name in enumerate(("x1", "y1", "x2", "y2"))}
    columns = {"camera": track.camera, "track_id": track.track_id, "time_us": track.time_us, **boxes}
    xy = track.places.xy
    places = {"x": xy[:, 0], "y": xy[:, 1], "uncertainty": track.places.sigma_m}
    return pd.DataFrame(columns | {"score": track.score} | places)


def _positions(places: pd.DataFrame, calibrated: set[str]) -> pd.DataFrame:
    on_floor = places["camera"].isin(calibrated)
    return pd.DataFrame(
        {
            **{name: places[name] for name in ("camera", "track_id", "x1", "y1", "x2", "y2", "score")},
            "time": places["time_us"],
            "x_m": places["x"].where(on_floor),
            "y_m": places["y"].where(on_floor),
        }
    )


def _tracklets(tracks: Sequence[CameraTracks], embedding_key: str | None) -> pa.Table:
    columns = {
        "camera": [camera for track in tracks for camera in [track.camera] * len(track.ids)],
        "track_id": np.concatenate([track.ids for track in tracks]),
        "start": np.concatenate([track.start_us for track in tracks]),
        "end": np.concatenate([track.end_us for track in tracks]),
        "samples": np.concatenate([track.samples for track in tracks]),
        "embedding": np.concatenate([track.embedding for track in tracks]),
        "embedding_key": [embedding_key] * sum(len(track.ids) for track in tracks),
        "quality": np.concatenate([track.quality for track in tracks]),
        "height_m": np.concatenate([track.height_m for track in tracks]),
        "height_sigma_m": np.concatenate([track.height_sigma_m for track in tracks]),
        "upper_colours": np.concatenate([track.colours[:, 0] for track in tracks]),
        "lower_colours": np.concatenate([track.colours[:, 1] for track in tracks]),
        "truncated_start": np.concatenate([track.truncated_start for track in tracks]),
        "truncated_end": np.concatenate([track.truncated_end for track in tracks]),
    }
    return from_columns("tracklets", columns, tracks[0].embedding.shape[1])

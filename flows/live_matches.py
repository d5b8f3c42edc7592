"""Matches of `find-live` for the page *Find*: when, where, how likely, and what a picture is cut from.

    _chunks/STORE/DATE/match-END-CAMERA-TRACK.json

They lie with the segment's chunk and are forgotten with it. No picture and no embedding is in them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date

import numpy as np

from flows.find import TrackletName
from flows.lake_files import open_files
from flows.lake_layout import not_written
from flows.person_crops import Shot
from flows.plan import chunk_folder
from flows.sightings import LastSeen


@dataclass(frozen=True)
class KeptMatch:
    """Somebody whom a watch for `reason` reported: where they were last, how likely it is them, and their shot."""

    reason: str
    likelihood: float
    last: LastSeen
    shot: Shot


def keep_match(lake: str, store: str, match: KeptMatch) -> None:
    """Put a match where the page finds it. Raises LakeError where it can't be written."""
    shot = match.shot
    plain = {
        "reason": match.reason,
        "likelihood": match.likelihood,
        "last": asdict(match.last),
        "sighting": str(shot.name),
        "time_us": shot.time_us,
        "box": shot.box.tolist(),
        "others": shot.others.tolist(),
    }
    name = f"match-{match.last.time_us}-{shot.name.camera}-{shot.name.track_id}.json"
    files = open_files(chunk_folder(lake, store, shot.name.day))
    try:
        files.put(name, json.dumps(plain).encode())
    except OSError as error:
        raise not_written(f"match {files.address(name)}", error) from error


def kept_matches(lake: str, store: str, days: Sequence[date], since_us: int) -> list[KeptMatch]:
    """Matches of some days that were seen since a moment in UTC microseconds, the last seen first."""
    found = []
    for day in days:
        files = open_files(chunk_folder(lake, store, day))
        for name in files.names(""):
            if name.startswith("match-") and int(name.split("-")[1]) >= since_us:
                found.append(_read(json.loads(files.get(name))))
    return sorted(found, key=lambda match: -match.last.time_us)


def _read(plain: dict) -> KeptMatch:
    box, others = (np.array(plain[name], float).reshape(-1, 4) for name in ("box", "others"))
    shot = Shot(TrackletName.parse(plain["sighting"]), int(plain["time_us"]), box[0], others)
    return KeptMatch(str(plain["reason"]), float(plain["likelihood"]), LastSeen(**plain["last"]), shot)

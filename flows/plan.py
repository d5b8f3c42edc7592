"""The plan of a store-day: its chunks, and where their files go."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from flows.chunks import Chunk, cut_camera_day
from flows.config import StoreConfig
from flows.day_secrets import DaySecret, make_secret
from flows.lake import Lake
from flows.preflight import Preflight


@dataclass(frozen=True)
class Plan:
    """A store-day to process: its chunks in order of camera and time, and where their files go.

    `stamps`: the files there were among the recordings, with what changes when they are written anew.
    """

    config: StoreConfig
    config_sha256: str
    day: date
    lake: str
    work: str
    secret: DaySecret
    chunks: tuple[Chunk, ...]
    problems: tuple[str, ...]
    stamps: Mapping[str, str]
    started: float = field(default_factory=time.time)

    def chunks_of(self, camera: str) -> list[Chunk]:
        """A camera's chunks in order of time."""
        return [chunk for chunk in self.chunks if chunk.camera == camera]


def default_lake() -> str:
    """The lake that commands and flows use where none is given."""
    return os.environ.get("AISLEFLOW_LAKE", "lake")


def new_lake(lake: str) -> str | None:
    """What to tell where a lake holds no day yet: below a mount point whose share is away, a second one would begin."""
    place = Lake(lake)
    if place.stores():
        return None
    return f"{place.root} holds no day yet: a new lake begins there. If it should hold some, is its share mounted?"


def plan_store_day(ready: Preflight, lake: str) -> Plan:
    """Cut a checked store-day into chunks."""
    window = ready.config.day_window(ready.day)
    secret = make_secret(ready.config, ready.day)
    chunks = [
        chunk
        for camera, found in zip(ready.config.cameras, ready.found, strict=True)
        for chunk in cut_camera_day(ready.config, camera, found, window, secret=secret)
    ]
    return Plan(
        config=ready.config,
        config_sha256=hashlib.sha256(ready.file.read_bytes()).hexdigest(),
        day=ready.day,
        lake=lake,
        work=chunk_folder(lake, ready.config.id, ready.day),
        secret=secret,
        chunks=tuple(chunks),
        problems=tuple(f"{warning.field}: {warning.message}" for warning in ready.warnings),
        stamps=ready.stamps,
    )


def chunk_folder(lake: str, store: str, day: date) -> str:
    """Where a store-day's chunks' files lie: with the lake, outside its tables, so that any machine finds them."""
    return f"{lake.rstrip('/')}/_chunks/{store}/{day.isoformat()}"

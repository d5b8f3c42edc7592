"""A store-day's recordings: files whose name, sidecar or container says when they begin."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import fsspec

from detection.isolated import probe
from detection.video import VideoError, VideoInfo
from flows.config import EPOCH, MICROSECOND, Camera, StoreConfig
from flows.errors import JobStopped
from flows.recorder_clock import in_second_hour, overlaps

_CODES = {"%Y": r"\d{4}"} | dict.fromkeys(("%m", "%d", "%H", "%M", "%S"), r"\d{2}") | {"%f": r"\d{1,6}"}


@dataclass(frozen=True)
class RecordedFile:
    """A recording that belongs to a day. `end_us` is None where the container does not say how long it is."""

    path: str
    camera: str
    start_us: int
    end_us: int | None
    info: VideoInfo


@dataclass(frozen=True)
class CameraDay:
    """What was found for a camera on a day: usable files in order of time, and unusable ones with the reason.

    `notes`: what is odd about the usable ones and does not keep them from being counted.
    """

    camera: str
    files: tuple[RecordedFile, ...]
    problems: tuple[str, ...]
    notes: tuple[str, ...] = ()


def find_camera_day(
    config: StoreConfig,
    folder: Path,
    camera: Camera,
    day: date,
    from_us: int | None = None,
    to_us: int | None = None,
) -> CameraDay:
    """Find a camera's recordings that touch the store's local day.

    `folder` is where store.yaml lies. Files named for the day before are looked at too: one may run past midnight.
    `from_us`: those that another one follows before then, by their names, are over and not opened. `to_us`: nor are
    those that begin after then.
    """
    template = _resolved(config.recordings.path.replace("{camera}", camera.id), folder)
    clock = ZoneInfo(config.recordings.clock or config.timezone)
    window = config.day_window(day)
    files, problems = [], []
    candidates = _candidates(template, day)
    paths = list(candidates) if from_us is None else _still_running(candidates, template, clock, from_us)
    for path in paths if to_us is None else _begun(paths, template, clock, to_us):
        try:
            file = _describe(path, candidates[path], template, camera.id, clock)
        except (VideoError, OSError, ValueError) as error:
            if _named_for(path, template, day):
                name = Path(path).name
                problems.append(f"{name}: {str(error).removeprefix(f'{name}: ')}")
            continue
        files.append(file)
    files = in_second_hour(files, lambda file: _other_start(file, template, clock))
    files = [file for file in files if _touches(file, window)]
    return CameraDay(camera.id, tuple(files), tuple(problems), tuple(overlaps(files)))


def content_of(path: str) -> str:
    """What identifies a recording's content: the hash of its bytes, or the tag that an object store gives it."""
    filesystem, place = fsspec.core.url_to_fs(path)
    info = filesystem.info(place)
    if "://" in path:
        return _stamp(info)
    return _hash(path, _stamp(info))


@lru_cache(maxsize=100_000)
def _hash(path: str, stamp: str) -> str:
    """Hash of a file's bytes; remembered while its time and size stay the same."""
    return _read_hash(path)


def _read_hash(path: str) -> str:
    with fsspec.open(path, "rb") if "://" in path else open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=20)).hexdigest()


class RecordingLost(JobStopped):
    """A recording can't be read any more, or is another than the job was planned with."""


def check_still_there(path: str, content: str) -> None:
    """Read a recording of that content (`content_of`) through once more. Raises RecordingLost where that fails.

    What is missing in a damaged file is missing for good; what a share that went away did not give must be asked for
    again, and not be kept as a hole in the day.
    """
    try:
        read = _read_hash(path)
        same = content == (content_of(path) if "://" in path else read)
    except OSError as error:
        raise RecordingLost(_lost(path, f"can't be read any more ({error.strerror or error})")) from error
    if not same:
        raise RecordingLost(_lost(path, "was written anew while it was being read"))


def _lost(path: str, what: str) -> str:
    return (
        f"{path} {what}. What was read of it is not kept, and the day in the lake is as it was; see to the share or the"
        " copying, and run again"
    )


def _stamp(info: Mapping[str, Any]) -> str:
    """Of an fsspec file: what changes when it is written anew."""
    tag = info.get("ETag") or info.get("mtime") or info.get("LastModified") or info.get("created")
    return f"{info['size']} {tag}"


def file_stamps(config: StoreConfig, folder: Path, day: date) -> dict[str, str]:
    """Every file that could belong to a store's day, by path, with a stamp that changes when it is written anew.

    Only folders are listed, no file is opened.
    """
    found: dict[str, str] = {}
    for camera in config.cameras:
        found |= _candidates(_resolved(config.recordings.path.replace("{camera}", camera.id), folder), day)
    return found


def late_files(config: StoreConfig, folder: Path, day: date, known: Mapping[str, str]) -> Iterator[str]:
    """Recordings of a day that came, or were written anew, since `known` was listed (`file_stamps`).

    A recording that went away is not late: old recordings are deleted, and what they showed has been counted.
    """
    start, end = config.day_window(day)
    clock = ZoneInfo(config.recordings.clock or config.timezone)
    for camera in config.cameras:
        template = _resolved(config.recordings.path.replace("{camera}", camera.id), folder)
        for path, stamp in _candidates(template, day).items():
            named_us = _start_from_name(path, template, clock)
            if known.get(path) == stamp or (named_us is not None and named_us >= end):
                continue
            try:
                file = _describe(path, stamp, template, camera.id, clock)
            except (VideoError, OSError, ValueError):
                continue
            if _touches(file, (start, end)):
                yield path


def describe_template(config: StoreConfig, folder: Path, camera: Camera, day: date) -> str:
    """The path a recording of that camera and day would have, for messages."""
    template = _resolved(config.recordings.path.replace("{camera}", camera.id), folder)
    return _dated(template, day)


def _resolved(template: str, folder: Path) -> str:
    if "://" in template:
        return template
    return str(folder.absolute() / template)  # an absolute template stays; paths that a glob finds are absolute


def _dated(template: str, day: date) -> str:
    return template.replace("%Y", f"{day.year:04}").replace("%m", f"{day.month:02}").replace("%d", f"{day.day:02}")


def _touches(file: RecordedFile, window: tuple[int, int]) -> bool:
    return file.start_us < window[1] and (file.end_us or file.start_us + 1) > window[0]


def _candidates(template: str, day: date) -> dict[str, str]:
    """Paths, sorted, with their stamps, that match the template for the day, the day before and the day after.

    Three days, since the recorder's clock may be in another zone than the store.
    """
    paths: dict[str, str] = {}
    for offset in (-1, 0, 1):
        dated = _dated(template, day + timedelta(days=offset)).replace("[", "[[]")  # a folder's name, no wildcard
        pattern = re.sub(r"(%[HMSf]|\*)+", "*", dated)
        filesystem, local = fsspec.core.url_to_fs(pattern)
        filesystem.invalidate_cache()
        for path, info in filesystem.glob(local, detail=True).items():
            paths[filesystem.unstrip_protocol(path) if "://" in template else path] = _stamp(info)
    matcher = re.compile(_expression(template))
    return {path: paths[path] for path in sorted(paths) if matcher.fullmatch(path)}


def _expression(template: str) -> str:
    """The template as a regular expression with one named group a strftime code."""
    seen: set[str] = set()
    parts = []
    for part in re.split(r"(%[YmdHMSf]|\*)", template):
        if part == "*":
            parts.append("[^/]*")
        elif part in _CODES:
            group = part[1]
            parts.append(f"(?P={group})" if group in seen else f"(?P<{group}>{_CODES[part]})")
            seen.add(group)
        else:
            parts.append(re.escape(part))
    return "".join(parts)


def _named_for(path: str, template: str, day: date) -> bool:
    match = re.fullmatch(_expression(template), path)
    groups = match.groupdict() if match else {}
    wanted = zip("Ymd", (day.year, day.month, day.day), strict=True)
    return all(int(groups[code]) == value for code, value in wanted if code in groups)


def _still_running(paths: Mapping[str, str], template: str, clock: ZoneInfo, moment_us: int) -> list[str]:
    """Paths of recordings that may go on at a moment, or begin later. A name that means two moments means the later."""
    starts = {path: _start_from_name(path, template, clock, fold=1) for path in paths}
    begun = max((start for start in starts.values() if start is not None and start <= moment_us), default=None)
    return [path for path, start in starts.items() if start is None or begun is None or start >= begun]


def _begun(paths: Iterable[str], template: str, clock: ZoneInfo, moment_us: int) -> list[str]:
    """Paths of recordings that began by a moment, or whose name does not say when."""
    starts = {path: _start_from_name(path, template, clock) for path in paths}
    return [path for path, start in starts.items() if start is None or start <= moment_us]


@lru_cache(maxsize=100_000)
def _probed(path: str, stamp: str) -> VideoInfo:
    """What a file's header says; remembered while its time and size stay the same."""
    return probe(path)


def _describe(path: str, stamp: str, template: str, camera: str, clock: ZoneInfo) -> RecordedFile:
    info = _probed(path, stamp)
    start_us = _start_from_name(path, template, clock)
    if start_us is None:
        start_us = _start_from_sidecar(path)
    if start_us is None:
        start_us = info.creation_us
    if start_us is None:
        raise ValueError(
            "nothing says when it begins: put %H-%M-%S in the recordings' path, a sidecar "
            f'{Path(path).name}.json with {{"start": "2025-03-14T09:00:00Z"}}, or a creation time in the container'
        )
    end_us = None if info.duration_s is None else start_us + round(info.duration_s * 1e6)
    return RecordedFile(path, camera, start_us, end_us, info)


def _other_start(file: RecordedFile, template: str, clock: ZoneInfo) -> int | None:
    """The later moment that a recording's name means as well, in the hour that comes twice."""
    first, second = (_start_from_name(file.path, template, clock, fold) for fold in (0, 1))
    return second if first == file.start_us and second is not None and second > first else None


def _start_from_name(path: str, template: str, clock: ZoneInfo, fold: int = 0) -> int | None:
    match = re.fullmatch(_expression(template), path)
    groups = match.groupdict() if match else {}
    if any(code not in groups for code in "YmdH"):
        return None
    fraction = int(groups.get("f", "0").ljust(6, "0"))
    year, month, day, hour, minute, second = (int(groups.get(code, "0")) for code in "YmdHMS")
    start = datetime(year, month, day, hour, minute, second, fraction, tzinfo=clock, fold=fold)
    return (start - EPOCH) // MICROSECOND


def _start_from_sidecar(path: str) -> int | None:
    filesystem, local = fsspec.core.url_to_fs(path + ".json")
    if not filesystem.exists(local):
        return None
    with filesystem.open(local, "rb") as file:
        text = file.read(10_000)
    try:
        start = datetime.fromisoformat(json.loads(text)["start"])
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"its sidecar {Path(path).name}.json does not hold a start time: {error}") from error
    if start.tzinfo is None:
        raise ValueError(f"the start in its sidecar {Path(path).name}.json has no time zone; add Z or +01:00")
    return (start.astimezone(UTC) - EPOCH) // MICROSECOND

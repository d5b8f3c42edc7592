"""What must be right before a store-day is processed: configuration, recordings, models. All of it told at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path

from flows.chunks import detector_of, embedder_of
from flows.config import StoreConfig
from flows.recordings import CameraDay, describe_template, file_stamps, find_camera_day
from flows.sight import Fault, advice, unseen_zones
from flows.store_reading import Problem, StoreConfigError, config_lines, examine_store, field_name
from flows.uniforms import uniform_problems


@dataclass(frozen=True)
class Preflight:
    """A store ready to be processed for a day. `warnings` are told and do not stop the job.

    `advice`: what the configuration asks for and the cameras can't see, for whoever sets the store up.
    `stamps`: the files there were among the recordings, listed before any of them was opened (`file_stamps`).
    """

    file: Path
    config: StoreConfig
    day: date
    found: tuple[CameraDay, ...]
    warnings: tuple[Problem, ...]
    advice: tuple[Problem, ...]
    stamps: Mapping[str, str]


def preflight(
    store_file: str | Path, day: date | None = None, *, partial: bool = False, strict: bool = False
) -> Preflight:
    """Check a store for a day (None: `recordings.default_date`, else yesterday in the store's time zone).

    With `partial`, a camera without a usable recording is a warning, as long as another has one: its time is missing
    in `coverage`. With `strict`, a zone that no camera sees is a problem; without, a warning: a night is not lost for a
    zone that has no numbers. Raises StoreConfigError with every problem found.
    """
    file = Path(store_file)
    config, problems = examine_store(file)
    if config is None:
        raise StoreConfigError(problems)
    day = day or default_day(config)
    stamps = file_stamps(config, file.parent, day)
    found = tuple(find_camera_day(config, file.parent, camera, day) for camera in config.cameras)
    missing = list(_recording_problems(config, file, day, found))
    others = any(camera_day.files for camera_day in found)
    fatal = [] if partial and others else [_with_way_on(problem) for problem in missing] if others else missing
    unseen = _told(file, unseen_zones(config))
    problems = [*problems, *fatal, *(unseen if strict else [])]
    problems += [*_picture_size_problems(config, file, found), *_model_problems(config, file)]
    problems += _uniform_problems(config, file)
    if problems:
        raise StoreConfigError(problems)
    odd = _odd_recordings(file, found)
    told = tuple(_told(file, advice(config)))
    return Preflight(file, config, day, found, (*missing, *odd, *unseen), told, stamps)


def default_day(config: StoreConfig) -> date:
    """The day that is meant where none is named."""
    return config.recordings.default_date or yesterday(config)


def yesterday(config: StoreConfig, now: datetime | None = None) -> date:
    """The last local day of a store that has ended."""
    return (now or datetime.now(config.zone_info)).astimezone(config.zone_info).date() - timedelta(days=1)


def _recording_problems(config: StoreConfig, file: Path, day: date, found: tuple[CameraDay, ...]) -> Iterator[Problem]:
    lines = config_lines(file)
    at = lines.line(("recordings", "path"))
    for camera, camera_day in zip(config.cameras, found, strict=True):
        for problem in camera_day.problems:
            yield Problem(str(file), f"recordings of {camera.id}", problem, at)
        if not camera_day.files and not camera_day.problems:
            expected = describe_template(config, file.parent, camera, day)
            yield Problem(str(file), f"recordings of {camera.id}", f"none for {day}; expected {expected}", at)


def _with_way_on(problem: Problem) -> Problem:
    return replace(problem, message=f"{problem.message}; aisleflow run --partial goes on without it")


def _odd_recordings(file: Path, found: tuple[CameraDay, ...]) -> Iterator[Problem]:
    at = config_lines(file).line(("recordings", "path"))
    for camera_day in found:
        for note in camera_day.notes:
            yield Problem(str(file), f"recordings of {camera_day.camera}", note, at)


def _told(file: Path, faults: Iterable[Fault]) -> list[Problem]:
    lines = config_lines(file)
    return [Problem(str(file), field_name(location), message, lines.line(location)) for location, message in faults]


def _picture_size_problems(config: StoreConfig, file: Path, found: tuple[CameraDay, ...]) -> Iterator[Problem]:
    """Calibration, mask and zones are drawn on pictures of a size: another size is rescaled, another shape is not."""
    lines = config_lines(file)
    for number, (camera, camera_day) in enumerate(zip(config.cameras, found, strict=True)):
        if camera.image_size is None:
            continue
        width, height = camera.image_size
        for recorded in camera_day.files:
            other = (recorded.info.width, recorded.info.height)
            if abs(other[0] * height / (other[1] * width) - 1) > 0.01:
                yield Problem(
                    str(file),
                    f"cameras[{number}].image_size",
                    f"{width}x{height} has another shape than {Path(recorded.path).name} ({other[0]}x{other[1]}); "
                    "calibrate and draw on a picture of this recording",
                    lines.line(("cameras", number, "image_size")),
                )
                break


def _uniform_problems(config: StoreConfig, file: Path) -> Iterator[Problem]:
    lines = config_lines(file)
    for number, message in uniform_problems(config):
        yield Problem(str(file), f"staff.uniform[{number}]", message, lines.line(("staff", "uniform", number)))


def _model_problems(config: StoreConfig, file: Path) -> Iterator[Problem]:
    lines = config_lines(file)
    loads = {"detector": lambda: detector_of(config.detector), "reid": lambda: embedder_of(config.reid)}
    for section, load in loads.items():
        try:
            load()
        except (ValueError, OSError) as error:
            message = " ".join(str(error).split())
            yield Problem(str(file), f"{section}.model", message, lines.line((section, "model")))

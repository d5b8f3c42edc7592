"""Store configuration: what one `store.yaml` a store may say, and what it means (flows/store_reading.py reads it).

Geometry is in floor metres (x east, y north from the south-west corner), or in a camera's pixels where a zone names an
uncalibrated camera.
"""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from functools import cache, cached_property
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, available_timezones

import numpy as np
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from detection.floor import FloorCalibration
from detection.zones import polygon_problem

Identifier = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
Point = tuple[float, float]
PLAN_PICTURES = (".png", ".jpg", ".jpeg", ".webp")
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MICROSECOND = timedelta(microseconds=1)
EPOCH = datetime(1970, 1, 1, tzinfo=ZoneInfo("UTC"))


def check_polygon(corners: tuple[Point, ...]) -> tuple[Point, ...]:
    """The corners, if they are a polygon; else ValueError says why not."""
    problem = polygon_problem(np.asarray(corners))
    if problem:
        raise ValueError(problem)
    return corners


class Section(BaseModel):
    """A part of `store.yaml`. Unknown fields are refused: a misspelt one would otherwise be ignored in silence."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Fixture(Section):
    """Something that stands on the floor and hides feet: a shelf, a counter."""

    kind: str = Field("shelf", title="Kind")
    polygon: tuple[Point, ...] = Field(title="Footprint", description="corners in order, floor metres", min_length=3)
    height_m: float = Field(title="Height", description="metres", gt=0, le=10)

    _polygon = field_validator("polygon")(check_polygon)


def check_path(path: str) -> str:
    """The path, if it stays where it says: a relative one below the folder of store.yaml; else ValueError."""
    if ".." in re.split(r"[/\\]", path):
        raise ValueError("leaves its folder by ..: write a path below the folder of store.yaml, or an absolute one")
    return path


class Floor(Section):
    """The shop floor."""

    width_m: float = Field(title="Width", description="metres, west to east", gt=0, le=2000)
    depth_m: float = Field(title="Depth", description="metres, south to north", gt=0, le=2000)
    plan: str | None = Field(None, title="Plan", description="picture of the floor, path beside store.yaml")
    fixtures: tuple[Fixture, ...] = Field((), title="Fixtures")

    @field_validator("plan")
    @classmethod
    def _beside(cls, value: str | None) -> str | None:
        if value is None:
            return None
        if Path(value).is_absolute() or "://" in value:
            raise ValueError("must lie beside store.yaml: the dashboard shows it to everybody")
        if Path(value).suffix.lower() not in PLAN_PICTURES:
            raise ValueError(f"must be a picture: {', '.join(PLAN_PICTURES)}")
        return check_path(value)


class Recordings(Section):
    """Where a camera's recordings lie and what their names say.

    `path` is relative to store.yaml, absolute, or an fsspec URL (s3://...). It holds `{camera}` and strftime codes
    (%Y %m %d %H %M %S %f) of the recording's first frame; `*` matches anything. Without %H the start is read from
    a sidecar file NAME.json ({"start": "2025-03-14T09:00:00Z"}) or from the container's creation time.
    """

    path: str = Field(title="Path template", min_length=1)
    clock: str | None = Field(None, title="Clock", description="time zone of the names; the store's where left out")
    assumed_fps: float = Field(
        25, title="Assumed rate", description="frames a second, only for files without timestamps", gt=0, le=240
    )

    default_date: date | None = Field(
        None, title="Day", description="for a fixed set of recordings: the day processed where none is asked for"
    )

    @field_validator("path")
    @classmethod
    def _has_camera(cls, value: str) -> str:
        if "{camera}" not in value:
            raise ValueError("must contain {camera}, for example videos/{camera}/%Y-%m-%d/%H-%M-%S.mp4")
        unknown = set(re.findall(r"{([^}]*)}", value)) - {"camera"}
        if unknown:
            raise ValueError(f"knows only {{camera}}, not {{{', '.join(sorted(unknown))}}}; dates are %Y-%m-%d")
        return check_path(value)

    @field_validator("clock")
    @classmethod
    def _known_zone(cls, value: str | None) -> str | None:
        return value if value is None else _time_zone(value)


class CalibrationPoint(Section):
    pixel: Point = Field(title="Pixel", description="x right, y down; (0, 0) is the corner of the first pixel")
    floor: Point = Field(title="Floor", description="metres")


class Calibration(Section):
    """Pixels to floor: at least four point pairs, or the 3x3 homography itself."""

    points: tuple[CalibrationPoint, ...] | None = Field(None, title="Point pairs")
    homography: tuple[tuple[float, float, float], ...] | None = Field(None, title="Homography, pixels to metres")
    max_error_m: float = Field(0.25, title="Largest accepted error, root mean square", description="metres", gt=0, le=5)

    @model_validator(mode="after")
    def _one_of_two(self) -> Calibration:
        if (self.points is None) == (self.homography is None):
            raise ValueError("give either points (at least 4 pixel/floor pairs) or homography (3 rows of 3 numbers)")
        if self.homography is not None and len(self.homography) != 3:
            raise ValueError("homography needs 3 rows of 3 numbers")
        return self


class Camera(Section):
    """A camera, what it sees of the floor, and how often it is looked at."""

    id: Identifier = Field(title="Id", description="letters, digits, - and _")
    sampling_fps: float = Field(
        5,
        title="Sampling rate",
        description="frames a second that are looked at; with fewer than one in two seconds nobody could be followed",
        ge=0.5,
        le=60,
    )
    image_size: tuple[int, int] | None = Field(
        None, title="Picture size", description="width, height in pixels that calibration, mask and zones were drawn on"
    )
    stream: str | None = Field(
        None,
        title="Stream",
        description="RTSP or HTTP address that `aisleflow record` records; ${NAME} is taken from the environment",
        pattern=r"^[a-z]+://",
    )
    calibration: Calibration | None = Field(None, title="Calibration")
    mask: tuple[tuple[Point, ...], ...] = Field(
        (), title="Mask", description="polygons in pixels; people standing in them are left out"
    )

    @field_validator("mask")
    @classmethod
    def _polygons(cls, value: tuple[tuple[Point, ...], ...]) -> tuple[tuple[Point, ...], ...]:
        return tuple(check_polygon(polygon) for polygon in value)

    @model_validator(mode="after")
    def _calibrates(self) -> Camera:
        if (self.calibration or self.mask) and self.image_size is None:
            raise ValueError("image_size [width, height] is needed beside calibration and mask")
        if self.calibration is not None:
            self.floor_calibration  # noqa: B018 - fits now, so that a bad fit is told with the other mistakes
        return self

    @cached_property
    def floor_calibration(self) -> FloorCalibration | None:
        """The fitted calibration, or None where the camera has none. Raises CalibrationError where it does not fit."""
        if self.calibration is None or self.image_size is None:
            return None
        if self.calibration.homography is not None:
            return FloorCalibration.from_homography(np.array(self.calibration.homography), self.image_size)
        points = self.calibration.points or ()
        return FloorCalibration.fit(
            np.array([point.pixel for point in points]),
            np.array([point.floor for point in points]),
            self.image_size,
            max_error_m=self.calibration.max_error_m,
        )


class Zone(Section):
    """A named part of the store that people are counted in."""

    id: Identifier = Field(title="Id")
    name: str | None = Field(None, title="Name", max_length=80)
    kind: Literal["aisle", "display", "checkout", "entrance", "staff", "other"] = Field("other", title="Kind")
    polygon: tuple[Point, ...] = Field(title="Polygon", description="corners in order; metres, or pixels with camera")
    camera: Identifier | None = Field(None, title="Camera", description="the uncalibrated camera it is drawn on")
    capacity: int | None = Field(None, title="Capacity", description="people at which it counts as crowded", ge=1)
    since: datetime | None = Field(None, title="Since", description="store time it begins to be counted, with its day")
    until: datetime | None = Field(None, title="Until", description="store time it ends; a moved zone is a new one")

    _polygon = field_validator("polygon")(check_polygon)

    @model_validator(mode="after")
    def _lasts(self) -> Zone:
        for moment in (self.since, self.until):
            if moment is not None and moment.tzinfo is not None:
                raise ValueError("since and until are on the store's clock: write them without a time zone")
        if self.since and self.until and self.since >= self.until:
            raise ValueError("until must come after since")
        return self


class Entrance(Section):
    """A line people cross to come in or go out; `inside` is any point on the shop's side."""

    id: Identifier = Field("main", title="Id")
    name: str | None = Field(None, title="Name", max_length=80)
    line: tuple[Point, Point] = Field(title="Line", description="two points; metres, or pixels with camera")
    inside: Point = Field(title="Inside", description="a point on the inner side of the line")
    camera: Identifier | None = Field(None, title="Camera", description="the uncalibrated camera it is drawn on")

    @model_validator(mode="after")
    def _has_two_sides(self) -> Entrance:
        (ax, ay), (bx, by), (px, py) = *self.line, self.inside
        if (ax, ay) == (bx, by):
            raise ValueError("the two points of line are the same; an entrance needs two different ends")
        if abs((bx - ax) * (py - ay) - (by - ay) * (px - ax)) < 1e-9:
            raise ValueError("inside lies on the line itself; move it into the shop")
        return self


Device = Literal["cpu", "cuda"]


class DetectorChoice(Section):
    model: str = Field(
        "yolo11n.pt", title="Model", description="shipped name, ultralytics name, or path (from store.yaml)"
    )
    confidence: float = Field(0.25, title="Confidence", description="boxes under it do not start a track", gt=0, lt=1)
    image_size: int = Field(640, title="Picture size", description="longest side the network sees, pixels", ge=160)
    tiles: bool = Field(
        False,
        title="Enlarge far people",
        description="where a camera's calibration says that people are under 64 px in what the network sees, look at"
        " those parts enlarged as well: finds more, in two to five times the time",
    )
    device: Device = Field(
        "cpu",
        title="Device",
        description="cuda: an .onnx model, the shipped one say, on a GPU, with onnxruntime-gpu installed; a .pt model"
        " runs where torch finds a GPU either way",
    )


class Sampling(Section):
    """How much of the sampled pictures the detector looks at; `sampling_fps` of a camera says how many there are."""

    whole_s: float = Field(
        0.0,
        title="Whole pictures",
        description="seconds between pictures that are searched whole while anyone is in view; of those between, only"
        " what changed is, which takes half the time with 1. 0 searches each whole; one without a change never is",
        ge=0,
        le=4,
    )


class ReidChoice(Section):
    model: str = Field(
        "rga-store", title="Model", description="shipped name, or path of a weights folder (from store.yaml)"
    )
    threshold: float | None = Field(
        None,
        title="Same-person threshold",
        description="cosine; the one calibrated with the weights if left out",
        ge=-1,
        le=1,
    )
    device: Device = Field("cpu", title="Device", description="cuda: on a GPU that torch can use, in half precision")


class Counting(Section):
    """The definitions' constants."""

    hysteresis_s: float = Field(1.0, title="Hysteresis", description="seconds in or out of a zone that count", ge=0)
    max_hidden_s: float = Field(
        20.0,
        title="Longest hidden span",
        description="seconds a person out of sight is held to be still there; six times as long who stays in place",
        ge=0,
    )
    engaged_s: float = Field(10.0, title="Engaged visit", description="seconds in a zone", gt=0)


class StaffRule(Section):
    """Who is staff. A person who fulfils any given rule is."""

    min_hours_present: float | None = Field(None, title="Hours present", description="hours in the store", gt=0)
    zone: Identifier | None = Field(None, title="Staff zone", description="who stays in it longer than min_zone_s")
    min_zone_s: float = Field(60, title="Time in the staff zone", description="seconds", gt=0)
    uniform: tuple[Annotated[str, AfterValidator(check_path)], ...] = Field(
        (),
        title="Uniform",
        description="pictures cut to one person in uniform each, better from several cameras and sides: who looks like "
        "one of them is staff; paths beside store.yaml or absolute",
    )


class Privacy(Section):
    embeddings_days: int = Field(7, title="Embeddings kept", description="days", ge=0)
    positions_days: int = Field(90, title="Positions kept", description="days", ge=0)
    join_days: bool = Field(
        False, title="Join days", description="whether embeddings of different days may be compared with each other"
    )
    least_count: int | None = Field(
        None,
        title="Least count",
        description="people; what the dashboard saves to a file holds no count of fewer; left out: all counts",
        ge=2,
    )


class PersonSearch(Section):
    """Search for a person. A store without this section has none; PRIVACY.md says what to settle before."""

    purpose: str = Field(
        title="Purpose",
        description="what people are searched for, and on whose authority",
        min_length=10,
        max_length=300,
    )


class Sales(Section):
    """What the tills sold, for conversion: a CSV a day with the columns time and transactions."""

    path: str = Field(
        title="Path", description="beside store.yaml or absolute, with %Y, %m and %d: sales/%Y-%m-%d.csv", min_length=1
    )

    _path = field_validator("path")(check_path)


class StoreConfig(Section):
    """One store."""

    id: Identifier = Field(title="Store id")
    name: str = Field(title="Name", min_length=1, max_length=120)
    timezone: str = Field(title="Time zone", description="IANA name, for example Europe/Berlin")
    opening_hours: dict[Literal[WEEKDAYS], tuple[str, ...]] = Field(  # type: ignore[valid-type]
        default_factory=dict, title="Opening hours", description='by weekday, store time: ["09:00-13:00", ...]'
    )
    floor: Floor
    recordings: Recordings
    cameras: tuple[Camera, ...] = Field(title="Cameras", min_length=1)
    zones: tuple[Zone, ...] = Field((), title="Zones")
    entrances: tuple[Entrance, ...] = Field((), title="Entrances")
    detector: DetectorChoice = Field(default_factory=DetectorChoice)
    sampling: Sampling = Field(default_factory=Sampling)
    reid: ReidChoice = Field(default_factory=ReidChoice)
    counting: Counting = Field(default_factory=Counting)
    staff: StaffRule | None = Field(None, title="Staff rule")
    privacy: Privacy = Field(default_factory=Privacy)
    sales: Sales | None = Field(None, title="Sales", description="of the tills; no conversion where left out")
    find: PersonSearch | None = Field(None, title="Person search", description="off where left out")

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        return _time_zone(value)

    @field_validator("opening_hours")
    @classmethod
    def _spans(cls, value: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        for spans in value.values():
            for span in spans:
                _clock_span(span)
        return value

    @property
    def zone_info(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    def day_window(self, day: date) -> tuple[int, int]:
        """[start, end) of the store's local day in UTC microseconds: 23, 24 or 25 hours."""
        return self._local(day, time.min), self._local(day + timedelta(days=1), time.min)

    def open_windows(self, day: date) -> list[tuple[int, int]]:
        """Opening hours of a day as [start, end) in UTC microseconds; none where closed, the day where never set."""
        if not self.opening_hours:
            return [self.day_window(day)]
        windows = []
        for span in self.opening_hours.get(WEEKDAYS[day.weekday()], ()):
            start, end = _clock_span(span)
            end_day = day if end > start else day + timedelta(days=1)  # open past midnight
            windows.append((self._local(day, start), self._local(end_day, end)))
        return sorted(windows)

    def zone_span(self, zone: Zone, day: date) -> tuple[int, int] | None:
        """The part of a local day in which a zone is counted, [start, end) in UTC microseconds; None where in none."""
        start, end = self.day_window(day)
        if zone.since is not None:
            start = max(start, self._local(zone.since.date(), zone.since.time()))
        if zone.until is not None:
            end = min(end, self._local(zone.until.date(), zone.until.time()))
        return (start, end) if start < end else None

    def _local(self, day: date, clock: time) -> int:
        return (datetime.combine(day, clock, tzinfo=self.zone_info) - EPOCH) // MICROSECOND


@cache
def _zone_names() -> set[str]:
    return available_timezones()


def _time_zone(value: str) -> str:
    if value not in _zone_names():
        raise ValueError(f"{value!r} is no IANA time zone; write for example Europe/Berlin or America/Montreal")
    return value


def _clock_span(text: str) -> tuple[time, time]:
    match = re.fullmatch(r"(\d{2}:\d{2}(?::\d{2})?)-(\d{2}:\d{2}(?::\d{2})?)", text)
    try:
        if match:
            end = match[2].replace("24:00", "00:00")
            return time.fromisoformat(match[1]), time.fromisoformat(end)
    except ValueError:
        pass
    raise ValueError(f"{text!r} is no span of the day; write for example 09:00-20:00")

"""What identities are made from: unbroken tracks of one camera, and where they were on the floor."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SECOND_US = 1_000_000


@dataclass(frozen=True)
class Tracklets:
    """T unbroken tracks, each of one camera.

    camera: str (T,). track_id: int64 (T,), unique within its camera. start_us, end_us: int64 (T,), first and last
    sample. embedding: float32 (T, D), quality-weighted mean of the track's crops; NaN rows have none (D may be 0).
    quality: float32 (T,), mean quality of its crops in 0..1, 0 where there is no embedding.
    """

    camera: np.ndarray
    track_id: np.ndarray
    start_us: np.ndarray
    end_us: np.ndarray
    embedding: np.ndarray
    quality: np.ndarray

    def __post_init__(self) -> None:
        count = len(self.camera)
        for name in ("track_id", "start_us", "end_us", "embedding", "quality"):
            if len(getattr(self, name)) != count:
                raise ValueError(f"{name} has {len(getattr(self, name))} rows, camera has {count}; give one a tracklet")
        if self.embedding.ndim != 2:
            raise ValueError(f"embedding must be (T, D), it is {self.embedding.shape}; use (T, 0) for none at all")
        if (self.end_us < self.start_us).any():
            raise ValueError("a tracklet ends before it starts; times are microseconds, end_us >= start_us")

    def __len__(self) -> int:
        return len(self.camera)


@dataclass(frozen=True)
class Samples:
    """S places of tracklets: tracklet int (S,), row of Tracklets; time_us int64 (S,); x_m, y_m float (S,), floor
    metres, NaN where the camera is not calibrated or the foot point is beyond the horizon; sigma_m float (S,), the
    place's standard deviation in metres were the person's height known, or None where it is not known; slope (S, 2),
    metres that the place moves for each metre that the person is taller than the tracklet's mean height (a head behind
    a shelf), or None where places don't hang on heights; boxes (S, 4), xyxy px in the tracklet's camera, or None where
    they are not known."""

    tracklet: np.ndarray
    time_us: np.ndarray
    x_m: np.ndarray
    y_m: np.ndarray
    sigma_m: np.ndarray | None = None
    slope: np.ndarray | None = None
    boxes: np.ndarray | None = None

    def __post_init__(self) -> None:
        for name in ("time_us", "x_m", "y_m", "sigma_m", "slope", "boxes"):
            value = getattr(self, name)
            if value is not None and len(value) != len(self.tracklet):
                raise ValueError(f"samples.{name} has {len(value)} rows, tracklet has {len(self.tracklet)}")


@dataclass(frozen=True)
class Identities:
    """person_id int64 (T,): 1, 2, ... in order of first appearance, -1 for what was seen too briefly to be a person.
    confidence float32 (T,): probability that the tracklet belongs to that person and to no other."""

    person_id: np.ndarray
    confidence: np.ndarray

    @property
    def people(self) -> int:
        return int(self.person_id.max(initial=0))

    @property
    def unjoined(self) -> int:
        """Tracklets that are nobody."""
        return int((self.person_id < 0).sum())

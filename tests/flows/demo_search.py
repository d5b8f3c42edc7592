"""The demo's minute as a day that can be searched: tracks and places are its truth, looks are the shipped network's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from detection.colours import garment_colours
from detection.crops import cut_out
from detection.isolated import first_frames
from detection.video import Recording
from flows.chunks import embedder_of
from flows.day_secrets import make_secret
from flows.lake import Lake
from flows.schemas import TABLES, empty, from_columns
from flows.store_reading import load_store
from flows.stores import DEMO
from reid.rotation import rotate
from tests.flows.search_lake import DAY, TEN, write_store

EVERY_US = 200_000
LEAST_VISIBLE, LEAST_HEIGHT_PX = 0.4, 60.0
BOX = ["x1", "y1", "x2", "y2"]


def write_demo_day(folder: Path) -> None:
    """FOLDER/stores/demo/store.yaml with the demo's videos beside it, FOLDER/lake with its day, and FOLDER/person.png:
    a picture of whom the cameras see largest."""
    file, lake = write_store(folder / "stores"), folder / "lake"
    (file.parent / "videos").symlink_to(DEMO.parent / "videos")
    boxes = _tracks()
    tracks = boxes.groupby(["camera", "track_id"])
    best = boxes.loc[tracks["area"].idxmax()]
    crops = _crops(file.parent / "videos", best)
    config = load_store(file)
    secret = make_secret(config, DAY)
    colours = np.stack([garment_colours(crop) for crop in crops])
    heights = pd.read_parquet(DEMO.parent / "truth" / "people.parquet").set_index("person_id")["age_group"]
    count = len(best)
    columns: dict[str, Any] = {
        "camera": best["camera"].tolist(),
        "track_id": best["track_id"].to_numpy(),
        "start": tracks["time_us"].min().to_numpy(),
        "end": tracks["time_us"].max().to_numpy(),
        "samples": tracks.size().to_numpy(),
        "embedding": rotate(embedder_of(config.reid).embed(crops), secret.read()),
        "embedding_key": [secret.key] * count,
        "quality": np.full(count, 0.8),
        "height_m": np.where(best["person_id"].map(heights) == "child", 1.15, 1.72),
        "height_sigma_m": np.full(count, 0.06),
        "upper_colours": colours[:, 0],
        "lower_colours": colours[:, 1],
        "truncated_start": np.zeros(count, bool),
        "truncated_end": np.zeros(count, bool),
    }
    tables: dict[str, Any] = {name: empty(name) for name in TABLES}
    tables["tracklets"] = from_columns("tracklets", columns, columns["embedding"].shape[1])
    tables["identities"] = best[["camera", "track_id", "person_id"]].assign(confidence=0.9)
    times = pd.to_datetime(boxes["time_us"], unit="us", utc=True)
    tables["positions"] = boxes[["camera", "track_id", *BOX, "x_m", "y_m"]].assign(time=times, score=0.9)
    Lake(str(lake)).write_day(config.id, DAY, tables)
    Image.fromarray(crops[int(best["area"].to_numpy().argmax())]).save(folder / "person.png")


def _tracks() -> pd.DataFrame:
    """The truth's boxes, five a second, a track for each person and camera, with floor places."""
    truth = DEMO.parent / "truth"
    boxes = pd.read_parquet(truth / "boxes.parquet")
    high = boxes["y2"] - boxes["y1"]
    boxes = boxes[(boxes["visible_fraction"] >= LEAST_VISIBLE) & (high >= LEAST_HEIGHT_PX)]
    boxes = boxes[(boxes["time_us"] - TEN) % EVERY_US == 0]
    places = pd.read_parquet(truth / "positions.parquet")[["time_us", "person_id", "x_m", "y_m"]]
    boxes = boxes.merge(places, how="left", on=["time_us", "person_id"])
    boxes["area"] = (boxes["x2"] - boxes["x1"]) * (boxes["y2"] - boxes["y1"])
    return boxes.assign(track_id=boxes["person_id"]).sort_values(["camera", "track_id", "time_us"], ignore_index=True)


def _crops(videos: Path, best: pd.DataFrame) -> list[np.ndarray]:
    requests = []
    for row in best.itertuples():
        (file,) = (videos / str(row.camera)).glob("*.mp4")
        requests.append((Recording(str(file), str(row.camera), TEN), 5.0, {"from_us": int(row.time_us)}))
    crops = []
    for frame, box in zip(first_frames(requests), best[BOX].to_numpy(), strict=True):
        assert frame is not None
        crops.append(cut_out(frame.image, box))
    return crops

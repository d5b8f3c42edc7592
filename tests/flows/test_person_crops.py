"""Pictures of found people, cut from real recordings: by one process, from few files; and weights that changed."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import cv2
import numpy as np
import pytest

from detection import isolated
from detection.detector import DetectorNotFound
from flows import recordings
from flows.find import Query
from flows.person_search import PersonSearch
from flows.tracklet_positions import NoPicture
from tests.flows.painted import DAY, HUES, HueEmbedder, PaintedStore, walks

REASON = "a mother asks at the desk"
SOUGHT = Query(embedding=np.eye(HUES, dtype=np.float32)[2])
WALKERS = [walks(hue, (0, 40 + 60 * place, 150), (6, 70 + 60 * place, 200)) for place, hue in enumerate((1, 2, 3, 5))]


@pytest.fixture
def processed(shop: PaintedStore) -> PaintedStore:
    """Four people in one recording, in the lake, and recordings before and after it in which nobody is."""
    shop.data["find"] = {"purpose": "Finding lost children, on the store manager's authority"}
    shop.clip(WALKERS, 6.0)
    assert shop.run() == 0
    return shop


def open_search(store: PaintedStore) -> PersonSearch:
    return PersonSearch(store.file, store.lake, "anna", REASON, [date.fromisoformat(DAY)])


def test_one_process_decodes_the_pictures_of_all(processed: PaintedStore, monkeypatch):
    started = []
    start = isolated._Child.__init__
    monkeypatch.setattr(isolated._Child, "__init__", lambda self, task: started.append(task) or start(self, task))
    search = open_search(processed)
    found = search.find(SOUGHT)
    search.show_heads()
    crops = search.crops([one.name for one in found])
    assert len(found) == len(WALKERS) and started.count("read") == 1
    hues = [round(float(np.median(cv2.cvtColor(crop[10:-10, 6:-6], cv2.COLOR_RGB2HSV)[..., 0])) / 30) for crop in crops]
    assert sorted(hues) == [1, 2, 3, 5] and hues[0] == 2, "each picture is of its own person"


def test_a_crop_opens_the_recordings_around_its_moment_only(processed: PaintedStore, monkeypatch):
    for hour in range(1, 24):
        if hour != 10:
            processed.clip([], 1.0, start=f"{hour:02}-30-00")
    opened = []
    monkeypatch.setattr(recordings, "_probed", lambda path, stamp: opened.append(path) or recordings.probe(path))
    search = open_search(processed)
    (crop,) = search.crops([search.find(SOUGHT)[0].name])
    assert not isinstance(crop, str)
    assert {Path(path).stem[-8:] for path in opened} == {"09-30-00", "10-00-00"}


def test_what_cannot_be_shown_says_why(processed: PaintedStore, monkeypatch):
    search = open_search(processed)
    names = [one.name for one in search.find(SOUGHT)][:2]

    def gone(_: object) -> None:
        raise DetectorNotFound("no such model")

    with monkeypatch.context() as without:
        without.setattr("flows.person_crops.detector_of", gone)
        assert all("without a detector that finds the heads" in said for said in search.crops(names))
        with pytest.raises(NoPicture, match="without a detector"):
            search.frame("cam", search.find(SOUGHT)[0].start_us)
    (file,) = (processed.folder / "videos" / "cam").iterdir()
    file.write_bytes(b"no video at all")
    assert all("there is no recording" in said for said in search.crops(names))
    file.unlink()
    assert all("there is no recording (any more) of 2025-03-14 10:00" in said for said in search.crops(names))


def test_a_day_that_other_weights_embedded_is_not_compared_with_a_picture(processed: PaintedStore, monkeypatch):
    assert open_search(processed).find(SOUGHT)[0].likelihood > 0.9
    monkeypatch.setattr(HueEmbedder, "sha256", "f" * 64)
    search = open_search(processed)
    with pytest.raises(ValueError, match="processed with other re-identification weights"):
        search.find(SOUGHT)
    assert search.find(Query(upper="green")), "colours are measured the same"
